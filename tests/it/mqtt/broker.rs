//! The broker inside the bridge.

use std::net::SocketAddr;
use std::path::Path;

use tesla2mqtt::broker::{self, BrokerError};
use tesla2mqtt::config::Protocol;
use tesla2mqtt::mqtt::BrokerFailureKind;

use super::rig::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_told_apart_from_other_failures() {
    let first = open_broker(free_address()).await;
    let second = broker::start(&broker_settings(first.addr)).await;
    assert!(matches!(second, Err(BrokerError::PortTaken(addr)) if addr == first.addr));
    // An address of the documentation, which no machine has.
    let elsewhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let mut settings = broker_settings(elsewhere);
    settings.username = Some("car".into());
    settings.password = Some("secret".into());
    let third = broker::start(&settings).await;
    assert!(matches!(third, Err(BrokerError::Address(..))), "{third:?}");
}

#[tokio::test]
async fn it_does_not_open_itself_to_the_network_without_a_password() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let settings = broker_settings(listen.parse().unwrap());
        let refused = broker::start(&settings).await;
        assert!(matches!(refused, Err(BrokerError::OpenWithoutPassword(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_broker_gives_its_port_back_and_leaves_nothing_on_disk() {
    let broker = open_broker(free_address()).await;
    let addr = broker.addr;
    publish(addr, &[("a", "1", true)]).await;
    broker.stop().await;
    open_broker(addr).await;
    assert!(!Path::new("mqtt_storage").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_refused_and_do_not_lock_the_right_one_out() {
    let mut open = broker_settings(LOOPBACK.parse().unwrap());
    open.username = Some("car".into());
    open.password = Some("right".into());
    let broker = broker::start(&open).await.unwrap();
    for protocol in BOTH {
        let base = settings(broker.addr, protocol);
        let right = {
            let mut right = base.clone();
            right.username = Some("car".into());
            right.password = Some("right".into());
            right
        };
        let wrong = [
            (None, None),
            (Some("car"), None),
            (Some("car"), Some("wrong")),
            (Some("car"), Some("righ")),
            (Some("car"), Some("right ")),
            (Some("bus"), Some("right")),
            (Some(""), Some("right")),
        ];
        let attempts = wrong.map(|(username, password)| {
            let name = format!("{username:?} {password:?}");
            let mut wrong = base.clone();
            wrong.username = username.map(str::to_owned);
            wrong.password = password.map(Into::into);
            tokio::spawn(async move { (name, probe(&wrong).await) })
        });
        for attempt in attempts {
            let (name, outcome) = attempt.await.unwrap();
            let failure = outcome.unwrap_err();
            assert_eq!(
                failure.kind,
                BrokerFailureKind::Refused,
                "{protocol:?} {name}: {failure}"
            );
        }
        probe(&right).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_subscriber_gets_every_retained_topic() {
    let broker = open_broker(free_address()).await;
    let bridge = MqttBridge::start(&settings(broker.addr, Protocol::V5));
    for n in 0..1000 {
        bridge.state(&format!("tesla2mqtt/VIN/{n}"), "1").await;
    }
    Watcher::start(broker.addr)
        .until("1000 topics", |seen| seen.topics.len() == 1001)
        .await;
    bridge.stop().await;
    Watcher::start(broker.addr)
        .until("1000 topics later", |seen| seen.topics.len() == 1001)
        .await;
}
