//! The next call: which, when, and why not now. Each state wants light and data at its own
//! intervals; failures, the budget and the guarantees G2, G3 and G6 push them back; the earliest
//! is the plan.

use std::time::Duration;

use super::backoff::WaitReason;
use super::config::PolicyConfig;
use super::interface::{Ask, Class, HoldReason, LightState, Purpose, State, Step, Why};
use super::memory::{At, Memory, Moment};
use super::owner::CHATTY_GAP;
use super::{Flight, LOST_ANSWER, Policy};
use crate::model::ChargingState;

/// The word "online" is believed this long.
const ONLINE_TTL: Duration = Duration::from_secs(90);
/// Data of a car that may be falling asleep follows a light call within this time.
const SAME_TICK: Duration = Duration::from_secs(10);
/// Data may follow data without a light call.
const DRIVING_CHAIN: Duration = Duration::from_mins(2);
const CHARGING_CHAIN: Duration = Duration::from_mins(10);
/// The feet of the idle ladder.
const FIRST: Duration = Duration::from_mins(2);
const EARLY: Duration = Duration::from_mins(5);
/// Light calls to a car lost during a drive.
const LOST_LADDER: [u64; 4] = [5, 10, 20, 30];
/// Light calls after the owner woke the car.
const WAKE_POLL: Duration = Duration::from_secs(3);
/// From here on a charge is a fast one.
const FAST_KW: f64 = 15.0;
/// The last look before Quiet, so that only what begins after it is seen late (G5), and how long
/// before Quiet another one makes it needless.
const LAST_LOOK: Duration = Duration::from_secs(5);
const BEFORE_QUIET: Duration = Duration::from_secs(30);
/// Tesla once said that light calls are too many: no more than these for a day.
const MODEST_LIGHT: Duration = Duration::from_mins(1);
const MODEST_FOR: Duration = Duration::from_hours(24);

/// The earliest call and what it waits for; no call means that there is nothing to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) at: At,
    pub(super) call: Option<Ask>,
    pub(super) why: Why,
}

impl Plan {
    fn nothing(why: Why) -> Self {
        Self {
            at: At::MAX,
            call: None,
            why,
        }
    }

    fn call(ask: Ask, at: At, why: Why) -> Self {
        Self {
            at,
            call: Some(ask),
            why,
        }
    }

    fn not_before(self, at: At, why: Why) -> Self {
        if at > self.at {
            Self { at, why, ..self }
        } else {
            self
        }
    }

    fn or(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }
}

impl Policy {
    pub(super) fn step(&mut self, m: Moment) -> Step {
        let longest = m.t + self.config.longest_wait();
        if let Some(flight) = self.flight {
            let until = (flight.at + LOST_ANSWER).min(longest);
            return Step::Wait {
                until,
                why: Why::InFlight,
            };
        }
        if std::mem::take(&mut self.memory.relist) {
            return Step::Relist;
        }
        let plan = self.plan(m);
        match plan.call {
            Some(ask) if plan.at <= m.t => {
                let purpose = self.asked(ask, m);
                Step::Ask {
                    ask,
                    purpose,
                    with_location: self.memory.location.is_wanted(m.t),
                }
            }
            _ => {
                let until = plan.at.min(self.next_turn(m)).min(longest);
                Step::Wait {
                    until: until.max(m.t),
                    why: plan.why,
                }
            }
        }
    }

    fn asked(&mut self, ask: Ask, m: Moment) -> Purpose {
        let purpose = self.purpose_now(m);
        self.flight = Some(Flight {
            ask,
            at: m.t,
            purpose,
            with_location: ask == Ask::Data && self.memory.location.is_wanted(m.t),
        });
        let memory = &mut self.memory;
        memory.last_ask_at = Some(m.t);
        let jitter = memory.random.between(0.95, 1.05);
        match ask {
            Ask::Light => {
                memory.last_light_at = Some(m.t);
                memory.light_jitter = jitter;
                memory.light_wanted_at = None;
                memory.light_calls_today = memory.light_calls_today.saturating_add(1);
                if memory.lost_at.is_some() {
                    memory.n_lost_lights = memory.n_lost_lights.saturating_add(1);
                }
            }
            Ask::Data => {
                memory.last_data_at = Some(m.t);
                memory.data_jitter = jitter;
                memory.data_wanted_at = None;
                memory.followups.retain(|at| *at > m.t);
                memory.data_calls_today = memory.data_calls_today.saturating_add(1);
                self.wants_persisting = true;
            }
        }
        purpose
    }

