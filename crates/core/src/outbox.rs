//! The newest payload of each topic, and what the broker has not seen yet. Pure: the connection
//! task owns one, feeds it and drains it.
//!
//! The MQTT client's own queue loses what it accepted whenever a broker comes back without the
//! session, and holds every old value where only the newest matters. So nothing is queued there:
//! this keeps one payload a topic, and sends everything again on every connection, which heals any
//! loss without a record of acknowledgements. Only what is not retained (events) and what must not
//! come back (deletes) is kept until the broker has acknowledged it.
//!
//! It knows nothing of sockets, protocol versions or time.

pub mod level;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Topics that are kept at most: some sixty cars. Beyond it, new topics are dropped.
pub const TOPICS_MAX: usize = 16_384;
/// Events that wait for an acknowledgement at most; the oldest is dropped.
pub const EVENTS_MAX: usize = 256;
/// Connections in which a delete is confirmed before it is forgotten. Two, because a broker that
/// is killed may come back with a retained message that it had already removed.
const CONFIRMATIONS: u8 = 2;

/// What the bridge publishes. QoS 1 throughout, or 0 where the broker takes no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publish {
    /// A retained topic's newest payload; sent only if it differs from the last, and again after
    /// every reconnect.
    State {
        /// Full topic.
        topic: String,
        /// Payload; never empty.
        payload: Arc<str>,
    },
    /// A message that is not retained (`event/…`, command results): kept until acknowledged,
    /// bounded, oldest dropped first.
    Event {
        /// Full topic.
        topic: String,
        /// Payload.
        payload: Arc<str>,
    },
    /// Removes a retained topic: an empty payload now and after the next reconnect, then
    /// forgotten.
    Delete {
        /// Full topic.
        topic: String,
    },
    /// Send every retained topic again although nothing changed (Home Assistant's birth).
    Everything,
}

/// One message for the broker, QoS 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Full topic.
    pub topic: Arc<str>,
    /// Payload; empty deletes a retained topic.
    pub payload: Arc<str>,
    /// The retain flag.
    pub retain: bool,
    /// To be handed back to [`Outbox::acknowledged`].
    pub ticket: Ticket,
}

/// Names a sent message when its acknowledgement comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Something that was not sent, for the log: once, not per message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// Larger than the broker or we ourselves allow.
    #[error(
        "{topic} is not published: {size} bytes, and the broker takes at most {limit}; \
         raise its maximum packet size"
    )]
    TooLarge {
        /// The topic.
        topic: String,
        /// Size of the packet in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A topic that brokers refuse.
    #[error("{0:?} is not published: not a legal topic")]
    IllegalTopic(String),
    /// An empty retained payload would delete the topic.
    #[error("{0} is not published: its payload is empty, which would delete it")]
    EmptyPayload(String),
    /// The bound on topics is reached.
    #[error("{topic} and other new topics are not published: {TOPICS_MAX} topics are the limit")]
    TooManyTopics {
        /// The first one that was dropped.
        topic: String,
    },
    /// Events waited too long.
    #[error("the oldest events are dropped: more than {EVENTS_MAX} wait for the broker")]
    TooManyEvents,
}

/// In which order topics are sent: what makes the rest readable comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Ahead,
    Bridge,
    Availability,
    Discovery,
    State,
}

/// The newest payload of each topic, and what the broker has not seen yet.
#[derive(Debug)]
pub struct Outbox {
    /// The base topic with its slash, to tell our own topics from discovery messages.
    base: String,
    topics: BTreeMap<Arc<str>, TopicEntry>,
    dirty: BTreeMap<(Rank, u64), Arc<str>>,
    events: VecDeque<WaitingEvent>,
    /// Topics over which the broker ended the connection.
    excluded: BTreeSet<Arc<str>>,
    /// What is under way that does what a delete was asked for, by ticket: the delete, or the value
    /// that has replaced it.
    deletes: BTreeMap<Ticket, Arc<str>>,
    /// The largest packet the broker takes, while connected.
    limit: Option<usize>,
    next_number: u64,
    not_sent: Vec<NotSent>,
    noted: BTreeSet<&'static str>,
}

