//! What is said when, said again, deleted and taken back.

use std::collections::BTreeSet;

use super::super::*;
use super::rig::*;

#[test]
fn topics_carry_the_number_and_the_namespace() {
    let car = car(&[("charge_state.battery_level", 44.into())]);
    for (namespace, topic) in [
        (None, "teslamate/cars/7/battery_level"),
        (Some(""), "teslamate/cars/7/battery_level"),
        (Some("home"), "teslamate/home/cars/7/battery_level"),
    ] {
        let said = TeslaMateTopics::new(7, namespace).changes(&car, at(0));
        assert!(said.contains(&state_of(topic, "44")), "{namespace:?}");
    }
}

#[test]
fn only_what_changed_is_said_again() {
    let mut topics = TeslaMateTopics::new(1, None);
    let mut car = car(&[
        ("charge_state.battery_level", 44.into()),
        ("charge_state.charge_limit_soc", 80.into()),
        ("bridge.healthy", true.into()),
    ]);
    assert!(topics.changes(&car, at(0)).len() > 3);
    assert_eq!(topics.changes(&car, at(30)), vec![]);
    see(&mut car, 40, &[("charge_state.battery_level", 45.into())]);
    assert_eq!(
        topics.changes(&car, at(40)),
        vec![state_of("teslamate/cars/1/battery_level", "45")]
    );
}

#[test]
fn a_value_that_vanishes_stays_or_is_deleted_as_teslamate_does_it() {
    let mut topics = TeslaMateTopics::new(1, None);
    let mut car = car(&[
        ("drive_state.shift_state", "D".into()),
        ("drive_state.power", 12.into()),
    ]);
    topics.changes(&car, at(0));
    let parked: &[(&str, Sent)] = &[
        ("drive_state.shift_state", None.into()),
        ("drive_state.power", None.into()),
    ];
    see(&mut car, 60, parked);
    assert_eq!(
        topics.changes(&car, at(60)),
        vec![delete("teslamate/cars/1/shift_state")]
    );
    assert_eq!(topics.changes(&car, at(90)), vec![], "deleted once");
    see(&mut car, 120, &[("drive_state.shift_state", "D".into())]);
    assert_eq!(
        topics.changes(&car, at(120)),
        vec![state_of("teslamate/cars/1/shift_state", "D")]
    );
}

#[test]
fn the_first_word_clears_what_an_earlier_teslamate_left_behind() {
    let mut topics = TeslaMateTopics::new(1, None);
    let first = topics.changes(&car(&[]), at(0));
    for key in [
        "healthy",
        "geofence",
        "elevation",
        "shift_state",
        "charger_power",
    ] {
        assert!(
            first.contains(&delete(&format!("teslamate/cars/1/{key}"))),
            "{key}"
        );
    }
    assert!(!first.contains(&delete("teslamate/cars/1/battery_level")));
}

#[test]
fn health_is_never_retained_and_said_on_change_and_now_and_then() {
    let mut topics = TeslaMateTopics::new(1, None);
    let mut car = car(&[("bridge.healthy", true.into())]);
    let healthy = |payload: &str| Publish::Event {
        topic: "teslamate/cars/1/healthy".into(),
        payload: payload.into(),
    };
    assert!(topics.changes(&car, at(0)).contains(&healthy("true")));
    assert_eq!(topics.changes(&car, at(599)), vec![]);
    assert_eq!(topics.changes(&car, at(600)), vec![healthy("true")]);
    see(&mut car, 610, &[("bridge.healthy", false.into())]);
    assert_eq!(topics.changes(&car, at(610)), vec![healthy("false")]);
}

#[test]
fn what_was_said_is_taken_back_once_and_said_again_when_the_car_is_back() {
    let mut topics = TeslaMateTopics::new(1, None);
    let car = car(&[("charge_state.battery_level", 44.into())]);
    let first = topics.changes(&car, at(0));
    let all: Vec<Publish> = topics.topics().iter().map(|topic| delete(topic)).collect();
    assert_eq!(topics.withdrawn(), all);
    assert_eq!(topics.withdrawn(), vec![]);
    assert_eq!(topics.changes(&car, at(30)), first);
}

/// A bridge that is killed after the car was gone, and before the broker heard of it, starts with a
/// car that is gone.
#[test]
fn what_a_killed_run_has_said_is_taken_back_by_the_next() {
    let mut topics = TeslaMateTopics::new(1, None);
    let all: Vec<Publish> = topics.topics().iter().map(|topic| delete(topic)).collect();
    assert_eq!(topics.withdrawn(), all);
    assert_eq!(topics.withdrawn(), vec![]);
    let car = car(&[("charge_state.battery_level", 44.into())]);
    assert!(!topics.changes(&car, at(0)).is_empty());
}

#[test]
fn the_list_of_topics_holds_whatever_was_ever_said() {
    let mut topics = TeslaMateTopics::new(1, Some("home"));
    let all: BTreeSet<String> = topics.topics().into_iter().collect();
    assert_eq!(all.len(), TABLE.len() + NOT_DERIVED.len());
    for said in topics.changes(&car(&[("bridge.healthy", true.into())]), at(0)) {
        let (Publish::State { topic, .. }
        | Publish::Event { topic, .. }
        | Publish::Delete { topic }) = said
        else {
            panic!("unexpected {said:?}");
        };
        assert!(all.contains(&topic), "{topic}");
    }
}
