//! What calls cost and what an account may spend (sleep policy, sections 2 and 5.9).

use serde::{Deserialize, Serialize};

use super::interface::Ask;

/// A price class of the Fleet API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallClass {
    /// State and lists.
    Light,
    /// `vehicle_data` and other reads that reach the car.
    Data,
    /// Commands.
    Command,
    /// `wake_up`.
    Wake,
}

impl From<Ask> for CallClass {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Light => Self::Light,
            Ask::Data => Self::Data,
        }
    }
}

/// What a UTC month may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MonthlyLimit {
    /// Dollars, over all classes.
    Dollars(f64),
    /// Data calls; commands are not counted.
    DataCalls(u32),
}

/// Dollars a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// State and lists; believed free.
    pub light: f64,
    /// Reads that reach the car.
    pub data: f64,
    /// Commands.
    pub command: f64,
    /// `wake_up`.
    pub wake: f64,
}

impl Prices {
    /// Tesla's published prices of February 2025: 500 data calls, 1000 commands or 50 wakes a dollar.
    pub const FLEET: Self = Self {
        light: 0.0,
        data: 0.002,
        command: 0.001,
        wake: 0.02,
    };
    /// Nothing is billed.
    pub const FREE: Self = Self {
        light: 0.0,
        data: 0.0,
        command: 0.0,
        wake: 0.0,
    };

    /// The price of one call.
    pub fn of(&self, class: CallClass) -> f64 {
        match class {
            CallClass::Light => self.light,
            CallClass::Data => self.data,
            CallClass::Command => self.command,
            CallClass::Wake => self.wake,
        }
    }
}

/// What an account may spend.
#[derive(Debug, Clone, PartialEq)]
pub struct GovernorConfig {
    /// The budget; `None`: there is none.
    pub limit: Option<MonthlyLimit>,
    /// Prices.
    pub prices: Prices,
    /// The part of the budget that data never touches, so that commands always work; 0 to 1.
    pub reserve: f64,
    /// Light calls a minute, over all cars.
    pub light_per_minute: u32,
    /// Data calls a minute, over all cars.
    pub data_per_minute: u32,
}

impl GovernorConfig {
    /// The Fleet API with its monthly credit of ten dollars.
    pub fn metered() -> Self {
        Self {
            limit: Some(MonthlyLimit::Dollars(10.0)),
            prices: Prices::FLEET,
            reserve: 0.2,
            light_per_minute: 60,
            data_per_minute: 30,
        }
    }

    /// An API that bills nothing; only the caps hold.
    pub fn unmetered() -> Self {
        Self {
            limit: None,
            prices: Prices::FREE,
            ..Self::metered()
        }
    }
}
