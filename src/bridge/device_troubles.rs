//! Why Tesla refuses to tell of a car, as the owner is told: each reason once, and once that it is
//! over. What passes by itself is the log's at most, what ends a login is told by the account.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::troubles::TroubleChange;
use crate::api::ApiError;
use crate::device::Input;
use crate::failure::{Again, ApiFailure, Explanation};
use crate::policy::{Ask, Failure};

/// What was told of one car.
#[derive(Debug, Default)]
pub(super) struct DeviceTroubles {
    /// What failed since each call last worked, by what it means for the car, and how often: as the
    /// policy counts.
    n_failed: Vec<(Ask, Failure, u32)>,
    /// At most one of each call, the newest last: that is the one which is shown.
    standing: Vec<StandingFailure>,
    /// What the bridge was shown last.
    shown: Option<Explanation>,
}

/// A failure that is worth telling, until the same call brings what it was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StandingFailure {
    class: Ask,
    kind: ApiFailure,
    /// The end of a limit, where Tesla named it.
    until: Option<Timestamp>,
}

impl StandingFailure {
    fn failure(&self) -> Failure {
        self.kind.meaning().car.failure
    }

    fn explanation(&self) -> Explanation {
        let of_kind = self.kind.explanation();
        if self.kind != ApiFailure::Limited {
            return of_kind;
        }
        // Where Tesla named no wait, the car's next call is the policy's to plan.
        Explanation {
            again: self.until.map_or(Again::Unsaid, Again::at),
            ..of_kind
        }
    }
}

impl DeviceTroubles {
    /// Goes on from an earlier task of the same car.
    pub(super) fn restored(standing: Vec<StandingFailure>) -> Self {
        let mut troubles = Self {
            standing,
            ..Self::default()
        };
        troubles.shown = troubles.wanted();
        troubles
    }

    /// For a later task of the same car.
    pub(super) fn standing(&self) -> &[StandingFailure] {
        &self.standing
    }

    /// What is wrong at the start of a task: the owner may know it from the one before.
    pub(super) fn at_start(&self) -> TroubleChange {
        let shown = self.shown.clone();
        shown.map_or(TroubleChange::Ended, TroubleChange::Changed)
    }

    /// A call was answered with an error.
    pub(super) fn failed(
        &mut self,
        ask: Ask,
        error: &ApiError,
        now: Timestamp,
    ) -> Option<TroubleChange> {
        let n_failed = self.count(ask, error.kind.meaning().car.failure);
        let is_it = |known: &StandingFailure| known.class == ask && known.kind == error.kind;
        let known = self.standing.iter().position(is_it);
        if known.is_none() && !is_worth_telling(error, n_failed) {
            return None;
        }
        let is_new = !self.standing.iter().any(|known| known.kind == error.kind);
        let failure = StandingFailure {
            class: ask,
            kind: error.kind,
            until: imposed_until(error, now),
        };
        if let Some(known) = known {
            self.standing[known] = failure;
        } else {
            self.standing.retain(|known| known.class != ask);
            self.standing.push(failure);
        }
        match self.show() {
            Some(TroubleChange::Changed(trouble)) if is_new => Some(TroubleChange::Begun(trouble)),
            change => change,
        }
    }

    /// A call brought what it was made for.
    pub(super) fn succeeded(&mut self, ask: Ask) -> Option<TroubleChange> {
        self.n_failed.retain(|(class, ..)| *class != ask);
        let is_not_found = |known: &StandingFailure| known.failure() == Failure::NotFound;
        let mut own = self.standing.iter().filter(|known| known.class == ask);
        // A car that is found again is found by every call.
        let is_found = ask == Ask::Light && own.any(is_not_found);
        self.standing
            .retain(|known| known.class != ask && !(is_found && is_not_found(known)));
        self.n_failed
            .retain(|(_, failure, _)| !(is_found && *failure == Failure::NotFound));
        self.show()
    }

    /// The device hears of something that makes it forget what it was refused before.
    pub(super) fn heard(&mut self, input: &Input) -> Option<TroubleChange> {
        let is_over: fn(Failure) -> bool = match input {
            Input::SignedIn => Failure::is_of_login,
            Input::MonthRolled => |failure| failure == Failure::BillingLimit,
            Input::PolicyChanged(_) => |failure| failure == Failure::MissingScope,
            // It is not asked about any more.
            Input::Removed => |_| true,
            _ => return None,
        };
        self.standing.retain(|known| !is_over(known.failure()));
        self.n_failed.retain(|(_, failure, _)| !is_over(*failure));
        self.show()
    }

    /// No limit keeps the device from its calls any more.
    pub(super) fn limit_is_over(&mut self) -> Option<TroubleChange> {
        self.standing
            .retain(|known| known.kind != ApiFailure::Limited);
        self.show()
    }

