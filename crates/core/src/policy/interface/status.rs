//! What the policy believes, for the topics and the log.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{HoldReason, State};
use super::step::Why;
use crate::model::LightState;

/// What the policy believes, for the topics and the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Since when, by the calendar.
    pub since: Timestamp,
    /// Every hold seen in the last data.
    pub holds: Vec<HoldReason>,
    /// When the next call is due, by the calendar; `None` while stopped.
    pub next_poll_at: Option<Timestamp>,
    /// The state's own interval between two calls; `None` while nothing is asked.
    pub interval: Option<Duration>,
    /// Why nothing is asked before that.
    pub why: Why,
    /// The raw `state` word of the newest light answer.
    pub light: Option<LightState>,
    /// The state is what was seen last, and cannot be confirmed at present.
    pub stale: bool,
    /// What a person must know or do.
    pub problem: Option<Problem>,
    /// Whether data calls keep the car awake.
    pub class: Class,
    /// How that came to be believed.
    pub belief: Belief,
    /// Learned time from last use to asleep (90th percentile).
    pub time_to_sleep: Option<Duration>,
    /// How the car last fell asleep: `true` in Quiet, `false` under polling.
    pub last_sleep_in_quiet: Option<bool>,
    /// Time awake this UTC day.
    pub awake_today: Duration,
    /// Light calls asked this UTC day.
    pub light_calls_today: u32,
    /// Data calls asked this UTC day.
    pub data_calls_today: u32,
    /// The budget's stretch.
    pub budget_factor: f64,
    /// Brief wakes are recognised and left alone.
    pub wake_guard_armed: bool,
}

/// What a person must know or do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// Sign in again.
    SignedOut,
    /// The billing limit of the app is reached.
    BillingLimit,
    /// Tesla refuses what is asked.
    Refused,
    /// The login lacks a permission.
    MissingScope,
    /// Tesla does not know the car that its list shows.
    NotFound,
    /// Tesla limits the rate of calls, and has for long.
    Limited,
    /// The car is on no account's list.
    Removed,
}

/// Whether data calls keep the car awake (sleep policy, section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Each data call restarts its sleep countdown.
    Held,
    /// It sleeps although it is polled.
    NotHeld,
    /// Not known yet.
    Unknown,
}

/// How the class came to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Belief {
    /// Nobody knows.
    None,
    /// By the VIN.
    Guessed,
    /// By the car's own sleeps.
    Learned,
    /// By the owner.
    Pinned,
}

impl Class {
    /// The word that is published, `None` while nobody knows.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Held => Some("held"),
            Self::NotHeld => Some("not_held"),
            Self::Unknown => None,
        }
    }
}

impl Belief {
    /// The word that is published.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Guessed => "guessed",
            Self::Learned => "learned",
            Self::Pinned => "pinned",
        }
    }
}
