//! Where things are published, by the configuration.

use crate::config::Settings;
use crate::discovery::{EntityPrefixes, Setup};
use crate::model::{DeviceId, Vin};
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

/// The topics of a car, under its alias if it has one.
pub(super) fn paths(settings: &Settings, vin: &Vin) -> Paths {
    let alias = settings.cars.get(vin).and_then(|car| car.alias.as_deref());
    Paths::new(&settings.mqtt.base_topic, &DeviceId::from(vin), alias)
}
