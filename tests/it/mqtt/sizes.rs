//! Large payloads, limits of the broker, strange names.

use mqtt5::broker::config::{StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerConfig, MqttBroker};
use tesla2mqtt::config::Protocol;
use tesla2mqtt::outbox::level::is_legal_topic;

use super::rig::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_discovery_message_arrives_whole() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let bridge = MqttBridge::start(&settings(broker.addr, protocol));
        let watcher = Watcher::start(broker.addr);
        watcher.until_subscribed().await;
        for size in [11_000, 90_000, 1_000_000] {
            let payload = "x".repeat(size);
            bridge
                .state("homeassistant/device/a/config", &payload)
                .await;
            watcher
                .until_topic("homeassistant/device/a/config", &payload)
                .await;
        }
        assert_eq!(bridge.until_up().await, 1, "never disconnected");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_the_brokers_limit_is_left_out_without_a_reconnect() {
    let config = BrokerConfig::default()
        .with_bind_address(([127, 0, 0, 1], 0))
        .with_storage(StorageConfig::default().with_backend(StorageBackend::Memory))
        .with_max_packet_size(10_000);
    let mut broker = MqttBroker::with_config(config).await.unwrap();
    let addr = broker.local_addr().unwrap();
    tokio::spawn(async move { broker.run().await });

    let settings = settings(addr, Protocol::V5);
    let facts = probe(&settings).await.unwrap();
    assert_eq!(facts.packet_max, 10_000);

    let bridge = MqttBridge::start(&settings);
    bridge.until_up().await;
    bridge.state("tesla2mqtt/VIN/big", &"x".repeat(9_990)).await;
    bridge
        .state("tesla2mqtt/VIN/fits", &"x".repeat(9_900))
        .await;
    bridge.state("tesla2mqtt/VIN/small", "1").await;
    let watcher = Watcher::start(addr);
    watcher.until_topic("tesla2mqtt/VIN/small", "1").await;
    let seen = watcher
        .until_topic("tesla2mqtt/VIN/fits", &"x".repeat(9_900))
        .await;
    assert!(!seen.topics.contains_key("tesla2mqtt/VIN/big"));
    assert_eq!(bridge.until_up().await, 1, "never disconnected");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_breaks_out_of_its_level_or_ends_the_connection() {
    let long = "very long ".repeat(100);
    let names = [
        "a/b",
        "+",
        "#",
        "nul\0",
        "new\nline",
        "🚗",
        "$SYS",
        "",
        " ",
        "%2F",
        "\u{FFFE}",
        "é\u{301}",
        &long,
    ];
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let bridge = MqttBridge::start(&settings(broker.addr, protocol));
        let watcher = Watcher::start(broker.addr);
        watcher
            .until_topic("tesla2mqtt/bridge/state", "online")
            .await;
        for name in names {
            let topic = format!("tesla2mqtt/{name}/name");
            bridge.state(&topic, name).await;
            let after = format!("after {name:?}");
            bridge.state("tesla2mqtt/after", &after).await;
            let seen = watcher.until_topic("tesla2mqtt/after", &after).await;
            let has_arrived = seen.topics.contains_key(&topic);
            assert_eq!(
                has_arrived,
                !name.is_empty() && is_legal_topic(&topic),
                "{topic:?}"
            );
        }
        assert_eq!(bridge.until_up().await, 1, "never disconnected");
    })
    .await;
}
