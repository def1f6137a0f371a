//! A device's values, status and events → messages, in the order in which a reader wants them: the
//! availability, the values table by table, the snapshot and what other trees say, events that
//! speak of these values, and last what takes longest to draw up, the discovery message.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::announcement::Announcement;
use super::{ClockSpeed, Output, Publishing};
use crate::catalogue::{self, EntityValue};
use crate::compat::teslamate::TeslaMateTopics;
use crate::model::{Now, Vehicle};
use crate::outbox::Publish;
use crate::retained::{Declaration, Owner};
use crate::topics::CarTopics;

/// What a device says, and what it has said.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    topics: CarTopics,
    /// The same in TeslaMate's words, if the owner wants them.
    teslamate: Option<TeslaMateTopics>,
    pub announcement: Announcement,
    /// The topics that were declared last.
    declared: Option<BTreeSet<String>>,
    declarations: VecDeque<Declaration>,
    /// Messages that come before everything else.
    first: Vec<Publish>,
    /// Events wait for the values of which they speak.
    events: Vec<Publish>,
    stage: Stage,
    is_removed: bool,
    is_news: bool,
    values: Arc<Values>,
}

/// The published values by key.
pub type Values = BTreeMap<&'static str, EntityValue>;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The nth table's values.
    Table(usize),
    /// Snapshot, other trees, events.
    Rest,
    Announcement,
}

impl Publisher {
    /// Nothing said yet.
    pub(super) fn new(publishing: Publishing, clock_speed: ClockSpeed) -> Self {
        Self {
            topics: CarTopics::new(publishing.paths),
            declared: None,
            declarations: VecDeque::new(),
            teslamate: publishing.teslamate,
            announcement: Announcement::new(
                publishing.homeassistant,
                publishing.announced,
                publishing.setup,
                clock_speed,
            ),
            first: Vec::new(),
            events: Vec::new(),
            stage: Stage::Announcement,
            is_removed: false,
            is_news: false,
            values: Arc::default(),
        }
    }

    /// Begins to say what has changed, ever anew: nothing is said twice.
    pub(super) fn begin(&mut self, car: &Vehicle, is_available: bool, is_removed: bool) {
        self.first.extend(self.topics.available(is_available));
        self.declare(car);
        self.is_removed = is_removed;
        self.stage = Stage::Table(0);
    }

    /// Declares the topics of the device, where they are others than before.
    fn declare(&mut self, car: &Vehicle) {
        let topics = self.topics.declared(car, self.announcement.announced());
        if self.declared.as_ref() == Some(&topics) {
            return;
        }
        let id = car.id();
        if self.declared.is_none() {
            self.declarations.push_back(Declaration::Topics {
                owner: Owner::Discovery(id.clone()),
                topics: self.announcement.topic(car).into_iter().collect(),
            });
        }
        self.declarations.push_back(Declaration::Topics {
            owner: Owner::Device(id),
            topics: topics.clone(),
        });
        self.declared = Some(topics);
    }

    /// Something that happened, told on `event/<name>` after the values of this moment.
    pub(super) fn event(&mut self, name: &str, payload: &serde_json::Value) {
        let topic = self.topics.paths().of(&format!("event/{name}"));
        let payload = payload.to_string().into();
        self.events.push(Publish::Event { topic, payload });
    }

    /// What to declare or to say next; `None` when all is said.
    pub(super) fn next(&mut self, car: &Vehicle, now: Now) -> Option<Output> {
        if let Some(declaration) = self.declarations.pop_front() {
            return Some(Output::Declare(declaration));
        }
        let mut messages = std::mem::take(&mut self.first);
        while let Stage::Table(nth) = self.stage {
            let Some(table) = catalogue::TABLES.get(nth) else {
                self.stage = Stage::Rest;
                break;
            };
            self.stage = Stage::Table(nth + 1);
            let values = self.topics.values(table, car);
            self.is_news |= !values.is_empty();
            messages.extend(values);
            // The broker works on them while the next are drawn up.
            if !messages.is_empty() {
                return Some(Output::Publish(messages));
            }
        }
        if self.stage == Stage::Rest {
            self.stage = Stage::Announcement;
            if std::mem::take(&mut self.is_news) {
                self.announcement.values_changed(now);
                self.values = Arc::new(self.topics.said().collect());
            }
            messages.extend(self.topics.snapshot(car));
            messages.extend(match &mut self.teslamate {
                Some(tree) if self.is_removed => tree.withdrawn(),
                Some(tree) => tree.changes(car, now),
                None => Vec::new(),
            });
            messages.append(&mut self.events);
        }
        if !messages.is_empty() {
            return Some(Output::Publish(messages));
        }
        if let Some(output) = self.announcement.next(car, self.topics.paths(), now) {
            return Some(output);
        }
        // Home Assistant may have been told that something which it knew is gone.
        self.declare(car);
        self.declarations.pop_front().map(Output::Declare)
    }

    /// Monotonic time at which there is more to say by itself, once all is said.
    pub(super) fn next_at(&self) -> Duration {
        self.announcement.next_at()
    }

    /// The values as they were last published.
    pub(super) fn values(&self) -> &Arc<Values> {
        &self.values
    }

    /// Words of Tesla's that the catalogue does not list, each once.
    pub(super) fn oddities(&mut self) -> Vec<String> {
        self.topics.oddities()
    }
}
