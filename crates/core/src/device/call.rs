//! A call of a device: asked of the account, made, and put on the account's bill. Written once for
//! whoever makes calls: the bridge over HTTP, the estimate and the tests with a simulated car.

use std::time::Duration;

use super::Input;
use crate::model::Now;
use crate::policy::{Ask, CallClass, Governor, Permit, Purpose, Why};

/// A call that a device wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Light or data.
    pub class: Ask,
    /// What it is for: when the budget is short, the account allows the most important ones.
    pub purpose: Purpose,
    /// The objects of `vehicle_data` to ask for; empty for a light call.
    pub endpoints: Vec<&'static str>,
}

/// The account does not allow a call at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// Which.
    class: Ask,
    /// From the moment of asking.
    pub retry_after: Duration,
    /// What stands against it.
    pub why: Why,
}

/// What came back over the line for one call, for the account's bill.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    /// HTTP statuses of all answers, in order; empty when nothing came back.
    pub statuses: &'a [u16],
    /// The last request was sent and never answered: it may have been billed.
    pub is_lost: bool,
    /// The limit that Tesla named in the last one.
    pub limit: Option<Limit>,
}

/// A limit that Tesla sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// 429, with its `Retry-After`.
    Rate(Option<Duration>),
    /// The billing limit of the app is reached.
    Billing,
}

impl Call {
    /// Asks the account for this call. `Ok` counts it: its outcome goes to [`Call::bill`]. An error
    /// goes to [`Device::handle`](super::Device::handle) instead of an answer.
    pub fn permit(&self, governor: &mut Governor, now: Now) -> Result<(), Denied> {
        match governor.permit(now, self.class, self.purpose) {
            Permit::Go => Ok(()),
            Permit::NotBefore { at, why } => Err(Denied {
                class: self.class,
                retry_after: at.saturating_sub(now.mono),
                why,
            }),
        }
    }

    /// Puts what the call cost on the account's bill, and the limits that its answers named.
    pub fn bill(&self, governor: &mut Governor, now: Now, answers: &Answers<'_>) {
        let class = CallClass::from(self.class);
        let (last, earlier) = match answers.statuses.split_last() {
            // The permit stays with the request that was lost.
            _ if answers.is_lost => (None, answers.statuses),
            Some((last, earlier)) => (Some(*last), earlier),
            None => (None, [].as_slice()),
        };
        if !answers.is_lost {
            governor.billed(now, class, last);
        }
        for status in earlier {
            governor.billed_in_addition(now, class, *status);
        }
        answers.limit(governor, now, class);
    }
}

impl Answers<'_> {
    /// Puts an account's list of its cars on the account's bill. It needs no permit: the governor
    /// has cars to think of.
    pub fn bill_list(&self, governor: &mut Governor, now: Now) {
        for status in self.statuses {
            governor.billed_in_addition(now, CallClass::Light, *status);
        }
        self.limit(governor, now, CallClass::Light);
    }

    fn limit(&self, governor: &mut Governor, now: Now, class: CallClass) {
        match self.limit {
            Some(Limit::Rate(retry_after)) => governor.limited(now, class, retry_after),
            Some(Limit::Billing) => governor.over_limit(now, class),
            None => {}
        }
    }

    /// The call was given up before anything came back.
    pub const NONE: Self = Self {
        statuses: &[],
        is_lost: false,
        limit: None,
    };
}

impl From<Denied> for Input {
    fn from(denied: Denied) -> Self {
        Self::NotPermitted {
            class: denied.class,
            retry_after: denied.retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::GovernorConfig;

    #[test]
    fn lists_are_on_the_account_and_their_limit_stops_light_calls() {
        let now = Now {
            mono: Duration::ZERO,
            wall: "2026-06-02T12:00:00Z".parse().expect("a time"),
        };
        let mut governor = Governor::new(GovernorConfig::metered(), now);
        let list = |governor: &mut Governor, statuses, limit| {
            let answers = Answers {
                statuses,
                is_lost: false,
                limit,
            };
            answers.bill_list(governor, now);
        };
        list(&mut governor, &[401, 200], None);
        list(&mut governor, &[503], None);
        assert_eq!(governor.status(now).today.light, 2);
        let permit =
            |governor: &mut Governor| governor.permit(now, CallClass::Light, Purpose::Parked);
        assert_eq!(permit(&mut governor), Permit::Go);
        let limit = Limit::Rate(Some(Duration::from_mins(2)));
        list(&mut governor, &[429], Some(limit));
        assert!(matches!(permit(&mut governor), Permit::NotBefore { .. }));
    }
}
