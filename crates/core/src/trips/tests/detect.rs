//! Drives and charges: one end for each start, with its figures, and nothing told twice.

use pretty_assertions::assert_eq;

use super::*;

fn names(found: &[Finding]) -> Vec<&'static str> {
    let events = found.iter().filter_map(Finding::event);
    events.map(|(name, _)| name).collect()
}

/// A look whose odometer is older than the rest, or missing.
fn lagging(
    rig: &mut TripsRig,
    words: &[(&str, &str)],
    odometer: Option<(i64, f64)>,
) -> Vec<Finding> {
    if let Some((minutes_ago, miles)) = odometer {
        rig.car.apply(&Observation {
            source: Source::Data,
            at: at(rig.minute + 1 - minutes_ago),
            whole_groups: Vec::new(),
            signals: vec![(
                Signal::new("vehicle_state.odometer"),
                Some(Value::Float(miles)),
            )],
        });
    }
    rig.all_after(1, words, &[])
}

#[test]
fn a_start_and_an_end_are_told_once() {
    let mut rig = TripsRig::new();
    rig.all_after(0, PARKED, &[("odometer", 1000.0)]);
    let found = rig.all_after(1, DRIVING, &[("odometer", 1000.2)]);
    assert_eq!(names(&found), ["drive_started"]);
    let (_, figures) = found[0].event().unwrap();
    assert_eq!(figures["from"]["odometer_mi"], 1000.0);
    assert_eq!(rig.all_after(1, DRIVING, &[("odometer", 1001.0)]), []);
    let found = rig.all_after(1, PARKED, &[("odometer", 1002.0)]);
    assert_eq!(names(&found), ["drive_finished"]);
    assert_eq!(rig.all_after(1, PARKED, &[("odometer", 1002.0)]), []);
    let found = rig.all_after(1, CHARGING, &[("charge_energy_added", 0.1)]);
    assert_eq!(names(&found), ["charge_started"]);
    let found = rig.all_after(1, STOPPED, &[("charge_energy_added", 0.1)]);
    assert_eq!(names(&found), ["charge_finished"]);
    assert_eq!(rig.figure("last_charge_energy"), None, "a test of the plug");
}

#[test]
fn what_the_bridge_came_upon_has_no_start() {
    let mut rig = TripsRig::new();
    let found = rig.all_after(0, DRIVING, &[("odometer", 1000.0)]);
    assert_eq!(found, [Finding::DriveStarted(None)]);
    assert_eq!(names(&found), [] as [&str; 0]);
    let found = rig.all_after(1, PARKED, &[("odometer", 1002.0)]);
    assert_eq!(names(&found), ["drive_finished"]);
}

#[test]
fn an_end_waits_for_the_odometer_that_belongs_to_it() {
    let mut rig = TripsRig::new();
    rig.all_after(0, PARKED, &[("odometer", 1000.0)]);
    rig.all_after(1, DRIVING, &[("odometer", 1000.2)]);
    rig.all_after(1, DRIVING, &[("odometer", 1002.0)]);
    // The part with the odometer is a minute older than the gear.
    assert_eq!(lagging(&mut rig, PARKED, Some((1, 1002.0))), []);
    let found = lagging(&mut rig, PARKED, Some((0, 1002.5)));
    let ended = drive(found);
    assert!(close(ended.distance_mi.unwrap(), 2.5));
    assert_eq!(ended.ended_at, at(3));
    assert_eq!(rig.all_after(1, PARKED, &[("odometer", 1002.5)]), []);
}

#[test]
fn an_end_does_not_wait_for_ever_and_no_mile_is_missed() {
    let mut rig = TripsRig::new();
    rig.all_after(0, PARKED, &[("odometer", 1000.0)]);
    rig.all_after(1, DRIVING, &[("odometer", 1000.2)]);
    rig.all_after(1, DRIVING, &[("odometer", 1002.0)]);
    assert_eq!(lagging(&mut rig, PARKED, None), []);
    assert_eq!(lagging(&mut rig, PARKED, None), []);
    let ended = drive(lagging(&mut rig, PARKED, None));
    assert!(close(ended.distance_mi.unwrap(), 2.0));
    assert_eq!(ended.ended_at, at(3));
    // The last half mile was the drive's, too.
    assert_eq!(lagging(&mut rig, PARKED, Some((0, 1002.5))), []);
    let found = lagging(&mut rig, PARKED, Some((0, 1010.0)));
    assert_eq!(names(&found), ["missed_drive"]);
}

#[test]
fn an_end_that_waits_is_told_before_the_next_start() {
    let mut rig = TripsRig::new();
    rig.all_after(0, PARKED, &[("odometer", 1000.0)]);
    rig.all_after(1, DRIVING, &[("odometer", 1002.0)]);
    assert_eq!(lagging(&mut rig, PARKED, None), []);
    let found = rig.all_after(1, DRIVING, &[("odometer", 1002.1)]);
    assert_eq!(names(&found), ["drive_finished", "drive_started"]);
}

