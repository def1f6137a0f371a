//! The broker goes and comes back, without its memory. How soon, and what of everything else that
//! may happen to a connection, is tested in virtual time with the client (`crates/core`).

use std::collections::BTreeMap;

use tesla2mqtt::config::Protocol;
use tesla2mqtt::outbox::Publish;
use tokio::time::timeout;

use super::rig::*;

async fn every_topic_is_back(make: Make, protocol: Protocol) {
    let broker = make.open().await;
    let addr = broker.addr;
    let bridge = MqttBridge::start(&settings(addr, protocol));
    let mut wanted = BTreeMap::from([("tesla2mqtt/bridge/state".to_owned(), "online".to_owned())]);
    for n in 0..300 {
        let topic = format!("tesla2mqtt/VIN/key_{n}");
        bridge.state(&topic, "first").await;
        wanted.insert(topic, "first".to_owned());
    }
    Watcher::start(addr)
        .until("all topics", |seen| seen.topics == wanted)
        .await;

    let stopped = broker.stop().await;
    bridge.until_down("").await;
    for value in ["lost", "newest"] {
        for n in 0..30 {
            let topic = format!("tesla2mqtt/VIN/key_{n}");
            bridge.state(&topic, value).await;
            wanted.insert(topic, value.to_owned());
        }
    }

    let broker = stopped.start().await;
    let watcher = Watcher::start(addr);
    let seen = watcher
        .until("all topics again", |seen| seen.topics == wanted)
        .await;
    assert!(
        !seen.messages.iter().any(|(_, payload)| payload == "lost"),
        "only the newest value of the outage is sent"
    );
    assert!(bridge.until_up().await >= 2);
    bridge.stop().await;
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_topic_is_back_at_a_broker_that_lost_its_memory() {
    everywhere(every_topic_is_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_starts_later_is_found() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let addr = broker.addr;
        let stopped = broker.stop().await;
        let bridge = MqttBridge::start(&settings(addr, protocol));
        bridge.state("tesla2mqtt/VIN/state", "asleep").await;
        bridge
            .until_down("nothing listens at broker 127.0.0.1")
            .await;
        let _broker = stopped.start().await;
        let watcher = Watcher::start(addr);
        watcher.until_topic("tesla2mqtt/VIN/state", "asleep").await;
        watcher
            .until_topic("tesla2mqtt/bridge/state", "online")
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_over_connections_that_are_cut_again_and_again() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let proxy = Proxy::start(broker.addr).await;
        let bridge = MqttBridge::start(&settings(proxy.addr, protocol));
        let watcher = Watcher::start(broker.addr);
        watcher.until_subscribed().await;
        let n_events = 60;
        for n in 0..n_events {
            bridge
                .state("tesla2mqtt/VIN/odometer", &n.to_string())
                .await;
            let event = Publish::Event {
                topic: "tesla2mqtt/VIN/event/drive".into(),
                payload: n.to_string().into(),
            };
            bridge.handle.publish(event).await;
            if n % 20 == 10 {
                bridge.until_up().await;
                proxy.set(ProxyMode::Cut);
                bridge.until_down("").await;
                proxy.set(ProxyMode::Open);
            }
        }
        watcher.until_topic("tesla2mqtt/VIN/odometer", "59").await;
        watcher
            .until("every event at least once, in order", |seen| {
                let mut events: Vec<u32> = Vec::new();
                for (topic, payload) in &seen.messages {
                    let n = payload.parse().unwrap_or(u32::MAX);
                    if topic.ends_with("/drive") && !events.contains(&n) {
                        events.push(n);
                    }
                }
                events == (0..n_events).collect::<Vec<_>>()
            })
            .await;
    })
    .await;
}

/// The outbox takes what is said, whatever the socket does.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_takes_nothing_holds_nobody_up_who_publishes() {
    let broker = open_broker(free_address()).await;
    for protocol in BOTH {
        let proxy = Proxy::start(broker.addr).await;
        let bridge = MqttBridge::start(&settings(proxy.addr, protocol));
        bridge.until_up().await;
        proxy.set(ProxyMode::Blackhole);
        // More than any window, and than the buffers of both sockets together.
        let long = "x".repeat(100_000);
        let says_all = async {
            for n in 0..1000 {
                bridge.state(&format!("tesla2mqtt/VIN/{n}"), &long).await;
            }
        };
        timeout(PATIENCE, says_all).await.expect("nobody waits");
        assert_eq!(bridge.until_up().await, 1);
        let outcome = bridge.stop().await;
        assert!(!outcome.offline_acknowledged && outcome.n_lost > 0);
    }
}
