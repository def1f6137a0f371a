//! A car whose every `vehicle_data` answer is written down: what an owner reported, answer by
//! answer, becomes a car that is always online.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::recorded::{Recording, RecordingError};
use super::{Endpoints, Ids, Object};
use tesla2mqtt_core::model::Vin;

/// Values by their path: `group.field`, or the name of a field outside the groups.
pub type FieldValues = BTreeMap<String, Value>;

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScriptedAnswer {
    /// Of the car, from this answer on.
    pub set: FieldValues,
    /// Of this answer alone.
    pub once: FieldValues,
    /// How far all of this answer's time stamps are ahead of the cloud's time, seconds.
    pub ahead_s: i64,
    /// How much further one group's stamp is, seconds.
    pub group_ahead_s: BTreeMap<String, i64>,
}

/// A car that answers step by step, and then for ever as the last step left it.
#[derive(Debug, Clone)]
pub struct Script {
    car: Recording,
    steps: std::vec::IntoIter<ScriptedAnswer>,
}

impl Script {
    /// From the answer that it begins with. What the first step sets, lists already show.
    pub fn new(answer: Value, steps: Vec<ScriptedAnswer>) -> Result<Self, RecordingError> {
        let mut car = Recording::new(answer)?;
        if let Some(first) = steps.first() {
            set(car.body_mut(), &first.set);
        }
        Ok(Self {
            car,
            steps: steps.into_iter(),
        })
    }

    /// Whose script it is.
    pub fn vin(&self) -> &Vin {
        self.car.vin()
    }

    /// Its numbers.
    pub fn ids(&self) -> Ids {
        self.car.ids()
    }

    /// Light fields only.
    pub fn vehicle(&self) -> Object {
        let mut body = self.car.vehicle();
        let named = self.car.body().get("vehicle_state");
        if let Some(name) = named.and_then(|group| group.get("vehicle_name")) {
            body.insert("display_name".to_owned(), name.clone());
        }
        body
    }

    /// The next answer.
    pub fn vehicle_data(&mut self, asked: &Endpoints, now: Timestamp) -> Object {
        let step = self.steps.next().unwrap_or_default();
        set(self.car.body_mut(), &step.set);
        let mut body = self.car.body().clone();
        set(&mut body, &step.once);
        stamp(&mut body, &step, now);
        asked.keep(&mut body);
        body
    }
}

fn set(body: &mut Object, changes: &FieldValues) {
    for (path, value) in changes {
        let (group, field) = match path.split_once('.') {
            Some((group, field)) => (body.get_mut(group).and_then(Value::as_object_mut), field),
            None => (Some(&mut *body), path.as_str()),
        };
        if let Some(group) = group {
            group.insert(field.to_owned(), value.clone());
        }
    }
}

/// A recording is of long ago; its car lives now.
fn stamp(body: &mut Object, step: &ScriptedAnswer, now: Timestamp) {
    for (name, group) in body.iter_mut() {
        let Some(group) = group.as_object_mut() else {
            continue;
        };
        let further = step.group_ahead_s.get(name).unwrap_or(&0);
        let ahead_s = step.ahead_s + further;
        if let Some(at) = group.get_mut("timestamp") {
            *at = (now.as_millisecond() + ahead_s * 1000).into();
        }
        if let Some(at) = group.get_mut("gps_as_of") {
            *at = (now.as_second() + ahead_s).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn answers(steps: Vec<ScriptedAnswer>, n: usize) -> Vec<Value> {
        let body = json!({"response": {
            "vin": "LRW3E7EK5PC000001",
            "drive_state": {"speed": 1, "timestamp": 0, "gps_as_of": 0},
            "vehicle_state": {"odometer": 10.0, "timestamp": 0},
        }});
        let mut script = Script::new(body, steps).expect("a script");
        let all = Endpoints::parse(Some("drive_state;vehicle_state;location_data"));
        let now = Timestamp::from_second(1_000).expect("a time");
        (0..n)
            .map(|_| Value::Object(script.vehicle_data(&all, now)))
            .collect()
    }

    fn changes(path: &str, value: impl Into<Value>) -> FieldValues {
        FieldValues::from([(path.to_owned(), value.into())])
    }

    #[test]
    fn what_is_set_stays_and_what_is_said_once_does_not() {
        let steps = vec![
            ScriptedAnswer {
                set: changes("drive_state.speed", 2),
                ..ScriptedAnswer::default()
            },
            ScriptedAnswer {
                once: changes("vehicle_state.odometer", Value::Null),
                ..ScriptedAnswer::default()
            },
            ScriptedAnswer {
                once: changes("vin", "LRW3E7EK5PC000002"),
                ..ScriptedAnswer::default()
            },
        ];
        let said = answers(steps, 4);
        let of = |group: &str, field: &str| -> Vec<Value> {
            said.iter().map(|body| body[group][field].clone()).collect()
        };
        assert_eq!(of("drive_state", "speed"), [2, 2, 2, 2]);
        let odometer = of("vehicle_state", "odometer");
        assert_eq!(
            odometer,
            [json!(10.0), Value::Null, json!(10.0), json!(10.0)]
        );
        let vins: Vec<_> = said.iter().map(|body| body["vin"].as_str()).collect();
        let (own, other) = (Some("LRW3E7EK5PC000001"), Some("LRW3E7EK5PC000002"));
        assert_eq!(vins, [own, own, other, own]);
    }

    #[test]
    fn stamps_are_of_the_clouds_time_and_as_far_ahead_as_the_step_says() {
        let steps = vec![ScriptedAnswer {
            ahead_s: 300,
            group_ahead_s: BTreeMap::from([("vehicle_state".to_owned(), -20)]),
            ..ScriptedAnswer::default()
        }];
        let said = answers(steps, 2);
        let stamps = |body: &Value| {
            let drive = &body["drive_state"];
            let at = [
                &drive["timestamp"],
                &drive["gps_as_of"],
                &body["vehicle_state"]["timestamp"],
            ];
            at.map(|at| at.as_i64().expect("a number"))
        };
        assert_eq!(stamps(&said[0]), [1_300_000, 1_300, 1_280_000]);
        assert_eq!(stamps(&said[1]), [1_000_000, 1_000, 1_000_000]);
    }
}
