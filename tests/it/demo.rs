//! `tesla2mqtt demo`, as somebody without a car tries it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tesla2mqtt::discovery::{self, EntityPrefixes, Setup};
use tesla2mqtt::model::{Vehicle, Vin};
use tesla2mqtt::sim::CarSpec;
use tesla2mqtt::topics::Paths;
use tokio::net::TcpListener;
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::rig::ports::free_port;
use crate::rig::program::{CONFIG, Program};
use crate::rig::subscriber::{Subscriber, retained};
use crate::rig::world::{broker_on, vin};
use crate::rig::{END, SOON, eventually};

/// MQTT's own port: a demo that brings its own broker takes it where it is free, and gives it back
/// at its end. Who must know whether it is free has it alone.
static MQTT_PORT: RwLock<()> = RwLock::const_new(());

/// A demo that is running, and where its temporary files are.
struct Demo {
    program: Program,
    _port: RwLockReadGuard<'static, ()>,
}

impl Demo {
    async fn start(arguments: &[&str]) -> Self {
        Self::start_in(Program::prepare(), arguments).await
    }

    async fn start_in(mut program: Program, arguments: &[&str]) -> Self {
        let port = MQTT_PORT.read().await;
        let temporary = program.path("tmp");
        fs::create_dir(&temporary).expect("a folder");
        let all = [&["demo"], arguments].concat();
        let temporary = temporary.to_str().expect("UTF-8");
        program.start_with(&all, &[("TMPDIR", temporary)]);
        Self {
            program,
            _port: port,
        }
    }

    /// The port that it says to watch.
    async fn port(&self) -> u16 {
        self.program.logs("Ctrl-C ends it", SOON).await;
        let said = self.program.log();
        let port = said
            .split_once("mosquitto_sub -h 127.0.0.1 -p ")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {said}"))
    }

    async fn end(mut self, signal: &str, limit: Duration) {
        self.program.signal(signal);
        let ended = self.program.ended(limit).await;
        assert!(ended.success(), "{ended}: {}", self.program.log());
        let left = fs::read_dir(self.program.path("tmp")).expect("a folder");
        assert_eq!(left.count(), 0);
    }
}

/// What ends a demo whose terminal is closed, unless these tests run under `nohup`, which it would heed.
fn hangup() -> &'static str {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    match mask {
        Some(mask) if mask & 1 == 1 => "TERM",
        _ => "HUP",
    }
}

