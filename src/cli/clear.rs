//! `tesla2mqtt clear`: leaves the broker as if we had never been there.
//!
//! Retained messages outlive the program that published them, and Home Assistant keeps a device
//! for as long as its discovery message is there. Removes everything retained under the base
//! topic, and of the discovery messages those that carry our name; nobody else's.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::config;
use crate::mqtt::{Failure, Incoming, Session, Subscription, random_client_id, state_topic};

/// What the discovery messages of ours are called: `<prefix>/device/tesla2mqtt_…/config`.
pub const OBJECT_ID_PREFIX: &str = "tesla2mqtt_";

/// Silence after which every stored message is taken to have arrived. Brokers send them at once
/// after a subscription, without saying which is the last.
const QUIET: Duration = Duration::from_millis(700);

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
/// again afterwards, on a fresh connection.
///
/// # Errors
/// No connection, or the broker refuses to let us read or delete.
pub async fn clear(
    mqtt: &config::Mqtt,
    discovery_prefix: &str,
    also: &[String],
) -> Result<Cleared, Failure> {
    let found = stored(mqtt, discovery_prefix, also).await?;
    let id = random_client_id();
    let (mut session, _) = Session::connect(mqtt, &id).await?;
    session.delete(found.topics.iter().cloned()).await?;
    session.close().await;
    let left = stored(mqtt, discovery_prefix, also).await?.topics;
    Ok(Cleared {
        removed: found.topics.difference(&left).count(),
        left: left.into_iter().collect(),
        bridge_online: found.bridge_online,
    })
}

/// Runs the subcommand and says what was removed.
pub fn main(file: Option<PathBuf>) -> ExitCode {
    let settings = match config::load_from_disk(file.as_deref()) {
        Ok(loaded) => loaded.settings,
        Err(errors) => return super::wrong_configuration(&errors),
    };
    crate::api::tls::install_provider();
    super::on_one_thread(async move {
        let prefix = &settings.homeassistant.discovery_prefix;
        match clear(&settings.mqtt, prefix, &[]).await {
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
    subscriptions.extend(also.iter().map(Subscription::plain));
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
            || is_our_discovery(&message.topic, discovery_prefix)
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

fn is_our_discovery(topic: &str, prefix: &str) -> bool {
    topic
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix("/device/"))
        .and_then(|rest| rest.strip_suffix("/config"))
        .is_some_and(|id| id.starts_with(OBJECT_ID_PREFIX) && !id.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_carries_our_name_is_ours() {
        let check = |topic, ours| {
            let found = is_under(topic, "tesla2mqtt") || is_our_discovery(topic, "homeassistant");
            assert_eq!(found, ours, "{topic}");
        };
        check("tesla2mqtt/bridge/state", true);
        check("tesla2mqtt/5YJ3E1EA7KF000001/battery_level", true);
        check(
            "homeassistant/device/tesla2mqtt_5YJ3E1EA7KF000001/config",
            true,
        );
        check("tesla2mqtt2/bridge/state", false);
        check("tesla2mqtt", false);
        check("homeassistant/device/tesla_5YJ3E1EA7KF000001/config", false);
        check("homeassistant/device/zigbee/config", false);
        check("homeassistant/device/a/tesla2mqtt_1/config", false);
        check("homeassistant/device/tesla2mqtt_1/b/config", false);
        check("homeassistant/sensor/tesla2mqtt_1/config", false);
    }
}
