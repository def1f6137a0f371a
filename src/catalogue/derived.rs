//! Facts that follow from several signals. Each function answers for one row; "unknown" is an
//! honest answer of all of them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::said::{Said, number};
use crate::model::{Value, Vehicle};

fn or_unknown(said: Option<Said>) -> Said {
    said.unwrap_or(Said::Unknown)
}

// ---- connectivity

/// The bridge's word for the car's state, and Tesla's until the bridge has one.
pub const STATE: &[&str] = &["bridge.state", "state"];
pub const STATES: &[&str] = &[
    "starting",
    "online",
    "driving",
    "charging",
    "updating",
    "suspended",
    "asleep",
    "offline",
    "in_service",
    "paused",
    "signed_out",
];
pub fn state(car: &Vehicle) -> Said {
    let word = car.text("bridge.state").or_else(|| car.text("state"));
    or_unknown(word.map(|word| {
        let listed = STATES.iter().find(|listed| **listed == word);
        listed.map_or_else(
            || Said::Unlisted(word.to_owned()),
            |listed| Said::Word(listed),
        )
    }))
}

pub const POLLING: &[&str] = &["bridge.state"];
pub fn polling(car: &Vehicle) -> Said {
    or_unknown(
        car.text("bridge.state")
            .map(|state| Said::on(state != "paused")),
    )
}

pub const NAME: &[&str] = &["vehicle_state.vehicle_name", "display_name"];
/// The owner's name for the car.
pub fn name(car: &Vehicle) -> Option<&str> {
    NAME.iter().find_map(|path| car.text(path))
}
pub fn display_name(car: &Vehicle) -> Said {
    or_unknown(name(car).map(Said::text))
}

// ---- charging

pub const PLUGGED_IN: &[&str] = &[
    "charge_state.charging_state",
    "charge_state.conn_charge_cable",
];
/// The charging state decides: a car whose charger sleeps says `<invalid>` for a cable that is
/// plugged in (recorded: Model S, Stopped, scheduled charging pending).
pub fn plugged_in(car: &Vehicle) -> Said {
    let state = car.text("charge_state.charging_state");
    let cable = car.value("charge_state.conn_charge_cable");
    match state {
        Some("Disconnected") => Said::on(false),
        Some("Charging" | "Starting" | "Complete" | "Stopped" | "NoPower") => Said::on(true),
        _ => or_unknown(cable.map(|_| Said::on(true))),
    }
}

pub const CHARGER_POWER: &[&str] = &["charge_state.charger_power", "charge_state.charging_state"];
/// Sticks at its last value for minutes after the end, so it counts only while charging.
pub fn charger_power(car: &Vehicle) -> Said {
    if is_charging(car) == Some(false) {
        return Said::Number(0.0);
    }
    or_unknown(car.number(CHARGER_POWER[0]).map(|kw| Said::number(kw, 1)))
}

/// `None` while the state is unknown.
fn is_charging(car: &Vehicle) -> Option<bool> {
    match car.text("charge_state.charging_state")? {
        "Charging" | "Starting" => Some(true),
        "Complete" | "Stopped" | "NoPower" | "Disconnected" => Some(false),
        _ => None,
    }
}

pub const CHARGER_PHASES: &[&str] = &["charge_state.charger_phases"];
/// European 3 and Y say 2 and mean three.
fn phases(car: &Vehicle) -> Option<f64> {
    let reported = car.number(CHARGER_PHASES[0])?;
    match reported {
        2.0 => Some(3.0),
        n if n >= 1.0 => Some(n),
        _ => None,
    }
}
pub fn charger_phases(car: &Vehicle) -> Said {
    or_unknown(phases(car).map(|n| Said::number(n, 0)))
}
pub fn charger_multiphase(car: &Vehicle) -> Said {
    or_unknown(phases(car).map(|n| Said::on(n > 1.0)))
}

