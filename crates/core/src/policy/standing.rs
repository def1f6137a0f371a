//! What the owner or the account imposes on the polling of a car, whatever the car does.

use serde::{Deserialize, Serialize};

/// So many 404 in a row mean that the car may be gone.
const NOT_FOUND_IN_A_ROW: u8 = 3;

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
    /// Tesla said that the login's scopes do not cover `location_data`.
    pub(super) location_refused: bool,
    /// The account is to list its products again.
    pub(super) relist: bool,
    n_not_found: u8,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            paused: false,
            signed_out: false,
            listed: true,
            location_refused: false,
            relist: false,
            n_not_found: 0,
        }
    }
}

impl Standing {
    /// Data must not be called.
    pub(super) fn bars_data(&self) -> bool {
        self.paused || self.signed_out
    }

    /// A call was answered with 404.
    pub(super) fn not_found(&mut self) {
        self.n_not_found += 1;
        if self.n_not_found >= NOT_FOUND_IN_A_ROW {
            self.n_not_found = 0;
            self.relist = true;
        }
    }

    /// The car exists.
    pub(super) fn found(&mut self) {
        self.n_not_found = 0;
    }
}
