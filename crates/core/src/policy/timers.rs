//! What will be due when: one table, one row a timer, from which the next step is derived. The
//! earliest row alone says how long there is nothing to do; a row that is due is either a call to
//! be made or something that the passing of time alone changes.
//!
//! What failures, the account's governor, the owner's wishes and the gap between two requests make
//! of a call is part of its row (`next_call`). The account and the source that pushes, which are
//! shared by several cars, keep no wait of a car: what they say of one becomes a row here.

use std::time::Duration;

use super::interface::{Ask, Class, Event, Failure, LightState, Step, Why};
use super::learning::PATIENCE;
use super::memory::{At, Moment};
use super::phase::{Phase, Rest};
use super::{LOST_ANSWER, Policy};

/// A drive or charge out of reach ends after this time.
const LOST_FOR: Duration = Duration::from_mins(15);
const LEAST_LOST: Duration = Duration::from_mins(5);
/// An installation takes the car off the net for long.
const UPDATING_LOST_FOR: Duration = Duration::from_hours(1);
/// A light call that comes this late behind its scheduled charge tells nothing.
const SCHEDULE_WINDOW_SECONDS: i64 = 3600;
pub(super) const SCHEDULE_DELAY_SECONDS: i64 = 60;
/// A car that is awake so long after it used to be asleep is looked at.
const OVERDUE: Duration = Duration::from_mins(3);
/// Fewer data calls than this say nothing about a car's patience.
const ENOUGH_POLLS: u32 = 5;

/// A row of the table: what happens when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The answer of the call under way is no longer waited for.
    LostAnswer,
    /// A car out of reach for long is given up: its drive, charge or update has ended.
    LostCar,
    /// The car that the owner woke did not come online.
    FailedWake,
    /// A scheduled charge should have begun, and is looked at.
    ScheduledCharge,
    /// The source that pushes has been away for long: the car is polled.
    LostPushSource,
    /// Nothing has held the idle car awake for long: it is let to fall asleep.
    Quiet,
    /// The account is to list its products again.
    Relist,
    /// A call is made.
    Call(Ask),
    /// An interval becomes another one: the row of the call is drawn up anew.
    Interval,
    /// What is shown of a drive or a charge is not confirmed any more: that is said.
    Unconfirmed,
    /// No wait is longer, for the calendar may jump, and what hangs on it is drawn up anew.
    LongestWait,
}

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) timer: Timer,
    /// [`At::MAX`]: not at all.
    pub(super) at: At,
}

impl Policy {
    /// The table. Of two rows that are due the first is seen to first; while a call is under way
    /// there is no other. The last three are never due: when their time has come, others are.
    pub(super) fn timers(&self, m: Moment) -> [Due; 11] {
        let memory = &self.memory;
        let flight = self.flight;
        let call = self.next_call(m);
        let failed_wake = memory.machine.waking().and_then(|of| of.wake_until);
        let relist = (memory.standing.relist && flight.is_none()).then_some(m.t);
        let call_at = call.ask.map(|_| call.at).filter(|_| flight.is_none());
        [
            (Timer::LostAnswer, flight.map(|of| of.at + LOST_ANSWER)),
            (Timer::LostCar, self.lost_until()),
            (Timer::FailedWake, failed_wake),
            (Timer::ScheduledCharge, self.scheduled_look_at(m)),
            (Timer::LostPushSource, memory.push.source_given_up_at()),
            (Timer::Quiet, self.quiet_at()),
            (Timer::Relist, relist),
            (Timer::Call(call.ask.unwrap_or(Ask::Light)), call_at),
            (
                Timer::Interval,
                self.intervals_change_at(call_at.unwrap_or(At::MAX), m),
            ),
            (Timer::Unconfirmed, self.confirmed_until(m)),
            (Timer::LongestWait, Some(m.t + self.config.longest_wait())),
        ]
        .map(|(timer, at)| Due {
            timer,
            at: at.unwrap_or(At::MAX),
        })
    }

    /// The first row that is due, or else the earliest.
    fn next_timeout(&self, m: Moment) -> Due {
        let timers = self.timers(m);
        let is_due = timers.iter().find(|row| row.at <= m.t);
        let earliest = timers.iter().min_by_key(|row| row.at);
        *is_due.or(earliest).unwrap_or(&timers[0])
    }

    /// Sees to every row that is due, up to a call.
    pub(super) fn step(&mut self, m: Moment) -> Step {
        loop {
            let next = self.next_timeout(m);
            match next.timer {
                _ if next.at > m.t => return self.wait_until(next.at, m),
                Timer::Call(ask) => return self.ask(ask, m),
                Timer::Relist => {
                    self.memory.standing.relist = false;
                    return Step::Relist;
                }
                timer => self.time_is_up(timer, m),
            }
        }
    }

