//! What comes without being asked for: pushes, hints, the wishes of the owner, news of the account.

use std::time::Duration;

use super::Policy;
use super::backoff::WaitReason;
use super::interface::{Ask, Event, Push, State, User};
use super::memory::Moment;
use super::phase::{Phase, Rest, Waking};
use crate::model::{ChargingState, Gear};

/// After a command the car needs a moment to show its effect.
const AFTER_COMMAND: Duration = Duration::from_secs(3);
const WAKE_TIME: Duration = Duration::from_mins(1);
/// A connection that comes and goes is asked about at most this often.
const FLAPPING_GAP: Duration = Duration::from_mins(1);

impl Policy {
    pub(super) fn pushed(&mut self, push: &Push, m: Moment) {
        self.memory.push.arrived(push, m);
        if push.connected == Some(true) {
            self.may_be_awake(m);
        }
        if let Some(asleep) = push.asleep {
            self.pushed_asleep(asleep, m);
        }
        if let Some(present) = push.user_present {
            let is_news = self.memory.push.note_user(present);
            let busy = matches!(
                self.memory.machine.phase,
                Phase::Driving(_) | Phase::Charging(_) | Phase::Updating(_) | Phase::InService
            );
            if is_news && !busy {
                self.look_soon("someone is in the car", m);
            }
        }
        if let Some(state) = push.charging_state {
            self.pushed_charging(state, m);
        }
        if let Some(gear) = push.gear {
            self.pushed_gear(gear, m);
        }
    }

    /// Reason to believe that a resting car is connected: a light call, but not a storm of them.
    fn may_be_awake(&mut self, m: Moment) {
        let memory = &mut self.memory;
        if memory.machine.is_resting() {
            let last = memory.calls.light_at.map_or(m.t, |at| at + FLAPPING_GAP);
            let at = last.max(m.t);
            memory.wanted.light(at);
        }
    }

    fn pushed_asleep(&mut self, asleep: bool, m: Moment) {
        if !asleep {
            self.may_be_awake(m);
            return;
        }
        self.memory.contact.reported_asleep();
        let may_sleep = match &self.memory.machine.phase {
            Phase::Boot | Phase::Unreachable | Phase::Idle(_) | Phase::Quiet(_) => true,
            Phase::Waking(waking) => waking.wake_until.is_none(),
            _ => false,
        };
        if may_sleep {
            self.fall_asleep(Rest::Asleep, "it reports that it sleeps", m);
        }
    }

    fn pushed_charging(&mut self, pushed: ChargingState, m: Moment) {
        let state = self.memory.machine.state();
        if pushed.is_charging() == Some(true) {
            if !matches!(
                state,
                State::Charging | State::Driving | State::Updating | State::InService
            ) {
                self.proved_awake(m);
                if pushed == ChargingState::Charging {
                    self.memory.habits.started(m.wall);
                }
                self.memory.charging.begun(pushed, m);
                self.go(self.memory.machine.charging(), "charging", m);
                self.want_look(m);
            }
        } else if state == State::Charging {
            self.park("the charge ended", m);
            self.want_look(m);
        }
    }

    fn pushed_gear(&mut self, gear: Gear, m: Moment) {
        if gear.is_driving() {
            self.proved_awake(m);
            if !matches!(self.memory.machine.phase, Phase::Driving(_)) {
                self.memory.habits.started(m.wall);
            }
            self.memory.sessions.last_gear_at = Some(m.t);
            self.go(self.memory.machine.driving(), "in gear", m);
        } else if matches!(self.memory.machine.phase, Phase::Driving(_)) {
            self.park("parked", m);
            let memory = &mut self.memory;
            memory.wanted.looks_after_drive(memory.budget.factor, m);
        }
    }

    fn park(&mut self, because: &'static str, m: Moment) {
        self.proved_awake(m);
        self.go(self.memory.machine.idle(), because, m);
        self.memory.parking.last_use_at = m.t;
        if let Some(parked) = self.memory.machine.parked_mut() {
            parked.is_clear(m);
        }
    }

    /// A push about what the car does proves that it is connected, but data waits for the light
    /// call if that said otherwise, or if data was refused since.
    fn proved_awake(&mut self, m: Moment) {
        let memory = &mut self.memory;
        memory.machine.found();
        memory.learning.is_online();
        if memory.contact.is_online {
            memory.contact.online_at = Some(m.t);
        } else {
            memory.wanted.light(m.t);
        }
    }

    /// Something is about to happen: look soon, and at a resting car with a light call only.
    pub(super) fn look_soon(&mut self, because: &'static str, m: Moment) {
        self.used(because, m);
        self.want_look(m);
    }

    /// Data soon, or the light call before it; an automation that repeats itself is slowed down.
    fn want_look(&mut self, m: Moment) {
        let gap = self.memory.hints.came(m);
        // What the account refused to a lesser purpose it may allow now.
        self.memory.backoffs.forget(WaitReason::NotPermitted);
        let memory = &mut self.memory;
        let not_before = |last: Option<Duration>| last.map_or(m.t, |at| (at + gap).max(m.t));
        if memory.contact.is_online {
            let at = not_before(memory.calls.data_at);
            memory.wanted.data(at);
        }
        // Data may stand on a light call that failed, and only a wanted one is tried early.
        if !memory.contact.is_online || memory.backoffs.until(Ask::Light).is_some() {
            let at = not_before(memory.calls.light_at);
            memory.wanted.light(at);
        }
    }

