//! A device's values, status and events → messages, in the order in which a reader wants them: the
//! availability, the values table by table, the snapshot and what other trees say, events that
//! speak of these values, and last what takes longest to draw up, the discovery message.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{ClockSpeed, Publishing};
use crate::catalogue::{self, EntityValue};
use crate::compat::teslamate::TeslaMateTopics;
use crate::discovery::{self, Setup};
use crate::model::{Now, Vehicle};
use crate::outbox::Publish;
use crate::publisher::{Announcement, DeclaredTopics, Publication};
use crate::retained::{Declaration, Owner};
use crate::topics::CarTopics;

/// What a device says, and what it has said.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    topics: CarTopics,
    /// The same in TeslaMate's words, if the owner wants them.
    teslamate: Option<TeslaMateTopics>,
    pub(super) announcement: Announcement,
    setup: Setup,
    declared: DeclaredTopics,
    declarations: VecDeque<Declaration>,
    /// Messages that come before everything else.
    first: Vec<Publish>,
    /// Events wait for the values of which they speak.
    events: Vec<Publish>,
    stage: Stage,
    is_removed: bool,
    /// Until the device has answered, what Home Assistant was told of it stays.
    has_answered: bool,
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
    /// Nothing said yet; what is known of the car is declared at once, so that its first values do
    /// not wait for the disk.
    pub(super) fn new(publishing: Publishing, car: &Vehicle, clock_speed: ClockSpeed) -> Self {
        let mut publisher = Self {
            topics: CarTopics::new(publishing.paths),
            setup: publishing.setup,
            declared: DeclaredTopics::default(),
            declarations: VecDeque::new(),
            teslamate: publishing.teslamate,
            announcement: Announcement::new(
                publishing.homeassistant,
                publishing.announced,
                clock_speed,
            ),
            first: Vec::new(),
            events: Vec::new(),
            stage: Stage::Announcement,
            is_removed: false,
            has_answered: car.has_answered(),
            is_news: false,
            values: Arc::default(),
        };
        publisher.declare(car);
        publisher
    }

    /// Begins to say what has changed, ever anew: nothing is said twice.
    pub(super) fn begin(&mut self, car: &Vehicle, is_available: bool, is_removed: bool) {
        self.first.extend(self.topics.available(is_available));
        self.has_answered = car.has_answered();
        self.declare(car);
        self.is_removed = is_removed;
        self.stage = Stage::Table(0);
    }

    /// Declares the topics of the device, where they are others than before.
    fn declare(&mut self, car: &Vehicle) {
        let id = car.id();
        let is_announced = self.announcement.is_enabled();
        let topic = is_announced.then(|| discovery::device_topic(&self.setup.prefix, &id));
        let announced = self.announcement.announced();
        let topics = self.topics.declared(car, self.has_answered, announced);
        let declarations = [
            (Owner::Discovery(id.clone()), topic.into_iter().collect()),
            (Owner::Device(id), topics),
        ];
        let declared = &mut self.declared;
        let changed = declarations.into_iter();
        let changed = changed.filter_map(|(owner, topics)| declared.update(owner, topics));
        self.declarations.extend(changed);
    }

    /// Something that happened, told on `event/<name>` after the values of this moment.
    pub(super) fn event(&mut self, name: &str, payload: &serde_json::Value) {
        let topic = self.topics.paths().of(&format!("event/{name}"));
        let payload = payload.to_string().into();
        self.events.push(Publish::Event { topic, payload });
    }

    /// What is to be declared before anything more is said.
    pub(super) fn next_declaration(&mut self) -> Option<Publication> {
        self.declarations.pop_front().map(Publication::Declare)
    }

    /// What to declare or to say next; `None` when all is said.
    pub(super) fn next(&mut self, car: &Vehicle, now: Now) -> Option<Publication> {
        if let Some(declaration) = self.next_declaration() {
            return Some(declaration);
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
                return Some(Publication::Publish(messages));
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
            return Some(Publication::Publish(messages));
        }
        if let Some(announcing) = self.announce(car, now) {
            return Some(announcing);
        }
        // Home Assistant may have been told that something which it knew is gone.
        self.declare(car);
        self.next_declaration()
    }

    fn announce(&mut self, car: &Vehicle, now: Now) -> Option<Publication> {
        let (setup, paths) = (&self.setup, self.topics.paths());
        let has_answered = self.has_answered;
        self.announcement.next(now, |announced| {
            if !has_answered && !announced.components.is_empty() {
                return None;
            }
            if let Some(slug) = &announced.slug {
                setup.entity_prefixes.keep(&car.id(), slug);
            }
            Some(discovery::car(car, paths, setup))
        })
    }

    /// Monotonic time at which there is more to say by itself, once all is said.
    pub(super) fn next_at(&self) -> Duration {
        let teslamate = self.teslamate.as_ref();
        let healthy_at = teslamate.map_or(Duration::MAX, TeslaMateTopics::next_at);
        self.announcement.next_at().min(healthy_at)
    }

    /// Whether it was said that the device is unavailable.
    pub(super) fn says_unavailable(&self) -> bool {
        self.topics.is_said_available() == Some(false)
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
