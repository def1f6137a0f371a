//! Vehicle + catalogue → Home Assistant's device discovery messages (home-assistant-mqtt.md).
//!
//! One retained message a car and one for the bridge. Pure builders make the wanted message; the
//! [`Announcer`] decides when to send it and how to take back what is no longer in it, because
//! leaving a component out does not remove it and two messages in quick succession lose parts.

mod announcer;
mod component;
mod entity_prefixes;
mod slug;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

pub use self::announcer::{AnnounceStep, Announced, Announcer};
use self::component::Body;
pub use self::component::platform;
pub use self::entity_prefixes::EntityPrefixes;
use self::entity_prefixes::id_end;
use crate::catalogue::{self, ACCOUNT_ENTITIES, BRIDGE_ENTITIES, Platform};
use crate::model::{DeviceId, Vehicle, clip, installed_version};
use crate::topics::{self, Paths};

/// What is the same in all messages of one bridge.
#[derive(Debug, Clone)]
pub struct Setup {
    /// First level of discovery topics.
    pub prefix: String,
    /// The base topic.
    pub base: String,
    /// The bridge's version.
    pub version: String,
    /// Whether cars may be commanded.
    pub commands: bool,
    /// What the entity ids of its devices begin with.
    pub entity_prefixes: EntityPrefixes,
}

/// A discovery message in parts, so that components can be compared and taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it is published.
    pub topic: String,
    /// Everything but the components.
    pub root: Map<String, Json>,
    /// What entity ids begin with.
    pub slug: String,
    /// Whether the slug is of the owner's name for it; else it is made up, and may yet change.
    pub is_named: bool,
    /// The components by key, without their entity ids.
    pub components: BTreeMap<String, Component>,
}

/// One component as text, without its entity id: the same as a tree weighs three times as much,
/// and a car has over three hundred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Home Assistant's word for what it is.
    pub platform: String,
    json: String,
}

impl From<Body> for Component {
    fn from(body: Body) -> Self {
        Self {
            platform: body["p"].as_str().unwrap_or_default().to_owned(),
            json: Json::from(body).to_string(),
        }
    }
}

impl Component {
    /// The tree of it.
    pub fn body(&self) -> Json {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// Adds it to a message, with its entity id in front.
    fn write(&self, key: &str, slug: &str, out: &mut String) {
        let object = key.to_ascii_lowercase().replace('-', "_");
        let entity_id = format!("{}.{slug}_{object}", self.platform);
        out.push_str("{\"def_ent_id\":");
        out.push_str(&Json::from(entity_id).to_string());
        out.push(',');
        out.push_str(&self.json[1..]);
    }
}

impl Message {
    /// The platforms by key.
    pub fn platforms(&self) -> BTreeMap<String, String> {
        self.components
            .iter()
            .map(|(key, component)| (key.clone(), component.platform.clone()))
            .collect()
    }

