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
        let config = self.write("tesla2mqtt.toml", config);
        self.start_with(
            &["run", "--config", config.to_str().expect("a UTF-8 path")],
            &[],
        );
    }

    pub fn start_with(&mut self, arguments: &[&str], environment: &[(&str, &str)]) {
        assert!(self.child.is_none(), "already running");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_tesla2mqtt"))
            .args(arguments)
            .envs(environment.iter().copied())
            .env_remove("JOURNAL_STREAM")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
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
