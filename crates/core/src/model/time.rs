//! Both clocks of one instant.

use std::time::Duration;

use jiff::Timestamp;

/// The time, taken once at the edge. Intervals use `mono`; calendars (billing month, scheduled
/// charging, published times) use `wall`: a Raspberry Pi without a clock chip boots in the past
/// and jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since the process started; never goes back.
    pub mono: Duration,
    /// The calendar's time; may jump.
    pub wall: Timestamp,
}

/// 2020: a calendar before it has not been set yet.
const CLOCK_IS_SET: i64 = 1_577_836_800;

impl Now {
    /// Whether the calendar can be believed at all.
    pub fn is_set(self) -> bool {
        self.wall.as_second() >= CLOCK_IS_SET
    }

    /// The same instant plus `by`, on both clocks.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self {
            mono: self.mono + by,
            wall: self.wall + by,
        }
    }
}
