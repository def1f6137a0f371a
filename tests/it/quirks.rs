//! Tesla's quirks by their number in tesla-api.md, section 11, as far as they show in what is
//! published. Those of reading are with the decoder, those of failures with the API, those of
//! counters with the trips; [`listed`] finds a test of each.
//! Below them the conventions of entity-catalogue.md, section 3.

#![expect(
    clippy::needless_pass_by_value,
    reason = "answers are written where they are used"
)]

use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::{Value as Json, json};
use tesla2mqtt::catalogue::{entities, find};
use tesla2mqtt::decode::vehicle_data::vehicle_data;
use tesla2mqtt::discovery::{self, EntityPrefixes, Setup};
use tesla2mqtt::model::{Now, Observation, Signal, Source, Value, Vehicle, Vin};
use tesla2mqtt::topics::{CarTopics, Paths};

mod listed;
mod route;

const VIN: &str = "5YJ3E7EB0KF000005";
const NOON: &str = "2026-11-23T12:00:00Z";

/// The car after answers that came one minute after the other.
fn car(answers: &[Json]) -> Vehicle {
    let mut car = Vehicle::new(Vin::new(VIN).unwrap());
    let mut now = Now {
        mono: Duration::ZERO,
        wall: NOON.parse().unwrap(),
    };
    for answer in answers {
        let body = json!({ "response": answer }).to_string();
        for seen in vehicle_data(body.as_bytes(), now).unwrap().observations {
            car.apply(&seen);
        }
        now = now.later(Duration::from_mins(1));
    }
    car
}

fn say(car: &Vehicle, key: &str) -> String {
    let said = find(key).unwrap().read(car);
    said.payload().unwrap_or_else(|| "(silence)".into())
}

/// The payloads of the keys, of a car that gave one answer.
fn check(answer: Json, expected: &[(&str, &str)]) {
    let car = car(std::slice::from_ref(&answer));
    for (key, payload) in expected {
        assert_eq!(say(&car, key), *payload, "{key} of {answer}");
    }
}

#[test]
fn quirk_4_no_gear_is_parked_and_a_strange_gear_is_unknown() {
    check(
        json!({"drive_state": {"shift_state": null, "power": 0}}),
        &[("shift_state", "p"), ("parking_brake", "on")],
    );
    check(
        json!({"drive_state": {"shift_state": "P"}}),
        &[("shift_state", "p"), ("parking_brake", "on")],
    );
    check(
        json!({"drive_state": {"shift_state": "SNA", "power": 0}}),
        &[("shift_state", "p")],
    );
    check(
        json!({"drive_state": {"shift_state": "R"}}),
        &[("shift_state", "r"), ("parking_brake", "off")],
    );
    check(
        json!({"drive_state": {"shift_state": "L"}}),
        &[("shift_state", "None"), ("parking_brake", "None")],
    );
    check(
        json!({"drive_state": {"shift_state": 4}}),
        &[("shift_state", "None")],
    );
    check(json!({"state": "asleep"}), &[("shift_state", "(silence)")]);
}

#[test]
fn quirk_5_a_parked_car_stands_still_but_a_driving_one_without_speed_is_unknown() {
    check(
        json!({"drive_state": {"speed": null, "shift_state": null, "power": 0}}),
        &[("speed", "0")],
    );
    check(
        json!({"drive_state": {"speed": null, "shift_state": "P"}}),
        &[("speed", "0")],
    );
    check(
        json!({"drive_state": {"speed": null, "shift_state": "D"}}),
        &[("speed", "None")],
    );
    check(
        json!({"drive_state": {"speed": 43, "shift_state": "D"}}),
        &[("speed", "43")],
    );
}

#[test]
fn quirk_6_power_is_negative_while_charging_and_0_when_null() {
    check(
        json!({"drive_state": {"power": -100, "shift_state": null}}),
        &[("power", "-100")],
    );
    check(
        json!({"drive_state": {"power": null, "shift_state": "P"}}),
        &[("power", "0")],
    );
}

#[test]
fn quirk_7_gross_and_usable_level_are_two_facts() {
    check(
        json!({"charge_state": {"battery_level": 78, "usable_battery_level": 77}}),
        &[("battery_level", "78"), ("usable_battery_level", "77")],
    );
}

