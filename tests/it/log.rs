//! The log: what a line looks like, and that no secret is in it whoever writes it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pretty_assertions::assert_eq;
use secrecy::SecretString;
use tesla2mqtt::log::{self, Format, LineStyle, LogSettings};

use crate::child;
use crate::rig::program::{CONFIG, Program};
use crate::rig::subscriber::Subscriber;
use crate::rig::world::World;
use crate::rig::{END, SOON};

#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl LogBuffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(format: Format, level: &str) -> LogSettings {
    LogSettings {
        format,
        level: level.to_owned(),
    }
}

/// What is written while `events` runs.
fn written(log: &LogSettings, look: LineStyle, events: impl FnOnce(&log::Control)) -> String {
    let memory = LogBuffer::default();
    let writer = memory.clone();
    let (subscriber, control) = log::subscriber(log, look, move || writer.clone());
    tracing::subscriber::with_default(subscriber, || events(&control));
    memory.text()
}

const JOURNAL: LineStyle = LineStyle {
    journal: true,
    color: false,
};

#[test]
fn a_line_for_people_begins_with_the_time_to_the_second_in_utc() {
    let text = written(
        &settings(Format::Text, "info"),
        LineStyle::default(),
        |_| {
            tracing::info!(target: "tesla2mqtt::policy", state = "asleep", "car state changed");
        },
    );
    let (time, rest) = text.split_once(' ').unwrap();
    assert_eq!(time.len(), "2026-11-23T12:00:00Z".len());
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert_eq!(
        rest,
        " INFO tesla2mqtt::policy: car state changed state=\"asleep\"\n"
    );
}

#[test]
fn a_line_for_the_journal_begins_with_its_priority_and_has_no_time() {
    let text = written(&settings(Format::Text, "trace"), JOURNAL, |_| {
        tracing::error!(target: "tesla2mqtt", "one\ntwo");
        tracing::warn!(target: "tesla2mqtt", "three");
        tracing::info!(target: "tesla2mqtt", "four");
        tracing::trace!(target: "tesla2mqtt", "five");
    });
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("<3>tesla2mqtt: one"), "{}", lines[0]);
    assert!(lines.iter().all(|line| line.starts_with('<')), "{text}");
    assert!(
        text.ends_with("<4>tesla2mqtt: three\n<6>tesla2mqtt: four\n<7>tesla2mqtt: five\n"),
        "{text}"
    );
}

#[test]
fn a_line_for_programs_is_one_json_object() {
    let text = written(
        &settings(Format::Json, "info"),
        LineStyle::default(),
        |_| {
            tracing::warn!(target: "tesla2mqtt::mqtt", n = 3, "broker\nunreachable");
        },
    );
    assert_eq!(text.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "broker\nunreachable");
    assert_eq!(line["n"], 3);
}

#[test]
fn levels_can_be_set_by_module_and_changed_while_running() {
    let say = |n: u8| {
        tracing::debug!(target: "tesla2mqtt::policy", "policy {n}");
        tracing::debug!(target: "tesla2mqtt::mqtt", "mqtt {n}");
        tracing::info!(target: "reqwest", "library {n}");
        tracing::warn!(target: "reqwest", "library warning {n}");
    };
    let text = written(
        &settings(Format::Text, "info,tesla2mqtt::policy=debug"),
        JOURNAL,
        |control| {
            say(1);
            control.set_level("debug");
            say(2);
            control.set_level("this is = no level");
            say(3);
            control.set_level("error");
            say(4);
        },
    );
    let heard: Vec<&str> = text
        .lines()
        .map(|line| line.split_once(": ").unwrap().1)
        .collect();
    assert_eq!(
        heard,
        [
            "policy 1",
            "library warning 1",
            "policy 2",
            "mqtt 2",
            "library 2",
            "library warning 2",
            "policy 3",
            "mqtt 3",
            "library 3",
            "library warning 3",
        ]
    );
}

#[test]
fn a_secret_is_hidden_in_every_field_and_format() {
    log::redact_secret(&SecretString::from("a \"very\" secret"));
    for format in [Format::Text, Format::Json] {
        let text = written(&settings(format, "trace"), JOURNAL, |_| {
            let span = tracing::info_span!("login", password = "a \"very\" secret");
            let _entered = span.enter();
            tracing::trace!(body = ?"a \"very\" secret", "sent a \"very\" secret");
        });
        assert!(text.contains("[redacted]"), "{text}");
        assert!(!text.contains("very"), "{text}");
    }
}

