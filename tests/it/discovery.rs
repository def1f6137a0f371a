//! Discovery messages, held against what Home Assistant 2026.11 accepts (home-assistant-mqtt.md,
//! sections 2, 6 and 7): an unknown root key costs the whole device, a wrong component itself.

use std::time::Duration;

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tesla2mqtt::catalogue::{ACCOUNT_ENTITIES, BRIDGE_ENTITIES, BridgeFacts, entities};
use tesla2mqtt::decode::{products, vehicle_data::vehicle_data};
use tesla2mqtt::discovery::{self, EntityPrefixes, Message, Setup};
use tesla2mqtt::failure::ApiFailure;
use tesla2mqtt::model::{Now, Observation, Signal, Source, Value, Vehicle, Vin};
use tesla2mqtt::outbox::Publish;
use tesla2mqtt::topics::{self, CarTopics, Paths};
use tesla2mqtt_testkit::car_topics::changed;

use crate::discovery_lint::{is_topic, lint};
use crate::recordings::{car_of, recordings, vin_of};

const VIN: &str = "5YJ3E7EB0KF000005";

fn setup(commands: bool) -> Setup {
    Setup {
        prefix: "homeassistant".into(),
        base: "tesla2mqtt".into(),
        version: "0.1.0".into(),
        commands,
        entity_prefixes: EntityPrefixes::default(),
    }
}

fn vehicle(signals: &[(&str, Value)]) -> Vehicle {
    let mut car = Vehicle::new(Vin::new(VIN).unwrap());
    car.apply(&Observation {
        source: Source::Data,
        at: "2026-11-23T12:00:00Z".parse().unwrap(),
        whole_groups: Vec::new(),
        signals: signals
            .iter()
            .map(|(path, value)| (Signal::new(path), Some(value.clone())))
            .collect(),
    });
    car
}

fn message(car: &Vehicle, commands: bool) -> Message {
    let paths = Paths::new("tesla2mqtt", &car.id(), None);
    discovery::car(car, &paths, &setup(commands))
}

