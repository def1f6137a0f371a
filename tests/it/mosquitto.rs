//! The whole binary with a real Mosquitto: MQTT 5 and 3.1.1, password, TLS with a client
//! certificate, the retained set as a fresh subscriber finds it, kill -9, and a broker that stands
//! still.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tesla2mqtt::catalogue;
use tesla2mqtt::clock;
use tesla2mqtt::decode;
use tesla2mqtt::decode::vehicle_data::ENDPOINTS;
use tesla2mqtt::discovery::{self, EntityPrefixes, Setup};
use tesla2mqtt::model::{DeviceId, Observation, Signal, Source, Value, Vehicle, Vin};
use tesla2mqtt::outbox::Publish;
use tesla2mqtt::sim::cloud::Login;
use tesla2mqtt::topics::{CarTopics, Paths};
use tesla2mqtt::trips::{Tariff, Trips};

use crate::published::play_each_recording;
use crate::rig::ports::free_port;
use crate::rig::program::Program;
use crate::rig::subscriber::{Subscriber, Topics};
use crate::rig::tls::Ca;
use crate::rig::world::{ACCOUNT, World, config_for};
use crate::rig::{END, SOON, deadline, eventually, left};

const USER: &str = "bridge";
const PASSWORD: &str = "a password / with + signs # and \u{fc}";

/// A broker with a plain and a TLS listener, a password for both, and no memory on disk.
struct Mosquitto {
    folder: TempDir,
    port: u16,
    tls_port: u16,
    process: Option<Child>,
}

impl Mosquitto {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let ca = Ca::new("household");
        let (server, client) = (ca.signed("localhost"), ca.signed("tesla2mqtt"));
        for (name, text) in [
            ("ca.pem", &ca.pem),
            ("server.pem", &server.pem),
            ("server.key", &server.key),
            ("client.pem", &client.pem),
            ("client.key", &client.key),
        ] {
            write_private(&path(name), text);
        }
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(path("passwords"))
            .args([USER, PASSWORD])
            .output();
        assert!(made.expect("mosquitto_passwd").status.success());
        let (port, tls_port) = (free_port(), free_port());
        let of = |name: &str| path(name).display().to_string();
        let config = format!(
            "user root\npersistence false\nallow_anonymous false\npassword_file {}\n\
             max_queued_messages 0\n\
             listener {port} 127.0.0.1\n\
             listener {tls_port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\n\
             require_certificate true\n",
            of("passwords"),
            of("ca.pem"),
            of("server.pem"),
            of("server.key"),
        );
        write_private(&path("mosquitto.conf"), &config);
        let mut broker = Self {
            folder,
            port,
            tls_port,
            process: None,
        };
        broker.begin();
        broker
    }

    fn begin(&mut self) {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap_or("mosquitto");
        let process = Command::new(program)
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts; .ci/run installs it");
        self.process = Some(process);
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.process.as_ref().expect("running").id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("kill").success());
    }

    fn subscriber(&self) -> Subscriber {
        Subscriber::with_login(self.port, "#", Some((USER, PASSWORD)))
    }

    /// `[mqtt]` lines for the way in.
    fn config(&self, accounts: &str, protocol: u8, tls: bool) -> String {
        let mut mqtt = format!(
            "[mqtt]\nusername = \"{USER}\"\npassword = \"{PASSWORD}\"\nprotocol = {protocol}\n"
        );
        let mut config = config_for(self.port, accounts);
        if tls {
            for (key, name) in [
                ("ca_file", "ca.pem"),
                ("client_cert_file", "client.pem"),
                ("client_key_file", "client.key"),
            ] {
                let file = self.folder.path().join(name);
                let _ = writeln!(mqtt, "{key} = \"{}\"", file.display());
            }
            let (plain, safe) = (
                format!("mqtt://127.0.0.1:{}", self.port),
                format!("mqtts://localhost:{}", self.tls_port),
            );
            config = config.replace(&plain, &safe);
        }
        config.replace("[mqtt]\n", &mqtt)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("a file");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("chmod");
}

/// Topics whose payload depends on the moment.
const OF_THE_MOMENT: &[&str] = &[
    "awake_today",
    "data_calls_today",
    "last_update",
    "light_calls_today",
    "next_poll",
    "polling_interval",
    "polling_reason",
    "snapshot",
    "state_since",
];

