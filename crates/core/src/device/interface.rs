//! The words that a device and its runner exchange.

use std::time::Duration;

use super::call::Call;
use crate::command::{Reply, Verb};
use crate::outbox::Publish;
use crate::policy::{Ask, Budget, Failure, PolicyConfig, User, Why};
use crate::retained::Declaration;
use crate::trips::Tariff;

/// Something happened. Values come in through [`Device::observe`](super::Device::observe) only.
#[derive(Debug, Clone)]
pub enum Input {
    /// A call did not bring what it was made for.
    Failed {
        /// Which.
        class: Ask,
        /// How.
        failure: Failure,
        /// Whether the answer tells how the device is: that it is out of reach, say, and not that
        /// Tesla refuses to tell. Long without contact nobody knows it.
        is_contact: bool,
    },
    /// The account did not allow the call; it was not made.
    NotPermitted {
        /// Which.
        class: Ask,
        /// From now on.
        retry_after: Duration,
    },
    /// The device is on its account's list.
    Listed,
    /// The device is on no account's list any more.
    Removed,
    /// The account is signed in (again).
    SignedIn,
    /// The account is signed out.
    SignedOut,
    /// A new billing month.
    MonthRolled,
    /// The owner changed the account's budget.
    BudgetChanged,
    /// What the account's governor can spare at present.
    Budget(Budget),
    /// The owner asked for something, and waits for no answer.
    Owner(User),
    /// An automation hints that something is about to happen (garage, wallbox).
    Hint,
    /// The owner's automations want something, and an answer.
    Command(Command),
    /// The connection to the source that pushes ended, or did not come about: nothing will be heard of
    /// a change before its next push. Without one the device is polled after a minute.
    PushLost,
    /// The broker is there, or not.
    Broker {
        /// Whether it is there.
        is_up: bool,
    },
    /// Home Assistant has started.
    HomeAssistantStarted,
    /// The configuration changed: the intervals.
    PolicyChanged(Box<PolicyConfig>),
    /// The configuration changed: the time without contact after which the device is unavailable.
    UnavailableAfter(Duration),
    /// The configuration changed: what a kilowatt-hour costs.
    TariffChanged(Box<Tariff>),
}

/// What the owner's automations want.
#[derive(Debug, Clone)]
pub struct Command {
    /// What.
    pub verb: Verb,
    /// Where and as what it is answered.
    pub reply: Reply,
    /// Real monotonic time of its arrival: the answer says how long it took.
    pub came_at: Duration,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask the account for this call ([`Call::permit`]), make it, and hand in what it brought; at
    /// most one is under way.
    Call(Call),
    /// Give up the call under way: somebody waits, and it hangs. Another one follows.
    Abandon(Call),
    /// Have the manifest take this in, and have it on the disk: what follows stands on it.
    Declare(Declaration),
    /// Hand these to the broker, at once: there may be more to come, and the first are the most
    /// urgent.
    Publish(Vec<Publish>),
    /// Write [`Device::saved`](super::Device::saved) to the disk; what follows stands on it.
    Save,
    /// Have the account list its products again.
    Relist,
    /// Nothing to do until the monotonic time `until`, or until something happens.
    Wait {
        /// Later than the time of asking.
        until: Duration,
        /// Why no call is made before.
        why: Why,
    },
}