pub fn parsed(message: &Message) -> Json {
    serde_json::from_str(&message.payload(&std::collections::BTreeMap::new())).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A car that has everything: every signal of every row has a value.
fn full_car() -> Vehicle {
    let signals: Vec<(&str, Value)> = entities()
        .flat_map(|row| row.extractor.signals().iter().copied())
        .map(|path| (path, Value::Int(3)))
        .chain([
            ("vehicle_state.vehicle_name", text("Grandfather Tortoise")),
            ("vehicle_state.car_version", text("2026.32.5 0123456789ab")),
            ("vehicle_config.rear_seat_heaters", Value::Int(3)),
            ("vehicle_config.third_row_seats", text("FuturisFoldFlat")),
            ("vehicle_config.has_seat_cooling", Value::Bool(true)),
            ("vehicle_config.pws", Value::Bool(true)),
            ("vehicle_config.plg", Value::Bool(true)),
            ("vehicle_config.driver_assist", text("TeslaAP4")),
        ])
        .collect();
    vehicle(&signals)
}

#[test]
fn a_full_car_fits_into_one_message() {
    for commands in [false, true] {
        let message = message(&full_car(), commands);
        lint(&message);
        let size = message.payload(&std::collections::BTreeMap::new()).len();
        println!(
            "{} components, {size} bytes, commands {commands}",
            message.components.len()
        );
    }
    assert!(message(&full_car(), false).components.len() >= 200);
    let wanted = entities().count();
    assert_eq!(message(&full_car(), true).components.len(), wanted);
}

#[test]
fn every_recorded_car_is_described_without_a_fault() {
    let now = Now {
        mono: Duration::ZERO,
        wall: "2026-11-23T12:00:00Z".parse().unwrap(),
    };
    for (name, body) in recordings("vehicle_data") {
        let data = vehicle_data(&body, now).unwrap();
        let car = car_of(vin_of(&body), &data.observations);
        println!(
            "{name}: {} components",
            message(&car, false).components.len()
        );
        lint(&message(&car, false));
        lint(&message(&car, true));
    }
    for (_, body) in recordings("products") {
        for listed in products::products(&body).unwrap().vehicles {
            let seen = listed.observations(Source::Light, now.wall);
            lint(&message(&car_of(listed.vin, &seen), false));
        }
    }
}

#[test]
fn the_bridge_is_a_device_of_its_own() {
    let message = discovery::bridge(&setup(false), &["home", "My-Second_1"]);
    lint(&message);
    assert_eq!(
        message.topic,
        "homeassistant/device/tesla2mqtt_bridge/config"
    );
    let root = parsed(&message);
    // It tells whether the bridge is there, so it must not vanish with the bridge.
    assert_eq!(root.get("avty"), None);
    assert_eq!(root["cmps"]["connection"].get("avty_t"), None);
    assert_eq!(
        root["cmps"]["version"]["avty_t"],
        json!("tesla2mqtt/bridge/state")
    );
    let facts = BridgeFacts {
        version: "0.1.0".into(),
        started_at: "2026-11-23T12:00:00Z".parse().unwrap(),
        n_cars: 1,
        last_error: Some(ApiFailure::SignedOut.explanation()),
    };
    for (topic, ..) in topics::bridge("tesla2mqtt", &facts) {
        let is_announced = |c: &Json| c.get("stat_t") == Some(&json!(topic));
        assert!(
            root["cmps"].as_object().unwrap().values().any(is_announced),
            "{topic}"
        );
    }
}

#[test]
fn facts_of_accounts_are_told_apart_whatever_the_accounts_are_called() {
    for of in ACCOUNT_ENTITIES {
        let others = ACCOUNT_ENTITIES
            .iter()
            .map(|other| other.entity.key)
            .chain(BRIDGE_ENTITIES.iter().map(|other| other.entity.key))
            .chain(["connection"])
            .filter(|other| *other != of.entity.key);
        for other in others {
            let end = format!("_{}", of.entity.key);
            assert!(!other.ends_with(&end), "{other} and {}", of.entity.key);
        }
    }
    let message = discovery::bridge(&setup(false), &["Home-1"]);
    let root = parsed(&message);
    let cost = &root["cmps"]["Home-1_dollars"];
    assert_eq!(cost["name"], json!("Cost this month (Home-1)"));
    assert_eq!(cost["unit_of_meas"], json!("USD"));
    assert_eq!(
        cost["stat_t"],
        json!("tesla2mqtt/bridge/accounts/Home-1/dollars")
    );
    assert_eq!(
        cost["def_ent_id"],
        json!("sensor.tesla2mqtt_bridge_home_1_dollars")
    );
}

#[test]
fn a_car_is_described_as_home_assistant_wants_it() {
    let car = vehicle(&[
        ("vehicle_state.vehicle_name", text("Rakete")),
        ("vehicle_state.car_version", text("2026.32.5 0123456789ab")),
        ("vehicle_config.car_type", text("modely")),
        ("vehicle_config.trim_badging", text("74d")),
        ("vehicle_config.driver_assist", text("TeslaAP4")),
    ]);
    let message = message(&car, false);
    assert_eq!(
        message.topic,
        format!("homeassistant/device/tesla2mqtt_{VIN}/config")
    );
    let mut root = parsed(&message);
    let components = root["cmps"].take();
    assert_eq!(
        root,
        json!({
            "dev": {
                "ids": [format!("tesla_{VIN}")], "name": "Rakete", "mf": "Tesla", "mdl": "Model Y",
                "mdl_id": "74d", "sn": VIN, "sw": "2026.32.5", "hw": "TeslaAP4",
                "via_device": "tesla2mqtt_bridge",
            },
            "o": {"name": "tesla2mqtt", "sw": "0.1.0"},
            "avty": [{"t": "tesla2mqtt/bridge/state"}, {"t": format!("tesla2mqtt/{VIN}/availability")}],
            "avty_mode": "all", "cmps": null,
        })
    );
    let check = |key: &str, expected: Json| assert_eq!(components[key], expected, "{key}");
    check(
        "battery_level",
        json!({
            "p": "sensor", "uniq_id": format!("{VIN}_battery_level"), "def_ent_id": "sensor.rakete_battery_level",
            "name": "Battery level", "stat_t": format!("tesla2mqtt/{VIN}/battery_level"), "dev_cla": "battery",
            "stat_cla": "measurement", "unit_of_meas": "%", "sug_dsp_prc": 0,
        }),
    );
    check(
        "lock",
        json!({
            "p": "binary_sensor", "uniq_id": format!("{VIN}_lock"), "def_ent_id": "binary_sensor.rakete_lock",
            "name": "Lock", "stat_t": format!("tesla2mqtt/{VIN}/lock"), "dev_cla": "lock", "ic": "mdi:car-door-lock",
            "pl_on": "unlocked", "pl_off": "locked",
        }),
    );
    check(
        "healthy",
        json!({
            "p": "binary_sensor", "uniq_id": format!("{VIN}_healthy"), "def_ent_id": "binary_sensor.rakete_healthy",
            "name": "Problem", "stat_t": format!("tesla2mqtt/{VIN}/healthy"), "dev_cla": "problem",
            "ent_cat": "diagnostic", "pl_on": "off", "pl_off": "on",
        }),
    );
    check(
        "location",
        json!({
            "p": "device_tracker", "uniq_id": format!("{VIN}_location"), "def_ent_id": "device_tracker.rakete_location",
            "name": "Location", "json_attr_t": format!("tesla2mqtt/{VIN}/location"), "ic": "mdi:map-marker",
        }),
    );
    assert_eq!(components["charging_state"]["ops"][1], json!("charging"));
    assert_eq!(components["polling"]["ent_cat"], json!("diagnostic"));
    assert_eq!(components["climate"]["ops"], json!(["off", "heat_cool"]));
}

#[test]
fn without_commands_nothing_can_be_pressed() {
    for component in message(&full_car(), false).components.values() {
        let component = component.body();
        let component = component.as_object().expect("an object");
        assert!(
            !component.keys().any(|key| key.ends_with("cmd_t")),
            "{component:?}"
        );
        let platform = component["p"].as_str().unwrap();
        let reads = [
            "sensor",
            "binary_sensor",
            "device_tracker",
            "update",
            "event",
        ];
        assert!(reads.contains(&platform), "{platform}");
    }
}

#[test]
fn capabilities_decide_what_a_car_shows() {
    let has = |signals: &[(&str, Value)], key: &str| {
        message(&vehicle(signals), true)
            .components
            .contains_key(key)
    };
    let heaters = |n: i64| ("vehicle_config.rear_seat_heaters", Value::Int(n));
    let center = ("climate_state.seat_heater_rear_center", Value::Int(0));
    let third = |seats: &str| ("vehicle_config.third_row_seats", text(seats));
    let check = |signals: &[(&str, Value)], key: &str, expected: bool| {
        assert_eq!(has(signals, key), expected, "{key} of {signals:?}");
    };
    check(&[], "seat_heater_rear_left", false);
    check(&[heaters(0)], "seat_heater_rear_left", false);
    check(&[heaters(1)], "seat_heater_rear_left", true);
    check(
        &[heaters(1), center.clone()],
        "seat_heater_rear_center",
        true,
    );
    check(&[heaters(2), center], "seat_heater_rear_center", false);
    check(&[heaters(3)], "seat_heater_rear_center", false);
    check(
        &[heaters(3), third("FuturisFoldFlat")],
        "seat_heater_third_row_left",
        true,
    );
    check(
        &[heaters(3), third("None")],
        "seat_heater_third_row_left",
        false,
    );
    check(
        &[heaters(1), third("FuturisFoldFlat")],
        "seat_heater_third_row_left",
        false,
    );
    let cooling = |has| ("vehicle_config.has_seat_cooling", Value::Bool(has));
    check(&[cooling(true)], "seat_cooler_left", true);
    check(&[cooling(false)], "seat_cooler_left", false);
    for (roof, has_one) in [
        (Value::Int(0), false),
        (Value::Int(2), true),
        (Value::Bool(true), true),
    ] {
        check(
            &[("vehicle_config.sun_roof_installed", roof.clone())],
            "sunroof",
            has_one,
        );
        check(
            &[("vehicle_state.sun_roof_installed", roof)],
            "sunroof",
            has_one,
        );
    }
    check(
        &[("vehicle_state.homelink_device_count", Value::Int(0))],
        "homelink",
        false,
    );
    check(
        &[("vehicle_state.homelink_device_count", Value::Int(1))],
        "homelink",
        true,
    );
    check(
        &[("vehicle_config.pws", Value::Bool(true))],
        "boombox",
        true,
    );
    check(&[], "boombox", false);
    let wheel = ("climate_state.steering_wheel_heat_level", Value::Int(0));
    check(&[wheel], "steering_wheel_heater", true);
    check(&[], "steering_wheel_heater", false);
}

#[test]
fn a_control_says_its_topic_once() {
    let components = message(&full_car(), true).components;
    let base = |key: &str| format!("tesla2mqtt/{VIN}/{key}");
    for (key, component) in &components {
        let component = component.body();
        let commanded = component.get("cmd_t").or(component.get("mode_cmd_t"));
        let read = component.get("stat_t").or(component.get("mode_stat_t"));
        match (commanded.and_then(Json::as_str), read) {
            (None, _) => assert_eq!(component.get("~"), None, "{key}"),
            (Some(topic), None) => assert_eq!(topic, base(&format!("{key}/set"))),
            (Some(topic), Some(read)) => {
                assert_eq!(component["~"], json!(base(key)));
                assert_eq!((topic, read), ("~/set", &json!("~")), "{key}");
            }
        }
    }
}

#[test]
fn facts_of_streaming_cars_wait_for_a_stream() {
    let car = vehicle(&[("state", text("online"))]);
    assert!(
        !message(&car, false)
            .components
            .contains_key("di_torque_actual_f")
    );
    let car = vehicle(&[("telemetry.DiTorqueActualF", Value::Float(12.34))]);
    assert!(
        message(&car, false)
            .components
            .contains_key("di_torque_actual_f")
    );
    assert!(
        !message(&car, false)
            .components
            .contains_key("di_torque_actual_r")
    );
}

#[test]
fn nothing_that_changes_in_a_day_is_in_the_message() {
    let day = |level: i64, mph: i64| {
        message(
            &vehicle(&[
                ("vehicle_state.vehicle_name", text("Rakete")),
                ("charge_state.battery_level", Value::Int(level)),
                ("drive_state.speed", Value::Int(mph)),
                ("state", text(if mph > 0 { "online" } else { "asleep" })),
            ]),
            false,
        )
    };
    assert_eq!(day(72, 0), day(15, 65));
}

#[test]
fn the_number_controls_take_the_limits_of_the_car() {
    let limits = |signals: &[(&str, Value)], key: &str| {
        let component = message(&vehicle(signals), true).components[key].body();
        // What is not said is what Home Assistant assumes.
        let or = |key: &str, assumed: i64| component.get(key).cloned().unwrap_or(json!(assumed));
        (or("min", 1), or("max", 100))
    };
    let max = |amps: i64| [("charge_state.charge_current_request_max", Value::Int(amps))];
    assert_eq!(
        limits(&max(16), "charge_current_request"),
        (json!(0), json!(16))
    );
    assert_eq!(
        limits(&max(0), "charge_current_request"),
        (json!(0), json!(32))
    );
    assert_eq!(limits(&[], "charge_limit"), (json!(50), json!(100)));
    let odd = [("charge_state.charge_limit_soc_min", Value::Int(500))];
    assert_eq!(limits(&odd, "charge_limit"), (json!(50), json!(100)));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-5_i64..20).prop_map(Value::Int),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
        "[/+#\u{0}\u{1f697}\"\\\\ A-Za-z0-9]{0,40}".prop_map(Value::Text),
        Just(text("None")),
    ]
}

