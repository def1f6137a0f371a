//! `tesla2mqtt clear`: leaves the broker as if we had never been there.
//!
//! Retained messages outlive the program that published them, and Home Assistant keeps a device
//! for as long as its discovery message is there. Looks at every place that the configuration or
//! the state directory names, and takes what has one of our own shapes there: under a base topic
//! `bridge/…` and `<car>/<key>`, of the discovery messages those that we wrote about topics under
//! it. Other programs may live under the same base topic (`home`), and other bridges on the same
//! broker: they keep all of their own.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value as Json;

use crate::bridge::{self, Scopes};
use crate::config;
use crate::model::Vin;
use crate::mqtt::{
    BrokerFailure, Incoming, OneShotClient, Subscription, base_of_state_topic, random_client_id,
    state_topic,
};
use crate::topics;

/// How we sign discovery messages.
const ORIGIN: &str = "tesla2mqtt";

/// Silence after which every stored message is taken to have arrived. Brokers send them at once
/// after a subscription, without saying which is the last.
pub(super) const SCAN_PAUSE: Duration = Duration::from_millis(700);

/// What was found and removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    /// Retained messages removed.
    pub removed: usize,
    /// Topics that came back or could not be removed.
    pub left: Vec<String>,
    /// Base topics at which a bridge seems to be running. It does not notice that its topics are
    /// gone: each comes back when its value changes, all of them when it connects anew.
    pub running: BTreeSet<String>,
}

/// Removes what is ours within these scopes. Looks again afterwards, on a fresh connection, and goes on
/// while that shows more: a broker may drop what is too much for one subscriber at once
/// (mosquitto: beyond some 1,000 messages).
///
/// # Errors
/// No connection, or the broker refuses to let us read or delete.
pub async fn clear(mqtt: &config::MqttSettings, scopes: &Scopes) -> Result<Cleared, BrokerFailure> {
    let mut cleared = Cleared {
        removed: 0,
        left: Vec::new(),
        running: BTreeSet::new(),
    };
    let mut found = stored(mqtt, scopes).await?;
    loop {
        let id = random_client_id();
        let (mut client, _) = OneShotClient::connect(mqtt, &id).await?;
        client.delete(found.topics.iter().cloned()).await?;
        client.close().await;
        let left = stored(mqtt, scopes).await?;
        let removed = found.topics.difference(&left.topics).count();
        cleared.removed += removed;
        cleared.running.append(&mut found.running);
        // A running bridge would go on saying new things.
        if left.topics.is_empty() || removed == 0 || !cleared.running.is_empty() {
            cleared.left = left.topics.into_iter().collect();
            return Ok(cleared);
        }
        found = left;
    }
}

/// Runs the subcommand and says what was removed.
pub(super) fn main(file: Option<&Path>) -> ExitCode {
    let settings = match config::load_from_disk(file) {
        Ok(loaded) => loaded.settings,
        Err(errors) => return super::wrong_configuration(&errors),
    };
    crate::api::tls::install_provider();
    super::on_one_thread(async move {
        match clear(&settings.mqtt, &bridge::scopes(&settings)).await {
            Ok(cleared) => report(&cleared),
            Err(failure) => super::failed(&anyhow::anyhow!("mqtt: {failure}")),
        }
    })
}