/// What the catalogue says of the car's present data, fetched past the bridge.
async fn expected(world: &World, vin: &Vin) -> Topics {
    let (_, access) = world.cloud.issue_tokens("second", Login::Fleet);
    let url = format!(
        "{}/api/1/vehicles/{}/vehicle_data?endpoints={}",
        world.cloud.url(),
        vin.as_str(),
        ENDPOINTS.join("%3B"),
    );
    let client = reqwest::Client::new();
    let answer = client.get(url).bearer_auth(access).send().await.unwrap();
    let body = answer.error_for_status().unwrap().bytes().await.unwrap();
    let now = clock::now();
    let mut car = Vehicle::new(vin.clone());
    let data = decode::vehicle_data::vehicle_data(&body, now).unwrap();
    for seen in &data.observations {
        car.apply(seen);
    }
    let mut trips = Trips::default();
    trips.note(&car, &Tariff::default());
    car.apply(&trips.observation(now.wall));
    let text = |path: &str, word: &str| (Signal::new(path), Some(Value::Text(word.to_owned())));
    let whole = |path: &str| (Signal::new(path), Some(Value::Int(now.wall.as_second())));
    car.apply(&Observation {
        source: Source::Bridge,
        at: now.wall,
        whole_groups: Vec::new(),
        signals: vec![
            text("bridge.state", "online"),
            text("bridge.holds", "none"),
            text("bridge.belief", "none"),
            whole("bridge.state_since"),
            whole("bridge.next_poll"),
            whole("bridge.polling_interval"),
            whole("bridge.last_update"),
            (Signal::new("bridge.healthy"), Some(Value::Bool(true))),
        ],
    });
    let paths = Paths::new("tesla2mqtt", &DeviceId::from(vin), None);
    let mut topics = Topics::new();
    let mut said = CarTopics::new(paths.clone());
    for message in said.changed(&car) {
        if let Publish::State { topic, payload } = message {
            topics.insert(topic, payload.to_string());
        }
    }
    topics.insert(paths.availability(), "online".to_owned());
    for row in catalogue::BRIDGE_ENTITIES {
        let payload = match row.entity.key {
            "cars" => "1",
            "last_error" => "none",
            "version" => env!("CARGO_PKG_VERSION"),
            _ => "",
        };
        topics.insert(
            format!("tesla2mqtt/bridge/{}", row.entity.key),
            payload.to_owned(),
        );
    }
    for of in catalogue::ACCOUNT_ENTITIES {
        let key = of.entity.key;
        topics.insert(
            format!("tesla2mqtt/bridge/accounts/{ACCOUNT}/{key}"),
            String::new(),
        );
    }
    topics.insert("tesla2mqtt/bridge/info".to_owned(), String::new());
    topics.insert("tesla2mqtt/bridge/state".to_owned(), "online".to_owned());
    let setup = Setup {
        prefix: "homeassistant".to_owned(),
        base: "tesla2mqtt".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commands: false,
        entity_prefixes: EntityPrefixes::default(),
    };
    for message in [
        discovery::car(&car, &paths, &setup),
        discovery::bridge(&setup, &["home"]),
    ] {
        let payload = message.payload(&BTreeMap::new());
        topics.insert(message.topic, payload);
    }
    topics
}

/// What is wrong with the retained set; empty: nothing.
fn differences(expected: &Topics, found: &Topics) -> Vec<String> {
    let mut wrong = Vec::new();
    for (topic, payload) in expected {
        let key = topic.rsplit('/').next().unwrap_or_default();
        match found.get(topic) {
            None => wrong.push(format!("missing: {topic}")),
            Some(_) if payload.is_empty() || OF_THE_MOMENT.contains(&key) => {}
            Some(there) if timeless(there) == timeless(payload) => {}
            Some(there) => wrong.push(format!("{topic}: {there}, expected {payload}")),
        }
    }
    for topic in found.keys().filter(|topic| !expected.contains_key(*topic)) {
        wrong.push(format!("too much: {topic}"));
    }
    wrong
}

/// Without the time of the fix: the bridge asked at another moment than the test.
fn timeless(payload: &str) -> String {
    let Ok(serde_json::Value::Object(mut place)) = serde_json::from_str(payload) else {
        return payload.to_owned();
    };
    place.remove("gps_as_of");
    serde_json::Value::Object(place).to_string()
}

