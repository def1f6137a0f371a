//! The real binary as a process: how it ends, what it leaves behind, what the service manager
//! hears, and what the other subcommands say.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault};
use tokio::net::TcpListener;

use crate::rig::ports::free_port;
use crate::rig::program::{CONFIG, Program};
use crate::rig::subscriber::{Subscriber, Topics, retained};
use crate::rig::world::{World, broker_on, config_for};
use crate::rig::{END, SOON, deadline, eventually, left};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_and_sigint_say_offline_and_leave_private_files() {
    for signal in ["TERM", "INT"] {
        let world = World::new().await;
        let vin = world.add_awake_car(1);
        let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
        let mut program = Program::prepare();
        program.start(&world.fresh_fleet_config());
        let state = format!("tesla2mqtt/{}/state", vin.as_str());
        subscriber.wait_for(&state, "online", SOON).await;
        subscriber
            .wait_for("tesla2mqtt/bridge/state", "online", SOON)
            .await;

        program.signal(signal);
        assert!(program.ended(END).await.success(), "{}", program.log());
        subscriber
            .wait_for("tesla2mqtt/bridge/state", "offline", END)
            .await;
        let fresh = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
        fresh
            .wait_for("tesla2mqtt/bridge/state", "offline", SOON)
            .await;
        // The car keeps its last values: only the bridge is away.
        fresh.wait_for(&state, "online", SOON).await;

        let kept = files_below(&program.state_directory());
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        for expected in [vin.as_str(), "ledger-home.json"] {
            let is_there = names.iter().any(|name| name.contains(expected));
            assert!(is_there, "{expected} in {names:?}");
        }
        for (name, mode) in &kept {
            assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
        }
    }
}

