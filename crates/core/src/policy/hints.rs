//! Hints of automations, and whether they come too often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::memory::{At, Moment};

/// More hints than these, each closer than [`IN_A_ROW`] to the one before, are one automation
/// that repeats itself. Two may well be a garage and then a wallbox.
const FEW_HINTS: u8 = 2;
const IN_A_ROW: Duration = Duration::from_mins(1);
/// One that repeats itself is followed with this gap to the last call.
pub(super) const GAP_OF_MANY: Duration = Duration::from_secs(15);

/// The hints of late.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Hints {
    last_at: Option<At>,
    /// In a row, the last included.
    n_in_a_row: u8,
}

impl Hints {
    /// One more. The gap to keep to the last call before the next one.
    pub(super) fn came(&mut self, m: Moment) -> Duration {
        let goes_on = self.last_at.is_some_and(|at| m.since(at) < IN_A_ROW);
        let n_before = if goes_on { self.n_in_a_row } else { 0 };
        self.n_in_a_row = n_before.saturating_add(1);
        self.last_at = Some(m.t);
        if self.n_in_a_row > FEW_HINTS {
            GAP_OF_MANY
        } else {
            Duration::ZERO
        }
    }
}
