//! What follows from a car's values over time: drives and charges with their figures, the energy
//! charged in all, what a parked car loses, doors that open.
//!
//! Pure: fed with the vehicle after each answer, it returns what is new and keeps running
//! figures, which become `derived.*` signals. It is stored with the vehicle. It trusts differences
//! of counters, never the number of polls: a drive that nobody saw has no figures, and none are
//! invented. Whether a drive or a charge began, ended or was missed is decided here and nowhere
//! else; who follows the car also tells what was pushed and that the car is out of sight. (When to
//! poll during all this is the policy's affair.)

mod charge;
mod drive;
mod look;
mod meter;
mod missed;
mod parked;
mod tariff;
mod watch;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub use self::charge::Charge;
use self::charge::{ChargeLog, Metered};
pub use self::drive::Drive;
use self::drive::DriveLog;
use self::look::Look;
use self::meter::EnergyMeter;
pub use self::missed::Missed;
use self::missed::{Before, UnderWay, reading_json};
use self::parked::ParkedLog;
pub use self::tariff::{Cheap, Hours, Tariff};
pub use self::watch::Notice;
use self::watch::Watch;
use crate::catalogue::EntityValue;
use crate::model::{
    CarRecord, ChargingState, Gear, Now, Observation, Reading, Signal, Source, Value, Vehicle,
};

/// The signals of [`Trips::observation`].
pub const DERIVED_SIGNALS: &[&str] = &[
    "derived.charge_energy_total",
    "derived.last_charge_cost",
    "derived.last_charge_duration_s",
    "derived.last_charge_ended_at",
    "derived.last_charge_energy",
    "derived.last_charge_level_added",
    "derived.last_drive_distance",
    "derived.last_drive_duration_s",
    "derived.last_drive_efficiency",
    "derived.last_drive_ended_at",
    "derived.last_drive_energy",
    "derived.last_drive_level_used",
    "derived.parked_loss",
    "derived.parked_loss_per_hour",
];

/// One car's trips.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trips {
    last: Option<Look>,
    /// What the next look is measured against.
    before: Before,
    /// Energy of a mile of rated range, learned from charges.
    kwh_per_rated_mile: Option<f64>,
    energy: EnergyMeter,
    drives: DriveLog,
    charges: ChargeLog,
    parked: ParkedLog,
    watch: Watch,
}

/// Something that has just begun or ended, or was just seen to be different.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// A drive began, after this reading; without one the bridge came upon it under way.
    DriveStarted(Option<Reading>),
    /// A drive ended.
    Drive(Drive),
    /// The odometer grew while nobody looked.
    MissedDrive(Missed),
    /// Current flows, after this reading; without one the bridge came upon it under way.
    ChargeStarted(Option<Reading>),
    /// A charge ended.
    Charge(Charge),
    /// The battery filled while nobody looked.
    MissedCharge(Missed),
    /// A door, or sentry mode.
    Notice(Notice),
}

impl Finding {
    /// The event that tells of it: its name and its figures. The names carry the units; what is
    /// not known is null. No start is told that nobody saw.
    pub fn event(&self) -> Option<(&'static str, Json)> {
        let started = |from: &Option<Reading>| {
            let from = reading_json(from.as_ref()?);
            Some(Map::from_iter([("from".to_owned(), from)]))
        };
        let (name, mut figures) = match self {
            Self::DriveStarted(from) => ("drive_started", started(from)?),
            Self::Drive(drive) => ("drive_finished", drive.figures()),
            Self::MissedDrive(missed) => ("missed_drive", missed.figures()),
            Self::ChargeStarted(from) => ("charge_started", started(from)?),
            Self::Charge(charge) => ("charge_finished", charge.figures()),
            Self::MissedCharge(missed) => ("missed_charge", missed.figures()),
            Self::Notice(notice) => (notice.name, notice.figures()),
        };
        figures.insert("event_type".into(), name.into());
        Some((name, figures.into()))
    }
}

impl Trips {
    /// For how long a parked car with someone in it still drives.
    pub fn set_drive_grace(&mut self, grace: Duration) {
        self.drives.grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
    }

    /// Takes in the car after an answer about it; an answer that is not newer is ignored.
    /// A charge costs what the tariff says while it goes on.
    pub fn note(&mut self, car: &Vehicle, tariff: &Tariff) -> Vec<Finding> {
        let Some(now) = self.newer(&CarRecord::of(car)) else {
            return Vec::new();
        };
        let notices = self.watch.note(car, self.last.as_ref(), &now);
        let mut found = self.take(now, tariff);
        found.extend(notices.into_iter().map(Finding::Notice));
        found
    }

    /// Takes in what a source pushed, ahead of the look that shows the figures.
    pub fn pushed(
        &mut self,
        gear: Option<Gear>,
        charging: Option<ChargingState>,
        at: Timestamp,
    ) -> Vec<Finding> {
        let from = self.before.reading();
        let mut found = Vec::new();
        match charging {
            Some(ChargingState::Charging) if !self.drives.is_driving() => {
                let last = self.last.as_ref();
                let has_started =
                    self.charges
                        .pushed_flowing(at, last, from.is_some(), &self.energy);
                found.extend(has_started.then_some(Finding::ChargeStarted(from)));
            }
            Some(state) if state.is_charging() == Some(false) => self.charges.pushed_over(at),
            _ => {}
        }
        match gear.map(Gear::is_driving) {
            Some(true) => {
                self.charges.pushed_over(at);
                let last = self.last.as_ref();
                let has_started = self.drives.pushed_in_gear(at, last, from.is_some());
                found.extend(has_started.then_some(Finding::DriveStarted(from)));
            }
            Some(false) => self.drives.pushed_parked(at),
            None => {}
        }
        found
    }

