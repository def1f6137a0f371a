//! What version 0.1.0 kept instead of the manifest, in files of its own: taken over once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::compat::CarNumbers;
use crate::compat::teslamate::TeslaMateTopics;
use crate::config::Settings;
use crate::discovery::{self, Announced, EntityPrefixes, Setup};
use crate::model::{DeviceId, Vin};
use crate::retained::{Manifest, Owner};
use crate::topics::{self, Paths};

const BRIDGE: &str = "bridge.json";
const TESLAMATE: &str = "teslamate.json";
const REMOVALS: &str = "removals.json";
const CARS: &str = "cars";

/// `bridge.json`. The first versions of it had neither `base` nor `prefix`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OfBridge {
    base: String,
    prefix: String,
    accounts: BTreeSet<String>,
    bridge_keys: BTreeSet<String>,
    account_keys: BTreeSet<String>,
    announced: Announced,
}

/// `teslamate.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OfTeslaMate {
    numbers: CarNumbers,
    published: BTreeMap<Vin, TeslaMateScope>,
}

#[derive(Deserialize)]
struct TeslaMateScope {
    number: u32,
    namespace: Option<String>,
}

/// Whether there are files of that version which say what is at the broker.
pub(super) fn is_there(state_directory: &Path) -> bool {
    [BRIDGE, TESLAMATE, REMOVALS]
        .iter()
        .any(|name| state_directory.join(name).exists())
}

/// Takes them into the manifest, in which a later version may have written already.
pub(super) fn take_over(settings: &Settings, manifest: &mut Manifest) {
    let directory = &settings.state.directory;
    manifest.adopt_removals(read::<BTreeSet<String>>(&directory.join(REMOVALS)));
    of_the_bridge(settings, manifest);
    of_teslamate(directory, manifest);
    let entries = fs::read_dir(directory.join(CARS));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let vin = name.to_str().and_then(|name| name.strip_suffix(".json"));
        if let Some(vin) = vin.and_then(|vin| Vin::new(vin).ok()) {
            of_a_car(&vin, &read::<Json>(&entry.path()), manifest);
        }
    }
}

/// Removes them; what cars' files said is not written any more.
pub(super) fn remove(state_directory: &Path) {
    for name in [BRIDGE, TESLAMATE, REMOVALS] {
        let path = state_directory.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %path.display(), %error, "an old file cannot be removed");
            }
            _ => {}
        }
    }
}

fn of_the_bridge(settings: &Settings, manifest: &mut Manifest) {
    let path = settings.state.directory.join(BRIDGE);
    if !path.exists() {
        return;
    }
    let told: OfBridge = read(&path);
    let or_here = |told: String, here: &String| if told.is_empty() { here.clone() } else { told };
    let base = or_here(told.base, &settings.mqtt.base_topic);
    let prefix = or_here(told.prefix, &settings.homeassistant.discovery_prefix);
    let keys = told.bridge_keys.iter().map(String::as_str);
    let keys = keys.chain(["info", "state"]);
    manifest.adopt(
        &Owner::Bridge,
        keys.map(|key| topics::of_bridge(&base, key)),
    );
    for name in &told.accounts {
        let keys = told.account_keys.iter();
        let topics = keys.map(|key| topics::of_account(&base, name, key));
        manifest.adopt(&Owner::Account(name.clone()), topics);
    }
    if told.announced != Announced::default() {
        let topic = discovery::bridge_topic(&Setup {
            prefix,
            base,
            version: String::new(),
            commands: false,
            entity_prefixes: EntityPrefixes::default(),
        });
        manifest.announce(&topic, &told.announced);
        manifest.adopt(&Owner::BridgeDiscovery, [topic]);
    }
}

fn of_teslamate(state_directory: &Path, manifest: &mut Manifest) {
    let path = state_directory.join(TESLAMATE);
    if !path.exists() {
        return;
    }
    let kept: OfTeslaMate = read(&path);
    *manifest.numbers_mut() = kept.numbers;
    for (vin, place) in kept.published {
        let tree = TeslaMateTopics::new(place.number, place.namespace.as_deref());
        manifest.adopt(&Owner::TeslaMate(DeviceId::from(&vin)), tree.topics());
    }
}

/// Its parts are read each on its own: one that is damaged does not take the others with it.
fn of_a_car(vin: &Vin, file: &Json, manifest: &mut Manifest) {
    let id = DeviceId::from(vin);
    if let Some(paths) = part::<Option<Paths>>(file, "paths") {
        let published: BTreeSet<String> = part(file, "published");
        let keys = published.iter().map(String::as_str);
        let keys = keys.chain(["snapshot", "availability"]);
        let topics = keys.map(|key| paths.of(key));
        manifest.adopt(&Owner::Device(id.clone()), topics);
    }
    let announced: Announced = part(file, "announced");
    if let Some(prefix) = part::<Option<String>>(file, "prefix")
        && announced != Announced::default()
    {
        let topic = discovery::device_topic(&prefix, &id);
        manifest.announce(&topic, &announced);
        manifest.adopt(&Owner::Discovery(id), [topic]);
    }
}

fn part<T: DeserializeOwned + Default>(file: &Json, name: &str) -> T {
    T::deserialize(&file[name]).unwrap_or_default()
}

fn read<T: DeserializeOwned + Default>(path: &Path) -> T {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(file = %path.display(), %error, "an old file is damaged, going on without it");
            T::default()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => T::default(),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "an old file cannot be read, going on without it");
            T::default()
        }
    }
}
