//! The manifest against a broker that is a map, through the real outbox.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::DeviceId;
use crate::outbox::{Outbox, Publish};

fn device_id(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

fn device(id: &str) -> Owner {
    Owner::Device(device_id(id))
}

fn topics(level: &str, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| format!("{level}/{key}")).collect()
}

fn removed(change: &Change) -> Vec<&str> {
    change.remove.iter().map(String::as_str).collect()
}

#[test]
fn what_an_owner_does_not_declare_any_more_is_removed_once() {
    let mut manifest = Manifest::default();
    let car = device("A");
    let first = manifest.declare(&car, topics("t/a", &["x", "y"]));
    assert_eq!((first.is_news, removed(&first)), (true, vec![]));
    let again = manifest.declare(&car, topics("t/a", &["y", "x"]));
    assert_eq!(again, Change::default());
    let less = manifest.declare(&car, topics("t/a", &["x"]));
    assert_eq!((less.is_news, removed(&less)), (true, vec!["t/a/y"]));
    let moved = manifest.declare(&car, topics("t/b", &["x"]));
    assert_eq!(removed(&moved), ["t/a/x"]);
    let none = manifest.declare(&car, []);
    assert_eq!(removed(&none), ["t/b/x"]);
    assert_eq!(manifest.owners(), BTreeSet::new());
    let expected: BTreeSet<String> = ["t/a/x", "t/a/y", "t/b/x"].map(str::to_owned).into();
    assert_eq!(manifest.topics(), expected, "until they are confirmed");
}

#[test]
fn a_level_that_is_handed_over_keeps_nothing_of_the_first() {
    let mut manifest = Manifest::default();
    manifest.declare(&device("A"), topics("t/one", &["x", "y"]));
    let change = manifest.declare(&device("B"), topics("t/one", &["y", "z"]));
    assert_eq!(removed(&change), ["t/one/x", "t/one/y"], "y is A's still");
    assert_eq!(manifest.topics_of(&device("A")).count(), 0);
    let of_b: Vec<String> = manifest.topics_of(&device("B")).collect();
    assert_eq!(of_b, ["t/one/y", "t/one/z"]);
    // A's own declaration elsewhere does not touch what is B's now.
    let elsewhere = manifest.declare(&device("A"), topics("t/two", &["x"]));
    assert_eq!(removed(&elsewhere), Vec::<&str>::new());
}

#[test]
fn a_removal_is_owed_until_the_broker_has_done_it_and_is_not_mistaken_for_a_later_one() {
    let mut manifest = Manifest::default();
    let car = device("A");
    manifest.declare(&car, topics("t/a", &["x", "y"]));
    manifest.declare(&car, topics("t/a", &[]));
    let asked = manifest.next_round();
    // Meanwhile x comes and goes once more.
    manifest.declare(&car, topics("t/a", &["x"]));
    manifest.declare(&car, []);
    assert!(manifest.forget_removals(asked, &BTreeSet::new()));
    assert_eq!(manifest.removals().collect::<Vec<_>>(), ["t/a/x"]);
    let asked = manifest.next_round();
    let owed = BTreeSet::from(["t/a/x".to_owned()]);
    assert!(!manifest.forget_removals(asked, &owed), "it was refused");
    assert!(manifest.forget_removals(asked, &BTreeSet::new()));
    assert_eq!(manifest.removals().count(), 0);
}

#[test]
fn what_home_assistant_was_told_goes_with_its_message() {
    let mut manifest = Manifest::default();
    let told = Announced {
        slug: Some("rakete".to_owned()),
        ..Announced::default()
    };
    let topic = "homeassistant/device/tesla2mqtt_A/config";
    let owner = Owner::Discovery(device_id("A"));
    manifest.declare(&owner, [topic.to_owned()]);
    assert!(manifest.announce(topic, &told) && !manifest.announce(topic, &told));
    assert_eq!(manifest.announced(topic), told);
    manifest.declare(&owner, ["elsewhere/device/tesla2mqtt_A/config".to_owned()]);
    assert_eq!(manifest.announced(topic), Announced::default());
}

#[test]
fn a_level_that_two_owners_of_an_older_version_claim_is_removed_before_either_speaks() {
    let mut manifest = Manifest::default();
    manifest.adopt(&device("A"), topics("t/one", &["x", "y"]));
    manifest.adopt(&device("B"), topics("t/one", &["y", "z"]));
    manifest.adopt(&device("C"), topics("t/two", &["x"]));
    let removals: Vec<&String> = manifest.removals().collect();
    assert_eq!(removals, ["t/one/x", "t/one/y", "t/one/z"]);
    let change = manifest.declare(&device("C"), topics("t/two", &["x"]));
    assert_eq!(change, Change::default());
}