    /// The car sleeps, is at service, or was out of reach for so long that what was under way is
    /// over: it ended with the last look.
    pub fn out_of_sight(&mut self, at: Timestamp, tariff: &Tariff) -> Vec<Finding> {
        if self.drives.waits_for_odometer() {
            self.before.leave_miles_unassigned();
        }
        let last = self.last.as_ref();
        let drive = self.drives.give_up(last, at, self.kwh_per_rated_mile);
        let charge = self.charges.give_up(last, at, &self.energy, tariff);
        let drive = drive.map(Finding::Drive);
        drive
            .into_iter()
            .chain(charge.map(Finding::Charge))
            .collect()
    }

    /// The last drive whose end was seen.
    pub fn last_drive(&self) -> Option<&Drive> {
        self.drives.last.as_ref()
    }

    /// The last charge whose end was seen.
    pub fn last_charge(&self) -> Option<&Charge> {
        self.charges.last.as_ref()
    }

    fn newer(&self, record: &CarRecord) -> Option<Look> {
        let last_at = self.last.as_ref().map(|last| last.at);
        // The vehicle orders the answers: an earlier time means that the later one was wrong.
        Look::of(record).filter(|now| last_at.is_none_or(|last| last != now.at))
    }

    fn take(&mut self, now: Look, tariff: &Tariff) -> Vec<Finding> {
        if let Some(factor) = now.kwh_per_rated_mile() {
            self.kwh_per_rated_mile = Some(factor);
        }
        let last = self.last.as_ref();
        let before_kwh = self.energy.total_kwh();
        self.energy.note(last, &now);
        let metered = Metered {
            before_kwh,
            meter: &self.energy,
        };
        self.parked.note(last, &now);
        self.before.take_over(last);
        let under_way = UnderWay {
            drive: self.drives.is_under_way(),
            charge: self.charges.is_under_way(),
        };
        let (missed_drive, missed_charge) = self.before.missed(&now, under_way);
        // No mile is told twice: after one that was missed a drive begins here.
        let from = missed_drive
            .map(|missed| missed.to)
            .or(self.before.reading());
        let can_tell = from.is_some();
        let drive = self
            .drives
            .note(last, &now, can_tell, self.kwh_per_rated_mile);
        let charge = self.charges.note(last, &now, can_tell, &metered, tariff);
        if drive.has_unassigned_miles {
            self.before.leave_miles_unassigned();
        }
        self.before.note(&now);
        self.last = Some(now);
        [
            missed_drive.map(Finding::MissedDrive),
            missed_charge.map(Finding::MissedCharge),
            drive.ended.map(Finding::Drive),
            charge.ended.map(Finding::Charge),
            drive.has_started.then_some(Finding::DriveStarted(from)),
            charge.has_started.then_some(Finding::ChargeStarted(from)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Takes back times that a clock wrote which has been set back since: until it is so late again,
    /// every answer would count as an old one.
    pub fn not_after(&mut self, now: Now) {
        let ahead = self.last.as_mut().filter(|last| last.at > now.wall);
        if let Some(last) = ahead.filter(|_| now.is_set()) {
            last.at = now.wall;
        }
    }

    /// The running figures as signals; those that are not known yet are left out. What is not
    /// known of the last drive or charge is unknown: it must not show an earlier one's.
    pub fn observation(&self, at: Timestamp) -> Observation {
        let drive = self.drives.last.as_ref();
        let charge = self.charges.last.as_ref();
        let figures: [(&str, Option<f64>); 14] = [
            ("charge_energy_total", self.energy.total_kwh()),
            ("last_drive_distance", drive.and_then(|d| d.distance_mi)),
            (
                "last_drive_duration_s",
                drive.map(|d| seconds(d.duration_s)),
            ),
            ("last_drive_energy", drive.and_then(|d| d.energy_kwh)),
            ("last_drive_efficiency", drive.and_then(Drive::wh_per_km)),
            ("last_drive_level_used", drive.and_then(Drive::level_used)),
            (
                "last_drive_ended_at",
                drive.map(|d| seconds(d.ended_at.as_second())),
            ),
            ("last_charge_energy", charge.map(|c| c.energy_kwh)),
            ("last_charge_cost", charge.and_then(|c| c.cost)),
            (
                "last_charge_duration_s",
                charge.map(|c| seconds(c.duration_s)),
            ),
            (
                "last_charge_level_added",
                charge.and_then(Charge::level_added),
            ),
            (
                "last_charge_ended_at",
                charge.map(|c| seconds(c.ended_at.as_second())),
            ),
            ("parked_loss", self.parked.loss_percent()),
            ("parked_loss_per_hour", self.parked.loss_percent_per_hour()),
        ];
        Observation {
            source: Source::Bridge,
            at,
            whole_groups: Vec::new(),
            signals: figures
                .into_iter()
                .filter(|(name, figure)| {
                    figure.is_some()
                        || (name.starts_with("last_drive_") && drive.is_some())
                        || (name.starts_with("last_charge_") && charge.is_some())
                })
                .map(|(name, figure)| {
                    let signal = Signal::new(&format!("derived.{name}"));
                    (signal, figure.map(Value::Float))
                })
                .collect(),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times have far less than 53 bits"
)]
fn seconds(whole: i64) -> f64 {
    whole as f64
}

/// A figure of an event, rounded.
fn rounded(figure: Option<f64>, digits: u8) -> Json {
    figure.map_or(Json::Null, |figure| {
        EntityValue::number(figure, digits).json()
    })
}

#[cfg(test)]
mod tests;
