//! Odometer and battery level of one moment.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a car had driven and how full it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When.
    pub at: Timestamp,
    /// `vehicle_state.odometer`, miles.
    pub odometer_mi: Option<f64>,
    /// `charge_state.battery_level`, %.
    pub battery_level: Option<f64>,
}
