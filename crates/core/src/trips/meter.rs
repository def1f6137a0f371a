//! The energy charged in all, from a counter that starts again with each session.
//!
//! Tesla's counter keeps the last session's value after unplugging and falls to 0 some time into
//! the next session (tesla-api.md, quirk 8). A reader of the bare counter loses what a session had
//! charged before it fell, or counts a session that began unseen above the old value as its
//! difference only.

use serde::{Deserialize, Serialize};

use super::look::Look;

/// A meter that only grows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnergyMeter {
    total_kwh: f64,
    counter_kwh: Option<f64>,
    /// Unplugged or driven since the counter last moved: what it shows next is a new session.
    is_stale: bool,
}

/// The counter wobbles by its rounding; a fall beyond this is a new session.
const WOBBLE_KWH: f64 = 0.3;
/// A drive of this length needs the cable out.
const DRIVEN_MI: f64 = 0.2;
/// No charge lasts for more; a broken counter does not spoil the sum.
const SESSION_AT_MOST_KWH: f64 = 400.0;

impl EnergyMeter {
    /// Takes in a look. What the counter of a car that was just unplugged has gained is still
    /// the session's; only after a drive is it another's.
    pub fn note(&mut self, last: Option<&Look>, now: &Look) {
        let driven = last.and_then(|last| now.miles_since(last));
        self.is_stale |= driven.is_some_and(|miles| miles > DRIVEN_MI);
        self.count(now);
        self.is_stale |= now.unplugged;
    }

    fn count(&mut self, now: &Look) {
        let in_range = |kwh: &f64| (0.0..SESSION_AT_MOST_KWH).contains(kwh);
        let Some(counter) = now.session_kwh.filter(in_range) else {
            return;
        };
        let Some(before) = self.counter_kwh else {
            self.counter_kwh = Some(counter);
            return;
        };
        let moved = (counter - before).abs() > 0.005;
        if !moved {
            return;
        }
        if self.is_stale || counter < before - WOBBLE_KWH {
            self.total_kwh += counter;
            self.is_stale = false;
        } else if counter > before {
            self.total_kwh += counter - before;
        } else {
            return;
        }
        self.counter_kwh = Some(counter);
    }

    /// Since the bridge first saw the car; `None` until it has seen the counter.
    pub fn total_kwh(&self) -> Option<f64> {
        self.counter_kwh.map(|_| self.total_kwh)
    }

    /// Whether the counter still shows an earlier session.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }
}
