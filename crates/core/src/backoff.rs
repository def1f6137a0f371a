//! How long to wait before something that failed is tried again: one rule for every schedule of
//! the bridge, pure, with its chance as an argument.
//!
//! The waits double from the first to the cap. Each is spread by a [`Jitter`], so that the bridges
//! of one outage do not knock in step. Whoever refuses us may ask for a longer wait than ours
//! (`Retry-After`), never for a shorter one: a server that says "at once" each time would be asked
//! for ever.

use std::time::Duration;

use thiserror::Error;

/// Waits that somebody asked for are believed up to a day; longer ones were seen (146092 s).
pub const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// Which part of a wait is waited: a factor drawn between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    low: f64,
    high: f64,
}

impl Jitter {
    /// The whole wait each time.
    pub const NONE: Self = Self {
        low: 1.0,
        high: 1.0,
    };
    /// Half of the wait to all of it: below the cap none is shorter than the one before.
    pub const UPPER_HALF: Self = Self {
        low: 0.5,
        high: 1.0,
    };
    /// A fifth more or less.
    pub const AROUND: Self = Self {
        low: 0.8,
        high: 1.2,
    };
    /// Up to a tenth more: for a wait that is a minimum.
    pub const LONGER: Self = Self {
        low: 1.0,
        high: 1.1,
    };

    /// A factor between two bounds.
    ///
    /// # Errors
    /// Unless 0 < `low` <= `high` <= 2.
    pub const fn new(low: f64, high: f64) -> Result<Self, BackoffError> {
        if low > 0.0 && low <= high && high <= 2.0 {
            Ok(Self { low, high })
        } else {
            Err(BackoffError::Jitter)
        }
    }

    fn factor(self, chance: f64) -> f64 {
        // Not a number is no chance.
        let chance = if chance.is_nan() { 1.0 } else { chance };
        self.low + (self.high - self.low) * chance.clamp(0.0, 1.0)
    }
}

/// Why three values are no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BackoffError {
    /// A first wait of nothing would be repeated without end.
    #[error("the first wait is nothing")]
    NoWait,
    /// Waits do not shrink.
    #[error("the longest wait is shorter than the first")]
    CapBelowFirst,
    /// The bounds of the jitter are out of order, or out of bounds.
    #[error("the jitter is not between two factors up to 2")]
    Jitter,
}

/// A schedule of waits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    jitter: Jitter,
}

impl Backoff {
    /// Waits that double from `first` to `cap`, each spread by `jitter`.
    ///
    /// # Errors
    /// Unless 0 < `first` <= `cap`.
    pub const fn new(first: Duration, cap: Duration, jitter: Jitter) -> Result<Self, BackoffError> {
        if first.is_zero() {
            Err(BackoffError::NoWait)
        } else if cap.as_nanos() < first.as_nanos() {
            Err(BackoffError::CapBelowFirst)
        } else {
            Ok(Self { first, cap, jitter })
        }
    }

    /// The same for a schedule that stands in the source.
    ///
    /// # Panics
    /// Where [`Backoff::new`] fails: in a constant that is an error of the compiler.
    pub const fn fixed(first: Duration, cap: Duration, jitter: Jitter) -> Self {
        match Self::new(first, cap, jitter) {
            Ok(schedule) => schedule,
            Err(_) => panic!("0 < first <= cap does not hold"),
        }
    }

    /// The wait after the `n_in_a_row`-th failure in a row, counted from 1. `chance` is between 0
    /// and 1 and places it within the jitter.
    pub fn wait(&self, n_in_a_row: u32, chance: f64) -> Duration {
        self.step(n_in_a_row).mul_f64(self.jitter.factor(chance))
    }

    /// The same where whoever failed asked for a wait, which may lengthen ours and never shortens
    /// it. At most a day of it is believed.
    pub fn wait_at_least(&self, asked: Option<Duration>, n_in_a_row: u32, chance: f64) -> Duration {
        let own = self.wait(n_in_a_row, chance);
        let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
        own.max(asked.mul_f64(Jitter::LONGER.factor(chance)))
    }

    fn step(&self, n_in_a_row: u32) -> Duration {
        let doublings = n_in_a_row.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_hours(1);
    const GROWING: Backoff = Backoff::fixed(SECOND, HOUR, Jitter::UPPER_HALF);

    #[test]
    fn waits_double_from_the_first_to_the_cap() {
        let waits = [0, 1, 2, 3, 12, 13, 99, u32::MAX].map(|n| GROWING.wait(n, 1.0).as_secs());
        assert_eq!(waits, [1, 1, 2, 4, 2048, 3600, 3600, 3600]);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let new = |first, cap| Backoff::new(first, cap, Jitter::NONE);
        assert_eq!(new(Duration::ZERO, HOUR), Err(BackoffError::NoWait));
        assert_eq!(new(HOUR, SECOND), Err(BackoffError::CapBelowFirst));
        assert!(new(HOUR, HOUR).is_ok());
        for (low, high) in [(0.0, 1.0), (1.0, 0.5), (-1.0, 1.0), (1.0, 2.1)] {
            assert_eq!(Jitter::new(low, high), Err(BackoffError::Jitter));
        }
        assert_eq!(Jitter::new(f64::NAN, 1.0), Err(BackoffError::Jitter));
        assert!(Jitter::new(0.4, 1.0).is_ok());
    }

    #[test]
    fn at_most_a_day_of_an_asked_wait_is_believed() {
        let wait = GROWING.wait_at_least(Some(Duration::MAX), 1, 1.0);
        assert_eq!(wait, LONGEST_ASKED.mul_f64(1.1));
    }

    proptest! {
        #[test]
        fn an_asked_wait_lengthens_and_never_shortens(
            n in 0_u32..40, chance in 0.0..=1.0_f64, asked in proptest::option::of(0_u64..100_000),
        ) {
            let asked = asked.map(Duration::from_secs);
            let wait = GROWING.wait_at_least(asked, n, chance);
            prop_assert!(wait >= GROWING.wait(n, chance));
            prop_assert!(wait >= asked.unwrap_or_default().min(LONGEST_ASKED));
        }

        #[test]
        fn no_wait_is_shorter_than_the_one_before_whatever_the_chance(
            n in 1_u32..10, chances in (0.0..=1.0_f64, 0.0..=1.0_f64),
        ) {
            prop_assert!(GROWING.wait(n + 1, chances.0) >= GROWING.wait(n, chances.1));
        }
    }
}