#[derive(Debug)]
struct TopicEntry {
    value: RetainedContent,
    dirty: Option<u64>,
    is_noted: bool,
    /// A delete was asked for, and the broker has acknowledged neither it nor a value since.
    has_unconfirmed_delete: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum RetainedContent {
    Payload(Arc<str>),
    Deleted { confirmations_left: u8 },
}

#[derive(Debug)]
struct WaitingEvent {
    ticket: Ticket,
    topic: Arc<str>,
    payload: Arc<str>,
    sent: bool,
}

impl Outbox {
    /// An empty one, not connected. `base` is the base topic without slashes around it.
    pub fn new(base: &str) -> Self {
        Self {
            base: format!("{base}/"),
            topics: BTreeMap::new(),
            dirty: BTreeMap::new(),
            events: VecDeque::new(),
            excluded: BTreeSet::new(),
            deletes: BTreeMap::new(),
            limit: None,
            next_number: 0,
            not_sent: Vec::new(),
            noted: BTreeSet::new(),
        }
    }

    /// Takes a message. Never fails: what cannot be sent becomes a [`NotSent`].
    pub fn put(&mut self, message: Publish) {
        match message {
            Publish::State { topic, payload } if payload.is_empty() => {
                self.note_once("empty payload", NotSent::EmptyPayload(topic));
            }
            Publish::State { topic, payload } => {
                self.put_retained(topic, RetainedContent::Payload(payload));
            }
            Publish::Delete { topic } => {
                let confirmations_left = CONFIRMATIONS;
                self.put_retained(topic, RetainedContent::Deleted { confirmations_left });
            }
            Publish::Event { topic, payload } => self.put_event(topic, payload),
            Publish::Everything => {
                self.everything(|value| matches!(value, RetainedContent::Payload(_)));
            }
        }
    }

    /// The broker has answered: everything is to be sent again, in packets of at most `limit`
    /// bytes.
    pub fn connected(&mut self, limit: usize) {
        self.limit = Some(limit);
        self.deletes.clear();
        for event in &mut self.events {
            event.sent = false;
        }
        self.everything(|_| true);
    }

    /// The connection is gone; [`Outbox::next_packet`] gives nothing until the next one.
    pub fn disconnected(&mut self) {
        self.limit = None;
    }

    /// The next message to send: the bridge's own state, availability, discovery, states in the
    /// order in which they changed, then events (so that the values they are about have arrived).
    pub fn next_packet(&mut self) -> Option<Packet> {
        let limit = self.limit?;
        while let Some((_, topic)) = self.dirty.pop_first() {
            if let Some(packet) = self.take_topic(&topic, limit) {
                return Some(packet);
            }
        }
        self.take_event(limit)
    }

    /// Sends a topic next, although nothing changed.
    pub fn send_next(&mut self, topic: &str) {
        self.send_again(topic);
        let mut waiting = self.dirty.iter();
        let Some((&place, _)) = waiting.find(|(_, waits)| ***waits == *topic) else {
            return;
        };
        if let Some(topic) = self.dirty.remove(&place) {
            self.dirty.insert((Rank::Ahead, place.1), topic);
        }
    }

    /// Sends a topic again, although nothing changed: its value, and its events that are left.
    pub fn send_again(&mut self, topic: &str) {
        if let Some((topic, _)) = self.topics.get_key_value(topic) {
            let topic = Arc::clone(topic);
            self.mark(&topic);
        }
        for event in self.events.iter_mut().filter(|e| *e.topic == *topic) {
            event.sent = false;
        }
    }

    /// Leaves a topic out from now on: the broker ends the connection over it, which would keep
    /// everything else away too. Bounded by the number of topics.
    pub fn exclude(&mut self, topic: &str) {
        self.excluded.insert(topic.into());
    }

    /// Leaves it out no longer; its value is sent when it changes, or with the next connection.
    pub fn include(&mut self, topic: &str) {
        self.excluded.remove(topic);
    }

