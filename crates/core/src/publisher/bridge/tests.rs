//! The bridge's publisher in virtual time, against a manifest that is kept by what it declares.

use pretty_assertions::assert_eq;

use super::*;
use crate::discovery::EntityPrefixes;
use crate::failure::ApiFailure;
use crate::policy::{Governor, GovernorConfig};

const CONFIG: &str = "homeassistant/device/tesla2mqtt_bridge/config";

fn at(second: u64) -> Now {
    let start: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    Now {
        mono: Duration::from_secs(second),
        wall: start + Duration::from_secs(second),
    }
}

fn setup() -> Setup {
    Setup {
        prefix: "homeassistant".into(),
        base: "tesla2mqtt".into(),
        version: "0.2.0".into(),
        commands: false,
        entity_prefixes: EntityPrefixes::default(),
    }
}

fn report(name: &str, dollars: f64, projected_dollars: f64) -> AccountReport {
    let governor = Governor::new(GovernorConfig::metered(), at(0));
    AccountReport {
        name: name.to_owned(),
        api: "fleet",
        login: "signed_in",
        spent: GovernorStatus {
            dollars,
            projected_dollars,
            ..governor.status(at(0))
        },
    }
}

/// A publisher whose declarations are taken in, and whose messages are checked against them.
struct PublisherRig {
    publisher: BridgePublisher,
    manifest: Manifest,
    /// What an outbox would not drop as said already.
    at_broker: BTreeMap<String, String>,
    removed: Vec<String>,
    last_error: Option<Explanation>,
}

impl PublisherRig {
    fn new() -> Self {
        Self::after(Manifest::default(), true)
    }

    fn after(manifest: Manifest, is_announced: bool) -> Self {
        let announced = manifest.announced(CONFIG);
        let owners = manifest.owners().into_iter().cloned();
        let at_broker = owners.map(|owner| {
            let topics = manifest.topics_of(&owner).collect();
            (owner, topics)
        });
        let at_broker: Vec<(Owner, BTreeSet<String>)> = at_broker.collect();
        let publisher =
            BridgePublisher::new(setup(), is_announced, announced, at_broker, at(0).wall);
        Self {
            publisher,
            manifest,
            at_broker: BTreeMap::new(),
            removed: Vec::new(),
            last_error: None,
        }
    }

    /// A look at all there is to say; returns the topics that were published, in order.
    fn say(&mut self, reports: &[AccountReport], second: u64) -> Vec<String> {
        let configured = reports.iter().map(|report| report.name.clone()).collect();
        let last_error = self.last_error.clone();
        self.publisher
            .begin(configured, reports, &[], last_error, at(second));
        self.rest(second)
    }

    fn rest(&mut self, second: u64) -> Vec<String> {
        let mut published = Vec::new();
        while let Some(publication) = self.publisher.next(at(second)) {
            match publication {
                Publication::Declare(declaration) => {
                    let change = self.manifest.take_in(declaration);
                    for topic in &change.remove {
                        self.at_broker.remove(topic);
                    }
                    self.removed.extend(change.remove);
                }
                Publication::Publish(messages) => {
                    for message in messages {
                        let Publish::State { topic, payload } = message else {
                            panic!("{message:?}");
                        };
                        assert!(self.manifest.topics().contains(&topic), "{topic}");
                        if self.at_broker.get(&topic).map(String::as_str) != Some(&*payload) {
                            published.push(topic.clone());
                            self.at_broker.insert(topic, payload.to_string());
                        }
                    }
                }
            }
        }
        published
    }

    fn payload(&self, key: &str) -> &str {
        &self.at_broker[&format!("tesla2mqtt/bridge/{key}")]
    }
}

#[test]
fn all_is_said_once_and_then_what_changed() {
    let mut rig = PublisherRig::new();
    let reports = [report("home", 1.0, 2.0)];
    let first = rig.say(&reports, 0);
    for topic in ["version", "cars", "info", "accounts/home/dollars"] {
        let topic = format!("tesla2mqtt/bridge/{topic}");
        assert!(first.contains(&topic), "{topic}");
    }
    assert_eq!(rig.payload("last_error"), "none");
    assert_eq!(rig.say(&reports, 5), Vec::<String>::new());
    let signed_out = ApiFailure::SignedOut.explanation().about("account home");
    rig.last_error = Some(signed_out.clone());
    assert_eq!(rig.say(&reports, 10), ["tesla2mqtt/bridge/last_error"]);
    assert_eq!(rig.payload("last_error"), signed_out.to_string());
    rig.last_error = None;
    assert_eq!(rig.say(&reports, 15), ["tesla2mqtt/bridge/last_error"]);
}

#[test]
fn a_projection_is_said_anew_now_and_then_or_with_other_expenses() {
    let mut rig = PublisherRig::new();
    let projected = "tesla2mqtt/bridge/accounts/home/dollars_projected";
    rig.say(&[report("home", 1.0, 2.0)], 0);
    let rows = [
        (5, 1.0, 2.1, false),
        (599, 1.0, 2.2, false),
        (600, 1.0, 2.3, true),
        (605, 1.5, 2.9, true),
        (610, 1.5, 3.1, false),
    ];
    for (second, dollars, projection, is_said) in rows {
        let said = rig.say(&[report("home", dollars, projection)], second);
        assert_eq!(
            said.iter().any(|topic| topic == projected),
            is_said,
            "{second}"
        );
    }
}

