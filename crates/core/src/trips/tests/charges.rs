//! What a charge was, and what the meter makes of its counter.

use pretty_assertions::assert_eq;

use super::*;

#[test]
fn a_charge_has_its_energy_and_power() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        PARKED,
        &[
            ("battery_level", 40.0),
            ("battery_range", 120.0),
            ("charge_energy_added", 20.86),
        ],
    );
    // The old session's counter is still there, then it falls.
    rig.after(
        10,
        CHARGING,
        &[("charge_energy_added", 20.86), ("charger_power", 11.0)],
    );
    rig.after(
        10,
        CHARGING,
        &[("charge_energy_added", 0.4), ("charger_power", 11.0)],
    );
    rig.after(
        60,
        CHARGING,
        &[("charge_energy_added", 11.2), ("charger_power", 10.0)],
    );
    let ended = charge(rig.after(
        10,
        COMPLETE,
        &[
            ("charge_energy_added", 13.0),
            ("battery_level", 60.0),
            ("battery_range", 180.0),
        ],
    ));
    assert_eq!((ended.started_at, ended.duration_s), (at(10), 80 * 60));
    assert!(close(ended.energy_kwh, 13.0));
    assert_eq!(ended.level_added(), Some(20.0));
    assert_eq!((ended.power_max_kw, ended.is_dc), (Some(11.0), false));
    assert!(close(ended.cost.unwrap(), 3.9));
    assert_eq!(rig.figure("last_charge_energy"), Some(13.0));
}

#[test]
fn a_charge_that_is_stopped_and_resumed_is_two_whose_energies_add_up() {
    let mut rig = TripsRig::new();
    let first =
        charge(rig.charge_looks(&[(0, PARKED, 5.0), (10, CHARGING, 0.2), (60, STOPPED, 8.0)]));
    let second = charge(rig.charge_looks(&[(30, CHARGING, 8.1), (60, COMPLETE, 12.0)]));
    assert!(close(first.energy_kwh + second.energy_kwh, 12.0));
}

#[test]
fn quirk_8_the_meter_counts_every_session_once() {
    let mut rig = TripsRig::new();
    let total = |rig: &mut TripsRig, minutes, words, kwh: f64| {
        rig.after(minutes, words, &[("charge_energy_added", kwh)]);
        rig.figure("charge_energy_total").unwrap()
    };
    // What was charged before the bridge came is not its business.
    assert!(close(total(&mut rig, 0, PARKED, 20.86), 0.0));
    // The next session shows the old value first, then falls, then grows.
    assert!(close(total(&mut rig, 10, CHARGING, 20.86), 0.0));
    assert!(close(total(&mut rig, 10, CHARGING, 0.5), 0.5));
    assert!(close(total(&mut rig, 60, CHARGING, 10.0), 10.0));
    assert!(close(total(&mut rig, 10, COMPLETE, 12.0), 12.0));
    // Rounding does not count, and unplugging changes nothing.
    assert!(close(total(&mut rig, 10, COMPLETE, 11.99), 12.0));
    assert!(close(total(&mut rig, 10, PARKED, 12.0), 12.0));
    // A session first seen when it has passed the old value counts whole.
    assert!(close(total(&mut rig, 600, CHARGING, 15.0), 27.0));
    assert!(close(total(&mut rig, 10, CHARGING, 16.0), 28.0));
    // Falls without having been seen unplugged: a new session.
    assert!(close(total(&mut rig, 600, CHARGING, 3.0), 31.0));
}

#[test]
fn quirk_8_a_charge_has_the_energy_that_the_meter_counts() {
    // Counters of the looks, first parked and last complete; what the session was.
    let check = |counters: &[f64], expected: f64| {
        let mut rig = TripsRig::new();
        let (first, rest) = counters.split_first().unwrap();
        let (last, under_way) = rest.split_last().unwrap();
        rig.after(0, PARKED, &[("charge_energy_added", *first)]);
        for counter in under_way {
            rig.after(10, CHARGING, &[("charge_energy_added", *counter)]);
        }
        let ended = charge(rig.after(10, COMPLETE, &[("charge_energy_added", *last)]));
        let total = rig.figure("charge_energy_total").unwrap();
        assert!(close(ended.energy_kwh, expected), "{counters:?}: {ended:?}");
        assert!(close(total, expected), "{counters:?}: {total}");
        assert!(close(ended.cost.unwrap(), expected * 0.30), "{ended:?}");
    };
    // The first look shows the old session; the next has passed it, or not.
    check(&[12.0, 12.0, 15.0, 15.0], 15.0);
    check(&[12.0, 12.0, 12.0, 15.0, 18.0], 18.0);
    check(&[12.0, 12.0, 3.0, 15.0], 15.0);
    check(&[12.0, 12.0, 15.0], 15.0);
    // It shows the new one at once.
    check(&[12.0, 13.0, 18.0], 18.0);
    check(&[12.0, 0.0, 18.0], 18.0);
}

#[test]
fn what_a_look_at_an_unplugged_car_shows_more_is_still_the_sessions() {
    let mut rig = TripsRig::new();
    let ended = charge(rig.charge_looks(&[
        (0, PARKED, 20.0),
        (10, CHARGING, 0.5),
        (50, CHARGING, 10.0),
        (10, PARKED, 12.0),
    ]));
    assert!(close(ended.energy_kwh, 12.0), "{ended:?}");
    assert!(close(rig.figure("charge_energy_total").unwrap(), 12.0));
    // And what the next session shows is that one's.
    rig.after(600, CHARGING, &[("charge_energy_added", 15.0)]);
    assert!(close(rig.figure("charge_energy_total").unwrap(), 27.0));
}

#[test]
fn the_meter_knows_a_new_session_by_the_drive_before_it() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        COMPLETE,
        &[("charge_energy_added", 5.0), ("odometer", 1000.0)],
    );
    rig.after(
        600,
        CHARGING,
        &[("charge_energy_added", 7.0), ("odometer", 1100.0)],
    );
    assert_eq!(rig.figure("charge_energy_total"), Some(7.0));
}

#[test]
fn absurd_counters_do_not_spoil_the_meter() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("charge_energy_added", 5.0)]);
    for absurd in [-3.0, 1e9, 400.0] {
        rig.after(1, CHARGING, &[("charge_energy_added", absurd)]);
    }
    assert_eq!(rig.figure("charge_energy_total"), Some(0.0));
}
