//! The waits of a car's calls (sleep policy, section 5.8), by the table of failures.
//!
//! Each call and each kind of failure has its own wait, and success ends only the waits of its
//! own call: a light call that works says nothing about a limit on data. The waits grow by two
//! and are spread over the upper half of their step, so that no wait is shorter than the one
//! before and two cars do not stay in step.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interface::Ask;
use super::memory::At;
use crate::backoff::{Backoff, LONGEST_ASKED};
use crate::failure::{CONTRADICTED, Failure, ForCar, N_DOUBTED};
use crate::random::Random;

/// Why a call waits; each reason has its own row in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WaitReason {
    Transport,
    Server,
    Limited,
    SignedOut,
    BillingLimit,
    Refused,
    /// Refused against better evidence.
    Doubted,
    MissingScope,
    NotFound,
    NotPermitted,
    /// 408 again and again, although light calls say online.
    Unavailable,
}

/// A refusal of what worked within this time is doubted.
const SHORT_WHILE: Duration = Duration::from_hours(1);
/// The call that ends a limit, or finds it still there, is made and answered within this time; where
/// it is not, as of a car that sleeps, nobody is limited.
const RETRIED_WITHIN: Duration = Duration::from_mins(2);

impl WaitReason {
    /// Its row in the table of failures.
    fn row(self) -> ForCar {
        let failure = match self {
            Self::Transport => Failure::Transport,
            Self::Server => Failure::Server,
            Self::Limited => Failure::Limited { retry_after: None },
            Self::SignedOut => Failure::SignedOut,
            Self::BillingLimit => Failure::BillingLimit,
            Self::Refused => Failure::Refused,
            Self::Doubted => Failure::Doubted,
            Self::MissingScope => Failure::MissingScope,
            Self::NotFound => Failure::NotFound,
            Self::Unavailable => Failure::Unavailable,
            Self::NotPermitted => Failure::NotPermitted {
                retry_after: Duration::ZERO,
            },
        };
        failure.for_car()
    }

    /// Whether it may be no verdict where the same worked before.
    fn is_doubtful(self) -> bool {
        matches!(self, Self::Refused | Self::MissingScope)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    ask: Ask,
    #[serde(rename = "kind")]
    reason: WaitReason,
    /// In a row.
    attempt: u32,
    until: At,
    /// The wait that the newest answer asked for.
    #[serde(default)]
    asked: Option<Duration>,
    /// The same call had worked a short while before the first of the row.
    #[serde(default)]
    is_contradicted: bool,
}

/// Every wait that a failure caused and no success has ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Backoffs {
    entries: Vec<Entry>,
    /// When each call worked last with this login, in this run.
    #[serde(skip)]
    worked: Vec<(Ask, At)>,
    /// Data was refused together with the position since it last worked: that counts, but the rest
    /// does not wait for it.
    #[serde(skip)]
    with_location: Option<WaitReason>,
}

fn schedule(row: ForCar, ask: Ask) -> Option<Backoff> {
    let waits = row.waits?;
    Some(match ask {
        Ask::Light => waits.light,
        Ask::Data => waits.data,
    })
}

impl Backoffs {
    /// Notes a failure without a wait of its own.
    pub(super) fn failed(&mut self, ask: Ask, reason: WaitReason, t: At, random: &mut Random) {
        let entry = self.failed_again(ask, reason, t);
        let is_doubted = entry.is_contradicted && entry.attempt <= N_DOUBTED;
        let schedule = if is_doubted {
            Some(CONTRADICTED)
        } else {
            schedule(reason.row(), ask)
        };
        let wait = schedule.map(|of| of.wait(entry.attempt, random.unit()));
        entry.until = t + wait.unwrap_or_default();
    }

    /// Notes a limit, and the wait that its answer named, if any: a minimum, which never shortens
    /// our own growing wait.
    pub(super) fn limited(
        &mut self,
        ask: Ask,
        retry_after: Option<Duration>,
        t: At,
        random: &mut Random,
    ) {
        let schedule = schedule(Failure::Limited { retry_after }.for_car(), ask);
        let entry = self.failed_again(ask, WaitReason::Limited, t);
        entry.asked = retry_after;
        let wait = schedule.map(|of| of.wait_at_least(retry_after, entry.attempt, random.unit()));
        entry.until = t + wait.unwrap_or_default();
    }

    /// Notes a refusal that is put down to the position.
    pub(super) fn refused_with_location(&mut self, reason: WaitReason) {
        self.with_location = Some(reason);
    }

    /// Notes that the account did not allow the call.
    pub(super) fn not_permitted(&mut self, ask: Ask, retry_after: Duration, t: At) {
        let wait = retry_after.clamp(Duration::from_secs(1), LONGEST_ASKED);
        self.entry(ask, WaitReason::NotPermitted).until = t + wait;
    }

    fn failed_again(&mut self, ask: Ask, reason: WaitReason, t: At) -> &mut Entry {
        let worked_at = self.worked.iter().find(|(call, _)| *call == ask);
        let is_contradicted = reason.is_doubtful()
            && worked_at.is_some_and(|(_, at)| t.saturating_sub(*at) <= SHORT_WHILE);
        let entry = self.entry(ask, reason);
        if entry.attempt == 0 {
            entry.is_contradicted = is_contradicted;
        }
        entry.attempt = entry.attempt.saturating_add(1);
        entry
    }

