//! When to ask a car what (shared knowledge: the sleep policy, sections 3 and 5).
//!
//! One [`Policy`] a car, one [`Governor`] an account; both are plain values with the same small
//! face: [`Policy::handle`] takes in what happened, [`Policy::next`] says what to do or how long
//! to wait and why. No I/O, no clock, no global randomness: the seed is part of the state, and
//! the state is serialisable.
//!
//! In reading order:
//!
//! - [`interface`](self): the words; `config`: the table of intervals;
//! - `memory`: what is remembered, in parts: `phase` the state with its own data, `contact`,
//!   `call_times`, `wanted`, `hints`, `push`, `charging`, `parking`, `self_checks`, `standing`,
//!   `starts`, `learning` how the car sleeps, `habits` when it is started,
//!   `day_figures`; `snapshot`: how it is written down;
//! - `timers`: what will be due when; `next_call` and `intervals`: the call among it;
//! - `light`, `data` and `holds`: what answers change; `failure` and `backoff`: what failures
//!   change; `owner`: what pushes, hints and the owner change;
//! - `governor` and `prices`: what the account can pay; `reconnect`: how a source that pushes is
//!   found again.

mod backoff;
mod call_times;
mod charging;
mod config;
mod contact;
mod data;
mod day_figures;
mod failure;
mod governor;
mod habits;
mod hints;
mod holds;
mod interface;
mod intervals;
mod learning;
mod light;
mod location;
mod memory;
mod next_call;
mod owner;
mod parking;
mod phase;
mod prices;
mod push;
mod reconnect;
mod self_checks;
mod sessions;
mod snapshot;
mod standing;
mod starts;
mod timers;
mod wanted;

use std::time::Duration;

use crate::model::{DeviceId, Now, Vin};
use crate::random::Random;
use memory::{At, Memory, Moment, ShownState};
use phase::Phase;

pub use config::{CEILING, ClassSetting, FIELDS, Field, PolicyConfig, Preset};
pub use governor::{Calls, Governor, GovernorSnapshot, GovernorStatus, Permit};
pub use interface::{
    Ask, Belief, Budget, Class, Event, Failure, HoldReason, Light, LightState, PolicyInput,
    Problem, Purpose, Push, State, Status, Step, User, Why,
};
pub use prices::{CallClass, GovernorConfig, MonthlyLimit, Prices};
pub use reconnect::{PushStep, Reconnect};
pub use snapshot::Snapshot;

/// A call whose answer never came is given up after this, so that a lost answer cannot silence
/// the car for ever. Longer than any time-out of the runner.
const LOST_ANSWER: Duration = Duration::from_mins(5);
const KEPT_EVENTS: usize = 64;

/// The policy of one car.
#[derive(Debug, Clone)]
pub struct Policy {
    config: PolicyConfig,
    /// The same for as long as a car that is expected to push does not.
    polling: PolicyConfig,
    memory: Memory,
    /// What the policy's clock shows beyond the process's.
    clock_ahead: Duration,
    flight: Option<Flight>,
    because: &'static str,
    /// An installation was said to have begun, and not to have ended.
    is_update_announced: bool,
    events: Vec<Event>,
    wants_persisting: bool,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    ask: Ask,
    at: At,
    with_location: bool,
}

impl Policy {
    /// A car about which nothing is known. The seed spreads its calls; any number will do, but
    /// not the same for every car.
    pub fn new(config: PolicyConfig, vin: &Vin, seed: u64, now: Now) -> Self {
        let random = Random::of_device(&DeviceId::from(vin), seed);
        let memory = Memory::new(vin, random, now.wall);
        Self::start(config, memory, Duration::ZERO, now)
    }

    /// Goes on where a snapshot ended. The time in between has passed, unless the calendar says
    /// something impossible; then it has not.
    pub fn restore(config: PolicyConfig, vin: &Vin, snapshot: Snapshot, now: Now) -> Self {
        let (memory, resumed_at) = snapshot.resume(vin, now);
        let ahead = resumed_at.saturating_sub(now.mono);
        Self::start(config, memory, ahead, now)
    }