pub const CHARGER_TYPE: &[&str] = &[
    "charge_state.fast_charger_present",
    "charge_state.charging_state",
    "charge_state.conn_charge_cable",
];
pub const CHARGER_TYPES: &[&str] = &["none", "ac", "dc"];
/// Tesla has no word for it: `fast_charger_present` is DC, and any other cable is AC.
pub fn charger_type(car: &Vehicle) -> Said {
    if car.truth(CHARGER_TYPE[0]) == Some(true) {
        return Said::Word("dc");
    }
    match plugged_in(car) {
        Said::Word("on") => Said::Word("ac"),
        Said::Word(_) => Said::Word("none"),
        other => other,
    }
}

pub const FULL_RANGE: &[&str] = &["charge_state.battery_range", "charge_state.battery_level"];
/// Below 20 % the whole percents of the level weigh too much.
pub fn full_range(car: &Vehicle) -> Said {
    let level = car.number(FULL_RANGE[1]).filter(|level| *level >= 20.0);
    or_unknown(
        car.number(FULL_RANGE[0])
            .zip(level)
            .map(|(miles, level)| Said::number(miles * 100.0 / level, 0)),
    )
}

pub const CHARGE_RATE: &[&str] = &["charge_state.charge_rate"];
/// -1 was seen for "nothing".
pub fn charge_rate(car: &Vehicle) -> Said {
    or_unknown(
        car.number(CHARGE_RATE[0])
            .map(|mph| Said::number(mph.max(0.0), 1)),
    )
}

pub const TIME_TO_FULL: &[&str] = &[
    "charge_state.minutes_to_full_charge",
    "charge_state.time_to_full_charge",
    "charge_state.charging_state",
];
/// When it will be full, counted from when the car said so. Minutes where there are, else hours,
/// which come in quarters.
pub fn time_to_full_charge(car: &Vehicle) -> Said {
    if is_charging(car) == Some(false) {
        return Said::Unknown;
    }
    let minutes = later(car, TIME_TO_FULL[0], 60.0);
    or_unknown(
        minutes
            .or_else(|| later(car, TIME_TO_FULL[1], 3600.0))
            .map(Said::Time),
    )
}

/// The time that lies so many units after the car said so.
fn later(car: &Vehicle, path: &str, unit_s: f64) -> Option<Timestamp> {
    let known = car.known(path)?;
    let seconds = known.value.as_ref()?.number()? * unit_s;
    // Ten weeks: longer than any charge or route; beyond it the number is broken.
    if !(1.0..6e6).contains(&seconds) {
        return None;
    }
    known.at.checked_add(Duration::from_secs_f64(seconds)).ok()
}

pub const SCHEDULED_DEPARTURE: &[&str] = &[
    "charge_state.scheduled_charging_mode",
    "charge_state.preconditioning_enabled",
    "charge_state.off_peak_charging_enabled",
];
pub fn scheduled_departure(car: &Vehicle) -> Said {
    let departs = car
        .text(SCHEDULED_DEPARTURE[0])
        .map(|mode| mode == "DepartBy");
    any(&[
        departs,
        car.truth(SCHEDULED_DEPARTURE[1]),
        car.truth(SCHEDULED_DEPARTURE[2]),
    ])
}

/// `on` if any is true, `off` if none of those known is, unknown if none is known.
fn any(truths: &[Option<bool>]) -> Said {
    let known: Vec<bool> = truths.iter().filter_map(|truth| *truth).collect();
    if known.is_empty() {
        Said::Unknown
    } else {
        Said::on(known.contains(&true))
    }
}

// ---- driving

