//! Why Tesla refuses to tell of a car, as the owner is told: each reason once, and once that it is
//! over. What passes by itself is the log's at most, what ends a login is told by the account.

use jiff::{SignedDuration, Timestamp};

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
    /// What failed since it last worked, by what it means for the car, and how often: as the policy
    /// counts.
    failed: Vec<(Failure, u32)>,
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
        let failure = error.kind.meaning().car.failure;
        let n_failed = self.of_class(ask).failed(failure);
        let trouble = worth_telling(error, n_failed, now)?;
        let is_known = [&self.light, &self.data].iter().any(|of_class| {
            let told = of_class.told.as_ref();
            told.is_some_and(|told| told.trouble.is_same_but_for_the_time(&trouble))
        });
        self.of_class(ask).told = Some(Told {
            failure,
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
            let is_other = |(failure, _): &(Failure, u32)| *failure != Failure::NotFound;
            self.data.failed.retain(is_other);
        }
        self.left_after(&before)
    }

    /// There is another login: what the one before was refused says nothing of this one.
    pub(super) fn signed_in(&mut self) -> Option<TroubleChange> {
        let is_of_login = |failure: Failure| {
            matches!(
                failure,
                Failure::Refused
                    | Failure::Region
                    | Failure::Doubted
                    | Failure::BillingLimit
                    | Failure::MissingScope
            )
        };
        let [light, data] = [&mut self.light, &mut self.data].map(|of_class| {
            of_class
                .failed
                .retain(|(failure, _)| !is_of_login(*failure));
            of_class.told.take_if(|told| is_of_login(told.failure))
        });
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

impl Outcomes {
    /// How often it has failed so since it last worked.
    fn failed(&mut self, failure: Failure) -> u32 {
        let at = self.failed.iter().position(|(of, _)| *of == failure);
        let at = at.unwrap_or_else(|| {
            self.failed.push((failure, 0));
            self.failed.len() - 1
        });
        let (_, n) = &mut self.failed[at];
        *n = n.saturating_add(1);
        *n
    }
}

fn worth_telling(error: &ApiError, n_failed: u32, now: Timestamp) -> Option<Explanation> {
    if !error
        .kind
        .meaning()
        .car
        .is_told(n_failed, error.retry_after)
    {
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
