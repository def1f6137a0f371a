//! `tesla2mqtt run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::bridge::{self, Views};
use crate::config::{Loaded, Settings};
use crate::service::{self, ProcessSignal};
use crate::{api, log};

/// Loads the configuration, starts the log and runs the bridge until it is told to stop.
pub(super) fn main(file: Option<PathBuf>) -> ExitCode {
    let loaded = match super::config::load(file.as_deref()) {
        Ok(loaded) => loaded,
        Err(errors) => return super::wrong_configuration(&errors),
    };
    let Loaded { settings, warnings } = loaded;
    let log = log::start(&settings.log);
    let control = log.control.clone();
    log::report_panics();
    settings.secrets().for_each(log::redact_secret);
    warn(&warnings);
    api::tls::install_provider();
    let reload = Box::new(move || {
        let loaded = super::config::load(file.as_deref())?;
        loaded.settings.secrets().for_each(log::redact_secret);
        control.set_level(&loaded.settings.log.level);
        warn(&loaded.warnings);
        Ok(loaded.settings)
    });
    super::on_one_thread(run(settings, reload))
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

async fn run(settings: Settings, reload: bridge::Reload) -> ExitCode {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        accounts = settings.accounts.len(),
        broker = %format_args!("{}:{}", settings.mqtt.host, settings.mqtt.port),
        "starting"
    );
    let signals = match service::signals(ProcessSignal::Reload) {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "the system does not let the program hear its signals");
            return ExitCode::FAILURE;
        }
    };
    let ended = match bridge::StateDirectoryLock::take(&settings.state.directory) {
        Ok(lock) => bridge::run(settings, lock, signals, reload, Views::default()).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
