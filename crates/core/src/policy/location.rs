//! Whether the position is asked for. Where it was refused for want of a permission it is left out,
//! so that it does not cost everything else; but a refusal passes (owners saw single ones of a
//! login that had every permission), so it is asked for again, ever later while it stays refused.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interface::Failure;
use super::memory::At;
use crate::backoff::{Backoff, Jitter};
use crate::random::Random;

/// Nothing speaks for the permission but that the position was never refused before.
const REFUSED: Backoff = Backoff::fixed(
    Duration::from_hours(1),
    Duration::from_hours(24),
    Jitter::LONGER,
);
/// The token itself has the permission.
const DOUBTED: Backoff = Backoff::fixed(
    Duration::from_mins(1),
    Duration::from_hours(6),
    Jitter::UPPER_HALF,
);

/// What is remembered of the refusals of the position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AskForLocation {
    /// In a row.
    n_refused: u32,
    left_out_until: Option<At>,
}

impl AskForLocation {
    /// Whether the next data call asks for it.
    pub(super) fn is_wanted(self, t: At) -> bool {
        self.left_out_until.is_none_or(|until| t >= until)
    }

    /// A call that asked for it was refused for want of a permission.
    pub(super) fn refused(&mut self, failure: Failure, t: At, random: &mut Random) {
        let schedule = match failure {
            Failure::Doubted => DOUBTED,
            _ => REFUSED,
        };
        self.n_refused = self.n_refused.saturating_add(1);
        self.left_out_until = Some(t + schedule.wait(self.n_refused, random.unit()));
    }

    /// A call that asked for it was answered.
    pub(super) fn allowed(&mut self) {
        *self = Self::default();
    }
}
