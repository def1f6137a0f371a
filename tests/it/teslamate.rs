//! Recorded answers of real cars as TeslaMate would publish them. Each table was worked out from the
//! JSON by hand, with TeslaMate's rules (teslamate.md), before the program had its say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tesla2mqtt::compat::teslamate::TeslaMateTopics;
use tesla2mqtt::decode::vehicle_data::vehicle_data;
use tesla2mqtt::model::{Now, Observation, Signal, Source, Value, Vehicle};
use tesla2mqtt::outbox::Publish;

use super::recordings::{recordings, vin_of};

#[test]
fn a_parked_model_x_with_sentry_mode() {
    let deleted =
        "charger_phases elevation geofence healthy scheduled_charging_start_time update_version";
    let expected = "
        active_route {\"error\":\"No active route available\"}
        active_route_destination nil
        active_route_latitude nil
        active_route_longitude nil
        battery_level 75
        center_display_state 0
        charge_current_request 24
        charge_current_request_max 24
        charge_energy_added 20.86
        charge_limit_soc 100
        charge_port_door_open false
        charger_actual_current 0
        charger_power 0
        charger_voltage 0
        charging_state Disconnected
        climate_keeper_mode off
        display_name Test X
        doors_open false
        download_perc 0
        driver_front_door_open false
        driver_front_window_open false
        driver_rear_door_open false
        driver_rear_window_open false
        est_battery_range_km 307.05
        exterior_color MetallicBlack
        frunk_open false
        heading 212
        ideal_battery_range_km 312.31
        inside_temp 22.3
        install_perc 1
        is_climate_on false
        is_preconditioning false
        is_user_present false
        latitude 52.370216
        location {\"latitude\":52.370216,\"longitude\":4.895168}
        locked true
        longitude 4.895168
        model X
        odometer 2129.86
        outside_temp 14.0
        passenger_front_door_open false
        passenger_front_window_open false
        passenger_rear_door_open false
        passenger_rear_window_open false
        plugged_in false
        power 0
        rated_battery_range_km 389.94
        sentry_mode true
        service_mode false
        shift_state P
        since 2026-11-23T11:00:00Z
        software_update {\"installed_version\":\"2022.36.2\",\"latest_version\":\"2022.36.2\"}
        speed 0
        spoiler_type Passive
        state online
        sun_roof_installed false
        time_to_full_charge 0.0
        tpms_pressure_fl 2.925
        tpms_pressure_fr 2.925
        tpms_pressure_rl 2.9
        tpms_pressure_rr 2.925
        tpms_soft_warning_fl false
        tpms_soft_warning_fr false
        tpms_soft_warning_rl false
        tpms_soft_warning_rr false
        trim_badging PLAID
        trunk_open false
        update_available false
        usable_battery_level 75
        version 2022.36.2
        wheel_type Turbine22
        windows_open false";
    check(
        "vehicle_data-modelx-plaid-sentry-media-bar",
        expected,
        deleted,
    );
}

#[test]
fn a_model_3_at_a_supercharger() {
    let deleted =
        "charger_phases elevation geofence healthy scheduled_charging_start_time shift_state
        trim_badging update_version";
    let expected = "
        active_route {\"error\":\"No active route available\"}
        active_route_destination nil
        active_route_latitude nil
        active_route_longitude nil
        battery_level 44
        center_display_state 2
        charge_current_request 16
        charge_current_request_max 16
        charge_energy_added 14.54
        charge_limit_soc 90
        charge_port_door_open true
        charger_actual_current 0
        charger_power 100
        charger_voltage 2
        charging_state Charging
        climate_keeper_mode off
        display_name Test 3 EU
        doors_open false
        driver_front_door_open false
        driver_front_window_open false
        driver_rear_door_open false
        driver_rear_window_open false
        est_battery_range_km 125.74
        exterior_color SolidBlack
        frunk_open false
        heading 240
        ideal_battery_range_km 160.68
        inside_temp 21.0
        is_climate_on true
        is_preconditioning false
        is_user_present true
        latitude 52.092876
        location {\"latitude\":52.092876,\"longitude\":5.10448}
        locked false
        longitude 5.10448
        model 3
        odometer 11205.99
        outside_temp 13.5
        passenger_front_door_open false
        passenger_front_window_open false
        passenger_rear_door_open false
        passenger_rear_window_open false
        plugged_in true
        power -100
        rated_battery_range_km 160.68
        sentry_mode false
        since 2026-11-23T11:00:00Z
        software_update {\"installed_version\":\"2019.32.11.1\",\"latest_version\":\"2019.32.11.1\"}
        speed 0
        spoiler_type None
        state online
        sun_roof_state unknown
        time_to_full_charge 0.25
        trunk_open false
        update_available false
        usable_battery_level 44
        version 2019.32.11.1
        wheel_type Pinwheel18
        windows_open false";
    check("vehicle_data-model3-eu-dc-supercharging", expected, deleted);
}

#[track_caller]
fn check(recording: &str, expected: &str, deleted: &str) {
    let Some((_, body)) = recordings(recording).into_iter().next() else {
        crate::ci::skip(&format!("no recording {recording}"));
        return;
    };
    let (said, gone) = first_words(&body);
    let expected: BTreeMap<String, String> = expected
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(key, payload)| (key.to_owned(), payload.to_owned()))
        .collect();
    pretty_assertions::assert_eq!(said, expected);
    let deleted: BTreeSet<String> = deleted.split_whitespace().map(str::to_owned).collect();
    pretty_assertions::assert_eq!(gone, deleted);
}

/// What a bridge that has just read this answer says first: payloads by key, and deleted keys.
fn first_words(body: &[u8]) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let received = Now {
        mono: Duration::ZERO,
        wall: "2026-11-23T12:00:00Z".parse().unwrap(),
    };
    let answer = vehicle_data(body, received).unwrap();
    let mut car = Vehicle::new(vin_of(body));
    for seen in &answer.observations {
        car.apply(seen);
    }
    car.apply(&Observation {
        source: Source::Bridge,
        at: received.wall,
        whole_groups: Vec::new(),
        signals: vec![
            (
                Signal::new("bridge.state"),
                Some(Value::Text("online".into())),
            ),
            (
                Signal::new("bridge.state_since"),
                Some(Value::Int(1_795_431_600)),
            ),
        ],
    });
    let mut said = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for message in TeslaMateTopics::new(1, None).changes(&car, received) {
        match message {
            Publish::State { topic, payload } => {
                said.insert(key(&topic), payload.to_string());
            }
            Publish::Delete { topic } => {
                gone.insert(key(&topic));
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    (said, gone)
}

fn key(topic: &str) -> String {
    let key = topic.strip_prefix("teslamate/cars/1/");
    key.expect("a topic of car 1").to_owned()
}
