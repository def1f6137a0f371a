//! A car's values → its MQTT topics, only those that changed.
//!
//! `<base>/<car>/<key>` holds one plain value, `<base>/<car>/snapshot` all of them with their age
//! (but for those that move with every look: it is not drawn up for these alone),
//! `<base>/<car>/availability` whether the bridge can know the car at all: a sleeping car is
//! `online`. Nothing that a cloud says becomes part of a topic: levels are VINs or aliases and
//! keys of the catalogue.

mod last_values;
mod snapshot;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use self::last_values::LastValues;
use crate::catalogue::{
    self, ACCOUNT_ENTITIES, BRIDGE_ENTITIES, BridgeFacts, Entity, EntityValue, Table,
};
use crate::discovery::Announced;
use crate::model::{DeviceId, Vehicle};
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
    said: LastValues<&'static str>,
    /// A value changed since the last snapshot.
    is_news: bool,
    available: Option<bool>,
    unlisted: BTreeSet<(&'static str, String)>,
}

/// Tesla invents words; not more than these are remembered as having been logged.
const UNLISTED_AT_MOST: usize = 50;

impl CarTopics {
    /// Nothing said yet: the first look says everything that is known.
    pub fn new(paths: Paths) -> Self {
        Self {
            paths,
            said: LastValues::default(),
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
    /// which was told of it, has not been told that it is gone. Of a car that has not answered yet,
    /// what Home Assistant was told of is taken to be there.
    pub fn declared(
        &self,
        car: &Vehicle,
        has_answered: bool,
        announced: &Announced,
    ) -> BTreeSet<String> {
        let entities = catalogue::entities().filter(|entity| {
            let may_be = !has_answered && announced.components.contains_key(entity.key);
            entity.has_state() && (may_be || entity.capability.admits(entity, car))
        });
        let dropped = announced.unlisted(|key| catalogue::find(key).is_some());
        entities
            .map(|entity| entity.key)
            .chain(["snapshot", "availability"])
            .chain(dropped)
            .map(|key| self.paths.of(key))
            .collect()
    }

    /// What was said last, by key.
    pub fn said(&self) -> impl Iterator<Item = (&'static str, EntityValue)> {
        self.said.iter().map(|(key, _, said)| (*key, said.clone()))
    }

    /// The values of one table that changed since the last call. A row that the car turns out not
    /// to have is forgotten; what it had said goes with what is [`CarTopics::declared`].
    pub fn values(&mut self, table: &Table, car: &Vehicle) -> Vec<Publish> {
        let mut messages = Vec::new();
        for entity in table.entities.iter().filter(|entity| entity.has_state()) {
            if !entity.capability.admits(entity, car) {
                self.is_news |= self.said.forget(&entity.key);
                continue;
            }
            let Some(payload) = self.said.take(entity.key, entity, entity.read(car)) else {
                continue;
            };
            self.is_news |= !entity.is_age;
            messages.push(Publish::State {
                topic: self.paths.of(entity.key),
                payload,
            });
        }
        messages
    }

    /// The snapshot, if it is not as it was at the last call: for those who want all in one
    /// message. It is as much work as all values, so these can be on their way meanwhile.
    pub fn snapshot(&mut self, car: &Vehicle) -> Option<Publish> {
        std::mem::take(&mut self.is_news).then(|| Publish::State {
            topic: self.paths.of("snapshot"),
            payload: snapshot::payload(&self.said, car),
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

    /// What was said last by [`CarTopics::available`].
    pub fn is_said_available(&self) -> Option<bool> {
        self.available
    }

    /// Words that no row lists, each once, for the log: `charging_state: Calibrating`.
    pub fn oddities(&mut self) -> Vec<String> {
        let mut fresh = Vec::new();
        for (key, _, said) in self.said.iter() {
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
}

/// A value with its topic and its row.
pub type TopicValue = (String, &'static Entity, EntityValue);

/// The facts of the bridge.
pub fn bridge(base: &str, facts: &BridgeFacts) -> impl Iterator<Item = TopicValue> {
    BRIDGE_ENTITIES.iter().map(move |of| {
        let topic = of_bridge(base, of.entity.key);
        (topic, &of.entity, (of.read)(facts))
    })
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

/// The facts of an account.
pub fn account(
    base: &str,
    name: &str,
    status: &GovernorStatus,
) -> impl Iterator<Item = TopicValue> {
    ACCOUNT_ENTITIES.iter().map(move |of| {
        let topic = of_account(base, name, of.entity.key);
        (topic, &of.entity, (of.read)(status))
    })
}

/// Every topic that an account can have, to remove them.
pub fn every_topic_of_account(base: &str, name: &str) -> impl Iterator<Item = String> {
    ACCOUNT_ENTITIES
        .iter()
        .map(move |of| of_account(base, name, of.entity.key))
}

#[cfg(test)]
mod tests;