#[test]
fn quirk_8_the_energy_of_a_session_stays_after_unplugging() {
    let session = |state: &str, kwh: f64| json!({"charge_state": {"charging_state": state, "charge_energy_added": kwh}});
    let car = car(&[
        session("Charging", 12.3),
        session("Complete", 12.63),
        session("Disconnected", 12.63),
    ]);
    assert_eq!(say(&car, "charge_energy_added"), "12.63");
}

#[test]
fn quirk_9_the_charger_of_a_car_that_does_not_charge_gives_nothing() {
    let charge = |state: Json, kw: Json| json!({"charge_state": {"charging_state": state, "charger_power": kw, "battery_level": 50}});
    check(
        charge(json!("Charging"), json!(7)),
        &[("charger_power", "7")],
    );
    for ended in ["Complete", "Stopped", "Disconnected", "NoPower"] {
        check(charge(json!(ended), json!(7)), &[("charger_power", "0")]);
        check(charge(json!(ended), json!(null)), &[("charger_power", "0")]);
    }
    check(charge(json!(null), json!(7)), &[("charger_power", "7")]);
    check(
        charge(json!(null), json!(null)),
        &[("charger_power", "None")],
    );
}

#[test]
fn quirk_9_two_phases_are_three() {
    let phases = |n: Json| json!({"charge_state": {"charger_phases": n, "battery_level": 50}});
    check(
        phases(json!(1)),
        &[("charger_phases", "1"), ("charger_multiphase", "off")],
    );
    check(
        phases(json!(2)),
        &[("charger_phases", "3"), ("charger_multiphase", "on")],
    );
    check(
        phases(json!(3)),
        &[("charger_phases", "3"), ("charger_multiphase", "on")],
    );
    for none in [json!(null), json!(0), json!("three")] {
        check(
            phases(none),
            &[("charger_phases", "None"), ("charger_multiphase", "None")],
        );
    }
}

#[test]
fn quirk_9_dc_is_told_from_ac() {
    let charger = |fast: Json, state: &str, cable: &str| json!({"charge_state": {"fast_charger_present": fast, "charging_state": state, "conn_charge_cable": cable}});
    check(
        charger(json!(true), "Charging", "IEC"),
        &[("charger_type", "dc")],
    );
    check(
        charger(json!(false), "Charging", "IEC"),
        &[("charger_type", "ac")],
    );
    check(
        charger(json!(null), "Complete", "SAE"),
        &[("charger_type", "ac")],
    );
    check(
        charger(json!(false), "Disconnected", "<invalid>"),
        &[("charger_type", "none")],
    );
}

#[test]
fn quirk_10_the_finish_is_a_time_by_minutes_or_else_by_hours() {
    let charge = |state: &str, minutes: Json, hours: Json| json!({"charge_state": {"charging_state": state, "minutes_to_full_charge": minutes, "time_to_full_charge": hours}});
    let finish = |answer: Json, expected: &str| check(answer, &[("time_to_full_charge", expected)]);
    finish(
        charge("Charging", json!(95), json!(1.5)),
        "2026-11-23T13:35:00Z",
    );
    finish(
        charge("Charging", json!(null), json!(1.5)),
        "2026-11-23T13:30:00Z",
    );
    finish(
        charge("Starting", json!(10), json!(0)),
        "2026-11-23T12:10:00Z",
    );
    finish(charge("Charging", json!(0), json!(0.0)), "None");
    finish(charge("Charging", json!(null), json!(null)), "None");
    finish(charge("Charging", json!(-5), json!(null)), "None");
    finish(charge("Charging", json!(1e15), json!(null)), "None");
    finish(charge("Complete", json!(95), json!(1.5)), "None");
}

#[test]
fn quirk_12_the_scheduled_start_is_a_time_with_a_zone() {
    check(
        json!({"charge_state": {"scheduled_charging_start_time": 1_696_886_400, "scheduled_charging_mode": "StartAt"}}),
        &[
            ("scheduled_charging_start_time", "2023-10-09T21:20:00Z"),
            ("scheduled_charging", "on"),
            ("scheduled_charging_mode", "start_at"),
        ],
    );
    check(
        json!({"charge_state": {"scheduled_charging_start_time": null, "scheduled_charging_mode": "Off"}}),
        &[
            ("scheduled_charging_start_time", "None"),
            ("scheduled_charging", "off"),
        ],
    );
}

