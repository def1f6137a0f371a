//! What the policy wants to be done, and why not now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A call that the policy may want. Neither of them wakes a car; waking is a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// `GET /vehicles/{id}`: reports `state`, is believed free, never touches the car.
    Light,
    /// `GET /vehicles/{id}/vehicle_data`: billed; 408 unless the car is online; restarts the
    /// sleep countdown of a held car.
    Data,
}

/// What a data call is for: when the budget is short, the first stay longest (section 5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The first data after a wake, the end of a drive, the start or end of a charge.
    Change,
    /// A drive.
    Driving,
    /// A charge.
    Charging,
    /// A parked car.
    Parked,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make this call and hand its outcome to `handle`; at most one is under way.
    Ask {
        /// Which.
        ask: Ask,
        /// What it is for: the account's governor wants to know.
        purpose: Purpose,
        /// Whether a data call may ask for `location_data`; false for a while after Tesla said that
        /// the scope is missing, or until the configuration changes or the account signs in again.
        with_location: bool,
    },
    /// Have the account list its products again (404 three times).
    Relist,
    /// Nothing to do until the monotonic time `until`, or until something happens.
    Wait {
        /// Monotonic time of the next step.
        until: Duration,
        /// The reason, for the log and the tests.
        why: Why,
    },
}

/// Why nothing is asked at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A call is under way.
    InFlight,
    /// The state's own interval.
    Interval,
    /// The car is let to fall asleep.
    Quiet,
    /// A failure's back-off or `Retry-After`.
    Backoff,
    /// The budget.
    Budget,
    /// The start is spread.
    StartSpread,
    /// The account's cap on calls a minute.
    RateCap,
    /// The brief-wake guard.
    BriefWake,
    /// The owner paused polling.
    Paused,
    /// The account is signed out, or the car is gone.
    Stopped,
}

impl Why {
    /// The word that is published.
    pub fn word(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Interval => "interval",
            Self::Quiet => "quiet",
            Self::Backoff => "backoff",
            Self::Budget => "budget",
            Self::StartSpread => "start_spread",
            Self::RateCap => "rate_cap",
            Self::BriefWake => "brief_wake",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}