    fn entry(&mut self, ask: Ask, reason: WaitReason) -> &mut Entry {
        let is_it = |entry: &Entry| entry.ask == ask && entry.reason == reason;
        let at = self.entries.iter().position(is_it).unwrap_or_else(|| {
            self.entries.push(Entry {
                ask,
                reason,
                attempt: 0,
                until: At::ZERO,
                asked: None,
                is_contradicted: false,
            });
            self.entries.len() - 1
        });
        &mut self.entries[at]
    }

    /// The call succeeded; true if that ended a wait.
    pub(super) fn succeeded(&mut self, ask: Ask, t: At) -> bool {
        let found_again = ask == Ask::Light && self.waits_for(ask, WaitReason::NotFound);
        let before = self.entries.len();
        self.entries.retain(|entry| entry.ask != ask);
        if found_again {
            self.forget(WaitReason::NotFound);
        }
        if ask == Ask::Data {
            self.with_location = None;
        }
        self.worked.retain(|(call, _)| *call != ask);
        self.worked.push((ask, t));
        before != self.entries.len()
    }

    /// The cause is gone, by another source.
    pub(super) fn forget(&mut self, reason: WaitReason) {
        self.entries.retain(|entry| entry.reason != reason);
    }

    /// Another login: what Tesla refused to the one before says nothing, nor what it allowed.
    pub(super) fn forget_login(&mut self) {
        self.entries
            .retain(|entry| !entry.reason.row().failure.is_of_login());
        self.worked.clear();
        self.with_location = None;
    }

    /// When the call may be tried again, and why not before; `None` unless its last outcome was a
    /// failure.
    pub(super) fn until(&self, ask: Ask) -> Option<(At, WaitReason)> {
        self.longest(ask, |_| true)
    }

    /// The same without the waits that only spare a call that may fail again: nobody has asked
    /// for them.
    pub(super) fn imposed_until(&self, ask: Ask) -> Option<(At, WaitReason)> {
        self.longest(ask, |reason| {
            !matches!(reason, WaitReason::Transport | WaitReason::Server)
        })
    }

    fn longest(&self, ask: Ask, counts: impl Fn(WaitReason) -> bool) -> Option<(At, WaitReason)> {
        let own = self.entries.iter().filter(|entry| entry.ask == ask);
        own.filter(|entry| counts(entry.reason))
            .max_by_key(|entry| entry.until)
            .map(|entry| (entry.until, entry.reason))
    }

    /// Whether an unended wait for this reason exists, for either call.
    pub(super) fn has(&self, reason: WaitReason) -> bool {
        self.entries.iter().any(|entry| entry.reason == reason)
    }

    /// Whether the owner is told of a failure for this reason, of either call. A limit whose time is
    /// over is none.
    pub(super) fn tells_of(&self, reason: WaitReason, t: At) -> bool {
        let row = reason.row();
        let own = self.entries.iter().filter(|entry| entry.reason == reason);
        let mut in_force = own.filter(|entry| {
            reason != WaitReason::Limited || entry.until.saturating_add(RETRIED_WITHIN) > t
        });
        in_force.any(|entry| {
            let is_one_more = entry.ask == Ask::Data && self.with_location == Some(reason);
            let n = entry.attempt.saturating_add(is_one_more.into());
            row.is_told(n, entry.asked)
        })
    }

    fn waits_for(&self, ask: Ask, reason: WaitReason) -> bool {
        let is_it = |entry: &Entry| entry.ask == ask && entry.reason == reason;
        self.entries.iter().any(is_it)
    }

    /// Until when Tesla's limit is in force, if it is.
    pub(super) fn limited_until(&self, t: At) -> Option<At> {
        let limits = self.limits().filter(|entry| entry.until > t);
        limits.map(|entry| entry.until).max()
    }

    fn limits(&self) -> impl Iterator<Item = &Entry> {
        let limits = self.entries.iter();
        limits.filter(|entry| entry.reason == WaitReason::Limited)
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
            waits.failed(Ask::Data, WaitReason::Server, At::ZERO, &mut random);
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
        waits.limited(
            Ask::Data,
            Some(Duration::from_mins(50)),
            At::ZERO,
            &mut random,
        );
        waits.failed(Ask::Light, WaitReason::Transport, At::ZERO, &mut random);
        waits.succeeded(Ask::Light, At::ZERO);
        assert!(waits.until(Ask::Data).expect("still limited").0 >= Duration::from_mins(50));
    }