    /// The broker has refused a message for the moment; [`Outbox::send_again`] sends it again.
    pub fn put_back(&mut self, ticket: Ticket) {
        // That is no confirmation.
        self.deletes.remove(&ticket);
    }

    /// The broker has refused a message for good: an event is given up; a delete is not done, and
    /// is sent again with the next connection.
    pub fn refused(&mut self, ticket: Ticket) {
        if self.deletes.remove(&ticket).is_none() {
            self.events.retain(|event| event.ticket != ticket);
        }
    }

    /// The broker has acknowledged a message.
    pub fn acknowledged(&mut self, ticket: Ticket) {
        if let Some(topic) = self.deletes.remove(&ticket) {
            let Some(entry) = self.topics.get_mut(&topic) else {
                return;
            };
            entry.has_unconfirmed_delete = false;
            if let RetainedContent::Deleted { confirmations_left } = &mut entry.value {
                *confirmations_left = confirmations_left.saturating_sub(1);
                if *confirmations_left == 0 && entry.dirty.is_none() {
                    self.topics.remove(&topic);
                }
            }
        } else {
            self.events.retain(|event| event.ticket != ticket);
        }
    }

    /// The deletes that have not been confirmed on any connection yet, for whatever reason: a topic
    /// that is left out has one, too, and one that the broker refuses. A value that was put since
    /// does as well as the delete: what stood there before is gone once it is acknowledged.
    pub fn unconfirmed_deletes(&self) -> BTreeSet<String> {
        let owing = self
            .topics
            .iter()
            .filter(|(_, entry)| entry.has_unconfirmed_delete);
        owing.map(|(topic, _)| topic.to_string()).collect()
    }

    /// Whether there are such.
    pub fn has_unconfirmed_deletes(&self) -> bool {
        self.topics
            .values()
            .any(|entry| entry.has_unconfirmed_delete)
    }

    /// Whether an event of this topic has not been acknowledged yet.
    pub fn has_event(&self, topic: &str) -> bool {
        self.events.iter().any(|event| *event.topic == *topic)
    }

    /// Whether something waits to be sent (not: to be acknowledged).
    pub fn has_work(&self) -> bool {
        !self.dirty.is_empty() || self.events.iter().any(|event| !event.sent)
    }

    /// What waits to be sent.
    pub fn n_waiting(&self) -> usize {
        self.dirty.len() + self.events.iter().filter(|event| !event.sent).count()
    }

    /// Topics held, deletes included.
    pub fn n_topics(&self) -> usize {
        self.topics.len()
    }

    /// What is to be logged since the last call.
    pub fn take_not_sent(&mut self) -> Vec<NotSent> {
        std::mem::take(&mut self.not_sent)
    }

    fn put_retained(&mut self, topic: String, value: RetainedContent) {
        if !level::is_legal_topic(&topic) {
            self.note_once("illegal topic", NotSent::IllegalTopic(topic));
            return;
        }
        if let Some((key, entry)) = self.topics.get_key_value(topic.as_str()) {
            // A delete that is put twice starts its confirmations anew; an equal value is no change.
            if matches!(value, RetainedContent::Payload(_)) && entry.value == value {
                return;
            }
            let key = Arc::clone(key);
            // An acknowledgement that is still to come is not about the new value.
            self.deletes.retain(|_, deleted| *deleted != key);
            self.mark(&key);
            if let Some(entry) = self.topics.get_mut(&key) {
                entry.has_unconfirmed_delete |= matches!(value, RetainedContent::Deleted { .. });
                entry.value = value;
            }
            return;
        }
        if self.topics.len() >= TOPICS_MAX {
            self.note_once("topics", NotSent::TooManyTopics { topic });
            return;
        }
        let key: Arc<str> = topic.into();
        let number = self.number();
        self.dirty
            .insert((self.rank(&key), number), Arc::clone(&key));
        let entry = TopicEntry {
            has_unconfirmed_delete: matches!(value, RetainedContent::Deleted { .. }),
            value,
            dirty: Some(number),
            is_noted: false,
        };
        self.topics.insert(key, entry);
    }