#[test]
fn quirk_13_the_status_decides_whether_there_is_an_update() {
    let update = |status: Json, version: &str, download: i64, install: i64| {
        json!({"vehicle_state": {"car_version": "2023.38.6 c1f85ddb415f", "software_update": {
            "status": status, "version": version, "download_perc": download, "install_perc": install, "expected_duration_sec": 2700}}})
    };
    let none = [
        ("update_available", "off"),
        ("update_version", "None"),
        ("update_download_percent", "None"),
        ("update_install_percent", "None"),
        ("update_expected_duration", "None"),
        ("version", "2023.38.6"),
    ];
    check(update(json!(""), " ", 0, 1), &none);
    check(update(json!(""), "2024.12", 100, 1), &none);
    check(update(json!(null), "2024.12", 100, 1), &none);
    // A map package is no firmware.
    check(
        update(json!("available"), "EU-2023.20-14615", 100, 1),
        &none,
    );
    check(
        update(json!("available"), "2024.12.0.0", 100, 1),
        &[
            ("update_available", "on"),
            ("update_version", "2024.12.0.0"),
            ("update_download_percent", "100"),
            ("update_install_percent", "None"),
            ("update_expected_duration", "45"),
        ],
    );
    check(
        update(json!("installing"), "2024.12.0.0", 100, 30),
        &[("update_install_percent", "30")],
    );
    for status in [
        "available",
        "scheduled",
        "installing",
        "downloading",
        "downloading_wifi_wait",
    ] {
        check(
            update(json!(status), "2024.12.0.0", 5, 1),
            &[("update_available", "on")],
        );
    }
}

#[test]
fn quirk_13_the_update_entity_gets_only_what_home_assistant_accepts() {
    let message = |status: &str, version: &str| {
        let car = car(&[
            json!({"vehicle_state": {"car_version": "2023.38.6 c1f85ddb415f", "software_update": {
            "status": status, "version": version, "download_perc": 50, "install_perc": 30}}}),
        ]);
        serde_json::from_str::<Json>(&say(&car, "software_update")).unwrap()
    };
    let expected = |latest: &str, busy: bool, percent: Json| {
        json!({"installed_version": "2023.38.6", "latest_version": latest, "title": "Vehicle software",
            "in_progress": busy, "update_percentage": percent})
    };
    assert_eq!(message("", " "), expected("2023.38.6", false, Json::Null));
    assert_eq!(
        message("available", "2024.12"),
        expected("2024.12", false, Json::Null)
    );
    assert_eq!(
        message("downloading", "2024.12"),
        expected("2024.12", true, json!(50))
    );
    assert_eq!(
        message("installing", "2024.12"),
        expected("2024.12", true, json!(30))
    );
    let unknown = car(&[json!({"vehicle_state": {"locked": true}})]);
    assert_eq!(say(&unknown, "software_update"), "(silence)");
}

#[test]
fn quirk_14_the_last_position_stays_when_the_car_has_none() {
    let here = json!({"drive_state": {"latitude": 52.1, "longitude": 5.1, "power": 0}});
    let lost = json!({"drive_state": {"latitude": 0, "longitude": 0, "power": 0}});
    let car = car(&[here, lost]);
    let location: Json = serde_json::from_str(&say(&car, "location")).unwrap();
    assert_eq!(
        (&location["latitude"], &location["longitude"]),
        (&json!(52.1), &json!(5.1))
    );
    check(
        json!({"drive_state": {"power": 0}}),
        &[("location", "(silence)")],
    );
}

