//! The table of every fact that is published, and the short walkers on it.
//!
//! Topics, discovery, the snapshot and `docs/entities.md` are all derived from these rows; adding
//! an entity is adding a row. Payloads are plain values for every reader, not Home Assistant's:
//! `on` / `off`, `open` / `closed`, `locked` / `unlocked`, lower snake_case
//! words, numbers in the car's own unit, RFC 3339 times in UTC, `None` for unknown.
//!
//! Rows read Tesla's signals by their path in `vehicle_data`, the bridge's own facts as
//! `bridge.<name>` ([`BRIDGE_SIGNALS`]), and what only a streaming car reports as
//! `telemetry.<Field>`: such a row is silent and unannounced until a source brings it.

mod bridge;
mod capability;
mod derived;
mod document;
mod entity;
mod extractor;
mod tables;
mod value;
mod words;

pub use self::bridge::{
    ACCOUNT_ENTITIES, AccountEntity, BRIDGE_ENTITIES, BridgeEntity, BridgeFacts,
};
pub use self::capability::Capability;
pub use self::derived::{model_letter, name};
pub use self::document::{YARDSTICK_ENTITIES, document};
pub use self::entity::{Category, Entity, Limits, Platform};
pub use self::extractor::Extractor;
pub use self::tables::{TABLES, Table};
pub use self::value::{EntityValue, number, seconds, snake_case};

/// What the bridge says about a car, as signals of an observation of its own.
///
/// `state` is one of `starting`, `online`, `driving`, `charging`, `updating`, `suspended`,
/// `asleep`, `offline`, `in_service`, `paused`, `signed_out`; the times are seconds since 1970;
/// `polling_interval` and `time_to_sleep` are in seconds, `awake_today` in minutes; `holds` is words
/// joined by commas, or `none`; `why` says why nothing is asked before `next_poll`; `class` is `held` or `not_held`, `belief` one of `guessed`,
/// `learned`, `pinned`, `none`; `last_sleep` is `left_alone` or `by_itself`.
pub const BRIDGE_SIGNALS: &[&str] = &[
    "bridge.state",
    "bridge.state_since",
    "bridge.last_update",
    "bridge.next_poll",
    "bridge.why",
    "bridge.polling_interval",
    "bridge.holds",
    "bridge.healthy",
    "bridge.class",
    "bridge.belief",
    "bridge.time_to_sleep",
    "bridge.last_sleep",
    "bridge.awake_today",
    "bridge.light_calls_today",
    "bridge.data_calls_today",
];

/// What can happen: the names under `<base>/<VIN>/event/`, and the `event_type` of the message.
pub const EVENTS: &[&str] = &[
    "drive_started",
    "drive_finished",
    "charge_started",
    "charge_finished",
    "update_started",
    "update_finished",
    "missed_drive",
    "missed_charge",
    "door_opened",
    "door_closed",
    "sentry_on",
    "sentry_off",
    "sentry_alarm",
];

/// Facts that other integrations have and we leave out, with the reason.
pub const LEFT_OUT: &[(&str, &str)] = &[
    (
        "bluetooth",
        "needs a Bluetooth radio in the bridge, which has none",
    ),
    (
        "bluetooth_session",
        "needs a Bluetooth radio in the bridge, which has none",
    ),
    ("teslamate_id", "names a car inside another product"),
    (
        "elevation",
        "needs terrain data; the car does not report it",
    ),
    (
        "geofence",
        "zones of the reader's own do it better, from `location`",
    ),
    (
        "media",
        "MQTT has no media player in Home Assistant: the `media_*` rows instead",
    ),
];

/// Every row.
pub fn entities() -> impl Iterator<Item = &'static Entity> {
    TABLES.iter().flat_map(|table| table.entities)
}

/// The row of a key.
pub fn find(key: &str) -> Option<&'static Entity> {
    entities().find(|entity| entity.key == key)
}
