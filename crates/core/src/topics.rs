//! A car's values → its MQTT topics, only those that changed.
//!
//! `<base>/<car>/<key>` holds one plain value, `<base>/<car>/snapshot` all of them with their age
//! (but for those that move with every look: it is not drawn up for these alone),
//! `<base>/<car>/availability` whether the bridge can know the car at all: a sleeping car is
//! `online`. Nothing that a cloud says becomes part of a topic: levels are VINs or aliases and
//! keys of the catalogue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;

use crate::catalogue::{
    self, ACCOUNT_ENTITIES, BRIDGE_ENTITIES, BridgeFacts, Entity, EntityValue, Table,
};
use crate::discovery::Announced;
use crate::model::{DeviceId, Source, Vehicle};
use crate::outbox::Publish;
use crate::policy::GovernorStatus;

/// The topics of one car.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    base: String,
    car: String,
}

impl Paths {
    /// `base` and `alias` are checked where the configuration is read.
    pub fn new(base: &str, id: &DeviceId, alias: Option<&str>) -> Self {
        Self {
            base: base.to_owned(),
            car: alias.unwrap_or(id.as_str()).to_owned(),
        }
    }

    /// The base topic.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The state topic of a row; also of `snapshot` and `availability`.
    pub fn of(&self, key: &str) -> String {
        [&self.base, "/", &self.car, "/", key].concat()
    }

    /// Where a control is commanded.
    pub fn set(&self, key: &str) -> String {
        format!("{}/{}/{key}/set", self.base, self.car)
    }

    /// `online` and `offline` of one car.
    pub fn availability(&self) -> String {
        self.of("availability")
    }

    /// `online` and `offline` of the bridge, its last will.
    pub fn bridge_state(&self) -> String {
        format!("{}/bridge/state", self.base)
    }
}

/// Remembers what was said about a car, and says what is new.
#[derive(Debug, Clone)]
pub struct CarTopics {
    paths: Paths,
    said: BTreeMap<&'static str, (&'static Entity, EntityValue)>,
    /// A value changed since the last snapshot.
    is_news: bool,
    available: Option<bool>,
    unlisted: BTreeSet<(&'static str, String)>,
}

/// Tesla invents words; not more than these are remembered as having been logged.
const UNLISTED_AT_MOST: usize = 50;

/// Whether a car's data has ever come: until then, what it has and has not is not known.
pub fn has_answered(car: &Vehicle) -> bool {
    let of_every_car = ["charge_state.battery_level", "vehicle_state.odometer"];
    of_every_car.iter().any(|path| car.known(path).is_some())
}

impl CarTopics {
    /// Nothing said yet: the first look says everything that is known.
    pub fn new(paths: Paths) -> Self {
        Self {
            paths,
            said: BTreeMap::new(),
            is_news: false,
            available: None,
            unlisted: BTreeSet::new(),
        }
    }

    /// Where this car is published.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Every topic that the car has, for the manifest, whether its value is known yet or not. The
    /// state topic of an entity that a later version dropped stays for as long as Home Assistant,
    /// which was told of it, has not been told that it is gone. Of a car that has never told anything,
    /// what Home Assistant was told of is taken to be there.
    pub fn declared(&self, car: &Vehicle, announced: &Announced) -> BTreeSet<String> {
        let is_unknown = !has_answered(car);
        let entities = catalogue::entities().filter(|entity| {
            let may_be = is_unknown && announced.components.contains_key(entity.key);
            entity.has_state() && (may_be || entity.capability.admits(entity, car))
        });
        let dropped = announced.components.keys();
        let dropped = dropped.filter(|key| catalogue::find(key).is_none());
        entities
            .map(|entity| entity.key)
            .chain(["snapshot", "availability"])
            .chain(dropped.map(String::as_str))
            .map(|key| self.paths.of(key))
            .collect()
    }

    /// What was said last, by key.
    pub fn said(&self) -> impl Iterator<Item = (&'static str, EntityValue)> {
        self.said
            .iter()
            .map(|(key, (_, said))| (*key, said.clone()))
    }

    /// The topics that changed since the last call, the snapshot last.
    pub fn changed(&mut self, car: &Vehicle) -> Vec<Publish> {
        let mut messages = Vec::new();
        for table in catalogue::TABLES {
            messages.extend(self.values(table, car));
        }
        messages.extend(self.snapshot(car));
        messages
    }

    /// The values of one table that changed since the last call. A row that the car turns out not
    /// to have is forgotten; what it had said goes with what is [`CarTopics::declared`].
    pub fn values(&mut self, table: &Table, car: &Vehicle) -> Vec<Publish> {
        let mut messages = Vec::new();
        for entity in table.entities.iter().filter(|entity| entity.has_state()) {
            if !entity.capability.admits(entity, car) {
                if self.said.remove(entity.key).is_some() {
                    self.is_news = true;
                }
                continue;
            }
            let said = entity.read(car);
            let Some(payload) = said.payload() else {
                continue;
            };
            if !is_new(
                entity,
                self.said.get(entity.key).map(|(_, said)| said),
                &said,
            ) {
                continue;
            }
            self.is_news |= !entity.is_age;
            messages.push(Publish::State {
                topic: self.paths.of(entity.key),
                payload: payload.into(),
            });
            self.said.insert(entity.key, (entity, said));
        }
        messages
    }

