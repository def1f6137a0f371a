//! What is known about a car, in values without a clock or a connection.
//!
//! A [`Signal`] is one fact in Tesla's own words (`charge_state.battery_level`); an
//! [`Observation`] is a set of signals that one source saw at one time; a [`Vehicle`] keeps the
//! newest value of each signal with its time and source. Nothing downstream knows who spoke. A
//! [`CarRecord`] is what a vehicle says of what it is doing, for all who decide by it.

mod charging_state;
mod clock_speed;
mod gear;
mod ids;
mod light;
mod observation;
pub mod plausibility;
mod reading;
mod record;
mod software_update;
mod text;
mod time;
mod value;
mod vehicle;

pub use charging_state::ChargingState;
pub use clock_speed::ClockSpeed;
pub use gear::Gear;
pub use ids::{ApiId, DeviceId, DeviceIdError, DeviceKind, StreamId, Vin, VinError};
pub use light::{Light, LightState};
pub use observation::{Observation, Source};
pub use reading::Reading;
pub use record::CarRecord;
pub use software_update::{SoftwareUpdate, UpdateStatus, installed_version};
pub use text::clip;
pub use time::Now;
pub use value::Value;
pub use vehicle::{Known, Signal, Vehicle};
