//! What is known about a car, in values without a clock or a connection.
//!
//! A [`Signal`] is one fact in Tesla's own words (`charge_state.battery_level`); an
//! [`Observation`] is a set of signals that one source saw at one time; a [`Vehicle`] keeps the
//! newest value of each signal with its time and source. Nothing downstream knows who spoke.

mod ids;
mod observation;
mod text;
mod time;
mod value;
mod vehicle;

pub use ids::{ApiId, DeviceId, DeviceKind, StreamId, Vin, VinError};
pub use observation::{Observation, Source};
pub use text::clip;
pub use time::Now;
pub use value::Value;
pub use vehicle::{Known, Signal, Vehicle};
