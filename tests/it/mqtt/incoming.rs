//! What comes in: commands, stored messages, floods.

use tesla2mqtt::config::Protocol;
use tesla2mqtt::mqtt::{Incoming, Subscription};
use tokio::time::timeout;

use super::rig::*;

fn subscriptions() -> Vec<Subscription> {
    vec![
        Subscription::commands("tesla2mqtt/+/+/set"),
        Subscription::plain("homeassistant/status"),
    ]
}

async fn next(bridge: &mut MqttBridge) -> Incoming {
    timeout(PATIENCE, bridge.incoming.recv())
        .await
        .expect("in time")
        .expect("open")
}

fn message(topic: &str, payload: &[u8], retain: bool) -> Incoming {
    Incoming {
        topic: topic.into(),
        payload: payload.into(),
        retain,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_commands_do_not_come_or_come_marked() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let stored = "tesla2mqtt/VIN/lock/set";
        publish(
            broker.addr,
            &[
                (stored, "unlock", true),
                ("homeassistant/status", "online", true),
            ],
        )
        .await;
        let mut bridge = MqttBridge::listening(&settings(broker.addr, protocol), subscriptions());
        if protocol == Protocol::V4 {
            let mut both = [next(&mut bridge).await, next(&mut bridge).await];
            both.sort_by(|a, b| a.topic.cmp(&b.topic));
            assert_eq!(
                both,
                [
                    message("homeassistant/status", b"online", true),
                    message(stored, b"unlock", true),
                ]
            );
        } else {
            let birth = next(&mut bridge).await;
            assert_eq!(birth, message("homeassistant/status", b"online", true));
        }
        publish(broker.addr, &[(stored, "lock", false)]).await;
        let live = next(&mut bridge).await;
        assert_eq!(live, message(stored, b"lock", false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_come_again_after_the_broker_was_restarted() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let addr = broker.addr;
        let mut bridge = MqttBridge::listening(&settings(addr, protocol), subscriptions());
        bridge.until_up().await;
        let stopped = broker.stop().await;
        bridge.until_down("").await;
        let _broker = stopped.start().await;
        // Online is said after the subscription, on the same connection.
        let watcher = Watcher::start(addr);
        watcher
            .until_topic("tesla2mqtt/bridge/state", "online")
            .await;
        publish(addr, &[("tesla2mqtt/VIN/lock/set", "lock", false)]).await;
        assert_eq!(
            next(&mut bridge).await,
            message("tesla2mqtt/VIN/lock/set", b"lock", false)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_may_be_any_bytes() {
    let broker = open_broker(free_address()).await;
    let mut bridge = MqttBridge::listening(&settings(broker.addr, Protocol::V5), subscriptions());
    bridge.until_up().await;
    Watcher::start(broker.addr)
        .until_topic("tesla2mqtt/bridge/state", "online")
        .await;
    for payload in ["", "\0\u{1}", "🚗", &"x".repeat(100_000)] {
        publish(broker.addr, &[("tesla2mqtt/🚗/a b/set", payload, false)]).await;
        assert_eq!(next(&mut bridge).await.payload, payload.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_that_nobody_reads_does_not_stop_what_is_published() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let bridge = MqttBridge::listening(&settings(broker.addr, protocol), subscriptions());
        let watcher = Watcher::start(broker.addr);
        watcher
            .until_topic("tesla2mqtt/bridge/state", "online")
            .await;
        let flood = vec![("tesla2mqtt/VIN/lock/set", "lock", false); 3000];
        publish(broker.addr, &flood).await;
        bridge.state("tesla2mqtt/VIN/a", "1").await;
        watcher.until_topic("tesla2mqtt/VIN/a", "1").await;
        assert_eq!(bridge.until_up().await, 1, "never disconnected");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_publish_under_a_command_topic_does_not_come_back() {
    let broker = open_broker(free_address()).await;
    let mut bridge = MqttBridge::listening(&settings(broker.addr, Protocol::V5), subscriptions());
    bridge.state("tesla2mqtt/VIN/own/set", "1").await;
    let watcher = Watcher::start(broker.addr);
    watcher.until_topic("tesla2mqtt/VIN/own/set", "1").await;
    publish(broker.addr, &[("tesla2mqtt/VIN/other/set", "2", false)]).await;
    assert_eq!(next(&mut bridge).await.topic, "tesla2mqtt/VIN/other/set");
    publish(broker.addr, &[("tesla2mqtt/VIN/last/set", "3", false)]).await;
    assert_eq!(next(&mut bridge).await.topic, "tesla2mqtt/VIN/last/set");
}
