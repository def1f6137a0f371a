//! The intervals of each state: when it wants the next light call and the next data, before
//! failures, the budget's refusals and the guarantees push them back.

use std::time::Duration;

use super::Policy;
use super::config::PolicyConfig;
use super::interface::{Ask, Class, HoldReason, Why};
use super::memory::{At, Memory, Moment};
use super::next_call::NextCall;
use super::phase::{Phase, Reach, Waking};

/// Data may follow data without a light call.
pub(super) const DRIVING_CHAIN: Duration = Duration::from_mins(2);
pub(super) const CHARGING_CHAIN: Duration = Duration::from_mins(10);
/// From these times after the last use on the intervals of an idle car are others.
const FIRST: Duration = Duration::from_mins(2);
pub(super) const EARLY: Duration = Duration::from_mins(5);
/// Light calls to a car lost during a drive.
const LOST_LADDER: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
];
/// Light calls to a car lost during a charge.
const LOST_CHARGE: Duration = Duration::from_secs(30);
/// Light calls after the owner woke the car.
const WAKE_POLL: Duration = Duration::from_secs(3);
/// Tesla once said that light calls are too many: no more than these for a day.
const MODEST_LIGHT: Duration = Duration::from_mins(1);

impl Policy {
    /// The light call by the state's own interval.
    pub(super) fn routine_light(&self, m: Moment) -> NextCall {
        let (memory, config) = (&self.memory, self.intervals(m));
        let last = memory.calls.light_at.unwrap_or_default();
        // Data answers the light call's question too.
        let contact = last.max(memory.contact.data_at.unwrap_or_default());
        let after = |from: At, interval: Duration, why| {
            let jittered = interval.mul_f64(memory.calls.light_jitter);
            NextCall::new(Ask::Light, from + jittered, why)
        };
        if memory.standing.paused {
            return after(last, config.paused_light, Why::Paused);
        }
        match &memory.machine.phase {
            Phase::Boot | Phase::Asleep | Phase::Unreachable => {
                let routine = after(last, self.resting_light(m), Why::Interval);
                match memory.push.suffices_until(m) {
                    Some(until) => routine.not_before(until, Why::Interval),
                    None => routine,
                }
            }
            Phase::Waking(waking) if waking.wake_until.is_some() => {
                after(last, WAKE_POLL, Why::Interval)
            }
            Phase::Waking(waking) if waking.guard_until.is_some() => {
                let interval = config.asleep_light.min(config.idle_light);
                after(last, interval, Why::BriefWake)
            }
            Phase::Waking(_) | Phase::Idle(_) => after(contact, config.idle_light, Why::Interval),
            Phase::Quiet(_) => after(last, config.quiet_light, Why::Quiet),
            Phase::Driving(Reach {
                lost_at: Some(lost_at),
                n_lost_lights,
            }) => {
                let rung = (*n_lost_lights as usize).min(LOST_LADDER.len() - 1);
                let from = if rung == 0 { *lost_at } else { last };
                after(from, LOST_LADDER[rung], Why::Interval)
            }
            Phase::Charging(reach) if reach.lost_at.is_some() => {
                after(last, LOST_CHARGE, Why::Interval)
            }
            Phase::Driving(_) | Phase::Charging(_) => {
                // Without data the light calls keep an eye on the car.
                if self.data_is_blocked(m) || !memory.contact.is_online {
                    after(contact, config.idle_light, Why::Interval)
                } else {
                    NextCall::none(Why::Interval)
                }
            }
            Phase::Updating(_) => after(contact, config.updating_light, Why::Interval),
            Phase::InService => after(last, config.service_light, Why::Interval),
        }
    }

    fn data_is_blocked(&self, m: Moment) -> bool {
        let until = self.memory.backoffs.until(Ask::Data);
        until.is_some_and(|(until, _)| until > m.t + self.intervals(m).idle_light)
    }

    /// Light calls to a car that rests.
    fn resting_light(&self, m: Moment) -> Duration {
        let (memory, config) = (&self.memory, self.intervals(m));
        let most = if memory.habits.expects_start(m.wall) {
            config.expected_light
        } else {
            Duration::MAX
        };
        let least = if memory.calls.is_modest(m) {
            MODEST_LIGHT
        } else {
            Duration::ZERO
        };
        config.asleep_light.min(most).max(least)
    }

    /// The data call by the state's own interval, or sooner where something wants it.
    pub(super) fn routine_data(&self, m: Moment) -> Option<NextCall> {
        let (memory, config) = (&self.memory, self.intervals(m));
        let entered_at = memory.machine.entered_at;
        let last = memory.calls.data_at;
        let after_last = |interval: Duration| {
            let stretched = interval.mul_f64(memory.calls.data_jitter * memory.budget.factor);
            last.map_or(entered_at, |last| last + stretched)
        };
        let routine = match &memory.machine.phase {
            Phase::Waking(Waking { guard_until, .. }) => {
                let start = entered_at + config.waking_wait;
                let tried = last.is_some_and(|at| at >= entered_at);
                match guard_until {
                    Some(guard) => {
                        let at = start.max(*guard);
                        return Some(NextCall::new(Ask::Data, at, Why::BriefWake));
                    }
                    None if tried => after_last(config.idle_first_data),
                    None => start,
                }
            }
            Phase::Idle(_) => match memory.wanted.next_followup() {
                Some(planned) => planned,
                None => after_last(self.idle_interval(m)),
            },
            Phase::Quiet(quiet) => {
                return Some(NextCall::new(Ask::Data, quiet.look_at, Why::Quiet));
            }
            Phase::Driving(reach) if reach.lost_at.is_none() => after_last(config.driving_data),
            Phase::Charging(reach) if reach.lost_at.is_none() => {
                let ladder = after_last(charging_interval(config, memory, m));
                memory.wanted.next_followup().unwrap_or(ladder).min(ladder)
            }
            Phase::Updating(_) => after_last(config.updating_data),
            Phase::InService if !memory.contact.is_in_service => after_last(config.service_data),
            _ => return None,
        };
        let wanted = memory.wanted.data_at.unwrap_or(routine);
        Some(NextCall::new(Ask::Data, wanted.min(routine), Why::Interval))
    }