#[test]
fn what_is_out_of_sight_has_ended_with_its_last_look() {
    let mut rig = TripsRig::new();
    let parked = [("odometer", 1000.0), ("charge_energy_added", 20.0)];
    rig.all_after(0, PARKED, &parked);
    rig.all_after(1, DRIVING, &[("odometer", 1001.0)]);
    rig.all_after(4, DRIVING, &[("odometer", 1004.0)]);
    let tariff = rig.tariff.clone();
    let found = rig.trips.out_of_sight(at(30), &tariff);
    let ended = drive(found);
    assert_eq!((ended.ended_at, ended.distance_mi), (at(5), Some(4.0)));
    assert_eq!(rig.trips.out_of_sight(at(31), &tariff), []);
    // The way into the garage.
    let found = rig.all_after(60, PARKED, &[("odometer", 1004.3)]);
    assert_eq!(names(&found), ["missed_drive"]);

    rig.all_after(1, CHARGING, &[("charge_energy_added", 1.0)]);
    rig.all_after(60, CHARGING, &[("charge_energy_added", 11.0)]);
    let found = rig.trips.out_of_sight(at(rig.minute + 20), &tariff);
    assert!(close(charge(found).energy_kwh, 11.0));
}

#[test]
fn a_push_begins_and_ends_and_the_next_look_has_the_figures() {
    let mut rig = TripsRig::new();
    rig.all_after(0, PARKED, &[("odometer", 1000.0)]);
    let found = rig.trips.pushed(Some(Gear::D), None, at(10));
    assert_eq!(names(&found), ["drive_started"]);
    assert_eq!(rig.trips.pushed(Some(Gear::D), None, at(11)), []);
    assert_eq!(rig.trips.pushed(Some(Gear::P), None, at(20)), []);
    let ended = drive(rig.all_after(21, PARKED, &[("odometer", 1006.0)]));
    assert_eq!((ended.started_at, ended.ended_at), (at(10), at(20)));
    assert_eq!(ended.distance_mi, Some(6.0));

    let charging = Some(ChargingState::Charging);
    let found = rig.trips.pushed(None, charging, at(30));
    assert_eq!(names(&found), ["charge_started"]);
    assert_eq!(rig.trips.pushed(None, charging, at(31)), []);
    rig.all_after(19, CHARGING, &[("charge_energy_added", 5.0)]);
    rig.trips
        .pushed(None, Some(ChargingState::Complete), at(50));
    let ended = charge(rig.all_after(11, COMPLETE, &[("charge_energy_added", 9.0)]));
    assert_eq!((ended.started_at, ended.ended_at), (at(30), at(50)));
}

#[test]
fn a_charge_that_nobody_saw_is_told_at_the_next_look_be_it_in_gear() {
    for words in [PARKED, DRIVING, COMPLETE] {
        let mut rig = TripsRig::new();
        rig.all_after(0, PARKED, &[("odometer", 1000.0), ("battery_level", 50.0)]);
        let found = rig.all_after(300, words, &[("battery_level", 63.0)]);
        assert_eq!(names(&found)[0], "missed_charge", "{words:?}");
        assert!(!names(&rig.all_after(5, words, &[])).contains(&"missed_charge"));
    }
}

#[test]
fn a_missing_word_ends_nothing() {
    let mut rig = TripsRig::new();
    let unknown: &[(&str, &str)] = &[
        ("drive_state.shift_state", "?"),
        ("charge_state.charging_state", ""),
    ];
    rig.all_after(0, PARKED, &[("odometer", 1000.0)]);
    rig.all_after(1, DRIVING, &[("odometer", 1001.0)]);
    assert_eq!(rig.all_after(1, unknown, &[("odometer", 1001.5)]), []);
    let ended = drive(rig.all_after(1, PARKED, &[("odometer", 1002.0)]));
    assert_eq!(ended.distance_mi, Some(2.0));
    rig.all_after(1, CHARGING, &[("charge_energy_added", 1.0)]);
    for _ in 0..3 {
        assert_eq!(
            rig.all_after(1, unknown, &[("charge_energy_added", 2.0)]),
            []
        );
    }
    let found = rig.all_after(1, COMPLETE, &[("charge_energy_added", 3.0)]);
    assert_eq!(names(&found), ["charge_finished"]);
}

#[test]
fn what_an_older_version_left_under_way_ends_once() {
    // As 0.1.0 wrote it.
    let kept = serde_json::json!({
        "last": {"at": "2023-11-14T22:14:20Z", "in_gear": true, "charging": false, "unplugged": true,
            "odometer_mi": 1001.0, "level": 80.0, "range_mi": null, "session_kwh": 5.0,
            "session_mi": null, "charger_kw": 0.0, "is_dc": false},
        "energy": {"total_kwh": 100.0, "counter_kwh": 5.0, "is_stale": true},
        "drives": {"under_way": {"started_at": "2023-11-14T22:14:20Z", "from": {
            "at": "2023-11-14T22:13:20Z", "in_gear": false, "charging": false, "unplugged": true,
            "odometer_mi": 1000.0, "level": 81.0, "range_mi": null, "session_kwh": 5.0,
            "session_mi": null, "charger_kw": 0.0, "is_dc": false}}, "last": null},
    });
    let mut rig = TripsRig::new();
    rig.trips = serde_json::from_value(kept).unwrap();
    let found = rig.all_after(
        5,
        PARKED,
        &[("odometer", 1003.0), ("charge_energy_added", 5.0)],
    );
    assert_eq!(names(&found), ["drive_finished"]);
    assert_eq!(drive(found).distance_mi, Some(3.0));
    assert_eq!(rig.figure("charge_energy_total"), Some(100.0));
    let found = rig.all_after(60, PARKED, &[("odometer", 1008.0)]);
    assert_eq!(names(&found), ["missed_drive"]);
}
