//! Each topic's name, unit and words, and the rules for values that are not there.

mod changes;
mod rig;

use std::collections::BTreeSet;

use proptest::prelude::*;

use self::rig::*;
use super::*;

/// teslamate.md, section 3, name by name.
const TESLAMATE: &str = "
    display_name state since healthy version update_available update_version download_perc
    install_perc model trim_badging exterior_color wheel_type spoiler_type geofence service_mode
    center_display_state
    latitude longitude location heading elevation speed power shift_state odometer
    locked sentry_mode is_user_present
    windows_open driver_front_window_open driver_rear_window_open passenger_front_window_open
    passenger_rear_window_open
    doors_open driver_front_door_open driver_rear_door_open passenger_front_door_open
    passenger_rear_door_open
    trunk_open frunk_open sun_roof_state sun_roof_installed sun_roof_percent_open
    is_climate_on inside_temp outside_temp is_preconditioning climate_keeper_mode
    battery_level usable_battery_level ideal_battery_range_km est_battery_range_km
    rated_battery_range_km plugged_in charging_state charge_energy_added charge_limit_soc
    charge_port_door_open charger_actual_current charger_phases charger_power charger_voltage
    charge_current_request charge_current_request_max scheduled_charging_start_time
    time_to_full_charge
    tpms_pressure_fl tpms_pressure_fr tpms_pressure_rl tpms_pressure_rr
    tpms_soft_warning_fl tpms_soft_warning_fr tpms_soft_warning_rl tpms_soft_warning_rr
    active_route active_route_destination active_route_latitude active_route_longitude
    software_update";

