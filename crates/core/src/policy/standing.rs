//! What the owner or the account imposes on the polling of a car, whatever the car does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::memory::{At, Moment};
use crate::backoff::{Backoff, Jitter};
use crate::random::Random;

/// So many 404 in a row mean that the car may be gone.
const NOT_FOUND_IN_A_ROW: u8 = 3;
/// A list that shows a car which is not found is asked for again ever later.
const RELIST: Backoff = Backoff::fixed(
    Duration::from_hours(1),
    Duration::from_hours(6),
    Jitter::UPPER_HALF,
);

/// Whether the car may be asked at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that vary independently of each other"
)]
pub(super) struct Standing {
    /// By the owner.
    pub(super) paused: bool,
    pub(super) signed_out: bool,
    /// On an account's list.
    pub(super) listed: bool,
    /// The account is to list its products again.
    pub(super) relist: bool,
    n_not_found: u8,
    /// No list is asked for before, however often the car is not found.
    relist_not_before: At,
    /// Lists asked for since the car was last found.
    n_relists: u32,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            paused: false,
            signed_out: false,
            listed: true,
            relist: false,
            n_not_found: 0,
            relist_not_before: At::ZERO,
            n_relists: 0,
        }
    }
}

impl Standing {
    /// Data must not be called.
    pub(super) fn forbids_data(&self) -> bool {
        self.paused || self.signed_out
    }

    /// A call was answered with 404.
    pub(super) fn not_found(&mut self, m: Moment, random: &mut Random) {
        self.n_not_found = self.n_not_found.saturating_add(1);
        if self.n_not_found >= NOT_FOUND_IN_A_ROW && self.relist_not_before <= m.t {
            self.n_not_found = 0;
            self.relist = true;
            self.n_relists = self.n_relists.saturating_add(1);
            let wait = RELIST.wait(self.n_relists, random.unit());
            self.relist_not_before = m.t + wait;
        }
    }

    /// A call failed in another way.
    pub(super) fn failed_otherwise(&mut self) {
        self.n_not_found = 0;
    }

    /// Tesla answered a call about the car with the car.
    pub(super) fn found(&mut self) {
        self.n_not_found = 0;
        self.n_relists = 0;
        self.relist_not_before = At::ZERO;
    }
}
