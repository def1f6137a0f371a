//! Runs one test of this binary as a process of its own, for what is one per process: the global
//! log, the panic hook, signals, the service manager's socket, the speed of the clocks. A test that
//! is only such a child is marked `#[ignore]` and named `child_…`; one that is nothing but a story
//! at a speed of its own is parent and child in one ([`at_speed`]).

use std::env;
use std::process::{Command, Output, Stdio};

use tesla2mqtt::clock;

/// Tells a test that it is the child.
const CHILD: &str = "A_PROCESS_OF_ITS_OWN";

/// Plays the story with clocks that run so many times as fast as the world: the test that calls
/// this is run once more as a child process, and only there the story is played. What the child
/// said, in the test that started it.
///
/// # Panics
/// If the child does not end well, with all that it said.
#[track_caller]
pub fn at_speed<Story: AsyncFnOnce()>(speed: f64, story: Story) -> Option<String> {
    test_at_speed(test_of::<Story>(), speed, story)
}

/// The same for a story that is told by others than the test of this name itself.
#[track_caller]
pub fn test_at_speed(test: &str, speed: f64, story: impl AsyncFnOnce()) -> Option<String> {
    if env::var_os(CHILD).is_none() {
        return Some(in_a_process_of_its_own(test));
    }
    clock::run_at_speed(speed);
    // The bridge has one thread; its cloud, its broker and its listener keep to it here.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(story());
    None
}

/// The name of the test in which a closure is written.
pub fn test_of<Closure>() -> &'static str {
    let closure = std::any::type_name::<Closure>();
    let (_, path) = closure.split_once("::").expect("in a crate");
    path.split("::{{").next().expect("in a test")
}

/// Runs a test of this binary as a child, which must end well.
///
/// # Panics
/// If it does not, with all that it said.
#[track_caller]
pub fn in_a_process_of_its_own(test: &str) -> String {
    let output = command(test).output().expect("the test binary starts");
    let (stdout, stderr) = texts(&output);
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
    assert!(
        stdout.contains("1 passed"),
        "no such test: {test}\n{stdout}"
    );
    stdout + &stderr
}

/// The command that runs a child test; its variables and pipes are still to be chosen.
pub fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test binary has a path"));
    command
        .args([
            "--exact",
            test,
            "--include-ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env_remove("JOURNAL_STREAM")
        .env_remove("NOTIFY_SOCKET")
        .env_remove("RUST_BACKTRACE")
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Standard output and error of a child test, as text.
pub fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