const TOKEN: &str = "eyJhbGciOiJub25lIn0.refresh-token-of-the-test";
const PASSWORD: &str = "broker-password-of-the-test";

#[test]
fn no_secret_is_in_what_http_and_mqtt_write_at_trace() {
    let output = child::command("log::child_login_at_trace")
        .output()
        .unwrap();
    let (stdout, stderr) = child::texts(&output);
    assert!(output.status.success(), "{stdout}{stderr}");
    // The libraries did speak, so that the search below has something to find.
    for library in ["hyper", "rumqttc", "told the broker"] {
        assert!(stdout.contains(library), "{library} is silent:\n{stdout}");
    }
    for secret in [TOKEN, PASSWORD] {
        assert!(!stdout.contains(secret) && !stderr.contains(secret));
    }
}

#[tokio::test]
#[ignore = "a child process of another test"]
async fn child_login_at_trace() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _log = log::start(&settings(Format::Text, "trace"));
    log::redact_secret(&SecretString::from(PASSWORD));
    log::redact_rotating_secret(&SecretString::from(TOKEN));

    let tesla = wiremock::MockServer::start().await;
    let client = reqwest::Client::new();
    let form = [("grant_type", "refresh_token"), ("refresh_token", TOKEN)];
    let request = client.post(tesla.uri()).form(&form).bearer_auth(TOKEN);
    let _ = request.send().await.unwrap().text().await;
    let _ = client
        .get(format!("{}/?token={TOKEN}", tesla.uri()))
        .send()
        .await;

    let broker = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = broker.local_addr().unwrap().port();
    let mut options = rumqttc::v5::MqttOptions::new("test", "127.0.0.1", port);
    options.set_credentials("user", PASSWORD);
    options.set_keep_alive(Duration::from_secs(5));
    tracing::trace!(?options, "told the broker");
    let (client, mut events) = rumqttc::v5::AsyncClient::new(options, 8);
    client
        .try_publish("t", rumqttc::v5::mqttbytes::QoS::AtLeastOnce, true, TOKEN)
        .unwrap();
    let answer = async {
        let (mut socket, _) = broker.accept().await.unwrap();
        let mut bytes = [0; 1024];
        let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut bytes).await;
        // CONNACK, session not present, success, no properties.
        tokio::io::AsyncWriteExt::write_all(&mut socket, &[0x20, 3, 0, 0, 0])
            .await
            .unwrap();
        let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut bytes).await;
    };
    let poll = async {
        while let Ok(event) = events.poll().await {
            tracing::trace!(?event);
        }
    };
    let _ =
        tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(answer, poll) }).await;
}

#[test]
fn a_panic_is_one_error_line_without_a_secret() {
    let output = child::command("log::child_panics_in_a_task")
        .output()
        .unwrap();
    let (stdout, stderr) = child::texts(&output);
    let lines: Vec<&str> = stdout
        .lines()
        .filter(|line| line.contains("panic:"))
        .collect();
    assert_eq!(lines.len(), 1, "{stdout}");
    let line = lines[0];
    assert!(
        line.contains("ERROR") && line.contains("bug: panic: token [redacted] is odd"),
        "{line}"
    );
    assert!(
        line.contains("task=") && line.contains("tests/it/log.rs"),
        "{line}"
    );
    assert!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN));
}

#[tokio::test]
#[ignore = "a child process of another test"]
async fn child_panics_in_a_task() {
    let _log = log::start(&settings(Format::Text, "info"));
    log::report_panics();
    log::redact_rotating_secret(&SecretString::from(TOKEN));
    let task = tokio::spawn(async { panic!("token {TOKEN}\nis odd") });
    assert!(task.await.unwrap_err().is_panic());
}