#[test]
fn quirk_15_coordinates_of_the_chinese_grid_are_not_published() {
    let answer = json!({"drive_state": {"latitude": 31.2304, "longitude": 121.4737, "native_latitude": 31.2285,
        "native_longitude": 121.4782, "native_location_supported": 1, "native_type": "gcj", "shift_state": "P"}});
    check(
        answer.clone(),
        &[("latitude", "31.2304"), ("longitude", "121.4737")],
    );
    let car = car(&[answer]);
    let location: Json = serde_json::from_str(&say(&car, "location")).unwrap();
    assert_eq!(location["latitude"], 31.2304);
    let is_native = |path: &&&str| path.contains(".native_l");
    for row in entities() {
        assert_eq!(
            row.extractor.signals().iter().find(is_native),
            None,
            "{}",
            row.key
        );
    }
}

#[test]
fn quirk_17_a_tire_without_pressure_is_unknown() {
    let pressure = |bar: Json| json!({"vehicle_state": {"tpms_pressure_fl": bar, "locked": true}});
    for (bar, payload) in [
        (json!(2.775), "2.775"),
        (json!(0.0), "None"),
        (json!(null), "None"),
        (json!(-1), "None"),
    ] {
        check(pressure(bar), &[("tpms_pressure_fl", payload)]);
    }
    assert_eq!(find("tpms_pressure_fl").unwrap().unit, "bar");
}

#[test]
fn quirk_18_any_number_but_0_is_open() {
    for open in [json!(1), json!(2), json!(16), json!(true)] {
        check(
            json!({"vehicle_state": {"df": open, "dr": 0, "pf": 0, "pr": 0, "ft": open, "rt": 0, "fd_window": open}}),
            &[
                ("door_driver_front", "on"),
                ("doors", "on"),
                ("frunk", "open"),
                ("trunk", "closed"),
                ("window_driver_front", "on"),
                ("windows", "open"),
            ],
        );
    }
    check(
        json!({"vehicle_state": {"fd_window": 0, "fp_window": 0, "rd_window": 0, "rp_window": 0}}),
        &[("windows", "closed"), ("windows_open", "off")],
    );
    check(
        json!({"vehicle_state": {"fd_window": 0, "fp_window": 0, "rd_window": 0}}),
        &[("windows", "None")],
    );
}

#[test]
fn quirk_22_a_name_is_in_no_topic_and_no_unique_id() {
    let named = |name: &str| {
        let car = car(&[
            json!({"state": "online", "vehicle_state": {"vehicle_name": name, "locked": true}}),
        ]);
        let paths = Paths::new("t", &car.id(), None);
        let setup = Setup {
            prefix: "h".into(),
            base: "t".into(),
            version: "0".into(),
            commands: true,
            entity_prefixes: EntityPrefixes::default(),
        };
        let message = discovery::car(&car, &paths, &setup);
        let ids: Vec<String> = message
            .components
            .values()
            .map(|component| {
                let c = component.body();
                format!(
                    "{} {}",
                    c["uniq_id"],
                    c.get("stat_t").unwrap_or(&Json::Null)
                )
            })
            .collect();
        let mut topics = CarTopics::new(paths);
        let topics: Vec<String> = topics
            .changed(&car)
            .iter()
            .map(|m| format!("{m:?}").split("payload").next().unwrap().to_owned())
            .collect();
        (message.topic, ids, topics)
    };
    assert_eq!(named("Rakete"), named("x/+#🚗"));
}

#[test]
fn quirk_25_miles_stay_miles_on_a_metric_car() {
    let metric = json!({"gui_settings": {"gui_distance_units": "km/hr"}, "vehicle_state": {"odometer": 6_481.019_282},
        "charge_state": {"battery_range": 266.87, "charge_rate": 455.7}});
    check(
        metric,
        &[
            ("odometer", "6481.02"),
            ("battery_range", "266.87"),
            ("charge_rate", "455.7"),
        ],
    );
    for (key, unit) in [
        ("odometer", "mi"),
        ("battery_range", "mi"),
        ("charge_rate", "mph"),
        ("speed", "mph"),
    ] {
        assert_eq!(find(key).unwrap().unit, unit);
    }
    check(
        json!({"charge_state": {"charge_rate": -1.0}}),
        &[("charge_rate", "0")],
    );
}