    /// The snapshot, if it is not as it was at the last call: for those who want all in one
    /// message. It is as much work as all values, so these can be on their way meanwhile.
    pub fn snapshot(&mut self, car: &Vehicle) -> Option<Publish> {
        std::mem::take(&mut self.is_news).then(|| Publish::State {
            topic: self.paths.of("snapshot"),
            payload: self.everything(car),
        })
    }

    /// Whether the bridge can know the car, if that changed.
    pub fn available(&mut self, available: bool) -> Option<Publish> {
        if self.available == Some(available) {
            return None;
        }
        self.available = Some(available);
        Some(Publish::State {
            topic: self.paths.availability(),
            payload: Arc::from(if available { "online" } else { "offline" }),
        })
    }

    /// Words that no row lists, each once, for the log: `charging_state: Calibrating`.
    pub fn oddities(&mut self) -> Vec<String> {
        let mut fresh = Vec::new();
        for (key, (_, said)) in &self.said {
            let EntityValue::Unlisted(word) = said else {
                continue;
            };
            let is_full = self.unlisted.len() >= UNLISTED_AT_MOST;
            if !is_full && self.unlisted.insert((*key, word.clone())) {
                fresh.push(format!("{key}: {word}"));
            }
        }
        fresh
    }

    /// Every topic that a car can have, for `clear`.
    pub fn every_topic(paths: &Paths) -> Vec<String> {
        keys_of_a_car().map(|key| paths.of(key)).collect()
    }

    fn everything(&self, car: &Vehicle) -> Arc<str> {
        let values = SnapshotValues { topics: self, car };
        let all = SnapshotPayload {
            values,
            vin: car.vin.as_str(),
        };
        serde_json::to_string(&all).unwrap_or_default().into()
    }
}

/// Written as it is read: the tree of it would weigh a hundred kilobytes for a moment.
#[derive(Serialize)]
struct SnapshotPayload<'a> {
    values: SnapshotValues<'a>,
    vin: &'a str,
}

struct SnapshotValues<'a> {
    topics: &'a CarTopics,
    car: &'a Vehicle,
}

#[derive(Serialize)]
struct SnapshotEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    value: Json,
}

impl Serialize for SnapshotValues<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let entities = self.topics.said.iter().filter_map(|(key, (entity, said))| {
            let value = said.json();
            // What tells of the look itself would be out of date at the next one.
            (!entity.is_age && !value.is_null()).then(|| {
                let seen = entity.seen_at(self.car);
                let entry = SnapshotEntry {
                    at: seen.map(|(at, _)| catalogue::seconds(at)),
                    source: seen.map(|(_, source)| source),
                    value,
                };
                (key, entry)
            })
        });
        to.collect_map(entities)
    }
}

/// The bridge's own topics, all of them: the outbox drops what did not change.
pub fn bridge(base: &str, facts: &BridgeFacts) -> Vec<Publish> {
    BRIDGE_ENTITIES
        .iter()
        .filter_map(|of| {
            Some(Publish::State {
                topic: of_bridge(base, of.entity.key),
                payload: (of.read)(facts).payload()?.into(),
            })
        })
        .collect()
}

/// The topic of a fact of the bridge.
pub fn of_bridge(base: &str, key: &str) -> String {
    format!("{base}/bridge/{key}")
}

/// The last levels of all retained topics that a car can have.
pub fn keys_of_a_car() -> impl Iterator<Item = &'static str> {
    let entities = catalogue::entities().filter(|entity| entity.has_state());
    entities
        .map(|entity| entity.key)
        .chain(["snapshot", "availability"])
}

/// The last levels of all topics of the bridge's own.
pub fn keys_of_the_bridge() -> impl Iterator<Item = &'static str> {
    let facts = BRIDGE_ENTITIES.iter().map(|of| of.entity.key);
    facts.chain(["info", "state"])
}

/// The topic of a fact of an account; names are checked where the configuration is read.
pub fn of_account(base: &str, name: &str, key: &str) -> String {
    format!("{base}/bridge/accounts/{name}/{key}")
}

/// An account's topics, all of them.
pub fn account(base: &str, name: &str, status: &GovernorStatus) -> Vec<Publish> {
    ACCOUNT_ENTITIES
        .iter()
        .filter_map(|of| {
            Some(Publish::State {
                topic: of_account(base, name, of.entity.key),
                payload: (of.read)(status).payload()?.into(),
            })
        })
        .collect()
}

/// Every topic that an account can have, to remove them.
pub fn every_topic_of_account(base: &str, name: &str) -> impl Iterator<Item = String> {
    ACCOUNT_ENTITIES
        .iter()
        .map(move |of| of_account(base, name, of.entity.key))
}

/// Times move only by more than their jitter, and an object with more than its age; everything else
/// when its payload differs.
fn is_new(entity: &Entity, before: Option<&EntityValue>, said: &EntityValue) -> bool {
    match (before, said) {
        (None, _) => true,
        (Some(EntityValue::Time(before)), EntityValue::Time(said)) => {
            apart_s(*before, *said) > i64::from(entity.jitter_s)
        }
        (Some(EntityValue::Json(before)), EntityValue::Json(said)) => {
            let is_age = |key: &str| !entity.age_within.is_empty() && key == entity.age_within;
            before.len() != said.len()
                || said
                    .iter()
                    .any(|(key, value)| !is_age(key) && before.get(key) != Some(value))
        }
        (Some(before), said) => before != said,
    }
}

fn apart_s(a: Timestamp, b: Timestamp) -> i64 {
    (a.as_second() - b.as_second()).abs()
}

#[cfg(test)]
mod tests;
