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
    const WORDS: [(&'static str, Self); 7] = [
        ("Disconnected", Self::Disconnected),
        ("Stopped", Self::Stopped),
        ("NoPower", Self::NoPower),
        ("Starting", Self::Starting),
        ("Charging", Self::Charging),
        ("Complete", Self::Complete),
        ("Calibrating", Self::Calibrating),
    ];

    /// By Tesla's word, in any case of its letters.
    pub fn of(word: &str) -> Self {
        let listed = Self::WORDS
            .iter()
            .find(|(listed, _)| listed.eq_ignore_ascii_case(word));
        listed.map_or(Self::Unlisted, |(_, state)| *state)
    }

    /// Of a car; none while it does not say.
    pub fn of_car(car: &Vehicle) -> Option<Self> {
        car.text(SIGNAL).map(Self::of)
    }

    /// Tesla's word.
    pub fn word(self) -> &'static str {
        let listed = Self::WORDS.iter().find(|(_, state)| *state == self);
        listed.map_or("Unlisted", |(word, _)| word)
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
        for (word, state) in ChargingState::WORDS {
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
