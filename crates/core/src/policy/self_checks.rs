//! The hourly self-checks of some cars: they wake, do nothing and sleep again. After the third in
//! a row they are left alone (sleep policy, section 5.7).

use serde::{Deserialize, Serialize};

use super::memory::{At, Moment};

/// A wake so long after falling asleep may be the hourly self-check.
const MINUTES: std::ops::RangeInclusive<u64> = 45..=70;
const ENOUGH: u8 = 3;
const MOST: u8 = 5;

/// Brief wakes of late.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SelfChecks {
    asleep_at: Option<At>,
    n_brief_wakes: u8,
}

impl SelfChecks {
    pub(super) fn fell_asleep(&mut self, m: Moment) {
        self.asleep_at = Some(m.t);
    }

    /// A wake now would come about an hour after the car fell asleep.
    pub(super) fn is_on_the_hour(&self, m: Moment) -> bool {
        self.asleep_at
            .is_some_and(|at| MINUTES.contains(&(m.since(at).as_secs() / 60)))
    }

    /// A wake on the hour brought nothing new.
    pub(super) fn was_brief(&mut self) {
        self.n_brief_wakes = (self.n_brief_wakes + 1).min(MOST);
    }

    /// A wake on the hour was a use.
    pub(super) fn was_used(&mut self) {
        self.n_brief_wakes = self.n_brief_wakes.saturating_sub(1);
    }

    /// At least three wakes about an hour after falling asleep brought nothing new.
    pub(super) fn are_known(&self) -> bool {
        self.n_brief_wakes >= ENOUGH
    }
}