#[test]
fn home_assistant_is_told_after_the_values_once_there_is_a_broker() {
    let mut rig = PublisherRig::new();
    let reports = [report("home", 1.0, 2.0)];
    assert!(!rig.say(&reports, 0).contains(&CONFIG.to_owned()));
    rig.publisher.connection(true);
    assert_eq!(rig.rest(1), [CONFIG]);
    let known = rig.manifest.announced(CONFIG).components;
    assert!(known.contains_key("home_dollars"));
    assert_eq!(rig.say(&reports, 5), Vec::<String>::new());

    let both = [report("home", 1.0, 2.0), report("work", 0.0, 0.0)];
    let mut said = rig.say(&both, 60);
    said.extend(rig.say(&both, 120));
    assert!(said.contains(&CONFIG.to_owned()));
    let known = rig.manifest.announced(CONFIG).components;
    assert!(known.contains_key("work_dollars"));
}

#[test]
fn who_wants_no_home_assistant_has_nothing_left_of_it() {
    let mut earlier = PublisherRig::new();
    earlier.publisher.connection(true);
    earlier.say(&[report("home", 1.0, 2.0)], 0);
    let mut rig = PublisherRig::after(earlier.manifest, false);
    rig.publisher.connection(true);
    let said = rig.say(&[report("home", 1.0, 2.0)], 0);
    assert!(!said.contains(&CONFIG.to_owned()));
    assert_eq!(rig.removed, [CONFIG]);
}

#[test]
fn an_account_that_is_gone_leaves_nothing_and_says_all_again_when_it_is_back() {
    let mut rig = PublisherRig::new();
    let both = [report("home", 1.0, 2.0), report("work", 3.0, 4.0)];
    rig.say(&both, 0);
    rig.say(&both[..1], 5);
    let work: BTreeSet<String> = topics::every_topic_of_account("tesla2mqtt", "work").collect();
    assert_eq!(BTreeSet::from_iter(rig.removed.clone()), work);
    assert!(
        !rig.say(&both[..1], 10)
            .iter()
            .any(|topic| work.contains(topic))
    );
    let back = rig.say(&both, 15);
    assert!(back.contains(&"tesla2mqtt/bridge/accounts/work/dollars".to_owned()));

    // It went while no bridge ran.
    let mut next = PublisherRig::after(rig.manifest, true);
    next.say(&both[..1], 0);
    assert_eq!(BTreeSet::from_iter(next.removed), work);
}

#[test]
fn the_topic_of_a_fact_that_is_dropped_stays_until_home_assistant_is_told() {
    let mut earlier = PublisherRig::new();
    earlier.publisher.connection(true);
    earlier.say(&[], 0);
    let mut manifest = earlier.manifest;
    let mut announced = manifest.announced(CONFIG);
    announced.components.insert("mood".into(), "sensor".into());
    manifest.announce(CONFIG, &announced);
    let mood = "tesla2mqtt/bridge/mood".to_owned();
    let facts = manifest.topics_of(&Owner::Bridge).collect::<Vec<_>>();
    manifest.declare(&Owner::Bridge, facts.into_iter().chain([mood.clone()]));
    let declaration = first_declaration(&setup(), &manifest);
    assert_eq!(manifest.take_in(declaration).remove, Vec::<String>::new());

    let mut rig = PublisherRig::after(manifest, true);
    rig.say(&[], 0);
    assert!(
        rig.manifest
            .topics_of(&Owner::Bridge)
            .any(|topic| topic == mood)
    );
    rig.publisher.connection(true);
    for second in 1..1000 {
        rig.rest(second);
    }
    assert_eq!(rig.removed, [mood]);
}

/// Those of accounts were declared as the bridge's.
#[test]
fn a_dropped_fact_stays_whose_it_was_until_home_assistant_knows_that_it_is_gone() {
    let of_bridge = ["dropped", "never_told"].map(|key| topics::of_bridge("tesla2mqtt", key));
    let of_account =
        ["dollars", "dropped"].map(|key| topics::of_account("tesla2mqtt", "home", key));
    let declared = |keys: &[&str]| {
        let components = keys
            .iter()
            .map(|key| ((*key).to_owned(), "sensor".to_owned()));
        let announced = Announced {
            components: components.collect(),
            ..Announced::default()
        };
        let bridges = topics_of_bridge("tesla2mqtt", of_bridge.iter(), &announced);
        let accounts = topics_of_account("tesla2mqtt", "home", of_account.iter(), &announced);
        let has =
            |topics: &BTreeSet<String>, key: &str| topics.iter().any(|topic| topic.ends_with(key));
        assert!(has(&bridges, "/last_error") && has(&accounts, "/dollars"));
        assert!(!has(&bridges, "never_told") && !has(&bridges, "home_dropped"));
        (has(&bridges, "/dropped"), has(&accounts, "/dropped"))
    };
    assert_eq!(declared(&["dropped", "home_dropped"]), (true, true));
    assert_eq!(declared(&["home_dropped"]), (false, true));
    assert_eq!(declared(&[]), (false, false));
}
