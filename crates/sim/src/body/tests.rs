use std::time::Duration;

use super::recorded::{Recording, RecordingError};
use super::*;
use crate::{Car, Deed, Plan, Segment};
use tesla2mqtt_core::model::{CarRecord, Vehicle, Vin};
use tesla2mqtt_core::policy::HoldReason;

fn midnight() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().expect("a time")
}

fn at(minute: u64) -> Timestamp {
    midnight() + Duration::from_mins(minute)
}

fn full() -> Endpoints {
    Endpoints::parse(Some("vehicle_data_combo;location_data;closures_state"))
}

/// The body of a demo car after a quarter of an hour of one deed.
fn body_during(spec: CarSpec, deed: Deed, asked: &Endpoints) -> Object {
    let plan = Plan::once(vec![Segment {
        start: Duration::ZERO,
        deed,
    }]);
    let spec = CarSpec { plan, ..spec };
    let mut car = Car::new(spec.clone(), midnight());
    let view = car.data(at(15)).expect("awake by its deed");
    vehicle_data(&spec, Ids::of(1), &view, asked)
}

fn drive() -> Deed {
    Deed::Drive {
        length: Duration::from_mins(31),
        km: 30.0,
    }
}

fn charge(kw: f64, dc: bool) -> Deed {
    Deed::Charge {
        length: Duration::from_hours(1),
        kw,
        dc,
        scheduled_in: None,
    }
}

#[test]
fn a_light_answer_has_light_fields_only() {
    let spec = CarSpec::demo_model_3();
    let light = Light {
        state: LightState::Asleep,
        in_service: false,
    };
    let body = vehicle(&spec, Ids::of(1), light);
    for group in CLASSIC {
        assert!(!body.contains_key(group), "{group}");
    }
    assert_eq!(body["state"], "asleep");
    assert_eq!(body["id_s"], body["id"].to_string());
    assert!(body["id"].as_u64().is_some_and(|id| id > 1 << 53));
    let listed = product(&spec, Ids::of(1), light, midnight());
    assert_eq!(listed["vehicle_config"]["car_type"], "model3");
}

#[test]
fn an_answer_has_exactly_the_objects_that_were_asked_for() {
    let cases: &[(Option<&str>, &[&str], bool)] = &[
        (None, &CLASSIC, false),
        (Some("charge_state"), &["charge_state"], false),
        (Some("charge_state;bogus;"), &["charge_state"], false),
        (Some("drive_state;location_data"), &["drive_state"], true),
        (Some("location_data"), &["drive_state"], true),
        (
            Some("closures_state;gui_settings"),
            &["closures_state", "gui_settings"],
            false,
        ),
        (Some("vehicle_data_combo"), &CLASSIC, false),
        (Some(""), &[], false),
    ];
    for (query, groups, has_place) in cases {
        let body = body_during(CarSpec::demo_model_3(), drive(), &Endpoints::parse(*query));
        for group in CLASSIC.iter().chain(&["closures_state"]) {
            assert_eq!(
                body.contains_key(*group),
                groups.contains(group),
                "{query:?}: {group}"
            );
        }
        let drive_state = body.get("drive_state").and_then(Value::as_object);
        let shows_place = drive_state.is_some_and(|d| {
            d.contains_key("latitude") || d.contains_key("active_route_destination")
        });
        assert_eq!(shows_place, *has_place, "{query:?}");
        assert!(body.contains_key("vin") && body.contains_key("granular_access"));
    }
}

fn hold(reason: HoldReason) -> Deed {
    Deed::Hold {
        reason,
        length: Duration::from_hours(1),
    }
}

/// During the deed, these paths of the body have these values. The battery is not full at once.
fn check(spec: &CarSpec, deed: Deed, expected: &[(&str, Value)]) {
    let spec = CarSpec {
        battery_level: 40.0,
        ..spec.clone()
    };
    let name = format!("{:?}, {deed:?}", spec.model());
    let body = Value::Object(body_during(spec, deed, &full()));
    for (path, value) in expected {
        assert_eq!(body.pointer(path), Some(value), "{name}: {path}");
    }
}

#[test]
fn a_drive_shows_gear_route_and_music() {
    check(
        &CarSpec::demo_model_3(),
        drive(),
        &[
            ("/drive_state/shift_state", json!("D")),
            (
                "/drive_state/active_route_destination",
                json!("Simulated Street 1"),
            ),
            ("/vehicle_state/is_user_present", json!(true)),
            (
                "/vehicle_state/media_info/media_playback_status",
                json!("Playing"),
            ),
            ("/charge_state/charging_state", json!("Disconnected")),
            ("/charge_state/conn_charge_cable", json!("<invalid>")),
        ],
    );
}