/// Every file and folder below, and the folder itself, with its mode.
fn files_below(folder: &Path) -> Vec<(String, u32)> {
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let mut found = vec![(folder.display().to_string(), mode(folder))];
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push((path.display().to_string(), mode(&path)));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_hang_do_not_hold_up_the_end() {
    for call in [
        CallKind::Token,
        CallKind::Products,
        CallKind::Light,
        CallKind::Data,
    ] {
        let world = World::new().await;
        world.add_awake_car(1);
        world.cloud.fail_next(100, &Aim::at(&[call]), &Fault::Hang);
        // The list says "online", so that a hanging list is the only way to see a light call.
        if call == CallKind::Light {
            world.cloud.fail_next(
                100,
                &Aim::at(&[CallKind::Data]),
                &Fault::status(408, "offline"),
            );
        }
        let mut program = Program::prepare();
        program.start(&world.fresh_fleet_config());
        world.until_asked(call, SOON).await;
        assert!(program.terminate(END).await.success(), "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_or_silent_does_not_hold_up_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ports = [free_port(), silent.local_addr().unwrap().port()];
    for port in ports {
        let world = World::new().await;
        world.add_awake_car(1);
        let account = world.fresh_fleet_account("home");
        let mut program = Program::prepare();
        program.start(&config_for(port, &account));
        world.until_asked(CallKind::Data, SOON).await;
        assert!(program.terminate(END).await.success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_will_says_offline_for_a_bridge_that_was_killed() {
    let world = World::new().await;
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    subscriber
        .wait_for("tesla2mqtt/bridge/state", "online", SOON)
        .await;
    program.kill();
    subscriber
        .wait_for("tesla2mqtt/bridge/state", "offline", SOON)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_the_values_of_a_car_that_fell_asleep_and_costs_no_data_call() {
    let mut world = World::new().await;
    let vin = world.add_parked_car(1);
    let port = world.broker.addr.port();
    let config = world.fresh_fleet_config();
    let topic = |key: &str| format!("tesla2mqtt/{}/{key}", vin.as_str());
    let mut program = Program::prepare();
    let before = {
        let subscriber = Subscriber::to(port, "#");
        program.start(&config);
        subscriber.wait_for(&topic("state"), "online", SOON).await;
        eventually("values and discovery", SOON, || {
            let topics = subscriber.topics();
            topics.contains_key(&topic("battery_level"))
                && topics.keys().any(|topic| {
                    topic.starts_with("homeassistant/") && topic.contains(vin.as_str())
                })
        })
        .await;
        assert!(program.terminate(END).await.success());
        subscriber.topics()
    };

    // The broker forgets, the car falls asleep: what comes now is the bridge's own memory.
    world.broker.stop().await;
    world.broker = broker_on(port).await;
    world.cloud.advance(Duration::from_hours(1));
    let n_before = world.calls(&vin).len();
    let subscriber = Subscriber::to(port, "#");
    program.start(&config);
    subscriber.wait_for(&topic("state"), "asleep", SOON).await;
    subscriber
        .wait_for(&topic("availability"), "online", SOON)
        .await;
    eventually("every topic is back", SOON, || {
        let now = subscriber.topics();
        before.keys().all(|topic| now.contains_key(topic))
    })
    .await;
    let after = subscriber.topics();
    for key in [
        "battery_level",
        "odometer",
        "last_update",
        "version",
        "lock",
        "location",
    ] {
        assert_eq!(after.get(&topic(key)), before.get(&topic(key)), "{key}");
        assert!(after.contains_key(&topic(key)), "{key}");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let calls = world.calls(&vin);
    let since: Vec<CallKind> = calls[n_before..]
        .iter()
        .map(|request| request.call)
        .collect();
    assert!(since.len() <= 1, "{since:?}");
    assert!(!since.contains(&CallKind::Data), "{since:?}");
    assert_eq!(world.cloud.ledger().wakes(), 0);
}

/// A service manager's socket; keeps what it is told.
struct Manager {
    path: String,
    told: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    fn listen(program: &Program) -> Self {
        let path = program.path("notify").display().to_string();
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a timeout");
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::downgrade(&told);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Some(told) = kept.upgrade() {
                if let Ok(n) = socket.recv(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..n]).trim().to_owned();
                    told.lock().expect("unpoisoned").push(text);
                }
            }
        });
        Self { path, told }
    }

    fn notes(&self) -> Vec<String> {
        self.told.lock().expect("unpoisoned").clone()
    }

    fn heard(&self, words: &str) -> bool {
        self.notes().iter().any(|note| note.contains(words))
    }

    async fn hears(&self, words: &str) {
        eventually(words, SOON, || self.heard(words)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_hears_ready_after_the_broker_and_before_that_why_not() {
    let world = World::new().await;
    let port = free_port();
    let account = world.fresh_fleet_account("home");
    let mut program = Program::prepare();
    let manager = Manager::listen(&program);
    program.start_in(
        &config_for(port, &account),
        &[
            ("NOTIFY_SOCKET", &manager.path),
            ("WATCHDOG_USEC", "30000000"),
        ],
    );
    manager.hears("STATUS=no broker").await;
    assert!(!manager.heard("READY=1"), "{:?}", manager.notes());
    let reason = manager
        .notes()
        .into_iter()
        .find(|note| note.contains("STATUS=no broker"));
    let reason = reason.unwrap();
    assert!(reason.contains(&port.to_string()), "{reason}");
    assert!(reason.contains("cars are followed meanwhile"), "{reason}");

    let _broker = broker_on(port).await;
    manager.hears("READY=1").await;
    manager.hears("STATUS=connected").await;
    manager.hears("WATCHDOG=1").await;
    let n_beats = || {
        let notes = manager.notes();
        notes
            .iter()
            .filter(|note| note.contains("WATCHDOG=1"))
            .count()
    };
    let before = n_beats();
    eventually("another beat", SOON, || n_beats() > before).await;
    assert!(program.terminate(END).await.success());
    manager.hears("STOPPING=1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_ends_with_2_and_names_the_line() {
    let program = Program::prepare();
    program.write(
        CONFIG,
        "[mqtt]\nurl = \"mqtt://localhost\"\nuser = \"me\"\n",
    );
    for arguments in [
        ["run", "--config", CONFIG].as_slice(),
        &["--config", CONFIG],
        &["config", "check", "--config", CONFIG],
        &["clear", "--config", CONFIG],
        &["health", "--config", CONFIG],
    ] {
        let outcome = program.command(arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome:?}");
        let line = format!("{CONFIG}:3: mqtt.user");
        assert!(outcome.stderr.contains(&line), "{arguments:?}: {outcome:?}");
        assert_eq!(outcome.stdout, "", "{arguments:?}");
    }
    let outcome = program.command(&["run", "--config", "missing.toml"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("missing.toml"), "{outcome:?}");
    let outcome = program.command(&["run"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    for path in ["/etc/tesla2mqtt/tesla2mqtt.toml", "config/tesla2mqtt.toml"] {
        assert!(outcome.stderr.contains(path), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_that_cannot_be_made_ends_with_1_and_says_so() {
    let world = World::new().await;
    let program = Program::prepare();
    program.write("state", "a file where the directory should be");
    program.write(CONFIG, &world.fresh_fleet_config());
    let outcome = program.command(&["run", "--config", CONFIG]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("state.directory"), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_bridge_with_one_state_directory_ends_with_1_until_the_first_is_gone() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let config = world.fresh_fleet_config();
    let (mut first, mut second) = (Program::prepare(), Program::prepare());
    let path = first.state_directory();
    let quoted = format!("{:?}", path.display().to_string());
    let same = config.replace("\"state\"", &quoted);
    assert_ne!(same, config);
    first.start(&config);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let availability = format!("tesla2mqtt/{}/availability", vin.as_str());
    subscriber.wait_for(&availability, "online", SOON).await;

    second.start(&same);
    assert_eq!(second.ended(SOON).await.code(), Some(1));
    let log = second.log();
    for expected in [
        path.to_str().unwrap(),
        "another tesla2mqtt runs with it",
        "stop that one",
    ] {
        assert!(log.contains(expected), "{expected} in {log}");
    }
    // It was turned away before it touched anything.
    let ways = subscriber.messages().into_iter();
    let ways = ways.filter(|(topic, ..)| topic == "tesla2mqtt/bridge/state");
    assert_eq!(ways.count(), 1);

    first.kill();
    second.start(&same);
    second.logs("connected to the broker", SOON).await;
    assert!(second.terminate(END).await.success(), "{}", second.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_is_what_config_check_accepts() {
    let program = Program::prepare();
    let example = program.command(&["config", "example"]);
    assert_eq!(example.code, Some(0));
    program.write(CONFIG, &example.stdout);
    let outcome = program.command(&["config", "check", "--config", CONFIG]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stdout.starts_with("configuration ok\n"),
        "{outcome:?}"
    );

    // `config example | head -1` is no reason to panic.
    let mut shell = Command::new("sh")
        .args(["-c", "\"$0\" config example | head -1"])
        .arg(env!("CARGO_BIN_EXE_tesla2mqtt"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(shell.stdin.take());
    let output = tokio::task::block_in_place(|| shell.wait_with_output()).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_subcommand_explains_itself() {
    let program = Program::prepare();
    let top = program.command(&["--help"]);
    assert_eq!(top.code, Some(0));
    for words in ["Exit codes", "wakes a car", "demo"] {
        assert!(top.stdout.contains(words), "{words}: {}", top.stdout);
    }
    for (subcommand, takes_a_file) in [
        ("run", true),
        ("login", true),
        ("estimate", true),
        ("clear", true),
        ("health", true),
        ("demo", false),
        ("config", false),
    ] {
        let listed = format!("  {subcommand} ");
        assert!(top.stdout.contains(&listed), "{subcommand}");
        let help = program.command(&[subcommand, "--help"]);
        assert_eq!(help.code, Some(0), "{subcommand}");
        let offers = help.stdout.contains("--config");
        assert_eq!(offers, takes_a_file, "{subcommand}: {}", help.stdout);
    }
    let check = program.command(&["config", "check", "--help"]);
    assert!(check.stdout.contains("--config"), "{}", check.stdout);
    // It has nothing to do there, and would be believed to have.
    for arguments in [
        ["demo", "--config", CONFIG].as_slice(),
        &["--config", CONFIG, "demo"],
        &["config", "example", "--config", CONFIG],
        &["--config", CONFIG, "config", "example"],
    ] {
        let refused = program.command(arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains("--config"), "{refused:?}");
        assert_eq!(refused.stdout, "", "{arguments:?}");
    }
    let wrong = program.command(&["fly"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("fly"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clear_leaves_nothing_of_ours_and_everything_of_others() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let port = world.broker.addr.port();
    let others = [
        "homeassistant/device/zigbee/config",
        "homeassistant/sensor/tesla2mqtt_1/config",
        "tesla2mqtt2/bridge/state",
        "home/lamp",
    ];
    let subscriber = Subscriber::to(port, "#");
    for topic in others {
        subscriber.publish(topic, "theirs").await;
    }
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    let ours = |topics: Topics| {
        let topics = topics.into_keys();
        topics
            .filter(|topic| !others.contains(&topic.as_str()))
            .collect::<Vec<_>>()
    };
    eventually("values and two discovery messages", SOON, || {
        let topics = ours(subscriber.topics());
        let n_discovery = topics
            .iter()
            .filter(|t| t.starts_with("homeassistant/"))
            .count();
        n_discovery == 2 && topics.contains(&format!("tesla2mqtt/{}/state", vin.as_str()))
    })
    .await;
    let running = program.command(&["clear", "--config", CONFIG]);
    assert_eq!(running.code, Some(1), "{running:?}");
    assert!(
        running.stderr.contains("a bridge is running")
            && running.stderr.contains("stop it and clear again"),
        "{running:?}"
    );

    assert!(program.terminate(END).await.success());
    let n_ours = ours(subscriber.topics()).len();
    let outcome = program.command(&["clear", "--config", CONFIG]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("removed "), "{outcome:?}");
    let left = retained(port).await;
    assert!(others.iter().all(|topic| left.contains_key(*topic)));
    assert_eq!(ours(left), Vec::<String>::new(), "of {n_ours}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_a_living_bridge_from_a_dead_one() {
    let world = World::new().await;
    let config = world.fresh_fleet_config();
    let mut program = Program::prepare();
    program.write(CONFIG, &config);
    let health = |program: &Program| program.command(&["health", "--config", CONFIG]).code;
    assert_eq!(health(&program), Some(1), "before the first run");
    program.start(&config);
    let heartbeat = program.state_directory().join("heartbeat");
    eventually("a heartbeat", SOON, || heartbeat.exists()).await;
    assert_eq!(health(&program), Some(0));
    // A mistake that somebody makes in the file does not touch the bridge, which has read it.
    for broken in [
        config.replace("[mqtt]\n", "[mqtt]\nca_file = \"absent.pem\"\n"),
        config.replace("[mqtt]\n", "[mqtt]\nprotocol = \"\n"),
        config.replace("[[accounts]]", "[[account]]"),
    ] {
        assert_ne!(broken, config);
        program.write(CONFIG, &broken);
        assert_eq!(health(&program), Some(0), "{broken}");
    }
    program.kill();
    fs::remove_file(&heartbeat).unwrap();
    assert_eq!(health(&program), Some(2), "and none can start with it");
    fs::write(&heartbeat, "").unwrap();
    program.write(CONFIG, &config);
    // The last beat of a bridge that was killed two minutes ago.
    let file = fs::File::options().write(true).open(&heartbeat).unwrap();
    let now = fs::metadata(&heartbeat).unwrap().modified().unwrap();
    file.set_modified(now - Duration::from_mins(2)).unwrap();
    assert_eq!(health(&program), Some(1), "after a kill");

    program.start(&config);
    eventually("a new beat", SOON, || health(&program) == Some(0)).await;
    assert!(program.terminate(END).await.success());
    assert_eq!(health(&program), Some(1), "after a clean end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_standard_output_does_not_end_the_bridge() {
    let world = World::new().await;
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let program = Program::prepare();
    program.write(CONFIG, &world.fresh_fleet_config());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tesla2mqtt"))
        .args(["run", "--config", CONFIG])
        .current_dir(program.path("."))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    subscriber
        .wait_for("tesla2mqtt/bridge/state", "online", SOON)
        .await;
    let sent = Command::new("kill").arg(child.id().to_string()).status();
    assert!(sent.unwrap().success());
    let end = deadline(END);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if left(end).is_zero() {
            let _ = child.kill();
            panic!("still running");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_standard_error_changes_no_exit_code() {
    let program = Program::prepare();
    program.write(CONFIG, "[mqtt]\nuser = \"me\"\n");
    for arguments in [
        ["run", "--config", CONFIG].as_slice(),
        &["clear", "--config", CONFIG],
        &["login", "--config", CONFIG],
        &["health", "--config", CONFIG],
        &["config", "check", "--config", CONFIG],
        &["estimate", "--config", CONFIG],
        &["estimate", "--life", "absent"],
    ] {
        let (read, write) = io::pipe().unwrap();
        drop(read);
        let status = Command::new(env!("CARGO_BIN_EXE_tesla2mqtt"))
            .args(arguments)
            .current_dir(program.path("."))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(write)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}
