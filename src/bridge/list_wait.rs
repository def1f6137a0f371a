//! How long until an account's list of products is asked for again, by how the last one ended
//! (tesla-api.md, section 7): what passes is tried again soon, what Tesla refuses is not.

use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::failure::{ApiFailure, CONTRADICTED, N_DOUBTED};

/// The list is free and wakes nobody, but a changed list is rare.
const WHOLE: Backoff = Backoff::fixed(
    Duration::from_hours(1),
    Duration::from_hours(1),
    Jitter::NONE,
);
const DOUBTFUL: Backoff = Backoff::fixed(
    Duration::from_mins(5),
    Duration::from_hours(1),
    Jitter::UPPER_HALF,
);
const ENDLESS: Backoff = Backoff::fixed(
    Duration::from_hours(6),
    Duration::from_hours(6),
    Jitter::UPPER_HALF,
);

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With at least one car, and with nothing that cannot be read.
    Whole,
    /// Without a car, or with something that cannot be read.
    Doubtful,
    /// Never: it was cut after as many calls as it has pages.
    Endless,
    /// There is none.
    Failed {
        /// Why.
        failure: ApiFailure,
        /// The wait that Tesla asked for.
        retry_after: Option<Duration>,
    },
}

impl Ending {
    /// Whether it is refused by somebody who will not think better of it within minutes.
    pub(super) fn is_refused(self) -> bool {
        matches!(self, Self::Failed { failure, .. } if failure.meaning().list.is_refused)
    }

    /// Whether the wait after it is a minimum that nobody's wish for a list shortens.
    pub(super) fn is_imposed(self) -> bool {
        match self {
            Self::Whole | Self::Doubtful => false,
            Self::Endless => true,
            Self::Failed { failure, .. } => failure.meaning().list.is_imposed,
        }
    }

    fn schedule(self) -> Backoff {
        match self {
            Self::Whole => WHOLE,
            Self::Doubtful => DOUBTFUL,
            Self::Endless => ENDLESS,
            Self::Failed { failure, .. } => failure.meaning().list.wait,
        }
    }

    fn asked_wait(self) -> Option<Duration> {
        match self {
            Self::Failed { retry_after, .. } => retry_after,
            _ => None,
        }
    }
}

/// The endings of one schedule in a row.
#[derive(Debug, Default)]
pub(super) struct ListWait {
    schedule: Option<Backoff>,
    n_in_a_row: u32,
    /// Refusals since the last whole list, of whatever kind.
    n_refused: u32,
    /// The last list was one, or has only been refused since, and not often.
    has_worked: bool,
}

