//! The numbers of the release binary, as a table: `cargo bench --bench numbers`.
//!
//! Memory, the time from a cloud answer to the last of its values, what of it is the first
//! snapshot's own work, the time until every topic is back after a broker lost its memory, and the
//! time from SIGTERM to the end.
//! Cloud and embedded broker run in this process, the bridge in its own. With a real mosquitto on
//! the machine it stands beside the embedded broker.
//!
//! An answer's last value has three rows. "At the broker's socket" is what was promised: from the
//! cloud handing the answer out until the last value has passed to the broker, while nobody
//! subscribes. "Acknowledged" is of the same runs, and has no limit: brokers put their last
//! acknowledgements off (mosquitto leaves Nagle's algorithm on, which holds them back for the 40 ms
//! that TCP takes to confirm the ones before). "At a subscriber" has no limit either: what the
//! broker does to pass all values on, and what the subscriber in this process does to read them, is
//! no work of the bridge's, but competes with it for the processor.
//!
//! A missed limit gets a line of its own under the table. What depends on how busy the machine is,
//! or on how its kernel maps files, ends the program with code 1 only when it is far off. Code 4: a
//! row with a limit could not be measured here.

#[path = "numbers/capture.rs"]
mod capture;
#[path = "numbers/end.rs"]
mod end;
#[path = "numbers/measurements.rs"]
mod measurements;
#[path = "numbers/snapshot.rs"]
mod snapshot;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tesla2mqtt::broker::Embedded;
use tesla2mqtt::clock;
use tesla2mqtt::sim::cloud::CallKind;

use capture::Capture;
use measurements::{Measurements, MedianLimit};
use tesla2mqtt_testkit::ports::free_port;
use tesla2mqtt_testkit::program::Program;
use tesla2mqtt_testkit::segments;
use tesla2mqtt_testkit::world::{World, broker_on};

const PROGRAMS: usize = 3;
const SNAPSHOTS: usize = 41;
const ANSWERS: usize = 11;
const RETURNS: usize = 5;
const ENDS: usize = 3;
const SETTLED: Duration = Duration::from_mins(1);
/// A burst of values is over when nothing comes for so long.
const QUIET: Duration = Duration::from_millis(300);
/// An answer has more values than this.
const BURST: usize = 100;

const RSS_LIMIT_MB: f64 = 16.0;
const RSS_FAILS_BEYOND_MB: f64 = 18.0;
const PRIVATE_LIMIT_MB: f64 = 3.0;
const PRIVATE_FAILS_BEYOND_MB: f64 = 3.5;
const ANSWER_LIMIT_MS: f64 = 2.0;
const ANSWER_FAILS_BEYOND_MS: f64 = 10.0;
const SNAPSHOT_LIMIT_MS: f64 = 5.0;
const RETURN_LIMIT_MS: f64 = 1000.0;
const END_LIMIT_MS: f64 = 2000.0;
const SIZE_LIMIT_BYTES: u32 = 20_000_000;
const AT_THE_BROKER: &str = "at the broker's socket";