fn cars() -> [Vin; 2] {
    [CarSpec::demo_model_3().vin, CarSpec::demo_model_x().vin]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cars_live_at_a_broker_that_anyone_can_watch() {
    // Somebody else has MQTT's port: this test, or a broker of this machine, but no other demo, which
    // would give it back meanwhile.
    let alone = MQTT_PORT.write().await;
    let taken = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            match TcpListener::bind("127.0.0.1:1883").await {
                Ok(ours) => return ours,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    let _taken = taken.await;
    drop(alone);
    let demo = Demo::start(&[]).await;
    let port = demo.port().await;
    assert_ne!(port, 1883);
    let said = demo.program.log();
    let sentence = format!("port 1883 is taken, the demo's broker listens on {port}");
    assert!(said.contains(&sentence), "{said}");
    assert!(said.contains("2 simulated cars, 10 times"), "{said}");

    let subscriber = Subscriber::to(port, "tesla2mqtt/#");
    for vin in cars() {
        let topic = |key: &str| format!("tesla2mqtt/{}/{key}", vin.as_str());
        subscriber.until(&topic("state"), SOON).await;
        subscriber
            .wait_for(&topic("availability"), "online", SOON)
            .await;
    }
    eventually("a drive or a charge", Duration::from_mins(1), || {
        subscriber.messages().iter().any(|(topic, payload, _)| {
            topic.ends_with("/state") && ["driving", "charging"].contains(&payload.as_str())
        })
    })
    .await;
    demo.end("INT", END).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_of_their_rounds_have_plausible_figures() {
    let demo = Demo::start(&["--speed", "300"]).await;
    let subscriber = Subscriber::to(demo.port().await, "tesla2mqtt/+/event/+");
    let figures = |event: &str| {
        let end = format!("/event/{event}");
        let messages = subscriber.messages().into_iter();
        let of_event = messages.filter(move |(topic, ..)| topic.ends_with(&end));
        of_event
            .map(|(_, payload, _)| serde_json::from_str(&payload).expect("JSON"))
            .collect::<Vec<Value>>()
    };
    let efficiency = || {
        let mut drives = figures("drive_finished").into_iter();
        drives.find_map(|drive| drive["efficiency_wh_per_km"].as_f64())
    };
    eventually("a drive after a charge", SOON, || efficiency().is_some()).await;
    let wh_per_km = efficiency().expect("just seen");
    assert!((140.0..=240.0).contains(&wh_per_km), "{wh_per_km}");
    let charge = figures("charge_finished").swap_remove(0);
    let (energy, cost) = (charge["energy_kwh"].as_f64(), charge["cost"].as_f64());
    let price = if charge["charger_type"] == "dc" {
        0.59
    } else {
        0.32
    };
    let expected = energy.expect("energy") * price;
    assert!((cost.expect("a cost") - expected).abs() < 0.01, "{charge}");
    assert_eq!(charge["currency"], "EUR");
    eventually("a door", SOON, || {
        figures("door_opened")
            .iter()
            .any(|door| door["door"] == "door_driver_front")
    })
    .await;
    demo.end("TERM", END).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_on_demand_cost_no_value_and_the_end_tells_what_was_asked() {
    let demo = Demo::start(&["--speed", "300", "--faults", "0.4"]).await;
    let subscriber = Subscriber::to(demo.port().await, "tesla2mqtt/#");
    for vin in cars() {
        let topic = format!("tesla2mqtt/{}/odometer", vin.as_str());
        eventually(&topic, Duration::from_mins(1), || {
            let read = subscriber.get(&topic);
            read.is_some_and(|read| read != "None")
        })
        .await;
    }
    demo.program.signal("INT");
    demo.program.logs("wake calls: 0.", SOON).await;
    let said = demo.program.log();
    assert!(!said.contains("panicked"), "{said}");
    let asked = said.split_once("The simulated Tesla was asked for data ");
    let (_, figures) = asked.unwrap_or_else(|| panic!("no bill in {said}"));
    assert!(!figures.starts_with("0 times"), "{figures}");
    assert!(
        figures.contains(" at its prices), for the cars' state "),
        "{figures}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_faults_out_of_range_is_wrong_usage() {
    for share in ["nan", "-0.1", "1.1", "some", ""] {
        let outcome = Program::prepare().command(&["demo", "--faults", share]);
        assert_eq!(outcome.code, Some(2), "{share:?}: {outcome:?}");
        let expected = "expected a number from 0 (none) to 1 (all)";
        assert!(outcome.stderr.contains(expected), "{share:?}: {outcome:?}");
    }
}

fn recorded(vin: &Vin) -> Value {
    json!({ "response": {
        "vin": vin.as_str(),
        "state": "online",
        "charge_state": { "battery_level": 61, "charging_state": "Disconnected" },
        "vehicle_state": { "locked": true, "vehicle_name": "Recorded" },
    }})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_plays_as_a_third_car() {
    let program = Program::prepare();
    let vin = vin(77);
    program.write("car.json", &recorded(&vin).to_string());
    let demo = Demo::start_in(
        program,
        &["--recording", "car.json", "--recording", "car.json"],
    )
    .await;
    let subscriber = Subscriber::to(demo.port().await, "tesla2mqtt/#");
    let topic = format!("tesla2mqtt/{}/battery_level", vin.as_str());
    subscriber.wait_for(&topic, "61", SOON).await;
    let said = demo.program.log();
    assert!(said.contains("3 simulated cars"), "{said}");
    let twice = format!(
        "--recording car.json: takes the place of another car {}",
        vin.as_str()
    );
    assert_eq!(said.matches(&twice).count(), 1, "{said}");
    demo.end(hangup(), END).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_somebodys_broker_everything_is_as_before_when_it_has_ended() {
    let broker = broker_on(0).await;
    let port = broker.addr.port();
    let subscriber = Subscriber::to(port, "#");
    let others = [
        "homeassistant/device/zigbee/config",
        "tesla2mqtt/bridge/state",
    ];
    for topic in others {
        subscriber.publish(topic, "theirs").await;
    }
    let url = format!("mqtt://127.0.0.1:{port}");
    let program = Program::prepare();

    // The car of a recording is followed by the bridge whose broker this is.
    let theirs = announced(&vin(78), "tesla2mqtt");
    subscriber.publish(&theirs.0, &theirs.1).await;
    subscriber.until(&theirs.0, SOON).await;
    program.write("car.json", &recorded(&vin(78)).to_string());
    let refused = program.command(&["demo", "--broker", &url, "--recording", "car.json"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let sentence = format!("--broker: car {} is announced", vin(78).as_str());
    assert!(refused.stderr.starts_with(&sentence), "{refused:?}");
    assert_eq!(subscriber.get(&theirs.0), Some(theirs.1.clone()));

    // A demo that was killed has left this behind: it is taken up, and away.
    let [car, _] = cars();
    let (topic, announcement) = announced(&car, "tesla2mqtt-demo");
    subscriber.publish(&topic, &announcement).await;
    subscriber.until(&topic, SOON).await;
    let demo = Demo::start(&["--broker", &url]).await;
    for vin in cars() {
        let topic = format!("tesla2mqtt-demo/{}/state", vin.as_str());
        subscriber.until(&topic, SOON).await;
    }
    eventually("three discovery messages", SOON, || {
        let topics = subscriber.topics().into_keys();
        topics.filter(|t| t.starts_with("homeassistant/")).count() == 3 + 2
    })
    .await;

    // Two demos would take each other's cars.
    let second = program.command(&["demo", "--broker", &url]);
    assert_eq!(second.code, Some(1), "{second:?}");
    let sentence = "--broker: another demo or bridge publishes below tesla2mqtt-demo there; end it";
    assert!(second.stderr.starts_with(sentence), "{second:?}");
    let third = program.command(&["demo", "--broker", &url, "--base-topic", "other"]);
    assert_eq!(third.code, Some(1), "{third:?}");
    assert!(
        third
            .stderr
            .contains("is announced to Home Assistant there"),
        "{third:?}"
    );
    demo.end("INT", END).await;

    let left: Vec<String> = retained(port).await.into_keys().collect();
    assert_eq!(left, [&theirs.0, others[0], others[1]]);
}

/// A car's announcement as a bridge with this base topic retains it.
fn announced(vin: &Vin, base: &str) -> (String, String) {
    let setup = Setup {
        prefix: "homeassistant".into(),
        base: base.into(),
        version: "0.1.0".into(),
        commands: false,
        entity_prefixes: EntityPrefixes::default(),
    };
    let car = Vehicle::new(vin.clone());
    let paths = Paths::new(base, &car.id(), None);
    let message = discovery::car(&car, &paths, &setup);
    (message.topic.clone(), message.payload(&BTreeMap::new()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_nohup_started_outlives_its_terminal() {
    let broker = broker_on(0).await;
    let port = broker.addr.port();
    let mut program = Program::prepare();
    let url = format!("mqtt://127.0.0.1:{port}");
    program.start_by("nohup", &["demo", "--broker", &url]);
    let subscriber = Subscriber::to(port, "#");
    let state = "tesla2mqtt-demo/bridge/state";
    subscriber.wait_for(state, "online", SOON).await;
    program.signal("HUP");
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(subscriber.get(state).as_deref(), Some("online"));
    assert!(program.terminate(END).await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_cannot_be_reached_is_said_in_one_sentence() {
    let url = format!("mqtt://127.0.0.1:{}", free_port());
    let outcome = Program::prepare().command(&["demo", "--broker", &url]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.starts_with("--broker: "), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert_eq!(outcome.stdout, "", "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_topic_that_was_named_keeps_what_is_below_it() {
    let broker = broker_on(0).await;
    let url = format!("mqtt://127.0.0.1:{}", broker.addr.port());
    let demo = Demo::start(&["--broker", &url, "--base-topic", "t20"]).await;
    let subscriber = Subscriber::to(broker.addr.port(), "#");
    let state = "t20/bridge/state";
    subscriber.wait_for(state, "online", SOON).await;
    let promise = "`tesla2mqtt clear` removes it, with a configuration that has this broker as \
                   mqtt.url and mqtt.base_topic = \"t20\".";
    demo.program.logs(promise, SOON).await;
    let one = format!("t20/{}/availability", cars()[0].as_str());
    subscriber.wait_for(&one, "online", SOON).await;
    demo.end("INT", END).await;
    let fresh = Subscriber::to(broker.addr.port(), "#");
    fresh.wait_for(state, "offline", SOON).await;

    let program = Program::prepare();
    let config = "[[accounts]]\nname = \"home\"\napi = \"owner\"\n[state]\ndirectory = \"state\"\n";
    let config = format!("[mqtt]\nurl = \"{url}\"\nbase_topic = \"t20\"\n{config}");
    program.write(CONFIG, &config);
    let cleared = program.command(&["clear", "--config", CONFIG]);
    assert_eq!(cleared.code, Some(0), "{cleared:?}");
    eventually("nothing is left", SOON, || fresh.topics().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_played_is_said_in_one_sentence() {
    let program = Program::prepare();
    program.write("nonsense", "not JSON");
    program.write("list.json", r#"{"response": [], "count": 0}"#);
    program.write(
        "light.json",
        r#"{"response": {"vin": "LRW3E7EK5PC000001"}}"#,
    );
    let cases = [
        ("nonsense", "expected a vehicle_data answer in JSON"),
        ("list.json", "not a vehicle_data answer"),
        ("light.json", "not a vehicle_data answer"),
        ("absent", "No such file"),
    ];
    for (file, expected) in cases {
        let outcome = program.command(&["demo", "--recording", file]);
        assert_eq!(outcome.code, Some(2), "{file}: {outcome:?}");
        let start = format!("--recording {file}: ");
        assert!(outcome.stderr.starts_with(&start), "{outcome:?}");
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_speed_out_of_range_is_wrong_usage() {
    for speed in ["nan", "inf", "0", "0.5", "-1", "3600.1", "fast", ""] {
        let outcome = Program::prepare().command(&["demo", "--speed", speed]);
        assert_eq!(outcome.code, Some(2), "{speed:?}: {outcome:?}");
        let expected = "expected a number from 1 (as fast as the world) to 3600";
        assert!(outcome.stderr.contains(expected), "{speed:?}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_option_is_named_and_not_a_file_that_nobody_has() {
    let cases = [
        (
            "--broker",
            "nonsense",
            "--broker = \"nonsense\": expected \"mqtt://host:1883\"",
        ),
        (
            "--broker",
            "mqtt://u:hunter2@h",
            "--broker: expected no user or password",
        ),
        (
            "--base-topic",
            "a/#",
            "--base-topic = \"a/#\": expected no wildcard",
        ),
        (
            "--log",
            "bogus",
            "--log = \"bogus\": expected levels such as",
        ),
    ];
    for (option, text, expected) in cases {
        let outcome = Program::prepare().command(&["demo", option, text]);
        assert_eq!(outcome.code, Some(2), "{option}: {outcome:?}");
        assert!(outcome.stderr.starts_with(expected), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        assert_eq!(outcome.stdout, "", "{option}");
    }
}