    /// Somebody does something with the car: Quiet and the brief-wake guard end, and a parked car
    /// counts as used just now.
    fn used(&mut self, because: &'static str, m: Moment) {
        if let Some(waking) = self.memory.machine.waking_mut() {
            waking.guard_until = None;
        }
        if self.memory.machine.parked().is_some() {
            self.go(self.memory.machine.idle(), because, m);
            let memory = &mut self.memory;
            memory.parking.last_use_at = m.t;
            if let Phase::Idle(idle) = &mut memory.machine.phase {
                idle.parked.clear_since = idle.parked.clear_since.map(|_| m.t);
                idle.parked.n_polls_since_clear = 0;
                idle.let_sleep = false;
            }
        } else {
            self.may_be_awake(m);
        }
    }

    pub(super) fn owner_asked(&mut self, user: User, m: Moment) {
        match user {
            User::Refresh => self.look_soon("the owner asked", m),
            User::CommandDone => self.command_done(m),
            User::Woken => self.woken(m),
            User::LetSleep => self.let_sleep(m),
            User::Pause => {
                self.because = "the owner paused polling";
                self.memory.standing.paused = true;
                self.memory.wanted.data_at = None;
            }
            User::Resume => {
                self.because = "the owner resumed polling";
                self.memory.standing.paused = false;
                self.look_soon("the owner resumed polling", m);
            }
        }
    }

    fn command_done(&mut self, m: Moment) {
        self.memory.parking.last_command_at = Some(m.t);
        self.used("a command", m);
        let at = m.t + AFTER_COMMAND;
        if self.memory.contact.is_online {
            self.memory.wanted.data_at = Some(at);
        } else {
            self.memory.wanted.light(at);
        }
    }

    fn woken(&mut self, m: Moment) {
        self.memory.parking.last_command_at = Some(m.t);
        let machine = &self.memory.machine;
        let may_wake = machine.is_resting() || machine.waking().is_some();
        if !may_wake || self.memory.contact.is_online {
            self.look_soon("the owner woke it", m);
            return;
        }
        self.go(Phase::Waking(Waking::default()), "the owner woke it", m);
        if let Some(waking) = self.memory.machine.waking_mut() {
            waking.on_the_hour = false;
            waking.wake_until = Some(m.t + WAKE_TIME);
        }
    }

    fn let_sleep(&mut self, m: Moment) {
        let holds = self.all_holds();
        let state = self.memory.shown_state();
        let paused = self.memory.standing.paused;
        match &mut self.memory.machine.phase {
            Phase::Idle(idle) if holds.is_empty() && !paused => {
                idle.let_sleep = true;
                idle.parked.sleepless_until = None;
                idle.parked.clear_since.get_or_insert(m.t);
            }
            Phase::Quiet(_) | Phase::Asleep | Phase::Unreachable if !paused => {}
            _ => self.emit(Event::LetSleepRefused { state, holds }),
        }
    }

    pub(super) fn signed_in(&mut self, m: Moment) {
        let memory = &mut self.memory;
        memory.standing.signed_out = false;
        memory.location.allowed();
        self.because = "signed in";
        memory.backoffs.forget_login();
        // An older wish would end the spread.
        memory.wanted.light_at = Some(m.t + memory.random.up_to(self.config.start_spread));
    }

    /// An answer came, without the news that the account is signed in again.
    pub(super) fn proved_signed_in(&mut self) {
        if std::mem::take(&mut self.memory.standing.signed_out) {
            self.because = "signed in";
            self.memory.backoffs.forget(WaitReason::SignedOut);
        }
    }

    pub(super) fn listed(&mut self, m: Moment) {
        let memory = &mut self.memory;
        // A list that has it still does not find it.
        if !memory.standing.listed {
            memory.standing.listed = true;
            memory.standing.found();
            memory.backoffs.forget(WaitReason::NotFound);
            memory.starts.first_call_at = Some(m.t + memory.random.up_to(self.config.start_spread));
            self.go(Phase::Boot, "listed again", m);
        }
    }

    pub(super) fn removed(&mut self, m: Moment) {
        self.memory.standing.listed = false;
        self.go(Phase::Unreachable, "removed from the account", m);
    }

    /// What the account refused is asked for anew.
    pub(super) fn budget_changed(&mut self) {
        self.memory.backoffs.forget(WaitReason::NotPermitted);
    }

    pub(super) fn month_rolled(&mut self, m: Moment) {
        self.budget_changed();
        let memory = &mut self.memory;
        if memory.backoffs.has(WaitReason::BillingLimit) {
            memory.backoffs.forget(WaitReason::BillingLimit);
            memory.wanted.light_at = Some(m.t + memory.random.up_to(self.config.start_spread));
        }
    }
}
