//! `tesla2mqtt clear`: leaves the broker as if we had never been there.
//!
//! Retained messages outlive the program that published them, and Home Assistant keeps a device
//! for as long as its discovery message is there. Removes everything retained under the base
//! topic, and of the discovery messages those that we wrote about topics under it. Another bridge
//! on the same broker, with another base topic, keeps all of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value as Json;

use crate::mqtt::{Failure, Incoming, Session, Subscription, random_client_id, state_topic};
use crate::{bridge, config};

/// How we sign discovery messages.
const ORIGIN: &str = "tesla2mqtt";

/// Silence after which every stored message is taken to have arrived. Brokers send them at once
/// after a subscription, without saying which is the last.
pub(super) const QUIET: Duration = Duration::from_millis(700);

/// What was found and removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    /// Retained messages removed.
    pub removed: usize,
    /// Topics that came back or could not be removed.
    pub left: Vec<String>,
    /// A bridge seems to be running: it will publish them again.
    pub bridge_online: bool,
}

/// Removes what `base_topic` and `discovery_prefix` say is ours, and `also` in addition. Looks
/// again afterwards, on a fresh connection, and goes on while that shows more: a broker may drop
/// what is too much for one subscriber at once (mosquitto: beyond some 1,000 messages).
///
/// # Errors
/// No connection, or the broker refuses to let us read or delete.
pub async fn clear(
    mqtt: &config::Mqtt,
    discovery_prefix: &str,
    also: &[String],
) -> Result<Cleared, Failure> {
    let mut cleared = Cleared {
        removed: 0,
        left: Vec::new(),
        bridge_online: false,
    };
    let mut found = stored(mqtt, discovery_prefix, also).await?;
    loop {
        let id = random_client_id();
        let (mut session, _) = Session::connect(mqtt, &id).await?;
        session.delete(found.topics.iter().cloned()).await?;
        session.close().await;
        let left = stored(mqtt, discovery_prefix, also).await?;
        let removed = found.topics.difference(&left.topics).count();
        cleared.removed += removed;
        cleared.bridge_online |= found.bridge_online;
        // A running bridge would go on saying new things.
        if left.topics.is_empty() || removed == 0 || cleared.bridge_online {
            cleared.left = left.topics.into_iter().collect();
            return Ok(cleared);
        }
        found = left;
    }
}

/// Runs the subcommand and says what was removed.
pub fn main(file: Option<&Path>) -> ExitCode {
    let settings = match config::load_from_disk(file) {
        Ok(loaded) => loaded.settings,
        Err(errors) => return super::wrong_configuration(&errors),
    };
    crate::api::tls::install_provider();
    super::on_one_thread(async move {
        let prefix = &settings.homeassistant.discovery_prefix;
        let teslamates = bridge::teslamate_topics(&settings.state.directory);
        match clear(&settings.mqtt, prefix, &teslamates).await {
            Ok(cleared) => report(&cleared),
            Err(failure) => super::failed(&anyhow::anyhow!("mqtt: {failure}")),
        }
    })
}

fn report(cleared: &Cleared) -> ExitCode {
    super::say(&format!("removed {} retained messages\n", cleared.removed));
    if cleared.bridge_online {
        eprintln!(
            "a bridge is running with this base topic: stop it first, it publishes them again"
        );
    }
    for topic in &cleared.left {
        eprintln!("still there: {topic}");
    }
    if cleared.left.is_empty() && !cleared.bridge_online {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[derive(Default)]
struct Stored {
    topics: BTreeSet<String>,
    bridge_online: bool,
}

/// Collects the retained topics that are ours.
async fn stored(
    mqtt: &config::Mqtt,
    discovery_prefix: &str,
    also: &[String],
) -> Result<Stored, Failure> {
    let base = &mqtt.base_topic;
    let mut subscriptions = vec![
        Subscription::plain(format!("{base}/#")),
        Subscription::plain(format!("{discovery_prefix}/device/+/config")),
    ];
    // One filter for all topics below the same level: they may be a hundred a car.
    let beside = |topic: &String| match topic.rsplit_once('/') {
        Some((above, _)) => format!("{above}/+"),
        None => topic.clone(),
    };
    let filters: BTreeSet<String> = also.iter().map(beside).collect();
    subscriptions.extend(filters.into_iter().map(Subscription::plain));
    let online = state_topic(base);
    let mut stored = Stored::default();
    let mut take = |message: Incoming| {
        // A message without the flag is live traffic; an empty one is a removal.
        if !message.retain || message.payload.is_empty() {
            return;
        }
        if message.topic == online && message.payload == b"online" {
            stored.bridge_online = true;
        }
        let is_ours = is_under(&message.topic, base)
            || (is_discovery(&message.topic, discovery_prefix) && is_about(&message.payload, base))
            || also.contains(&message.topic);
        if is_ours {
            stored.topics.insert(message.topic);
        }
    };
    let id = random_client_id();
    let (mut session, _) = Session::connect(mqtt, &id).await?;
    session.listen(&subscriptions, QUIET, &mut take).await?;
    session.close().await;
    Ok(stored)
}

fn is_under(topic: &str, base: &str) -> bool {
    topic
        .strip_prefix(base)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn is_discovery(topic: &str, prefix: &str) -> bool {
    topic
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix("/device/"))
        .and_then(|rest| rest.strip_suffix("/config"))
        .is_some_and(|id| !id.contains('/'))
}

/// Whether a discovery message is signed by us, hangs on the bridge of `base`, and has every topic
/// under it. What a device is called does not tell: the bridge's name follows the base topic, a
/// car's is the same whoever announces it.
pub(super) fn is_about(payload: &[u8], base: &str) -> bool {
    let Ok(message) = serde_json::from_slice::<Json>(payload) else {
        return false;
    };
    let mut topics = Vec::new();
    collect_topics(&message, &mut topics);
    message["o"]["name"] == ORIGIN
        && topics.contains(&state_topic(base).as_str())
        && topics.iter().all(|topic| is_under(topic, base))
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
    use crate::discovery::{self, Setup};
    use crate::model::{Vehicle, Vin};
    use crate::topics::Paths;

    #[test]
    fn only_what_is_below_the_base_topic_is_ours() {
        let check = |topic, ours| assert_eq!(is_under(topic, "tesla2mqtt"), ours, "{topic}");
        check("tesla2mqtt/bridge/state", true);
        check("tesla2mqtt/5YJ3E1EA7KF000001/battery_level", true);
        check("tesla2mqtt2/bridge/state", false);
        check("tesla2mqtt", false);
        check("home/tesla2mqtt/bridge/state", false);
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
            };
            let car = Vehicle::new(vin.clone());
            let paths = Paths::new(&setup.base, &vin, Some("family car"));
            for message in [
                discovery::bridge(&setup, &["home"]),
                discovery::car(&car, &paths, &setup),
            ] {
                let payload = message.payload(&BTreeMap::new()).into_bytes();
                assert!(is_about(&payload, "home/tesla"), "{}", message.topic);
                for other in ["tesla2mqtt", "home", "home/tesla2", "home/tesla/bridge"] {
                    assert!(!is_about(&payload, other), "{} {other}", message.topic);
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
            assert!(!is_about(payload.as_bytes(), "tesla2mqtt"), "{payload}");
        }
    }

    proptest! {
        #[test]
        fn no_payload_is_too_strange(payload: Vec<u8>) {
            let _ = is_about(&payload, "tesla2mqtt");
        }
    }
}
