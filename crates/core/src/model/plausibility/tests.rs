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
            let said = PlausibilityRig::new().look(row.signal, number(right));
            assert_eq!(said, number(right), "{}", row.signal);
        }
    }
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
        for step in [0.75, -0.75] {
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
        let is_gap = row.null == Null::IsAGap;
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
