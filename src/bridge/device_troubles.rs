//! Why Tesla refuses to tell of a car, as the owner is told: each reason once, and once that it is
//! over. What passes by itself is the log's at most, what ends a login is told by the account.

use jiff::{SignedDuration, Timestamp};

use super::list_troubles::LONG_LIMIT;
use super::troubles::TroubleChange;
use crate::api::ApiError;
use crate::failure::{Again, ApiFailure, Explanation};
use crate::policy::{Ask, Failure};

/// What was told of one car.
#[derive(Debug, Default)]
pub(super) struct DeviceTroubles {
    light: Outcomes,
    data: Outcomes,
}

/// How the calls of one class fare.
#[derive(Debug, Default)]
struct Outcomes {
    /// The last failures of one kind, and how many.
    in_a_row: Option<(ApiFailure, u32)>,
    told: Option<Told>,
}

#[derive(Debug, Clone)]
struct Told {
    failure: Failure,
    trouble: Explanation,
}

impl DeviceTroubles {
    /// A call was answered with an error.
    pub(super) fn failed(
        &mut self,
        ask: Ask,
        error: &ApiError,
        now: Timestamp,
    ) -> Option<TroubleChange> {
        let of_class = self.of_class(ask);
        of_class.in_a_row = match of_class.in_a_row {
            Some((kind, n)) if kind == error.kind => Some((kind, n.saturating_add(1))),
            _ => Some((error.kind, 1)),
        };
        let n_in_a_row = of_class.in_a_row.map_or(1, |(_, n)| n);
        let trouble = worth_telling(error, n_in_a_row, now)?;
        let is_known = [&self.light, &self.data].iter().any(|of_class| {
            let told = of_class.told.as_ref();
            told.is_some_and(|told| told.trouble.is_same_but_for_the_time(&trouble))
        });
        self.of_class(ask).told = Some(Told {
            failure: error.kind.meaning().car.failure,
            trouble: trouble.clone(),
        });
        match (is_known, trouble.again) {
            (false, _) => Some(TroubleChange::Begun(trouble)),
            (true, Again::At(_)) => Some(TroubleChange::Changed(trouble)),
            (true, _) => None,
        }
    }

    /// A call brought what it was made for.
    pub(super) fn succeeded(&mut self, ask: Ask) -> Option<TroubleChange> {
        let before = std::mem::take(self.of_class(ask)).told?;
        let is_not_found = |told: &Told| told.failure == Failure::NotFound;
        // A car that is found again is found by every call.
        if ask == Ask::Light && is_not_found(&before) {
            self.data.told.take_if(|told| is_not_found(told));
        }
        self.left_after(&before)
    }

    /// There is another login: what the one before was refused says nothing of this one.
    pub(super) fn signed_in(&mut self) -> Option<TroubleChange> {
        let is_of_login = |told: &mut Told| {
            matches!(
                told.failure,
                Failure::Refused
                    | Failure::Region
                    | Failure::Doubted
                    | Failure::BillingLimit
                    | Failure::MissingScope
            )
        };
        let light = self.light.told.take_if(is_of_login);
        let data = self.data.told.take_if(is_of_login);
        self.left_after(&data.or(light)?)
    }

    /// The car is not asked about any more.
    pub(super) fn not_asked(&mut self) -> Option<TroubleChange> {
        let before = std::mem::take(self);
        let was_told = before.light.told.is_some() || before.data.told.is_some();
        was_told.then_some(TroubleChange::Ended)
    }

    /// What is wrong when a trouble of one class has ended.
    fn left_after(&self, ended: &Told) -> Option<TroubleChange> {
        match self.data.told.as_ref().or(self.light.told.as_ref()) {
            None => Some(TroubleChange::Ended),
            Some(left) if left.trouble.is_same_but_for_the_time(&ended.trouble) => None,
            Some(left) => Some(TroubleChange::Changed(left.trouble.clone())),
        }
    }

    fn of_class(&mut self, ask: Ask) -> &mut Outcomes {
        match ask {
            Ask::Light => &mut self.light,
            Ask::Data => &mut self.data,
        }
    }
}

fn worth_telling(error: &ApiError, n_in_a_row: u32, now: Timestamp) -> Option<Explanation> {
    let told_from = error.kind.meaning().car.told_from?;
    let is_long = error.retry_after.is_some_and(|wait| wait > LONG_LIMIT);
    if n_in_a_row < told_from && !is_long {
        return None;
    }
    if error.kind != ApiFailure::Limited {
        return Some(error.explanation());
    }
    // Where Tesla named no wait, the car's next call is the policy's to plan.
    let until = error
        .imposed_wait()
        .and_then(|wait| SignedDuration::try_from(wait).ok())
        .and_then(|wait| now.saturating_add(wait).ok());
    Some(Explanation {
        again: until.map_or(Again::Unsaid, Again::at),
        ..error.kind.explanation()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(change: Option<TroubleChange>) -> String {
        match change {
            Some(TroubleChange::Begun(trouble)) => trouble.to_string(),
            Some(TroubleChange::Changed(trouble)) => format!("still {trouble}"),
            Some(TroubleChange::Ended) => "ended".to_owned(),
            None => String::new(),
        }
    }

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
        assert_eq!(told(troubles.signed_in()), "");
        failed(&mut troubles, Ask::Data, ApiFailure::PaymentRequired);
        assert_eq!(told(troubles.signed_in()), "ended");

        let long = ApiError::limited(Some(Duration::from_hours(2)), "");
        failed_with(&mut troubles, Ask::Data, &long);
        assert_eq!(told(troubles.signed_in()), "", "a limit is the app's");
        assert_eq!(told(troubles.not_asked()), "ended");
        assert_eq!(told(troubles.not_asked()), "");
    }
}
