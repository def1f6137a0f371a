//! `clear` leaves the broker as if we had never been there.

use tesla2mqtt::cli::clear::{Cleared, clear};
use tesla2mqtt::mqtt::Kind;

use super::rig::*;

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_ours_goes_and_everything_else_stays() {
    for (make, protocol) in everywhere() {
        let broker = make.open().await;
        let settings = settings(broker.addr, protocol);
        let bridge = Bridge::start(&settings);
        bridge.until_up().await;
        for n in 0..400 {
            bridge.state(&format!("tesla2mqtt/VIN/{n}"), "1").await;
        }
        let ours = "homeassistant/device/tesla2mqtt_VIN/config";
        bridge.state(ours, &"x".repeat(90_000)).await;
        bridge.stop().await;
        let others = [
            ("homeassistant/device/tesla_VIN/config", "{}", true),
            (
                "homeassistant/device/zigbee/tesla2mqtt_1/config",
                "{}",
                true,
            ),
            ("homeassistant/sensor/tesla2mqtt_1/config", "{}", true),
            ("tesla2mqtt_2/bridge/state", "online", true),
            ("zigbee2mqtt/bridge/state", "online", true),
        ];
        publish(broker.addr, &others).await;

        let cleared = clear(&settings, "homeassistant", &[]).await.unwrap();
        assert_eq!(
            cleared,
            Cleared {
                removed: 402,
                left: vec![],
                bridge_online: false
            },
            "{protocol:?}"
        );
        let watcher = Watcher::start(broker.addr);
        let seen = watcher
            .until("what is left", |seen| seen.topics.len() >= others.len())
            .await;
        let left: Vec<_> = seen.topics.keys().map(String::as_str).collect();
        let mut expected = others.map(|(topic, ..)| topic);
        expected.sort_unstable();
        assert_eq!(left, expected);

        let again = clear(&settings, "homeassistant", &[]).await.unwrap();
        assert_eq!(again.removed, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_named_goes_too() {
    let broker = open_broker(LOOPBACK.parse().unwrap()).await;
    publish(broker.addr, &[("old/topic", "1", true)]).await;
    let also = ["old/topic".to_owned()];
    let settings = settings(broker.addr, BOTH[0]);
    let cleared = clear(&settings, "homeassistant", &also).await.unwrap();
    assert_eq!(cleared.removed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_runs_is_noticed_and_not_thrown_out() {
    let broker = open_broker(LOOPBACK.parse().unwrap()).await;
    let settings = settings(broker.addr, BOTH[0]);
    let bridge = Bridge::start(&settings);
    Watcher::start(broker.addr)
        .until_topic("tesla2mqtt/bridge/state", "online")
        .await;
    let cleared = clear(&settings, "homeassistant", &[]).await.unwrap();
    assert!(cleared.bridge_online);
    assert_eq!(bridge.until_up().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_it_says_so_at_once() {
    let broker = open_broker(LOOPBACK.parse().unwrap()).await;
    let settings = settings(broker.addr, BOTH[0]);
    broker.stop().await;
    let failure = clear(&settings, "homeassistant", &[]).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unreachable, "{failure}");
}
