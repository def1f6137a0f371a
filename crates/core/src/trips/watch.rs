//! Doors that open and close, and sentry mode: what a look at the car shows to be different from
//! the look before.
//!
//! A poll sees states, not moments: a door that was opened and closed between two looks was never
//! open, and an event tells both looks so that its reader knows the time between.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::look::Look;
use crate::model::Vehicle;

/// Something that was not so at the look before.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The event's name.
    pub name: &'static str,
    /// The door, by its key in the catalogue.
    pub door: Option<&'static str>,
    /// The look that showed it.
    pub at: Timestamp,
    /// The look before, which did not.
    pub last_look_at: Timestamp,
}

impl Notice {
    /// For an event.
    pub fn figures(&self) -> serde_json::Map<String, Json> {
        let mut figures = serde_json::Map::new();
        if let Some(door) = self.door {
            figures.insert("door".into(), door.into());
        }
        figures.insert("at".into(), json!(self.at.to_string()));
        figures.insert("last_look_at".into(), json!(self.last_look_at.to_string()));
        figures
    }
}

/// What was so at the last look that showed it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Watch(BTreeMap<String, bool>);

/// A fact that is true or false, and the events of its changes.
struct Watched {
    key: &'static str,
    read: fn(&Vehicle) -> Option<bool>,
    begins: &'static str,
    /// Empty: nobody needs to know.
    ends: &'static str,
    is_door: bool,
}

const SENTRY: &str = "sentry_mode";
const ALARM: &str = "sentry_alarm";

const WATCHED: &[Watched] = &[
    door("door_driver_front", |car| car.truth("vehicle_state.df")),
    door("door_driver_rear", |car| car.truth("vehicle_state.dr")),
    door("door_passenger_front", |car| car.truth("vehicle_state.pf")),
    door("door_passenger_rear", |car| car.truth("vehicle_state.pr")),
    door("frunk", |car| car.truth("vehicle_state.ft")),
    door("trunk", |car| car.truth("vehicle_state.rt")),
    Watched {
        key: ALARM,
        read: alarm,
        begins: "sentry_alarm",
        ends: "",
        is_door: false,
    },
    Watched {
        key: SENTRY,
        read: |car| car.truth("vehicle_state.sentry_mode"),
        begins: "sentry_on",
        ends: "sentry_off",
        is_door: false,
    },
];

const fn door(key: &'static str, read: fn(&Vehicle) -> Option<bool>) -> Watched {
    Watched {
        key,
        read,
        begins: "door_opened",
        ends: "door_closed",
        is_door: true,
    }
}

/// The screen that warns whoever comes near; polling shows no more of an alarm (entity catalogue,
/// `sentry_mode_state`).
const SENTRY_SCREEN: f64 = 7.0;

fn alarm(car: &Vehicle) -> Option<bool> {
    let shown = car.number("vehicle_state.center_display_state")?;
    Some((shown - SENTRY_SCREEN).abs() < 0.5)
}

impl Watch {
    /// Takes in a look at the car.
    pub(super) fn note(&mut self, car: &Vehicle, last: Option<&Look>, now: &Look) -> Vec<Notice> {
        // The screen also shows when it is switched on: no alarm.
        let was_armed = self.0.get(SENTRY) == Some(&true);
        let mut notices = Vec::new();
        for watched in WATCHED {
            let Some(is) = (watched.read)(car) else {
                continue;
            };
            let was = self.0.insert(watched.key.to_owned(), is);
            let name = if is { watched.begins } else { watched.ends };
            let is_news = was.is_some_and(|was| was != is) && !name.is_empty();
            let counts = watched.key != ALARM || was_armed;
            let Some(last) = last.filter(|_| is_news && counts) else {
                continue;
            };
            notices.push(Notice {
                name,
                door: watched.is_door.then_some(watched.key),
                at: now.at,
                last_look_at: last.at,
            });
        }
        notices
    }
}