    fn idle_interval(&self, m: Moment) -> Duration {
        let (memory, config) = (&self.memory, self.intervals(m));
        let holds = self.all_holds();
        if holds == [HoldReason::SentryMode] {
            return config.sentry_data;
        }
        // A charge that comes and goes with the sun is watched as a charge, not as a new park.
        if memory.charging.comes_and_goes(EARLY, m) {
            return config.charging_first_data;
        }
        let interval = match m.since(memory.parking.last_use_at) {
            _ if !holds.is_empty() => config.idle_data,
            since_use if since_use < FIRST => config.idle_first_data,
            since_use if since_use < EARLY => config.idle_early_data,
            _ => config.idle_data,
        };
        // A hold has cleared: one look in the middle before the car is left alone.
        let settling = self.class() == Class::Held && holds.is_empty();
        if settling {
            interval.min(config.settle / 2)
        } else {
            interval
        }
    }

    /// The state's own interval between two calls of whichever kind, without jitter and without
    /// what failures and plans make of it; `None` where nothing is asked.
    pub(super) fn interval(&self, m: Moment) -> Option<Duration> {
        let (memory, config) = (&self.memory, self.intervals(m));
        if !memory.standing.listed || memory.standing.signed_out {
            return None;
        }
        if memory.standing.paused {
            return Some(config.paused_light);
        }
        let stretched = |interval: Duration| interval.mul_f64(memory.budget.factor);
        let interval = match memory.machine.phase {
            Phase::Boot | Phase::Asleep | Phase::Unreachable if memory.push.suffices(m) => {
                return None;
            }
            Phase::Boot | Phase::Asleep | Phase::Unreachable => self.resting_light(m),
            Phase::Waking(_) => config.idle_light.min(stretched(config.idle_first_data)),
            Phase::Idle(_) => config.idle_light.min(stretched(self.idle_interval(m))),
            Phase::Quiet(_) => config.quiet_light,
            Phase::Driving(_) => stretched(config.driving_data),
            Phase::Charging(_) => stretched(charging_interval(config, memory, m)),
            Phase::Updating(_) => config.updating_light.min(stretched(config.updating_data)),
            Phase::InService => config.service_light,
        };
        Some(interval)
    }

    /// When an interval becomes another one by the passing of time alone. Habits, which take longer to
    /// look up, count only before the next call.
    pub(super) fn intervals_change_at(&self, call_at: At, m: Moment) -> Option<At> {
        let memory = &self.memory;
        let (last_use_at, charging) = (memory.parking.last_use_at, &memory.charging);
        let of_phase = match memory.machine.phase {
            Phase::Boot | Phase::Asleep | Phase::Unreachable => {
                let habit = memory.habits.changes_before(m.calendar(call_at), m.wall);
                [habit.map(|at| m.at(at)), memory.calls.modest_until(), None]
            }
            Phase::Idle(_) => [
                Some(last_use_at + FIRST),
                Some(last_use_at + EARLY),
                charging.last_at.map(|at| at + EARLY),
            ],
            Phase::Charging(_) => [charging.since.map(|at| at + EARLY), None, None],
            _ => [None; 3],
        };
        let changes = of_phase.into_iter().chain([memory.push.gone_at()]);
        changes.flatten().filter(|at| *at > m.t).min()
    }

    /// Until when what is shown of a drive or a charge is confirmed, if it is.
    pub(super) fn confirmed_until(&self, m: Moment) -> Option<At> {
        let memory = &self.memory;
        let chain = match memory.machine.phase {
            Phase::Driving(_) => DRIVING_CHAIN,
            Phase::Charging(_) => CHARGING_CHAIN,
            _ => return None,
        };
        let by_data = memory.contact.data_at.map(|at| at + chain);
        let until = by_data.max(memory.push.suffices_until(m))?;
        (until > m.t && memory.machine.lost_at().is_none()).then_some(until)
    }

    /// Whether the state shown is older than it should be.
    pub(super) fn is_stale(&self, m: Moment) -> bool {
        match self.memory.machine.phase {
            Phase::Driving(_) | Phase::Charging(_) => self.confirmed_until(m).is_none(),
            Phase::Boot => false,
            _ => self.memory.starts.first_call_at.is_some(),
        }
    }
}

fn charging_interval(config: &PolicyConfig, memory: &Memory, m: Moment) -> Duration {
    if memory.charging.is_fast() {
        config.charging_fast_data
    } else if memory.charging.is_younger_than(EARLY, m) {
        config.charging_first_data
    } else {
        config.charging_data
    }
}