    fn purpose_now(&self, m: Moment) -> Purpose {
        let memory = &self.memory;
        let wanted = memory.data_wanted_at.is_some_and(|at| at <= m.t);
        let planned = memory.followups.iter().any(|at| *at <= m.t);
        match memory.state {
            State::Driving => Purpose::Driving,
            _ if wanted => Purpose::Change,
            State::Waking | State::Quiet => Purpose::Change,
            State::Charging => Purpose::Charging,
            // They belong to the drive that has just ended.
            _ if planned => Purpose::Driving,
            _ => Purpose::Parked,
        }
    }

    pub(super) fn plan(&self, m: Moment) -> Plan {
        let memory = &self.memory;
        if !memory.listed {
            return Plan::nothing(Why::Stopped);
        }
        let light = self.light_plan(m);
        let plan = match self.data_plan(m) {
            Some(data) if self.may_call_data(data.at.max(m.t)) => light.or(data).prefer(data, m),
            // The light call comes first; its answer makes the data call possible.
            Some(data) => {
                let question = Plan {
                    call: Some(Ask::Light),
                    ..data
                };
                light.or(self.held_back(question, m))
            }
            None => light,
        };
        match memory.last_ask_at {
            Some(at) => plan.not_before(at + self.config.min_gap, Why::MinGap),
            None => plan,
        }
    }

    /// G2: the newest word says online and is fresh, or data follows data.
    fn may_call_data(&self, at: At) -> bool {
        let memory = &self.memory;
        if !memory.is_online || memory.light != Some(LightState::Online) {
            return false;
        }
        let within =
            |stamp: Option<At>, ttl| stamp.is_some_and(|then| at.saturating_sub(then) <= ttl);
        let chained = memory.backoffs.until(Ask::Data).is_none();
        match memory.state {
            State::Driving if chained && within(memory.last_data_ok_at, DRIVING_CHAIN) => true,
            State::Charging if chained && within(memory.last_data_ok_at, CHARGING_CHAIN) => true,
            State::Quiet => within(memory.light_online_at, SAME_TICK),
            State::Waking if memory.guard_until.is_some() => {
                within(memory.light_online_at, SAME_TICK)
            }
            State::Idle if at.saturating_sub(memory.last_use_at) > EARLY => {
                within(memory.light_online_at, SAME_TICK)
            }
            _ => within(memory.online_at, ONLINE_TTL),
        }
    }

    /// What holds a light call back.
    fn held_back(&self, plan: Plan, m: Moment) -> Plan {
        let plan = match self.memory.backoffs.until(Ask::Light) {
            Some((until, kind)) => plan.not_before(until, why(kind)),
            None => plan,
        };
        self.held_back_by_limits(plan, m)
    }

    /// What holds back a light call that somebody waits for: a wait of our own does not, but it
    /// is not passed over again and again.
    fn wanted_held_back(&self, plan: Plan, m: Moment) -> Plan {
        let memory = &self.memory;
        let plan = match (memory.backoffs.until(Ask::Light), memory.last_light_at) {
            (Some((until, kind)), Some(last)) => {
                plan.not_before(until.min(last + CHATTY_GAP), why(kind))
            }
            _ => plan,
        };
        let plan = match memory.backoffs.imposed_until(Ask::Light) {
            Some((until, kind)) => plan.not_before(until, why(kind)),
            None => plan,
        };
        self.held_back_by_limits(plan, m)
    }

    fn held_back_by_limits(&self, plan: Plan, m: Moment) -> Plan {
        let limited_until = self.memory.backoffs.limited_until(m.t);
        match (limited_until, self.memory.last_light_at) {
            (Some(until), Some(last)) => {
                plan.not_before(until.min(last + self.config.limited_light), Why::Backoff)
            }
            _ => plan,
        }
    }

    fn light_plan(&self, m: Moment) -> Plan {
        let memory = &self.memory;
        if let Some(first) = memory.first_call_at {
            return self.held_back(Plan::call(Ask::Light, first, Why::StartSpread), m);
        }
        // A failed light call is due when its wait is over, not with the state's interval.
        let due = match memory.backoffs.until(Ask::Light) {
            Some((until, kind)) => Plan::call(Ask::Light, until, why(kind)),
            None => self.routine_light(m),
        };
        let wanted = memory.light_wanted_at.filter(|_| !memory.signed_out);
        let wanted = wanted.map_or(Plan::nothing(due.why), |at| {
            Plan::call(Ask::Light, at, due.why)
        });
        self.held_back(due, m).or(self.wanted_held_back(wanted, m))
    }

