//! The bridge's own facts, under `<base>/bridge/<key>`, and their rows.

use jiff::Timestamp;

use super::reading::Reading;
use super::row::{Platform, Row};
use super::said::Said;

/// What the bridge knows about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeFacts {
    /// Its version.
    pub version: String,
    /// Start of the process.
    pub started_at: Timestamp,
    /// Cars that are followed.
    pub n_cars: usize,
    /// The newest error that a person should see; stays until the next, or `None`.
    pub last_error: Option<String>,
}

/// A row and where its value comes from.
#[derive(Debug, Clone, Copy)]
pub struct BridgeRow {
    /// What it is.
    pub row: Row,
    /// Its value.
    pub read: fn(&BridgeFacts) -> Said,
}

/// Every fact of the bridge but `state`, which is its availability.
#[rustfmt::skip]
pub const BRIDGE_ROWS: &[BridgeRow] = &[
    of(sensor("version",    "Version")   .diagnostic().icon("numeric"),              |facts| Said::text(&facts.version)),
    of(sensor("started_at", "Started")   .diagnostic().class("timestamp"),           |facts| Said::Time(facts.started_at)),
    of(sensor("cars",       "Cars")      .diagnostic().icon("car-multiple"),         |facts| Said::Text(facts.n_cars.to_string())),
    of(sensor("last_error", "Last error").diagnostic().icon("alert-circle-outline"), |facts| facts.last_error.as_deref().map_or(Said::Word("none"), Said::text)),
];

#[expect(clippy::large_types_passed_by_value, reason = "in constants only")]
const fn of(row: Row, read: fn(&BridgeFacts) -> Said) -> BridgeRow {
    BridgeRow { row, read }
}

const fn sensor(key: &'static str, name: &'static str) -> Row {
    Row::new(Platform::Sensor, key, name, Reading::Nothing)
}
