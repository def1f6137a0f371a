//! What one source saw at one time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Signal, Value};

/// Who spoke. Sources are equal: the newest time wins, whoever it was. Only the bridge has no time
/// but that of its own clock, and is believed as it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The light call: state and identity only.
    Light,
    /// The account's product list, which says the same without being asked about one car; published
    /// by the same word.
    #[serde(rename = "light", skip_deserializing)]
    List,
    /// `vehicle_data`.
    Data,
    /// A source that speaks by itself.
    Push,
    /// The bridge itself: policy state, counters, derived facts.
    Bridge,
}

/// A set of signals seen together.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Who saw them.
    pub source: Source,
    /// When they were true: the car's own time stamp where it is sane, else the time of arrival.
    pub at: Timestamp,
    /// Groups (`"drive_state"`) that this observation shows whole: a signal of the group that is
    /// not listed has vanished and becomes unknown (Tesla drops route keys at the end of a route).
    pub whole_groups: Vec<&'static str>,
    /// The signals; `None` is a field that Tesla sent as null or null-like.
    pub signals: Vec<(Signal, Option<Value>)>,
}
