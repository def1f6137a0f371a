//! The whole bridge as tasks of this process, for tests that choose its clock. Its cloud and its
//! broker live by the same clock.

use tesla2mqtt::service::{ProcessSignal, Signals};
use tesla2mqtt::{bridge, config, log};
use tokio::task::JoinHandle;

/// A bridge in this process, and the other end of its signals. Its state directory goes with it.
pub struct RunningBridge {
    signals: Signals,
    task: JoinHandle<Result<(), bridge::StartError>>,
    _log: log::Started,
    _state: tempfile::TempDir,
}

impl RunningBridge {
    /// With a configuration whose state directory is `state`: it becomes one of the test's own.
    /// Takes over this process's log and panics, so that there is one bridge a process.
    pub fn start(config: &str) -> Self {
        let state = tempfile::tempdir().expect("a temporary folder");
        let path = state.path().join("state");
        let config = config.replace("\"state\"", &format!("{:?}", path.display().to_string()));
        let settings = config::from_text(&config).expect("a configuration");
        let log = log::start(&settings.log);
        log::report_panics();
        let lock = bridge::StateDirectoryLock::take(&path).expect("a directory");
        let signals = Signals::default();
        let same = settings.clone();
        let reload: bridge::Reload = Box::new(move || Ok(same.clone()));
        Self {
            task: tokio::spawn(bridge::run(settings, lock, signals.clone(), reload)),
            signals,
            _log: log,
            _state: state,
        }
    }

    /// Tells it to end, as a service manager does, and waits until it has.
    pub async fn stop(self) {
        self.signals.send(ProcessSignal::Stop);
        let ended = self.task.await.expect("a bridge that does not panic");
        ended.expect("a bridge that was told to stop");
    }
}
