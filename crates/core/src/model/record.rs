//! What a car says of itself, read once for those who decide by it: the policy and the trips. (The
//! catalogue publishes many more facts, and reads those that are here by the same [`Gear`],
//! [`ChargingState`] and [`SoftwareUpdate`].) A field that is missing or of another kind is unknown,
//! and unknown never blocks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChargingState, Gear, SoftwareUpdate, Value, Vehicle};

/// The facts that decide what a car is doing and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "Tesla's own fields")]
pub struct CarRecord {
    /// When the car said what it said last of its drive or its charge.
    pub at: Option<Timestamp>,
    /// When it said so of its drive.
    pub drive_at: Option<Timestamp>,
    /// When it said what its odometer shows: each part of an answer has an age of its own.
    pub odometer_at: Option<Timestamp>,
    /// The gear; a parked car that says null is in [`Gear::P`].
    pub gear: Option<Gear>,
    /// `drive_state.power`, kW.
    pub power_kw: Option<f64>,
    /// `vehicle_state.odometer`, miles.
    pub odometer_mi: Option<f64>,
    /// `charge_state.charging_state`.
    pub charging_state: Option<ChargingState>,
    /// `charge_state.charger_power`, kW.
    pub charger_power_kw: Option<f64>,
    /// `charge_state.fast_charger_present`: a DC charger.
    pub is_dc: bool,
    /// `charge_state.battery_level`, %.
    pub battery_level: Option<f64>,
    /// `charge_state.battery_range`: rated range, miles.
    pub range_mi: Option<f64>,
    /// `charge_state.charge_energy_added`: the session's counter, kWh, as the car says it, be it
    /// in doubt: the trips' meter judges it by its session.
    pub session_kwh: Option<f64>,
    /// `charge_state.charge_miles_added_rated`: rated range added in the session, miles.
    pub session_mi: Option<f64>,
    /// `charge_state.scheduled_charging_pending`.
    pub scheduled_charging_pending: bool,
    /// `charge_state.scheduled_charging_start_time`.
    pub scheduled_charging_start: Option<Timestamp>,
    /// The software update under way or on offer.
    pub update: Option<SoftwareUpdate>,
    /// `vehicle_state.car_version`.
    pub car_version: Option<String>,
    /// `vehicle_state.is_user_present`.
    pub user_present: bool,
    /// `vehicle_state.sentry_mode`.
    pub sentry_mode: bool,
    /// `climate_state.is_preconditioning`.
    pub preconditioning: bool,
    /// `climate_state.is_climate_on`.
    pub climate_on: bool,
    /// `climate_state.climate_keeper_mode`.
    pub climate_keeper_mode: Option<String>,
    /// `climate_state.cabin_overheat_protection_actively_cooling`.
    pub cabin_overheat_cooling: bool,
    /// Any of `vehicle_state.df`, `pf`, `dr`, `pr`.
    pub door_open: bool,
    /// Any of `vehicle_state.ft`, `rt`.
    pub trunk_open: bool,
    /// `vehicle_state.locked`.
    pub locked: Option<bool>,
    /// `vehicle_state.service_mode` or top-level `in_service`.
    pub in_service: bool,
    /// `vehicle_config.utc_offset`: the car's local time, from UTC, seconds.
    pub utc_offset_s: Option<i64>,
}

impl CarRecord {
    /// Of a car, as its newest words have it.
    pub fn of(car: &Vehicle) -> Self {
        let at = |path: &str| car.known(path).map(|known| known.at);
        let truth = |path: &str| car.truth(path).unwrap_or(false);
        let drive_at = at("drive_state.timestamp").max(at("drive_state.shift_state"));
        let charge_at = at("charge_state.timestamp").max(at("charge_state.charging_state"));
        Self {
            at: drive_at.max(charge_at),
            drive_at,
            odometer_at: at("vehicle_state.odometer"),
            gear: Gear::of_car(car),
            power_kw: car.number("drive_state.power"),
            odometer_mi: car.number("vehicle_state.odometer"),
            charging_state: ChargingState::of_car(car),
            charger_power_kw: car.number("charge_state.charger_power"),
            is_dc: truth("charge_state.fast_charger_present"),
            battery_level: car.number("charge_state.battery_level"),
            range_mi: car.number("charge_state.battery_range"),
            session_kwh: car.newest_number("charge_state.charge_energy_added"),
            session_mi: car.number("charge_state.charge_miles_added_rated"),
            scheduled_charging_pending: truth("charge_state.scheduled_charging_pending"),
            scheduled_charging_start: car
                .value("charge_state.scheduled_charging_start_time")
                .and_then(Value::epoch),
            update: SoftwareUpdate::of_car(car),
            car_version: car.text("vehicle_state.car_version").map(str::to_owned),
            user_present: truth("vehicle_state.is_user_present"),
            sentry_mode: truth("vehicle_state.sentry_mode"),
            preconditioning: truth("climate_state.is_preconditioning"),
            climate_on: truth("climate_state.is_climate_on"),
            climate_keeper_mode: car
                .text("climate_state.climate_keeper_mode")
                .map(str::to_owned),
            cabin_overheat_cooling: truth(
                "climate_state.cabin_overheat_protection_actively_cooling",
            ),
            door_open: ["df", "pf", "dr", "pr"]
                .iter()
                .any(|door| truth(&format!("vehicle_state.{door}"))),
            trunk_open: truth("vehicle_state.ft") || truth("vehicle_state.rt"),
            locked: car.truth("vehicle_state.locked"),
            in_service: truth("vehicle_state.service_mode") || truth("in_service"),
            utc_offset_s: car.number("vehicle_config.utc_offset").map(whole),
        }
    }
}

/// The offsets of the world are within a day.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn whole(number: f64) -> i64 {
    (number as i64).clamp(-86_400, 86_400)
}
