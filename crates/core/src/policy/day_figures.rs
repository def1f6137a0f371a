//! Figures of the UTC day, for the topics.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::interface::Ask;
use super::memory::{At, Moment};

/// What a day has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DayFigures {
    /// Days since 1970, UTC.
    day: i64,
    counted_at: At,
    pub(super) awake: Duration,
    pub(super) light_calls: u32,
    pub(super) data_calls: u32,
}

impl DayFigures {
    pub(super) fn new(wall: Timestamp) -> Self {
        Self {
            day: day_of(wall),
            ..Self::default()
        }
    }

    /// The newest time that was counted.
    pub(super) fn counted_at(&self) -> At {
        self.counted_at
    }

    /// The process starts; the time before it is not counted.
    pub(super) fn begin(&mut self, m: Moment) {
        self.counted_at = m.t;
    }

    /// Time passes in a state in which the car is awake, or not.
    pub(super) fn pass(&mut self, is_awake: bool, m: Moment) {
        let today = day_of(m.wall);
        if self.day != today {
            *self = Self {
                day: today,
                counted_at: self.counted_at,
                ..Self::default()
            };
        }
        if is_awake {
            self.awake += m.since(self.counted_at);
        }
        self.counted_at = self.counted_at.max(m.t);
    }

    pub(super) fn asked(&mut self, ask: Ask) {
        let count = self.count(ask);
        *count = count.saturating_add(1);
    }

    /// A call was not made after all.
    pub(super) fn not_asked(&mut self, ask: Ask) {
        let count = self.count(ask);
        *count = count.saturating_sub(1);
    }

    fn count(&mut self, ask: Ask) -> &mut u32 {
        match ask {
            Ask::Light => &mut self.light_calls,
            Ask::Data => &mut self.data_calls,
        }
    }
}

/// Days since 1970, UTC.
pub(super) fn day_of(wall: Timestamp) -> i64 {
    wall.as_second().div_euclid(86_400)
}