#[test]
fn a_charge_shows_its_supply_in_the_words_of_its_model() {
    let (three, x) = (CarSpec::demo_model_3(), CarSpec::demo_model_x());
    check(
        &three,
        charge(11.0, false),
        &[
            ("/drive_state/shift_state", Value::Null),
            ("/drive_state/speed", Value::Null),
            ("/charge_state/charging_state", json!("Charging")),
            ("/charge_state/charger_phases", json!(2)),
            ("/charge_state/charger_actual_current", json!(16)),
            ("/charge_state/charger_voltage", json!(230)),
            ("/charge_state/charger_power", json!(11)),
            ("/drive_state/power", json!(-11)),
            ("/vehicle_state/locked", json!(true)),
        ],
    );
    check(
        &x,
        charge(11.0, false),
        &[
            ("/drive_state/shift_state", json!("P")),
            ("/charge_state/charger_phases", json!(3)),
            ("/vehicle_config/third_row_seats", json!("FuturisFoldFlat")),
            ("/vehicle_config/has_seat_cooling", json!(true)),
            ("/climate_state/seat_fan_front_left", json!(0)),
        ],
    );
    check(
        &three,
        charge(3.7, false),
        &[
            ("/charge_state/charger_phases", json!(1)),
            ("/charge_state/charger_actual_current", json!(16)),
        ],
    );
    check(
        &three,
        charge(100.0, true),
        &[
            ("/charge_state/charger_phases", Value::Null),
            ("/charge_state/charger_actual_current", json!(0)),
            ("/charge_state/charger_voltage", json!(2)),
            ("/charge_state/fast_charger_type", json!("Combo")),
        ],
    );
}

#[test]
fn holds_and_updates_show_in_the_vehicle_state() {
    let three = CarSpec::demo_model_3();
    let s = CarSpec {
        vin: Vin::new("5YJSA1E26JF000001").expect("a VIN"),
        ..three.clone()
    };
    check(
        &three,
        hold(HoldReason::DoorOpen),
        &[
            ("/vehicle_state/df", json!(1)),
            ("/vehicle_state/locked", json!(false)),
        ],
    );
    check(
        &three,
        hold(HoldReason::SentryMode),
        &[
            ("/vehicle_state/sentry_mode", json!(true)),
            ("/vehicle_state/center_display_state", json!(7)),
            ("/vehicle_state/locked", json!(true)),
        ],
    );
    let update = Deed::Update {
        download: Duration::from_hours(1),
        install: Duration::from_mins(30),
    };
    check(
        &s,
        update,
        &[
            (
                "/vehicle_state/software_update/status",
                json!("downloading"),
            ),
            ("/vehicle_state/software_update/download_perc", json!(25)),
            ("/vehicle_state/sun_roof_state", json!("closed")),
        ],
    );
}

/// The short way from a life to the policy says the same as the long way over JSON, and the
/// bodies hold nothing that the decoder does not know.
#[test]
fn the_policy_reads_of_the_body_what_the_life_says() {
    let everything = Plan::once(
        [
            hold(HoldReason::Preconditioning),
            drive(),
            hold(HoldReason::DoorOpen),
            hold(HoldReason::ClimateKeeper),
            hold(HoldReason::CabinOverheat),
            hold(HoldReason::TrunkOpen),
            hold(HoldReason::Power),
            Deed::Charge {
                length: Duration::from_hours(1),
                kw: 7.0,
                dc: false,
                scheduled_in: Some(Duration::from_hours(2)),
            },
            charge(60.0, true),
            Deed::Update {
                download: Duration::from_mins(20),
                install: Duration::from_mins(25),
            },
        ]
        .into_iter()
        .enumerate()
        .map(|(n, deed)| Segment {
            start: Duration::from_mins(40) * u32::try_from(n).expect("few"),
            deed,
        })
        .collect(),
    );
    let cars = [CarSpec::demo_model_3(), CarSpec::demo_model_x()];
    for spec in cars.into_iter().flat_map(|car| {
        [
            car.clone(),
            CarSpec {
                plan: everything.clone(),
                ..car
            },
        ]
    }) {
        let mut car = Car::new(spec.clone(), midnight());
        let mut n_seen = 0;
        for second in (0..8 * 3600).step_by(60) {
            let now = midnight() + Duration::from_secs(second);
            let Some(view) = car.data(now) else { continue };
            n_seen += 1;
            let answer = json!({ "response": vehicle_data(&spec, Ids::of(1), &view, &full()) });
            let received = tesla2mqtt_core::model::Now {
                mono: Duration::ZERO,
                wall: now,
            };
            let read = tesla2mqtt_core::decode::vehicle_data::vehicle_data(
                answer.to_string().as_bytes(),
                received,
            )
            .expect("an answer");
            let mut seen = Vehicle::new(spec.vin.clone());
            for observation in &read.observations {
                seen.apply(observation);
            }
            let record = CarRecord::of(&seen);
            // What only the trips read is told of by other tests.
            let expected = CarRecord {
                is_dc: record.is_dc,
                range_mi: record.range_mi,
                session_kwh: record.session_kwh,
                session_mi: record.session_mi,
                utc_offset_s: record.utc_offset_s,
                ..view.policy_view()
            };
            assert_eq!(record, expected, "{second} s");
            assert_eq!(read.oddities, Vec::<String>::new(), "{second} s");
        }
        assert!(n_seen > 150, "{n_seen} answers");
    }
}

