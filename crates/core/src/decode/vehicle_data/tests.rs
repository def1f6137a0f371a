#![expect(
    clippy::needless_pass_by_value,
    reason = "bodies are written where they are used"
)]

use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::{Value as Json, json};

use super::*;
use crate::model::{CarRecord, ChargingState, Gear, SoftwareUpdate, UpdateStatus, Vehicle};

const ARRIVAL: &str = "2024-01-20T00:00:00Z";

fn now() -> Now {
    at(ARRIVAL)
}

fn at(wall: &str) -> Now {
    Now {
        mono: Duration::from_secs(100),
        wall: wall.parse().unwrap(),
    }
}

fn decode(response: Json) -> VehicleData {
    let body = json!({ "response": response }).to_string();
    vehicle_data(body.as_bytes(), now()).unwrap()
}

fn car(response: Json) -> Vehicle {
    let mut vehicle = Vehicle::new(Vin::new("5YJ3E7EB0KF000005").unwrap());
    for seen in decode(response).observations {
        vehicle.apply(&seen);
    }
    vehicle
}

fn record(response: Json) -> CarRecord {
    CarRecord::of(&car(response))
}

fn seen<'a>(data: &'a VehicleData, group: &'static str) -> &'a Observation {
    let of_group = |o: &&Observation| o.whole_groups.contains(&group);
    data.observations.iter().find(of_group).unwrap()
}

#[test]
fn objects_become_observations_and_nested_fields_dotted_signals() {
    let data = decode(json!({
        "vin": "5YJ3E7EB0KF000005", "id": 12_345_678_901_234_567_u64, "state": "online", "in_service": false,
        "charge_state": {"battery_level": 72, "timestamp": 1_705_700_000_000_u64},
        "vehicle_state": {"locked": true, "software_update": {"status": "available"},
            "media_info": {"audio_volume": 2.3333}, "media_state": {"remote_control_enabled": true},
            "speed_limit_mode": {"active": false}},
    }));
    assert_eq!(data.oddities, Vec::<String>::new());
    assert_eq!(
        seen(&data, "charge_state").at.to_string(),
        "2024-01-19T21:33:20Z"
    );
    assert_eq!(seen(&data, "vehicle_state").at.to_string(), ARRIVAL);
    let names: Vec<_> = data
        .observations
        .iter()
        .flat_map(|o| &o.signals)
        .map(|(signal, _)| signal.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "charge_state.battery_level",
            "charge_state.timestamp",
            "vehicle_state.locked",
            "vehicle_state.media_info.audio_volume",
            "vehicle_state.media_state.remote_control_enabled",
            "vehicle_state.software_update.status",
            "vehicle_state.speed_limit_mode.active",
            "in_service",
            "state",
        ]
    );
}

#[test]
fn an_answer_without_envelope_is_read_too() {
    let body = br#"{"state":"online","charge_state":{"battery_level":5}}"#;
    let data = vehicle_data(body, now()).unwrap();
    let (signal, level) = &seen(&data, "charge_state").signals[0];
    assert_eq!(signal.as_str(), "charge_state.battery_level");
    assert_eq!(level.as_ref().and_then(Value::number), Some(5.0));
}

