//! What is heard without asking: pushes, hints, the owner, the account.

use std::time::Duration;

use super::Policy;
use super::backoff::WaitReason;
use super::interface::{Ask, Event, LightState, Push, State, User};
use super::memory::Moment;
use crate::model::{ChargingState, Gear};

/// More hints than these, each closer than this to the one before, are one chatty automation, and
/// looked after with this gap. Two may well be a garage and then a wallbox.
const FEW_HINTS: u8 = 2;
const CHATTY: Duration = Duration::from_mins(1);
pub(super) const CHATTY_GAP: Duration = Duration::from_secs(15);
/// After a command the car needs a moment to show its effect.
const AFTER_COMMAND: Duration = Duration::from_secs(3);
const WAKE_TIME: Duration = Duration::from_mins(1);
/// A connection that comes and goes is asked about at most this often.
const FLAPPING_GAP: Duration = Duration::from_mins(1);

impl Policy {
    pub(super) fn pushed(&mut self, push: &Push, m: Moment) {
        self.note_push(push, m);
        if push.connected == Some(true) {
            self.may_be_awake(m);
        }
        if let Some(asleep) = push.asleep {
            self.pushed_asleep(asleep, m);
        }
        if let Some(present) = push.user_present {
            let is_news = present && !self.memory.last_pushed_present;
            self.memory.last_pushed_present = present;
            self.memory.pushed_user_present = present;
            let busy = matches!(
                self.memory.state,
                State::Driving | State::Charging | State::Updating | State::InService
            );
            if is_news && !busy {
                self.nudged("someone is in the car", m);
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
        if matches!(
            memory.state,
            State::Boot | State::Asleep | State::Unreachable
        ) {
            let last = memory.last_light_at.map_or(m.t, |at| at + FLAPPING_GAP);
            let at = last.max(m.t);
            memory.want_light(at);
        }
    }

    fn pushed_asleep(&mut self, asleep: bool, m: Moment) {
        if !asleep {
            self.may_be_awake(m);
            return;
        }
        self.memory.is_online = false;
        self.memory.light = Some(LightState::Asleep);
        let parked = matches!(
            self.memory.state,
            State::Boot | State::Unreachable | State::Waking | State::Idle | State::Quiet
        );
        if parked && self.memory.wake_until.is_none() {
            self.fall_asleep(State::Asleep, "asleep by its own word", m);
        }
    }

    fn pushed_charging(&mut self, pushed: ChargingState, m: Moment) {
        let state = self.memory.state;
        if pushed.is_charging() == Some(true) {
            if pushed == ChargingState::Charging && state != State::Driving {
                self.begin_charge(m);
            }
            if !matches!(
                state,
                State::Charging | State::Driving | State::Updating | State::InService
            ) {
                self.proved_awake(m);
                self.memory.clear_since = None;
                let memory = &mut self.memory;
                memory.charging_since = Some(m.t);
                memory.last_charging_at = Some(m.t);
                memory.charging_word = Some(pushed);
                self.go(State::Charging, "charging", m);
                self.want_look(m);
            }
        } else if state == State::Charging {
            self.memory.next_reading_belongs |= self.memory.charge.is_some();
            self.end_charge(m.wall, self.memory.reading);
            self.park("the charge ended", m);
            self.want_look(m);
        }
    }

    fn pushed_gear(&mut self, gear: Gear, m: Moment) {
        if gear.is_driving() {
            self.proved_awake(m);
            self.memory.clear_since = None;
            self.end_charge(m.wall, self.memory.reading);
            self.begin_drive(m);
            self.go(State::Driving, "in gear", m);
        } else if self.memory.state == State::Driving {
            self.memory.next_reading_belongs |= self.memory.drive.is_some();
            self.end_drive(m.wall, self.memory.reading);
            self.park("parked", m);
            self.memory.plan_looks_after_drive(m);
        }
    }

    fn park(&mut self, because: &'static str, m: Moment) {
        self.proved_awake(m);
        self.go(State::Idle, because, m);
        self.memory.last_use_at = m.t;
        self.memory.clear_since = Some(m.t);
        self.memory.n_polls_since_clear = 0;
    }

    /// A push about what the car does proves that it is connected, but data waits for the light
    /// call if that said otherwise, or if data was refused since.
    fn proved_awake(&mut self, m: Moment) {
        let memory = &mut self.memory;
        memory.lost_at = None;
        memory.learning.is_online();
        if memory.is_online {
            memory.online_at = Some(m.t);
        } else {
            memory.want_light(m.t);
        }
    }

    /// Something is about to happen: look soon, and at a resting car with a light call only.
    pub(super) fn nudged(&mut self, because: &'static str, m: Moment) {
        self.stir(because, m);
        self.want_look(m);
    }

    /// Data soon, or the light call before it; a source that does not stop talking is slowed down.
    fn want_look(&mut self, m: Moment) {
        let goes_on = self
            .memory
            .last_nudge_at
            .is_some_and(|at| m.since(at) < CHATTY);
        let n_before = if goes_on { self.memory.n_nudges } else { 0 };
        self.memory.n_nudges = n_before.saturating_add(1);
        let chatty = self.memory.n_nudges > FEW_HINTS;
        self.memory.last_nudge_at = Some(m.t);
        // What the account refused to a lesser purpose it may allow now.
        self.memory.backoffs.forget(WaitReason::NotPermitted);
        let gap = if chatty { CHATTY_GAP } else { Duration::ZERO };
        let memory = &mut self.memory;
        let not_before = |last: Option<Duration>| last.map_or(m.t, |at| (at + gap).max(m.t));
        if memory.is_online {
            let at = not_before(memory.last_data_at);
            memory.data_wanted_at = Some(memory.data_wanted_at.map_or(at, |old| old.min(at)));
        }
        // Data may stand on a light call that failed, and only a wanted one is tried early.
        if !memory.is_online || memory.backoffs.until(Ask::Light).is_some() {
            let at = not_before(memory.last_light_at);
            memory.want_light(at);
        }
    }

    /// Ends Quiet and the brief-wake guard; an idle car counts as used just now.
    fn stir(&mut self, because: &'static str, m: Moment) {
        self.memory.guard_until = None;
        if matches!(self.memory.state, State::Idle | State::Quiet) {
            self.go(State::Idle, because, m);
            let memory = &mut self.memory;
            memory.last_use_at = m.t;
            memory.clear_since = memory.clear_since.map(|_| m.t);
            memory.n_polls_since_clear = 0;
            memory.let_sleep = false;
        } else {
            self.may_be_awake(m);
        }
    }

    pub(super) fn owner_says(&mut self, user: User, m: Moment) {
        match user {
            User::Refresh => self.nudged("the owner asked", m),
            User::CommandDone => self.command_done(m),
            User::Woken => self.woken(m),
            User::LetSleep => self.let_sleep(m),
            User::Pause => {
                self.because = "the owner paused polling";
                self.memory.paused = true;
                self.memory.data_wanted_at = None;
            }
            User::Resume => {
                self.because = "the owner resumed polling";
                self.memory.paused = false;
                self.nudged("the owner resumed polling", m);
            }
        }
    }

    fn command_done(&mut self, m: Moment) {
        self.memory.last_command_at = Some(m.t);
        self.stir("a command", m);
        let at = m.t + AFTER_COMMAND;
        if self.memory.is_online {
            self.memory.data_wanted_at = Some(at);
        } else {
            self.memory.want_light(at);
        }
    }

    fn woken(&mut self, m: Moment) {
        self.memory.last_command_at = Some(m.t);
        if matches!(
            self.memory.state,
            State::Boot | State::Asleep | State::Unreachable | State::Waking
        ) && !self.memory.is_online
        {
            self.go(State::Waking, "the owner woke it", m);
            self.memory.woke_on_the_hour = false;
            self.memory.wake_until = Some(m.t + WAKE_TIME);
        } else {
            self.nudged("the owner woke it", m);
        }
    }

    fn let_sleep(&mut self, m: Moment) {
        let holds = self.all_holds();
        let state = self.memory.shown_state();
        match self.memory.state {
            State::Idle if holds.is_empty() && !self.memory.paused => {
                self.memory.sleepless_until = None;
                self.memory.let_sleep = true;
                self.memory.clear_since.get_or_insert(m.t);
            }
            State::Quiet | State::Asleep | State::Unreachable if !self.memory.paused => {}
            _ => self.emit(Event::LetSleepRefused { state, holds }),
        }
    }

    pub(super) fn signed_in(&mut self, m: Moment) {
        let memory = &mut self.memory;
        memory.signed_out = false;
        memory.location.allowed();
        self.because = "signed in";
        memory.backoffs.forget_login();
        // An older wish would end the spread.
        memory.light_wanted_at = Some(m.t + memory.random.up_to(self.config.start_spread));
    }

    /// An answer came, with nobody having told that the account is signed in again.
    pub(super) fn proved_signed_in(&mut self) {
        if std::mem::take(&mut self.memory.signed_out) {
            self.because = "signed in";
            self.memory.backoffs.forget(WaitReason::SignedOut);
        }
    }

    pub(super) fn listed(&mut self, m: Moment) {
        let memory = &mut self.memory;
        // A list that has it still does not find it.
        if !memory.listed {
            memory.listed = true;
            memory.was_found();
            memory.backoffs.forget(WaitReason::NotFound);
            memory.first_call_at = Some(m.t + memory.random.up_to(self.config.start_spread));
            self.go(State::Boot, "listed again", m);
        }
    }

    pub(super) fn removed(&mut self, m: Moment) {
        self.end_sessions_at_last_reading(m);
        self.memory.listed = false;
        self.go(State::Unreachable, "removed from the account", m);
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
            memory.light_wanted_at = Some(m.t + memory.random.up_to(self.config.start_spread));
        }
    }
}
