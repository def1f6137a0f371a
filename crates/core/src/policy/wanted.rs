//! Calls that something asked for ahead of the state's own interval.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interface::Ask;
use super::memory::{At, Moment};

/// Looks after the end of a drive: doors, charge cable.
const AFTER_DRIVE: [Duration; 2] = [Duration::from_secs(20), Duration::from_mins(1)];

/// When a call is wanted, and whether it still is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// A light call then.
    pub(super) light_at: Option<At>,
    /// Data then.
    pub(super) data_at: Option<At>,
    /// Data planned after a change.
    pub(super) followups: Vec<At>,
}

impl Wanted {
    /// A light call by then; who wants one sooner gets it sooner.
    pub(super) fn light(&mut self, at: At) {
        self.light_at = Some(self.light_at.map_or(at, |old| old.min(at)));
    }

    /// Data by then; who wants it sooner gets it sooner.
    pub(super) fn data(&mut self, at: At) {
        self.data_at = Some(self.data_at.map_or(at, |old| old.min(at)));
    }

    /// Data after the end of a drive; a short budget stretches it like any other.
    pub(super) fn looks_after_drive(&mut self, budget_factor: f64, m: Moment) {
        let stretched = AFTER_DRIVE.map(|after| m.t + after.mul_f64(budget_factor));
        self.followups = stretched.to_vec();
    }

    /// The next look that was planned after a change.
    pub(super) fn next_followup(&self) -> Option<At> {
        self.followups.iter().min().copied()
    }

    /// A call is made.
    pub(super) fn asked(&mut self, ask: Ask, m: Moment) {
        match ask {
            Ask::Light => self.light_at = None,
            Ask::Data => {
                self.data_at = None;
                self.followups.retain(|at| *at > m.t);
            }
        }
    }
}
