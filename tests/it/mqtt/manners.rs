//! Brokers that refuse something, or hang up. What the client makes of each such habit is tested in
//! virtual time with it (`crates/core`); here it meets real sockets and the log.

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::SubscribeReasonCode;
use tesla2mqtt::config::Protocol;
use tesla2mqtt::mqtt::{OneShotClient, Subscription};

use super::fake::{Fake, Manners};
use super::log::Log;
use super::rig::*;

const STATE: &str = "tesla2mqtt/bridge/state";

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
    let topics = ["tesla2mqtt/VIN/a".to_owned()];
    assert!(client.delete(topics.into_iter()).await.is_err());
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
    let bridge = MqttBridge::listening(&settings(broker.addr, Protocol::V5), filters);
    broker.until_said(STATE, "online", 3).await;
    bridge.stop().await;
    let lines = log.lines();
    let told = lines
        .iter()
        .filter(|l| l.contains("refuses a subscription"));
    assert_eq!(told.count(), 1, "{lines:#?}");
}
