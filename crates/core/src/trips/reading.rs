//! What the trips reads from a car at one time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::Vehicle;

/// Counters and states; `None` is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When the car said so.
    pub at: Timestamp,
    /// In D, R or N.
    pub in_gear: Option<bool>,
    /// Current flows, or is about to.
    pub charging: Option<bool>,
    /// The cable is out.
    pub unplugged: bool,
    /// Odometer, miles.
    pub odometer_mi: Option<f64>,
    /// State of charge, %.
    pub level: Option<f64>,
    /// Rated range, miles.
    pub range_mi: Option<f64>,
    /// Tesla's counter of the session, kWh.
    pub session_kwh: Option<f64>,
    /// Rated range added in the session, miles.
    pub session_mi: Option<f64>,
    /// Charger power, kW.
    pub charger_kw: Option<f64>,
    /// A DC charger.
    pub is_dc: bool,
    /// Heating or cooling for people, now or to come.
    #[serde(default)]
    pub climate_on: bool,
    /// The car's local time, from UTC, seconds.
    #[serde(default)]
    pub utc_offset_s: Option<i64>,
}

impl Reading {
    /// `None` until the car has answered at all.
    pub fn of(car: &Vehicle) -> Option<Self> {
        let at = ["drive_state.timestamp", "charge_state.timestamp"]
            .iter()
            .chain(&["drive_state.shift_state", "charge_state.charging_state"])
            .filter_map(|path| car.known(path))
            .map(|known| known.at)
            .max()?;
        let charging = car.text("charge_state.charging_state");
        Some(Self {
            at,
            in_gear: car.has_seen("drive_state").then(|| {
                let gear = car.text("drive_state.shift_state");
                matches!(gear, Some("D" | "R" | "N"))
            }),
            charging: charging.and_then(|word| match word {
                "Charging" | "Starting" => Some(true),
                "Complete" | "Stopped" | "NoPower" | "Disconnected" => Some(false),
                _ => None,
            }),
            unplugged: charging == Some("Disconnected"),
            odometer_mi: car.number("vehicle_state.odometer"),
            level: car.number("charge_state.battery_level"),
            range_mi: car.number("charge_state.battery_range"),
            session_kwh: car.number("charge_state.charge_energy_added"),
            session_mi: car.number("charge_state.charge_miles_added_rated"),
            charger_kw: car.number("charge_state.charger_power"),
            is_dc: car.truth("charge_state.fast_charger_present") == Some(true),
            climate_on: ["is_climate_on", "is_preconditioning"]
                .iter()
                .any(|field| car.truth(&format!("climate_state.{field}")) == Some(true)),
            utc_offset_s: car.number("vehicle_config.utc_offset").map(whole),
        })
    }

    /// Energy of a mile of rated range: of a session long enough that rounding to half miles
    /// does not show.
    pub fn kwh_per_rated_mile(&self) -> Option<f64> {
        let (kwh, miles) = self.session_kwh.zip(self.session_mi)?;
        let factor = kwh / miles;
        (miles >= 20.0 && (0.1..1.0).contains(&factor)).then_some(factor)
    }

    /// Miles driven since an earlier reading, where both know.
    pub fn miles_since(&self, earlier: &Self) -> Option<f64> {
        let (now, then) = self.odometer_mi.zip(earlier.odometer_mi)?;
        Some((now - then).max(0.0))
    }

    /// Whole seconds since an earlier time.
    pub fn seconds_since(&self, earlier: Timestamp) -> i64 {
        self.at.duration_since(earlier).as_secs().max(0)
    }
}

/// The offsets of the world are within a day.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn whole(number: f64) -> i64 {
    (number as i64).clamp(-86_400, 86_400)
}
