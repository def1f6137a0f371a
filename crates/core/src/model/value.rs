//! One value of one signal, as Tesla typed it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A scalar. Tesla retypes fields between firmwares (0 / false, 72 / 72.0), so readers go
/// through the lenient accessors and never match on the variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` / `false`
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// Any other finite number.
    Float(f64),
    /// Text that means something: `"<invalid>"`, `"SNA"`, `""` and blanks never get here.
    Text(String),
}

impl Value {
    /// The number, also of an integer, a bool (old firmware sent one for the other) or a text that
    /// is nothing but a finite number (old telemetry configurations send text throughout).
    #[expect(
        clippy::cast_precision_loss,
        reason = "no fact of a car has more than 53 bits"
    )]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(b) => Some(f64::from(u8::from(*b))),
            Self::Int(i) => Some(*i as f64),
            Self::Float(f) => Some(*f),
            Self::Text(text) => text.parse().ok().filter(|n: &f64| n.is_finite()),
        }
    }

    /// True for `true` and for any number but 0: doors answer with bit masks. Text is read if it
    /// is `true` or `false`.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            Self::Int(i) => Some(*i != 0),
            Self::Float(f) => Some(*f != 0.0),
            Self::Text(text) => text.to_ascii_lowercase().parse().ok(),
        }
    }

    /// The text; numbers and bools are no text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The time, of seconds since 1970, or of milliseconds, which some bodies have in the same
    /// field (tesla-api.md, 4.1). 0 and 1 are junk.
    pub fn epoch(&self) -> Option<Timestamp> {
        let number = self.number()?;
        let seconds = if number > 1e11 { number / 1e3 } else { number };
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        (1e9..1e11)
            .contains(&seconds)
            .then(|| Timestamp::from_second(seconds as i64).ok())?
    }
}