#[test]
fn every_topic_of_teslamate_is_published_or_left_out_with_a_reason() {
    let wanted: BTreeSet<&str> = TESLAMATE.split_whitespace().collect();
    let published = TABLE.iter().map(|row| row.key);
    let left = NOT_DERIVED.iter().map(|left| left.key);
    let ours: Vec<&str> = published.chain(left).collect();
    assert_eq!(ours.iter().copied().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(ours.len(), wanted.len(), "a topic is listed twice");
    assert!(NOT_DERIVED.iter().all(|left| !left.why.is_empty()));
}

#[test]
fn the_topics_that_teslamate_deletes_are_deleted() {
    let deletes: BTreeSet<&str> = TABLE
        .iter()
        .filter(|row| row.unknown == Unknown::Deletes)
        .map(|row| row.key)
        .chain(["geofence"])
        .collect();
    let expected = "charge_energy_added charger_actual_current charger_phases charger_power
        charger_voltage scheduled_charging_start_time time_to_full_charge shift_state geofence
        trim_badging update_version";
    assert_eq!(deletes, expected.split_whitespace().collect());
}

#[test]
fn numbers_keep_the_form_that_tesla_gave_them() {
    #[rustfmt::skip]
    check_each(&[
        ("battery_level",              "charge_state.battery_level",                  44.into(),         "44"),
        ("usable_battery_level",       "charge_state.usable_battery_level",           43.into(),         "43"),
        ("inside_temp",                "climate_state.inside_temp",                   21.0.into(),       "21.0"),
        ("outside_temp",               "climate_state.outside_temp",                  (-3.5).into(),     "-3.5"),
        ("charge_energy_added",        "charge_state.charge_energy_added",            14.54.into(),      "14.54"),
        ("time_to_full_charge",        "charge_state.time_to_full_charge",            0.25.into(),       "0.25"),
        ("charger_power",              "charge_state.charger_power",                  11.into(),         "11"),
        ("charger_voltage",            "charge_state.charger_voltage",                230.into(),        "230"),
        ("charger_actual_current",     "charge_state.charger_actual_current",         16.into(),         "16"),
        ("charger_phases",             "charge_state.charger_phases",                 2.into(),          "2"),
        ("charge_limit_soc",           "charge_state.charge_limit_soc",               80.into(),         "80"),
        ("charge_current_request",     "charge_state.charge_current_request",         16.into(),         "16"),
        ("charge_current_request_max", "charge_state.charge_current_request_max",     32.into(),         "32"),
        ("power",                      "drive_state.power",                           (-9).into(),       "-9"),
        ("heading",                    "drive_state.heading",                         240.into(),        "240"),
        ("latitude",                   "drive_state.latitude",                        52.092_876.into(), "52.092876"),
        ("longitude",                  "drive_state.longitude",                       5.10448.into(),    "5.10448"),
        ("tpms_pressure_fl",           "vehicle_state.tpms_pressure_fl",              2.9.into(),        "2.9"),
        ("tpms_pressure_fr",           "vehicle_state.tpms_pressure_fr",              2.825.into(),      "2.825"),
        ("tpms_pressure_rl",           "vehicle_state.tpms_pressure_rl",              3.0.into(),        "3.0"),
        ("tpms_pressure_rr",           "vehicle_state.tpms_pressure_rr",              2.8.into(),        "2.8"),
        ("center_display_state",       "vehicle_state.center_display_state",          2.into(),          "2"),
        ("sun_roof_percent_open",      "vehicle_state.sun_roof_percent_open",         30.into(),         "30"),
        ("download_perc",              "vehicle_state.software_update.download_perc", 55.into(),         "55"),
        ("install_perc",               "vehicle_state.software_update.install_perc",  1.into(),          "1"),
    ]);
    check_silent(
        "battery_level",
        &[("charge_state.battery_level", "forty".into())],
    );
}

#[test]
fn miles_become_kilometers_with_two_decimals_as_teslamate_rounds_them() {
    #[rustfmt::skip]
    check_each(&[
        ("rated_battery_range_km", "charge_state.battery_range",       99.84.into(),         "160.68"),
        ("ideal_battery_range_km", "charge_state.ideal_battery_range", 208.64.into(),        "335.77"),
        ("est_battery_range_km",   "charge_state.est_battery_range",   78.13.into(),         "125.74"),
        ("odometer",               "vehicle_state.odometer",           1_027.119_236.into(), "1652.99"),
        ("odometer",               "vehicle_state.odometer",           0.into(),             "0.0"),
        ("odometer",               "vehicle_state.odometer",           33_561.25.into(),     "54011.6"),
    ]);
}

#[test]
fn speed_is_in_whole_kilometers_an_hour_and_zero_when_parked() {
    check("speed", &[("drive_state.speed", 31.into())], "50");
    check("speed", &[("drive_state.speed", 8.into())], "13");
    check("speed", &[("drive_state.speed", 0.into())], "0");
    check("speed", &[("drive_state.speed", None.into())], "0");
    check_silent("speed", &[]);
}

#[test]
fn truths_are_true_and_false_whatever_tesla_made_of_them() {
    #[rustfmt::skip]
    check_each(&[
        ("locked",                "vehicle_state.locked",               true.into(),  "true"),
        ("locked",                "vehicle_state.locked",               false.into(), "false"),
        ("locked",                "vehicle_state.locked",               1.into(),     "true"),
        ("sentry_mode",           "vehicle_state.sentry_mode",          false.into(), "false"),
        ("is_user_present",       "vehicle_state.is_user_present",      true.into(),  "true"),
        ("service_mode",          "vehicle_state.service_mode",         false.into(), "false"),
        ("is_climate_on",         "climate_state.is_climate_on",        true.into(),  "true"),
        ("is_preconditioning",    "climate_state.is_preconditioning",   false.into(), "false"),
        ("charge_port_door_open", "charge_state.charge_port_door_open", true.into(),  "true"),
        ("sun_roof_installed",    "vehicle_config.sun_roof_installed",  2.into(),     "true"),
        ("sun_roof_installed",    "vehicle_config.sun_roof_installed",  false.into(), "false"),
        ("tpms_soft_warning_fl",  "vehicle_state.tpms_soft_warning_fl", true.into(),  "true"),
        ("tpms_soft_warning_fr",  "vehicle_state.tpms_soft_warning_fr", false.into(), "false"),
        ("tpms_soft_warning_rl",  "vehicle_state.tpms_soft_warning_rl", false.into(), "false"),
        ("tpms_soft_warning_rr",  "vehicle_state.tpms_soft_warning_rr", true.into(),  "true"),
    ]);
    check_silent("locked", &[("vehicle_state.locked", None.into())]);
}

#[test]
fn doors_and_windows_are_open_for_any_number_but_zero_and_on_the_right_side() {
    for (key, signal) in [
        ("driver_front_door_open", "vehicle_state.df"),
        ("driver_rear_door_open", "vehicle_state.dr"),
        ("passenger_front_door_open", "vehicle_state.pf"),
        ("passenger_rear_door_open", "vehicle_state.pr"),
        ("driver_front_window_open", "vehicle_state.fd_window"),
        ("driver_rear_window_open", "vehicle_state.rd_window"),
        ("passenger_front_window_open", "vehicle_state.fp_window"),
        ("passenger_rear_window_open", "vehicle_state.rp_window"),
        ("frunk_open", "vehicle_state.ft"),
        ("trunk_open", "vehicle_state.rt"),
    ] {
        check(key, &[(signal, 16.into())], "true");
        check(key, &[(signal, 0.into())], "false");
        check_silent(key, &[(signal, None.into())]);
    }
}

#[test]
fn the_sum_of_the_doors_is_open_if_any_is_and_closed_only_if_all_are_known() {
    let closed: [(&str, Sent); 4] = [
        ("vehicle_state.df", 0.into()),
        ("vehicle_state.dr", 0.into()),
        ("vehicle_state.pf", 0.into()),
        ("vehicle_state.pr", 0.into()),
    ];
    check("doors_open", &closed, "false");
    check_silent("doors_open", &closed[..3]);
    check("doors_open", &[("vehicle_state.pr", 2.into())], "true");
    check(
        "windows_open",
        &[("vehicle_state.rp_window", 1.into())],
        "true",
    );
    check_silent("windows_open", &[("vehicle_state.rp_window", 0.into())]);
}

#[test]
fn texts_stay_in_teslas_words() {
    check(
        "charging_state",
        &[("charge_state.charging_state", "NoPower".into())],
        "NoPower",
    );
    check(
        "climate_keeper_mode",
        &[("climate_state.climate_keeper_mode", "dog".into())],
        "dog",
    );
    check(
        "shift_state",
        &[("drive_state.shift_state", "D".into())],
        "D",
    );
    check(
        "exterior_color",
        &[("vehicle_config.exterior_color", "DeepBlue".into())],
        "DeepBlue",
    );
    check(
        "wheel_type",
        &[("vehicle_config.wheel_type", "Pinwheel18".into())],
        "Pinwheel18",
    );
    check(
        "spoiler_type",
        &[("vehicle_config.spoiler_type", "None".into())],
        "None",
    );
    check(
        "sun_roof_state",
        &[("vehicle_state.sun_roof_state", "vent".into())],
        "vent",
    );
    check(
        "trim_badging",
        &[("vehicle_config.trim_badging", "p74d".into())],
        "P74D",
    );
    check(
        "display_name",
        &[("display_name", "Blue Thunder".into())],
        "Blue Thunder",
    );
    check(
        "display_name",
        &[
            ("display_name", "Old".into()),
            ("vehicle_state.vehicle_name", "New".into()),
        ],
        "New",
    );
    check_silent("display_name", &[("display_name", "".into())]);
}

#[test]
fn versions_end_at_the_first_blank() {
    check(
        "version",
        &[("vehicle_state.car_version", "2019.32.11.1 d39e85a".into())],
        "2019.32.11.1",
    );
    check(
        "update_version",
        &[("vehicle_state.software_update.version", "2024.8.9 x".into())],
        "2024.8.9",
    );
    check_silent("version", &[("vehicle_state.car_version", "  ".into())]);
}

#[test]
fn states_are_teslamates_words_and_service_says_nothing() {
    for word in [
        "online",
        "driving",
        "charging",
        "updating",
        "suspended",
        "asleep",
        "offline",
    ] {
        check("state", &[("bridge.state", word.into())], word);
    }
    check(
        "state",
        &[("bridge.state", "starting".into())],
        "unavailable",
    );
    check(
        "state",
        &[("bridge.state", "signed_out".into())],
        "unavailable",
    );
    check("state", &[("bridge.state", "paused".into())], "suspended");
    check("state", &[("state", "asleep".into())], "asleep");
    check_silent("state", &[("bridge.state", "in_service".into())]);
    check_silent("state", &[("bridge.state", "teapot".into())]);
}

#[test]
fn times_are_iso_8601_and_absurd_ones_are_none() {
    let asleep: (&str, Sent) = ("bridge.state", "asleep".into());
    check(
        "since",
        &[asleep, ("bridge.state_since", 1_551_394_807.into())],
        "2019-02-28T23:00:07Z",
    );
    check_silent(
        "since",
        &[
            ("bridge.state", "in_service".into()),
            ("bridge.state_since", 1.into()),
        ],
    );
    let start = "charge_state.scheduled_charging_start_time";
    check(
        "scheduled_charging_start_time",
        &[(start, 1_700_000_000.into())],
        "2023-11-14T22:13:20Z",
    );
    check_silent(
        "scheduled_charging_start_time",
        &[(start, 1_700_000_000_000_i64.into())],
    );
    check_silent("scheduled_charging_start_time", &[(start, f64::MAX.into())]);
}

#[test]
fn the_model_comes_from_the_type_and_without_it_from_the_vin() {
    for (car_type, model) in [
        ("models", "S"),
        ("models2", "S"),
        ("lychee", "S"),
        ("modelx", "X"),
        ("tamarind", "X"),
        ("model3", "3"),
        ("modely", "Y"),
        ("ModelY", "Y"),
        ("cybertruck", "Cybertruck"),
        ("s", "3"),
        ("hovercraft", "3"),
    ] {
        check(
            "model",
            &[("vehicle_config.car_type", car_type.into())],
            model,
        );
    }
    check("model", &[], "3");
}

#[test]
fn a_cable_is_in_unless_tesla_says_disconnected() {
    let state = "charge_state.charging_state";
    check("plugged_in", &[(state, "Disconnected".into())], "false");
    for word in ["Charging", "Complete", "Stopped", "NoPower", "Starting"] {
        check("plugged_in", &[(state, word.into())], "true");
    }
    // Null for a moment after waking: no cable appears out of nothing (teslamate #1221).
    check_silent("plugged_in", &[(state, None.into())]);
}

#[test]
fn an_update_is_available_while_it_can_be_had() {
    let status = "vehicle_state.software_update.status";
    for word in ["available", "downloading", "downloading_wifi_wait"] {
        check("update_available", &[(status, word.into())], "true");
    }
    for word in ["scheduled", "installing"] {
        check("update_available", &[(status, word.into())], "false");
    }
    check("update_available", &[(status, None.into())], "false");
    check_silent("update_available", &[]);
}

#[test]
fn the_update_names_the_installed_version_twice_when_there_is_none() {
    let version: (&str, Sent) = ("vehicle_state.car_version", "2024.2.7 abc".into());
    let status = "vehicle_state.software_update.status";
    let offered: (&str, Sent) = ("vehicle_state.software_update.version", "2024.8.9".into());
    check_json(
        "software_update",
        &[version.clone(), (status, None.into())],
        r#"{"installed_version":"2024.2.7","latest_version":"2024.2.7"}"#,
    );
    check_json(
        "software_update",
        &[version.clone(), (status, "available".into()), offered],
        r#"{"installed_version":"2024.2.7","latest_version":"2024.8.9"}"#,
    );
    check_silent(
        "software_update",
        &[version.clone(), (status, "available".into())],
    );
    check_silent("software_update", &[version]);
}

#[test]
fn the_position_is_one_object_and_needs_both_halves() {
    let latitude: (&str, Sent) = ("drive_state.latitude", 35.278_131.into());
    let longitude: (&str, Sent) = ("drive_state.longitude", 29.744_801.into());
    check_json(
        "location",
        &[latitude.clone(), longitude],
        r#"{"latitude":35.278131,"longitude":29.744801}"#,
    );
    check_silent("location", &[latitude]);
}

#[test]
fn a_route_is_one_object_and_three_old_topics() {
    let route: &[(&str, Sent)] = &[
        ("drive_state.active_route_destination", "Home".into()),
        ("drive_state.active_route_energy_at_arrival", 73.into()),
        (
            "drive_state.active_route_miles_to_arrival",
            6.485_299.into(),
        ),
        (
            "drive_state.active_route_minutes_to_arrival",
            23.466_667.into(),
        ),
        ("drive_state.active_route_traffic_minutes_delay", 0.0.into()),
        ("drive_state.active_route_latitude", 35.278_131.into()),
        ("drive_state.active_route_longitude", 29.744_801.into()),
    ];
    check_json(
        "active_route",
        route,
        r#"{"destination":"Home","energy_at_arrival":73,"miles_to_arrival":6.485299,
            "minutes_to_arrival":23.466667,"traffic_minutes_delay":0.0,
            "location":{"latitude":35.278131,"longitude":29.744801},"error":null}"#,
    );
    check("active_route_destination", route, "Home");
    check("active_route_latitude", route, "35.278131");
    check("active_route_longitude", route, "29.744801");
}

