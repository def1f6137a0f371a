//! A broker that says no, and what the owner reads.

use tesla2mqtt::broker;
use tesla2mqtt::config::Protocol;
use tesla2mqtt::mqtt::BrokerFailureKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::rig::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named() {
    let mut open = broker_settings(LOOPBACK.parse().unwrap());
    open.username = Some("car".into());
    open.password = Some("right".into());
    let broker = broker::start(&open).await.unwrap();
    for protocol in BOTH {
        let mut settings = settings(broker.addr, protocol);
        settings.username = Some("car".into());
        settings.password = Some("wrong-secret".into());
        let bridge = MqttBridge::start(&settings);
        let sentence = bridge.until_down("mqtt.password").await;
        assert!(sentence.contains("refuses user car"), "{sentence}");
        assert!(!sentence.contains("wrong-secret"), "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_with_one_id_are_told_of_each_other() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let settings = settings(broker.addr, protocol);
        let [one, two] = [(), ()].map(|()| {
            MqttBridge::named(&settings, "twin".into(), vec![], CancellationToken::new())
        });
        tokio::select! {
            _ = one.until_down("id twin") => {}
            _ = two.until_down("id twin") => {}
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_something_else_is_told_apart() {
    // What is there, what it answers to a CONNECT, what the owner reads.
    let cases: [(&str, &[u8], &str); 4] = [
        (
            "a web server",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "check the port",
        ),
        ("a TLS port", b"\x15\x03\x03\x00\x02\x02\x46", "mqtts://"),
        ("a port that closes", b"", "mqtts://"),
        (
            "a broker without MQTT 5",
            b"\x20\x02\x00\x01",
            "protocol = 4",
        ),
    ];
    for (what, answer, words) in cases {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut connect = [0; 1024];
                let _ = client.read(&mut connect).await;
                let _ = client.write_all(answer).await;
            }
        });
        for protocol in BOTH {
            if protocol == Protocol::V4 && words.contains('=') {
                continue;
            }
            let failure = probe(&settings(addr, protocol)).await.unwrap_err();
            assert!(failure.to_string().contains(words), "{what}: {failure}");
            assert!(
                matches!(
                    failure.kind,
                    BrokerFailureKind::Slow | BrokerFailureKind::Refused
                ),
                "{what}"
            );
        }
    }
}
