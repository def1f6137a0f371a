//! Everywhere that a bridge publishes or, as far as its state directory knows, ever published:
//! `clear` looks there. The configuration alone would not do: it may be another one since.

use std::collections::BTreeSet;

use super::{publishing, retained};
use crate::config::Settings;
use crate::model::DeviceId;
use crate::mqtt::base_of_state_topic;
use crate::topics::CarTopics;

/// Where to look for what is ours.
#[derive(Debug, Clone, Default)]
pub struct Scopes {
    /// Base topics.
    pub bases: BTreeSet<String>,
    /// Home Assistant's discovery prefixes.
    pub prefixes: BTreeSet<String>,
    /// Topics that are ours by their full names: all that the manifest knows, and those of cars
    /// whose level the configuration names.
    pub topics: BTreeSet<String>,
}

/// The scopes of a configuration and of its state directory.
pub fn scopes(settings: &Settings) -> Scopes {
    let manifest = retained::read(settings);
    let mut scopes = Scopes {
        bases: BTreeSet::from([settings.mqtt.base_topic.clone()]),
        prefixes: BTreeSet::from([settings.homeassistant.discovery_prefix.clone()]),
        topics: manifest.topics(),
    };
    // What Home Assistant was told of an earlier base topic may stand where it is told of this one,
    // and is no removal then.
    let known = scopes.topics.iter();
    let bases = known.clone().filter_map(|topic| base_of_state_topic(topic));
    let prefixes = known.filter_map(|topic| prefix_of_discovery_topic(topic));
    scopes.bases.extend(bases.map(str::to_owned));
    scopes.prefixes.extend(prefixes.map(str::to_owned));
    // A discovery message may be another bridge's by now, which follows the same car: below its prefix
    // it is looked at first.
    let removals: BTreeSet<&String> = manifest.removals().collect();
    scopes
        .topics
        .retain(|topic| prefix_of_discovery_topic(topic).is_none() || removals.contains(topic));
    for vin in settings.cars.keys() {
        let paths = publishing::paths(settings, &DeviceId::from(vin));
        scopes.topics.extend(CarTopics::every_topic(&paths));
    }
    scopes
}

/// The prefix, if this is the topic of a discovery message.
fn prefix_of_discovery_topic(topic: &str) -> Option<&str> {
    let (prefix, _) = topic.strip_suffix("/config")?.rsplit_once("/device/")?;
    Some(prefix)
}