#[test]
fn quirk_27_an_unusual_version_is_published_as_it_is() {
    for (car_version, version) in [
        ("2.9.12", "2.9.12"),
        ("2026.3.1-fsd x", "2026.3.1-fsd"),
        ("develop", "develop"),
    ] {
        check(
            json!({"vehicle_state": {"car_version": car_version}}),
            &[("version", version)],
        );
    }
}

#[test]
fn plugged_in_follows_the_charging_state_and_then_the_cable() {
    let cable = |state: Json, cable: &str| json!({"charge_state": {"charging_state": state, "conn_charge_cable": cable, "battery_level": 1}});
    check(
        cable(json!("Disconnected"), "<invalid>"),
        &[("plugged_in", "off")],
    );
    check(cable(json!("Complete"), "IEC"), &[("plugged_in", "on")]);
    check(
        cable(json!("Stopped"), "<invalid>"),
        &[("plugged_in", "on")],
    );
    check(cable(json!(null), "IEC"), &[("plugged_in", "on")]);
    check(cable(json!(null), "<invalid>"), &[("plugged_in", "None")]);
}

#[test]
fn a_text_that_reads_none_is_a_word_and_not_unknown() {
    check(
        json!({"vehicle_config": {"spoiler_type": "None"}}),
        &[("spoiler_type", "none")],
    );
}

#[test]
fn seats_and_wheel_have_their_levels_also_as_truths() {
    let seat =
        |level: Json| json!({"climate_state": {"seat_heater_left": level, "inside_temp": 1}});
    for (level, word) in [
        (json!(0), "off"),
        (json!(1), "low"),
        (json!(2), "medium"),
        (json!(3), "high"),
        (json!(9), "high"),
        (json!(false), "off"),
        (json!(-1), "None"),
        (json!(null), "None"),
        (json!("SNA"), "None"),
    ] {
        check(seat(level), &[("seat_heater_left", word)]);
    }
    let wheel = |level: i64| json!({"climate_state": {"steering_wheel_heat_level": level}});
    for (level, word) in [(0, "off"), (1, "low"), (3, "high")] {
        check(wheel(level), &[("steering_wheel_heater", word)]);
    }
}

#[test]
fn a_sleeping_car_keeps_its_last_values_and_says_so() {
    let mut car = car(&[json!({"state": "online",
        "charge_state": {"battery_level": 72, "charging_state": "Complete"},
        "drive_state": {"latitude": 52.1, "longitude": 5.1, "shift_state": null},
        "vehicle_state": {"locked": true, "odometer": 1000.5}})]);
    let mut topics = CarTopics::new(Paths::new("t", &car.id(), None));
    topics.changed(&car);
    car.apply(&Observation {
        source: Source::Light,
        at: "2026-11-23T20:00:00Z".parse().unwrap(),
        whole_groups: Vec::new(),
        signals: vec![(Signal::new("state"), Some(Value::Text("asleep".into())))],
    });
    let said: Vec<String> = topics
        .changed(&car)
        .iter()
        .map(|m| format!("{m:?}"))
        .collect();
    assert_eq!(said.len(), 4, "online, state, asleep, snapshot: {said:?}");
    for (key, payload) in [
        ("state", "asleep"),
        ("online", "off"),
        ("asleep", "on"),
        ("battery_level", "72"),
        ("lock", "locked"),
        ("odometer", "1000.5"),
    ] {
        assert_eq!(say(&car, key), payload, "{key}");
    }
}

#[test]
fn every_row_says_a_word_that_it_lists() {
    // Whatever the number, what a row with a list says is in the list, or unknown.
    for number in -3..20 {
        let signals = entities()
            .flat_map(|row| row.extractor.signals().iter())
            .map(|path| (Signal::new(path), Some(Value::Int(number))))
            .collect();
        let mut car = Vehicle::new(Vin::new(VIN).unwrap());
        car.apply(&Observation {
            source: Source::Data,
            at: NOON.parse().unwrap(),
            whole_groups: Vec::new(),
            signals,
        });
        for row in entities().filter(|row| row.has_state() && !row.words().is_empty()) {
            let said = say(&car, row.key);
            let is_listed = row.words().contains(&said.as_str()) || said == "None";
            assert!(is_listed, "{}: {said}", row.key);
        }
    }
}
