//! What Tesla forbids the account for a while: a limit on the rate of calls, or on the app's bill.
//! It concerns every car of the account.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Governor;
use super::ledger::GovernorMemory;
use crate::backoff::{Backoff, Jitter};
use crate::model::Now;
use crate::policy::memory::At;
use crate::policy::prices::CallClass;

/// No limit on the rate is over sooner.
const SHORTEST_SHARED_WAIT: Duration = Duration::from_mins(1);
/// A limit on one car stops the others of the account for this long at most: limits are per car
/// and class, and another car may be asked before one that was told to wait for a day.
const LONGEST_SHARED_WAIT: Duration = Duration::from_mins(5);
const OVER_LIMIT: Backoff = Backoff::fixed(
    Duration::from_hours(1),
    Duration::from_hours(6),
    Jitter::NONE,
);

/// No call of a class before a time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Stop {
    pub(super) until: At,
    attempt: u32,
    /// By the limit on the app's bill.
    billing: bool,
}

impl Governor {
    /// A call was answered with 429: no car of the account makes such a call for a while.
    pub fn limited(
        &mut self,
        now: Now,
        class: impl Into<CallClass>,
        retry_after: Option<Duration>,
    ) {
        let wait = retry_after
            .unwrap_or(LONGEST_SHARED_WAIT)
            .clamp(SHORTEST_SHARED_WAIT, LONGEST_SHARED_WAIT);
        let until = self.at(now) + wait;
        *self.ledger.stop_mut(class.into()) = Some(Stop {
            until,
            attempt: 0,
            billing: false,
        });
        self.wants_persisting = true;
    }

    /// A call was answered with 403 `EXCEEDED_LIMIT`: one try an hour, later one in six.
    pub fn over_limit(&mut self, now: Now, class: impl Into<CallClass>) {
        let t = self.at(now);
        let stop = self.ledger.stop_mut(class.into());
        let before = stop.as_ref().filter(|stop| stop.billing);
        let attempt = before.map_or(0, |stop| stop.attempt).saturating_add(1);
        *stop = Some(Stop {
            until: t + OVER_LIMIT.wait(attempt, 1.0),
            attempt,
            billing: true,
        });
        self.wants_persisting = true;
    }

    /// What Tesla stopped is open again: it was another login's.
    pub fn forget_stops(&mut self) {
        for stop in self.ledger.stops_mut() {
            *stop = None;
        }
    }
}

impl GovernorMemory {
    /// Until when no call of the class is made, if that is not over.
    pub(super) fn stopped_until(&self, class: CallClass, t: At) -> Option<At> {
        let stop = match class {
            CallClass::Light => &self.light_stop,
            CallClass::Data => &self.data_stop,
            CallClass::Command | CallClass::Wake => &self.command_stop,
        };
        let until = stop.as_ref()?.until;
        (until > t).then_some(until)
    }

    /// A call of the class worked.
    pub(super) fn end_stop(&mut self, class: CallClass) {
        *self.stop_mut(class) = None;
    }

    /// Tesla says that the app's billing limit is reached.
    pub(super) fn is_over_limit(&self) -> bool {
        [&self.data_stop, &self.light_stop, &self.command_stop]
            .into_iter()
            .flatten()
            .any(|stop| stop.billing)
    }

    /// A new month is billed anew.
    pub(super) fn end_billing_stops(&mut self) {
        for stop in self.stops_mut() {
            stop.take_if(|stop| stop.billing);
        }
    }

    fn stop_mut(&mut self, class: CallClass) -> &mut Option<Stop> {
        match class {
            CallClass::Light => &mut self.light_stop,
            CallClass::Data => &mut self.data_stop,
            CallClass::Command | CallClass::Wake => &mut self.command_stop,
        }
    }

    fn stops_mut(&mut self) -> [&mut Option<Stop>; 3] {
        [
            &mut self.data_stop,
            &mut self.light_stop,
            &mut self.command_stop,
        ]
    }
}
