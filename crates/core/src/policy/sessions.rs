//! Drives and charges that are under way, and the newest reading.

use serde::{Deserialize, Serialize};

use super::interface::Reading;
use super::memory::At;

/// A drive or a charge that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The reading before it.
    pub(super) from: Option<Reading>,
}

/// What is under way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sessions {
    pub(super) drive: Option<Session>,
    pub(super) charge: Option<Session>,
    pub(super) last_gear_at: Option<At>,
    pub(super) reading: Option<Reading>,
    /// A push ended a drive or a charge whose last stretch no reading has shown yet.
    pub(super) next_reading_belongs: bool,
}
