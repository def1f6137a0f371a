//! How fast a device's clock runs: as the world's, or faster in a demo. What others take their time
//! for (Home Assistant, a hanging line) keeps its distances in real time.

use std::time::Duration;

use crate::model::Now;

/// Seconds of the device's clock in a second of the world's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockSpeed(f64);

impl ClockSpeed {
    /// As the world's.
    pub const REAL: Self = Self(1.0);

    /// Faster than the world's; a factor that is none is taken for 1.
    pub fn times(factor: f64) -> Self {
        let is_faster = factor.is_finite() && factor > 1.0;
        Self(if is_faster { factor } else { 1.0 })
    }

    /// The same instant with the monotonic clock of the world.
    pub(super) fn real(self, now: Now) -> Now {
        if self == Self::REAL {
            return now;
        }
        Now {
            mono: now.mono.div_f64(self.0),
            wall: now.wall,
        }
    }

    /// What the device's clock shows, or how much it goes on, at or in a time of the world's.
    pub(super) fn mono(self, real: Duration) -> Duration {
        let is_plain = self == Self::REAL || real == Duration::MAX;
        if is_plain {
            return real;
        }
        Duration::try_from_secs_f64(real.as_secs_f64() * self.0).unwrap_or(Duration::MAX)
    }
}
