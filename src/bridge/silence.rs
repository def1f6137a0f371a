//! How long Tesla has not answered about a car, which after a while is no longer `online`. A start
//! of the bridge is no answer: the silence goes on over restarts by the calendar, and otherwise by
//! the clock that cannot be set.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::Now;

/// How long Tesla has not answered about a car.
#[derive(Debug, Clone, Copy)]
pub struct Silence {
    /// Uptime of the last answer, or of the start.
    since: Duration,
    /// Before the start.
    before: Duration,
}

impl Silence {
    /// Tesla answers now, or the car is new here.
    pub fn begins(now: Now) -> Self {
        Self {
            since: now.mono,
            before: Duration::ZERO,
        }
    }

    /// Goes on from an earlier run. An answer from the future is of a clock that was ahead, or this
    /// one is behind: nothing is known of the time between.
    pub fn goes_on(since: Timestamp, now: Now) -> Self {
        let before = now.wall.duration_since(since);
        Self {
            before: Duration::try_from(before).unwrap_or_default(),
            ..Self::begins(now)
        }
    }

    /// So long.
    pub fn lasts(self, now: Now) -> Duration {
        now.mono.saturating_sub(self.since) + self.before
    }

    /// When it began, by the calendar as it stands.
    pub fn began_at(self, now: Now) -> Timestamp {
        now.wall.checked_sub(self.lasts(now)).unwrap_or(now.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn now(mono: Duration, wall: &str) -> Now {
        let wall = wall.parse().unwrap();
        Now { mono, wall }
    }

    #[test]
    fn a_start_is_no_contact_and_the_silence_before_it_counts() {
        let silence = Silence::begins(now(MINUTE, "2026-11-25T12:00:00Z"));
        let kept = silence.began_at(now(31 * MINUTE, "2026-11-25T12:30:00Z"));
        // Started anew an hour later.
        let silence = Silence::goes_on(kept, now(MINUTE, "2026-11-25T13:30:00Z"));
        let later = now(11 * MINUTE, "2026-11-25T13:40:00Z");
        assert_eq!(silence.lasts(later), 100 * MINUTE);
        assert_eq!(silence.began_at(later), kept);
    }

    #[test]
    fn a_clock_that_is_set_makes_no_silence_longer_or_shorter() {
        for wall in ["1970-01-01T00:00:10Z", "2036-01-01T00:00:00Z"] {
            let silence = Silence::begins(now(MINUTE, "2026-11-25T12:00:00Z"));
            let set = now(6 * MINUTE, wall);
            assert_eq!(silence.lasts(set), 5 * MINUTE);
            // A start right after it goes on from there.
            let silence = Silence::goes_on(silence.began_at(set), set);
            assert_eq!(silence.lasts(set), 5 * MINUTE);
        }
    }

    #[test]
    fn a_contact_of_the_future_is_taken_for_the_start() {
        let start = now(MINUTE, "2026-11-25T12:00:00Z");
        let silence = Silence::goes_on("2026-11-26T12:00:00Z".parse().unwrap(), start);
        assert_eq!(silence.lasts(start), Duration::ZERO);
        let later = now(3 * MINUTE, "2026-11-26T12:02:00Z");
        assert_eq!(silence.lasts(later), 2 * MINUTE);
    }
}
