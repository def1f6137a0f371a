//! The gear, from Tesla's letter.

use serde::{Deserialize, Serialize};

use super::Vehicle;

/// A gear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Gear {
    /// Parked.
    P,
    /// Reverse.
    R,
    /// Neutral.
    N,
    /// Drive.
    D,
}

/// The signal that tells it.
const SHIFT_STATE: &str = "drive_state.shift_state";

impl Gear {
    /// By Tesla's letter, large or small; none for any other word.
    pub fn of(letter: &str) -> Option<Self> {
        match letter {
            "P" | "p" => Some(Self::P),
            "R" | "r" => Some(Self::R),
            "N" | "n" => Some(Self::N),
            "D" | "d" => Some(Self::D),
            _ => None,
        }
    }

    /// Of a car. Most models say null when they are parked; none before the car told of its drive
    /// at all, and of a word that is not listed.
    pub fn of_car(car: &Vehicle) -> Option<Self> {
        match car.value(SHIFT_STATE) {
            Some(value) => value.text().and_then(Self::of),
            None => car.has_seen("drive_state").then_some(Self::P),
        }
    }

    /// A car rolling in neutral drives too.
    pub fn is_driving(self) -> bool {
        self != Self::P
    }

    /// The word that is published.
    pub fn word(self) -> &'static str {
        match self {
            Self::P => "p",
            Self::R => "r",
            Self::N => "n",
            Self::D => "d",
        }
    }
}
