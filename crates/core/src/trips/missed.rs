//! What happened while nobody looked: the odometer grew, or the battery filled. It is told once,
//! between the two looks; no track is invented, and no mile that belongs to a drive.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::drive::{CONTACT_LOST, UNSEEN_AT_MOST_MI};
use super::look::Look;
use crate::model::Reading;

/// Something between two looks that nobody saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Missed {
    /// Before.
    pub from: Reading,
    /// After.
    pub to: Reading,
}

impl Missed {
    /// For an event.
    pub fn figures(&self) -> Map<String, Json> {
        let Self { from, to } = self;
        let odometers = from.odometer_mi.zip(to.odometer_mi);
        let distance_mi = odometers.map(|(from, to)| ((to - from) * 100.0).round() / 100.0);
        let figures = [
            ("at", to.at.to_string().into()),
            ("duration_s", to.at.duration_since(from.at).as_secs().into()),
            ("distance_mi", distance_mi.into()),
            ("from", reading_json(from)),
            ("to", reading_json(to)),
        ];
        figures
            .map(|(name, figure)| (name.to_owned(), figure))
            .into_iter()
            .collect()
    }
}

/// Miles that a parked car has moved.
const MOVED_MI: f64 = 0.1;
/// Percent by which a battery only grows if it was charged.
const CHARGED_PERCENT: f64 = 2.0;

/// The newest odometer and battery level: what comes next is measured against them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    reading: Option<Reading>,
    /// The next miles belong to a drive that has ended.
    #[serde(alias = "is_owed_miles")]
    has_unassigned_miles: bool,
}

/// What is under way at a look, the look's own news included.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnderWay {
    /// A drive was under way before the look, or waits for its end.
    pub drive: bool,
    /// A charge was.
    pub charge: bool,
}

impl Before {
    /// The newest reading.
    pub(super) fn reading(&self) -> Option<Reading> {
        self.reading
    }

    /// The next miles belong to a drive that has ended.
    pub(super) fn leave_miles_unassigned(&mut self) {
        self.has_unassigned_miles = true;
    }

    /// The reading that a version kept which had none of its own.
    pub(super) fn take_over(&mut self, last: Option<&Look>) {
        if self.reading.is_none() {
            self.reading = last.map(reading);
        }
    }

    /// What happened unseen before this look: a drive, a charge.
    pub(super) fn missed(
        &mut self,
        now: &Look,
        under_way: UnderWay,
    ) -> (Option<Missed>, Option<Missed>) {
        let to = reading(now);
        let Some(from) = self.reading else {
            return (None, None);
        };
        let moved_mi = difference(from.odometer_mi, to.odometer_mi);
        let are_unassigned = self.has_unassigned_miles && moved_mi <= UNSEEN_AT_MOST_MI;
        if now.odometer_mi.is_some() && moved_mi > 0.0 {
            self.has_unassigned_miles = false;
        }
        // What a car just seen in gear has come belongs to its drive, unless it is far.
        let moved = match now.in_gear {
            Some(true) => {
                moved_mi > UNSEEN_AT_MOST_MI && now.at.duration_since(from.at) > CONTACT_LOST
            }
            _ => moved_mi > MOVED_MI,
        };
        let drive = moved && !under_way.drive && !are_unassigned;
        // A level that rises from 0 may have been none.
        let level = from.battery_level.filter(|level| *level > 0.0);
        let percent = difference(level, to.battery_level);
        let is_its_own = now.charging != Some(true) || now.in_gear == Some(true);
        let charge =
            percent >= CHARGED_PERCENT && is_its_own && !under_way.charge && !under_way.drive;
        let missed = Missed {
            from,
            to: Reading {
                odometer_mi: to.odometer_mi.or(from.odometer_mi),
                battery_level: to.battery_level.or(from.battery_level),
                ..to
            },
        };
        (drive.then_some(missed), charge.then_some(missed))
    }

    /// Takes in a look.
    pub(super) fn note(&mut self, now: &Look) {
        let to = reading(now);
        let old = self.reading;
        self.reading = Some(Reading {
            odometer_mi: to.odometer_mi.or(old.and_then(|old| old.odometer_mi)),
            battery_level: to.battery_level.or(old.and_then(|old| old.battery_level)),
            ..to
        });
    }
}

/// A reading, for an event.
pub(super) fn reading_json(reading: &Reading) -> Json {
    json!({
        "at": reading.at.to_string(),
        "odometer_mi": reading.odometer_mi,
        "battery_level": reading.battery_level,
    })
}

fn reading(look: &Look) -> Reading {
    Reading {
        at: look.at,
        odometer_mi: look.odometer_mi,
        battery_level: look.level,
    }
}

fn difference(before: Option<f64>, now: Option<f64>) -> f64 {
    before.zip(now).map_or(0.0, |(before, now)| now - before)
}