fn report(cleared: &Cleared) -> ExitCode {
    super::print(&format!("removed {} retained messages\n", cleared.removed));
    for base in &cleared.running {
        super::print_error(&format!(
            "a bridge is running with base topic {base}: its topics were removed under it; to be rid of \
             them, stop it and clear again; to have them back, restart it"
        ));
    }
    for topic in &cleared.left {
        super::print_error(&format!("still there: {topic}"));
    }
    if cleared.left.is_empty() && cleared.running.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[derive(Default)]
struct Stored {
    topics: BTreeSet<String>,
    running: BTreeSet<String>,
}

/// Collects the retained topics that are ours.
async fn stored(mqtt: &config::MqttSettings, scopes: &Scopes) -> Result<Stored, BrokerFailure> {
    let mut stored = Stored::default();
    let mut own_topics = OwnTopicFilter::new(scopes);
    let take = |message: Incoming| {
        // A message without the flag is live traffic; an empty one is a removal.
        if !message.retain || message.payload.is_empty() {
            return;
        }
        let base = base_of_state_topic(&message.topic);
        if let Some(base) = base.filter(|base| scopes.bases.contains(*base))
            && message.payload == b"online"
        {
            stored.running.insert(base.to_owned());
        }
        own_topics.take(message);
    };
    let id = random_client_id();
    let (mut client, _) = OneShotClient::connect(mqtt, &id).await?;
    client
        .listen(&subscriptions(scopes), SCAN_PAUSE, take)
        .await?;
    client.close().await;
    stored.topics = own_topics.ours();
    Ok(stored)
}

/// What is known by name comes first, for the sake of brokers that do not send everything: the
/// last ones show other programs' messages, too.
fn subscriptions(scopes: &Scopes) -> Vec<Subscription> {
    // One filter for all topics below the same level: they may be hundreds a car.
    let beside = |topic: &String| match topic.rsplit_once('/') {
        Some((above, _)) => format!("{above}/+"),
        None => topic.clone(),
    };
    let known: BTreeSet<String> = scopes.topics.iter().map(beside).collect();
    let bases = scopes.bases.iter();
    let filters = known
        .into_iter()
        .chain(bases.clone().map(|base| format!("{base}/bridge/#")));
    let prefixes = scopes.prefixes.iter();
    let filters = filters.chain(prefixes.map(|prefix| format!("{prefix}/device/+/config")));
    let filters = filters.chain(bases.map(|base| format!("{base}/+/+")));
    filters.map(Subscription::plain).collect()
}

/// Parts our messages from other programs'.
struct OwnTopicFilter<'a> {
    scopes: &'a Scopes,
    /// The last levels of a car's topics.
    keys: BTreeSet<&'static str>,
    ours: BTreeSet<String>,
    /// Has the shape of a car's topic, if its level, base topic included, is one.
    perhaps: BTreeSet<String>,
    /// The topics in our discovery messages.
    announced: BTreeSet<String>,
}

impl<'a> OwnTopicFilter<'a> {
    fn new(scopes: &'a Scopes) -> Self {
        Self {
            scopes,
            keys: topics::keys_of_a_car().collect(),
            ours: BTreeSet::new(),
            perhaps: BTreeSet::new(),
            announced: BTreeSet::new(),
        }
    }

    fn take(&mut self, message: Incoming) {
        let Incoming { topic, payload, .. } = message;
        let Scopes {
            bases,
            prefixes,
            topics,
        } = self.scopes;
        let below = |base: &String| below(&topic, base);
        if topics.contains(&topic) || bases.iter().filter_map(below).any(is_bridges) {
            self.ours.insert(topic);
        } else if prefixes.iter().any(|prefix| is_discovery(&topic, prefix)) {
            if let Some(named) = bases.iter().find_map(|base| topics_below(&payload, base)) {
                self.ours.insert(topic);
                self.announced.extend(named);
            }
        } else if bases
            .iter()
            .filter_map(below)
            .any(|rest| rest.contains('/'))
        {
            self.perhaps.insert(topic);
        }
    }

    /// A level stands for a car if it is a VIN, or if our discovery messages say so: an alias that
    /// neither the configuration nor the state directory knows any more.
    fn ours(self) -> BTreeSet<String> {
        let levels: BTreeSet<&str> = self.announced.iter().filter_map(|of| level(of)).collect();
        let is_ours = |topic: &String| {
            let Some((level, key)) = topic.rsplit_once('/') else {
                return false;
            };
            let is_car = levels.contains(level)
                || self.scopes.bases.iter().any(|base| {
                    below(level, base)
                        .is_some_and(|car| Vin::new(car).is_ok_and(|vin| vin.as_str() == car))
                });
            self.announced.contains(topic) || (is_car && self.keys.contains(key))
        };
        let mut ours = self.ours;
        ours.extend(self.perhaps.into_iter().filter(is_ours));
        ours
    }
}

/// A topic without its last level.
fn level(topic: &str) -> Option<&str> {
    topic.rsplit_once('/').map(|(level, _)| level)
}