#[tokio::main]
async fn main() -> ExitCode {
    let mut table = Measurements::begin();
    let (private, resident) = memory().await;
    for (what, samples, limit) in [
        (
            "private memory (`RssAnon`)",
            private,
            MedianLimit::lenient(PRIVATE_LIMIT_MB, "MB", PRIVATE_FAILS_BEYOND_MB),
        ),
        (
            "RSS, the program's file pages included,",
            resident,
            MedianLimit::lenient(RSS_LIMIT_MB, "MB", RSS_FAILS_BEYOND_MB),
        ),
    ] {
        let after = SETTLED.as_secs();
        table.row(
            &format!("{what} of `run`, one car, after {after} s"),
            "embedded, in another process",
            samples,
            &limit,
        );
    }
    let (samples, n_packets) = snapshot::first_of_a_car(SNAPSHOTS);
    table.row(
        &format!("first snapshot: decoded answer -> {n_packets} packets to send"),
        "none",
        samples.into_iter().map(ms).collect(),
        &MedianLimit::binding(SNAPSHOT_LIMIT_MS, "ms"),
    );
    for kind in [BrokerKind::Embedded, BrokerKind::Mosquitto] {
        if kind == BrokerKind::Mosquitto && mosquitto().is_none() {
            println!("| (no mosquitto on this machine) | | | | | |");
            continue;
        }
        answers(&mut table, kind).await;
        let mut samples = Vec::new();
        let mut n_topics = 0;
        for _ in 0..RETURNS {
            let (took, n) = broker_back(kind).await;
            n_topics = n;
            samples.push(ms(took));
        }
        table.row(
            &format!("broker back without memory -> all {n_topics} topics"),
            kind.name(),
            samples,
            &MedianLimit::binding(RETURN_LIMIT_MS, "ms"),
        );
    }
    let mut samples = Vec::new();
    for _ in 0..ENDS {
        samples.push(ms(end::while_all_others_hang().await));
    }
    table.row(
        "SIGTERM -> the end, while cloud and broker hang",
        "silent",
        samples,
        &MedianLimit::binding(END_LIMIT_MS, "ms"),
    );
    let binary = fs::metadata(env!("CARGO_BIN_EXE_tesla2mqtt")).expect("the binary is built");
    let size = u32::try_from(binary.len()).unwrap_or(u32::MAX);
    table.row(
        "release binary",
        "",
        vec![f64::from(size)],
        &MedianLimit::binding(f64::from(SIZE_LIMIT_BYTES), "bytes"),
    );
    table.verdict()
}

/// The rows of the answers, sampled in turn.
async fn answers(table: &mut Measurements, kind: BrokerKind) {
    let may_capture = Capture::begin().map(drop);
    let mut at_the_broker = Samples::default();
    let mut acknowledged = Samples::default();
    let mut at_a_subscriber = Samples::default();
    for _ in 0..ANSWERS {
        if may_capture.is_ok() {
            let ((arrived_after, n_values), acknowledged_after) =
                answer_to_last_at_the_broker(kind).await;
            at_the_broker.take((arrived_after, n_values));
            acknowledged.take((acknowledged_after, n_values));
        }
        at_a_subscriber.take(answer_to_last_at_a_subscriber(kind).await);
    }
    if let Err(error) = may_capture {
        let why = format!(
            "packets cannot be captured ({error}): run this as root, or with CAP_NET_RAW and \
             CAP_NET_ADMIN"
        );
        table.leave_out(AT_THE_BROKER, kind.name(), &why);
    } else {
        table.row(
            &at_the_broker.told(AT_THE_BROKER),
            kind.name(),
            at_the_broker.ms,
            &MedianLimit::lenient(ANSWER_LIMIT_MS, "ms", ANSWER_FAILS_BEYOND_MS),
        );
        table.row(
            &acknowledged.told("acknowledged"),
            kind.name(),
            acknowledged.ms,
            &MedianLimit::none("ms"),
        );
    }
    table.row(
        &at_a_subscriber.told("at a subscriber"),
        kind.name(),
        at_a_subscriber.ms,
        &MedianLimit::none("ms"),
    );
}

/// How long each run took.
#[derive(Default)]
struct Samples {
    ms: Vec<f64>,
    /// One number, unless a run was cut short.
    n_values: BTreeSet<usize>,
}

impl Samples {
    fn take(&mut self, (took, n_values): (Duration, usize)) {
        self.ms.push(ms(took));
        self.n_values.insert(n_values);
    }

