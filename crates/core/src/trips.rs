//! What follows from a car's values over time: drives and charges with their figures, the energy
//! charged in all, what a parked car loses, doors that open.
//!
//! Pure: fed with the vehicle after each answer, it returns what is new and keeps running
//! figures, which become `derived.*` signals. It is stored with the vehicle. It trusts differences
//! of counters, never the number of polls: a drive that nobody saw has no figures, and none are
//! invented. (When to poll during all this is the policy's affair.)

mod charge;
mod drive;
mod look;
mod meter;
mod parked;
mod tariff;
mod watch;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use self::charge::Charge;
use self::charge::{ChargeLog, Metered};
pub use self::drive::Drive;
use self::drive::DriveLog;
use self::look::Look;
use self::meter::EnergyMeter;
use self::parked::ParkedLog;
pub use self::tariff::{Cheap, Hours, Tariff};
pub use self::watch::Notice;
use self::watch::Watch;
use crate::catalogue::EntityValue;
use crate::model::{CarRecord, Now, Observation, Signal, Source, Value, Vehicle};

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
    /// Energy of a mile of rated range, learned from charges.
    kwh_per_rated_mile: Option<f64>,
    energy: EnergyMeter,
    drives: DriveLog,
    charges: ChargeLog,
    parked: ParkedLog,
    watch: Watch,
}

/// Something that has just ended, or was just seen to be different.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// A drive.
    Drive(Drive),
    /// A charge.
    Charge(Charge),
    /// A door, or sentry mode.
    Notice(Notice),
}

impl Finding {
    /// The event that tells of it: its name and its figures. The names carry the units; what is
    /// not known is null.
    pub fn event(&self) -> (&'static str, Json) {
        let (name, mut figures) = match self {
            Self::Drive(drive) => ("drive_finished", drive.figures()),
            Self::Charge(charge) => ("charge_finished", charge.figures()),
            Self::Notice(notice) => (notice.name, notice.figures()),
        };
        figures.insert("event_type".into(), name.into());
        (name, figures.into())
    }
}

impl Trips {
    /// Takes in the car after an answer about it; an answer that is not newer is ignored.
    /// A charge costs what the tariff says while it goes on.
    pub fn note(&mut self, car: &Vehicle, tariff: &Tariff) -> Vec<Finding> {
        let Some(now) = Look::of(&CarRecord::of(car)) else {
            return Vec::new();
        };
        if self.last.as_ref().is_some_and(|last| last.at >= now.at) {
            return Vec::new();
        }
        if let Some(factor) = now.kwh_per_rated_mile() {
            self.kwh_per_rated_mile = Some(factor);
        }
        let before_kwh = self.energy.total_kwh();
        self.energy.note(self.last.as_ref(), &now);
        let metered = Metered {
            before_kwh,
            meter: &self.energy,
        };
        self.parked.note(self.last.as_ref(), &now);
        let drive = self
            .drives
            .note(self.last.as_ref(), &now, self.kwh_per_rated_mile);
        let charge = self
            .charges
            .note(self.last.as_ref(), &now, &metered, tariff);
        let notices = self.watch.note(car, self.last.as_ref(), &now);
        self.last = Some(now);
        let drive = drive.map(Finding::Drive);
        drive
            .into_iter()
            .chain(charge.map(Finding::Charge))
            .chain(notices.into_iter().map(Finding::Notice))
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
            ("last_drive_distance", drive.map(|d| d.distance_mi)),
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
