//! What is told to the policy.

use serde::{Deserialize, Serialize};

use super::step::Ask;
use crate::failure::Failure;
use crate::model::{CarRecord, ChargingState, Gear, Light};

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PolicyInput {
    /// The light call that was asked for answered.
    Light(Light),
    /// The account's product list showed the car; nobody asked for it here, so it ends no call.
    Seen(Light),
    /// A data call answered; this is what the car says now.
    Data(Box<CarRecord>),
    /// A call failed.
    Failed {
        /// Which.
        ask: Ask,
        /// How.
        failure: Failure,
    },
    /// The runner gave up waiting for a call, because something is more urgent than its answer.
    Abandoned(Ask),
    /// A pushing source spoke.
    Push(Push),
    /// The connection to the pushing source ended, or did not come about: nothing will be heard of a
    /// change before the next push, which the source sends to each of its cars when it is back, be
    /// it an empty one. Without one the car is polled after a minute.
    PushLost,
    /// An automation hints that something is about to happen (garage, wallbox).
    Hint,
    /// The owner spoke.
    User(User),
    /// The account is signed in (again).
    SignedIn,
    /// The car is on the account's list again, or for the first time.
    Listed,
    /// The car is no longer on any account's list.
    Removed,
    /// A new billing month.
    MonthRolled,
    /// The owner changed the account's budget.
    BudgetChanged,
    /// What the account's governor can spare at present.
    Budget(Budget),
}

/// What a source that pushes says; only what it knows is `Some`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Push {
    /// The car's connection to the pushing service.
    pub connected: Option<bool>,
    /// The gear.
    pub gear: Option<Gear>,
    /// `charging_state`.
    pub charging_state: Option<ChargingState>,
    /// Someone is in the car.
    pub user_present: Option<bool>,
    /// Asleep by the word of a source that can know (BLE).
    pub asleep: Option<bool>,
}

/// What the owner asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// Look at the car now, without waking it.
    Refresh,
    /// A `wake_up` was sent at the owner's command.
    Woken,
    /// Let the car sleep: go quiet at once.
    LetSleep,
    /// Stop asking for data.
    Pause,
    /// End of the pause.
    Resume,
    /// A command was sent to the car: look at the result soon.
    CommandDone,
}

/// What the account's governor can spare (sleep policy, section 5.9).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Stretches every data interval; 1 to 10. Light calls are free and never stretched.
    pub factor: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { factor: 1.0 }
    }
}