    fn start(config: PolicyConfig, memory: Memory, clock_ahead: Duration, now: Now) -> Self {
        let config = config.clamped();
        let is_update_announced =
            memory.machine.is_updating() || memory.shown.state == State::Updating;
        let mut policy = Self {
            polling: config.without_push(),
            config,
            memory,
            clock_ahead,
            flight: None,
            because: "start",
            is_update_announced,
            events: Vec::new(),
            wants_persisting: true,
        };
        let m = policy.moment(now);
        let memory = &mut policy.memory;
        let spread = memory.random.up_to(policy.config.start_spread);
        memory.starts.begin(m, spread);
        memory.day.begin(m);
        policy
    }

    /// Something happened. Whatever it is, in whatever order, the policy is in a valid state
    /// afterwards and [`Policy::next`] has an answer.
    pub fn handle(&mut self, now: Now, input: PolicyInput) {
        let m = self.moment(now);
        self.count_time(m);
        // A light answer that confirms what is known anyway is not worth a write to the disk.
        let routine = matches!(
            input,
            PolicyInput::Light(_)
                | PolicyInput::Seen(_)
                | PolicyInput::Budget(_)
                | PolicyInput::Abandoned(_)
        );
        self.wants_persisting |= !routine;
        match input {
            PolicyInput::Light(light) => self.light_answered(light, m),
            PolicyInput::Seen(light) => self.take_light(light, m),
            PolicyInput::Data(view) => self.data_answered(&view, m),
            PolicyInput::Failed { ask, failure } => self.call_failed(ask, failure, m),
            PolicyInput::Abandoned(ask) => {
                self.flight.take_if(|flight| flight.ask == ask);
            }
            PolicyInput::Push(push) => self.pushed(&push, m),
            PolicyInput::PushLost => self.memory.push.source_lost(m),
            PolicyInput::Hint => self.look_soon("hint", m),
            PolicyInput::User(user) => self.owner_asked(user, m),
            PolicyInput::SignedIn => self.signed_in(m),
            PolicyInput::Listed => self.listed(m),
            PolicyInput::Removed => self.removed(m),
            PolicyInput::MonthRolled => self.month_rolled(m),
            PolicyInput::BudgetChanged => self.budget_changed(),
            PolicyInput::Budget(budget) => {
                let factor = if budget.factor.is_finite() {
                    budget.factor
                } else {
                    1.0
                };
                self.memory.budget.factor = factor.clamp(1.0, 10.0);
            }
        }
        self.announce(m);
    }

    /// What to do now. After [`Step::Ask`] the runner makes exactly that call and hands its
    /// outcome to [`Policy::handle`]; until then the answer is to wait.
    pub fn next(&mut self, now: Now) -> Step {
        let m = self.moment(now);
        self.count_time(m);
        self.memory.habits.pass(m.wall);
        let step = self.step(m);
        self.announce(m);
        match step {
            Step::Wait { until, why } => Step::Wait {
                until: until.saturating_sub(self.clock_ahead).max(now.mono),
                why,
            },
            step => step,
        }
    }

    /// Everything that must survive a restart, as of now.
    pub fn snapshot(&self, now: Now) -> Snapshot {
        Snapshot::new(self.memory.clone(), self.moment(now).t, now.wall)
    }

    /// True once after a change that should not be lost in a kill: a data call asked, a change of
    /// state, a failure's wait. Never by the light calls of a sleeping car.
    pub fn wants_persisting(&mut self) -> bool {
        std::mem::take(&mut self.wants_persisting)
    }

    /// What happened since the last time of asking, oldest first. Nobody asking loses the oldest.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The state as the world sees it.
    pub fn state(&self) -> State {
        self.memory.shown_state()
    }

    /// Whether a limit of Tesla's keeps a call from being made now.
    pub fn is_limited(&self, now: Now) -> bool {
        let t = self.moment(now).t;
        self.memory.backoffs.limited_until(t).is_some()
    }

    /// New configuration. Nothing that runs is cut short: Quiet stays quiet, waits are waited out.
    pub fn reconfigure(&mut self, now: Now, config: PolicyConfig) {
        self.config = config.clamped();
        self.polling = self.config.without_push();
        self.memory.location.allowed();
        self.memory
            .backoffs
            .forget(backoff::WaitReason::MissingScope);
        self.wants_persisting = true;
        self.announce(self.moment(now));
    }

