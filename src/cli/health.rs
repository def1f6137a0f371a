//! `health`: is a running bridge of this configuration alive?
//!
//! Looks how old the heartbeat in the state directory is, and asks neither Tesla nor the broker. A
//! bridge runs on with what it has read, so a mistake that somebody makes in the file later is
//! no sign of its death.

use std::path::PathBuf;
use std::process::ExitCode;

use super::print_error;
use crate::service::heartbeat;
use crate::{clock, config};

/// Exit code 0: alive; 1: not; 2: not, and with this configuration none can run.
#[expect(
    clippy::needless_pass_by_value,
    reason = "every subcommand takes its arguments whole"
)]
pub(super) fn main(named: Option<PathBuf>) -> ExitCode {
    let directory = config::state_directory_from_disk(named.as_deref());
    let Err(reason) = heartbeat::check(&directory, clock::now().wall) else {
        return ExitCode::SUCCESS;
    };
    if let Err(errors) = config::load_from_disk(named.as_deref()) {
        return super::wrong_configuration(&errors);
    }
    print_error(&reason);
    ExitCode::FAILURE
}
