use std::collections::BTreeSet;

use jiff::Timestamp;
use pretty_assertions::assert_eq;

use super::*;
use crate::model::{Observation, Signal, Source, Vehicle, Vin};

/// A car that is looked at every ten seconds, with a restart of the bridge after each look.
struct PlausibilityRig {
    car: Vehicle,
    second: i64,
}

impl PlausibilityRig {
    fn new() -> Self {
        Self {
            car: Vehicle::new(Vin::new("5YJ3E7EB0KF000005").unwrap()),
            second: 1_795_694_400,
        }
    }

    fn look(&mut self, signal: &str, value: Option<Value>) -> Option<Value> {
        self.look_after(10, signal, value, 0)
    }

    fn look_after(
        &mut self,
        seconds: i64,
        signal: &str,
        value: Option<Value>,
        mph: i64,
    ) -> Option<Value> {
        self.second += seconds;
        let (group, _) = signal.split_once('.').unwrap();
        let group = BOUNDS
            .iter()
            .filter_map(|row| row.signal.split_once('.'))
            .map(|(of, _)| of)
            .find(|of| *of == group)
            .unwrap();
        let mut signals = vec![(Signal::new(signal), value)];
        if signal == "drive_state.shift_state" {
            signals.push((Signal::new("drive_state.speed"), Some(Value::Int(mph))));
        }
        self.car.apply(&Observation {
            source: Source::Data,
            at: Timestamp::from_second(self.second).unwrap(),
            whole_groups: vec![group],
            signals,
        });
        let kept = serde_json::to_string(&self.car).unwrap();
        self.car = serde_json::from_str(&kept).unwrap();
        self.car.value(signal).cloned()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as a signal's value is given")]
fn number(number: f64) -> Option<Value> {
    Some(Value::Float(number))
}

fn measured() -> impl Iterator<Item = &'static Bounds> {
    BOUNDS.iter().filter(|row| row.most.is_finite())
}

#[test]
fn the_table_is_sorted_and_each_signal_is_one_that_a_car_sends() {
    assert!(BOUNDS.is_sorted_by_key(|row| row.signal));
    for row in BOUNDS {
        assert!(crate::decode::vehicle_data::is_known(row.signal), "{row:?}");
    }
}

#[test]
fn what_is_beyond_all_bounds_is_unknown_from_the_first_look_on() {
    for row in measured() {
        for wrong in [row.least - 0.02, row.most + 1.0, -1e9, 1e12] {
            let mut rig = PlausibilityRig::new();
            let said = rig.look(row.signal, number(wrong));
            assert_eq!(said, None, "{}: {wrong}", row.signal);
            assert!(rig.car.is_implausible(row.signal));
        }
        for right in [row.least, row.most] {
            let mut rig = PlausibilityRig::new();
            if is_counted(row) && right == 0.0 {
                assert_eq!(rig.look(row.signal, number(right)), None, "{row:?}");
            }
            let said = rig.look(row.signal, number(right));
            assert_eq!(said, number(right), "{}", row.signal);
        }
    }
}

/// What a car always knows is not 0 when it is first seen; anything else may well be.
fn is_counted(row: &Bounds) -> bool {
    row.null == Null::IsAGap
}

/// `odometer` 0 reached the topic of a new car for one look, and the next look was a
/// `total_increasing` of all its miles at once.
#[test]
fn a_first_0_waits_for_a_second_look_and_a_first_value_does_not() {
    // Signal, what the car says look by look, what is believed after each.
    type Row = (&'static str, [f64; 4], [Option<f64>; 4]);
    let odometer = "vehicle_state.odometer";
    let level = "charge_state.battery_level";
    let rows: [Row; 6] = [
        (
            odometer,
            [0.0, 33_000.5, 33_000.5, 33_001.0],
            [None, Some(33_000.5), Some(33_000.5), Some(33_001.0)],
        ),
        // On the way from the factory.
        (
            odometer,
            [3.1, 3.1, 0.0, 3.2],
            [Some(3.1), Some(3.1), Some(3.1), Some(3.2)],
        ),
        (
            odometer,
            [0.0, 0.0, 0.4, 1.0],
            [None, Some(0.0), Some(0.4), Some(1.0)],
        ),
        (
            level,
            [0.0, 71.0, 71.0, 70.0],
            [None, Some(71.0), Some(71.0), Some(70.0)],
        ),
        (
            level,
            [0.0, 0.0, 1.0, 2.0],
            [None, Some(0.0), Some(1.0), Some(2.0)],
        ),
        (
            "charge_state.charge_energy_added",
            [0.0, 0.0, 0.4, 0.5],
            [Some(0.0), Some(0.0), Some(0.4), Some(0.5)],
        ),
    ];
    for (signal, said, believed) in rows {
        let mut rig = PlausibilityRig::new();
        let seen = said.map(|said| {
            rig.look(signal, number(said))
                .and_then(|value| value.number())
        });
        assert_eq!(seen, believed, "{signal}: {said:?}");
    }
}

/// `charge_energy_added` is `total_increasing`: whoever adds it up counts a session twice that
/// leaps or falls to 0 for a look.
#[test]
fn a_meter_that_leaps_or_falls_for_one_look_keeps_its_last_value() {
    let session = "charge_state.charge_energy_added";
    let lifetime = "charge_state.lifetime_energy_used";
    // Signal, what the car says every ten seconds, what is believed after each.
    let rows: [(&str, &[f64], &[f64]); 9] = [
        (session, &[22.0, 92.0, 23.0], &[22.0, 22.0, 23.0]),
        (session, &[22.0, 0.0, 22.1, 22.0], &[22.0, 22.0, 22.1, 22.0]),
        (
            session,
            &[22.0, 92.0, 24.0, 0.0, 24.5],
            &[22.0, 22.0, 24.0, 24.0, 24.5],
        ),
        (session, &[5.0, 3.9, 5.1], &[5.0, 5.0, 5.1]),
        (session, &[22.0, -1.0, 0.0, 22.1], &[22.0, 22.0, 22.0, 22.1]),
        // The next session.
        (session, &[22.0, 0.0, 0.0, 0.4], &[22.0, 22.0, 0.0, 0.4]),
        (session, &[22.0, 0.3, 0.6, 0.9], &[22.0, 22.0, 0.6, 0.9]),
        (
            lifetime,
            &[9000.5, 0.0, 9000.6, -1.0, 9000.7],
            &[9000.5, 9000.5, 9000.6, 9000.6, 9000.7],
        ),
        (
            lifetime,
            &[9000.5, 8000.0, 9000.6, 19_000.0, 9000.7],
            &[9000.5, 9000.5, 9000.6, 9000.6, 9000.7],
        ),
    ];
    for (signal, said, believed) in rows {
        let mut rig = PlausibilityRig::new();
        let seen: Vec<Option<Value>> = said
            .iter()
            .map(|kwh| rig.look(signal, number(*kwh)))
            .collect();
        let believed: Vec<Option<Value>> = believed.iter().map(|kwh| number(*kwh)).collect();
        assert_eq!(seen, believed, "{signal}: {said:?}");
    }
    // What was charged unseen is no leap.
    let mut rig = PlausibilityRig::new();
    rig.look(session, number(2.0));
    let night = 8 * 3600;
    assert_eq!(
        rig.look_after(night, session, number(62.0), 0),
        number(62.0)
    );
}

/// The meter of all energy has rules of its own, for which a doubt is a word like any other.
#[test]
fn the_meter_of_all_energy_hears_what_waits_for_a_second_look() {
    let session = "charge_state.charge_energy_added";
    let mut rig = PlausibilityRig::new();
    for said in [22.0, 92.0, 24.0, 0.0, 24.5] {
        rig.look(session, number(said));
        assert_eq!(rig.car.newest_number(session), Some(said));
        assert_eq!(
            crate::model::CarRecord::of(&rig.car).session_kwh,
            Some(said)
        );
    }
}

/// What rows of long-term statistics read beside their number, and why it has no bounds.
const WITHOUT_BOUNDS: [(&str, &str); 4] = [
    ("drive_state.active_route_destination", "a name"),
    ("vehicle_state.car_version", "a version"),
    ("vehicle_state.software_update.status", "a word"),
    ("vehicle_state.software_update.version", "a version"),
];

#[test]
fn each_number_of_long_term_statistics_has_bounds() {
    let kept = crate::catalogue::entities().filter(|entity| !entity.state_class.is_empty());
    let signals: BTreeSet<&str> = kept
        .flat_map(|entity| entity.extractor.signals())
        .copied()
        .filter(|signal| crate::decode::vehicle_data::is_known(signal))
        .collect();
    let (bounded, without): (Vec<&str>, Vec<&str>) =
        signals.iter().partition(|signal| bounds(signal).is_some());
    assert!(bounded.len() > 30, "{bounded:?}");
    assert_eq!(without, WITHOUT_BOUNDS.map(|(signal, _)| signal));
}

/// The last value is lost by two gaps in a row; what follows is a first value again.
#[test]
fn a_0_after_a_gap_is_a_first_one_too() {
    let odometer = "vehicle_state.odometer";
    let mut rig = PlausibilityRig::new();
    rig.look(odometer, number(33_000.5));
    rig.look(odometer, None);
    assert_eq!(rig.look(odometer, None), None);
    assert_eq!(rig.look(odometer, number(0.0)), None);
    assert_eq!(rig.look(odometer, number(33_000.5)), number(33_000.5));
}

#[test]
fn one_look_that_no_car_can_follow_keeps_the_last_value_and_a_second_one_is_believed() {
    let measured = BOUNDS.iter().filter(|row| row.rise != ANY);
    for row in measured {
        let middle = f64::midpoint(row.least, row.most).round();
        let wild = [0.0, row.least - 1.0, row.most + 1.0, row.most, row.least];
        for wrong in wild {
            let mut rig = PlausibilityRig::new();
            rig.look(row.signal, number(middle));
            assert_eq!(
                rig.look(row.signal, number(wrong)),
                number(middle),
                "{row:?}"
            );
            assert_eq!(rig.look(row.signal, number(middle)), number(middle));
            // Each look in which it is right begins the doubt anew.
            assert_eq!(
                rig.look(row.signal, number(wrong)),
                number(middle),
                "{row:?}"
            );
            let confirmed = rig.look(row.signal, number(wrong));
            assert_eq!(confirmed, row.within(number(wrong)), "{row:?}: {wrong}");
        }
    }
}

#[test]
fn what_a_car_can_do_is_believed_at_once() {
    for row in measured() {
        let middle = f64::midpoint(row.least, row.most).round();
        for step in [0.75, -0.75_f64.min(row.fall.at_once)] {
            let mut rig = PlausibilityRig::new();
            rig.look(row.signal, number(middle));
            let next = number(middle + step);
            assert_eq!(rig.look(row.signal, next.clone()), next, "{row:?}");
        }
    }
    let mut rig = PlausibilityRig::new();
    rig.look("vehicle_state.odometer", number(33_000.0));
    let day = 24 * 3600;
    let after = rig.look_after(day, "vehicle_state.odometer", number(33_900.0), 0);
    assert_eq!(after, number(33_900.0));
    rig.look("charge_state.battery_level", number(90.0));
    let after = rig.look_after(day, "charge_state.battery_level", number(20.0), 0);
    assert_eq!(after, number(20.0));
    // But nothing is gone overnight.
    let after = rig.look_after(day, "charge_state.battery_level", number(0.0), 0);
    assert_eq!(after, number(20.0));
}

#[test]
fn one_null_is_a_gap_where_a_car_always_knows_and_a_word_where_it_may_not() {
    for row in BOUNDS {
        let value = if row.most.is_finite() {
            number(f64::midpoint(row.least, row.most).round())
        } else {
            Some(Value::Text("D".to_owned()))
        };
        let mut rig = PlausibilityRig::new();
        rig.look(row.signal, value.clone());
        let is_gap = matches!(row.null, Null::IsAGap | Null::IsAGapOfAMeter);
        let first = rig.look(row.signal, None);
        assert_eq!(first, value.clone().filter(|_| is_gap), "{row:?}");
        assert_eq!(rig.look(row.signal, None), None, "{row:?}");
        assert_eq!(rig.look(row.signal, value.clone()), value, "{row:?}");
    }
}

#[test]
fn a_car_that_moves_has_not_parked_because_one_answer_has_no_gear() {
    const GEAR: &str = "drive_state.shift_state";
    let gear = || Some(Value::Text("D".to_owned()));
    let mut rig = PlausibilityRig::new();
    rig.look_after(10, GEAR, gear(), 30);
    assert_eq!(rig.look_after(10, GEAR, None, 30), gear());
    assert_eq!(rig.look_after(10, GEAR, gear(), 30), gear());
    assert_eq!(rig.look_after(10, GEAR, None, 0), None);
}

#[test]
fn a_signal_that_is_missing_in_one_answer_is_a_gap_too() {
    let mut rig = PlausibilityRig::new();
    let level = "charge_state.battery_level";
    rig.look(level, number(70.0));
    let other = |rig: &mut PlausibilityRig| rig.look("charge_state.charge_limit_soc", number(80.0));
    other(&mut rig);
    assert_eq!(rig.car.value(level).cloned(), number(70.0));
    other(&mut rig);
    assert_eq!(rig.car.value(level).cloned(), None);
}
