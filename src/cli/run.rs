//! `tesla2mqtt run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::bridge;
use crate::config::{self, Loaded, Settings};
use crate::service::{self, Signal};
use crate::{api, log};

/// Loads the configuration, starts the log and runs the bridge until it is told to stop.
pub fn main(file: Option<PathBuf>) -> ExitCode {
    let loaded = match config::load_from_disk(file.as_deref()) {
        Ok(loaded) => loaded,
        Err(errors) => return super::wrong_configuration(&errors),
    };
    let Loaded { settings, warnings } = loaded;
    let log = log::start(&settings.log);
    let control = log.control.clone();
    log::report_panics();
    settings.secrets().for_each(log::hide);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    api::tls::install_provider();
    let reload = Box::new(move || {
        let loaded = config::load_from_disk(file.as_deref())?;
        loaded.settings.secrets().for_each(log::hide);
        control.set_level(&loaded.settings.log.level);
        Ok(loaded.settings)
    });
    super::on_one_thread(run(settings, reload))
}

async fn run(settings: Settings, reload: bridge::Reload) -> ExitCode {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        accounts = settings.accounts.len(),
        broker = %format_args!("{}:{}", settings.mqtt.host, settings.mqtt.port),
        "starting"
    );
    let signals = match service::signals(Signal::Reload) {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "the system does not let the program hear its signals");
            return ExitCode::FAILURE;
        }
    };
    let ended = match bridge::Claim::to(&settings.state.directory) {
        Ok(claim) => bridge::run(settings, claim, signals, reload).await,
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