/// What a stranger who watches the demo would notice: ways are speed by time, energies are power by
/// time, and what is complete is full.
#[test]
fn in_the_demo_power_speed_and_time_go_together() {
    for spec in [CarSpec::demo_model_3(), CarSpec::demo_model_x()] {
        let mut car = Car::new(spec.clone(), midnight());
        let (mut drives, mut charges) = (Vec::new(), Vec::new());
        let (mut drive, mut charge) = (None, None);
        let hours = 5.0 / 3600.0;
        for second in (0..4 * 3600).step_by(5) {
            let now = midnight() + Duration::from_secs(second);
            let Some(view) = car.data(now) else {
                (drive, charge) = (None, None);
                continue;
            };
            let body = Value::Object(vehicle_data(&spec, Ids::of(1), &view, &full()));
            let number = |path: &str| body.pointer(path).and_then(Value::as_f64);

            let odometer = number("/vehicle_state/odometer").expect("always");
            if let Some(mph) = number("/drive_state/speed") {
                let (from, miles, fastest) = drive.get_or_insert((odometer, 0.0, 0.0_f64));
                *miles += mph * hours;
                *fastest = fastest.max(mph);
                assert!(mph < 90.0, "{mph} mph");
                drives.push((odometer - *from, *miles));
            } else {
                drive = None;
            }

            let state = body["charge_state"]["charging_state"].as_str();
            let level = number("/charge_state/battery_level").expect("always");
            let limit = number("/charge_state/charge_limit_soc").expect("always");
            let display = number("/vehicle_state/center_display_state").expect("always");
            if state == Some("Charging") {
                let added = number("/charge_state/charge_energy_added").expect("always");
                let kw = number("/charge_state/charger_power").expect("charging");
                let left = number("/charge_state/time_to_full_charge").expect("always");
                let missing_kwh = (limit - view.battery_level) / 100.0 * spec.battery_kwh;
                assert!(
                    (left * kw * 0.92 - missing_kwh).abs() < 0.25 * kw,
                    "{left} h"
                );
                let (from, kwh) = charge.get_or_insert((added, 0.0));
                charges.push((added - *from, *kwh));
                *kwh += kw * 0.92 * hours;
            } else {
                charge = None;
                assert!(![3.0, 5.0].contains(&display), "display charges, {state:?}");
            }
            if state == Some("Complete") {
                assert!(level >= limit, "complete at {level} of {limit}");
            }
        }
        let name = &spec.name;
        for (what, of_day, unit) in [("drives", drives, 0.3), ("charges", charges, 0.25)] {
            assert!(of_day.len() > 300, "{name}: {} {what}", of_day.len());
            for (shown, reckoned) in of_day {
                let off = (shown - reckoned).abs();
                assert!(
                    off <= unit + shown * 0.05,
                    "{name}, {what}: {shown}, not {reckoned}"
                );
            }
        }
    }
}

