//! The rows, by topic. One line a row: kind, key, name, reading, then only what is not usual.

mod charging;
mod climate;
mod closures;
mod connectivity;
mod drive_units;
mod driving;
mod media;
mod security;
mod software;
mod tires;

use super::capability::Capability;
use super::entity::{Entity, Limits, Platform};
use super::extractor::Extractor;

/// A group of rows and its heading in the documentation.
#[derive(Debug)]
pub struct Table {
    /// The heading.
    pub heading: &'static str,
    /// The rows.
    pub entities: &'static [Entity],
}

/// Every group.
pub const TABLES: &[Table] = &[
    table("Connectivity", connectivity::ROWS),
    table("Charging and battery", charging::ROWS),
    table("Driving and navigation", driving::ROWS),
    table("Drive units and pedals", drive_units::ROWS),
    table("Climate", climate::ROWS),
    table("Closures", closures::ROWS),
    table("Security and assistance", security::ROWS),
    table("Tires", tires::ROWS),
    table("Software and configuration", software::ROWS),
    table("Media", media::ROWS),
];

const fn table(heading: &'static str, entities: &'static [Entity]) -> Table {
    Table { heading, entities }
}

macro_rules! kinds {
    ($($kind:ident $platform:ident)*) => {$(
        const fn $kind(key: &'static str, name: &'static str, reading: Extractor) -> Entity {
            Entity::new(Platform::$platform, key, name, reading)
        }
    )*};
}

kinds! {
    sensor  Sensor
    binary  BinarySensor
    switch  Switch
    select  Select
    number  Number
    cover   Cover
    lock    Lock
    button  Button
    text    Text
    tracker DeviceTracker
    climate Climate
    update  Update
    event   Event
}
