//! Whether a car is connected, from the answer that does not ask the car itself.

use serde::{Deserialize, Serialize};

/// What a light call says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Light {
    /// The word in `state`.
    pub state: LightState,
    /// `in_service`.
    pub in_service: bool,
}

/// Tesla's `state` words; anything unknown or missing is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LightState {
    /// Connected to Tesla; may be awake or in a short self-check.
    Online,
    /// Announced sleep.
    Asleep,
    /// No connection; with many firmwares plain sleep.
    Offline,
    /// A word that is not listed, or none.
    Unknown,
}

impl LightState {
    /// Tesla's word, in whatever case.
    pub fn of(word: Option<&str>) -> Self {
        match word.map(str::to_ascii_lowercase).as_deref() {
            Some("online") => Self::Online,
            Some("asleep") => Self::Asleep,
            Some("offline") => Self::Offline,
            _ => Self::Unknown,
        }
    }
}
