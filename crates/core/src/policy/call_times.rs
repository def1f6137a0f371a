//! When the car was asked last, and how far its intervals are drawn apart.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interface::Ask;
use super::memory::{At, Moment};

/// For so long after Tesla said that light calls are too many there are fewer of them.
const MODEST_FOR: Duration = Duration::from_hours(24);

/// The newest call of each kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CallTimes {
    /// Of either kind.
    pub(super) last_at: Option<At>,
    pub(super) light_at: Option<At>,
    pub(super) data_at: Option<At>,
    /// The jitter of the interval that runs, drawn with the call that began it.
    pub(super) light_jitter: f64,
    pub(super) data_jitter: f64,
    /// Tesla was asked too often, with light calls.
    pub(super) light_limited_at: Option<At>,
}

impl Default for CallTimes {
    fn default() -> Self {
        Self {
            last_at: None,
            light_at: None,
            data_at: None,
            light_jitter: 1.0,
            data_jitter: 1.0,
            light_limited_at: None,
        }
    }
}

impl CallTimes {
    /// A call is made; the interval that it begins is stretched by `jitter`.
    pub(super) fn asked(&mut self, ask: Ask, jitter: f64, m: Moment) {
        self.last_at = Some(m.t);
        match ask {
            Ask::Light => (self.light_at, self.light_jitter) = (Some(m.t), jitter),
            Ask::Data => (self.data_at, self.data_jitter) = (Some(m.t), jitter),
        }
    }

    /// Tesla said within the last day that light calls are too many.
    pub(super) fn is_modest(&self, m: Moment) -> bool {
        self.modest_until().is_some_and(|until| m.t < until)
    }

    pub(super) fn modest_until(&self) -> Option<At> {
        self.light_limited_at
            .map(|at| at.saturating_add(MODEST_FOR))
    }
}
