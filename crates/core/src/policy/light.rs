//! What a light answer changes. It only says whether the car is connected, but it says so without
//! touching the car, so it is the word that all data calls stand on.

use std::time::Duration;

use super::Policy;
use super::interface::{Ask, Light, LightState, State};
use super::learning::{POLLED, Sleep};
use super::memory::Moment;

/// A car that was parked at least this long and goes offline is asleep, not out of reach.
const PARKED_LONG: Duration = Duration::from_mins(5);
/// A wake so long after falling asleep may be the hourly self-check.
const BRIEF_WAKE_MINUTES: std::ops::RangeInclusive<u64> = 45..=70;
/// A car that data, but not the light call, says is at service is looked at this often.
const SERVICE_DATA: Duration = Duration::from_hours(1);

impl Policy {
    pub(super) fn light_answered(&mut self, light: Light, m: Moment) {
        if self.flight.is_some_and(|flight| flight.ask == Ask::Light) {
            self.flight = None;
        }
        self.wants_persisting |= self.memory.backoffs.succeeded(Ask::Light, m.t);
        self.memory.was_found();
        self.light_says(light, m);
    }

    /// The word of a light call or of the product list.
    pub(super) fn light_says(&mut self, light: Light, m: Moment) {
        self.proved_signed_in();
        let memory = &mut self.memory;
        memory.listed = true;
        memory.first_call_at = None;
        memory.light = Some(light.state);
        memory.is_online = light.state == LightState::Online;
        if memory.is_online {
            memory.online_at = Some(m.t);
            memory.light_online_at = Some(m.t);
            memory.lost_at = None;
            memory.learning.is_online();
        } else {
            memory.learning.still_asleep(m.t);
        }
        if light.in_service {
            self.end_sessions_at_last_reading(m);
            self.go(State::InService, "at service", m);
        } else if light.state == LightState::Online {
            self.is_online(m);
        } else {
            self.is_not_online(light.state, m);
        }
    }

    fn is_online(&mut self, m: Moment) {
        let memory = &mut self.memory;
        memory.wake_until = None;
        if memory.is_resting() {
            memory.woke_unheard = !memory.push_connected;
        }
        match memory.state {
            State::Boot | State::Unreachable => self.go(State::Waking, "online", m),
            State::Asleep => {
                memory.woke_on_the_hour = memory
                    .asleep_at
                    .is_some_and(|at| BRIEF_WAKE_MINUTES.contains(&(m.since(at).as_secs() / 60)));
                let guarded = memory.woke_on_the_hour && memory.guard_is_armed();
                self.go(State::Waking, "online", m);
                if guarded {
                    self.memory.guard_until = Some(m.t + self.config.wake_guard);
                }
            }
            State::InService => {
                // Data said so, and would say so again.
                let looked = memory
                    .last_data_ok_at
                    .is_some_and(|at| m.since(at) < SERVICE_DATA);
                if !looked {
                    self.go(State::Waking, "back from service", m);
                }
            }
            // Back in reach.
            State::Driving | State::Charging | State::Updating if memory.n_lost_lights > 0 => {
                memory.n_lost_lights = 0;
                memory.data_wanted_at = Some(m.t);
            }
            _ => {}
        }
    }

    fn is_not_online(&mut self, word: LightState, m: Moment) {
        let asleep = word == LightState::Asleep;
        let memory = &mut self.memory;
        match memory.state {
            State::Waking if memory.wake_until.is_some() => {}
            State::Waking => {
                if memory.guard_until.is_some() {
                    memory.n_brief_wakes = (memory.n_brief_wakes + 1).min(5);
                }
                let to = if asleep {
                    State::Asleep
                } else {
                    memory.resting
                };
                self.fall_asleep(to, "not online", m);
            }
            State::Idle | State::Quiet => {
                let parked_long = memory
                    .clear_since
                    .is_some_and(|at| m.since(at) >= PARKED_LONG);
                let sleeps = asleep || (word == LightState::Offline && parked_long);
                let to = if sleeps {
                    State::Asleep
                } else {
                    State::Unreachable
                };
                self.fall_asleep(to, "not online", m);
            }
            State::Charging if asleep => {
                self.end_sessions_at_last_reading(m);
                self.fall_asleep(State::Asleep, "not online", m);
            }
            State::Driving | State::Charging | State::Updating => self.lose(m),
            State::Asleep if word == LightState::Unknown => {
                self.go(State::Unreachable, "unknown word", m);
            }
            State::Asleep => {}
            State::Boot | State::Unreachable | State::InService if asleep => {
                self.fall_asleep(State::Asleep, "not online", m);
            }
            _ => self.go(State::Unreachable, "not online", m),
        }
    }

    /// Out of reach in a state that outlasts it.
    pub(super) fn lose(&mut self, m: Moment) {
        let memory = &mut self.memory;
        if memory.lost_at.is_none() {
            memory.lost_at = Some(m.t);
            memory.n_lost_lights = 0;
        }
    }

    /// Enters a resting state; from a parked one that is a sleep to learn from.
    pub(super) fn fall_asleep(&mut self, to: State, because: &'static str, m: Moment) {
        let memory = &mut self.memory;
        if to == State::Asleep {
            memory.asleep_at = Some(m.t);
            let in_quiet = memory.state == State::Quiet;
            let clear_since = memory
                .clear_since
                .filter(|_| matches!(memory.state, State::Idle | State::Quiet));
            if let Some(clear_since) = clear_since {
                let last_data = memory.last_data_ok_at;
                memory.learning.fell_asleep(Sleep {
                    at: m.t,
                    after: m.since(clear_since),
                    polled: last_data.is_some_and(|at| m.since(at) <= POLLED),
                    in_quiet,
                    had_resisted: memory.had_resisted,
                });
            }
        }
        self.go(to, because, m);
    }
}
