//! When this car is used to be started, by weekday and time of day: at such times a sleeping car
//! is asked more often, with light calls, which cost nothing and do not touch it. A start seen
//! late is a drive without its beginning, and most cars start at the same times each week.
//!
//! Times are UTC; when the clocks change the habits are an hour off until they are learned anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const SLOT_SECONDS: i64 = 600;
const SLOTS_A_DAY: i64 = 86_400 / SLOT_SECONDS;
const SLOTS_A_WEEK: i64 = 7 * SLOTS_A_DAY;
const MOST: u8 = 4;
/// A start on the same weekday counts twice; so much makes a habit.
const ENOUGH: u32 = 2;

/// Starts by slots of ten minutes of the week.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Habits {
    /// How often the car was started in a slot; a week without a start takes one away.
    starts: BTreeMap<i64, u8>,
    last_start: Option<i64>,
    slot: Option<i64>,
}

impl Habits {
    /// A drive or a charge began.
    pub(super) fn started(&mut self, wall: Timestamp) {
        let slot = slot_of(wall);
        if self.last_start == Some(slot) {
            return;
        }
        self.last_start = Some(slot);
        let count = self
            .starts
            .entry(slot.rem_euclid(SLOTS_A_WEEK))
            .or_default();
        *count = count.saturating_add(1).min(MOST);
    }

    /// Time passes; a habit that is not kept is forgotten.
    pub(super) fn pass(&mut self, wall: Timestamp) {
        let slot = slot_of(wall);
        if self.slot.replace(slot).is_none_or(|before| before == slot) {
            return;
        }
        let over = slot - 2;
        let kept = self
            .last_start
            .is_some_and(|start| (start - over).abs() <= 1);
        let key = over.rem_euclid(SLOTS_A_WEEK);
        if !kept && let Some(count) = self.starts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.starts.remove(&key);
            }
        }
    }

    /// Whether a start is likely about now: in this slot or one beside it, on whatever day.
    pub(super) fn expects_start(&self, wall: Timestamp) -> bool {
        let first = slot_of(wall) - 1;
        let mut near = [0; 3];
        for (start, count) in &self.starts {
            let of_day = usize::try_from((start - first).rem_euclid(SLOTS_A_DAY));
            if let Some(weight) = of_day.ok().and_then(|nth| near.get_mut(nth)) {
                let is_same_weekday = (start - first).rem_euclid(SLOTS_A_WEEK) < SLOTS_A_DAY;
                *weight += u32::from(*count) * if is_same_weekday { 2 } else { 1 };
            }
        }
        near.iter().any(|weight| *weight >= ENOUGH)
    }

    /// When a start becomes likely or unlikely, if that is before a time.
    pub(super) fn changes_before(&self, end: Timestamp, wall: Timestamp) -> Option<Timestamp> {
        let next = Timestamp::from_second((slot_of(wall) + 1) * SLOT_SECONDS).ok()?;
        let changes = next < end && self.expects_start(next) != self.expects_start(wall);
        changes.then_some(next)
    }
}

fn slot_of(wall: Timestamp) -> i64 {
    wall.as_second().div_euclid(SLOT_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_second(1_780_272_000 + (day * 24 + hour) * 3600 + minute * 60)
            .expect("a time")
    }

    #[test]
    fn a_start_is_expected_a_week_later_or_after_two_days_in_a_row() {
        let mut habits = Habits::default();
        habits.started(at(0, 8, 1));
        assert!(!habits.expects_start(at(1, 8, 0)));
        assert!(habits.expects_start(at(7, 8, 15)));
        assert!(!habits.expects_start(at(7, 8, 25)));
        habits.started(at(1, 8, 3));
        assert!(habits.expects_start(at(2, 7, 55)));
        assert!(!habits.expects_start(at(2, 12, 0)));
    }

    #[test]
    fn a_habit_that_is_not_kept_is_forgotten() {
        let mut habits = Habits::default();
        habits.started(at(0, 8, 1));
        for minute in 0..60 {
            habits.pass(at(7, 8, minute));
        }
        assert!(!habits.expects_start(at(14, 8, 1)));
        assert_eq!(habits.starts.len(), 0);
    }

    #[test]
    fn a_start_ten_minutes_off_keeps_the_habit() {
        let mut habits = Habits::default();
        habits.started(at(0, 8, 1));
        for minute in 0..60 {
            if minute == 12 {
                habits.started(at(7, 8, minute));
            }
            habits.pass(at(7, 8, minute));
        }
        assert!(habits.expects_start(at(14, 8, 5)));
    }
}
