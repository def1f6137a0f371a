//! Who follows a simulated car: the bridge's own device, or a model of another tool.

use std::time::Duration;

use crate::device::{self, Call, ClockSpeed, Device, Output, Saved, Saving};
use crate::model::{Now, Source, Vin};
use crate::policy::{Ask, Failure, PolicyConfig, PolicyInput, Purpose, State};
use crate::sim::observed;
use crate::trips::Tariff;

/// A policy that follows one car: the bridge's own, or a model of another tool's.
pub trait Follower {
    /// What to do now. Never asked while a call is under way.
    fn next(&mut self, now: Now) -> Turn;
    /// Something happened. Models ignore what their tool does not know.
    fn hear(&mut self, now: Now, input: PolicyInput);
    /// What it believes that the car does.
    fn belief(&self) -> State;
    /// Whether it hears of changes without asking (a stream, a wallbox).
    fn listens(&self) -> bool {
        false
    }
}

/// What a follower wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// This call, now.
    Call(Call),
    /// Nothing before that monotonic time.
    Wait(Duration),
}

impl Turn {
    /// A call of a tool that has no budget, and says nothing of what it asks for.
    pub fn ask(class: Ask) -> Self {
        Self::Call(Call {
            class,
            purpose: Purpose::Parked,
            endpoints: Vec::new(),
        })
    }
}

/// The bridge's own way: the device that it runs, with nobody to publish to.
pub(super) struct Ours {
    device: Device,
    has_push: bool,
}

impl Ours {
    /// A device of which nothing is known.
    pub(super) fn new(
        vin: &Vin,
        policy: PolicyConfig,
        has_push: bool,
        seed: u64,
        now: Now,
    ) -> Self {
        let config = device::Config {
            policy,
            tariff: Tariff::default(),
            unavailable_after: Duration::MAX,
            saving: Saving::NEVER,
            publishing: None,
            clock_speed: ClockSpeed::REAL,
        };
        Self {
            device: Device::car(vin, config, Saved::default(), seed, now),
            has_push,
        }
    }
}

impl Follower for Ours {
    fn next(&mut self, now: Now) -> Turn {
        loop {
            match self.device.poll(now) {
                Output::Call(call) => return Turn::Call(call),
                Output::Wait { until, .. } => return Turn::Wait(until),
                Output::Relist => return Turn::Wait(now.mono),
                // A call takes a moment at most.
                Output::Abandon(_) | Output::Declare(_) | Output::Publish(_) | Output::Save => {}
            }
        }
    }

    fn hear(&mut self, now: Now, input: PolicyInput) {
        let at = now.wall;
        let seen = match input {
            PolicyInput::Light(light) => observed::light(light, Source::Light, at),
            PolicyInput::Data(record) => observed::data(&record, at),
            PolicyInput::Push(push) => observed::push(&push, at),
            other => {
                if let Some(input) = told(&other) {
                    self.device.handle(input, now);
                }
                return;
            }
        };
        self.device.observe(&seen, now);
    }

    fn belief(&self) -> State {
        self.device.state()
    }

    fn listens(&self) -> bool {
        self.has_push
    }
}

/// What happens in a played life that is no value.
fn told(input: &PolicyInput) -> Option<device::Input> {
    Some(match *input {
        PolicyInput::Failed {
            ask: class,
            failure: Failure::NotPermitted { retry_after },
        } => device::Input::NotPermitted { class, retry_after },
        PolicyInput::Failed {
            ask: class,
            failure,
        } => device::Input::Failed {
            class,
            failure,
            is_contact: true,
        },
        PolicyInput::Budget(budget) => device::Input::Budget(budget),
        PolicyInput::MonthRolled => device::Input::MonthRolled,
        _ => return None,
    })
}
