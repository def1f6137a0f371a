//! What only Mosquitto has: its own TLS, password file and access list.

use tesla2mqtt::cli::clear;
use tesla2mqtt::config::Protocol;
use tesla2mqtt::mqtt::BrokerFailureKind;

use super::clear::at;
use super::rig::*;
use super::tls::{Home, version_1};

#[tokio::test(flavor = "multi_thread")]
async fn its_tls_with_client_certificates_works() {
    let home = Home::new();
    with_mosquitto(async |protocol| {
        let server = home.ca.signed("localhost");
        let broker = Broker::mosquitto(
            "allow_anonymous true\ncafile @ca.pem\ncertfile @server.pem\nkeyfile @server.key\n\
             require_certificate true",
            &[
                ("ca.pem", home.ca.pem.clone()),
                ("server.pem", server.pem),
                ("server.key", server.key),
            ],
        )
        .await;
        let mut settings = settings(broker.addr, protocol);
        settings.host = "localhost".into();
        settings.tls = Some(home.files(&home.ca.pem, Some(&home.ca.signed("car"))));
        let bridge = MqttBridge::start(&settings);
        assert_eq!(bridge.until_up().await, 1);
        for n in 0..200 {
            bridge.state(&format!("tesla2mqtt/bridge/{n}"), "1").await;
        }
        assert!(bridge.stop().await.offline_acknowledged);

        settings.tls = Some(home.files(&home.ca.pem, None));
        let failure = probe(&settings).await.unwrap_err();
        assert!(
            failure.to_string().contains("mqtt.client_cert_file"),
            "{protocol:?}: {failure}"
        );
        settings.tls = None;
        let failure = probe(&settings).await.unwrap_err();
        assert!(failure.to_string().contains("mqtts://"), "{failure}");
    })
    .await;
}

/// Of X.509 version 1.
#[tokio::test(flavor = "multi_thread")]
async fn its_tls_works_with_a_certificate_as_its_manual_makes_it() {
    let home = Home::new();
    let server = version_1();
    with_mosquitto(async |protocol| {
        let broker = Broker::mosquitto(
            "allow_anonymous true\ncafile @server.pem\ncertfile @server.pem\n\
             keyfile @server.key",
            &[
                ("server.pem", server.pem.clone()),
                ("server.key", server.key.clone()),
            ],
        )
        .await;
        let mut settings = settings(broker.addr, protocol);
        settings.host = "localhost".into();
        settings.tls = Some(home.files(&server.pem, None));
        let bridge = MqttBridge::start(&settings);
        assert_eq!(bridge.until_up().await, 1);
        assert!(bridge.stop().await.offline_acknowledged);
    })
    .await;
}

/// The will alone had kept such a broker away.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_used_without_retained_messages_where_it_keeps_none() {
    if !mosquitto_is_here() {
        return;
    }
    let broker = Broker::mosquitto("allow_anonymous true\nretain_available false", &[]).await;
    let watcher = Watcher::start(broker.addr);
    watcher.until_subscribed().await;
    let bridge = MqttBridge::start(&settings(broker.addr, Protocol::V5));
    bridge.state("tesla2mqtt/VIN/a", "1").await;
    watcher.until_topic("tesla2mqtt/VIN/a", "1").await;
    bridge.task.abort();
    watcher
        .until_topic("tesla2mqtt/bridge/state", "offline")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_who_has_no_password() {
    with_mosquitto(async |protocol| {
        let broker = Broker::mosquitto("allow_anonymous false", &[]).await;
        let mut settings = settings(broker.addr, protocol);
        for username in [None, Some("car")] {
            settings.username = username.map(str::to_owned);
            settings.password = Some("wrong".into());
            let failure = probe(&settings).await.unwrap_err();
            assert_eq!(failure.kind, BrokerFailureKind::Refused, "{failure}");
            assert!(failure.to_string().contains("mqtt.username"), "{failure}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_access_list_costs_the_refused_topics_only() {
    with_mosquitto(async |protocol| {
        let broker = Broker::mosquitto(
            "allow_anonymous true\nacl_file @acl",
            &[("acl", "topic readwrite tesla2mqtt/#\n".to_owned())],
        )
        .await;
        let bridge = MqttBridge::start(&settings(broker.addr, protocol));
        for n in 0..2 {
            bridge
                .state(&format!("homeassistant/device/{n}/config"), "{}")
                .await;
        }
        for n in 0..200 {
            bridge.state(&format!("tesla2mqtt/bridge/{n}"), "1").await;
        }
        // 2.0.11 ends an MQTT 5 connection over each forbidden topic.
        Watcher::start(broker.addr)
            .until("all others", |seen| seen.topics.len() == 201)
            .await;
        assert!(bridge.stop().await.offline_acknowledged);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_used_with_qos_0_where_it_takes_no_more() {
    if !mosquitto_is_here() {
        return;
    }
    let broker = Broker::mosquitto("allow_anonymous true\nmax_qos 0", &[]).await;
    let start = async || {
        let bridge = MqttBridge::start(&settings(broker.addr, Protocol::V5));
        bridge.until_up().await;
        for n in 0..200 {
            bridge.state(&format!("tesla2mqtt/bridge/{n}"), "1").await;
        }
        bridge
    };
    let is = |seen: &Seen, word: &str| {
        seen.topics.len() == 201 && seen.topics["tesla2mqtt/bridge/state"] == word
    };
    let bridge = start().await;
    let watcher = Watcher::start(broker.addr);
    watcher.until("all", |seen| is(seen, "online")).await;
    assert!(bridge.stop().await.offline_acknowledged);
    watcher
        .until("the farewell", |seen| is(seen, "offline"))
        .await;

    let bridge = start().await;
    watcher.until("all again", |seen| is(seen, "online")).await;
    bridge.task.abort();
    watcher.until("the will", |seen| is(seen, "offline")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clear_removes_everything_where_qos_1_is_not_supported() {
    const N_TOPICS: usize = 1500;
    if !mosquitto_is_here() {
        return;
    }
    // The same broker behind two doors: it takes a will with QoS 1 at one of them only.
    let without = free_address();
    let lines = format!(
        "allow_anonymous true\nlistener {} {}\nmax_qos 0",
        without.port(),
        without.ip()
    );
    let broker = Broker::mosquitto(&lines, &[]).await;
    let bridge = MqttBridge::start(&settings(broker.addr, Protocol::V5));
    bridge.until_up().await;
    for n in 0..N_TOPICS {
        bridge.state(&format!("tesla2mqtt/bridge/{n}"), "1").await;
    }
    Watcher::start(broker.addr)
        .until("all of it", |seen| seen.topics.len() == N_TOPICS + 1)
        .await;
    assert!(bridge.stop().await.offline_acknowledged);

    let settings = settings(without, Protocol::V5);
    let facts = probe(&settings).await.unwrap();
    assert!(!facts.acknowledges);
    let cleared = clear(&settings, &at("tesla2mqtt")).await.unwrap();
    assert_eq!((cleared.removed, cleared.left.len()), (N_TOPICS + 1, 0));
}
