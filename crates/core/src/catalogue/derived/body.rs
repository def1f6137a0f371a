//! Climate, closures and tires.

use super::or_unknown;
use crate::catalogue::value::EntityValue;
use crate::model::Vehicle;

pub(crate) const CLIMATE: &[&str] = &["climate_state.is_climate_on"];
pub(crate) const CLIMATE_MODES: &[&str] = &["off", "heat_cool"];
pub(crate) fn climate(car: &Vehicle) -> EntityValue {
    let mode = |on| EntityValue::Word(if on { "heat_cool" } else { "off" });
    or_unknown(car.truth(CLIMATE[0]).map(mode))
}

pub(crate) const FAN: &[&str] = &["climate_state.fan_status"];
/// Steps of 10 %; the strongest, 11, is 100 % too.
pub(crate) fn fan_percent(car: &Vehicle) -> EntityValue {
    or_unknown(
        car.number(FAN[0])
            .map(|step| EntityValue::number((step * 10.0).clamp(0.0, 100.0), 0)),
    )
}

pub(crate) const DOORS: &[&str] = &[
    "vehicle_state.df",
    "vehicle_state.dr",
    "vehicle_state.pf",
    "vehicle_state.pr",
];
pub(crate) fn doors(car: &Vehicle) -> EntityValue {
    all_known(car, DOORS, "on", "off")
}

pub(crate) const WINDOWS: &[&str] = &[
    "vehicle_state.fd_window",
    "vehicle_state.fp_window",
    "vehicle_state.rd_window",
    "vehicle_state.rp_window",
];
pub(crate) fn windows_open(car: &Vehicle) -> EntityValue {
    all_known(car, WINDOWS, "on", "off")
}
pub(crate) fn windows(car: &Vehicle) -> EntityValue {
    all_known(car, WINDOWS, "open", "closed")
}

/// Open if any is; closed only if all are known to be.
fn all_known(
    car: &Vehicle,
    paths: &[&str],
    open: &'static str,
    closed: &'static str,
) -> EntityValue {
    let all: Vec<Option<bool>> = paths.iter().map(|path| car.truth(path)).collect();
    if all.contains(&Some(true)) {
        EntityValue::Word(open)
    } else if all.contains(&None) {
        EntityValue::Unknown
    } else {
        EntityValue::Word(closed)
    }
}

pub(crate) const SUNROOF: &[&str] = &[
    "vehicle_state.sun_roof_state",
    "vehicle_state.sun_roof_percent_open",
];
pub(crate) fn sunroof(car: &Vehicle) -> EntityValue {
    match car.text(SUNROOF[0]) {
        Some("closed") => EntityValue::Word("closed"),
        Some("unknown") | None => EntityValue::Unknown,
        Some(_) => EntityValue::Word("open"),
    }
}

pub(crate) const HARD_WARNINGS: &[&str] = &[
    "vehicle_state.tpms_hard_warning_fl",
    "vehicle_state.tpms_hard_warning_fr",
    "vehicle_state.tpms_hard_warning_rl",
    "vehicle_state.tpms_hard_warning_rr",
];
pub(crate) const SOFT_WARNINGS: &[&str] = &[
    "vehicle_state.tpms_soft_warning_fl",
    "vehicle_state.tpms_soft_warning_fr",
    "vehicle_state.tpms_soft_warning_rl",
    "vehicle_state.tpms_soft_warning_rr",
];
pub(crate) fn hard_warnings(car: &Vehicle) -> EntityValue {
    count(car, HARD_WARNINGS)
}
pub(crate) fn soft_warnings(car: &Vehicle) -> EntityValue {
    count(car, SOFT_WARNINGS)
}
fn count(car: &Vehicle, paths: &[&str]) -> EntityValue {
    let known: Vec<bool> = paths.iter().filter_map(|path| car.truth(path)).collect();
    let warnings: u8 = known.iter().map(|warning| u8::from(*warning)).sum();
    if known.is_empty() {
        EntityValue::Unknown
    } else {
        EntityValue::Number(warnings.into())
    }
}
