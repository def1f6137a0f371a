//! How a device is followed, kept and published.

use std::time::Duration;

use crate::compat::teslamate::TeslaMateTopics;
use crate::discovery::{Announced, Setup};
use crate::model::ClockSpeed;
use crate::policy::PolicyConfig;
use crate::topics::Paths;
use crate::trips::Tariff;

/// How a device is followed and published.
#[derive(Debug, Clone)]
pub struct Config {
    /// When to ask for what.
    pub policy: PolicyConfig,
    /// What a kilowatt-hour costs.
    pub tariff: Tariff,
    /// Without an answer about it for so long, the device is unavailable.
    pub unavailable_after: Duration,
    /// When what is worth keeping is written.
    pub saving: Saving,
    /// `None`: nothing is published.
    pub publishing: Option<Publishing>,
    /// How fast its clock runs.
    pub clock_speed: ClockSpeed,
}

/// When a device's saved form is written, apart from what a call or an answer stands on, which is
/// written before it.
#[derive(Debug, Clone, Copy)]
pub struct Saving {
    /// After a change that a kill should not take back.
    pub after: Duration,
    /// Without such a change.
    pub every: Duration,
}

impl Saving {
    /// Writing must not compete with the broker and its readers for the processor, and values that
    /// come again anyway are no reason to write.
    pub const TO_DISK: Self = Self {
        after: Duration::from_millis(100),
        every: Duration::from_mins(5),
    };
    /// Nobody writes.
    pub const NEVER: Self = Self {
        after: Duration::MAX,
        every: Duration::MAX,
    };
}

/// Where and how a device is published.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// Its topics.
    pub paths: Paths,
    /// What all discovery messages have in common.
    pub setup: Setup,
    /// Whether Home Assistant is told at all.
    pub homeassistant: bool,
    /// What an earlier run told it.
    pub announced: Announced,
    /// TeslaMate's topics, too.
    pub teslamate: Option<TeslaMateTopics>,
}