/// What of a topic stands below another.
fn below<'a>(topic: &'a str, base: &str) -> Option<&'a str> {
    topic.strip_prefix(base)?.strip_prefix('/')
}

/// Whether what stands below a base topic is the bridge's own: no car is called so.
fn is_bridges(rest: &str) -> bool {
    rest.starts_with("bridge/")
}

fn is_discovery(topic: &str, prefix: &str) -> bool {
    topic
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix("/device/"))
        .and_then(|rest| rest.strip_suffix("/config"))
        .is_some_and(|id| !id.contains('/'))
}

/// The topics of a discovery message that is signed by us, hangs on the bridge of `base`, and has
/// every topic under it. What a device is called does not tell: the bridge's name follows the base
/// topic, a car's is the same whoever announces it.
pub(super) fn topics_below(payload: &[u8], base: &str) -> Option<Vec<String>> {
    let message: Json = serde_json::from_slice(payload).ok()?;
    let mut topics = Vec::new();
    collect_topics(&message, &mut topics);
    let is_ours = message["o"]["name"] == ORIGIN
        && topics.contains(&state_topic(base).as_str())
        && topics.iter().all(|topic| below(topic, base).is_some());
    is_ours.then(|| topics.into_iter().map(str::to_owned).collect())
}

/// Home Assistant's short names of options that hold a topic are `t`, those that end in `_t`, and `~`
/// for what the others of a component begin with.
fn collect_topics<'a>(message: &'a Json, topics: &mut Vec<&'a str>) {
    match message {
        Json::Object(options) => {
            for (name, value) in options {
                match value {
                    Json::String(rest) if rest.starts_with('~') && options.contains_key("~") => {}
                    Json::String(topic)
                        if ["t", "~"].contains(&name.as_str()) || name.ends_with("_t") =>
                    {
                        topics.push(topic);
                    }
                    _ => collect_topics(value, topics),
                }
            }
        }
        Json::Array(values) => values
            .iter()
            .for_each(|value| collect_topics(value, topics)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::discovery::{self, EntityPrefixes, Setup};
    use crate::model::{Vehicle, Vin};
    use crate::topics::Paths;

    /// What is taken of these retained messages, at one place.
    fn ours(stored: &[(&str, &str)]) -> BTreeSet<String> {
        let scopes = Scopes {
            bases: BTreeSet::from(["tesla2mqtt".to_owned()]),
            prefixes: BTreeSet::from(["homeassistant".to_owned()]),
            topics: BTreeSet::from(["tesla2mqtt/my car/battery_level".to_owned()]),
        };
        let mut own_topics = OwnTopicFilter::new(&scopes);
        for (topic, payload) in stored {
            own_topics.take(Incoming {
                topic: (*topic).to_owned(),
                payload: payload.as_bytes().to_vec(),
                retain: true,
            });
        }
        own_topics.ours()
    }

    #[test]
    fn below_the_base_topic_only_our_own_shapes_are_ours() {
        let check =
            |topic, is_ours| assert_eq!(ours(&[(topic, "1")]).contains(topic), is_ours, "{topic}");
        check("tesla2mqtt/bridge/state", true);
        check("tesla2mqtt/5YJ3E1EA7KF000001/battery_level", true);
        check("tesla2mqtt/bridge/accounts/home/data_calls", true);
        check("tesla2mqtt/5YJ3E1EA7KF000001/snapshot", true);
        check("tesla2mqtt/5YJ3E1EA7KF000001/availability", true);
        check("tesla2mqtt/my car/battery_level", true);
        check("tesla2mqtt/my car/odometer", false);
        check("tesla2mqtt/5YJ3E1EA7KF000001/temperature", false);
        check("tesla2mqtt/5YJ3E1EA7KF000001/state/set", false);
        check("tesla2mqtt/5yj3e1ea7kf000001/state", false);
        check("tesla2mqtt/kitchen/state", false);
        check("tesla2mqtt/state", false);
        check("tesla2mqtt/bridge", false);
        check("tesla2mqtt2/bridge/state", false);
        check("tesla2mqtt", false);
        check("home/tesla2mqtt/bridge/state", false);
    }

    #[test]
    fn an_alias_that_nobody_remembers_is_known_by_what_was_announced() {
        let message = r#"{"o":{"name":"tesla2mqtt"},"avty":[{"t":"tesla2mqtt/bridge/state"}],
            "cmps":{"a":{"stat_t":"tesla2mqtt/old/of_before"}}}"#;
        let announced = "homeassistant/device/tesla2mqtt_5YJ3E1EA7KF000001/config";
        let taken = ours(&[
            ("tesla2mqtt/old/odometer", "1"),
            ("tesla2mqtt/old/of_before", "1"),
            ("tesla2mqtt/old/of_others", "1"),
            (announced, message),
        ]);
        let expected = [
            announced,
            "tesla2mqtt/old/odometer",
            "tesla2mqtt/old/of_before",
        ];
        assert_eq!(taken, expected.map(str::to_owned).into());
    }

    #[test]
    fn discovery_messages_of_devices_are_looked_into_and_no_others() {
        let check =
            |topic, looked| assert_eq!(is_discovery(topic, "homeassistant"), looked, "{topic}");
        check("homeassistant/device/tesla2mqtt_1/config", true);
        check("homeassistant/device/home_tesla_bridge/config", true);
        check("homeassistant/device/a/tesla2mqtt_1/config", false);
        check("homeassistant/device/tesla2mqtt_1/b/config", false);
        check("homeassistant/sensor/tesla2mqtt_1/config", false);
        check("hass/device/tesla2mqtt_1/config", false);
    }

    #[test]
    fn what_we_announce_is_ours_under_our_base_topic_alone() {
        let vin = Vin::new("5YJ3E7EB0KF000005").expect("a legal VIN");
        for commands in [false, true] {
            let setup = Setup {
                prefix: "homeassistant".into(),
                base: "home/tesla".into(),
                version: "0.1.0".into(),
                commands,
                entity_prefixes: EntityPrefixes::default(),
            };
            let car = Vehicle::new(vin.clone());
            let paths = Paths::new(&setup.base, &car.id(), Some("family car"));
            for message in [
                discovery::bridge(&setup, &["home"]),
                discovery::car(&car, &paths, &setup),
            ] {
                let payload = message.payload(&BTreeMap::new()).into_bytes();
                assert!(
                    topics_below(&payload, "home/tesla").is_some(),
                    "{}",
                    message.topic
                );
                for other in ["tesla2mqtt", "home", "home/tesla2", "home/tesla/bridge"] {
                    assert!(
                        topics_below(&payload, other).is_none(),
                        "{} {other}",
                        message.topic
                    );
                }
            }
        }
    }

    #[test]
    fn what_others_announce_is_not_ours() {
        for payload in [
            "",
            "theirs",
            "{}",
            "[]",
            "null",
            r#"{"o":"tesla2mqtt","cmps":{"a":{"avty_t":"tesla2mqtt/bridge/state"}}}"#,
            r#"{"o":{"name":"tesla2mqtt"},"cmps":{}}"#,
            r#"{"o":{"name":"tesla2mqtt"},"cmps":{"a":{"stat_t":"tesla2mqtt/a"}}}"#,
            r#"{"o":{"name":"tesla2mqtt"},"cmps":{"a":{"avty_t":"tesla2mqtt/bridge/state","cmd_t":"~/set"}}}"#,
            r#"{"o":{"name":"tesla2mqtt"},"cmps":{"a":{"avty_t":"tesla2mqtt/bridge/state","~":"b","cmd_t":"~/set"}}}"#,
            r#"{"o":{"name":"zigbee"},"cmps":{"a":{"avty_t":"tesla2mqtt/bridge/state"}}}"#,
            r#"{"o":{"name":"tesla2mqtt"},"cmps":{"a":{"avty_t":"tesla2mqtt/bridge/state"},"b":{"stat_t":"b"}}}"#,
        ] {
            assert!(
                topics_below(payload.as_bytes(), "tesla2mqtt").is_none(),
                "{payload}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_payload_is_too_strange(payload: Vec<u8>) {
            let _ = topics_below(&payload, "tesla2mqtt");
        }
    }
}
