//! The whole bridge as tasks of this process, for tests that choose its clock. Its cloud and its
//! broker live by the same clock.

use std::cell::RefCell;

use tesla2mqtt::config::Settings;
use tesla2mqtt::service::{ProcessSignal, Signals};
use tesla2mqtt::{bridge, config, log};
use tokio::task::JoinHandle;

/// A bridge in this process, and the other end of its signals. Its state directory goes with it.
pub struct RunningBridge {
    settings: Settings,
    run: RefCell<Option<Run>>,
    _log: log::Started,
    _state: tempfile::TempDir,
}

struct Run {
    signals: Signals,
    task: JoinHandle<Result<(), bridge::StartError>>,
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
        Self {
            run: RefCell::new(Some(Run::start(&settings))),
            settings,
            _log: log,
            _state: state,
        }
    }

    /// Tells it to end, as a service manager does, and waits until it has.
    pub async fn stop(&self) {
        let run = self.run.take();
        let Run { signals, task } = run.expect("a bridge that runs");
        signals.send(ProcessSignal::Stop);
        let ended = task.await.expect("a bridge that does not panic");
        ended.expect("a bridge that was told to stop");
    }

    /// Ends it, and starts it anew with what it kept.
    pub async fn restart(&self) {
        self.stop().await;
        self.run.replace(Some(Run::start(&self.settings)));
    }

    /// Tells it to read its configuration, which is as it was.
    pub fn reload(&self) {
        let run = self.run.borrow();
        let run = run.as_ref().expect("a bridge that runs");
        run.signals.send(ProcessSignal::Reload);
    }
}

impl Run {
    fn start(settings: &Settings) -> Self {
        let lock = bridge::StateDirectoryLock::take(&settings.state.directory);
        let lock = lock.expect("a directory");
        let signals = Signals::default();
        let same = settings.clone();
        let reload: bridge::Reload = Box::new(move || Ok(same.clone()));
        let bridge = bridge::run(settings.clone(), lock, signals.clone(), reload);
        Self {
            task: tokio::spawn(bridge),
            signals,
        }
    }
}
