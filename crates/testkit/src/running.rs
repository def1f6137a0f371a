//! The whole bridge as tasks of this process, for tests that choose its clock. Its cloud and its
//! broker live by the same clock.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tesla2mqtt::config::Settings;
use tesla2mqtt::service::{ProcessSignal, Signals};
use tesla2mqtt::{bridge, config, log};
use tokio::task::JoinHandle;

/// A bridge in this process, and the other end of its signals. Its state directory goes with it.
pub struct RunningBridge {
    signals: Signals,
    views: bridge::Views,
    task: JoinHandle<Result<(), bridge::StartError>>,
    wanted: Arc<Mutex<Settings>>,
    _log: log::Started,
    folder: TempDir,
}

impl RunningBridge {
    /// With a configuration whose state directory is `state`: it becomes one of the test's own.
    /// Takes over this process's log and panics: the first of several bridges has the log.
    pub fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = settings_in(folder.path(), config);
        let log = log::start(&settings.log);
        log::report_panics();
        let signals = Signals::default();
        let views = bridge::Views::default();
        let wanted = Arc::new(Mutex::new(settings));
        Self {
            task: begin(&wanted, &signals, &views),
            views,
            signals,
            wanted,
            _log: log,
            folder,
        }
    }

    pub fn state_directory(&self) -> PathBuf {
        state_in(self.folder.path())
    }

    /// The current view of every device.
    pub fn views(&self) -> &bridge::Views {
        &self.views
    }

    /// Gives it another configuration while it runs.
    pub fn reload(&self, config: &str) {
        *self.wanted.lock().expect("unpoisoned") = settings_in(self.folder.path(), config);
        self.signals.send(ProcessSignal::Reload);
    }

    /// Ends it, does something to what it has left, and starts it anew with what it has stored.
    pub async fn restart(&mut self, meanwhile: impl FnOnce(&Path)) {
        self.end().await;
        meanwhile(&self.state_directory());
        self.signals = Signals::default();
        self.task = begin(&self.wanted, &self.signals, &self.views);
    }

    /// Tells it to end, as a service manager does, and waits until it has.
    pub async fn stop(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        self.signals.send(ProcessSignal::Stop);
        let ended = (&mut self.task)
            .await
            .expect("a bridge that does not panic");
        ended.expect("a bridge that was told to stop");
    }
}

fn begin(
    wanted: &Arc<Mutex<Settings>>,
    signals: &Signals,
    views: &bridge::Views,
) -> JoinHandle<Result<(), bridge::StartError>> {
    let settings = wanted.lock().expect("unpoisoned").clone();
    let path = &settings.state.directory;
    let lock = bridge::StateDirectoryLock::take(path).expect("a directory");
    let wanted = wanted.clone();
    let reload: bridge::Reload = Box::new(move || Ok(wanted.lock().expect("unpoisoned").clone()));
    tokio::spawn(bridge::run(
        settings,
        lock,
        signals.clone(),
        reload,
        views.clone(),
    ))
}

fn state_in(folder: &Path) -> PathBuf {
    folder.join("state")
}

fn settings_in(folder: &Path, config: &str) -> Settings {
    let state = format!("{:?}", state_in(folder).display().to_string());
    config::from_text(&config.replace("\"state\"", &state)).expect("a configuration")
}
