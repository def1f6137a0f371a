use std::time::Duration;

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;
use crate::model::{CarRecord, Gear};

const NOON: i64 = 1_795_694_400;
const HOUR: i64 = 3600;

fn car() -> Vehicle {
    Vehicle::new(Vin::new("5YJ3E7EB0KF000005").unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn now(second: i64) -> Now {
    Now {
        mono: Duration::ZERO,
        wall: at(second),
    }
}

fn see(car: &mut Vehicle, source: Source, second: i64, path: &str, value: i64) {
    car.apply(&Observation {
        source,
        at: at(second),
        whole_groups: Vec::new(),
        signals: vec![(Signal::new(path), Some(Value::Int(value)))],
    });
}

const LEVEL: &str = "charge_state.battery_level";
/// Believed as it comes.
const UNBOUNDED: &str = "charge_state.charger_voltage";

#[test]
fn what_the_bridge_says_and_the_cars_state_do_not_freeze_when_the_clock_is_set_back() {
    for (source, path) in [
        (Source::Bridge, "bridge.data_calls_today"),
        (Source::Bridge, "derived.last_drive_distance"),
        (Source::Light, "state"),
        (Source::Data, "state"),
    ] {
        let mut car = car();
        see(&mut car, source, NOON, path, 1);
        see(&mut car, source, NOON - HOUR, path, 2);
        assert_eq!(car.number(path), Some(2.0), "{path}");
        assert_eq!(car.known(path).unwrap().at, at(NOON - HOUR), "{path}");
    }
}

#[test]
fn what_a_clock_wrote_that_was_ahead_does_not_keep_the_news_out() {
    let mut car = car();
    see(&mut car, Source::Data, NOON, LEVEL, 70);
    car.not_after(now(NOON - HOUR));
    assert_eq!(car.known(LEVEL).unwrap().at, at(NOON - HOUR));
    see(&mut car, Source::Data, NOON - HOUR, LEVEL, 69);
    assert_eq!(car.number(LEVEL), Some(69.0));
}

#[test]
fn a_group_that_a_clock_dated_ahead_can_vanish() {
    let mut car = car();
    see(
        &mut car,
        Source::Data,
        NOON,
        "drive_state.active_route_miles_to_arrival",
        9,
    );
    car.not_after(now(NOON - HOUR));
    car.apply(&Observation {
        source: Source::Data,
        at: at(NOON - HOUR),
        whole_groups: vec!["drive_state"],
        signals: vec![(Signal::new("drive_state.power"), Some(Value::Int(0)))],
    });
    assert_eq!(car.value("drive_state.active_route_miles_to_arrival"), None);
}

#[test]
fn a_clock_that_is_not_set_takes_no_value_its_age() {
    let mut car = car();
    see(&mut car, Source::Data, NOON, LEVEL, 70);
    car.not_after(now(60));
    assert_eq!(car.known(LEVEL).unwrap().at, at(NOON));
}

proptest! {
    #[test]
    fn the_newest_time_of_the_cars_own_wins(
        seen in prop::collection::vec((0_i64..20, 0_i64..100, prop::bool::ANY), 1..20),
    ) {
        let mut car = car();
        for (second, value, is_data) in &seen {
            let source = if *is_data { Source::Data } else { Source::Light };
            see(&mut car, source, NOON + second, UNBOUNDED, *value);
        }
        // Of several of one time the last.
        let newest = seen.iter().max_by_key(|(second, ..)| second).unwrap();
        let known = car.known(UNBOUNDED).unwrap();
        prop_assert_eq!(known.value.clone(), Some(Value::Int(newest.1)));
        prop_assert_eq!(known.at, at(NOON + newest.0));
    }

    #[test]
    fn no_jump_of_the_clock_keeps_the_next_answer_out(
        answers in prop::collection::vec((-100_000_i64..100_000, prop::bool::ANY), 1..20),
    ) {
        let mut car = car();
        let mut clock = NOON;
        for (number, (jump, is_bridge)) in answers.into_iter().enumerate() {
            clock += jump;
            let (source, path) = if is_bridge {
                (Source::Bridge, "bridge.data_calls_today")
            } else {
                (Source::Data, UNBOUNDED)
            };
            car.not_after(now(clock));
            let value = i64::try_from(number).unwrap();
            see(&mut car, source, clock, path, value);
            prop_assert_eq!(car.value(path), Some(&Value::Int(value)));
        }
    }
}

/// Scenario 26 of the policy: given a newer answer is known; when data with an older time comes:
/// dropped.
#[test]
fn an_answer_with_an_older_time_changes_nothing_until_it_is_said_too_often() {
    let mut car = car();
    let mut look = |second: i64, gear: &str| {
        car.apply(&Observation {
            source: Source::Data,
            at: at(second),
            whole_groups: vec!["drive_state"],
            signals: vec![(
                Signal::new("drive_state.shift_state"),
                Some(Value::Text(gear.to_owned())),
            )],
        });
        CarRecord::of(&car)
    };
    look(NOON, "P");
    let before = look(NOON + 10, "P");
    for n in 1..=5 {
        assert_eq!(look(NOON - HOUR + n, "D"), before);
    }
    // The car's clock was set back.
    let record = look(NOON - HOUR + 6, "D");
    assert_eq!(record.gear, Some(Gear::D));
    assert_eq!(record.at, Some(at(NOON - HOUR + 6)));
    assert_eq!(look(NOON - HOUR + 7, "P").gear, Some(Gear::P));
    // One that is older again between newer ones is dropped each time.
    for n in 0..20 {
        look(NOON + n, "P");
        assert_eq!(look(NOON - HOUR, "D").gear, Some(Gear::P));
    }
}