#[test]
fn what_is_no_answer_is_an_error() {
    let check = |body: &str, refused: bool| match vehicle_data(body.as_bytes(), now()) {
        Err(DecodeError::Refused(_)) => assert!(refused, "{body}"),
        Err(DecodeError::Malformed(_)) => assert!(!refused, "{body}"),
        Err(other) => panic!("{body}: {other}"),
        Ok(data) => panic!("{body}: {data:?}"),
    };
    check(r#"{"response":null}"#, true);
    check(r#"{"response":null,"error":"vehicle unavailable"}"#, true);
    check(r#"{"error":"not_found"}"#, true);
    check("null", true);
    check("", false);
    check("<html></html>", false);
    check(r#"{"response":{"charge_state":{"battery"#, false);
    check(r#"{"response":[]}"#, false);
    check(r#"{"response":true}"#, false);
    check(r#"{"response":{}}"#, false);
    check(r#"{"response":{"message":"ok"}}"#, false);
}

#[test]
fn quirk_2_numbers_come_as_integers_or_floats_and_truths_as_either() {
    let vehicle = car(json!({
        "charge_state": {"battery_level": 72.0, "charge_limit_soc": 80},
        "climate_state": {"is_front_defroster_on": 3, "seat_heater_left": true},
        "vehicle_state": {"df": false, "pf": 4, "locked": 1},
    }));
    assert_eq!(vehicle.number("charge_state.battery_level"), Some(72.0));
    assert_eq!(vehicle.number("charge_state.charge_limit_soc"), Some(80.0));
    assert_eq!(
        vehicle.truth("climate_state.is_front_defroster_on"),
        Some(true)
    );
    assert_eq!(vehicle.number("climate_state.seat_heater_left"), Some(1.0));
    assert_eq!(vehicle.truth("vehicle_state.df"), Some(false));
    assert_eq!(vehicle.truth("vehicle_state.pf"), Some(true));
    assert_eq!(vehicle.truth("vehicle_state.locked"), Some(true));
}

#[test]
fn quirk_2_a_retyped_field_is_kept_and_an_unknown_one_is_not_but_both_are_noted() {
    let data = decode(json!({
        "charge_state": {"battery_level": "72", "brand_new": 1, "a_list": [1], "charging_state": {"x": 1}},
        "climate_state": "later", "moon_state": {"phase": 3}, "drive_state": [],
    }));
    assert_eq!(
        data.oddities,
        [
            "charge_state.battery_level is text",
            "charge_state.brand_new is new",
            "charge_state.charging_state.x is new",
            "climate_state is text",
            "drive_state is a list",
        ]
    );
    let (_, level) = &seen(&data, "charge_state").signals[0];
    assert_eq!(level.as_ref().and_then(Value::number), Some(72.0));
    let signals: usize = data.observations.iter().map(|o| o.signals.len()).sum();
    assert_eq!(signals, 1);
}

#[test]
fn quirk_3_null_like_words_are_unknown() {
    for word in [
        "<invalid>",
        "SNA",
        "",
        " ",
        "\t\n",
        "Invalid",
        " <invalid> ",
    ] {
        let data = decode(json!({"charge_state": {"conn_charge_cable": word, "battery_level": 1}}));
        let expected = (Signal::new("charge_state.conn_charge_cable"), None);
        assert!(
            seen(&data, "charge_state").signals.contains(&expected),
            "{word:?}"
        );
        assert_eq!(data.oddities, Vec::<String>::new());
    }
}

#[test]
fn quirk_4_no_shift_state_is_not_offline() {
    let view = record(json!({"state": "online", "drive_state": {"shift_state": null, "power": 0}}));
    assert_eq!((view.gear, view.power_kw), (Some(Gear::P), Some(0.0)));
    let view = record(json!({"drive_state": {"shift_state": "P"}}));
    assert_eq!(view.gear, Some(Gear::P));
    assert_eq!(record(json!({"state": "online"})).gear, None);
}

#[test]
fn quirk_11_milliseconds_and_seconds_are_told_apart() {
    let start = |value: Json| {
        let view = record(json!({"charge_state": {"scheduled_charging_start_time": value}}));
        view.scheduled_charging_start.map(|t| t.to_string())
    };
    assert_eq!(
        start(json!(1_696_886_400)).as_deref(),
        Some("2023-10-09T21:20:00Z")
    );
    assert_eq!(
        start(json!(1_696_886_400_000_u64)).as_deref(),
        Some("2023-10-09T21:20:00Z")
    );
    for junk in [
        json!(null),
        json!(0),
        json!(1),
        json!(-5),
        json!(1e300),
        json!("soon"),
    ] {
        assert_eq!(start(junk.clone()), None, "{junk}");
    }
}

#[test]
fn a_junk_time_stamp_gives_way_to_the_time_of_arrival() {
    let check = |stamp: Json, expected: &str| {
        let data = decode(json!({"climate_state": {"inside_temp": 20, "timestamp": stamp}}));
        assert_eq!(
            seen(&data, "climate_state").at.to_string(),
            expected,
            "{stamp}"
        );
    };
    check(json!(1), ARRIVAL);
    check(json!(0), ARRIVAL);
    check(json!(-1_705_700_000_000_i64), ARRIVAL);
    check(json!(null), ARRIVAL);
    check(json!("1705700000000"), ARRIVAL);
    check(json!(9_999_999_999_999_999_i64), ARRIVAL);
    check(json!(1_705_708_810_000_u64), ARRIVAL); // ten seconds ahead of us
    check(json!(1_705_700_000_000_u64), "2024-01-19T21:33:20Z");
}

#[test]
fn the_car_knows_the_time_better_than_a_clock_that_is_not_set() {
    let body =
        br#"{"state":"online","charge_state":{"battery_level":5,"timestamp":1705700000000}}"#;
    let data = vehicle_data(body, at("1970-01-01T00:01:00Z")).unwrap();
    for seen in &data.observations {
        assert_eq!(seen.at.to_string(), "2024-01-19T21:33:20Z");
    }
}

#[test]
fn quirk_14_a_missing_or_zero_position_leaves_the_last_one_in_place() {
    let mut vehicle = car(
        json!({"drive_state": {"latitude": 52.1, "longitude": 5.1, "heading": 240, "timestamp": 1_705_700_000_000_u64}}),
    );
    for lost in [
        json!({"power": 0, "timestamp": 1_705_700_001_000_u64}),
        json!({"power": 0, "latitude": null, "longitude": null, "timestamp": 1_705_700_002_000_u64}),
        json!({"power": 0, "latitude": 0, "longitude": 0.0, "timestamp": 1_705_700_003_000_u64}),
        json!({"power": 0, "latitude": 50.0, "timestamp": 1_705_700_004_000_u64}),
        json!({"power": 0, "latitude": "here", "longitude": 5, "timestamp": 1_705_700_005_000_u64}),
        json!({"power": 0, "latitude": 95, "longitude": 5, "timestamp": 1_705_700_006_000_u64}),
        json!({"power": 0, "latitude": 52, "longitude": 200, "timestamp": 1_705_700_007_000_u64}),
    ] {
        for seen in decode(json!({"drive_state": lost})).observations {
            vehicle.apply(&seen);
        }
        assert_eq!(vehicle.number("drive_state.latitude"), Some(52.1));
        assert_eq!(vehicle.number("drive_state.longitude"), Some(5.1));
        assert_eq!(vehicle.number("drive_state.heading"), Some(240.0));
    }
}

#[test]
fn quirk_16_route_keys_that_vanish_become_unknown() {
    let route = json!({"active_route_destination": "Home", "active_route_miles_to_arrival": 3.5, "shift_state": "D", "timestamp": 1_705_700_000_000_u64});
    let mut vehicle = car(json!({ "drive_state": route }));
    let later = json!({"drive_state": {"shift_state": "D", "timestamp": 1_705_700_060_000_u64}});
    for seen in decode(later).observations {
        vehicle.apply(&seen);
    }
    assert_eq!(vehicle.value("drive_state.active_route_destination"), None);
    assert!(
        vehicle
            .known("drive_state.active_route_destination")
            .is_some()
    );
    assert_eq!(vehicle.text("drive_state.shift_state"), Some("D"));
}

#[test]
fn quirk_18_a_door_is_open_at_any_value_but_zero() {
    let open = |field: &str, value: Json| record(json!({"vehicle_state": {field: value}}));
    assert!(open("pr", json!(4)).door_open);
    assert!(open("df", json!(true)).door_open);
    assert!(!open("df", json!(0)).door_open);
    assert!(!open("df", json!(null)).door_open);
    assert!(open("rt", json!(16)).trunk_open);
    assert!(!open("ft", json!(0)).trunk_open);
}

#[test]
fn quirk_20_online_but_empty_keeps_the_old_values() {
    let mut vehicle = car(json!({
        "charge_state": {"battery_level": 72, "timestamp": 1_705_700_000_000_u64},
        "vehicle_state": {"locked": true, "timestamp": 1_705_700_000_000_u64},
    }));
    let empty = decode(json!({
        "state": "online", "charge_state": null, "climate_state": {},
        "vehicle_state": {"timestamp": 1_705_700_060_000_u64, "locked": null},
        "closures_state": {"timestamp": 1_705_700_060_000_u64},
    }));
    assert_eq!(empty.observations.len(), 1);
    for seen in &empty.observations {
        vehicle.apply(seen);
    }
    assert_eq!(vehicle.number("charge_state.battery_level"), Some(72.0));
    assert_eq!(vehicle.truth("vehicle_state.locked"), Some(true));
}

#[test]
fn the_record_holds_what_is_decided_by() {
    let view = record(json!({
        "in_service": true,
        "drive_state": {"timestamp": 1_705_700_000_000_u64, "power": -7},
        "charge_state": {"charging_state": "Charging", "charger_power": 7, "scheduled_charging_pending": true},
        "climate_state": {"is_preconditioning": true, "climate_keeper_mode": "dog",
            "cabin_overheat_protection_actively_cooling": true},
        "vehicle_state": {"is_user_present": true, "sentry_mode": true, "locked": false, "odometer": 1.5,
            "car_version": "2023.44.30.8 06f534d46010",
            "software_update": {"status": "downloading", "version": "2024.2", "download_perc": 50}},
    }));
    let expected = CarRecord {
        at: ARRIVAL.parse().ok(),
        drive_at: "2024-01-19T21:33:20Z".parse().ok(),
        odometer_at: "2024-01-20T00:00:00Z".parse().ok(),
        gear: Some(Gear::P),
        power_kw: Some(-7.0),
        charging_state: Some(ChargingState::Charging),
        charger_power_kw: Some(7.0),
        scheduled_charging_pending: true,
        update: Some(SoftwareUpdate {
            status: UpdateStatus::Downloading,
            version: Some("2024.2".into()),
            download_percent: Some(50.0),
            install_percent: None,
        }),
        car_version: Some("2023.44.30.8 06f534d46010".into()),
        odometer_mi: Some(1.5),
        user_present: true,
        sentry_mode: true,
        preconditioning: true,
        climate_keeper_mode: Some("dog".into()),
        cabin_overheat_cooling: true,
        locked: Some(false),
        in_service: true,
        ..CarRecord::default()
    };
    assert_eq!(view, expected);
}

#[test]
fn texts_are_cut_and_lose_their_control_characters() {
    let long = "x".repeat(100_000);
    let vehicle =
        car(json!({"vehicle_state": {"vehicle_name": "a\u{0}b\nc 🚗", "wheel_type": long}}));
    assert_eq!(vehicle.text("vehicle_state.vehicle_name"), Some("a b c 🚗"));
    assert_eq!(
        vehicle.text("vehicle_state.wheel_type").unwrap().len(),
        1000
    );
}

#[test]
fn an_absurd_number_costs_its_field() {
    let body = br#"{"state":"online","charge_state":{"battery_level":1e999,"charger_pilot_current":18446744073709551615,"usable_battery_level":4}}"#;
    let data = vehicle_data(body, now()).unwrap();
    let mut vehicle = Vehicle::new(Vin::new("5YJ3E7EB0KF000005").unwrap());
    for seen in &data.observations {
        vehicle.apply(seen);
    }
    assert_eq!(vehicle.value("charge_state.battery_level"), None);
    assert_eq!(
        vehicle.number("charge_state.usable_battery_level"),
        Some(4.0)
    );
    assert!(
        vehicle
            .number("charge_state.charger_pilot_current")
            .unwrap()
            .is_finite()
    );
}

#[test]
fn endless_new_fields_fill_neither_memory_nor_log() {
    let many: serde_json::Map<String, Json> = (0..50_000)
        .map(|n| (format!("field_{n}"), json!(n)))
        .collect();
    let data = decode(json!({"state": "online", "charge_state": many}));
    assert_eq!(data.oddities.len(), ODDITIES_AT_MOST);
    assert_eq!(data.observations.len(), 1);
}
