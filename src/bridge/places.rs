//! Everywhere that a bridge speaks or, as far as its state directory knows, ever spoke: `clear`
//! looks there. The configuration alone would not do: it may be another one since.

use std::collections::BTreeSet;

use super::{memory, own, publishing, removals, teslamate};
use crate::config::Settings;
use crate::mqtt::base_of_state_topic;
use crate::topics::CarTopics;

/// Where to look for what is ours.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Base topics.
    pub bases: BTreeSet<String>,
    /// Home Assistant's discovery prefixes.
    pub prefixes: BTreeSet<String>,
    /// Topics that are ours by their full names: those of cars whose level the configuration or
    /// their memory names, TeslaMate's, and what is still to be removed.
    pub topics: BTreeSet<String>,
}

/// The places of a configuration and of its state directory.
pub fn places(settings: &Settings) -> Places {
    let directory = &settings.state.directory;
    let mut places = Places {
        bases: BTreeSet::from([settings.mqtt.base_topic.clone()]),
        prefixes: BTreeSet::from([settings.homeassistant.discovery_prefix.clone()]),
        topics: removals::left(directory),
    };
    // What Home Assistant was told of an earlier base topic may stand where it is told of this one,
    // and is no removal then.
    let of_before = places
        .topics
        .iter()
        .filter_map(|topic| base_of_state_topic(topic));
    places.bases.extend(of_before.map(str::to_owned));
    places.topics.extend(teslamate::published_topics(directory));
    for vin in settings.cars.keys() {
        let paths = publishing::paths(settings, vin);
        places.topics.extend(CarTopics::every_topic(&paths));
    }
    for (_, memory) in memory::all(directory) {
        let device = memory.device;
        if let Some(paths) = device.paths {
            let published = device.published.iter().map(|key| paths.of(key));
            places.topics.extend(published);
            places.topics.extend(CarTopics::every_topic(&paths));
            places.bases.insert(paths.base().to_owned());
        }
        places.prefixes.extend(device.prefix);
    }
    if let Some((base, prefix)) = own::told_at(settings) {
        places.bases.insert(base);
        places.prefixes.insert(prefix);
    }
    places
}
