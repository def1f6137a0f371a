//! Tesla's answers → observations. Field by field: one odd field costs one field.

mod envelope;
mod identity;
mod known;
pub mod products;
pub mod vehicle_data;

pub use envelope::{OpenAnswer, open, text};
pub use identity::refuse_another;
pub use known::IsKnown;

/// Why a body with status 200 is no answer. The texts never quote more of the body than the
/// server's own error words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, cut short, or not the shape asked for: something between Tesla and us spoke.
    #[error("the answer is not what was asked for: {0}")]
    Malformed(String),
    /// Well-formed, but `error` is set or `response` is null.
    #[error("tesla answered with an error instead of data: {0}")]
    Refused(String),
    /// About another car than the one that was asked for.
    #[error("the answer is about another car: {0}")]
    AnotherCar(String),
}
