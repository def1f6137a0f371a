//! The failure table (sleep policy, section 5.8): how long to wait after which failure.
//!
//! Each call and each kind of failure has its own wait, and success ends only the waits of its
//! own call: a light call that works says nothing about a limit on data. The waits grow by two
//! and are spread over the upper half of their step, so that no wait is shorter than the one
//! before and two cars do not stay in step.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interface::Ask;
use super::memory::At;
use crate::random::Random;

/// A kind of failure with its own wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Transport,
    Server,
    Limited,
    SignedOut,
    BillingLimit,
    Refused,
    MissingScope,
    NotFound,
    NotPermitted,
    /// 408 again and again, although light calls say online.
    Unavailable,
}

const HOUR: u64 = 3600;

impl Kind {
    /// First wait and cap, in seconds.
    fn steps(self) -> (u64, u64) {
        match self {
            Self::Transport => (10, 300),
            Self::Server => (15, 900),
            Self::Limited | Self::SignedOut => (300, HOUR),
            Self::BillingLimit | Self::MissingScope => (HOUR, 6 * HOUR),
            Self::Refused => (900, 6 * HOUR),
            Self::NotFound => (60, HOUR),
            Self::Unavailable => (60, 300),
            Self::NotPermitted => (10, HOUR),
        }
    }
}

/// Tesla was seen to ask for days; it is asked again after one.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);
const SHORTEST_RETRY_AFTER: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    ask: Ask,
    kind: Kind,
    attempt: u32,
    until: At,
}

/// Every wait that a failure caused and no success has ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Backoffs(Vec<Entry>);

impl Backoffs {
    /// Notes a failure without a wait of its own.
    pub(super) fn failed(&mut self, ask: Ask, kind: Kind, t: At, random: &mut Random) {
        let entry = self.entry(ask, kind);
        let (base, cap) = kind.steps();
        let step = base.saturating_mul(1 << entry.attempt.min(20)).min(cap);
        entry.attempt = entry.attempt.saturating_add(1);
        // A limit without a wait of its own is a minimum; elsewhere the lower half is spread.
        let (low, high) = if kind == Kind::Limited {
            (1.0, 1.1)
        } else {
            (0.5, 1.0)
        };
        entry.until = t + Duration::from_secs(step).mul_f64(random.between(low, high));
    }

    /// Notes a failure whose answer names the wait, as a minimum.
    pub(super) fn limited(&mut self, ask: Ask, retry_after: Duration, t: At, random: &mut Random) {
        let wait = retry_after.clamp(SHORTEST_RETRY_AFTER, LONGEST_RETRY_AFTER);
        self.entry(ask, Kind::Limited).until = t + wait.mul_f64(random.between(1.0, 1.1));
    }

    /// Notes that the account did not allow the call.
    pub(super) fn not_permitted(&mut self, ask: Ask, retry_after: Duration, t: At) {
        let wait = retry_after.clamp(Duration::from_secs(1), LONGEST_RETRY_AFTER);
        self.entry(ask, Kind::NotPermitted).until = t + wait;
    }

    fn entry(&mut self, ask: Ask, kind: Kind) -> &mut Entry {
        let found = self.0.iter().position(|e| e.ask == ask && e.kind == kind);
        let at = found.unwrap_or_else(|| {
            self.0.push(Entry {
                ask,
                kind,
                attempt: 0,
                until: At::ZERO,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// The call succeeded.
    pub(super) fn succeeded(&mut self, ask: Ask) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.ask != ask);
        before != self.0.len()
    }

    /// The cause is gone, by another source.
    pub(super) fn forget(&mut self, kind: Kind) {
        self.0.retain(|entry| entry.kind != kind);
    }

    /// When the call may be tried again, and whether it is the account that forbade it; `None`
    /// unless its last outcome was a failure.
    pub(super) fn until(&self, ask: Ask) -> Option<(At, Kind)> {
        self.longest(ask, |_| true)
    }

    /// The same without the waits that only spare a call that may fail again: nobody has asked
    /// for them.
    pub(super) fn imposed_until(&self, ask: Ask) -> Option<(At, Kind)> {
        self.longest(ask, |kind| !matches!(kind, Kind::Transport | Kind::Server))
    }

    fn longest(&self, ask: Ask, counts: impl Fn(Kind) -> bool) -> Option<(At, Kind)> {
        let own = self.0.iter().filter(|entry| entry.ask == ask);
        own.filter(|entry| counts(entry.kind))
            .max_by_key(|entry| entry.until)
            .map(|entry| (entry.until, entry.kind))
    }

    /// Whether an unended wait of this kind exists, for either call.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.0.iter().any(|entry| entry.kind == kind)
    }

    /// Until when Tesla's limit is in force, if it is.
    pub(super) fn limited_until(&self, t: At) -> Option<At> {
        let limits = self
            .0
            .iter()
            .filter(|entry| entry.kind == Kind::Limited && entry.until > t);
        limits.map(|entry| entry.until).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_never_shrink() {
        let mut random = Random::new(1);
        let mut waits = Backoffs::default();
        let mut last = At::ZERO;
        for _ in 0..12 {
            waits.failed(Ask::Data, Kind::Server, At::ZERO, &mut random);
            let (until, _) = waits.until(Ask::Data).expect("it failed");
            assert!(until <= Duration::from_mins(15));
            assert!(
                until >= last.min(Duration::from_secs(450)),
                "{until:?} after {last:?}"
            );
            last = until;
        }
        assert!(last >= Duration::from_secs(450));
        assert_eq!(waits.until(Ask::Light), None);
    }

    #[test]
    fn success_ends_only_the_waits_of_its_own_call() {
        let mut random = Random::new(1);
        let mut waits = Backoffs::default();
        waits.limited(Ask::Data, Duration::from_mins(50), At::ZERO, &mut random);
        waits.failed(Ask::Light, Kind::Transport, At::ZERO, &mut random);
        waits.succeeded(Ask::Light);
        assert!(waits.until(Ask::Data).expect("still limited").0 >= Duration::from_mins(50));
    }

    #[test]
    fn a_wait_of_days_is_tried_again_after_one() {
        let mut waits = Backoffs::default();
        waits.limited(Ask::Data, Duration::MAX, At::ZERO, &mut Random::new(1));
        let (until, _) = waits.until(Ask::Data).expect("limited");
        assert!(until <= LONGEST_RETRY_AFTER.mul_f64(1.1));
    }
}
