//! Whether a device can be known at all, the topic `availability`: when Tesla last answered about
//! it, and after how long without it is no longer `online`. A start of the bridge is no answer: the
//! time without contact goes on over restarts by the calendar, and otherwise by the clock that
//! cannot be set.

use std::time::Duration;

use jiff::Timestamp;

use super::Device;
use crate::model::Now;
use crate::policy::{Problem, Status};

impl Device {
    /// Whether the bridge can know the device at all.
    pub(super) fn is_available(&self, status: &Status, now: Now) -> bool {
        self.contact.age(now) < self.unavailable_after
            && !matches!(status.problem, Some(Problem::SignedOut | Problem::Removed))
    }

    /// Monotonic time at which the device becomes unavailable without an answer; never if it is
    /// already, or if nobody is told.
    pub(super) fn unavailable_at(&self, now: Now) -> Duration {
        let left = self.unavailable_after.saturating_sub(self.contact.age(now));
        if left.is_zero() || self.publisher.is_none() {
            return Duration::MAX;
        }
        now.mono.saturating_add(left)
    }

    /// Whether the device has become unavailable, and that is not said yet.
    pub(super) fn has_become_unavailable(&self, now: Now) -> bool {
        let publisher = self.publisher.as_ref();
        let is_unsaid = publisher.is_some_and(|publisher| !publisher.says_unavailable());
        is_unsaid && !self.is_available(&self.policy.status(now), now)
    }
}

/// When Tesla last answered about a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastContact {
    /// Monotonic time of the last answer, or of the start.
    since: Duration,
    /// Time without contact before the start.
    before: Duration,
}

impl LastContact {
    /// Tesla answers now, or the device is new here.
    pub(super) fn at(now: Now) -> Self {
        Self {
            since: now.mono,
            before: Duration::ZERO,
        }
    }

    /// Goes on from an earlier run. An answer from the future is of a clock that was ahead, or this
    /// one is behind: nothing is known of the time between.
    pub(super) fn restore(contact: Timestamp, now: Now) -> Self {
        let before = now.wall.duration_since(contact);
        Self {
            before: Duration::try_from(before).unwrap_or_default(),
            ..Self::at(now)
        }
    }

    /// How long ago that was.
    pub(super) fn age(self, now: Now) -> Duration {
        now.mono
            .saturating_sub(self.since)
            .saturating_add(self.before)
    }

    /// When that was, by the calendar as it stands.
    pub(super) fn time(self, now: Now) -> Timestamp {
        now.wall.checked_sub(self.age(now)).unwrap_or(now.wall)
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
    fn a_start_is_no_contact_and_the_time_before_it_counts() {
        let contact = LastContact::at(now(MINUTE, "2026-11-25T12:00:00Z"));
        let kept = contact.time(now(31 * MINUTE, "2026-11-25T12:30:00Z"));
        // Started anew an hour later.
        let contact = LastContact::restore(kept, now(MINUTE, "2026-11-25T13:30:00Z"));
        let later = now(11 * MINUTE, "2026-11-25T13:40:00Z");
        assert_eq!(contact.age(later), 100 * MINUTE);
        assert_eq!(contact.time(later), kept);
    }

    #[test]
    fn a_clock_that_is_set_makes_no_contact_older_or_newer() {
        for wall in ["1970-01-01T00:00:10Z", "2036-01-01T00:00:00Z"] {
            let contact = LastContact::at(now(MINUTE, "2026-11-25T12:00:00Z"));
            let set = now(6 * MINUTE, wall);
            assert_eq!(contact.age(set), 5 * MINUTE);
            // A start right after it goes on from there.
            let contact = LastContact::restore(contact.time(set), set);
            assert_eq!(contact.age(set), 5 * MINUTE);
        }
    }

    #[test]
    fn a_contact_of_the_future_is_taken_for_the_start() {
        let start = now(MINUTE, "2026-11-25T12:00:00Z");
        let contact = LastContact::restore("2026-11-26T12:00:00Z".parse().unwrap(), start);
        assert_eq!(contact.age(start), Duration::ZERO);
        let later = now(3 * MINUTE, "2026-11-26T12:02:00Z");
        assert_eq!(contact.age(later), 2 * MINUTE);
    }
}
