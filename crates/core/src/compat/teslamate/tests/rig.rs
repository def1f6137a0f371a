//! A car that has shown some values, and what its topics say of them.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::*;
use crate::model::{Observation, Signal, Source, Value, Vin};

/// A value as Tesla sent it, `None` for null.
#[derive(Debug, Clone)]
pub(super) struct Sent(pub(super) Option<Value>);

impl From<Option<Value>> for Sent {
    fn from(value: Option<Value>) -> Self {
        Self(value)
    }
}
impl From<bool> for Sent {
    fn from(truth: bool) -> Self {
        Self(Some(Value::Bool(truth)))
    }
}
impl From<i64> for Sent {
    fn from(integer: i64) -> Self {
        Self(Some(Value::Int(integer)))
    }
}
impl From<f64> for Sent {
    fn from(float: f64) -> Self {
        Self(Some(Value::Float(float)))
    }
}
impl From<&str> for Sent {
    fn from(text: &str) -> Self {
        Self(Some(Value::Text(text.into())))
    }
}

pub(super) fn any_sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        Just(Sent(None)),
        any::<bool>().prop_map(Sent::from),
        any::<i64>().prop_map(Sent::from),
        any::<f64>().prop_map(Sent::from),
        ".{0,20}".prop_map(|text| Sent::from(text.as_str())),
    ]
}

pub(super) fn at(seconds: u64) -> Now {
    let start = Now {
        mono: Duration::ZERO,
        wall: Timestamp::from_second(1_700_000_000).unwrap(),
    };
    start.later(Duration::from_secs(seconds))
}

/// A car that has shown these values twice: a first 0 waits for a second look.
pub(super) fn car(signals: &[(&str, Sent)]) -> Vehicle {
    let mut car = Vehicle::new(Vin::new("5YJ3E7EB0KF000005").unwrap());
    look(&mut car, at(0).wall - Duration::from_secs(1), signals);
    see(&mut car, 0, signals);
    car
}

pub(super) fn see(car: &mut Vehicle, seconds: u64, signals: &[(&str, Sent)]) {
    look(car, at(seconds).wall, signals);
}

fn look(car: &mut Vehicle, at: Timestamp, signals: &[(&str, Sent)]) {
    let signals = signals.iter();
    car.apply(&Observation {
        source: Source::Data,
        at,
        whole_groups: Vec::new(),
        signals: signals
            .map(|(path, sent)| (Signal::new(path), sent.0.clone()))
            .collect(),
    });
}

pub(super) fn state_of(topic: &str, payload: &str) -> Publish {
    Publish::State {
        topic: topic.into(),
        payload: payload.into(),
    }
}

pub(super) fn delete(topic: &str) -> Publish {
    Publish::Delete {
        topic: topic.into(),
    }
}

/// The payload that a fresh tree says on a topic.
pub(super) fn said(key: &str, signals: &[(&str, Sent)]) -> Option<String> {
    let wanted = format!("teslamate/cars/1/{key}");
    let all = TeslaMateTopics::new(1, None).changes(&car(signals), at(0));
    all.into_iter().find_map(|said| match said {
        Publish::State { topic, payload } | Publish::Event { topic, payload } => {
            (topic == wanted).then(|| payload.to_string())
        }
        Publish::Delete { .. } | Publish::Everything => None,
    })
}

#[track_caller]
pub(super) fn check_each(table: &[(&str, &str, Sent, &str)]) {
    for (key, signal, sent, payload) in table {
        check(key, &[(signal, sent.clone())], payload);
    }
}

#[track_caller]
pub(super) fn check(key: &str, signals: &[(&str, Sent)], payload: &str) {
    assert_eq!(
        said(key, signals).as_deref(),
        Some(payload),
        "{key} of {signals:?}"
    );
}

#[track_caller]
pub(super) fn check_json(key: &str, signals: &[(&str, Sent)], payload: &str) {
    let said = said(key, signals).expect("a payload");
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let expected: serde_json::Value = serde_json::from_str(payload).expect("JSON");
    assert_eq!(said, expected, "{key} of {signals:?}");
}

#[track_caller]
pub(super) fn check_silent(key: &str, signals: &[(&str, Sent)]) {
    assert_eq!(said(key, signals), None, "{key} of {signals:?}");
}