#[test]
fn a_closed_pipe_does_not_end_the_process() {
    let mut command = child::command("log::child_writes_to_a_closed_pipe");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines
        .find(|line| line.as_ref().unwrap().contains("waiting"))
        .unwrap()
        .unwrap();
    drop(lines);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
#[ignore = "a child process of another test"]
fn child_writes_to_a_closed_pipe() {
    let log = log::start(&settings(Format::Text, "info"));
    // Also one of the thread that writes.
    std::panic::set_hook(Box::new(|_| std::process::exit(43)));
    println!("waiting");
    let _ = io::stdin().read_line(&mut String::new());
    for n in 0..1000 {
        tracing::error!(n, "still here");
    }
    // Waits until they are written, or cannot be.
    drop(log);
    std::process::exit(42);
}

#[test]
fn only_the_stream_that_the_journal_named_gets_its_priorities() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let stream = || OwnedFd::from(theirs.try_clone().unwrap());
    let metadata = File::from(stream()).metadata().unwrap();
    let named = format!("{}:{}", metadata.dev(), metadata.ino());
    // The others are inherited, by what a service or a desktop session starts.
    for (variable, is_journal) in [(named.as_str(), true), ("9:12345", false), ("", false)] {
        let status = child::command("log::child_says_where_it_thinks_it_is")
            .env("JOURNAL_STREAM", variable)
            .stdout(stream())
            .status();
        assert!(status.unwrap().success());
        let mut bytes = [0; 4096];
        let n = ours.read(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..n]);
        let line = text.lines().find(|line| line.contains("one line")).unwrap();
        let has_priority = line == "<6>it: one line";
        let has_time = line.ends_with("Z  INFO it: one line");
        assert_eq!(
            (has_priority, has_time),
            (is_journal, !is_journal),
            "{line}"
        );
    }
}

/// A standard output into which nothing more fits, because whoever holds the other end reads nothing.
fn stalled() -> (UnixStream, Stdio) {
    let (reader, writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    for size in [4096, 1] {
        while (&writer).write(&vec![b'.'; size]).is_ok() {}
    }
    writer.set_nonblocking(false).unwrap();
    (reader, OwnedFd::from(writer).into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_pauses_holds_up_neither_the_cars_nor_the_end() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let (_reader, stdout) = stalled();
    let mut program = Program::prepare();
    let config = format!("{}[log]\nlevel = \"trace\"\n", world.fresh_fleet_config());
    program.write(CONFIG, &config);
    program.start_to(&["run", "--config", CONFIG], &[], stdout);
    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber.wait_for(&state, "online", SOON).await;
    let ended = program.terminate(END).await;
    assert!(ended.success(), "{ended}");
    let state = "tesla2mqtt/bridge/state";
    subscriber.wait_for(state, "offline", SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_pauses_does_not_hold_up_a_demo() {
    let world = World::new().await;
    let port = world.broker.addr.port();
    let subscriber = Subscriber::to(port, "#");
    let (_reader, stdout) = stalled();
    let mut program = Program::prepare();
    let broker = format!("mqtt://127.0.0.1:{port}");
    let arguments = ["demo", "--log", "trace", "--broker", &broker];
    program.start_to(&arguments, &[], stdout);
    let state = "tesla2mqtt-demo/bridge/state";
    subscriber.wait_for(state, "online", SOON).await;
    // Two looks at the broker, to take away what was published, come on top.
    let ended = program.terminate(END).await;
    assert!(ended.success(), "{ended}");
}

const N_LINES: usize = 5_000;

#[test]
fn lines_that_a_reader_was_too_slow_for_are_counted_and_the_others_are_whole() {
    let mut command = child::command("log::child_says_more_than_is_read");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let has_said = said.any(|line| line.unwrap().contains("all is said"));
    assert!(has_said);
    let (mut n_read, mut n_lost) = (0, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, n)) = line.split_once("lines were lost lines=") {
            n_lost += n.parse::<usize>().unwrap();
            drop(child.stdin.take());
        } else if line.contains("INFO") {
            assert!(
                line.ends_with("of a hundred bytes, or about that"),
                "{line}"
            );
            n_read += 1;
        }
    }
    assert!(child.wait().unwrap().success());
    assert_ne!(n_lost, 0);
    assert_eq!(n_lost + n_read, N_LINES, "{n_read} read");
}

#[test]
#[ignore = "a child process of another test"]
fn child_says_where_it_thinks_it_is() {
    let _control = log::start(&settings(Format::Text, "it=info"));
    println!();
    tracing::info!(target: "it", "one line");
}

#[test]
#[ignore = "a child process of another test"]
fn child_says_more_than_is_read() {
    let _log = log::start(&settings(Format::Text, "info"));
    for n in 0..N_LINES {
        tracing::info!(target: "tesla2mqtt", "{n:04}{} of a hundred bytes, or about that", "-".repeat(30));
    }
    eprintln!("all is said");
    let _ = io::stdin().read_line(&mut String::new());
}