    /// A car was unhealthy for one or two refusals of which `last_error` said nothing.
    #[test]
    fn the_owner_is_told_from_as_many_failures_on_as_the_table_says() {
        let mut random = Random::new(1);
        for (reason, from) in [
            (WaitReason::Server, None),
            (WaitReason::Refused, Some(1)),
            (WaitReason::BillingLimit, Some(1)),
            (WaitReason::Doubted, Some(2)),
            (WaitReason::MissingScope, Some(2)),
            (WaitReason::NotFound, Some(3)),
        ] {
            let mut waits = Backoffs::default();
            let told = [1, 2, 3, 4].map(|_| {
                waits.failed(Ask::Data, reason, At::ZERO, &mut random);
                waits.tells_of(reason, At::ZERO)
            });
            let expected = [1, 2, 3, 4].map(|n| from.is_some_and(|from| n >= from));
            assert_eq!(told, expected, "{reason:?}");
            waits.succeeded(Ask::Data, At::ZERO);
            assert!(!waits.tells_of(reason, At::ZERO), "{reason:?}");
        }
        for (asked, expected) in [
            (None, [false, false, true]),
            (Some(1), [false, false, true]),
            (Some(6), [true, true, true]),
        ] {
            let mut waits = Backoffs::default();
            let told = [(); 3].map(|()| {
                let asked = asked.map(Duration::from_mins);
                waits.limited(Ask::Data, asked, At::ZERO, &mut random);
                waits.tells_of(WaitReason::Limited, At::ZERO)
            });
            assert_eq!(told, expected, "{asked:?}");
        }
    }

    /// The call that asked for the position counts, although the rest does not wait for it.
    #[test]
    fn a_refusal_with_the_position_and_one_without_are_two() {
        let mut waits = Backoffs::default();
        waits.refused_with_location(WaitReason::Doubted);
        assert_eq!(waits.until(Ask::Data), None);
        assert!(!waits.tells_of(WaitReason::Doubted, At::ZERO));
        let mut random = Random::new(1);
        waits.failed(Ask::Data, WaitReason::Doubted, At::ZERO, &mut random);
        assert!(waits.tells_of(WaitReason::Doubted, At::ZERO));
    }

    /// Data of a car that sleeps is not asked for, so nothing ends its wait.
    #[test]
    fn a_limit_that_is_over_is_no_trouble_even_if_no_call_follows() {
        let mut waits = Backoffs::default();
        let long = Some(Duration::from_hours(1));
        waits.limited(Ask::Data, long, At::ZERO, &mut Random::new(1));
        let (until, _) = waits.until(Ask::Data).expect("limited");
        let is_told = |t| waits.tells_of(WaitReason::Limited, t);
        assert!(is_told(At::ZERO));
        assert!(is_told(until), "the retry is under way");
        assert!(!is_told(until + RETRIED_WITHIN));
    }

    #[test]
    fn a_wait_of_days_is_tried_again_after_one() {
        let mut waits = Backoffs::default();
        waits.limited(
            Ask::Data,
            Some(Duration::MAX),
            At::ZERO,
            &mut Random::new(1),
        );
        let (until, _) = waits.until(Ask::Data).expect("limited");
        assert!(until <= LONGEST_ASKED.mul_f64(1.1));
    }

    #[test]
    fn a_named_wait_lengthens_our_own_growing_one_and_never_shortens_it() {
        for asked in [Some(0), Some(1), Some(59), None] {
            let retry_after = asked.map(Duration::from_secs);
            let mut waits = Backoffs::default();
            let mut random = Random::new(1);
            let waited = [(); 8].map(|()| {
                waits.limited(Ask::Data, retry_after, At::ZERO, &mut random);
                waits.until(Ask::Data).expect("limited").0.as_secs()
            });
            assert!(
                waited[..5].is_sorted() && waited[0] >= 60,
                "{asked:?}: {waited:?}"
            );
            assert!(waited[7] >= 3600, "{asked:?}: {waited:?}");
        }
    }

    #[test]
    fn a_refusal_of_what_has_just_worked_is_tried_again_within_a_minute_and_then_ever_later() {
        let waits = |worked_before: Option<Duration>| {
            let mut waits = Backoffs::default();
            let mut random = Random::new(1);
            let t = Duration::from_hours(5);
            if let Some(before) = worked_before {
                waits.succeeded(Ask::Data, t.saturating_sub(before));
            }
            [(); 4].map(|()| {
                waits.failed(Ask::Data, WaitReason::Refused, t, &mut random);
                let (until, _) = waits.until(Ask::Data).expect("refused");
                until.saturating_sub(t).as_secs()
            })
        };
        let doubted = waits(Some(Duration::from_mins(5)));
        assert!(doubted[0] <= 60 && doubted[1] <= 120, "{doubted:?}");
        assert!(doubted.is_sorted() && doubted[2] >= 1800, "{doubted:?}");
        for plain in [waits(None), waits(Some(Duration::from_hours(2)))] {
            assert!(plain[0] >= 450, "{plain:?}");
        }
    }

    #[test]
    fn waits_that_an_older_version_kept_are_read() {
        let kept =
            r#"[{"ask":"data","kind":"missing_scope","attempt":2,"until":{"secs":9,"nanos":0}}]"#;
        let waits: Backoffs = serde_json::from_str(kept).expect("readable");
        let until = waits.until(Ask::Data);
        assert_eq!(
            until,
            Some((Duration::from_secs(9), WaitReason::MissingScope))
        );
    }
}