    /// What the policy believes.
    pub fn status(&self, now: Now) -> Status {
        let m = self.moment(now);
        let memory = &self.memory;
        let (class, belief) = memory.learning.class(self.config.class);
        let call = self.next_call(m);
        Status {
            state: memory.shown_state(),
            since: memory.shown.since,
            holds: self.all_holds(),
            next_poll_at: call.ask.map(|_| m.calendar(call.at.max(m.t))),
            interval: self.interval(m),
            why: call.why,
            light: memory.contact.light,
            stale: self.is_stale(m),
            problem: self.problem(m),
            class,
            belief,
            time_to_sleep: memory.learning.time_to_sleep(),
            last_sleep_in_quiet: memory.learning.last_sleep_in_quiet(),
            awake_today: memory.day.awake,
            light_calls_today: memory.day.light_calls,
            data_calls_today: memory.day.data_calls,
            budget_factor: memory.budget.factor,
            wake_guard_armed: memory.self_checks.are_known(),
        }
    }

    fn problem(&self, m: Moment) -> Option<Problem> {
        use backoff::WaitReason;
        let memory = &self.memory;
        let tells_of = |reason| memory.backoffs.tells_of(reason, m.t);
        if !memory.standing.listed {
            Some(Problem::Removed)
        } else if memory.standing.signed_out {
            Some(Problem::SignedOut)
        } else if tells_of(WaitReason::BillingLimit) {
            Some(Problem::BillingLimit)
        } else if tells_of(WaitReason::NotFound) {
            Some(Problem::NotFound)
        } else if tells_of(WaitReason::MissingScope) {
            Some(Problem::MissingScope)
        } else if tells_of(WaitReason::Refused) || tells_of(WaitReason::Doubted) {
            Some(Problem::Refused)
        } else if tells_of(WaitReason::Limited) {
            Some(Problem::Limited)
        } else {
            None
        }
    }

    fn moment(&self, now: Now) -> Moment {
        Moment {
            t: now.mono.saturating_add(self.clock_ahead),
            wall: now.wall,
        }
    }

    fn class(&self) -> Class {
        self.memory.learning.class(self.config.class).0
    }

    fn all_holds(&self) -> Vec<HoldReason> {
        let mut holds = self.memory.parking.holds.clone();
        if self.memory.push.user_present && !holds.contains(&HoldReason::UserPresent) {
            holds.push(HoldReason::UserPresent);
        }
        holds
    }

    /// Enters a state; it is announced when the input is digested.
    fn go(&mut self, to: Phase, because: &'static str, m: Moment) {
        let memory = &mut self.memory;
        if !memory.machine.enter(to, m) {
            return;
        }
        self.because = because;
        self.wants_persisting = true;
        // What the account refused to a lesser purpose it may allow now.
        memory.backoffs.forget(backoff::WaitReason::NotPermitted);
        let is_out_of_sight = memory.machine.is_out_of_sight();
        let phase = &memory.machine.phase;
        if !matches!(phase, Phase::Idle(_) | Phase::Charging(_)) {
            memory.wanted.followups.clear();
        }
        if matches!(phase, Phase::Asleep | Phase::Unreachable) {
            memory.wanted.data_at = None;
            memory.push.user_present = false;
        }
        if is_out_of_sight {
            self.emit(Event::OutOfSight);
        }
    }

    fn begin_update(&mut self, version: Option<String>) {
        if !std::mem::replace(&mut self.is_update_announced, true) {
            self.emit(Event::UpdateStarted { version });
        }
    }

    fn end_update(&mut self, version: Option<String>) {
        if std::mem::take(&mut self.is_update_announced) {
            self.emit(Event::UpdateEnded { version });
        }
    }

    /// Says what has become of the state. An installation ends with its state, however that came
    /// about: only data knows with which version.
    fn announce(&mut self, m: Moment) {
        if !self.memory.machine.is_updating() {
            self.end_update(None);
        }
        let to = self.memory.shown_state();
        let from = self.memory.shown.state;
        if from == to {
            return;
        }
        self.memory.shown = ShownState {
            state: to,
            since: m.wall,
        };
        self.wants_persisting = true;
        self.emit(Event::StateChanged {
            from,
            to,
            because: self.because,
        });
    }

    fn emit(&mut self, event: Event) {
        if self.events.len() >= KEPT_EVENTS {
            self.events.remove(0);
        }
        self.events.push(event);
    }

    fn count_time(&mut self, m: Moment) {
        let is_awake = !self.memory.machine.is_resting();
        self.memory.day.pass(is_awake, m);
    }
}

#[cfg(test)]
mod tests;
