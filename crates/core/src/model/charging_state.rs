//! What the charge port does, from Tesla's word.

use serde::{Deserialize, Serialize};

use super::Vehicle;

/// Tesla's `charging_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ChargingState {
    /// No cable.
    Disconnected,
    /// Plugged in, not charging.
    Stopped,
    /// Plugged in, and the other end has no power.
    NoPower,
    /// About to charge; it may come to nothing.
    Starting,
    /// Current flows.
    Charging,
    /// At the limit.
    Complete,
    /// Measures its battery, with older firmware.
    Calibrating,
    /// A word that is not listed.
    Unlisted,
}

/// The signal that tells it.
const SIGNAL: &str = "charge_state.charging_state";

impl ChargingState {
    /// Each word of Tesla's that is known.
    pub const LISTED: [Self; 7] = [
        Self::Starting,
        Self::Charging,
        Self::Stopped,
        Self::Complete,
        Self::Disconnected,
        Self::NoPower,
        Self::Calibrating,
    ];

    /// By Tesla's word, in any case of its letters.
    pub fn of(word: &str) -> Self {
        let is_its = |state: &&Self| state.word().eq_ignore_ascii_case(word);
        let listed = Self::LISTED.iter().find(is_its);
        listed.copied().unwrap_or(Self::Unlisted)
    }

    /// Of a car; none while it does not say.
    pub fn of_car(car: &Vehicle) -> Option<Self> {
        car.text(SIGNAL).map(Self::of)
    }

    /// Tesla's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disconnected => "Disconnected",
            Self::Stopped => "Stopped",
            Self::NoPower => "NoPower",
            Self::Starting => "Starting",
            Self::Charging => "Charging",
            Self::Complete => "Complete",
            Self::Calibrating => "Calibrating",
            Self::Unlisted => "Unlisted",
        }
    }

    /// The word that is published.
    pub const fn published(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Stopped => "stopped",
            Self::NoPower => "no_power",
            Self::Starting => "starting",
            Self::Charging => "charging",
            Self::Complete => "complete",
            Self::Calibrating => "calibrating",
            Self::Unlisted => "unlisted",
        }
    }

    /// Whether it charges or is about to; none where the word does not say.
    pub fn is_charging(self) -> Option<bool> {
        match self {
            Self::Starting | Self::Charging => Some(true),
            Self::Disconnected | Self::Stopped | Self::NoPower | Self::Complete => Some(false),
            Self::Calibrating | Self::Unlisted => None,
        }
    }

    /// Whether a cable is in; none where the word does not say.
    pub fn is_plugged_in(self) -> Option<bool> {
        match self {
            Self::Disconnected => Some(false),
            Self::Calibrating | Self::Unlisted => None,
            _ => Some(true),
        }
    }

    /// A word for a charge that is none of the usual ones: what it turns into is not known.
    pub fn is_odd(self) -> bool {
        matches!(self, Self::Calibrating | Self::Unlisted)
    }
}

impl From<String> for ChargingState {
    fn from(word: String) -> Self {
        Self::of(&word)
    }
}

impl From<ChargingState> for String {
    fn from(state: ChargingState) -> Self {
        state.word().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_becomes_its_state_and_is_written_as_itself() {
        for state in ChargingState::LISTED {
            let word = state.word();
            assert_eq!(ChargingState::of(word), state);
            assert_eq!(ChargingState::of(&word.to_lowercase()), state);
            let written = serde_json::to_string(&state).unwrap();
            assert_eq!(written, format!("\"{word}\""));
            assert_eq!(
                serde_json::from_str::<ChargingState>(&written).unwrap(),
                state
            );
        }
        assert_eq!(ChargingState::of("Dreaming"), ChargingState::Unlisted);
    }
}
