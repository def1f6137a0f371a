//! What the log says of an outage, and what it never says.

use std::io;
use std::sync::{Arc, Mutex};

use tesla2mqtt::broker;
use tesla2mqtt::config::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use super::rig::*;

/// Everything that is logged on this thread. The tests here run on one thread for that.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn start(levels: &str) -> (Self, (DefaultGuard, Dispatch)) {
        let log = Self::default();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .without_time()
            .with_writer(log.clone());
        let levels: Targets = levels.parse().unwrap();
        let subscriber = tracing_subscriber::registry().with(levels).with(lines);
        let guard = tracing::subscriber::set_default(subscriber);
        // With a single subscriber alive, tracing asks only the thread that comes to a log line
        // first whether anyone wants it, and remembers its no: that is mostly another test.
        let second = Dispatch::new(tracing_subscriber::registry());
        tracing::callsite::rebuild_interest_cache();
        (log, (guard, second))
    }

    async fn until(&self, words: &str) {
        let said = async {
            while !self.lines().iter().any(|line| line.contains(words)) {
                pause().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, said).await;
        in_time.unwrap_or_else(|_| panic!("not logged: {words}; {:#?}", self.lines()));
    }

    pub fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn an_outage_is_two_or_three_lines_however_often_it_is_tried() {
    let (log, _guard) = Log::start("tesla2mqtt::mqtt=info");
    let broker = open_broker(free_address()).await;
    let addr = broker.addr;
    let bridge = MqttBridge::start(&settings(addr, BOTH[0]));
    for n in 0..10 {
        bridge.state(&format!("tesla2mqtt/VIN/{n}"), "1").await;
    }
    Watcher::start(addr)
        .until("all", |seen| seen.topics.len() == 11)
        .await;
    log.until("connected to the broker").await;
    broker.stop().await;
    bridge.until_down("nothing listens").await;
    let broker = open_broker(addr).await;
    bridge.until_up().await;
    log.until("broker back").await;
    bridge.stop().await;
    broker.stop().await;

    let lines = log.lines();
    assert!(lines[0].contains("connected to the broker"), "{lines:#?}");
    let outage = &lines[1..lines.len() - 1];
    assert!((2..=3).contains(&outage.len()), "{lines:#?}");
    let begins = outage
        .iter()
        .filter(|line| line.contains("nothing listens at broker"));
    assert_eq!(begins.count(), 1, "{lines:#?}");
    let end = outage.last().unwrap();
    assert!(end.contains("broker back after"), "{lines:#?}");
    assert!(end.contains("11 topics republished"), "{lines:#?}");
    assert!(lines.last().unwrap().contains("said offline"), "{lines:#?}");
}

#[tokio::test]
async fn a_broker_that_takes_only_qos_0_is_one_warning_and_used_as_it_is() {
    const REFUSED_FOR_QOS: [u8; 5] = [0x20, 3, 0, 0x9B, 0];
    const ACCEPTED_WITH_QOS_0: [u8; 7] = [0x20, 5, 0, 0, 2, 0x24, 0];
    let (log, _guard) = Log::start("tesla2mqtt::mqtt=info");
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let bridge = MqttBridge::start(&settings(listener.local_addr().unwrap(), Protocol::V5));
    let mut said = [0; 1024];
    for (will_qos, answer) in [(1, &REFUSED_FOR_QOS[..]), (0, &ACCEPTED_WITH_QOS_0)] {
        let accepted = timeout(PATIENCE, listener.accept()).await;
        let (mut client, _) = accepted.expect("at once").unwrap();
        let n = client.read(&mut said).await.unwrap();
        let name = said[..n].windows(4).position(|word| word == b"MQTT");
        let flags = said[name.expect("a CONNECT") + 5];
        assert_eq!(flags >> 3 & 0b11, will_qos);
        client.write_all(answer).await.unwrap();
        if will_qos == 0 {
            let n = timeout(PATIENCE, client.read(&mut said)).await;
            let online = &said[..n.expect("something to say").unwrap()];
            assert_eq!(online[0], 0x31, "retained, QoS 0: {online:?}");
            log.until("connected to the broker").await;
            bridge.cancel.cancel();
            let outcome = timeout(PATIENCE, bridge.task).await.unwrap().unwrap();
            assert!(outcome.offline_acknowledged);
            break;
        }
    }
    let lines = log.lines();
    let n_loud = lines.iter().filter(|l| !l.contains("INFO")).count();
    assert!(
        n_loud == 1 && lines.iter().any(|l| l.contains("QoS 0")),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn no_password_is_logged_at_any_level() {
    let (log, _guard) = Log::start("trace");
    let mut open = broker_settings(LOOPBACK.parse().unwrap());
    open.username = Some("car".into());
    open.password = Some("right-secret".into());
    let broker = broker::start(&open).await.unwrap();
    for protocol in BOTH {
        let mut settings = settings(broker.addr, protocol);
        settings.username = Some("car".into());
        for password in ["right-secret", "wrong-secret"] {
            settings.password = Some(password.into());
            let bridge = MqttBridge::start(&settings);
            if password == "right-secret" {
                bridge.until_up().await;
            } else {
                bridge.until_down("mqtt.password").await;
            }
            bridge.stop().await;
        }
        probe(&settings).await.unwrap_err();
    }
    let lines = log.lines();
    assert!(lines.len() > 20, "the log was read: {lines:#?}");
    for line in lines {
        assert!(!line.contains("-secret"), "{line}");
    }
}
