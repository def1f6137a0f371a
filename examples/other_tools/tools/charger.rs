//! evcc: the charger knows by itself whether it charges; the car is asked for its battery level
//! when a charge begins, every quarter of an hour during it, and once when it ends. Drives are
//! none of its business. The model takes every charge for one at evcc's own charger.

use std::time::Duration;

use tesla2mqtt::estimate::{Follower, Turn};
use tesla2mqtt::model::{ChargingState, Now};
use tesla2mqtt::policy::{Ask, PolicyInput, State};

const TICK: Duration = Duration::from_secs(30);
const CACHE: Duration = Duration::from_mins(15);
/// A failed call is repeated after this, doubled each time up to [`CACHE`].
const RETRY: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Evcc {
    /// What the charger measures.
    charger_says: bool,
    /// What evcc's last tick saw.
    is_charging: bool,
    tick_at: Duration,
    data_at: Option<Duration>,
    n_failed: u32,
}

impl Follower for Evcc {
    fn next(&mut self, now: Now) -> Turn {
        let t = now.mono;
        if t >= self.tick_at {
            self.tick_at = t + TICK;
            if self.charger_says != self.is_charging {
                self.is_charging = self.charger_says;
                self.data_at = Some(t);
            }
            if self.data_at.is_some_and(|at| t >= at) {
                return Turn::ask(Ask::Data);
            }
        }
        Turn::Wait(self.tick_at)
    }

    fn hear(&mut self, now: Now, input: PolicyInput) {
        match input {
            PolicyInput::Push(push) => {
                self.charger_says = push.charging_state == Some(ChargingState::Charging);
            }
            PolicyInput::Data(_) => {
                self.n_failed = 0;
                self.data_at = self.is_charging.then(|| now.mono + CACHE);
            }
            PolicyInput::Failed { .. } => {
                let wait = RETRY * 2u32.pow(self.n_failed.min(8));
                self.n_failed += 1;
                self.data_at = self.is_charging.then(|| now.mono + wait.min(CACHE));
            }
            _ => {}
        }
    }

    fn belief(&self) -> State {
        if self.is_charging {
            State::Charging
        } else {
            State::Idle
        }
    }

    fn listens(&self) -> bool {
        true
    }
}
