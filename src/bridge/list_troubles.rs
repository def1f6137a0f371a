//! How the lists of an account's products fare, in words for the owner: each trouble once, and once
//! that it is over.

use std::time::Duration;

use jiff::Timestamp;

use super::troubles::TroubleChange;
use crate::api::{ApiError, ProductList};
use crate::failure::{Again, ApiFailure, Explanation, LONG_LIMIT};

/// What was told of one account's lists.
#[derive(Debug, Default)]
pub(super) struct ListTroubles {
    n_failed: u32,
    told: Option<Explanation>,
}

impl ListTroubles {
    /// No list was had; the next is asked for after `wait`, at `next_at`.
    pub(super) fn failed(
        &mut self,
        error: &ApiError,
        wait: Duration,
        next_at: Timestamp,
    ) -> Option<TroubleChange> {
        self.n_failed += 1;
        let is_limited = error.kind == ApiFailure::Limited;
        // Where it is for nothing to tell, the account's status tells of its login.
        let told_from = error.kind.meaning().list.told_from?;
        if self.n_failed < told_from && !(is_limited && wait > LONG_LIMIT) {
            return None;
        }
        let trouble = if is_limited {
            Explanation {
                again: Again::at(next_at),
                ..error.kind.explanation()
            }
        } else {
            error.explanation()
        };
        self.is_now(Some(trouble.about("no list of its cars")))
    }

    /// An earlier run was told to leave the list alone until then.
    pub(super) fn limited_before(&mut self, next_at: Timestamp) -> Option<TroubleChange> {
        let limited = ApiError::limited(None, "");
        self.failed(&limited, Duration::MAX, next_at)
    }

    /// A list arrived.
    pub(super) fn listed(&mut self, list: &ProductList) -> Option<TroubleChange> {
        self.n_failed = 0;
        let trouble = if list.is_cut {
            "its list of products does not end, and was cut: cars beyond the cut are followed as before"
        } else if !list.is_whole() {
            "its list of products holds something that cannot be read: cars that are missing in it are followed as before"
        } else if list.vehicles.is_empty() {
            "it has no car: expected the login of somebody who owns or drives one"
        } else {
            return self.is_now(None);
        };
        self.is_now(Some(Explanation::of(trouble)))
    }

    fn is_now(&mut self, trouble: Option<Explanation>) -> Option<TroubleChange> {
        let before = std::mem::replace(&mut self.told, trouble.clone());
        TroubleChange::between(before.as_ref(), trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::troubles::told;
    use crate::decode::products::ListedVehicle;
    use crate::model::Vin;

    fn list(n_cars: usize, n_unusable: usize) -> ProductList {
        let car = |n| Vin::new(&format!("LRW3E7EK5PC{n:06}")).expect("a VIN");
        ProductList {
            vehicles: (0..n_cars)
                .map(|n| ListedVehicle::unseen(car(n), None))
                .collect(),
            n_unusable,
            ..ProductList::default()
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    fn failed(troubles: &mut ListTroubles, kind: ApiFailure) -> String {
        let next_at = "2026-11-26T12:00:00Z".parse().expect("a time");
        told(troubles.failed(&ApiError::new(kind, ""), MINUTE, next_at))
    }

    #[test]
    fn a_refusal_is_told_once_until_it_is_another_or_over() {
        let mut troubles = ListTroubles::default();
        let mut failed = |kind| failed(&mut troubles, kind);
        assert!(failed(ApiFailure::Redirected).contains("sends us elsewhere"));
        assert_eq!(failed(ApiFailure::Redirected), "");
        assert!(failed(ApiFailure::MissingScope).contains("permission"));
        assert_eq!(failed(ApiFailure::SignedOut), "", "the status tells");
        assert_eq!(told(troubles.listed(&list(1, 0))), "ended");
        assert_eq!(told(troubles.listed(&list(1, 0))), "");
    }

    #[test]
    fn what_mostly_passes_is_told_when_it_does_not() {
        for kind in [
            ApiFailure::Server,
            ApiFailure::TimedOut,
            ApiFailure::Garbled,
            ApiFailure::Unreachable,
        ] {
            let mut troubles = ListTroubles::default();
            let mut failed = || failed(&mut troubles, kind);
            assert_eq!([failed(), failed()], ["", ""]);
            assert!(failed().starts_with("no list of its cars: "));
            assert_eq!(failed(), "");
        }
        let mut troubles = ListTroubles::default();
        for _ in 0..5 {
            let mut failed = || failed(&mut troubles, ApiFailure::Server);
            assert_eq!([failed(), failed()], ["", ""]);
            assert_eq!(told(troubles.listed(&list(1, 0))), "");
        }
    }

    #[test]
    fn a_short_limit_is_told_when_it_does_not_pass() {
        let mut troubles = ListTroubles::default();
        let mut limited = || failed(&mut troubles, ApiFailure::Limited);
        assert_eq!([limited(), limited()], ["", ""]);
        assert!(limited().contains("limits the rate"));
        assert_eq!(limited(), "");
    }

    #[test]
    fn a_long_limit_is_told_at_once_with_the_time_at_which_it_goes_on() {
        let error = ApiError::limited(None, "");
        let limited = |troubles: &mut ListTroubles, next_at: &str| {
            told(troubles.failed(&error, 6 * MINUTE, next_at.parse().expect("a time")))
        };
        let mut troubles = ListTroubles::default();
        let trouble = limited(&mut troubles, "2026-11-26T12:00:01Z");
        assert_eq!(
            trouble,
            "no list of its cars: Tesla limits the rate of calls: the next one goes out at 2026-11-26 12:01 UTC"
        );
        // Not warned about again, but no time that has passed stays published.
        let later = limited(&mut troubles, "2026-11-26T13:00:00Z");
        assert!(
            later.starts_with("still ") && later.contains("13:00"),
            "{later}"
        );
        assert_eq!(told(troubles.listed(&list(1, 0))), "ended");
    }

    #[test]
    fn a_list_without_a_car_and_one_that_is_not_whole_are_told() {
        let mut troubles = ListTroubles::default();
        assert!(told(troubles.listed(&list(0, 0))).starts_with("it has no car"));
        assert_eq!(told(troubles.listed(&list(0, 0))), "");
        assert!(told(troubles.listed(&list(0, 1))).contains("cannot be read"));
        assert_eq!(told(troubles.listed(&list(1, 1))), "");
        assert_eq!(told(troubles.listed(&list(1, 0))), "ended");
    }

    #[test]
    fn a_list_that_does_not_end_is_said_to_be_cut_and_not_unreadable() {
        let endless = ProductList {
            is_cut: true,
            ..list(1, 0)
        };
        let mut troubles = ListTroubles::default();
        let trouble = told(troubles.listed(&endless));
        assert!(trouble.contains("does not end"), "{trouble}");
        assert_eq!(told(troubles.listed(&endless)), "");
    }
}
