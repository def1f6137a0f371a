//! The answer of `vehicle_data` → observations, one for each object in it (tesla-api.md, 4).
//!
//! Each object carries its own time stamp, hours apart at times, so each becomes an observation of
//! its own. What Tesla sends wrongly costs one field: null-like words become "unknown", a field of
//! another type is kept as it is, junk time stamps give way to the time of arrival. What it does
//! not know: which of these facts are published, and under which names.

mod fields;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use self::fields::{FieldKind, GROUPS, Group, TOP_LEVEL};
use super::{DecodeError, open, text};
use crate::model::{Now, Observation, Signal, Source, Value, Vin, clip};

pub use self::fields::is_known;

/// Everything of `vehicle_data` in one call, the position included: one call costs the same
/// whatever it brings (tesla-api.md, 3.3).
pub const ENDPOINTS: &[&str] = &[
    "charge_state",
    "climate_state",
    "closures_state",
    "drive_state",
    "gui_settings",
    LOCATION,
    "charge_schedule_data",
    "preconditioning_schedule_data",
    "vehicle_config",
    "vehicle_state",
];

/// The one of them that takes a scope of its own.
pub const LOCATION: &str = "location_data";

/// What one answer says.
#[derive(Debug, Clone, PartialEq)]
pub struct VehicleData {
    /// The car that it is about, where the answer says so.
    pub vin: Option<Vin>,
    /// One observation for the vehicle object itself and one for each object in it that is there.
    pub observations: Vec<Observation>,
    /// Fields that are new to us or of another kind than usual, for a debug line; names only,
    /// never values, and not more than a page.
    pub oddities: Vec<String>,
}

const ODDITIES_AT_MOST: usize = 20;
const TEXT_AT_MOST: usize = 1000;

/// Reads an answer that came with status 200 at the time `received`.
pub fn vehicle_data(body: &[u8], received: Now) -> Result<VehicleData, DecodeError> {
    let body = text(body);
    let car = open(&body)?
        .object(fields::is_read)
        .ok_or_else(|| DecodeError::Malformed("expected a vehicle object".into()))?;
    let vin = car
        .get("vin")
        .and_then(Json::as_str)
        .and_then(|text| Vin::new(text.trim()).ok());
    let known = |name: &str| car.contains_key(name);
    if vin.is_none() && !known("state") && !GROUPS.iter().any(|group| known(group.name)) {
        let text = "expected a vehicle object, found none of its parts";
        return Err(DecodeError::Malformed(text.into()));
    }
    let mut oddities = Oddities::default();
    let mut observations: Vec<Observation> = GROUPS
        .iter()
        .filter_map(|group| object(group, car.get(group.name)?, received, &mut oddities))
        .collect();
    observations.extend(top_level(&car, received, &observations));
    if observations.is_empty() {
        // It says nothing, and is an answer.
        observations.push(Observation {
            source: Source::Data,
            at: received.wall,
            whole_groups: Vec::new(),
            signals: Vec::new(),
        });
    }
    Ok(VehicleData {
        vin,
        observations,
        oddities: oddities.0,
    })
}

/// One object as an observation. An object that is null, or holds nothing but its time stamp, says
/// nothing: a car that has just woken answers so, and its old values stay.
fn object(
    group: &'static Group,
    json: &Json,
    received: Now,
    oddities: &mut Oddities,
) -> Option<Observation> {
    let Json::Object(members) = json else {
        if !json.is_null() {
            oddities.add(format!("{} is {}", group.name, shape(json)));
        }
        return None;
    };
    let mut signals = Vec::with_capacity(members.len());
    for (name, json) in members {
        match json {
            Json::Object(inner) if !inner.is_empty() => {
                for (inner_name, json) in inner {
                    let name = format!("{name}.{inner_name}");
                    signals.extend(field(group, &name, json, oddities));
                }
            }
            _ => signals.extend(field(group, name, json, oddities)),
        }
    }
    forget_no_position(&mut signals);
    let says_something =
        |(signal, value): &(Signal, Option<Value>)| value.is_some() && !is_time_stamp(signal);
    if !signals.iter().any(says_something) {
        return None;
    }
    Some(Observation {
        source: Source::Data,
        at: seen_at(members.get("timestamp"), received),
        whole_groups: vec![group.name],
        signals,
    })
}