    /// The message, with those components that are `removed` (key → platform) in the form that
    /// takes an entity away: its platform and nothing else.
    pub fn payload(&self, removed: &BTreeMap<String, String>) -> String {
        let root = Json::from(self.root.clone()).to_string();
        let mut out = String::with_capacity(root.len() + self.components.len() * 320);
        out.push_str(&root[..root.len() - 1]);
        if !self.root.is_empty() {
            out.push(',');
        }
        out.push_str("\"cmps\":");
        let mut opening = '{';
        let gone = removed
            .keys()
            .filter(|key| !self.components.contains_key(*key));
        for key in self.components.keys().chain(gone) {
            out.push(opening);
            opening = ',';
            out.push_str(&Json::from(key.as_str()).to_string());
            out.push(':');
            match (removed.get(key), self.components.get(key)) {
                (Some(platform), _) => out.push_str(&json!({ "p": platform }).to_string()),
                (None, Some(component)) => component.write(key, &self.slug, &mut out),
                (None, None) => out.push_str("{}"),
            }
        }
        if opening == '{' {
            out.push('{');
        }
        out.push_str("}}");
        out.shrink_to_fit();
        out
    }
}

/// The topic of a device's message.
pub fn device_topic(prefix: &str, id: &DeviceId) -> String {
    format!("{prefix}/device/tesla2mqtt_{}/config", id.as_str())
}

/// The topic of the bridge's message.
pub fn bridge_topic(setup: &Setup) -> String {
    format!("{}/device/{}/config", setup.prefix, bridge_id(setup))
}

/// Two bridges on one broker differ in their base topic.
fn bridge_id(setup: &Setup) -> String {
    format!(
        "{}_bridge",
        slug::of_base(&setup.base).unwrap_or_else(|| "tesla2mqtt".into())
    )
}

/// The message of one car.
pub fn car(car: &Vehicle, paths: &Paths, setup: &Setup) -> Message {
    let model = catalogue::model_letter(car).map(model_name);
    let owners_name = catalogue::name(car)
        .map(|name| clip(name, 60))
        .filter(|name| !name.is_empty());
    let is_named = owners_name.is_some();
    let made_up = model.as_deref().unwrap_or("Tesla");
    let id = car.id();
    let slug = match &owners_name {
        Some(name) if slug::of_name(name, 1).is_some() => setup.entity_prefixes.choose(&id, name),
        _ => {
            let made_up = format!("{made_up} {}", id_end(&id, 4));
            setup.entity_prefixes.choose(&id, &made_up)
        }
    };
    let name = owners_name.unwrap_or_else(|| made_up.to_owned());
    let mut device = Map::new();
    device.insert("ids".into(), json!([format!("tesla_{}", id.as_str())]));
    device.insert("name".into(), name.into());
    device.insert("mf".into(), "Tesla".into());
    device.insert("sn".into(), car.vin.as_str().into());
    device.insert("via_device".into(), bridge_id(setup).into());
    let more = [
        ("mdl", model),
        ("mdl_id", car.text("vehicle_config.trim_badging").map(short)),
        ("sw", installed_version(car).map(short)),
        ("hw", car.text("vehicle_config.driver_assist").map(short)),
    ];
    for (key, value) in more {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            device.insert(key.into(), value.into());
        }
    }
    let mut root = root(device, setup);
    root.insert(
        "avty".into(),
        json!([{ "t": paths.bridge_state() }, { "t": paths.availability() }]),
    );
    root.insert("avty_mode".into(), "all".into());
    let components = catalogue::entities()
        .filter(|entity| entity.capability.admits(entity, car))
        .filter_map(|entity| {
            let body = component::of(entity, car, paths, setup.commands)?;
            Some((entity.key.to_owned(), body.into()))
        })
        .collect();
    Message {
        topic: device_topic(&setup.prefix, &id),
        root,
        slug,
        is_named,
        components,
    }
}

/// The message of the bridge itself, with the facts of its accounts.
pub fn bridge(setup: &Setup, accounts: &[&str]) -> Message {
    let id = bridge_id(setup);
    let mut device = Map::new();
    device.insert("ids".into(), json!([id]));
    device.insert("name".into(), "Tesla bridge".into());
    device.insert("mf".into(), "tesla2mqtt".into());
    device.insert("sw".into(), setup.version.clone().into());
    let state = format!("{}/bridge/state", setup.base);
    let mut components: BTreeMap<String, Component> = BRIDGE_ENTITIES
        .iter()
        .map(|of| {
            let topic = format!("{}/bridge/{}", setup.base, of.entity.key);
            let mut body = component::identity(&of.entity, Platform::Sensor, &id);
            component::sensor(&mut body, &of.entity, of.entity.class, &topic);
            body.insert("avty_t".into(), state.clone().into());
            (of.entity.key.to_owned(), body.into())
        })
        .collect();
    components.insert("connection".into(), connection(&id, &state).into());
    for name in accounts {
        for of in ACCOUNT_ENTITIES {
            let key = format!("{name}_{}", of.entity.key);
            let topic = topics::of_account(&setup.base, name, of.entity.key);
            let mut body = component::identity(&of.entity, Platform::Sensor, &id);
            component::sensor(&mut body, &of.entity, of.entity.class, &topic);
            body.insert("uniq_id".into(), format!("{id}_{key}").into());
            body.insert("name".into(), format!("{} ({name})", of.entity.name).into());
            body.insert("avty_t".into(), state.clone().into());
            components.insert(key, body.into());
        }
    }
    Message {
        topic: bridge_topic(setup),
        root: root(device, setup),
        slug: id,
        is_named: true,
        components,
    }
}

/// The bridge's availability as an entity: it must be available while the bridge is not.
fn connection(id: &str, state: &str) -> Body {
    let body = json!({
        "p": "binary_sensor",
        "uniq_id": format!("{id}_connection"),
        "name": "Connection",
        "ent_cat": "diagnostic",
        "dev_cla": "connectivity",
        "stat_t": state,
        "pl_on": "online",
        "pl_off": "offline",
    });
    body.as_object().cloned().unwrap_or_default()
}

fn root(device: Map<String, Json>, setup: &Setup) -> Map<String, Json> {
    let mut root = Map::new();
    root.insert("dev".into(), device.into());
    let origin = json!({ "name": "tesla2mqtt", "sw": setup.version });
    root.insert("o".into(), origin);
    root
}

fn model_name(letter: &str) -> String {
    match letter {
        "S" | "3" | "X" | "Y" => format!("Model {letter}"),
        other => other.to_owned(),
    }
}

fn short(text: &str) -> String {
    clip(text, 40)
}
