//! Whether data calls keep this car awake, and how long it takes to fall asleep, learned from its
//! own sleeps (sleep policy, section 5.6). Reports about models and firmwares contradict each
//! other, so nothing is assumed that the car has not shown, except a first guess by the VIN.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::ClassSetting;
use super::interface::{Belief, Class};
use super::memory::At;
use crate::model::Vin;

/// A car of unknown class is polled this long before it is let to sleep.
pub(super) const PATIENCE: Duration = Duration::from_mins(30);
/// A sleep within this time of a data call is a sleep under polling.
pub(super) const POLLED: Duration = Duration::from_secs(150);
/// A car that is back within this time was out of reach, not asleep.
const BRIEF_LOSS: Duration = Duration::from_mins(5);
const CONFIRMATIONS: u8 = 2;
/// No car takes so long to fall asleep. One that was learned to sleep although it is polled, and has
/// been polled so long without sleeping, may only have been out of reach where it seemed to sleep.
const DOUBT: Duration = Duration::from_hours(2);
const KEPT_SAMPLES: usize = 10;
const ENOUGH_SAMPLES: usize = 3;
const PLAUSIBLE: std::ops::RangeInclusive<u64> = 180..=3600;

/// How a car fell asleep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sleep {
    pub(super) at: At,
    /// Since its last use.
    pub(super) after: Duration,
    /// Data was being called.
    pub(super) polled: bool,
    /// It was left alone.
    pub(super) in_quiet: bool,
    /// It had been polled for [`PATIENCE`] without falling asleep.
    pub(super) had_resisted: bool,
}

/// What is known about the sleep of one car.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Learning {
    class: Class,
    belief: Belief,
    /// The class under the firmware before.
    prior: Option<Class>,
    polled_sleeps: u8,
    held_parks: u8,
    car_version: Option<String>,
    /// Seconds from last use to asleep, newest last.
    samples: Vec<u64>,
    unconfirmed: Option<Sleep>,
    last_sleep_in_quiet: Option<bool>,
}

impl Default for Learning {
    /// Nothing is known, not even what the VIN tells.
    fn default() -> Self {
        Self {
            class: Class::Unknown,
            belief: Belief::None,
            prior: None,
            polled_sleeps: 0,
            held_parks: 0,
            car_version: None,
            samples: Vec::new(),
            unconfirmed: None,
            last_sleep_in_quiet: None,
        }
    }
}

impl Learning {
    pub(super) fn new(vin: &Vin) -> Self {
        let mut learning = Self::default();
        if is_held_by_vin(vin) {
            (learning.class, learning.belief) = (Class::Held, Belief::Guessed);
        }
        learning
    }

    pub(super) fn class(&self, setting: ClassSetting) -> (Class, Belief) {
        match setting {
            ClassSetting::Learn => (self.class, self.belief),
            ClassSetting::Held => (Class::Held, Belief::Pinned),
            ClassSetting::NotHeld => (Class::NotHeld, Belief::Pinned),
        }
    }

