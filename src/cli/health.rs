//! `health`: is a running bridge of this configuration alive?
//!
//! Looks how old the heartbeat in the state directory is, and asks neither Tesla nor the broker.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::service::heartbeat;
use crate::{clock, config};

/// Exit code 0: alive; 1: not; 2: the configuration is wrong.
#[expect(
    clippy::needless_pass_by_value,
    reason = "every subcommand takes its arguments whole"
)]
pub fn main(named: Option<PathBuf>) -> ExitCode {
    let settings = match config::load_from_disk(named.as_deref()) {
        Ok(loaded) => loaded.settings,
        Err(errors) => {
            say(&errors.to_string());
            return ExitCode::from(2);
        }
    };
    match heartbeat::check(&settings.state.directory, clock::now().wall) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            say(&reason);
            ExitCode::from(1)
        }
    }
}

/// `eprintln!` would panic where standard error is closed.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
