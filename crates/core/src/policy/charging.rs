//! What is remembered of the car's charging, for the intervals of the next looks.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::memory::{At, Moment};
use crate::model::ChargingState;

/// A charge interrupted for less goes on with its old ladder.
const SAME_CHARGE: Duration = Duration::from_mins(10);
/// From here on a charge is a fast one.
const FAST_KW: f64 = 15.0;

/// The newest charge, under way or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Charging {
    pub(super) since: Option<At>,
    pub(super) last_at: Option<At>,
    /// `charging_state`.
    pub(super) state: Option<ChargingState>,
    pub(super) power_kw: Option<f64>,
    /// The start that is scheduled, by the calendar.
    pub(super) scheduled_at: Option<Timestamp>,
}

impl Charging {
    /// Data shows that the car charges.
    pub(super) fn seen(&mut self, m: Moment) {
        let same = self.last_at.is_some_and(|at| m.since(at) < SAME_CHARGE);
        if !same {
            self.since = Some(m.t);
        }
        self.last_at = Some(m.t);
    }

    /// A push says that a charge begins.
    pub(super) fn begun(&mut self, state: ChargingState, m: Moment) {
        self.since = Some(m.t);
        self.last_at = Some(m.t);
        self.state = Some(state);
    }

    pub(super) fn is_fast(&self) -> bool {
        self.power_kw.is_some_and(|kw| kw >= FAST_KW)
    }

    /// It began within this time.
    pub(super) fn is_younger_than(&self, time: Duration, m: Moment) -> bool {
        self.since.is_some_and(|since| m.since(since) < time)
    }

    /// It charged within this time, and waits for power: it comes and goes with the sun.
    pub(super) fn comes_and_goes(&self, time: Duration, m: Moment) -> bool {
        self.last_at.is_some_and(|at| m.since(at) < time)
            && self.state == Some(ChargingState::NoPower)
    }
}
