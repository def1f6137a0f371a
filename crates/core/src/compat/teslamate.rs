//! TeslaMate's topic tree, `teslamate[/namespace]/cars/<n>/<key>`, so that the tools that read it
//! keep working after a switch.
//!
//! Knows TeslaMate's names, units, words and its rules for a value that is not there (teslamate.md,
//! sections 2 and 3); they differ from our contract on purpose: kilometers, CamelCase words,
//! `true` and `false`, and topics that are deleted or left as they are instead of saying `None`.
//! Does not know who reads it, nor which number a car has ([`super::CarNumbers`]).

mod payload;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Now, Vehicle};
use crate::outbox::Publish;

pub use self::table::{NOT_DERIVED, NotDerived, TABLE, TeslaMateTopic, Unknown};

/// TeslaMate says `healthy`, its one topic that is not retained, with every look at a car. Every
/// ten minutes is enough for a reader that has just come, and few enough not to crowd out the
/// events that wait for an absent broker.
const HEALTHY_EVERY: Duration = Duration::from_mins(10);

/// The tree of one car, and what was last said in it.
#[derive(Debug, Clone)]
pub struct TeslaMateTopics {
    prefix: String,
    said: BTreeMap<&'static str, Arc<str>>,
    healthy_at: Option<Duration>,
    at_broker: AtBroker,
}

/// What of the tree is at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtBroker {
    /// Whatever an earlier run, or an earlier TeslaMate, has left there.
    Unknown,
    /// What is said.
    Said,
    /// Nothing: all is deleted.
    Nothing,
}

impl TeslaMateTopics {
    /// The tree of the car with this number. The namespace is TeslaMate's `MQTT_NAMESPACE`: one
    /// more topic level; its legality is the configuration's business.
    pub fn new(number: u32, namespace: Option<&str>) -> Self {
        let prefix = match namespace {
            None | Some("") => format!("teslamate/cars/{number}/"),
            Some(namespace) => format!("teslamate/{namespace}/cars/{number}/"),
        };
        Self {
            prefix,
            said: BTreeMap::new(),
            healthy_at: None,
            at_broker: AtBroker::Unknown,
        }
    }

    /// What is to be said after the car's facts changed: topics whose payload differs from the last
    /// one. The first call says all that is known and deletes what an earlier TeslaMate left behind
    /// that cannot be kept true.
    pub fn changes(&mut self, vehicle: &Vehicle, now: Now) -> Vec<Publish> {
        let is_first = std::mem::replace(&mut self.at_broker, AtBroker::Said) != AtBroker::Said;
        let mut changes = Vec::new();
        if is_first {
            // Older versions of TeslaMate retained this one.
            changes.push(self.delete("healthy"));
            changes.extend(NOT_DERIVED.iter().map(|left| self.delete(left.key)));
        }
        for row in TABLE {
            changes.extend(self.change(row, vehicle, now, is_first));
        }
        changes
    }

    /// Takes back what was said, in this run or in an earlier one that was killed before it could: a
    /// car that is gone has no word in this tree for being gone. If it comes back, all is said again.
    pub fn withdrawn(&mut self) -> Vec<Publish> {
        if std::mem::replace(&mut self.at_broker, AtBroker::Nothing) == AtBroker::Nothing {
            return Vec::new();
        }
        self.said.clear();
        self.healthy_at = None;
        let topics = self.topics().into_iter();
        topics.map(|topic| Publish::Delete { topic }).collect()
    }

    /// Every topic of the tree, to remove it.
    pub fn topics(&self) -> Vec<String> {
        let derived = TABLE.iter().map(|row| row.key);
        let left = NOT_DERIVED.iter().map(|left| left.key);
        derived.chain(left).map(|key| self.topic(key)).collect()
    }

    fn change(
        &mut self,
        row: &TeslaMateTopic,
        vehicle: &Vehicle,
        now: Now,
        is_first: bool,
    ) -> Option<Publish> {
        let payload = payload::of(row, vehicle);
        let was_said = self.said.contains_key(row.key);
        match (payload, row.unknown) {
            (Some(payload), Unknown::EachTime) => self.event(row.key, payload, now),
            (Some(payload), _) => {
                if self.said.get(row.key).is_some_and(|old| **old == *payload) {
                    return None;
                }
                let payload: Arc<str> = payload.into();
                self.said.insert(row.key, Arc::clone(&payload));
                let topic = self.topic(row.key);
                Some(Publish::State { topic, payload })
            }
            (None, Unknown::Deletes) if was_said || is_first => {
                self.said.remove(row.key);
                Some(self.delete(row.key))
            }
            (None, Unknown::EachTime) => {
                self.healthy_at = None;
                None
            }
            (None, _) => None,
        }
    }

    /// Monotonic time at which there is something to say although nothing has changed.
    pub fn next_at(&self) -> Duration {
        self.healthy_at
            .map_or(Duration::MAX, |last| last.saturating_add(HEALTHY_EVERY))
    }

    fn event(&mut self, key: &'static str, payload: String, now: Now) -> Option<Publish> {
        let is_news = self.said.get(key).is_none_or(|old| **old != *payload);
        let is_due = self
            .healthy_at
            .is_none_or(|last| now.mono.saturating_sub(last) >= HEALTHY_EVERY);
        if !is_news && !is_due {
            return None;
        }
        self.healthy_at = Some(now.mono);
        let payload: Arc<str> = payload.into();
        self.said.insert(key, Arc::clone(&payload));
        let topic = self.topic(key);
        Some(Publish::Event { topic, payload })
    }

    fn delete(&self, key: &str) -> Publish {
        let topic = self.topic(key);
        Publish::Delete { topic }
    }

    fn topic(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// The tree as two tables in Markdown, for the documentation: what is published, and what is not
/// and why.
pub fn document() -> String {
    let mut page = String::from(
        "| topic | from | payload | when unknown |\n\
         |---|---|---|---|\n",
    );
    for row in TABLE {
        let from: Vec<String> = row.from.iter().map(|path| format!("`{path}`")).collect();
        let (key, said, unknown) = (row.key, row.said.describe(), row.unknown.describe());
        let from = from.join(", ");
        let _ = writeln!(page, "| `{key}` | {from} | {said} | {unknown} |");
    }
    page.push_str("\nNot published:\n\n| topic | why |\n|---|---|\n");
    for left in NOT_DERIVED {
        let _ = writeln!(page, "| `{}` | {} |", left.key, left.why);
    }
    page
}

#[cfg(test)]
mod tests;
