//! The real binary as a child process with a configuration of its own.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{deadline, left};

/// A running (or ended) bridge and its folder. The folder goes with it.
pub struct Program {
    folder: TempDir,
    child: Option<Child>,
}

/// The configuration's name in the folder.
pub const CONFIG: &str = "tesla2mqtt.toml";

/// The program that belongs to the test or benchmark that runs: cargo builds it beside them.
///
/// # Panics
/// Outside of cargo's target directory.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("CARGO_BIN_EXE_tesla2mqtt") {
        return named.into();
    }
    let this = std::env::current_exe().expect("the path of this test");
    let profile = this.ancestors().nth(2).expect("target/<profile>/deps/test");
    profile.join("tesla2mqtt")
}

/// How a subcommand ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// A folder for a bridge that is not started yet.
    pub fn prepare() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            child: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn state_directory(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes a file that only we can read.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a test's file");
        private(&path);
        path
    }

    /// Starts `tesla2mqtt run` with the configuration; its log goes to `log` in the folder.
    pub fn start(&mut self, config: &str) {
        self.start_in(config, &[]);
    }

    /// The same with environment variables.
    pub fn start_in(&mut self, config: &str, environment: &[(&str, &str)]) {
        self.write(CONFIG, config);
        self.start_with(&["run", "--config", CONFIG], environment);
    }

    /// Replaces the configuration of a running bridge and tells it so.
    pub fn reload(&self, config: &str) {
        self.write(CONFIG, config);
        self.signal("HUP");
    }

    /// Runs a subcommand to its end, in the bridge's folder.
    pub fn command(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        let output = tokio::task::block_in_place(|| command.output()).expect("the binary starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    pub fn start_with(&mut self, arguments: &[&str], environment: &[(&str, &str)]) {
        let log = self.log_file();
        self.start_to(arguments, environment, log.into());
    }

    fn log_file(&self) -> fs::File {
        let mut options = fs::OpenOptions::new();
        let log = options.create(true).append(true).open(self.path("log"));
        log.expect("a log file")
    }

    /// The same with another standard output; only errors are in `log` then.
    pub fn start_to(&mut self, arguments: &[&str], environment: &[(&str, &str)], stdout: Stdio) {
        self.spawn(Command::new(binary()), arguments, environment, stdout);
    }

    /// Has another program start it, which becomes it, as `nohup` does.
    pub fn start_by(&mut self, starter: &str, arguments: &[&str]) {
        let mut command = Command::new(starter);
        command.arg(binary());
        let log = self.log_file();
        self.spawn(command, arguments, &[], log.into());
    }

    fn spawn(
        &mut self,
        mut command: Command,
        arguments: &[&str],
        environment: &[(&str, &str)],
        stdout: Stdio,
    ) {
        assert!(self.child.is_none(), "already running");
        let child = command
            .args(arguments)
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .envs(environment.iter().copied())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(self.log_file())
            .spawn()
            .expect("the binary starts");
        self.child = Some(child);
    }

    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = fs::File::open(self.path("log")) {
            let _ = file.read_to_string(&mut text);
        }
        text
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    /// Waits until the log holds these words.
    pub async fn logs(&self, words: &str, limit: Duration) {
        let end = deadline(limit);
        while !self.log().contains(words) {
            assert!(
                left(end) > Duration::ZERO,
                "not in the log within {limit:?}: {words:?}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal by name (`TERM`, `HUP`, `STOP`, ...).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .expect("kill");
        assert!(sent.success());
    }

    /// SIGTERM and the wait for the end.
    pub async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended(limit).await
    }

    /// Waits for the end.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let end = deadline(limit);
        loop {
            let child = self.child.as_mut().expect("running");
            if let Some(status) = child.try_wait().expect("wait") {
                self.child = None;
                return status;
            }
            assert!(
                left(end) > Duration::ZERO,
                "still running after {limit:?}:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("chmod");
}
