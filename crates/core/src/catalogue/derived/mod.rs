//! Facts that follow from several signals. Each function answers for one row; "unknown" is an
//! honest answer of all of them. Beside each stands the list of the signals that it looks at.

mod body;
mod charging;
mod driving;
mod software;

use std::time::Duration;

use jiff::Timestamp;

pub(super) use self::body::*;
pub(super) use self::charging::*;
pub(super) use self::driving::*;
pub use self::software::*;
use super::value::EntityValue;
use crate::model::Vehicle;

/// The bridge's word for the car's state, and Tesla's until the bridge has one.
pub(super) const STATE: &[&str] = &["bridge.state", "state"];
pub(super) const STATES: &[&str] = &[
    "starting",
    "online",
    "driving",
    "charging",
    "updating",
    "suspended",
    "asleep",
    "offline",
    "in_service",
    "paused",
    "signed_out",
];
pub(super) fn state(car: &Vehicle) -> EntityValue {
    let word = car.text("bridge.state").or_else(|| car.text("state"));
    or_unknown(word.map(|word| {
        let listed = STATES.iter().find(|listed| **listed == word);
        listed.map_or_else(
            || EntityValue::Unlisted(word.to_owned()),
            |listed| EntityValue::Word(listed),
        )
    }))
}

pub(super) const POLLING: &[&str] = &["bridge.state"];
pub(super) fn polling(car: &Vehicle) -> EntityValue {
    or_unknown(
        car.text("bridge.state")
            .map(|state| EntityValue::on(state != "paused")),
    )
}

pub(super) const NAME: &[&str] = &["vehicle_state.vehicle_name", "display_name"];
/// The owner's name for the car.
pub fn name(car: &Vehicle) -> Option<&str> {
    NAME.iter().find_map(|path| car.text(path))
}
pub(super) fn display_name(car: &Vehicle) -> EntityValue {
    or_unknown(name(car).map(EntityValue::text))
}

fn or_unknown(said: Option<EntityValue>) -> EntityValue {
    said.unwrap_or(EntityValue::Unknown)
}

/// The time that lies so many units after the car said so.
fn later(car: &Vehicle, path: &str, unit_s: f64) -> Option<Timestamp> {
    let known = car.known(path)?;
    let seconds = known.value.as_ref()?.number()? * unit_s;
    // Ten weeks: longer than any charge or route; beyond it the number is broken.
    if !(1.0..6e6).contains(&seconds) {
        return None;
    }
    known.at.checked_add(Duration::from_secs_f64(seconds)).ok()
}

/// `on` if any is true, `off` if none of those known is, unknown if none is known.
fn any(truths: &[Option<bool>]) -> EntityValue {
    let known: Vec<bool> = truths.iter().filter_map(|truth| *truth).collect();
    if known.is_empty() {
        EntityValue::Unknown
    } else {
        EntityValue::on(known.contains(&true))
    }
}
