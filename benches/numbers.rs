//! The numbers of the release binary, as a table: `cargo bench --bench numbers`.
//!
//! Memory, the time from a cloud answer to the last of its values at the broker, and the time
//! until every topic is back after a broker lost its memory. Cloud and brokers run in this
//! process, the bridge in its own. With a real mosquitto on the machine it stands beside the
//! embedded broker.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/rig/mod.rs"]
mod rig;

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tesla2mqtt::broker::Embedded;
use tesla2mqtt::sim::cloud::Call;

use rig::program::Program;
use rig::world::{World, broker_on};

const ANSWERS: usize = 15;
const RETURNS: usize = 7;
const SETTLED: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    println!("| what | broker | median | least | most | wanted |");
    println!("|---|---|---|---|---|---|");
    let rss = memory().await;
    println!(
        "| RSS of `run`, one car, after {} s | embedded, in another process | {rss:.1} MB | | | <= 10 MB |",
        SETTLED.as_secs()
    );
    for kind in [Kind::Embedded, Kind::Mosquitto] {
        if kind == Kind::Mosquitto && mosquitto().is_none() {
            println!("| (no mosquitto on this machine) | | | | | |");
            continue;
        }
        let mut samples = Vec::new();
        let mut n_values = 0;
        for _ in 0..ANSWERS {
            let (took, n) = answer_to_last_value(kind).await;
            n_values = n;
            samples.push(took);
        }
        row(
            &format!("cloud answer -> last of {n_values} values"),
            kind,
            samples,
            "<= 2 ms",
        );
        let mut samples = Vec::new();
        let mut n_topics = 0;
        for _ in 0..RETURNS {
            let (took, n) = broker_back(kind).await;
            n_topics = n;
            samples.push(took);
        }
        row(
            &format!("broker back without memory -> all {n_topics} topics"),
            kind,
            samples,
            "<= 1 s",
        );
    }
    let size = fs::metadata(env!("CARGO_BIN_EXE_tesla2mqtt")).map_or(0, |file| file.len());
    println!(
        "| release binary | | {:.1} MB | | | <= 12 MB |",
        size as f64 / 1e6
    );
}

fn row(what: &str, kind: Kind, mut samples: Vec<Duration>, wanted: &str) {
    samples.sort();
    let ms = |d: Duration| format!("{:.2} ms", d.as_secs_f64() * 1e3);
    println!(
        "| {what} | {} | {} | {} | {} | {wanted} |",
        kind.name(),
        ms(samples[samples.len() / 2]),
        ms(samples[0]),
        ms(samples[samples.len() - 1]),
    );
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Embedded,
    Mosquitto,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Mosquitto => "mosquitto",
        }
    }
}

fn mosquitto() -> Option<&'static str> {
    [
        "/usr/sbin/mosquitto",
        "/usr/local/sbin/mosquitto",
        "/usr/bin/mosquitto",
    ]
    .into_iter()
    .find(|path| fs::metadata(path).is_ok())
}

/// A broker of either kind that can be ended and begun again without its memory.
enum Broker {
    Embedded(Embedded),
    Mosquitto(Child, u16),
}

impl Broker {
    async fn start(kind: Kind, port: u16) -> Self {
        match kind {
            Kind::Embedded => Self::Embedded(broker_on(port).await),
            Kind::Mosquitto => {
                let port = if port == 0 { free_port() } else { port };
                let child = Command::new(mosquitto().expect("looked for before"))
                    .args(["-p", &port.to_string()])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("mosquitto starts");
                while tokio::net::TcpStream::connect(("127.0.0.1", port))
                    .await
                    .is_err()
                {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Self::Mosquitto(child, port)
            }
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Embedded(embedded) => embedded.addr.port(),
            Self::Mosquitto(_, port) => *port,
        }
    }

    async fn stop(self) {
        match self {
            Self::Embedded(embedded) => embedded.stop().await,
            Self::Mosquitto(mut child, _) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn config(world: &World, port: u16) -> String {
    let config = world.fresh_fleet_config();
    let own = format!("mqtt://127.0.0.1:{}", world.broker.addr.port());
    config.replace(&own, &format!("mqtt://127.0.0.1:{port}"))
}

async fn memory() -> f64 {
    let world = World::new().await;
    world.add_awake_car(1);
    let mut program = Program::prepare();
    program.start(&config(&world, world.broker.addr.port()));
    tokio::time::sleep(SETTLED).await;
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        .unwrap_or(f64::NAN);
    kilobytes * 1024.0 / 1e6
}

/// From the moment that the cloud has handled the data call until the last value of the burst
/// that follows has arrived at a subscriber.
async fn answer_to_last_value(kind: Kind) -> (Duration, usize) {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let broker = Broker::start(kind, 0).await;
    let (_client, mut events) =
        subscribe(broker.port(), &format!("tesla2mqtt/{}/#", vin.as_str())).await;
    let mut program = Program::prepare();
    program.start(&config(&world, broker.port()));
    let (mut answered, mut last, mut n_values) = (None, None, 0);
    loop {
        let arrived = tokio::time::timeout(Duration::from_micros(100), events.poll()).await;
        if answered.is_none() && world.cloud.ledger().answered(Call::Data, 200) > 0 {
            answered = Some(now());
        }
        match (arrived, answered) {
            (Ok(Ok(Event::Incoming(Packet::Publish(_)))), Some(_)) => {
                last = Some(now());
                n_values += 1;
            }
            (Ok(Ok(_)), _) => {}
            (Ok(Err(error)), _) => panic!("the subscriber lost its broker: {error}"),
            (Err(_), Some(answered)) => {
                if let Some(last) = last
                    && now() - last > Duration::from_millis(300)
                    && n_values > 100
                {
                    broker.stop().await;
                    return (last - answered, n_values);
                }
            }
            (Err(_), None) => {}
        }
    }
}

/// From the moment that a broker without memory accepts connections until a subscriber has
/// everything again.
async fn broker_back(kind: Kind) -> (Duration, usize) {
    let world = World::new().await;
    world.add_awake_car(1);
    let broker = Broker::start(kind, 0).await;
    let port = broker.port();
    let mut program = Program::prepare();
    program.start(&config(&world, port));
    let expected = settle(port).await;
    broker.stop().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let broker = Broker::start(kind, port).await;
    let back = now();
    let (_client, mut events) = subscribe(port, "#").await;
    let mut topics = std::collections::BTreeSet::new();
    while topics.len() < expected {
        if let Ok(Event::Incoming(Packet::Publish(publish))) = events.poll().await {
            topics.insert(publish.topic);
        }
    }
    let took = now() - back;
    broker.stop().await;
    (took, expected)
}

/// Waits until nothing more comes; the number of topics.
async fn settle(port: u16) -> usize {
    let (_client, mut events) = subscribe(port, "#").await;
    let mut topics = std::collections::BTreeSet::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(2), events.poll()).await {
            Ok(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                topics.insert(publish.topic);
            }
            Err(_) if topics.len() > 100 => return topics.len(),
            _ => {}
        }
    }
}

async fn subscribe(port: u16, filter: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(format!("numbers-{}", port), "127.0.0.1", port);
    options.set_max_packet_size(Some(1 << 20));
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = AsyncClient::new(options, 16);
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                let _ = client.subscribe(filter, QoS::AtMostOnce).await;
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => break,
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    (client, events)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}