fn any_signal() -> impl Strategy<Value = String> {
    let paths: Vec<String> = entities()
        .flat_map(|row| {
            row.extractor
                .signals()
                .iter()
                .map(|path| (*path).to_owned())
        })
        .chain(
            [
                "rear_seat_heaters",
                "third_row_seats",
                "pws",
                "driver_assist",
                "has_seat_cooling",
            ]
            .map(|field| format!("vehicle_config.{field}")),
        )
        .chain(["charge_state.charge_current_request_max", "display_name"].map(String::from))
        .collect();
    proptest::sample::select(paths)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::ci::cases(64).min(500)))]

    #[test]
    fn any_car_gives_legal_messages_and_topics(
        signals in proptest::collection::vec((any_signal(), proptest::option::of(any_value())), 0..120),
        name in any::<String>(),
    ) {
        let mut car = Vehicle::new(Vin::new(VIN).unwrap());
        let name = (Signal::new("vehicle_state.vehicle_name"), Some(Value::Text(name)));
        car.apply(&Observation {
            source: Source::Data,
            at: "2026-11-23T12:00:00Z".parse().unwrap(),
            whole_groups: Vec::new(),
            signals: signals
                .into_iter()
                .map(|(path, value)| (Signal::new(&path), value))
                .chain([name])
                .collect(),
        });
        lint(&message(&car, false));
        lint(&message(&car, true));
        let mut said = CarTopics::new(Paths::new("tesla2mqtt", &car.id(), None));
        for publish in changed(&mut said, &car) {
            let Publish::State { topic, payload } = publish else { panic!("{publish:?}") };
            let levels: Vec<&str> = topic.split('/').collect();
            prop_assert_eq!(levels.len(), 3);
            prop_assert!(is_topic(&topic) && levels[1] == VIN);
            prop_assert!(!payload.is_empty());
            if levels[2] != "snapshot" && !payload.starts_with('{') {
                prop_assert!(payload.chars().count() <= 255, "{}: {}", topic, payload);
                prop_assert!(!payload.contains("NaN") && &*payload != "inf");
            }
        }
        prop_assert!(changed(&mut said, &car).is_empty());
    }
}