impl ListWait {
    /// The wait after one more ending. `chance` is between 0 and 1 and spreads it, so that the
    /// accounts of a bridge do not ask in step; what Tesla asked for is a minimum.
    pub(super) fn after(&mut self, ending: Ending, chance: f64) -> Duration {
        let schedule = ending.schedule();
        if self.schedule.replace(schedule) != Some(schedule) {
            self.n_in_a_row = 0;
        }
        self.n_in_a_row = self.n_in_a_row.saturating_add(1);
        let n = self.n_in_a_row;
        if ending == Ending::Whole {
            (self.has_worked, self.n_refused) = (true, 0);
        } else if ending.is_refused() {
            self.n_refused = self.n_refused.saturating_add(1);
            self.has_worked &= self.n_refused <= N_DOUBTED;
        }
        if self.has_worked && ending.is_refused() {
            let doubted = CONTRADICTED.wait(self.n_refused, chance);
            return doubted.min(schedule.wait(n, chance));
        }
        schedule.wait_at_least(ending.asked_wait(), n, chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;

    fn failed(failure: ApiFailure) -> Ending {
        let retry_after = None;
        Ending::Failed {
            failure,
            retry_after,
        }
    }

    fn limited(asked: Option<u64>) -> Ending {
        Ending::Failed {
            failure: ApiFailure::Limited,
            retry_after: asked.map(Duration::from_secs),
        }
    }

    /// The longest waits after endings of one kind in a row.
    fn waits(ending: Ending) -> Vec<u64> {
        let mut wait = ListWait::default();
        let waits = (0..12).map(|_| wait.after(ending, 1.0).as_secs());
        waits.collect()
    }

    #[test]
    fn each_kind_of_failure_has_the_wait_of_teslas_error_table() {
        for (failure, first, last) in [
            (ApiFailure::Unreachable, 10, 15 * MINUTE),
            (ApiFailure::Server, 10, 15 * MINUTE),
            (ApiFailure::Unavailable, 10, 15 * MINUTE),
            (ApiFailure::SignedOut, 5 * MINUTE, HOUR),
            (ApiFailure::NotFound, MINUTE, HOUR),
            (ApiFailure::Firewall, 15 * MINUTE, 6 * HOUR),
            (ApiFailure::WrongRegion, 15 * MINUTE, 6 * HOUR),
            (ApiFailure::InService, 15 * MINUTE, 6 * HOUR),
            (ApiFailure::BillingLimit, HOUR, 6 * HOUR),
            (ApiFailure::MissingScope, HOUR, 6 * HOUR),
            (ApiFailure::ScopeDenied, MINUTE, HOUR),
            (ApiFailure::TokenRejected, MINUTE, HOUR),
        ] {
            let waits = waits(failed(failure));
            assert_eq!((waits[0], waits[11]), (first, last), "{failure:?}");
            assert!(waits.is_sorted(), "{failure:?}: {waits:?}");
        }
        for (asked, first, last) in [
            (None, 330, HOUR + 6 * MINUTE),
            (Some(0), 330, HOUR + 6 * MINUTE),
            (Some(5), 330, HOUR + 6 * MINUTE),
            (Some(37_829), 41_611, 41_611),
        ] {
            let waits = waits(limited(asked));
            assert_eq!((waits[0], waits[11]), (first, last), "{asked:?}");
            assert!(waits.is_sorted(), "{asked:?}: {waits:?}");
        }
        assert_eq!(waits(Ending::Whole)[11], HOUR);
        assert_eq!(waits(Ending::Endless)[0], 6 * HOUR);
        let doubtful = waits(Ending::Doubtful);
        assert_eq!((doubtful[0], doubtful[11]), (5 * MINUTE, HOUR));
    }

    #[test]
    fn waits_are_spread_and_never_shorter_than_asked() {
        let hour = Duration::from_hours(1);
        let limited = limited(Some(3600));
        let server = failed(ApiFailure::Server);
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
            wait.after(failed(ApiFailure::Firewall), 1.0);
        }
        let passing = wait.after(failed(ApiFailure::Server), 1.0);
        assert_eq!(passing, Duration::from_secs(10));
        let again = wait.after(failed(ApiFailure::Firewall), 1.0);
        assert_eq!(again, Duration::from_mins(15));
        wait.after(Ending::Whole, 1.0);
        let again = wait.after(failed(ApiFailure::Server), 1.0);
        assert_eq!(again, Duration::from_secs(10));
    }

    #[test]
    fn only_what_may_pass_by_itself_is_asked_for_early() {
        let is_imposed = |failure| failed(failure).is_imposed();
        assert!(is_imposed(ApiFailure::Limited));
        assert!(is_imposed(ApiFailure::Firewall) && is_imposed(ApiFailure::SignedOut));
        assert!(Ending::Endless.is_imposed());
        assert!(!is_imposed(ApiFailure::Server) && !is_imposed(ApiFailure::Unreachable));
        assert!(!Ending::Whole.is_imposed() && !Ending::Doubtful.is_imposed());
    }

    #[test]
    fn a_refusal_after_a_list_that_worked_is_doubted_twice_and_then_believed() {
        let mut wait = ListWait::default();
        wait.after(Ending::Whole, 1.0);
        let mut refused = || wait.after(failed(ApiFailure::Firewall), 1.0).as_secs() / MINUTE;
        assert_eq!(
            [refused(), refused(), refused(), refused()],
            [1, 2, 60, 120]
        );
    }
}
