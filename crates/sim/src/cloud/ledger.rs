//! What was asked of the cloud and what it answered: for assertions, and for the bill.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use tesla2mqtt_core::model::Vin;

/// The kinds of calls, as they are billed and as faults are aimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallKind {
    /// `GET /api/1/products`
    Products,
    /// `GET /api/1/vehicles`
    Vehicles,
    /// `GET /api/1/vehicles/{id}`
    Light,
    /// `GET /api/1/vehicles/{id}/vehicle_data`
    Data,
    /// `POST /api/1/vehicles/{id}/wake_up`
    Wake,
    /// `GET /api/1/users/region`
    Region,
    /// `POST /oauth/token`, the login of 2019
    Password,
    /// `POST /oauth2/v3/token`
    Token,
    /// Anything else.
    Other,
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// When it came, in the cloud's time.
    pub at: Timestamp,
    /// When its answer was ready to be sent.
    pub answered_at: Timestamp,
    /// `GET`, `POST`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Behind the `?`, as sent.
    pub query: String,
    /// Its kind.
    pub call: CallKind,
    /// The car that it names.
    pub vin: Option<Vin>,
    /// Status of the answer; 0 when none was given (hang, reset).
    pub status: u16,
    /// Which of the account's access tokens it carried, counted from 1.
    pub bearer: Option<u64>,
}

/// The requests kept for inspection; the counters know all.
const KEPT: usize = 20_000;

/// Counters of all calls, and the newest requests.
#[derive(Debug, Clone, Default)]
pub struct RequestLog {
    counts: BTreeMap<(CallKind, u16), u64>,
    billed: BTreeMap<CallKind, u64>,
    requests: VecDeque<Request>,
}

impl RequestLog {
    /// Notes a request and the status of what was done for it, whether the client heard of it or
    /// not; 0: nothing was.
    pub(super) fn note(&mut self, request: Request, done: u16) {
        if (1..500).contains(&done) {
            *self.billed.entry(request.call).or_default() += 1;
        }
        *self
            .counts
            .entry((request.call, request.status))
            .or_default() += 1;
        if self.requests.len() == KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// Calls of a kind, whatever became of them.
    pub fn count(&self, call: CallKind) -> u64 {
        self.sum(|(seen, _)| seen == call)
    }

    /// Calls of a kind that were answered with a status (0: not answered).
    pub fn answered(&self, call: CallKind, status: u16) -> u64 {
        self.counts.get(&(call, status)).copied().unwrap_or(0)
    }

    /// Calls of a kind that Tesla bills: every answer below 500, also one that was lost on its way.
    pub fn billed(&self, call: CallKind) -> u64 {
        self.billed.get(&call).copied().unwrap_or(0)
    }

    /// Wake calls: none, unless the owner ordered one.
    pub fn wakes(&self) -> u64 {
        self.count(CallKind::Wake)
    }

    /// What data and wakes cost, by Tesla's price list (tesla-api.md, section 8.1).
    pub fn dollars(&self) -> f64 {
        let price = |call, units_per_dollar| {
            let billed = u32::try_from(self.billed(call)).unwrap_or(u32::MAX);
            f64::from(billed) / units_per_dollar
        };
        price(CallKind::Data, 500.0) + price(CallKind::Wake, 50.0)
    }

    /// The newest requests, oldest first.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &Request> {
        self.requests.iter()
    }

    fn sum(&self, wanted: impl Fn((CallKind, u16)) -> bool) -> u64 {
        let wanted = self.counts.iter().filter(|(key, _)| wanted(**key));
        wanted.map(|(_, n)| n).sum()
    }
}
