//! A demo on somebody's broker. Home Assistant knows a car by its VIN, so that the topic of its
//! announcement is the same whoever announces it: a demo that played a car which is followed for
//! real, or a second demo, would take that topic over and delete it at its end. So the demo looks
//! before it begins, and takes nothing away that was not its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::bail;

use crate::bridge::{self, Scopes};
use crate::cli::clear;
use crate::config::Settings;
use crate::discovery;
use crate::model::{DeviceId, Vin};
use crate::mqtt::{Incoming, OneShotClient, Subscription, random_client_id, state_topic};

/// A broker that went away does not hold up the end for longer.
const CLEAR_MAX: Duration = Duration::from_secs(10);

/// Makes sure that nobody runs below this base topic and that nobody else announces one of these
/// cars. What an earlier demo with the same base topic left behind is taken up again.
pub(super) async fn check(settings: &Settings, cars: &BTreeSet<Vin>) -> anyhow::Result<()> {
    let base = &settings.mqtt.base_topic;
    let prefix = &settings.homeassistant.discovery_prefix;
    let online = state_topic(base);
    let announcements: BTreeMap<String, &Vin> = cars
        .iter()
        .map(|vin| (discovery::device_topic(prefix, &DeviceId::from(vin)), vin))
        .collect();
    let topics = announcements.keys().chain([&online]).cloned();
    let subscriptions: Vec<Subscription> = topics.map(Subscription::plain).collect();

    let mut is_online = false;
    let mut others_car = None;
    let take = |message: Incoming| {
        if message.topic == online {
            is_online = message.payload == b"online";
        } else if let Some(vin) = announcements.get(&message.topic)
            && !message.payload.is_empty()
            && clear::topics_below(&message.payload, base).is_none()
        {
            others_car = Some(*vin);
        }
    };
    read_stored(settings, &subscriptions, take)
        .await
        .map_err(|failure| anyhow::anyhow!("--broker: {failure}"))?;
    if is_online {
        bail!(
            "--broker: another demo or bridge publishes below {base} there; end it, or name \
             another --base-topic"
        );
    }
    if let Some(vin) = others_car {
        bail!(
            "--broker: car {} is announced to Home Assistant there by another demo or bridge; end \
             that demo, or run this one without --broker",
            vin.as_str()
        );
    }
    Ok(())
}

async fn read_stored(
    settings: &Settings,
    subscriptions: &[Subscription],
    take: impl FnMut(Incoming),
) -> Result<(), crate::mqtt::BrokerFailure> {
    let id = random_client_id();
    let (mut client, _) = OneShotClient::connect(&settings.mqtt, &id).await?;
    client
        .listen(subscriptions, clear::SCAN_PAUSE, take)
        .await?;
    client.close().await;
    Ok(())
}

/// Leaves somebody's broker as it was found.
pub(super) async fn remove_published(settings: &Settings) {
    let scopes = own_scopes(bridge::scopes(settings), settings);
    let cleared = clear::clear(&settings.mqtt, &scopes);
    let complaint = match tokio::time::timeout(CLEAR_MAX, cleared).await {
        Ok(Ok(cleared)) if cleared.left.is_empty() => return,
        Ok(Ok(cleared)) => format!("still there: {}", cleared.left.join(", ")),
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => "the broker does not answer".to_owned(),
    };
    tracing::warn!(
        base_topic = settings.mqtt.base_topic,
        "not everything that the demo published could be removed: {complaint}"
    );
}

/// Without whatever else the state directory remembers: the directory may have been a bridge's.
fn own_scopes(all: Scopes, settings: &Settings) -> Scopes {
    let base = &settings.mqtt.base_topic;
    let below = format!("{base}/");
    let topics = all.topics.into_iter();
    Scopes {
        bases: BTreeSet::from([base.clone()]),
        prefixes: BTreeSet::from([settings.homeassistant.discovery_prefix.clone()]),
        topics: topics.filter(|topic| topic.starts_with(&below)).collect(),
    }
}