/// Waits until a fresh subscriber would find exactly what it should.
async fn is_whole(broker: &Mosquitto, expected: &Topics, program: &Program) {
    let watcher = broker.subscriber();
    let end = deadline(SOON);
    while !differences(expected, &watcher.topics()).is_empty() {
        assert!(
            !left(end).is_zero(),
            "{:#?}\n{}",
            differences(expected, &watcher.topics()),
            program.log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The watcher may have seen what was not retained.
    let fresh = broker.subscriber();
    eventually("the retained set", SOON, || {
        differences(expected, &fresh.topics()).is_empty()
    })
    .await;
    let messages = fresh.messages();
    let retained = messages.iter().filter(|(_, _, retain)| *retain).count();
    assert!(
        retained >= expected.len(),
        "{retained} of {}",
        expected.len()
    );
}

/// A cloud with a car that is on two accounts, so that the test can look past the bridge.
async fn world() -> (World, Vin) {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    world.add_awake_car_of("second", 1);
    (world, vin)
}

async fn publishes_everything(protocol: u8, tls: bool) {
    let (world, vin) = world().await;
    let broker = Mosquitto::start();
    let accounts = world.fresh_fleet_account(ACCOUNT);
    let mut program = Program::prepare();
    program.start(&broker.config(&accounts, protocol, tls));
    let expected = expected(&world, &vin).await;
    assert!(expected.len() > 130, "{}", expected.len());
    is_whole(&broker, &expected, &program).await;
    assert!(program.terminate(END).await.success());
    let fresh = broker.subscriber();
    fresh
        .wait_for("tesla2mqtt/bridge/state", "offline", SOON)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: .ci/run installs it"]
async fn mosquitto_has_the_expected_retained_set_with_mqtt_5_and_a_password() {
    publishes_everything(5, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: .ci/run installs it"]
async fn mosquitto_has_the_expected_retained_set_with_mqtt_3_1_1_and_a_password() {
    publishes_everything(4, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: .ci/run installs it"]
async fn mosquitto_has_the_expected_retained_set_with_mqtt_5_and_a_client_certificate() {
    publishes_everything(5, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: .ci/run installs it"]
async fn mosquitto_has_the_expected_retained_set_with_mqtt_3_1_1_and_a_client_certificate() {
    publishes_everything(4, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: .ci/run installs it"]
async fn mosquitto_has_each_recorded_car_as_its_reviewed_table_says() {
    let broker = Mosquitto::start();
    let config = |config: String| {
        let accounts = config.split_once("[[accounts]]").expect("an account").1;
        broker.config(&format!("[[accounts]]{accounts}"), 5, false)
    };
    play_each_recording(config, |_| broker.subscriber()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: .ci/run installs it"]
async fn mosquitto_that_was_killed_and_lost_everything_has_it_back() {
    for (protocol, tls) in [(5, false), (4, false), (5, true)] {
        let (world, vin) = world().await;
        let mut broker = Mosquitto::start();
        let accounts = world.fresh_fleet_account(ACCOUNT);
        let mut program = Program::prepare();
        program.start(&broker.config(&accounts, protocol, tls));
        let expected = expected(&world, &vin).await;
        is_whole(&broker, &expected, &program).await;

        broker.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        broker.begin();
        let subscriber = broker.subscriber();
        eventually("the connection", SOON, || !subscriber.topics().is_empty()).await;
        let what = format!("every topic, version {protocol}, TLS {tls}");
        eventually(&what, SOON, || {
            differences(&expected, &subscriber.topics()).is_empty()
        })
        .await;
        assert!(program.terminate(END).await.success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: .ci/run installs it"]
async fn mosquitto_that_stands_still_does_not_hold_up_the_end() {
    let (world, vin) = world().await;
    let broker = Mosquitto::start();
    let accounts = world.fresh_fleet_account(ACCOUNT);
    let mut program = Program::prepare();
    program.start(&broker.config(&accounts, 5, false));
    is_whole(&broker, &expected(&world, &vin).await, &program).await;
    broker.signal("STOP");
    let ended = program.terminate(END).await;
    broker.signal("CONT");
    assert!(ended.success());
}