pub const SHIFT: &[&str] = &["drive_state.shift_state"];
pub const GEARS: &[&str] = &["p", "r", "n", "d"];
/// A parked car says null or "P".
pub fn shift_state(car: &Vehicle) -> Said {
    match car.value(SHIFT[0]) {
        None => Said::Word("p"),
        Some(value) => match value.text() {
            Some("P") => Said::Word("p"),
            Some("R") => Said::Word("r"),
            Some("N") => Said::Word("n"),
            Some("D") => Said::Word("d"),
            Some(other) => Said::Unlisted(other.to_owned()),
            None => Said::Unknown,
        },
    }
}
fn is_parked(car: &Vehicle) -> bool {
    shift_state(car) == Said::Word("p")
}
pub fn parking_brake(car: &Vehicle) -> Said {
    match shift_state(car) {
        Said::Word(gear) => Said::on(gear == "p"),
        _ => Said::Unknown,
    }
}

pub const SPEED: &[&str] = &["drive_state.speed", "drive_state.shift_state"];
/// Null when parked, and then it is 0.
pub fn speed(car: &Vehicle) -> Said {
    match car.number(SPEED[0]) {
        Some(mph) => Said::number(mph, 0),
        None if is_parked(car) && car.value(SPEED[0]).is_none() => Said::Number(0.0),
        None => Said::Unknown,
    }
}

pub const POWER: &[&str] = &["drive_state.power"];
/// Null at rest, and then it is 0.
pub fn power(car: &Vehicle) -> Said {
    match car.value(POWER[0]) {
        None => Said::Number(0.0),
        Some(value) => or_unknown(value.number().map(|kw| Said::number(kw, 0))),
    }
}

pub const LOCATION: &[&str] = &[
    "drive_state.latitude",
    "drive_state.longitude",
    "drive_state.heading",
    "drive_state.speed",
    "drive_state.gps_as_of",
];
/// Both coordinates or nothing: half a position clears the map.
pub fn location(car: &Vehicle) -> Said {
    let Some(mut at) = position(car, LOCATION[0], LOCATION[1]) else {
        return Said::Silent;
    };
    at.insert(
        "heading".into(),
        car.number(LOCATION[2]).map_or(Json::Null, number),
    );
    at.insert("speed".into(), speed(car).json());
    let fixed_at = car.value(LOCATION[4]).and_then(Value::epoch);
    at.insert(
        "gps_as_of".into(),
        fixed_at.map_or(Json::Null, |t| t.to_string().into()),
    );
    Said::Json(at)
}

/// Tesla gives no accuracy; 0 is Home Assistant's word for "not said".
fn position(car: &Vehicle, latitude: &str, longitude: &str) -> Option<Map<String, Json>> {
    let latitude = car.number(latitude).filter(|d| d.abs() <= 90.0)?;
    let longitude = car.number(longitude).filter(|d| d.abs() <= 180.0)?;
    let degrees = |d: f64| Said::number(d, 6).json();
    let mut at = Map::new();
    at.insert("latitude".into(), degrees(latitude));
    at.insert("longitude".into(), degrees(longitude));
    at.insert("gps_accuracy".into(), json!(0));
    Some(at)
}

pub const ORIGIN: &[&str] = &[
    "telemetry.OriginLocation.latitude",
    "telemetry.OriginLocation.longitude",
];
pub fn origin(car: &Vehicle) -> Said {
    position(car, ORIGIN[0], ORIGIN[1]).map_or(Said::Silent, Said::Json)
}

pub const ROUTE: &[&str] = &[
    "drive_state.active_route_miles_to_arrival",
    "drive_state.active_route_minutes_to_arrival",
    "drive_state.active_route_latitude",
    "drive_state.active_route_longitude",
    "drive_state.active_route_destination",
    "drive_state.active_route_energy_at_arrival",
    "drive_state.active_route_traffic_minutes_delay",
];
/// Distance or time to go are there; the other keys of a route outlive it.
fn has_route(car: &Vehicle) -> bool {
    car.number(ROUTE[0]).is_some() || car.number(ROUTE[1]).is_some()
}
fn on_route(car: &Vehicle, said: Option<Said>) -> Said {
    or_unknown(said.filter(|_| has_route(car)))
}

