//! Charging facts that follow from several signals.

use super::{any, later, or_unknown};
use crate::catalogue::value::EntityValue;
use crate::model::{ChargingState, Vehicle};

pub(crate) const PLUGGED_IN: &[&str] = &[
    "charge_state.charging_state",
    "charge_state.conn_charge_cable",
];
/// The charging state decides: a car whose charger sleeps says `<invalid>` for a cable that is
/// plugged in (recorded: Model S, Stopped, scheduled charging pending).
pub(crate) fn plugged_in(car: &Vehicle) -> EntityValue {
    let state = ChargingState::of_car(car).and_then(ChargingState::is_plugged_in);
    let cable = || car.value("charge_state.conn_charge_cable").map(|_| true);
    or_unknown(state.or_else(cable).map(EntityValue::on))
}

pub(crate) const CHARGER_POWER: &[&str] =
    &["charge_state.charger_power", "charge_state.charging_state"];
/// Sticks at its last value for minutes after the end, so it counts only while charging.
pub(crate) fn charger_power(car: &Vehicle) -> EntityValue {
    if is_charging(car) == Some(false) {
        return EntityValue::Number(0.0);
    }
    or_unknown(
        car.number(CHARGER_POWER[0])
            .map(|kw| EntityValue::number(kw, 1)),
    )
}

/// `None` while the state is unknown.
fn is_charging(car: &Vehicle) -> Option<bool> {
    ChargingState::of_car(car).and_then(ChargingState::is_charging)
}

pub(crate) const CHARGER_PHASES: &[&str] = &["charge_state.charger_phases"];
/// European 3 and Y say 2 and mean three.
fn phases(car: &Vehicle) -> Option<f64> {
    let reported = car.number(CHARGER_PHASES[0])?;
    match reported {
        2.0 => Some(3.0),
        n if n >= 1.0 => Some(n),
        _ => None,
    }
}
pub(crate) fn charger_phases(car: &Vehicle) -> EntityValue {
    or_unknown(phases(car).map(|n| EntityValue::number(n, 0)))
}
pub(crate) fn charger_multiphase(car: &Vehicle) -> EntityValue {
    or_unknown(phases(car).map(|n| EntityValue::on(n > 1.0)))
}

pub(crate) const CHARGER_TYPE: &[&str] = &[
    "charge_state.fast_charger_present",
    "charge_state.charging_state",
    "charge_state.conn_charge_cable",
];
pub(crate) const CHARGER_TYPES: &[&str] = &["none", "ac", "dc"];
/// Tesla has no word for it: `fast_charger_present` is DC, and any other cable is AC.
pub(crate) fn charger_type(car: &Vehicle) -> EntityValue {
    if car.truth(CHARGER_TYPE[0]) == Some(true) {
        return EntityValue::Word("dc");
    }
    match plugged_in(car) {
        EntityValue::Word("on") => EntityValue::Word("ac"),
        EntityValue::Word(_) => EntityValue::Word("none"),
        other => other,
    }
}

pub(crate) const FULL_RANGE: &[&str] =
    &["charge_state.battery_range", "charge_state.battery_level"];
/// Below 20 % the whole percents of the level weigh too much.
pub(crate) fn full_range(car: &Vehicle) -> EntityValue {
    let level = car.number(FULL_RANGE[1]).filter(|level| *level >= 20.0);
    or_unknown(
        car.number(FULL_RANGE[0])
            .zip(level)
            .map(|(miles, level)| EntityValue::number(miles * 100.0 / level, 0)),
    )
}

pub(crate) const CHARGE_RATE: &[&str] = &["charge_state.charge_rate"];
/// -1 was seen for "nothing".
pub(crate) fn charge_rate(car: &Vehicle) -> EntityValue {
    or_unknown(
        car.number(CHARGE_RATE[0])
            .map(|mph| EntityValue::number(mph.max(0.0), 1)),
    )
}

pub(crate) const TIME_TO_FULL: &[&str] = &[
    "charge_state.minutes_to_full_charge",
    "charge_state.time_to_full_charge",
    "charge_state.charging_state",
];
/// When it will be full, counted from when the car said so. Minutes where there are, else hours,
/// which come in quarters.
pub(crate) fn time_to_full_charge(car: &Vehicle) -> EntityValue {
    if is_charging(car) == Some(false) {
        return EntityValue::Unknown;
    }
    let minutes = later(car, TIME_TO_FULL[0], 60.0);
    or_unknown(
        minutes
            .or_else(|| later(car, TIME_TO_FULL[1], 3600.0))
            .map(EntityValue::Time),
    )
}

pub(crate) const SCHEDULED_DEPARTURE: &[&str] = &[
    "charge_state.scheduled_charging_mode",
    "charge_state.preconditioning_enabled",
    "charge_state.off_peak_charging_enabled",
];
pub(crate) fn scheduled_departure(car: &Vehicle) -> EntityValue {
    let departs = car
        .text(SCHEDULED_DEPARTURE[0])
        .map(|mode| mode == "DepartBy");
    any(&[
        departs,
        car.truth(SCHEDULED_DEPARTURE[1]),
        car.truth(SCHEDULED_DEPARTURE[2]),
    ])
}