    /// Marks a topic to be sent; one that is marked already keeps its place.
    fn mark(&mut self, topic: &Arc<str>) {
        let rank = self.rank(topic);
        let number = self.number();
        if let Some(entry) = self.topics.get_mut(topic)
            && entry.dirty.is_none()
        {
            entry.dirty = Some(number);
            self.dirty.insert((rank, number), Arc::clone(topic));
        }
    }

    fn everything(&mut self, which: impl Fn(&RetainedContent) -> bool) {
        let topics: Vec<Arc<str>> = self
            .topics
            .iter()
            .filter(|(_, entry)| which(&entry.value))
            .map(|(topic, _)| Arc::clone(topic))
            .collect();
        for topic in &topics {
            self.mark(topic);
        }
    }

    fn put_event(&mut self, topic: String, payload: Arc<str>) {
        if !level::is_legal_topic(&topic) {
            self.note_once("illegal topic", NotSent::IllegalTopic(topic));
            return;
        }
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
            self.note_once("events", NotSent::TooManyEvents);
        }
        let ticket = Ticket(self.number());
        self.events.push_back(WaitingEvent {
            ticket,
            topic: topic.into(),
            payload,
            sent: false,
        });
    }

    fn take_topic(&mut self, topic: &Arc<str>, limit: usize) -> Option<Packet> {
        let ticket = Ticket(self.number());
        let entry = self.topics.get_mut(topic)?;
        entry.dirty = None;
        if self.excluded.contains(topic) {
            return None;
        }
        let payload = match &entry.value {
            RetainedContent::Payload(payload) => Arc::clone(payload),
            RetainedContent::Deleted { .. } => Arc::from(""),
        };
        let is_delete = payload.is_empty() || entry.has_unconfirmed_delete;
        let size = packet_size(topic, &payload);
        if size > limit {
            if !std::mem::replace(&mut entry.is_noted, true) {
                let topic = topic.to_string();
                self.not_sent.push(NotSent::TooLarge { topic, size, limit });
            }
            return None;
        }
        entry.is_noted = false;
        if is_delete {
            self.deletes.insert(ticket, Arc::clone(topic));
        }
        Some(Packet {
            topic: Arc::clone(topic),
            payload,
            retain: true,
            ticket,
        })
    }

    fn take_event(&mut self, limit: usize) -> Option<Packet> {
        loop {
            let at = self.events.iter().position(|event| !event.sent)?;
            let event = &mut self.events[at];
            let size = packet_size(&event.topic, &event.payload);
            if self.excluded.contains(&event.topic) {
                self.events.remove(at)?;
                continue;
            }
            if size > limit {
                let topic = self.events.remove(at)?.topic.to_string();
                self.not_sent.push(NotSent::TooLarge { topic, size, limit });
                continue;
            }
            event.sent = true;
            return Some(Packet {
                topic: Arc::clone(&event.topic),
                payload: Arc::clone(&event.payload),
                retain: false,
                ticket: event.ticket,
            });
        }
    }

    fn rank(&self, topic: &str) -> Rank {
        match topic.strip_prefix(&self.base) {
            None if topic.ends_with("/config") => Rank::Discovery,
            Some("bridge/state") => Rank::Bridge,
            Some(rest) if rest.ends_with("/availability") => Rank::Availability,
            // Ours, and those of another program's that we keep.
            _ => Rank::State,
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn note_once(&mut self, what: &'static str, complaint: NotSent) {
        if self.noted.insert(what) {
            self.not_sent.push(complaint);
        }
    }
}

/// Size of a QoS 1 PUBLISH in bytes, as MQTT 5 counts it, with the longest header there is: a few
/// bytes too many cost nothing, one too few costs the connection.
fn packet_size(topic: &str, payload: &str) -> usize {
    const FIXED_HEADER: usize = 5;
    const TOPIC_LENGTH: usize = 2;
    const PACKET_ID: usize = 2;
    const PROPERTIES: usize = 1;
    FIXED_HEADER + TOPIC_LENGTH + topic.len() + PACKET_ID + PROPERTIES + payload.len()
}