    fn wait_until(&self, at: At, m: Moment) -> Step {
        let why = match self.flight {
            Some(_) => Why::InFlight,
            None => self.next_call(m).why,
        };
        Step::Wait { until: at, why }
    }

    fn time_is_up(&mut self, timer: Timer, m: Moment) {
        match timer {
            Timer::LostAnswer => {
                if let Some(flight) = self.flight {
                    self.call_failed(flight.ask, Failure::Transport, m);
                }
            }
            Timer::LostCar => self.give_up_lost_car(m),
            Timer::FailedWake => {
                self.emit(Event::WakeFailed);
                let rest = self.memory.machine.rest;
                self.go(rest.into(), "the car did not wake", m);
            }
            Timer::ScheduledCharge => self.look_at_scheduled_charge(m),
            Timer::LostPushSource => self.give_up_push_source(m),
            Timer::Quiet => self.enter_quiet(m),
            Timer::Relist
            | Timer::Call(_)
            | Timer::Interval
            | Timer::Unconfirmed
            | Timer::LongestWait => {}
        }
    }

    fn lost_until(&self) -> Option<At> {
        let memory = &self.memory;
        let lost_at = memory.machine.lost_at()?;
        let contact = memory.contact.online_at.unwrap_or(lost_at).min(lost_at);
        if matches!(memory.machine.phase, Phase::Updating(_)) {
            return Some(contact + UPDATING_LOST_FOR);
        }
        // Where contacts are rare by design, one word does not end anything.
        let least = lost_at + LEAST_LOST;
        Some((contact + LOST_FOR).max(least))
    }

    fn give_up_lost_car(&mut self, m: Moment) {
        let to = match self.memory.contact.light {
            Some(LightState::Asleep) => Rest::Asleep,
            _ => Rest::Unreachable,
        };
        self.fall_asleep(to, "out of reach for long", m);
    }

    /// When the calendar says so, on the policy's clock.
    fn scheduled_look_at(&self, m: Moment) -> Option<At> {
        let late = self.seconds_past_schedule(m)?;
        Some(m.t + Duration::from_secs(late.min(0).unsigned_abs()))
    }

    fn seconds_past_schedule(&self, m: Moment) -> Option<i64> {
        let start = self.memory.charging.scheduled_at?;
        Some(m.wall.as_second() - start.as_second() - SCHEDULE_DELAY_SECONDS)
    }

    fn look_at_scheduled_charge(&mut self, m: Moment) {
        let late = self.seconds_past_schedule(m);
        let memory = &mut self.memory;
        memory.charging.scheduled_at = None;
        if late.is_none_or(|late| late > SCHEDULE_WINDOW_SECONDS) {
            return;
        }
        memory.wanted.light(m.t);
        match &mut memory.machine.phase {
            Phase::Quiet(quiet) => quiet.look_at = quiet.look_at.min(m.t),
            Phase::Idle(_) => memory.wanted.data_at = Some(m.t),
            _ => {}
        }
    }

    /// When an idle car is left alone.
    pub(super) fn quiet_at(&self) -> Option<At> {
        let memory = &self.memory;
        let Phase::Idle(idle) = &memory.machine.phase else {
            return None;
        };
        if memory.is_held() || memory.standing.forbids_data() {
            return None;
        }
        let clear_since = idle.parked.clear_since?;
        let rest = match self.class() {
            _ if idle.let_sleep => Duration::ZERO,
            Class::Held => self.config.settle,
            Class::Unknown if idle.parked.n_polls_since_clear >= ENOUGH_POLLS => PATIENCE,
            Class::Unknown | Class::NotHeld => return None,
        };
        let sleepless = idle.parked.sleepless_until.unwrap_or_default();
        let rested_at = memory.parking.rested_at();
        Some((clear_since + rest).max(rested_at).max(sleepless))
    }

    fn enter_quiet(&mut self, m: Moment) {
        let memory = &mut self.memory;
        let Phase::Idle(idle) = &memory.machine.phase else {
            return;
        };
        // Learned from the last use on; a part of that has passed before Quiet.
        let clear_since = idle.parked.clear_since;
        let passed = clear_since.map_or(Duration::ZERO, |at| m.since(at));
        let passed = passed.min(self.config.settle);
        let first = match memory.learning.time_to_sleep() {
            Some(learned) => (learned + OVERDUE).saturating_sub(passed),
            None => self.config.quiet_first,
        };
        let first = first.clamp(Duration::from_mins(12), Duration::from_mins(30));
        let is_unknown = memory.learning.class(self.config.class).0 == Class::Unknown;
        let quiet = memory
            .machine
            .quiet(m.t + first, is_unknown && !idle.let_sleep);
        memory.wanted.data_at = None;
        self.go(quiet, "let to sleep", m);
    }

    /// The time from one look that found nothing new to the next.
    pub(super) fn next_look_after(n_looks: u32) -> Duration {
        Duration::from_secs(if n_looks <= 1 { 1800 } else { 3600 })
    }
}