    /// 90th percentile of the time from last use to asleep.
    pub(super) fn time_to_sleep(&self) -> Option<Duration> {
        if self.samples.len() < ENOUGH_SAMPLES {
            return None;
        }
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 9).div_ceil(10);
        Some(Duration::from_secs(sorted[rank - 1]))
    }

    pub(super) fn last_sleep_in_quiet(&self) -> Option<bool> {
        self.last_sleep_in_quiet
    }

    /// The car seems to have fallen asleep; believed once it has stayed so.
    pub(super) fn fell_asleep(&mut self, sleep: Sleep) {
        self.unconfirmed = Some(sleep);
    }

    /// The car is still not online.
    pub(super) fn still_asleep(&mut self, t: At) {
        let confirmed = self
            .unconfirmed
            .take_if(|sleep| t.saturating_sub(sleep.at) >= BRIEF_LOSS);
        let Some(sleep) = confirmed else { return };
        self.last_sleep_in_quiet = Some(sleep.in_quiet);
        // What it took while polling held it awake says nothing about a car that is left alone.
        if !sleep.had_resisted && PLAUSIBLE.contains(&sleep.after.as_secs()) {
            self.samples.push(sleep.after.as_secs());
            if self.samples.len() > KEPT_SAMPLES {
                self.samples.remove(0);
            }
        }
        if sleep.polled && !sleep.in_quiet {
            self.held_parks = 0;
            self.polled_sleeps = self.polled_sleeps.saturating_add(1);
            self.conclude(Class::NotHeld, self.polled_sleeps);
        } else if sleep.in_quiet && sleep.had_resisted {
            self.polled_sleeps = 0;
            self.held_parks = self.held_parks.saturating_add(1);
            self.conclude(Class::Held, self.held_parks);
        }
    }

    fn conclude(&mut self, class: Class, confirmations: u8) {
        let needed = if self.prior == Some(class) {
            1
        } else {
            CONFIRMATIONS
        };
        if confirmations >= needed {
            self.class = class;
            self.belief = Belief::Learned;
            self.prior = None;
        }
    }

    /// Nothing has held the parked car awake for this long, it was polled throughout, and is awake.
    pub(super) fn resists(&mut self, parked: Duration) {
        if parked >= DOUBT && self.class == Class::NotHeld {
            self.unlearn();
        }
    }

    /// The car is online.
    pub(super) fn is_online(&mut self) {
        self.unconfirmed = None;
    }

    /// The firmware, as seen in data: a new one may behave differently.
    pub(super) fn saw_version(&mut self, version: Option<&String>) {
        let Some(version) = version else { return };
        let changed = self.car_version.as_ref().is_some_and(|old| old != version);
        if changed && self.belief == Belief::Learned {
            self.unlearn();
        }
        self.car_version = Some(version.clone());
    }

    fn unlearn(&mut self) {
        self.prior = Some(self.class);
        self.class = Class::Unknown;
        self.belief = Belief::None;
        self.polled_sleeps = 0;
        self.held_parks = 0;
    }
}

/// Model S and X before the 2021 refresh (sleep policy, section 1).
fn is_held_by_vin(vin: &Vin) -> bool {
    let char_at = |n: usize| vin.as_str().as_bytes()[n - 1];
    let old = match char_at(10) {
        b'M' => (b'1'..=b'4').contains(&char_at(8)),
        year => year <= b'L',
    };
    matches!(char_at(4), b'S' | b'X') && old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vin_tells_old_model_s_and_x() {
        let rows = [
            ("5YJSA1E20FF000001", true),
            ("5YJXCBE2XLF000001", true),
            ("5YJSA1E2XMF000001", true),
            ("5YJSA1E5XMF000001", false),
            ("5YJSA1E2XNF000001", false),
            ("5YJ3E1EA0JF000001", false),
            ("LRWYGCEK0NC000001", false),
        ];
        for (vin, held) in rows {
            assert_eq!(
                is_held_by_vin(&Vin::new(vin).expect("a VIN")),
                held,
                "{vin}"
            );
        }
    }

    #[test]
    fn a_car_that_is_back_in_five_minutes_has_not_slept() {
        let mut learning = Learning::new(&Vin::new("5YJ3E1EA0JF000001").expect("a VIN"));
        for n in 0..5 {
            let at = Duration::from_hours(n);
            let sleep = Sleep {
                at,
                after: PATIENCE,
                polled: true,
                in_quiet: false,
                had_resisted: false,
            };
            learning.fell_asleep(sleep);
            learning.still_asleep(at + Duration::from_mins(4));
            learning.is_online();
            learning.still_asleep(at + Duration::from_mins(10));
        }
        assert_eq!(
            learning.class(ClassSetting::Learn),
            (Class::Unknown, Belief::None)
        );
        assert_eq!(learning.time_to_sleep(), None);
    }
}
