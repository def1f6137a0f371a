//! Climate, closures and tires.

use super::or_unknown;
use crate::catalogue::said::Said;
use crate::model::Vehicle;

pub const CLIMATE: &[&str] = &["climate_state.is_climate_on"];
pub const CLIMATE_MODES: &[&str] = &["off", "heat_cool"];
pub fn climate(car: &Vehicle) -> Said {
    let mode = |on| Said::Word(if on { "heat_cool" } else { "off" });
    or_unknown(car.truth(CLIMATE[0]).map(mode))
}

pub const FAN: &[&str] = &["climate_state.fan_status"];
/// Steps of 10 %; the strongest, 11, is 100 % too.
pub fn fan_percent(car: &Vehicle) -> Said {
    or_unknown(
        car.number(FAN[0])
            .map(|step| Said::number((step * 10.0).clamp(0.0, 100.0), 0)),
    )
}

pub const DOORS: &[&str] = &[
    "vehicle_state.df",
    "vehicle_state.dr",
    "vehicle_state.pf",
    "vehicle_state.pr",
];
pub fn doors(car: &Vehicle) -> Said {
    all_known(car, DOORS, "on", "off")
}

pub const WINDOWS: &[&str] = &[
    "vehicle_state.fd_window",
    "vehicle_state.fp_window",
    "vehicle_state.rd_window",
    "vehicle_state.rp_window",
];
pub fn windows_open(car: &Vehicle) -> Said {
    all_known(car, WINDOWS, "on", "off")
}
pub fn windows(car: &Vehicle) -> Said {
    all_known(car, WINDOWS, "open", "closed")
}

/// Open if any is; closed only if all are known to be.
fn all_known(car: &Vehicle, paths: &[&str], open: &'static str, closed: &'static str) -> Said {
    let all: Vec<Option<bool>> = paths.iter().map(|path| car.truth(path)).collect();
    if all.contains(&Some(true)) {
        Said::Word(open)
    } else if all.contains(&None) {
        Said::Unknown
    } else {
        Said::Word(closed)
    }
}

pub const SUNROOF: &[&str] = &[
    "vehicle_state.sun_roof_state",
    "vehicle_state.sun_roof_percent_open",
];
pub fn sunroof(car: &Vehicle) -> Said {
    match car.text(SUNROOF[0]) {
        Some("closed") => Said::Word("closed"),
        Some("unknown") | None => Said::Unknown,
        Some(_) => Said::Word("open"),
    }
}

pub const HARD_WARNINGS: &[&str] = &[
    "vehicle_state.tpms_hard_warning_fl",
    "vehicle_state.tpms_hard_warning_fr",
    "vehicle_state.tpms_hard_warning_rl",
    "vehicle_state.tpms_hard_warning_rr",
];
pub const SOFT_WARNINGS: &[&str] = &[
    "vehicle_state.tpms_soft_warning_fl",
    "vehicle_state.tpms_soft_warning_fr",
    "vehicle_state.tpms_soft_warning_rl",
    "vehicle_state.tpms_soft_warning_rr",
];
pub fn hard_warnings(car: &Vehicle) -> Said {
    count(car, HARD_WARNINGS)
}
pub fn soft_warnings(car: &Vehicle) -> Said {
    count(car, SOFT_WARNINGS)
}
fn count(car: &Vehicle, paths: &[&str]) -> Said {
    let known: Vec<bool> = paths.iter().filter_map(|path| car.truth(path)).collect();
    let warnings: u8 = known.iter().map(|warning| u8::from(*warning)).sum();
    if known.is_empty() {
        Said::Unknown
    } else {
        Said::Number(warnings.into())
    }
}
