//! What the last drive leaves behind for the policy: when a gear was in, and the newest reading.

use serde::{Deserialize, Serialize};

use super::memory::At;
use crate::model::Reading;

/// Facts of drives and charges that decide when to look; what became of them is told by the trips.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sessions {
    pub(super) last_gear_at: Option<At>,
    pub(super) reading: Option<Reading>,
}
