//! Brokers that refuse something, or hang up, and what is made of it.

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnAckProperties, ConnectReturnCode, Packet, PubAckReason, SubscribeReasonCode,
};
use tesla2mqtt::config::Protocol;
use tesla2mqtt::mqtt::{OneShotClient, Subscription};
use tesla2mqtt::outbox::Publish;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::timeout;

use super::fake::{Fake, Manners, nothing_of_itself, welcome};
use super::log::Log;
use super::rig::*;

const STATE: &str = "tesla2mqtt/bridge/state";

/// The second message of each connection had been blamed for it, one topic after the other.
#[tokio::test]
async fn a_broker_that_hangs_up_soon_after_each_connack_costs_no_topic() {
    const SHORT_ONES: usize = 8;
    struct HangsUp;
    impl Manners for HangsUp {
        fn hangs_up_after(&self, connection: usize) -> Option<Duration> {
            (connection <= SHORT_ONES).then_some(Duration::from_millis(30))
        }
    }
    let (log, _guard) = Log::start("tesla2mqtt::mqtt=info");
    let broker = Fake::start(HangsUp).await;
    let bridge = Bridge::start(&settings(broker.addr, Protocol::V5));
    for n in 0..50 {
        bridge.state(&format!("tesla2mqtt/VIN/{n:02}"), "1").await;
    }
    // One may be left out until the connection has lasted.
    broker
        .until("all others", |heard| {
            let last = heard.iter().filter(|(n, _)| *n > SHORT_ONES);
            let values = last.filter(
                |(_, packet)| matches!(packet, Some(Packet::Publish(p)) if p.topic != STATE),
            );
            values.count() >= 49
        })
        .await;
    let lines = log.lines();
    assert!(
        !lines.iter().any(|line| line.contains("is not published")),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn topics_over_which_a_broker_hangs_up_keep_no_other_away() {
    struct Forbids;
    impl Manners for Forbids {
        fn hangs_up_over(&self, topic: &str) -> bool {
            topic.starts_with("homeassistant/")
        }
    }
    let broker = Fake::start(Forbids).await;
    let bridge = Bridge::start(&settings(broker.addr, Protocol::V5));
    for n in 0..2 {
        let topic = format!("homeassistant/device/{n}/config");
        bridge.state(&topic, "{}").await;
    }
    for n in 0..50 {
        bridge.state(&format!("tesla2mqtt/VIN/{n:02}"), "1").await;
    }
    broker.until_said("tesla2mqtt/VIN/49", "1", 1).await;
    bridge.state("tesla2mqtt/VIN/00", "2").await;
    broker.until_said("tesla2mqtt/VIN/00", "2", 1).await;
    assert!(bridge.stop().await.offline_said);
}

/// It had counted as delivered for ever.
#[tokio::test]
async fn what_a_broker_refused_for_the_moment_is_said_again() {
    struct Full;
    impl Manners for Full {
        fn puback(&self, _: usize, _: &str, payload: &str) -> PubAckReason {
            match payload {
                "1" => PubAckReason::QuotaExceeded,
                _ => PubAckReason::Success,
            }
        }
    }
    let (log, _guard) = Log::start("tesla2mqtt::mqtt=info");
    let broker = Fake::start(Full).await;
    let bridge = Bridge::start(&settings(broker.addr, Protocol::V5));
    for topic in ["tesla2mqtt/VIN/a", "tesla2mqtt/VIN/b"] {
        bridge.state(topic, "1").await;
        broker.until_said(topic, "1", 1).await;
    }
    bridge.state("tesla2mqtt/VIN/b", "2").await;
    broker.until_said("tesla2mqtt/VIN/a", "1", 2).await;
    broker.until_said("tesla2mqtt/VIN/b", "2", 1).await;
    assert!(bridge.stop().await.offline_said);
    let lines = log.lines();
    let loud: Vec<_> = lines.iter().filter(|l| l.contains("WARN")).collect();
    assert!(
        loud.len() == 1 && loud[0].contains("limits is reached") && !loud[0].contains("access"),
        "{lines:#?}"
    );
}

/// It had been confirmed with the second connection. A topic that is refused for other reasons had
/// kept every removal from being confirmed.
#[tokio::test]
async fn a_removal_that_a_broker_refuses_is_not_confirmed_and_no_other_refusal_matters() {
    struct Guards;
    impl Manners for Guards {
        fn puback(&self, _: usize, topic: &str, _: &str) -> PubAckReason {
            if topic.ends_with("guarded") {
                PubAckReason::NotAuthorized
            } else {
                PubAckReason::Success
            }
        }
    }
    let broker = Fake::start(Guards).await;
    let bridge = Bridge::start(&settings(broker.addr, Protocol::V5));
    let remove = async |topic: &str| {
        let topic = topic.to_owned();
        bridge.handle.publish(Publish::Delete { topic }).await;
    };
    bridge.state("tesla2mqtt/VIN/guarded", "1").await;
    remove("tesla2mqtt/VIN/a").await;
    let gone = bridge.handle.confirmation().await;
    assert_eq!(timeout(PATIENCE, gone).await, Ok(Ok(())));

    remove("tesla2mqtt/OLD/guarded").await;
    let mut stays = bridge.handle.confirmation().await;
    broker.until_said("tesla2mqtt/OLD/guarded", "", 1).await;
    // Once this is acknowledged, so is the removal before it, and all has been said.
    for n in 0..2 {
        let topic = format!("tesla2mqtt/VIN/{n}");
        bridge.state(&topic, "1").await;
        broker.until_said(&topic, "1", 1).await;
    }
    assert_eq!(stays.try_recv(), Err(TryRecvError::Empty));
}

/// It had been reported as done.
#[tokio::test]
async fn what_a_broker_hung_up_before_is_not_deleted() {
    struct HangsUp;
    impl Manners for HangsUp {
        fn hangs_up_after(&self, _: usize) -> Option<Duration> {
            Some(Duration::ZERO)
        }
    }
    let broker = Fake::start(HangsUp).await;
    let settings = settings(broker.addr, Protocol::V5);
    let (mut client, _) = OneShotClient::connect(&settings, "probe")
        .await
        .expect("a CONNACK");
    broker
        .until("the end", |heard| heard.contains(&(1, None)))
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let topics = ["tesla2mqtt/VIN/a".to_owned()];
    assert!(client.delete(topics.into_iter()).await.is_err());
}

/// A plain goodbye takes the will back: nobody would have said `offline`.
#[tokio::test]
async fn where_offline_is_refused_the_will_speaks() {
    struct NoFarewell;
    impl Manners for NoFarewell {
        fn puback(&self, _: usize, _: &str, payload: &str) -> PubAckReason {
            match payload {
                "offline" => PubAckReason::NotAuthorized,
                _ => PubAckReason::Success,
            }
        }
    }
    let broker = Fake::start(NoFarewell).await;
    let bridge = Bridge::start(&settings(broker.addr, Protocol::V5));
    broker.until_said(STATE, "online", 1).await;
    assert!(!bridge.stop().await.offline_said);
    let heard = broker
        .until("the end", |heard| heard.contains(&(1, None)))
        .await;
    let goodbye =
        |(_, packet): &(usize, Option<Packet>)| matches!(packet, Some(Packet::Disconnect(_)));
    assert!(!heard.iter().any(goodbye), "{heard:#?}");
}

/// The will alone had kept such a broker away.
#[tokio::test]
async fn a_broker_without_retained_messages_is_one_warning_and_used_as_it_is() {
    struct KeepsNothing;
    impl Manners for KeepsNothing {
        fn connack(&self, _: usize, connect: &Packet) -> ConnAck {
            let Packet::Connect(_, Some(will), _) = connect else {
                panic!("no will: {connect:?}");
            };
            let code = if will.retain {
                ConnectReturnCode::RetainNotSupported
            } else {
                ConnectReturnCode::Success
            };
            ConnAck {
                code,
                properties: Some(ConnAckProperties {
                    retain_available: Some(0),
                    ..nothing_of_itself()
                }),
                ..welcome()
            }
        }
    }
    let (log, _guard) = Log::start("tesla2mqtt::mqtt=info");
    let broker = Fake::start(KeepsNothing).await;
    let bridge = Bridge::start(&settings(broker.addr, Protocol::V5));
    broker.until_said(STATE, "online", 1).await;
    assert!(bridge.stop().await.offline_said);
    let heard = broker.until("the end", |heard| heard.len() > 3).await;
    let retained = |packet: &Option<Packet>| matches!(packet, Some(Packet::Publish(p)) if p.retain);
    assert!(
        !heard.iter().any(|(_, packet)| retained(packet)),
        "{heard:#?}"
    );
    let lines = log.lines();
    let n_loud = lines.iter().filter(|l| !l.contains("INFO")).count();
    assert!(
        n_loud == 1 && lines.iter().any(|l| l.contains("retained messages")),
        "{lines:#?}"
    );
}

/// It had been a line at each connection.
#[tokio::test]
async fn a_refused_subscription_is_told_once() {
    struct Deaf;
    impl Manners for Deaf {
        fn suback(&self, _: usize) -> SubscribeReasonCode {
            SubscribeReasonCode::NotAuthorized
        }

        fn hangs_up_after(&self, connection: usize) -> Option<Duration> {
            (connection <= 2).then_some(Duration::from_millis(200))
        }
    }
    let (log, _guard) = Log::start("tesla2mqtt::mqtt=info");
    let broker = Fake::start(Deaf).await;
    let filters = vec![Subscription::plain("homeassistant/status")];
    let bridge = Bridge::listening(&settings(broker.addr, Protocol::V5), filters);
    broker.until_said(STATE, "online", 3).await;
    bridge.stop().await;
    let lines = log.lines();
    let told = lines
        .iter()
        .filter(|l| l.contains("refuses a subscription"));
    assert_eq!(told.count(), 1, "{lines:#?}");
}
