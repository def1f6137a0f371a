//! What a light answer changes. It only says whether the car is connected, but it says so without
//! touching the car, so it is the word that all data calls stand on.

use std::time::Duration;

use super::Policy;
use super::interface::{Ask, Event, Light, LightState};
use super::learning::{POLLED, Sleep};
use super::memory::Moment;
use super::phase::{Phase, Rest, Waking};

/// A car that was parked at least this long and goes offline is asleep, not out of reach.
const PARKED_LONG: Duration = Duration::from_mins(5);

impl Policy {
    pub(super) fn light_answered(&mut self, light: Light, m: Moment) {
        if self.flight.is_some_and(|flight| flight.ask == Ask::Light) {
            self.flight = None;
        }
        self.wants_persisting |= self.memory.backoffs.succeeded(Ask::Light, m.t);
        self.memory.standing.found();
        self.take_light(light, m);
    }

    /// The word of a light call or of the product list.
    pub(super) fn take_light(&mut self, light: Light, m: Moment) {
        self.proved_signed_in();
        let memory = &mut self.memory;
        memory.standing.listed = true;
        memory.starts.first_call_at = None;
        let was_in_service = memory.contact.is_in_service;
        memory.contact.light_came(light, m);
        if memory.contact.is_online {
            memory.machine.found();
            memory.learning.is_online();
        } else {
            memory.learning.still_asleep(m.t);
        }
        if light.in_service && !was_in_service {
            self.taken_to_service(m);
        } else if light.in_service {
            self.go(Phase::InService, "at service", m);
        } else if light.state == LightState::Online {
            self.is_online(was_in_service, m);
        } else {
            self.is_not_online(light.state, m);
        }
    }

    /// Something other than data says that the car is at service. Data may have said so before, and
    /// been asked for since; now no look will show the end of what it saw begin.
    pub(super) fn taken_to_service(&mut self, m: Moment) {
        if matches!(self.memory.machine.phase, Phase::InService) {
            self.emit(Event::OutOfSight);
        }
        self.go(Phase::InService, "at service", m);
    }

    /// Whether a light answer before this one said that the car is at service.
    fn is_online(&mut self, was_in_service: bool, m: Moment) {
        let memory = &mut self.memory;
        if memory.machine.is_resting() {
            memory.push.missed_wake = !memory.push.is_connected;
        }
        match &mut memory.machine.phase {
            Phase::Boot | Phase::Unreachable => {
                self.go(Phase::Waking(Waking::default()), "online", m);
            }
            Phase::Asleep => {
                let on_the_hour = memory.self_checks.is_on_the_hour(m);
                let guarded = on_the_hour && memory.self_checks.are_known();
                let waking = Waking {
                    guard_until: guarded.then(|| m.t + self.config.wake_guard),
                    wake_until: None,
                    on_the_hour,
                };
                self.go(Phase::Waking(waking), "online", m);
            }
            Phase::Waking(waking) => waking.wake_until = None,
            Phase::InService if was_in_service => {
                self.go(Phase::Waking(Waking::default()), "back from service", m);
            }
            // Back in reach.
            Phase::Driving(reach) | Phase::Charging(reach) | Phase::Updating(reach) => {
                if std::mem::take(&mut reach.n_lost_lights) > 0 {
                    memory.wanted.data_at = Some(m.t);
                }
            }
            Phase::Idle(_) | Phase::Quiet(_) | Phase::InService => {}
        }
    }

    fn is_not_online(&mut self, word: LightState, m: Moment) {
        let asleep = word == LightState::Asleep;
        let memory = &mut self.memory;
        match &memory.machine.phase {
            Phase::Waking(waking) if waking.wake_until.is_some() => {}
            Phase::Waking(waking) => {
                if waking.guard_until.is_some() {
                    memory.self_checks.was_brief();
                }
                let to = if asleep {
                    Rest::Asleep
                } else {
                    memory.machine.rest
                };
                self.fall_asleep(to, "not online", m);
            }
            Phase::Idle(_) | Phase::Quiet(_) => {
                let clear_since = memory.machine.parked().and_then(|of| of.clear_since);
                let parked_long = clear_since.is_some_and(|at| m.since(at) >= PARKED_LONG);
                let sleeps = asleep || (word == LightState::Offline && parked_long);
                let to = if sleeps {
                    Rest::Asleep
                } else {
                    Rest::Unreachable
                };
                self.fall_asleep(to, "not online", m);
            }
            Phase::Boot | Phase::Unreachable | Phase::InService | Phase::Charging(_) if asleep => {
                self.fall_asleep(Rest::Asleep, "not online", m);
            }
            Phase::Driving(_) | Phase::Charging(_) | Phase::Updating(_) => self.lose(m),
            Phase::Asleep if word == LightState::Unknown => {
                self.go(Phase::Unreachable, "unknown word", m);
            }
            Phase::Asleep => {}
            Phase::Boot | Phase::Unreachable | Phase::InService => {
                self.go(Phase::Unreachable, "not online", m);
            }
        }
    }

    /// Out of reach, in a state that outlasts it.
    pub(super) fn lose(&mut self, m: Moment) {
        if let Some(reach) = self.memory.machine.reach_mut() {
            reach.lose(m);
        }
    }

    /// Enters a resting state; from a parked one that is a sleep to learn from.
    pub(super) fn fall_asleep(&mut self, to: Rest, because: &'static str, m: Moment) {
        let memory = &mut self.memory;
        if to == Rest::Asleep {
            memory.self_checks.fell_asleep(m);
            let (in_quiet, had_resisted) = match &memory.machine.phase {
                Phase::Quiet(quiet) => (true, quiet.had_resisted),
                _ => (false, false),
            };
            if let Some(clear_since) = memory.machine.parked().and_then(|of| of.clear_since) {
                memory.learning.fell_asleep(Sleep {
                    at: m.t,
                    after: m.since(clear_since),
                    polled: memory.contact.has_data_within(POLLED, m),
                    in_quiet,
                    had_resisted,
                });
            }
        }
        self.go(to.into(), because, m);
    }
}
