//! What happened, said once.

use super::state::{HoldReason, State};

/// Something that the owner's automations want to hear of once.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The state changed; one line of the diary.
    StateChanged {
        /// Before.
        from: State,
        /// After.
        to: State,
        /// The reason, in plain words.
        because: &'static str,
    },
    /// The car sleeps, is at service, or is out of reach for good: what was under way is over, and
    /// no look will show its end. Said also while the owner's pause or a lost login hides the state.
    OutOfSight,
    /// An installation began; its end is said whatever happens.
    UpdateStarted {
        /// The version that is being installed.
        version: Option<String>,
    },
    /// An installation ended or was called off.
    UpdateEnded {
        /// The version after it.
        version: Option<String>,
    },
    /// The owner asked to let the car sleep, and it cannot.
    LetSleepRefused {
        /// The state that forbids it.
        state: State,
        /// What holds the car awake.
        holds: Vec<HoldReason>,
    },
    /// The owner woke the car and it did not come online in time.
    WakeFailed,
}
