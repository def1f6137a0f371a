//! The fields that live: what a view of a car becomes in Tesla's words and units (miles, mph,
//! whole kW, bar, °C).
#![expect(
    clippy::cast_possible_truncation,
    reason = "small quantities, rounded as Tesla rounds them"
)]

use serde_json::{Value, json};

use crate::motion::{KM_PER_MILE, place};
use crate::spec::mix;
use crate::{CarSpec, CarView, ChargeState, Model};
use tesla2mqtt_core::policy::HoldReason;

pub(super) type Fields = Vec<(&'static str, Value)>;

const MAINS_VOLTS: f64 = 230.0;
/// (title, artist, album, milliseconds)
const SONGS: [(&str, &str, &str, i64); 4] = [
    (
        "Regenerative Waltz",
        "The Inverters",
        "Torque at Standstill",
        187_000,
    ),
    ("Ninety Percent", "Kilowatt Hours", "Range", 224_000),
    ("Frunk", "Ångström & the Busbars", "Closures", 151_000),
    ("Sleep Countdown", "Twelve Minutes", "Offline", 720_000),
];

/// All living fields by group.
pub(super) fn groups(spec: &CarSpec, view: &CarView) -> [(&'static str, Fields); 5] {
    [
        ("charge_state", charge_state(spec, view)),
        ("climate_state", climate_state(view)),
        ("drive_state", drive_state(spec, view)),
        (
            "vehicle_config",
            vec![("utc_offset", json!(spec.utc_offset))],
        ),
        ("vehicle_state", vehicle_state(spec, view)),
    ]
}

fn charge_state(spec: &CarSpec, view: &CarView) -> Fields {
    let charge = view.charge;
    let level = view.battery_level.floor() as i64;
    let rated_mi = rated_miles(spec, view.battery_level);
    let is_big = matches!(spec.model(), Model::S | Model::X);
    let added_mi =
        (rated_miles(spec, charge.energy_added_kwh / spec.battery_kwh * 100.0) * 2.0).round() / 2.0;
    let minutes_left = charge.left.as_secs() / 60;
    let cold = view.outside_temp < 8.5 && view.drive.is_none();
    let mut fields = vec![
        ("battery_level", json!(level)),
        (
            "usable_battery_level",
            json!(if cold { (level - 1).max(0) } else { level }),
        ),
        ("battery_range", json!(to(rated_mi, 2))),
        ("est_battery_range", json!(to(rated_mi * 0.87, 2))),
        (
            "ideal_battery_range",
            json!(to(if is_big { rated_mi * 1.12 } else { rated_mi }, 2)),
        ),
        ("charge_energy_added", json!(to(charge.energy_added_kwh, 2))),
        ("charge_miles_added_rated", json!(added_mi)),
        ("charge_miles_added_ideal", json!(added_mi)),
        ("charge_limit_soc", json!(charge.limit as i64)),
        ("charging_state", json!(charge.state.word())),
        ("minutes_to_full_charge", json!(minutes_left)),
        (
            "time_to_full_charge",
            json!((charge.left.as_secs_f64() / 900.0).round() / 4.0),
        ),
    ];
    if charge.state != ChargeState::Disconnected {
        fields.extend(plugged(charge.dc));
    }
    if charge.state == ChargeState::Charging {
        let gained = charge.kw * 0.92 / spec.battery_kwh * 100.0;
        fields.push(("charge_rate", json!(to(rated_miles(spec, gained), 1))));
        fields.push(("charge_port_color", json!("FlashingGreen")));
        fields.push(("charger_power", json!(charge.kw.round() as i64)));
        if !charge.dc {
            fields.extend(mains(charge.kw, is_big));
        }
    }
    if let Some(at) = charge.scheduled {
        let local = at.as_second() + i64::from(spec.utc_offset);
        let minutes = local.rem_euclid(86_400) / 60;
        fields.extend([
            ("scheduled_charging_mode", json!("StartAt")),
            ("scheduled_charging_pending", json!(true)),
            ("scheduled_charging_start_time", json!(at.as_second())),
            ("scheduled_charging_start_time_app", json!(minutes)),
            ("scheduled_charging_start_time_minutes", json!(minutes)),
        ]);
    }
    fields
}

fn plugged(dc: bool) -> Fields {
    let (brand, kind) = if dc {
        ("Tesla", "Combo")
    } else {
        ("", "ACSingleWireCAN")
    };
    vec![
        ("charge_port_door_open", json!(true)),
        ("charge_port_latch", json!("Engaged")),
        ("conn_charge_cable", json!("IEC")),
        ("fast_charger_brand", json!(brand)),
        ("fast_charger_present", json!(dc)),
        ("fast_charger_type", json!(kind)),
    ]
}

/// An AC supply; three phases show as 2 on the 3 and Y (tesla-api.md, section 4.1).
fn mains(kw: f64, is_big: bool) -> Fields {
    let n_phases = if kw > 7.5 { 3.0 } else { 1.0 };
    let shown = match (n_phases > 1.0, is_big) {
        (false, _) => 1,
        (true, false) => 2,
        (true, true) => 3,
    };
    let amps = (kw * 1000.0 / MAINS_VOLTS / n_phases).round() as i64;
    vec![
        ("charger_actual_current", json!(amps)),
        ("charge_amps", json!(amps)),
        ("charge_current_request", json!(amps)),
        ("charger_phases", json!(shown)),
        ("charger_voltage", json!(MAINS_VOLTS as i64)),
    ]
}

fn climate_state(view: &CarView) -> Fields {
    let on = view.climate_on();
    let is = |reason| view.holds.contains(&reason);
    let seat = if on && view.outside_temp < 8.0 { 2 } else { 0 };
    vec![
        ("inside_temp", json!(to(view.inside_temp, 1))),
        ("outside_temp", json!(to(view.outside_temp, 1))),
        ("is_climate_on", json!(on)),
        ("is_auto_conditioning_on", json!(on)),
        ("is_preconditioning", json!(is(HoldReason::Preconditioning))),
        ("fan_status", json!(if on { 3 } else { 0 })),
        ("climate_keeper_mode", json!(view.keeper_mode())),
        (
            "cabin_overheat_protection_actively_cooling",
            json!(is(HoldReason::CabinOverheat)),
        ),
        ("seat_heater_left", json!(seat)),
    ]
}

fn drive_state(spec: &CarSpec, view: &CarView) -> Fields {
    let (latitude, longitude) = (to(view.place.latitude, 6), to(view.place.longitude, 6));
    let mut fields = vec![
        ("power", json!(view.power_kw().round() as i64)),
        ("shift_state", json!(view.gear())),
        ("gps_as_of", json!(view.at.as_second() - 1)),
        ("heading", json!(view.place.heading.floor() as i64)),
        ("latitude", json!(latitude)),
        ("longitude", json!(longitude)),
        ("native_latitude", json!(latitude)),
        ("native_longitude", json!(longitude)),
    ];
    let Some(drive) = view.drive else {
        return fields;
    };
    let destination = place(spec.home, view.odometer_km + drive.km_left);
    let used = drive.km_left * spec.wh_per_km / 10.0 / spec.battery_kwh;
    fields.extend([
        (
            "speed",
            json!((drive.speed_kmh / KM_PER_MILE).round() as i64),
        ),
        ("active_route_destination", json!("Simulated Street 1")),
        ("active_route_latitude", json!(to(destination.latitude, 6))),
        (
            "active_route_longitude",
            json!(to(destination.longitude, 6)),
        ),
        (
            "active_route_miles_to_arrival",
            json!(to(drive.km_left / KM_PER_MILE, 6)),
        ),
        (
            "active_route_minutes_to_arrival",
            json!(to(drive.left.as_secs_f64() / 60.0, 6)),
        ),
        (
            "active_route_energy_at_arrival",
            json!((view.battery_level - used).max(0.0).round() as i64),
        ),
    ]);
    fields
}

fn vehicle_state(spec: &CarSpec, view: &CarView) -> Fields {
    let is = |reason| view.holds.contains(&reason);
    let driving = view.drive.is_some();
    let display = match view.charge.state {
        _ if driving => 4,
        _ if is(HoldReason::ClimateKeeper) => 8,
        _ if is(HoldReason::SentryMode) && somebody_is_near(view) => 7,
        ChargeState::Charging if view.user_present() => 3,
        ChargeState::Charging => 5,
        _ if view.user_present() => 4,
        _ => 0,
    };
    let home =
        (view.place.latitude - spec.home.0).abs() + (view.place.longitude - spec.home.1).abs();
    let mut fields = vec![
        ("vehicle_name", json!(spec.name)),
        ("car_version", json!(view.firmware)),
        ("odometer", json!(view.odometer_mi())),
        ("locked", json!(view.locked())),
        ("is_user_present", json!(view.user_present())),
        ("df", json!(i32::from(is(HoldReason::DoorOpen)))),
        ("rt", json!(if is(HoldReason::TrunkOpen) { 16 } else { 0 })),
        ("sentry_mode", json!(is(HoldReason::SentryMode))),
        ("center_display_state", json!(display)),
        (
            "dashcam_state",
            json!(if driving { "Recording" } else { "Unavailable" }),
        ),
        ("homelink_nearby", json!(home < 0.002)),
        ("service_mode", json!(view.in_service)),
        ("media_info", media_info(view)),
        ("software_update", software_update(view)),
    ];
    fields.extend(tires(spec, view));
    fields
}

/// For a minute of each quarter of an hour, so that sentry mode has something to warn of.
fn somebody_is_near(view: &CarView) -> bool {
    view.at.as_second().rem_euclid(900) < 60
}

fn media_info(view: &CarView) -> Value {
    let mut media = json!({
        "audio_volume": 2.6667, "audio_volume_increment": 0.333_333, "audio_volume_max": 10.333_333,
        "media_playback_status": "Stopped", "now_playing_album": "", "now_playing_artist": "",
        "now_playing_duration": 0, "now_playing_elapsed": 0, "now_playing_source": "5",
        "now_playing_station": "", "now_playing_title": "",
    });
    if view.drive.is_none() {
        return media;
    }
    let round: i64 = SONGS.iter().map(|song| song.3).sum();
    let mut elapsed = view.at.as_millisecond().rem_euclid(round);
    for (title, artist, album, length) in SONGS {
        if elapsed < length {
            media["media_playback_status"] = json!("Playing");
            media["now_playing_source"] = json!("Spotify");
            media["now_playing_title"] = json!(title);
            media["now_playing_artist"] = json!(artist);
            media["now_playing_album"] = json!(album);
            media["now_playing_duration"] = json!(length);
            media["now_playing_elapsed"] = json!(elapsed / 1000 * 1000);
            break;
        }
        elapsed -= length;
    }
    media
}

fn software_update(view: &CarView) -> Value {
    let Some(update) = &view.update else {
        return json!({
            "download_perc": 0, "expected_duration_sec": 2700, "install_perc": 1,
            "status": "", "version": " ",
        });
    };
    let installing = update.status == "installing";
    json!({
        "download_perc": update.download_percent() as i64,
        "expected_duration_sec": 1500,
        "install_perc": if installing { update.percent as i64 } else { 1 },
        "status": update.status,
        "version": update.version,
    })
}

/// In steps of 0.025 bar, each wheel a little different, warmer and higher while rolling.
fn tires(spec: &CarSpec, view: &CarView) -> Fields {
    let driving = view.drive.is_some();
    let seen_at = if driving {
        view.at
    } else {
        view.last_drive_end
    };
    let wheels = [
        ("tpms_pressure_fl", "tpms_last_seen_pressure_time_fl"),
        ("tpms_pressure_fr", "tpms_last_seen_pressure_time_fr"),
        ("tpms_pressure_rl", "tpms_last_seen_pressure_time_rl"),
        ("tpms_pressure_rr", "tpms_last_seen_pressure_time_rr"),
    ];
    let mut noise = spec.seed;
    let mut fields = Fields::new();
    for (pressure, time) in wheels {
        noise = mix(noise);
        let steps = 112 + (noise % 4) as i32 + if driving { 4 } else { 0 };
        fields.push((pressure, json!(to(f64::from(steps) * 0.025, 3))));
        fields.push((time, json!(seen_at.as_second())));
    }
    fields
}

fn rated_miles(spec: &CarSpec, level: f64) -> f64 {
    let kwh = level / 100.0 * spec.battery_kwh;
    kwh * 1000.0 / (spec.wh_per_km * 0.93) / KM_PER_MILE
}

fn to(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
