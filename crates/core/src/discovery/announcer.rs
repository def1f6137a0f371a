//! When to send a discovery message, and how to take back components.
//!
//! Home Assistant sets up the entities of one message one after the other; a second message that
//! comes meanwhile loses a part of its components (home-assistant-mqtt.md, 2.7). So changes are
//! gathered for [`GATHER`] and messages lie at least [`APART`] apart. A component that vanished or
//! changed its platform is first sent in the removing form, then left out, hence the list of what
//! was announced must outlive the process.
//!
//! The removing form is heeded only by a Home Assistant that has read the whole component since its
//! own start. Sent to nobody, it would take the component out of the retained message, and Home
//! Assistant would keep the entity for ever. So a message that takes something away waits until
//! Home Assistant is known to be there; until then the old message stays for it to read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Message;
use crate::model::Now;

/// Changes within this time become one message.
pub(super) const GATHER: Duration = Duration::from_secs(2);
/// Two messages are at least so far apart.
pub(super) const APART: Duration = Duration::from_secs(4);
/// A car of which nobody has said the name yet is first announced after this: Home Assistant takes
/// entity ids from the first message and keeps them.
pub(super) const NAMING: Duration = Duration::from_secs(15);
/// A Home Assistant that was there before us says nothing about it: after this time with the broker
/// it is taken to be there. One that starts later, together with us perhaps, says so by its birth.
pub(super) const PRESENCE: Duration = Duration::from_mins(3);

/// What Home Assistant has been told of. Kept on the disk by the manifest of what is retained.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Announced {
    /// Key → platform.
    pub components: BTreeMap<String, String>,
    /// What the entity ids begin with, since the first message: a car that is renamed later keeps
    /// it, so that old and new entities go together.
    pub slug: Option<String>,
}

impl Announced {
    /// Home Assistant knows nothing.
    pub const NOTHING: Self = Self {
        components: BTreeMap::new(),
        slug: None,
    };
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnnounceStep {
    /// Have `may_know` on the disk, publish this, retained, then keep [`Announcer::announced`].
    Publish {
        /// Full topic.
        topic: String,
        /// Payload.
        payload: Arc<str>,
        /// All that Home Assistant may know of from before this message until it is read.
        may_know: Announced,
    },
    /// Nothing before this monotonic time.
    Wait(Duration),
    /// Nothing until the next offer.
    Idle,
}

/// Announces one device. It holds the message as text, which the outbox shares, and the parts
/// only as long as they may be needed: they weigh several times as much.
#[derive(Debug, Clone)]
pub struct Announcer {
    announced: Announced,
    wanted: Option<Arc<str>>,
    parts: Option<Message>,
    last: Option<Arc<str>>,
    due: Option<Duration>,
    quiet_until: Duration,
    connected_since: Option<Duration>,
    has_seen_birth: bool,
}

impl Announcer {
    /// With what an earlier run has announced.
    pub fn new(announced: Announced) -> Self {
        Self {
            announced,
            wanted: None,
            parts: None,
            last: None,
            due: None,
            quiet_until: Duration::ZERO,
            connected_since: None,
            has_seen_birth: false,
        }
    }

    /// Whether the broker is there. Nothing is announced without it: the message that takes a
    /// component away must not be overtaken in the outbox.
    pub fn connection(&mut self, now: Now, is_up: bool) {
        let since = self.connected_since.unwrap_or(now.mono);
        self.connected_since = is_up.then_some(since);
    }

    /// Home Assistant said that it has started, and has read what the broker keeps for it.
    pub fn birth(&mut self) {
        self.has_seen_birth = true;
    }

    /// What Home Assistant knows, to be kept over restarts.
    pub fn announced(&self) -> &Announced {
        &self.announced
    }

    /// The message as it should be now. Offer it whenever facts that it holds may have changed;
    /// an unchanged one costs nothing. The first of a run goes out at once, the first of all when
    /// the car's name is known.
    pub fn offer(&mut self, now: Now, mut message: Message) {
        let is_settled = self.announced.slug.is_some() || message.is_named;
        if let Some(slug) = &self.announced.slug {
            message.slug.clone_from(slug);
        }
        let text = message.payload(&BTreeMap::new());
        if self.wanted.as_deref() == Some(&text) {
            return;
        }
        let is_first = self.wanted.is_none();
        let is_back = self.last.as_deref() == Some(&text);
        // Sharing the text that was sent, where it is the same.
        self.wanted = self
            .last
            .clone()
            .filter(|_| is_back)
            .or_else(|| Some(text.into()));
        self.parts = Some(message);
        let is_held = self.last.is_none() && self.announced.slug.is_none();
        self.due = match self.due {
            Some(due) if is_held && is_settled => Some(due.min(now.mono)),
            Some(due) => Some(due),
            None if is_first && is_settled => Some(now.mono),
            None if is_first => Some(now.mono + NAMING),
            None => Some(now.mono + GATHER),
        };
    }