#[test]
fn without_a_route_the_old_topics_say_nil_even_where_the_car_repeats_its_own_position() {
    let own_position: &[(&str, Sent)] = &[("drive_state.active_route_latitude", 35.278_131.into())];
    check_json(
        "active_route",
        own_position,
        r#"{"error":"No active route available"}"#,
    );
    for key in [
        "active_route_destination",
        "active_route_latitude",
        "active_route_longitude",
    ] {
        check(key, own_position, "nil");
    }
}

#[test]
fn the_documentation_has_a_line_for_each_topic() {
    let page = document();
    for key in TESLAMATE.split_whitespace() {
        assert_eq!(page.matches(&format!("| `{key}` |")).count(), 1, "{key}");
    }
}

proptest! {
    #[test]
    fn whatever_tesla_sends_no_payload_is_empty_and_no_topic_leaves_the_tree(
        values in proptest::collection::vec(any_sent(), 100)
    ) {
        let mut car = car(&[]);
        let mut values = values.into_iter().cycle();
        for row in TABLE {
            for path in row.from {
                let value = values.next().expect("a cycle has no end");
                see(&mut car, 1, &[(path, value)]);
            }
        }
        let mut topics = TeslaMateTopics::new(1, None);
        let tree: BTreeSet<String> = topics.topics().into_iter().collect();
        for said in topics.changes(&car, at(1)) {
            match said {
                Publish::State { topic, payload } | Publish::Event { topic, payload } => {
                    prop_assert!(!payload.is_empty());
                    prop_assert!(tree.contains(&topic));
                }
                Publish::Delete { topic } => prop_assert!(tree.contains(&topic)),
                Publish::Everything => prop_assert!(false, "nobody asked for everything"),
            }
        }
    }
}