#[test]
fn there_is_a_limit_and_it_is_said() {
    let mut manifest = Manifest::default();
    let many = (0..=TOPICS_MAX).map(|n| format!("t/a/{n}"));
    let change = manifest.declare(&device("A"), many);
    assert_eq!(change.n_forgotten, 1);
    assert_eq!(manifest.topics().len(), TOPICS_MAX);
    let change = manifest.declare(&device("B"), topics("t/b", &["x"]));
    assert_eq!(change.n_forgotten, 1);
    manifest.declare(&device("A"), []);
    let change = manifest.declare(&device("B"), topics("t/b", &["x"]));
    assert_eq!(change.n_forgotten, 0);
}

#[test]
fn a_part_that_cannot_be_read_takes_no_other_with_it() {
    let mut manifest = Manifest::default();
    for (owner, level) in [
        (Owner::Bridge, "t/bridge"),
        (
            Owner::Account("my home".to_owned()),
            "t/bridge/accounts/my home",
        ),
        (device("A"), "t/a"),
        (Owner::TeslaMate(device_id("A")), "teslamate/cars/1"),
        (Owner::Discovery(device_id("A")), "h/device/tesla2mqtt_A"),
        (Owner::BridgeDiscovery, "h/device/t_bridge"),
    ] {
        manifest.declare(&owner, topics(level, &["x", "y"]));
    }
    manifest.declare(&device("A"), topics("t/a", &["x"]));
    manifest.announce(
        "h/device/t_bridge/x",
        &Announced {
            slug: Some("rakete".to_owned()),
            ..Announced::default()
        },
    );
    let bytes = manifest.encode().expect("JSON");
    assert_eq!(
        Manifest::decode(&bytes).expect("JSON"),
        (manifest.clone(), vec![])
    );

    let whole: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    for part in ["levels", "removals", "announced", "numbers"] {
        let mut other = whole.clone();
        other[part] = json!(7);
        let (read, damaged) = Manifest::decode(other.to_string().as_bytes()).expect("JSON");
        assert_eq!(damaged, [part]);
        let left = read.encode().expect("JSON");
        let mut left: serde_json::Value = serde_json::from_slice(&left).expect("JSON");
        left[part] = whole[part].clone();
        assert_eq!(left, whole, "{part}");
    }
    let mut other = whole;
    other["levels"]["t/a"]["owner"] = json!("of a later version");
    let (read, damaged) = Manifest::decode(other.to_string().as_bytes()).expect("JSON");
    assert_eq!(damaged, ["level t/a"]);
    assert_eq!(read.topics_of(&Owner::Bridge).count(), 2);
}

// Any order of declarations, values, acknowledgements and kills.

const OWNERS: [&str; 3] = ["A", "B", "C"];
const LEVELS: [&str; 3] = ["t/one", "t/two", "t/three"];
const KEYS: [&str; 4] = ["w", "x", "y", "z"];

#[derive(Debug, Clone)]
enum ManifestStep {
    /// An owner declares keys at a level; the process may be killed on the way.
    Declare(usize, usize, Vec<bool>, KilledAt),
    /// An owner has nothing any more.
    Leave(usize),
    /// An owner publishes one of its topics, if it has declared it.
    Value(usize, usize),
    Connect,
    Disconnect,
    /// The broker takes so many messages, and its acknowledgements arrive or are lost.
    Broker(usize, bool),
    /// What the broker has acknowledged is forgotten.
    Settle,
    Kill,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum KilledAt {
    No,
    /// The removals are said, the file is the old one.
    BeforeTheWrite,
    AfterTheWrite,
}

/// A bridge, and the broker as a map: each payload is the name of the one who said it.
struct ManifestRig {
    manifest: Manifest,
    disk: Vec<u8>,
    outbox: Outbox,
    broker: BTreeMap<String, String>,
    is_connected: bool,
}

impl ManifestRig {
    fn new() -> Self {
        let manifest = Manifest::default();
        Self {
            disk: manifest.encode().expect("JSON"),
            manifest,
            outbox: Outbox::new("t"),
            broker: BTreeMap::new(),
            is_connected: false,
        }
    }

    fn declare(&mut self, owner: &Owner, topics: Vec<String>, killed: KilledAt) {
        let change = self.manifest.declare(owner, topics);
        for topic in change.remove {
            self.outbox.put(Publish::Delete { topic });
        }
        if killed == KilledAt::BeforeTheWrite {
            // Removals may be on their way already.
            self.broker(usize::MAX, true);
            return self.restart();
        }
        if change.is_news {
            self.disk = self.manifest.encode().expect("JSON");
        }
        if killed == KilledAt::AfterTheWrite {
            self.restart();
        }
    }

    fn restart(&mut self) {
        self.manifest = Manifest::decode(&self.disk).expect("a manifest").0;
        self.outbox = Outbox::new("t");
        self.is_connected = false;
        for topic in self.manifest.removals().cloned() {
            self.outbox.put(Publish::Delete { topic });
        }
    }