    /// What to do now; call again after each step that published.
    pub fn next(&mut self, now: Now) -> AnnounceStep {
        let (Some(due), Some(parts), Some(wanted), Some(connected_since)) =
            (self.due, &self.parts, &self.wanted, self.connected_since)
        else {
            return AnnounceStep::Idle;
        };
        let at = due.max(self.quiet_until);
        if now.mono < at {
            return AnnounceStep::Wait(at);
        }
        let topic = parts.topic.clone();
        let parts_slug = parts.slug.clone();
        let platforms = parts.platforms();
        let removed: BTreeMap<String, String> = self
            .announced
            .components
            .iter()
            .filter(|(key, platform)| platforms.get(*key) != Some(platform))
            .map(|(key, platform)| (key.clone(), platform.clone()))
            .collect();
        let present_at = connected_since + PRESENCE;
        if !removed.is_empty() && !self.has_seen_birth && now.mono < present_at {
            return AnnounceStep::Wait(present_at);
        }
        let payload: Arc<str> = if removed.is_empty() {
            wanted.clone()
        } else {
            parts.payload(&removed).into()
        };
        if removed.is_empty() {
            self.due = None;
            self.parts = None;
        } else {
            // The message without the removed parts is still to come.
            self.due = Some(now.mono + APART);
        }
        if self.last.as_ref() == Some(&payload) {
            return self.due.map_or(AnnounceStep::Idle, AnnounceStep::Wait);
        }
        let mut may_know = self.announced.clone();
        self.announced.components = platforms
            .into_iter()
            .filter(|(key, _)| !removed.contains_key(key))
            .collect();
        self.announced.slug = Some(parts_slug);
        // A component that changes its platform is known by the one that is still to be removed.
        for (key, platform) in &self.announced.components {
            let known = may_know.components.entry(key.clone());
            known.or_insert_with(|| platform.clone());
        }
        may_know.slug.clone_from(&self.announced.slug);
        self.last = Some(payload.clone());
        self.quiet_until = now.mono + APART;
        AnnounceStep::Publish {
            topic,
            payload,
            may_know,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value as Json, json};

    use super::*;

    fn at(mono_s: u64) -> Now {
        Now {
            mono: Duration::from_secs(mono_s),
            wall: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    /// Long with the broker.
    fn connected(known: Announced) -> Announcer {
        let mut announcer = Announcer::new(known);
        announcer.connection(at(0), true);
        announcer.birth();
        announcer
    }

    fn message(components: Json) -> Message {
        let Json::Object(bodies) = components else {
            panic!("{components}");
        };
        Message {
            topic: "homeassistant/device/x/config".into(),
            root: Map::new(),
            slug: "rakete".into(),
            is_named: true,
            components: bodies
                .into_iter()
                .map(|(key, body)| (key, body.as_object().unwrap().clone().into()))
                .collect(),
        }
    }

    fn published(step: AnnounceStep) -> (Json, Vec<String>) {
        match step {
            AnnounceStep::Publish {
                payload, may_know, ..
            } => {
                let mut all: Json = serde_json::from_str(&payload).unwrap();
                for component in all["cmps"].as_object_mut().unwrap().values_mut() {
                    component.as_object_mut().unwrap().remove("def_ent_id");
                }
                (
                    all["cmps"].clone(),
                    may_know.components.into_keys().collect(),
                )
            }
            other => panic!("expected a message, got {other:?}"),
        }
    }

    fn known(pairs: &[(&str, &str)]) -> Announced {
        Announced {
            components: pairs
                .iter()
                .map(|(key, platform)| ((*key).to_owned(), (*platform).to_owned()))
                .collect(),
            slug: Some("rakete".into()),
        }
    }

    #[test]
    fn the_first_message_goes_out_at_once_and_an_equal_one_never_again() {
        let mut announcer = connected(Announced::default());
        assert_eq!(announcer.next(at(0)), AnnounceStep::Idle);
        let all = json!({"a": {"p": "sensor", "x": 1}});
        announcer.offer(at(0), message(all.clone()));
        assert_eq!(
            published(announcer.next(at(0))),
            (all.clone(), vec!["a".to_owned()])
        );
        assert_eq!(announcer.announced(), &known(&[("a", "sensor")]));
        announcer.offer(at(60), message(all));
        assert_eq!(announcer.next(at(60)), AnnounceStep::Idle);
    }

    #[test]
    fn changes_are_gathered_and_messages_kept_apart() {
        let mut announcer = connected(Announced::default());
        announcer.offer(at(0), message(json!({"a": {"p": "sensor"}})));
        published(announcer.next(at(0)));
        announcer.offer(at(1), message(json!({"a": {"p": "sensor", "x": 1}})));
        assert_eq!(announcer.next(at(1)), AnnounceStep::Wait(APART));
        announcer.offer(at(3), message(json!({"a": {"p": "sensor", "x": 2}})));
        let (all, _) = published(announcer.next(at(4)));
        assert_eq!(all["a"]["x"], json!(2));
        assert_eq!(announcer.next(at(4)), AnnounceStep::Idle);
        announcer.offer(at(100), message(json!({"a": {"p": "sensor", "x": 3}})));
        assert_eq!(
            announcer.next(at(100)),
            AnnounceStep::Wait(Duration::from_secs(102))
        );
    }

    #[test]
    fn a_change_that_is_taken_back_in_time_is_not_sent() {
        let mut announcer = connected(Announced::default());
        announcer.offer(at(0), message(json!({"a": {"p": "sensor"}})));
        published(announcer.next(at(0)));
        announcer.offer(at(10), message(json!({"a": {"p": "sensor", "x": 1}})));
        announcer.offer(at(11), message(json!({"a": {"p": "sensor"}})));
        assert_eq!(announcer.next(at(12)), AnnounceStep::Idle);
    }

    #[test]
    fn a_vanished_component_is_removed_by_name_and_then_left_out() {
        let mut announcer = connected(known(&[("a", "sensor"), ("old", "binary_sensor")]));
        announcer.offer(at(0), message(json!({"a": {"p": "sensor", "x": 1}})));
        let (first, known_before) = published(announcer.next(at(0)));
        assert_eq!(
            first,
            json!({"a": {"p": "sensor", "x": 1}, "old": {"p": "binary_sensor"}})
        );
        assert_eq!(known_before, ["a", "old"]);
        assert_eq!(announcer.announced(), &known(&[("a", "sensor")]));
        assert_eq!(announcer.next(at(0)), AnnounceStep::Wait(APART));
        let (second, known_before) = published(announcer.next(at(4)));
        assert_eq!(second, json!({"a": {"p": "sensor", "x": 1}}));
        assert_eq!(known_before, ["a"]);
        assert_eq!(announcer.next(at(8)), AnnounceStep::Idle);
    }

    #[test]
    fn a_new_platform_under_the_same_key_is_removed_first() {
        let mut announcer = connected(known(&[("charge", "binary_sensor")]));
        announcer.offer(
            at(0),
            message(json!({"charge": {"p": "switch", "cmd_t": "x"}})),
        );
        let (first, known_before) = published(announcer.next(at(0)));
        assert_eq!(first, json!({"charge": {"p": "binary_sensor"}}));
        assert_eq!(known_before, ["charge"]);
        assert_eq!(announcer.announced(), &known(&[]));
        let (second, _) = published(announcer.next(at(4)));
        assert_eq!(second, json!({"charge": {"p": "switch", "cmd_t": "x"}}));
        assert_eq!(announcer.announced(), &known(&[("charge", "switch")]));
    }

    #[test]
    fn a_restart_between_removal_and_message_repeats_nothing_but_the_message() {
        let mut announcer = connected(known(&[("charge", "binary_sensor")]));
        announcer.offer(at(0), message(json!({"charge": {"p": "switch"}})));
        published(announcer.next(at(0)));
        let kept = serde_json::to_string(announcer.announced()).unwrap();
        let mut restarted = connected(serde_json::from_str(&kept).unwrap());
        restarted.offer(at(0), message(json!({"charge": {"p": "switch"}})));
        assert_eq!(
            published(restarted.next(at(0))).0,
            json!({"charge": {"p": "switch"}})
        );
        assert_eq!(restarted.next(at(9)), AnnounceStep::Idle);
    }

    #[test]
    fn what_takes_something_away_waits_until_home_assistant_is_there() {
        let at_most = PRESENCE.as_secs();
        // When the broker and the birth come, and when the old entity goes.
        let cases = [
            (0, None, at_most),
            (30, None, 30 + at_most),
            (0, Some(60), 60),
            (30, Some(31), 31),
        ];
        for (broker, birth, removal) in cases {
            for wanted in [
                json!({"a": {"p": "sensor"}}),
                json!({"a": {"p": "sensor"}, "old": {"p": "switch"}}),
            ] {
                let mut announcer = Announcer::new(known(&[("old", "binary_sensor")]));
                announcer.offer(at(0), message(wanted.clone()));
                let mut sent = Vec::new();
                for second in 0..=400 {
                    announcer.connection(at(second), second >= broker);
                    if birth == Some(second) {
                        announcer.birth();
                    }
                    if let step @ AnnounceStep::Publish { .. } = announcer.next(at(second)) {
                        sent.push((second, published(step).0));
                    }
                }
                let first = json!({"a": {"p": "sensor"}, "old": {"p": "binary_sensor"}});
                let expected = [(removal, first), (removal + APART.as_secs(), wanted)];
                assert_eq!(sent, expected, "{broker} {birth:?}");
            }
        }
    }

    #[test]
    fn what_takes_nothing_away_does_not_wait_for_home_assistant() {
        let mut announcer = Announcer::new(known(&[("a", "sensor")]));
        announcer.offer(
            at(0),
            message(json!({"a": {"p": "sensor"}, "b": {"p": "sensor"}})),
        );
        assert_eq!(announcer.next(at(0)), AnnounceStep::Idle, "no broker yet");
        announcer.connection(at(5), true);
        let (all, may_know) = published(announcer.next(at(5)));
        assert_eq!(all["b"], json!({"p": "sensor"}));
        assert_eq!(may_know, ["a", "b"]);
    }

    #[test]
    fn a_lost_connection_begins_the_wait_anew() {
        let mut announcer = Announcer::new(known(&[("old", "sensor")]));
        announcer.offer(at(0), message(json!({"a": {"p": "sensor"}})));
        announcer.connection(at(0), true);
        announcer.connection(at(100), false);
        assert_eq!(announcer.next(at(100)), AnnounceStep::Idle);
        announcer.connection(at(110), true);
        let until = AnnounceStep::Wait(Duration::from_secs(110) + PRESENCE);
        assert_eq!(announcer.next(at(200)), until);
    }

    fn named(slug: &str, is_named: bool) -> Message {
        Message {
            slug: slug.into(),
            is_named,
            ..message(json!({"a": {"p": "sensor"}}))
        }
    }

    fn entity_id(step: AnnounceStep) -> String {
        match step {
            AnnounceStep::Publish { payload, .. } => {
                let all: Json = serde_json::from_str(&payload).unwrap();
                all["cmps"]["a"]["def_ent_id"].as_str().unwrap().to_owned()
            }
            other => panic!("expected a message, got {other:?}"),
        }
    }

    #[test]
    fn a_new_car_is_announced_when_its_name_is_known() {
        let mut announcer = connected(Announced::default());
        announcer.offer(at(0), named("model_3_0005", false));
        assert_eq!(announcer.next(at(0)), AnnounceStep::Wait(NAMING));
        announcer.offer(at(3), named("rakete", true));
        assert_eq!(entity_id(announcer.next(at(3))), "sensor.rakete_a");
        assert_eq!(announcer.next(at(60)), AnnounceStep::Idle);
    }

    #[test]
    fn a_car_whose_name_nobody_says_is_announced_all_the_same() {
        let mut announcer = connected(Announced::default());
        announcer.offer(at(0), named("model_3_0005", false));
        assert_eq!(entity_id(announcer.next(at(15))), "sensor.model_3_0005_a");
    }

    #[test]
    fn entity_ids_stay_together_when_the_name_comes_later_or_changes() {
        let mut announcer = connected(Announced::default());
        announcer.offer(at(0), named("model_3_0005", false));
        assert_eq!(entity_id(announcer.next(at(15))), "sensor.model_3_0005_a");
        announcer.offer(at(60), named("rakete", true));
        assert_eq!(
            announcer.next(at(90)),
            AnnounceStep::Idle,
            "the same message"
        );
        let mut restarted = connected(announcer.announced().clone());
        restarted.offer(at(0), named("blitz", true));
        assert_eq!(entity_id(restarted.next(at(0))), "sensor.model_3_0005_a");
    }
}