    /// How often the call has failed so since it last worked, now included.
    fn count(&mut self, ask: Ask, failure: Failure) -> u32 {
        let is_it = |(class, of, _): &&mut (Ask, Failure, u32)| (*class, *of) == (ask, failure);
        if let Some((.., n)) = self.n_failed.iter_mut().find(is_it) {
            *n = n.saturating_add(1);
            return *n;
        }
        self.n_failed.push((ask, failure, 1));
        1
    }

    fn wanted(&self) -> Option<Explanation> {
        self.standing.last().map(StandingFailure::explanation)
    }

    /// Whatever differs from what was shown is shown.
    fn show(&mut self) -> Option<TroubleChange> {
        let wanted = self.wanted();
        let before = std::mem::replace(&mut self.shown, wanted.clone());
        match wanted {
            wanted if wanted == before => None,
            None => Some(TroubleChange::Ended),
            Some(trouble) if before.is_some() => Some(TroubleChange::Changed(trouble)),
            Some(trouble) => Some(TroubleChange::Begun(trouble)),
        }
    }
}

fn is_worth_telling(error: &ApiError, n_failed: u32) -> bool {
    let car = error.kind.meaning().car;
    car.is_told(n_failed, error.retry_after)
}

fn imposed_until(error: &ApiError, now: Timestamp) -> Option<Timestamp> {
    let wait = SignedDuration::try_from(error.imposed_wait()?).ok()?;
    now.saturating_add(wait).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bridge::troubles::told;

    fn failed(troubles: &mut DeviceTroubles, ask: Ask, kind: ApiFailure) -> String {
        failed_with(troubles, ask, &ApiError::new(kind, ""))
    }

    fn failed_with(troubles: &mut DeviceTroubles, ask: Ask, error: &ApiError) -> String {
        let now = "2026-11-26T12:00:00Z".parse().expect("a time");
        told(troubles.failed(ask, error, now))
    }

    #[test]
    fn a_refusal_is_told_once_and_that_it_is_over() {
        let mut troubles = DeviceTroubles::default();
        let disabled = || ApiFailure::MobileAccessDisabled;
        assert!(failed(&mut troubles, Ask::Data, disabled()).contains("mobile access"));
        assert_eq!(failed(&mut troubles, Ask::Data, disabled()), "");
        assert_eq!(
            failed(&mut troubles, Ask::Light, disabled()),
            "",
            "the same of both"
        );
        assert_eq!(
            told(troubles.succeeded(Ask::Light)),
            "",
            "data is still refused"
        );
        assert_eq!(failed(&mut troubles, Ask::Data, ApiFailure::TimedOut), "");
        assert!(failed(&mut troubles, Ask::Data, ApiFailure::Privacy).contains("privacy"));
        assert_eq!(told(troubles.succeeded(Ask::Data)), "ended");
        assert_eq!(told(troubles.succeeded(Ask::Data)), "");
    }

    #[test]
    fn what_passes_is_not_told() {
        let mut troubles = DeviceTroubles::default();
        for kind in [
            ApiFailure::Unavailable,
            ApiFailure::TimedOut,
            ApiFailure::Server,
            ApiFailure::InService,
            ApiFailure::SignedOut,
        ] {
            for _ in 0..5 {
                assert_eq!(failed(&mut troubles, Ask::Data, kind), "");
            }
        }
        assert_eq!(told(troubles.succeeded(Ask::Data)), "");
    }

    #[test]
    fn a_long_limit_is_told_with_the_time_at_which_it_ends() {
        let mut troubles = DeviceTroubles::default();
        let limited = |minutes| ApiError::limited(Some(Duration::from_mins(minutes)), "");
        assert_eq!(failed_with(&mut troubles, Ask::Data, &limited(2)), "");
        let words = failed_with(&mut troubles, Ask::Data, &limited(120));
        assert!(words.ends_with("at 2026-11-26 14:00 UTC"), "{words}");
        let words = failed_with(&mut troubles, Ask::Data, &limited(180));
        assert!(
            words.starts_with("still ") && words.contains("15:00"),
            "{words}"
        );

        let mut troubles = DeviceTroubles::default();
        let mut limited = || failed(&mut troubles, Ask::Data, ApiFailure::Limited);
        assert_eq!([limited(), limited()], ["", ""]);
        assert_eq!(
            limited(),
            "Tesla limits the rate of calls",
            "Tesla named no time"
        );
    }

    #[test]
    fn what_is_doubted_is_told_when_it_comes_again_and_a_car_not_found_at_the_third_time() {
        let mut troubles = DeviceTroubles::default();
        let mut denied = || failed(&mut troubles, Ask::Data, ApiFailure::ScopeDenied);
        assert_eq!(denied(), "");
        assert!(denied().contains("has the permission"));
        let mut troubles = DeviceTroubles::default();
        let mut not_found = || failed(&mut troubles, Ask::Light, ApiFailure::NotFound);
        assert_eq!([not_found(), not_found()], ["", ""]);
        let words = not_found();
        assert!(words.contains("does not know this car"), "{words}");
        assert!(words.contains("Tesla app"), "the hint: {words}");
    }

    #[test]
    fn the_reason_that_is_left_is_told_and_a_car_that_is_found_again_is_found_by_every_call() {
        let mut troubles = DeviceTroubles::default();
        assert!(failed(&mut troubles, Ask::Light, ApiFailure::Locked).contains("locked"));
        assert!(failed(&mut troubles, Ask::Data, ApiFailure::Privacy).contains("privacy"));
        let left = told(troubles.succeeded(Ask::Data));
        assert!(left.contains("locked"), "{left}");
        assert_eq!(told(troubles.succeeded(Ask::Light)), "ended");

        for ask in [Ask::Light, Ask::Data] {
            for _ in 0..3 {
                failed(&mut troubles, ask, ApiFailure::NotFound);
            }
        }
        assert_eq!(told(troubles.succeeded(Ask::Light)), "ended");
    }

    #[test]
    fn another_login_ends_what_the_one_before_was_refused_and_a_car_that_is_gone_has_no_trouble() {
        let mut troubles = DeviceTroubles::default();
        assert_eq!(told(troubles.heard(&Input::SignedIn)), "");
        failed(&mut troubles, Ask::Data, ApiFailure::PaymentRequired);
        assert_eq!(told(troubles.heard(&Input::SignedIn)), "ended");

        let long = ApiError::limited(Some(Duration::from_hours(2)), "");
        failed_with(&mut troubles, Ask::Data, &long);
        assert_eq!(
            told(troubles.heard(&Input::SignedIn)),
            "",
            "a limit is the app's"
        );
        assert_eq!(told(troubles.heard(&Input::Removed)), "ended");
        assert_eq!(told(troubles.heard(&Input::Removed)), "");
    }

    #[test]
    fn no_reason_that_is_over_is_shown_because_the_one_that_is_left_was_told_before() {
        let mut troubles = DeviceTroubles::default();
        assert!(failed(&mut troubles, Ask::Light, ApiFailure::Locked).contains("locked"));
        assert!(failed(&mut troubles, Ask::Data, ApiFailure::Privacy).contains("privacy"));
        let left = failed(&mut troubles, Ask::Data, ApiFailure::Locked);
        assert!(
            left.starts_with("still ") && left.contains("locked"),
            "{left}"
        );
        assert_eq!(told(troubles.succeeded(Ask::Data)), "");
        assert_eq!(told(troubles.succeeded(Ask::Light)), "ended");
    }

    #[test]
    fn no_time_that_has_passed_is_shown_when_a_limit_goes_on_and_a_limit_that_is_over_ends() {
        let mut troubles = DeviceTroubles::default();
        let long = ApiError::limited(Some(Duration::from_hours(2)), "");
        assert!(failed_with(&mut troubles, Ask::Data, &long).contains("14:00"));
        assert_eq!(
            failed(&mut troubles, Ask::Data, ApiFailure::Limited),
            "still Tesla limits the rate of calls"
        );
        assert_eq!(failed(&mut troubles, Ask::Data, ApiFailure::Limited), "");
        assert_eq!(told(troubles.limit_is_over()), "ended");

        failed(&mut troubles, Ask::Light, ApiFailure::Privacy);
        assert_eq!(told(troubles.limit_is_over()), "", "that is no limit");
    }

    #[test]
    fn a_refusal_ends_when_the_device_forgets_it() {
        for (kind, input) in [
            (ApiFailure::BillingLimit, Input::MonthRolled),
            (
                ApiFailure::MissingScope,
                Input::PolicyChanged(Box::default()),
            ),
        ] {
            let mut troubles = DeviceTroubles::default();
            failed(&mut troubles, Ask::Light, ApiFailure::Privacy);
            for _ in 0..2 {
                failed(&mut troubles, Ask::Data, kind);
            }
            assert_eq!(told(troubles.heard(&Input::Listed)), "", "{kind:?}");
            let left = told(troubles.heard(&input));
            assert!(left.contains("privacy"), "{kind:?}: {left}");
        }
    }

    #[test]
    fn what_was_told_stands_over_a_restart() {
        let mut troubles = DeviceTroubles::default();
        let long = ApiError::limited(Some(Duration::from_hours(2)), "");
        failed_with(&mut troubles, Ask::Light, &long);
        failed(&mut troubles, Ask::Data, ApiFailure::BillingLimit);
        let saved = serde_json::to_string(troubles.standing()).expect("JSON");
        let saved = serde_json::from_str(&saved).expect("what was written");
        let mut restored = DeviceTroubles::restored(saved);
        assert!(told(Some(restored.at_start())).contains("billing limit"));
        assert_eq!(
            failed(&mut restored, Ask::Data, ApiFailure::BillingLimit),
            ""
        );
        assert!(told(restored.heard(&Input::MonthRolled)).contains("14:00"));
        let nothing = DeviceTroubles::default();
        assert_eq!(told(Some(nothing.at_start())), "ended");
    }
}
