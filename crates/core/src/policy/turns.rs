//! What happens by the passing of time alone: an idle car is left alone, a lost one given up, a
//! wake that came to nothing ended, a scheduled charge looked at, an answer no longer waited for.

use std::time::Duration;

use super::interface::{Class, Event, Failure, LightState, State};
use super::learning::PATIENCE;
use super::memory::{At, Moment};
use super::{LOST_ANSWER, Policy};

/// A drive or charge out of reach ends after this time.
const LOST_FOR: Duration = Duration::from_mins(15);
const LEAST_LOST: Duration = Duration::from_mins(5);
/// An installation takes the car off the net for long.
const UPDATING_LOST_FOR: Duration = Duration::from_hours(1);
/// No command by the owner within this time before Quiet.
const COMMAND_REST: Duration = Duration::from_mins(1);
/// A light call that comes this late behind its scheduled charge tells nothing.
const SCHEDULE_WINDOW_SECONDS: i64 = 3600;
pub(super) const SCHEDULE_DELAY_SECONDS: i64 = 60;
/// A car that is awake so long after it used to be asleep is looked at.
const OVERDUE: Duration = Duration::from_mins(3);
/// Fewer data calls than this say nothing about a car's patience.
const ENOUGH_POLLS: u32 = 5;

impl Policy {
    /// What happens by the passing of time.
    pub(super) fn advance(&mut self, m: Moment) {
        if let Some(flight) = self.flight
            && m.since(flight.at) >= LOST_ANSWER
        {
            self.call_failed(flight.ask, Failure::Transport, m);
        }
        self.give_up_lost_car(m);
        self.memory.habits.pass(m.wall);
        if self.memory.wake_until.is_some_and(|until| m.t >= until) {
            self.emit(Event::WakeFailed);
            let resting = self.memory.resting;
            self.go(resting, "the car did not wake", m);
        }
        self.look_at_scheduled_charge(m);
        if self.quiet_at().is_some_and(|at| m.t >= at) {
            self.enter_quiet(m);
        }
    }

    fn give_up_lost_car(&mut self, m: Moment) {
        let Some(lost_until) = self.lost_until() else {
            return;
        };
        if m.t < lost_until {
            return;
        }
        if self.memory.state == State::Updating {
            self.emit(Event::UpdateEnded { version: None });
        }
        self.memory.lost_at = None;
        let asleep = self.memory.light == Some(LightState::Asleep);
        let to = if asleep {
            State::Asleep
        } else {
            State::Unreachable
        };
        self.fall_asleep(to, "out of reach for long", m);
    }

    fn lost_until(&self) -> Option<At> {
        let memory = &self.memory;
        let lost_at = memory.lost_at?;
        let contact = memory.online_at.unwrap_or(lost_at).min(lost_at);
        // Where contacts are rare by design, one word does not end anything.
        let least = lost_at + LEAST_LOST;
        match memory.state {
            State::Driving | State::Charging => Some((contact + LOST_FOR).max(least)),
            State::Updating => Some(contact + UPDATING_LOST_FOR),
            _ => None,
        }
    }

    fn look_at_scheduled_charge(&mut self, m: Moment) {
        let Some(late) = self.seconds_past_schedule(m) else {
            return;
        };
        if late < 0 {
            return;
        }
        self.memory.scheduled_charge = None;
        if late <= SCHEDULE_WINDOW_SECONDS {
            self.memory.want_light(m.t);
            if let Some(look_at) = &mut self.memory.look_at {
                *look_at = m.t.min(*look_at);
            } else if self.memory.state == State::Idle {
                self.memory.data_wanted_at = Some(m.t);
            }
        }
    }

    fn seconds_past_schedule(&self, m: Moment) -> Option<i64> {
        let start = self.memory.scheduled_charge?;
        Some(m.wall.as_second() - start.as_second() - SCHEDULE_DELAY_SECONDS)
    }

    /// When an idle car is left alone.
    pub(super) fn quiet_at(&self) -> Option<At> {
        let memory = &self.memory;
        let held = !memory.holds.is_empty() || memory.pushed_user_present;
        if memory.state != State::Idle || held || memory.paused || memory.signed_out {
            return None;
        }
        let clear_since = memory.clear_since?;
        let rest = match self.class() {
            _ if memory.let_sleep => Duration::ZERO,
            Class::Held => self.config.settle,
            Class::Unknown if memory.n_polls_since_clear >= ENOUGH_POLLS => PATIENCE,
            Class::Unknown | Class::NotHeld => return None,
        };
        let command = memory
            .last_command_at
            .map_or(At::ZERO, |at| at + COMMAND_REST);
        let sleepless = memory.sleepless_until.unwrap_or_default();
        Some((clear_since + rest).max(command).max(sleepless))
    }

    pub(super) fn enter_quiet(&mut self, m: Moment) {
        // Learned from the last use on; a part of that has passed before Quiet.
        let passed = self
            .memory
            .clear_since
            .map_or(Duration::ZERO, |at| m.since(at));
        let passed = passed.min(self.config.settle);
        let first = match self.memory.learning.time_to_sleep() {
            Some(learned) => (learned + OVERDUE).saturating_sub(passed),
            None => self.config.quiet_first,
        };
        let first = first.clamp(Duration::from_mins(12), Duration::from_mins(30));
        let resisted = self.class() == Class::Unknown && !self.memory.let_sleep;
        self.go(State::Quiet, "let to sleep", m);
        self.memory.look_at = Some(m.t + first);
        self.memory.had_resisted = resisted;
        self.memory.let_sleep = false;
        self.memory.data_wanted_at = None;
    }

    /// The time from one look that found nothing new to the next.
    pub(super) fn next_look_after(n_looks: u32) -> Duration {
        Duration::from_secs(if n_looks <= 1 { 1800 } else { 3600 })
    }

    /// The next time at which something happens without a call.
    pub(super) fn next_turn(&self, m: Moment) -> At {
        let schedule = self
            .seconds_past_schedule(m)
            .map(|late| m.t + Duration::from_secs(late.min(0).unsigned_abs()));
        let turns = [
            self.lost_until(),
            self.memory.wake_until,
            self.quiet_at(),
            schedule,
        ];
        turns.into_iter().flatten().min().unwrap_or(At::MAX)
    }
}