    fn told(&self, whereto: &str) -> String {
        let n_values: Vec<_> = self.n_values.iter().map(usize::to_string).collect();
        let n_values = n_values.join(" or ");
        format!("cloud answer -> last of {n_values} values {whereto}")
    }
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

#[derive(Clone, Copy, PartialEq)]
enum BrokerKind {
    Embedded,
    Mosquitto,
}

impl BrokerKind {
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
    async fn start(kind: BrokerKind, port: u16) -> Self {
        match kind {
            BrokerKind::Embedded => Self::Embedded(broker_on(port).await),
            BrokerKind::Mosquitto => {
                let port = if port == 0 { free_port() } else { port };
                let child = Command::new(mosquitto().expect("looked for before"))
                    .args(["-p", &port.to_string()])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("mosquitto starts");
                let begun = now();
                while tokio::net::TcpStream::connect(("127.0.0.1", port))
                    .await
                    .is_err()
                {
                    assert!(now() - begun < SETTLED, "mosquitto does not listen");
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

fn config(world: &World, port: u16) -> String {
    let config = world.fresh_fleet_config();
    let own = format!("mqtt://127.0.0.1:{}", world.broker.addr.port());
    config.replace(&own, &format!("mqtt://127.0.0.1:{port}"))
}

/// Each program with a cloud and a broker of its own, so that one wait serves all.
/// Of several programs: `RssAnon` and `VmRSS` in MB.
async fn memory() -> (Vec<f64>, Vec<f64>) {
    let mut running = Vec::new();
    for _ in 0..PROGRAMS {
        let world = World::new().await;
        world.add_awake_car(1);
        let mut program = Program::prepare();
        program.start(&config(&world, world.broker.addr.port()));
        running.push((world, program));
    }
    tokio::time::sleep(SETTLED).await;
    running
        .iter()
        .map(|(world, program)| {
            assert!(
                world.cloud.count(CallKind::Data) > 0,
                "the bridge never asked for the car's data:\n{}",
                program.log()
            );
            let status = fs::read_to_string(format!("/proc/{}/status", program.pid()));
            let status = status.expect("a running program");
            (mb(&status, "RssAnon:"), mb(&status, "VmRSS:"))
        })
        .unzip()
}

fn mb(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    let kilobytes: Option<f64> = number.and_then(|number| number.parse().ok());
    kilobytes.unwrap_or_else(|| panic!("no line {name} with a number")) * 1024.0 / 1e6
}

/// From the moment that the cloud hands the data answer out until the last value of the burst that
/// follows has passed to the broker's socket, and until the last acknowledgement has come back.
/// Nobody subscribes.
async fn answer_to_last_at_the_broker(kind: BrokerKind) -> ((Duration, usize), Duration) {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let broker = Broker::start(kind, 0).await;
    let mut capture = Capture::begin().expect("tried before");
    let mut program = Program::prepare();
    program.start(&config(&world, broker.port()));
    let begun = now();
    let prefix = format!("tesla2mqtt/{}/", vin.as_str());
    let mut n_before = 0;
    let (arrived, acknowledged) = loop {
        is_in_time(begun, &program);
        tokio::time::sleep(QUIET).await;
        let messages = segments::messages(capture.passed(), broker.port(), &prefix);
        let arrived: Vec<_> = messages.iter().map(|message| message.arrived).collect();
        let acknowledged: Option<Vec<_>> = messages
            .iter()
            .map(|message| message.acknowledged)
            .collect();
        if let Some(mut acknowledged) = acknowledged
            && arrived.len() > BURST
            && arrived.len() == n_before
        {
            acknowledged.sort_unstable();
            break (arrived, acknowledged);
        }
        n_before = arrived.len();
    };
    broker.stop().await;
    let (acknowledged_after, _) = since_the_answer(&world, &acknowledged);
    (since_the_answer(&world, &arrived), acknowledged_after)
}

/// The same until the last value has arrived at a subscriber.
async fn answer_to_last_at_a_subscriber(kind: BrokerKind) -> (Duration, usize) {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let broker = Broker::start(kind, 0).await;
    let (_client, mut events) =
        subscribe(broker.port(), &format!("tesla2mqtt/{}/#", vin.as_str())).await;
    let mut program = Program::prepare();
    program.start(&config(&world, broker.port()));
    let mut arrived = Vec::new();
    let begun = now();
    loop {
        match tokio::time::timeout(QUIET, events.poll()).await {
            Ok(Ok(Event::Incoming(Packet::Publish(_)))) => arrived.push(clock::now().wall),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => panic!("the subscriber lost its broker: {error}"),
            Err(_) if arrived.len() > BURST => break,
            Err(_) => is_in_time(begun, &program),
        }
    }
    broker.stop().await;
    since_the_answer(&world, &arrived)
}

fn is_in_time(begun: Instant, program: &Program) {
    assert!(
        now() - begun < SETTLED,
        "not all values, or not all acknowledged, within {SETTLED:?}:\n{}",
        program.log()
    );
}

/// From the cloud's only data answer to the last of these times, and how many are later than it.
fn since_the_answer(world: &World, times: &[Timestamp]) -> (Duration, usize) {
    let ledger = world.cloud.ledger();
    let mut answers = ledger.requests().filter(|r| r.call == CallKind::Data);
    let answer = answers.next().expect("the cloud was asked");
    assert_eq!(
        (answer.status, answers.count()),
        (200, 0),
        "one answer, and a good one"
    );
    let last = *times.last().expect("more than a hundred");
    let n_values = times.iter().filter(|at| **at > answer.answered_at).count();
    let took = last.duration_since(answer.answered_at);
    (took.try_into().expect("not before the answer"), n_values)
}

/// From the moment that a broker without memory accepts connections until a subscriber has
/// everything again.
async fn broker_back(kind: BrokerKind) -> (Duration, usize) {
    let world = World::new().await;
    world.add_awake_car(1);
    let broker = Broker::start(kind, 0).await;
    let port = broker.port();
    let mut program = Program::prepare();
    program.start(&config(&world, port));
    let expected = settle(port, &program).await;
    broker.stop().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let broker = Broker::start(kind, port).await;
    let back = now();
    let (_client, mut events) = subscribe(port, "#").await;
    let mut topics = BTreeSet::new();
    while topics.len() < expected.len() {
        assert!(
            now() - back < SETTLED,
            "not back within {SETTLED:?}: {}\n{}",
            names(expected.difference(&topics)),
            program.log()
        );
        if let Ok(Ok(Event::Incoming(Packet::Publish(publish)))) =
            tokio::time::timeout(QUIET, events.poll()).await
        {
            topics.insert(publish.topic);
        }
    }
    let took = now() - back;
    broker.stop().await;
    (took, expected.len())
}

/// Waits until nothing more comes; the topics.
async fn settle(port: u16, program: &Program) -> BTreeSet<Bytes> {
    let (_client, mut events) = subscribe(port, "#").await;
    let mut topics = BTreeSet::new();
    let begun = now();
    loop {
        assert!(
            now() - begun < SETTLED,
            "no end of values, or not more than {BURST}, within {SETTLED:?}: {}\n{}",
            names(&topics),
            program.log()
        );
        match tokio::time::timeout(Duration::from_secs(2), events.poll()).await {
            Ok(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                topics.insert(publish.topic);
            }
            Err(_) if topics.len() > BURST => return topics,
            _ => {}
        }
    }
}

fn names<'t>(topics: impl IntoIterator<Item = &'t Bytes>) -> String {
    let names = topics
        .into_iter()
        .map(|topic| String::from_utf8_lossy(topic));
    names.collect::<Vec<_>>().join(" ")
}

async fn subscribe(port: u16, filter: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(format!("numbers-{port}"), "127.0.0.1", port);
    options.set_max_packet_size(Some(1 << 20));
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = AsyncClient::new(options, 16);
    let subscribed = async {
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
    };
    let in_time = tokio::time::timeout(SETTLED, subscribed).await;
    in_time.unwrap_or_else(|_| panic!("no subscription to {filter} within {SETTLED:?}"));
    (client, events)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}