#[test]
fn speed_and_route_are_gone_after_the_drive() {
    let spec = CarSpec {
        plan: Plan::model_day(),
        ..CarSpec::demo_model_3()
    };
    let spec = CarSpec {
        utc_offset: 0,
        time_to_sleep: Duration::from_mins(12),
        ..spec
    };
    let mut car = Car::new(spec.clone(), midnight());
    let view = car.data(at(8 * 60 + 32)).expect("just parked");
    let body = vehicle_data(&spec, Ids::of(1), &view, &full());
    let drive_state = body["drive_state"].as_object().expect("asked for");
    assert!(drive_state.contains_key("latitude"));
    assert!(drive_state["speed"].is_null());
    assert!(
        !drive_state
            .keys()
            .any(|key| key.contains("arrival") || key.contains("destination"))
    );
    assert_eq!(
        body["vehicle_state"]["tpms_last_seen_pressure_time_fl"],
        at(8 * 60 + 30).as_second()
    );
}

#[test]
fn every_group_carries_its_time_in_milliseconds() {
    let body = body_during(CarSpec::demo_model_3(), drive(), &full());
    for group in CLASSIC.iter().chain(&["closures_state"]) {
        assert_eq!(
            body[*group]["timestamp"],
            at(15).as_millisecond(),
            "{group}"
        );
    }
}

#[test]
fn the_decoder_reads_the_lists_and_light_answers() {
    let spec = CarSpec::demo_model_x();
    let light = Light {
        state: LightState::Offline,
        in_service: true,
    };
    let answer = json!({ "response": vehicle(&spec, Ids::of(9), light) }).to_string();
    let read = tesla2mqtt_core::decode::products::light(answer.as_bytes(), &spec.vin, None)
        .expect("an answer");
    assert_eq!(read.light(), light);
    let list =
        json!({ "response": [product(&spec, Ids::of(9), light, midnight()), energy_site(1)] });
    let page =
        tesla2mqtt_core::decode::products::products(list.to_string().as_bytes()).expect("a list");
    assert_eq!(
        (
            page.vehicles.len(),
            page.energy_sites.len(),
            page.n_unusable
        ),
        (1, 1, 0)
    );
}

#[test]
fn a_recording_plays_with_its_own_names_and_nonsense_is_refused_by_name() {
    let good = json!({"response": {
        "id": 12_345_678_901_234_567_u64, "vehicle_id": 7, "vin": "5yj3e7eb0kf000005", "state": "asleep",
        "charge_state": {"battery_level": 44}, "drive_state": {"latitude": 1.0, "power": 0},
        "charge_schedule_data": {"charge_schedules": []},
    }});
    let recording = Recording::new(good.clone()).expect("a recording");
    assert_eq!(recording.vin().as_str(), "5YJ3E7EB0KF000005");
    assert_eq!(recording.ids().id, 12_345_678_901_234_567);
    assert_eq!(recording.vehicle()["state"], "online");
    assert!(!recording.vehicle().contains_key("charge_state"));
    let data = recording.vehicle_data(&Endpoints::parse(None));
    assert_eq!(data["charge_state"]["battery_level"], 44);
    assert!(!data.contains_key("charge_schedule_data"));
    // What our own bridge asks for and no living car has.
    let asked = tesla2mqtt_core::decode::vehicle_data::ENDPOINTS.join(";");
    let whole = recording.vehicle_data(&Endpoints::parse(Some(&asked)));
    assert!(whole.contains_key("charge_schedule_data"));
    assert!(
        !data["drive_state"]
            .as_object()
            .expect("recorded")
            .contains_key("latitude")
    );
    assert!(
        Recording::new(good["response"].clone()).is_ok(),
        "the envelope is optional"
    );

    let nonsense = [
        (json!([1, 2]), "expected a JSON object"),
        (
            json!({"response": [{"vin": "5YJ3E7EB0KF000005"}]}),
            "expected a JSON object",
        ),
        (
            json!({"response": {"vin": "5YJ3E7EB0KF000005", "state": "online"}}),
            "light answer",
        ),
        (json!({"charge_state": {}}), "no \"vin\""),
        (json!({"charge_state": {}, "vin": "short"}), "17 letters"),
    ];
    for (answer, text) in nonsense {
        let error: RecordingError = Recording::new(answer.clone()).expect_err("nonsense");
        assert!(error.to_string().contains(text), "{answer}: {error}");
    }
}

proptest::proptest! {
    #[test]
    fn any_json_is_a_recording_or_an_error(text in "[\\[\\]{}\":,a-z0-9_]{0,60}", vin in "\\PC{0,20}") {
        if let Ok(answer) = serde_json::from_str(&text) {
            let _ = Recording::new(answer);
        }
        let _ = Recording::new(json!({ "response": { "vin": vin, "id": -1, "charge_state": { "x": text } } }));
    }
}
