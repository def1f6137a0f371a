//! The part of an error that says what to do.

use std::fmt;

/// What the owner can do about it, in a few words without a full stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint(pub &'static str);

/// Of what cannot be kept in the state directory.
pub const CHECK_DISK: Hint = Hint("is the state directory full or read-only?");

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
