//! The topic trees of other bridges, for those who switch and want to keep what reads them.
//!
//! Pure, and apart from the catalogue: these trees belong to others, whose names, units and words
//! are kept to the letter. Off unless the owner asks for one.

mod car_numbers;
pub mod teslamate;

pub use car_numbers::{CarNumbers, PinnedTwice};