    fn value(&mut self, owner: usize, nth: usize) {
        let owner = device(OWNERS[owner]);
        let own: Vec<String> = self.manifest.topics_of(&owner).collect();
        if let Some(topic) = own.get(nth % own.len().max(1)) {
            self.outbox.put(Publish::State {
                topic: topic.clone(),
                payload: owner.to_string().into(),
            });
        }
    }

    fn connect(&mut self) {
        self.outbox.connected(10_000);
        self.is_connected = true;
    }

    fn broker(&mut self, n_messages: usize, is_acknowledged: bool) {
        for _ in 0..n_messages {
            let Some(packet) = self.outbox.next_packet().filter(|_| self.is_connected) else {
                return;
            };
            if packet.payload.is_empty() {
                self.broker.remove(&*packet.topic);
            } else {
                self.broker
                    .insert(packet.topic.to_string(), packet.payload.to_string());
            }
            if is_acknowledged {
                self.outbox.acknowledged(packet.ticket);
            }
        }
    }

    fn settle(&mut self) {
        let asked = self.manifest.next_round();
        if self
            .manifest
            .forget_removals(asked, &self.outbox.unconfirmed_deletes())
        {
            self.disk = self.manifest.encode().expect("JSON");
        }
    }

    fn take(&mut self, step: &ManifestStep) {
        match step {
            ManifestStep::Declare(owner, level, which, killed) => {
                let keys = KEYS.iter().zip(which).filter(|(_, declared)| **declared);
                let topics = keys.map(|(key, _)| format!("{}/{key}", LEVELS[*level]));
                self.declare(&device(OWNERS[*owner]), topics.collect(), *killed);
            }
            ManifestStep::Leave(owner) => {
                self.declare(&device(OWNERS[*owner]), Vec::new(), KilledAt::No);
            }
            ManifestStep::Value(owner, nth) => self.value(*owner, *nth),
            ManifestStep::Connect => self.connect(),
            ManifestStep::Disconnect => {
                self.outbox.disconnected();
                self.is_connected = false;
            }
            ManifestStep::Broker(n_messages, is_acknowledged) => {
                self.broker(*n_messages, *is_acknowledged);
            }
            ManifestStep::Settle => self.settle(),
            ManifestStep::Kill => self.restart(),
        }
    }

    /// Nothing that the broker has is unknown, whatever happens next.
    fn check_known(&self) {
        let kept = Manifest::decode(&self.disk).expect("a manifest").0;
        for topic in self.broker.keys() {
            assert!(kept.topics().contains(topic), "nobody knows of {topic}");
        }
    }

    /// With a broker that answers, the broker has what is declared, each of its owner.
    fn check_end(&mut self) {
        self.connect();
        self.broker(usize::MAX, true);
        self.settle();
        assert_eq!(self.manifest.removals().count(), 0);
        let belongs = |manifest: &Manifest, topic: &String, said: &str| {
            let owner: Owner = said.parse().expect("an owner");
            manifest.topics_of(&owner).any(|own| own == *topic)
        };
        for (topic, said) in &self.broker {
            assert!(belongs(&self.manifest, topic, said), "{topic} {said}");
        }
        for (n, name) in OWNERS.iter().enumerate() {
            for nth in 0..self.manifest.topics_of(&device(name)).count() {
                self.value(n, nth);
            }
        }
        self.broker(usize::MAX, true);
        let retained: BTreeSet<String> = self.broker.keys().cloned().collect();
        assert_eq!(retained, self.manifest.topics());
    }
}

fn step() -> impl Strategy<Value = ManifestStep> {
    let killed = prop_oneof![
        4 => Just(KilledAt::No),
        1 => Just(KilledAt::BeforeTheWrite),
        1 => Just(KilledAt::AfterTheWrite),
    ];
    prop_oneof![
        6 => (0..3_usize, 0..3_usize, prop::collection::vec(any::<bool>(), 4), killed)
            .prop_map(|(owner, level, which, killed)| ManifestStep::Declare(owner, level, which, killed)),
        1 => (0..3_usize).prop_map(ManifestStep::Leave),
        8 => (0..3_usize, 0..4_usize).prop_map(|(owner, nth)| ManifestStep::Value(owner, nth)),
        3 => Just(ManifestStep::Connect),
        1 => Just(ManifestStep::Disconnect),
        6 => (0..6_usize, any::<bool>()).prop_map(|(n, acks)| ManifestStep::Broker(n, acks)),
        3 => Just(ManifestStep::Settle),
        2 => Just(ManifestStep::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn in_the_end_the_broker_has_what_is_declared_and_at_no_time_more_than_is_known(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut rig = ManifestRig::new();
        for step in &steps {
            rig.take(step);
            rig.check_known();
        }
        rig.check_end();
    }

    #[test]
    fn no_file_is_too_strange(bytes: Vec<u8>) {
        let _ = Manifest::decode(&bytes);
    }
}