    /// The light call by the state's own interval.
    fn routine_light(&self, m: Moment) -> Plan {
        let (memory, config) = (&self.memory, self.intervals(m));
        let last = memory.last_light_at.unwrap_or_default();
        // Data answers the light call's question too.
        let contact = last.max(memory.last_data_ok_at.unwrap_or_default());
        let after = |from: At, interval: Duration, why| {
            Plan::call(
                Ask::Light,
                from + interval.mul_f64(memory.light_jitter),
                why,
            )
        };
        if memory.paused {
            return after(last, config.paused_light, Why::Paused);
        }
        match memory.state {
            State::Boot | State::Asleep | State::Unreachable => {
                let routine = after(last, self.resting_light(m), Why::Interval);
                match self.push_suffices_until(m) {
                    Some(until) => routine.not_before(until, Why::Interval),
                    None => routine,
                }
            }
            State::Waking if memory.wake_until.is_some() => after(last, WAKE_POLL, Why::Interval),
            State::Waking if memory.guard_until.is_some() => after(
                last,
                config.asleep_light.min(config.idle_light),
                Why::BriefWake,
            ),
            State::Waking | State::Idle => after(contact, config.idle_light, Why::Interval),
            State::Quiet => after(last, config.quiet_light, Why::Quiet),
            State::Driving if memory.lost_at.is_some() => {
                let rung = (memory.n_lost_lights as usize).min(LOST_LADDER.len() - 1);
                let from = if rung == 0 {
                    memory.lost_at.unwrap_or(last)
                } else {
                    last
                };
                after(from, Duration::from_secs(LOST_LADDER[rung]), Why::Interval)
            }
            State::Charging if memory.lost_at.is_some() => {
                after(last, Duration::from_secs(30), Why::Interval)
            }
            // Without data the light calls keep an eye on the car.
            State::Driving | State::Charging if self.data_is_blocked(m) || !memory.is_online => {
                after(contact, config.idle_light, Why::Interval)
            }
            State::Driving | State::Charging => Plan::nothing(Why::Interval),
            State::Updating => after(contact, config.updating_light, Why::Interval),
            State::InService => after(last, config.service_light, Why::Interval),
            State::Paused => after(last, config.paused_light, Why::Paused),
            State::AuthLost => Plan::nothing(Why::Stopped),
        }
    }

    /// The state's own interval between two calls of whichever kind, without jitter and without
    /// what failures and plans make of it; `None` where nothing is asked.
    pub(super) fn interval(&self, m: Moment) -> Option<Duration> {
        let (memory, config) = (&self.memory, self.intervals(m));
        if !memory.listed || memory.signed_out {
            return None;
        }
        if memory.paused {
            return Some(config.paused_light);
        }
        let stretched = |interval: Duration| interval.mul_f64(memory.budget.factor);
        let interval = match memory.state {
            State::Boot | State::Asleep | State::Unreachable if self.push_suffices(m) => {
                return None;
            }
            State::Boot | State::Asleep | State::Unreachable => self.resting_light(m),
            State::Waking => config.idle_light.min(stretched(config.idle_first_data)),
            State::Idle => config.idle_light.min(stretched(self.idle_interval(m))),
            State::Quiet => config.quiet_light,
            State::Driving => stretched(config.driving_data),
            State::Charging => stretched(charging_interval(config, memory, m)),
            State::Updating => config.updating_light.min(stretched(config.updating_data)),
            State::InService => config.service_light,
            State::Paused => config.paused_light,
            State::AuthLost => return None,
        };
        Some(interval)
    }

    /// Light calls to a car that rests.
    fn resting_light(&self, m: Moment) -> Duration {
        let (memory, config) = (&self.memory, self.intervals(m));
        let expected = memory.habits.expects_start(m.wall);
        let most = if expected {
            config.expected_light
        } else {
            Duration::MAX
        };
        let limited = memory
            .light_limited_at
            .is_some_and(|at| m.since(at) < MODEST_FOR);
        let least = if limited {
            MODEST_LIGHT
        } else {
            Duration::ZERO
        };
        config.asleep_light.min(most).max(least)
    }

    fn data_is_blocked(&self, m: Moment) -> bool {
        let until = self.memory.backoffs.until(Ask::Data);
        until.is_some_and(|(until, _)| until > m.t + self.intervals(m).idle_light)
    }

    /// The data call that the state wants, if the car is believed to be online.
    fn data_plan(&self, m: Moment) -> Option<Plan> {
        let memory = &self.memory;
        let barred = memory.paused || memory.signed_out || memory.first_call_at.is_some();
        if barred || !memory.is_online {
            return None;
        }
        let (due, why_wait) = self.routine_data(m)?;
        let mut plan = Plan::call(Ask::Data, due, why_wait);
        if let Some((until, kind)) = memory.backoffs.until(Ask::Data) {
            // A failed call is due when its wait is over, except that Quiet keeps its deadline.
            let retry = Plan::call(Ask::Data, until, why(kind));
            plan = if memory.state == State::Quiet {
                plan.not_before(until, why(kind))
            } else {
                retry
            };
        }
        if memory.state == State::Idle
            && let Some(quiet_at) = self.quiet_at()
            && memory.data_wanted_at.is_none()
            && plan.at > self.last_look_at(quiet_at)
        {
            plan = self.last_look(plan, quiet_at)?;
        }
        Some(plan.not_before(memory.data_not_before, Why::StartSpread))
    }