#[test]
fn only_a_cover_with_a_motor_can_be_closed() {
    let closes = |gate: Option<bool>| {
        let gate = gate.map(|gate| ("vehicle_config.plg", Value::Bool(gate)));
        let open = ["vehicle_state.ft", "vehicle_state.rt"].map(|path| (path, Value::Int(0)));
        let port = [("charge_state.charge_port_door_open", Value::Bool(false))];
        let signals: Vec<_> = open.into_iter().chain(port).chain(gate).collect();
        let car = vehicle(&signals);
        let paths = Paths::new("t", &car.id(), None);
        let message = discovery::car(&car, &paths, &setup(true));
        ["frunk", "trunk", "charge_port_door"].map(|key| {
            let component = message.components[key].body();
            // Without the key Home Assistant would take its own word for it.
            let close = component.get("pl_cls").expect("the key");
            close.as_str().map(str::to_owned)
        })
    };
    let close = || Some("close".to_owned());
    assert_eq!(closes(Some(true)), [None, close(), close()]);
    assert_eq!(closes(Some(false)), [None, None, close()]);
    assert_eq!(closes(None), [None, None, close()]);
}

/// Whether a car's discovery message, if that is one, is drawn up from its data: an earlier one, from
/// the account's list alone, knows no firmware.
pub fn knows_the_car(message: &str) -> bool {
    let message: serde_json::Result<serde_json::Value> = serde_json::from_str(message);
    message.is_ok_and(|message| message["dev"]["sw"].is_string())
}