fn is_time_stamp(signal: &Signal) -> bool {
    signal.as_str().ends_with(".timestamp")
}

fn field(
    group: &Group,
    name: &str,
    json: &Json,
    oddities: &mut Oddities,
) -> Option<(Signal, Option<Value>)> {
    let Some(usual) = group.kind(name) else {
        if !json.is_null() && !json.is_array() {
            oddities.add(format!("{}.{} is new", group.name, clip(name, 60)));
        }
        return None;
    };
    let same_kind = match json {
        Json::Null => true,
        Json::Bool(_) => usual == FieldKind::Truth,
        Json::Number(_) => usual == FieldKind::Number,
        Json::String(_) => usual == FieldKind::Text || scalar(json).is_none(),
        Json::Array(_) | Json::Object(_) => false,
    };
    if !same_kind {
        oddities.add(format!("{}.{name} is {}", group.name, shape(json)));
    }
    let signal = Signal::new(&[group.name, ".", name].concat());
    Some((signal, scalar(json)))
}

/// Without a fix the car leaves the position out, or sends null, or the point in the Gulf of
/// Guinea where both are 0; degrees that no place has are no better. None of them is news: the last
/// position stays.
fn forget_no_position(signals: &mut Vec<(Signal, Option<Value>)>) {
    let number = |signals: &[(Signal, Option<Value>)], name: &str| {
        signals
            .iter()
            .find(|(signal, _)| signal.as_str() == name)
            .and_then(|(_, value)| value.as_ref()?.number())
    };
    let latitude = number(signals, "drive_state.latitude");
    let longitude = number(signals, "drive_state.longitude");
    let is_fix = |(latitude, longitude): (f64, f64)| {
        let is_place = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_place && (latitude != 0.0 || longitude != 0.0)
    };
    if latitude.zip(longitude).is_some_and(is_fix) {
        return;
    }
    signals.retain(|(signal, _)| {
        !matches!(
            signal.as_str(),
            "drive_state.latitude" | "drive_state.longitude"
        )
    });
}

/// The facts of the vehicle object itself, as of the arrival: they come from Tesla's memory.
fn top_level(
    car: &Map<String, Json>,
    received: Now,
    objects: &[Observation],
) -> Option<Observation> {
    let signals: Vec<_> = TOP_LEVEL
        .iter()
        .filter_map(|name| Some((Signal::new(name), scalar(car.get(*name)?))))
        .collect();
    let newest = objects.iter().map(|seen| seen.at).max();
    let at = newest.map_or(received.wall, |newest| newest.max(received.wall));
    (!signals.is_empty()).then_some(Observation {
        source: Source::Data,
        at,
        whole_groups: Vec::new(),
        signals,
    })
}

/// 2012, the year of the first car that answers; junk such as 1 is before it.
const EARLIEST_CAR: i64 = 1_325_376_000_000;

/// The car's own time of an object where it is sane, never after the arrival; but while our own
/// clock is not set, the car knows better what time it is.
fn seen_at(timestamp: Option<&Json>, received: Now) -> Timestamp {
    let stamped = timestamp
        .and_then(Json::as_i64)
        .filter(|ms| *ms >= EARLIEST_CAR)
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match stamped {
        Some(at) if received.is_set() => at.min(received.wall),
        Some(at) => at,
        None => received.wall,
    }
}

/// A scalar; null, objects, lists and Tesla's words for "nothing" are none.
fn scalar(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(truth) => Some(Value::Bool(*truth)),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Some(Value::Int(integer)),
            None => number.as_f64().filter(|n| n.is_finite()).map(Value::Float),
        },
        Json::String(text) => match text.trim() {
            "" | "<invalid>" | "Invalid" | "SNA" => None,
            text => Some(Value::Text(clip(text, TEXT_AT_MOST))).filter(|v| v.text() != Some("")),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn shape(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[derive(Default)]
struct Oddities(Vec<String>);

impl Oddities {
    fn add(&mut self, oddity: String) {
        if self.0.len() < ODDITIES_AT_MOST {
            self.0.push(oddity);
        }
    }
}

#[cfg(test)]
mod tests;
