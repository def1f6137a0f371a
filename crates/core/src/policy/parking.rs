//! The use of the car: when it was used last, and what held it awake at the last look.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interface::HoldReason;
use super::memory::At;

/// No command by the owner within this time before the car is left alone.
const COMMAND_REST: Duration = Duration::from_mins(1);

/// Last use and holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parking {
    /// The intervals of an idle car depend on the time since.
    pub(super) last_use_at: At,
    pub(super) last_command_at: Option<At>,
    /// Seen in the last data.
    pub(super) holds: Vec<HoldReason>,
}

impl Parking {
    /// A car is not left alone before this: the owner's last command needs its time.
    pub(super) fn rested_at(&self) -> At {
        self.last_command_at
            .map_or(At::ZERO, |at| at + COMMAND_REST)
    }
}
