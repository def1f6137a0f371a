//! How long until an account's list of products is asked for again, by how the last one ended
//! (tesla-api.md, section 7): what passes is tried again soon, what Tesla refuses is not.

use std::time::Duration;

use crate::policy::Failure;

/// The list is free and wakes nobody, but a changed list is rare.
const LIST_EVERY: Duration = Duration::from_hours(1);

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With at least one car, and with nothing that cannot be read.
    Whole,
    /// Without a car, or with something that cannot be read.
    Doubtful,
    /// Never: it was cut after as many calls as it has pages.
    Endless,
    /// There is none.
    Failed(Failure),
}

impl Ending {
    /// Whether it is refused by somebody who will not think better of it within minutes.
    pub fn is_refused(self) -> bool {
        matches!(
            self,
            Self::Failed(
                Failure::SignedOut
                    | Failure::BillingLimit
                    | Failure::Refused
                    | Failure::MissingScope
                    | Failure::NotFound
                    | Failure::InService
                    | Failure::Region
            )
        )
    }

    /// Whether the wait after it is a minimum that nobody's wish for a list shortens.
    pub fn is_imposed(self) -> bool {
        let is_limited = matches!(self, Self::Failed(Failure::Limited { .. }));
        is_limited || self.is_refused() || self == Self::Endless
    }

    /// The first wait, and the longest.
    fn steps(self) -> (Duration, Duration) {
        let minutes = |first, last| (Duration::from_mins(first), Duration::from_mins(last));
        match self {
            Self::Whole => (LIST_EVERY, LIST_EVERY),
            Self::Doubtful => minutes(5, 60),
            Self::Endless => minutes(6 * 60, 6 * 60),
            Self::Failed(failure) => match failure {
                Failure::Unavailable
                | Failure::Transport
                | Failure::Server
                | Failure::NotPermitted { .. } => (Duration::from_secs(10), minutes(15, 15).0),
                Failure::Limited {
                    retry_after: Some(_),
                } => minutes(1, 1),
                Failure::Limited { retry_after: None } | Failure::SignedOut => minutes(5, 60),
                Failure::NotFound => minutes(1, 60),
                Failure::Refused | Failure::InService | Failure::Region => minutes(15, 6 * 60),
                Failure::BillingLimit | Failure::MissingScope => minutes(60, 6 * 60),
            },
        }
    }
}

/// The endings of one kind in a row.
#[derive(Debug, Default)]
pub struct ListWait {
    steps: Option<(Duration, Duration)>,
    n_in_a_row: u32,
}

impl ListWait {
    /// The wait after one more ending. `chance` is between 0 and 1 and spreads it, so that the
    /// accounts of a bridge do not ask in step; what Tesla asked for is a minimum.
    pub fn after(&mut self, ending: Ending, chance: f64) -> Duration {
        let steps = ending.steps();
        if self.steps.replace(steps) != Some(steps) {
            self.n_in_a_row = 0;
        }
        let (first, last) = steps;
        let step = first.saturating_mul(1 << self.n_in_a_row.min(20)).min(last);
        self.n_in_a_row = self.n_in_a_row.saturating_add(1);
        match ending {
            Ending::Whole => step,
            Ending::Failed(Failure::Limited { retry_after }) => {
                let asked = retry_after.unwrap_or_default().max(step);
                asked.mul_f64(1.0 + 0.1 * chance)
            }
            _ => step.mul_f64(0.5 + 0.5 * chance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;

    /// The longest waits after endings of one kind in a row.
    fn waits(ending: Ending) -> Vec<u64> {
        let mut wait = ListWait::default();
        let waits = (0..12).map(|_| wait.after(ending, 1.0).as_secs());
        waits.collect()
    }

    #[test]
    fn each_kind_of_failure_has_the_wait_of_teslas_error_table() {
        let limited = |seconds: Option<u64>| Failure::Limited {
            retry_after: seconds.map(Duration::from_secs),
        };
        for (failure, first, last) in [
            (Failure::Transport, 10, 15 * MINUTE),
            (Failure::Server, 10, 15 * MINUTE),
            (Failure::Unavailable, 10, 15 * MINUTE),
            (limited(None), 330, HOUR + 6 * MINUTE),
            (limited(Some(5)), 66, 66),
            (limited(Some(37_829)), 41_611, 41_611),
            (Failure::SignedOut, 5 * MINUTE, HOUR),
            (Failure::NotFound, MINUTE, HOUR),
            (Failure::Refused, 15 * MINUTE, 6 * HOUR),
            (Failure::Region, 15 * MINUTE, 6 * HOUR),
            (Failure::InService, 15 * MINUTE, 6 * HOUR),
            (Failure::BillingLimit, HOUR, 6 * HOUR),
            (Failure::MissingScope, HOUR, 6 * HOUR),
        ] {
            let waits = waits(Ending::Failed(failure));
            assert_eq!((waits[0], waits[11]), (first, last), "{failure:?}");
            assert!(waits.is_sorted(), "{failure:?}: {waits:?}");
        }
        assert_eq!(waits(Ending::Whole)[11], HOUR);
        assert_eq!(waits(Ending::Endless)[0], 6 * HOUR);
        let doubtful = waits(Ending::Doubtful);
        assert_eq!((doubtful[0], doubtful[11]), (5 * MINUTE, HOUR));
    }

    #[test]
    fn waits_are_spread_and_never_shorter_than_asked() {
        let hour = Duration::from_hours(1);
        let limited = Ending::Failed(Failure::Limited {
            retry_after: Some(hour),
        });
        let server = Ending::Failed(Failure::Server);
        let first = |ending, chance| ListWait::default().after(ending, chance);
        assert_eq!(first(limited, 0.0), hour);
        assert_eq!(first(limited, 1.0), hour.mul_f64(1.1));
        assert_eq!(first(server, 0.0), Duration::from_secs(5));
        assert!(first(server, 0.3) < first(server, 0.4));
    }

    #[test]
    fn another_ending_begins_at_its_first_step() {
        let mut wait = ListWait::default();
        for _ in 0..5 {
            wait.after(Ending::Failed(Failure::Refused), 1.0);
        }
        let passing = wait.after(Ending::Failed(Failure::Server), 1.0);
        assert_eq!(passing, Duration::from_secs(10));
        let again = wait.after(Ending::Failed(Failure::Refused), 1.0);
        assert_eq!(again, Duration::from_mins(15));
        wait.after(Ending::Whole, 1.0);
        let again = wait.after(Ending::Failed(Failure::Server), 1.0);
        assert_eq!(again, Duration::from_secs(10));
    }

    #[test]
    fn only_what_may_pass_by_itself_is_asked_for_early() {
        let is_imposed = |failure| Ending::Failed(failure).is_imposed();
        assert!(is_imposed(Failure::Limited { retry_after: None }));
        assert!(is_imposed(Failure::Refused) && is_imposed(Failure::SignedOut));
        assert!(Ending::Endless.is_imposed());
        assert!(!is_imposed(Failure::Server) && !is_imposed(Failure::Transport));
        assert!(!Ending::Whole.is_imposed() && !Ending::Doubtful.is_imposed());
    }
}
