//! Where things are published, by the configuration.

use crate::config::Settings;
use crate::discovery::{EntityPrefixes, Setup};
use crate::model::DeviceId;
use crate::topics::Paths;

/// What all discovery messages of this bridge have in common.
pub(super) fn setup(settings: &Settings) -> Setup {
    Setup {
        prefix: settings.homeassistant.discovery_prefix.clone(),
        base: settings.mqtt.base_topic.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commands: false,
        entity_prefixes: EntityPrefixes::default(),
    }
}

/// The topics of a device, under its alias if it has one.
pub(super) fn paths(settings: &Settings, id: &DeviceId) -> Paths {
    Paths::new(&settings.mqtt.base_topic, id, alias(settings, id))
}

/// The owner's name for a device in topics, if there is one.
pub(super) fn alias<'a>(settings: &'a Settings, id: &DeviceId) -> Option<&'a str> {
    let mut cars = settings.cars.iter();
    let (_, car) = cars.find(|(vin, _)| vin.as_str() == id.as_str())?;
    car.alias.as_deref()
}