    /// The data call that ends the time before Quiet, instead of one that would come too late.
    fn last_look(&self, plan: Plan, quiet_at: At) -> Option<Plan> {
        let memory = &self.memory;
        let has_looked = memory
            .last_data_at
            .is_some_and(|at| at + BEFORE_QUIET.min(self.config.settle / 4) >= quiet_at);
        // Where calls are dear or fail, a car is rather left alone.
        let is_spared = memory.let_sleep || memory.budget.factor > 1.0 || plan.why != Why::Interval;
        (!has_looked && !is_spared).then(|| Plan {
            at: self.last_look_at(quiet_at),
            ..plan
        })
    }

    fn last_look_at(&self, quiet_at: At) -> At {
        quiet_at.saturating_sub(LAST_LOOK.min(self.config.settle / 4))
    }

    fn routine_data(&self, m: Moment) -> Option<(At, Why)> {
        let (memory, config) = (&self.memory, self.intervals(m));
        let after_last = |interval: Duration| {
            let stretched = interval.mul_f64(memory.data_jitter * memory.budget.factor);
            memory
                .last_data_at
                .map_or(memory.entered_at, |last| last + stretched)
        };
        let routine = match memory.state {
            State::Waking => {
                let start = memory.entered_at + config.waking_wait;
                let tried = memory
                    .last_data_at
                    .is_some_and(|at| at >= memory.entered_at);
                match memory.guard_until {
                    Some(guard) => return Some((guard.max(start), Why::BriefWake)),
                    None if tried => after_last(config.idle_first_data),
                    None => start,
                }
            }
            State::Idle => match memory.followups.iter().min() {
                Some(planned) => *planned,
                None => after_last(self.idle_interval(m)),
            },
            State::Quiet => return memory.look_at.map(|at| (at, Why::Quiet)),
            State::Driving if memory.lost_at.is_none() => after_last(config.driving_data),
            State::Charging if memory.lost_at.is_none() => {
                let ladder = after_last(charging_interval(config, memory, m));
                memory
                    .followups
                    .iter()
                    .copied()
                    .min()
                    .unwrap_or(ladder)
                    .min(ladder)
            }
            State::Updating => after_last(config.updating_data),
            _ => return None,
        };
        let due = memory
            .data_wanted_at
            .map_or(routine, |wanted| wanted.min(routine));
        Some((due, Why::Interval))
    }

    fn idle_interval(&self, m: Moment) -> Duration {
        let (memory, config) = (&self.memory, self.intervals(m));
        let holds = self.all_holds();
        if holds == [HoldReason::SentryMode] {
            return config.sentry_data;
        }
        // A charge that comes and goes with the sun is watched as a charge, not as a new park.
        let flapping = memory
            .last_charging_at
            .is_some_and(|at| m.since(at) <= EARLY)
            && memory.charging_word == Some(ChargingState::NoPower);
        if flapping {
            return config.charging_first_data;
        }
        let since_use = m.since(memory.last_use_at);
        let interval = match since_use {
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

    /// Whether the state shown is older than it should be.
    pub(super) fn is_stale(&self, m: Moment) -> bool {
        let memory = &self.memory;
        let chain = match memory.state {
            State::Driving => DRIVING_CHAIN,
            State::Charging => CHARGING_CHAIN,
            _ => return memory.first_call_at.is_some() && memory.state != State::Boot,
        };
        let seen = memory
            .last_data_ok_at
            .is_some_and(|at| m.since(at) <= chain);
        memory.lost_at.is_some() || (!seen && !self.push_suffices(m))
    }
}

impl Plan {
    /// The data call, if both are due: it answers the light call's question too.
    fn prefer(self, data: Self, m: Moment) -> Self {
        if data.at <= m.t { data } else { self }
    }
}

fn charging_interval(config: &PolicyConfig, memory: &Memory, m: Moment) -> Duration {
    if memory.charger_power_kw.is_some_and(|kw| kw >= FAST_KW) {
        config.charging_fast_data
    } else if memory
        .charging_since
        .is_some_and(|since| m.since(since) < EARLY)
    {
        config.charging_first_data
    } else {
        config.charging_data
    }
}

fn why(kind: WaitReason) -> Why {
    match kind {
        WaitReason::NotPermitted => Why::Budget,
        WaitReason::SignedOut => Why::Stopped,
        _ => Why::Backoff,
    }
}