/// Where the route leads. Home Assistant cannot forget a position, so without a route the
/// message only says that there is none.
pub fn route(car: &Vehicle) -> Said {
    let mut at = Map::new();
    if has_route(car) {
        let Some(there) = position(car, ROUTE[2], ROUTE[3]) else {
            return Said::Silent;
        };
        at = there;
        at.insert(
            "destination".into(),
            car.text(ROUTE[4]).map_or(Json::Null, Json::from),
        );
    }
    at.insert("active".into(), has_route(car).into());
    Said::Json(at)
}

/// One message with the whole route, as TeslaMate's readers know it.
pub fn active_route(car: &Vehicle) -> Said {
    let mut all = Map::new();
    if !has_route(car) {
        all.insert("error".into(), "No active route available".into());
        return Said::Json(all);
    }
    let rounded = |path: &str, digits| {
        car.number(path)
            .map_or(Json::Null, |n| Said::number(n, digits).json())
    };
    let there = position(car, ROUTE[2], ROUTE[3]).map_or(Json::Null, |mut at| {
        at.remove("gps_accuracy");
        at.into()
    });
    all.insert(
        "destination".into(),
        car.text(ROUTE[4]).map_or(Json::Null, Json::from),
    );
    all.insert("energy_at_arrival".into(), rounded(ROUTE[5], 0));
    all.insert("miles_to_arrival".into(), rounded(ROUTE[0], 2));
    all.insert("minutes_to_arrival".into(), rounded(ROUTE[1], 1));
    all.insert("traffic_minutes_delay".into(), rounded(ROUTE[6], 1));
    all.insert("location".into(), there);
    all.insert("error".into(), Json::Null);
    Said::Json(all)
}
pub fn destination(car: &Vehicle) -> Said {
    on_route(car, car.text(ROUTE[4]).map(Said::text))
}
pub fn energy_at_arrival(car: &Vehicle) -> Said {
    on_route(
        car,
        car.number(ROUTE[5]).map(|percent| Said::number(percent, 0)),
    )
}
pub fn distance_to_arrival(car: &Vehicle) -> Said {
    on_route(
        car,
        car.number(ROUTE[0]).map(|miles| Said::number(miles, 2)),
    )
}
pub fn traffic_delay(car: &Vehicle) -> Said {
    on_route(
        car,
        car.number(ROUTE[6]).map(|minutes| Said::number(minutes, 1)),
    )
}
pub fn time_to_arrival(car: &Vehicle) -> Said {
    on_route(car, later(car, ROUTE[1], 60.0).map(Said::Time))
}

// ---- climate

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

// ---- closures

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

// ---- tires

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

// ---- software and configuration

pub const VERSION: &[&str] = &["vehicle_state.car_version"];
/// The version without Tesla's hash.
pub fn installed_version(car: &Vehicle) -> Option<&str> {
    car.text(VERSION[0])?.split_whitespace().next()
}
pub fn version(car: &Vehicle) -> Said {
    or_unknown(installed_version(car).map(Said::text))
}

pub const UPDATE: &[&str] = &[
    "vehicle_state.software_update.status",
    "vehicle_state.software_update.version",
    "vehicle_state.software_update.download_perc",
    "vehicle_state.software_update.install_perc",
    "vehicle_state.software_update.expected_duration_sec",
    "vehicle_state.car_version",
];
/// The version on offer. Status decides, because the other fields keep stale values without an
/// update; map packages (`EU-2023.20-14615`) are no firmware.
fn offered_version(car: &Vehicle) -> Option<&str> {
    let offered = matches!(
        car.text(UPDATE[0])?,
        "available" | "scheduled" | "installing" | "downloading" | "downloading_wifi_wait"
    );
    let version = car.text(UPDATE[1])?;
    let is_firmware = version.starts_with(|c: char| c.is_ascii_digit());
    (offered && is_firmware).then_some(version)
}
/// Tesla leaves `status` empty, hence null-like, when there is nothing.
pub fn update_available(car: &Vehicle) -> Said {
    or_unknown(
        car.known(UPDATE[0])
            .map(|_| Said::on(offered_version(car).is_some())),
    )
}
pub fn update_version(car: &Vehicle) -> Said {
    or_unknown(offered_version(car).map(Said::text))
}
fn percent(car: &Vehicle, path: &str) -> Option<f64> {
    car.number(path).map(|percent| percent.clamp(0.0, 100.0))
}
pub fn update_download_percent(car: &Vehicle) -> Said {
    let known = percent(car, UPDATE[2]).filter(|_| offered_version(car).is_some());
    or_unknown(known.map(|percent| Said::number(percent, 0)))
}
pub fn update_install_percent(car: &Vehicle) -> Said {
    let is_installing = car.text(UPDATE[0]) == Some("installing");
    let known = percent(car, UPDATE[3]).filter(|_| is_installing);
    or_unknown(known.map(|percent| Said::number(percent, 0)))
}
pub fn update_expected_duration(car: &Vehicle) -> Said {
    let known = car
        .number(UPDATE[4])
        .filter(|_| offered_version(car).is_some());
    or_unknown(known.map(|seconds| Said::number(seconds / 60.0, 0)))
}

/// Home Assistant accepts these keys and no other, and null only for the percentage.
pub fn software_update(car: &Vehicle) -> Said {
    let Some(installed) = installed_version(car) else {
        return Said::Silent;
    };
    let latest = offered_version(car).unwrap_or(installed);
    let progress = match car.text(UPDATE[0]) {
        Some("installing") => percent(car, UPDATE[3]),
        Some("downloading") => percent(car, UPDATE[2]),
        _ => None,
    };
    let busy = matches!(car.text(UPDATE[0]), Some("installing" | "downloading"));
    let mut all = Map::new();
    all.insert("installed_version".into(), installed.into());
    all.insert("latest_version".into(), latest.into());
    all.insert("title".into(), "Vehicle software".into());
    all.insert("in_progress".into(), busy.into());
    all.insert(
        "update_percentage".into(),
        progress.map_or(Json::Null, number),
    );
    Said::Json(all)
}

/// The VIN says it too, so the first word about the car's state is enough.
pub const MODEL: &[&str] = &["vehicle_config.car_type", "vehicle_state.car_type", "state"];
pub fn model(car: &Vehicle) -> Said {
    or_unknown(model_letter(car).map(Said::Word))
}
/// "S", "3", "X", "Y", "Cybertruck", ...: from the configuration, else from the VIN.
pub fn model_letter(car: &Vehicle) -> Option<&'static str> {
    let of_config = MODEL.iter().find_map(|path| {
        let car_type = car.text(path)?.to_ascii_lowercase();
        CAR_TYPES
            .iter()
            .find(|(prefix, _)| car_type.starts_with(prefix))
            .map(|(_, model)| *model)
    });
    of_config.or_else(|| {
        let letter = car.vin.as_str().chars().nth(3)?;
        VIN_MODELS
            .iter()
            .find(|(of_vin, _)| *of_vin == letter)
            .map(|(_, model)| *model)
    })
}
/// Prefixes; `lychee` and `tamarind` are the S and X of 2021.
const CAR_TYPES: &[(&str, &str)] = &[
    ("models", "S"),
    ("lychee", "S"),
    ("modelx", "X"),
    ("tamarind", "X"),
    ("model3", "3"),
    ("modely", "Y"),
    ("cybertruck", "Cybertruck"),
    ("semi", "Semi"),
];
const VIN_MODELS: &[(char, &str)] = &[
    ('S', "S"),
    ('3', "3"),
    ('X', "X"),
    ('Y', "Y"),
    ('C', "Cybertruck"),
    ('T', "Semi"),
    ('R', "Roadster"),
    ('A', "Cybercab"),
];
