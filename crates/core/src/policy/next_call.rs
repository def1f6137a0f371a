//! The next call: which, when, and why not now. Each state wants light and data at its own
//! intervals; failures, the budget and the guarantees G2, G3 and G6 push them back; the earliest
//! is the next.

use std::time::Duration;

use super::backoff::WaitReason;
use super::hints::GAP_OF_MANY;
use super::interface::{Ask, LightState, Purpose, Step, Why};
use super::intervals::{CHARGING_CHAIN, DRIVING_CHAIN, EARLY};
use super::memory::{At, Moment};
use super::phase::Phase;
use super::{Flight, Policy};

/// The word "online" is believed this long.
const ONLINE_TTL: Duration = Duration::from_secs(90);
/// Data of a car that may be falling asleep follows a light call within this time.
const SAME_TICK: Duration = Duration::from_secs(10);
/// The last look before Quiet, so that only what begins after it is seen late (G5), and how long
/// before Quiet another one makes it needless.
const LAST_LOOK: Duration = Duration::from_secs(5);
const BEFORE_QUIET: Duration = Duration::from_secs(30);

/// A call, when it is due, and what it waits for; none means that there is nothing to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct NextCall {
    pub(super) at: At,
    pub(super) ask: Option<Ask>,
    pub(super) why: Why,
}

impl NextCall {
    pub(super) fn none(why: Why) -> Self {
        Self {
            at: At::MAX,
            ask: None,
            why,
        }
    }

    pub(super) fn new(ask: Ask, at: At, why: Why) -> Self {
        Self {
            at,
            ask: Some(ask),
            why,
        }
    }

    pub(super) fn not_before(self, at: At, why: Why) -> Self {
        if at > self.at {
            Self { at, why, ..self }
        } else {
            self
        }
    }

    fn or(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// The data call, if both are due: it answers the light call's question too.
    fn or_due(self, data: Self, m: Moment) -> Self {
        if data.at <= m.t { data } else { self.or(data) }
    }
}

impl Policy {
    /// Makes a call: from now on its answer is waited for.
    pub(super) fn ask(&mut self, ask: Ask, m: Moment) -> Step {
        let purpose = self.purpose_now(m);
        let with_location = ask == Ask::Data && self.memory.location.is_wanted(m.t);
        self.flight = Some(Flight {
            ask,
            at: m.t,
            with_location,
        });
        let memory = &mut self.memory;
        let jitter = memory.random.between(0.95, 1.05);
        memory.calls.asked(ask, jitter, m);
        memory.wanted.asked(ask, m);
        memory.day.asked(ask);
        match (ask, memory.machine.reach_mut()) {
            (Ask::Light, Some(reach)) if reach.lost_at.is_some() => {
                reach.n_lost_lights = reach.n_lost_lights.saturating_add(1);
            }
            (Ask::Light, _) => {}
            (Ask::Data, _) => self.wants_persisting = true,
        }
        Step::Ask {
            ask,
            purpose,
            with_location,
        }
    }

    fn purpose_now(&self, m: Moment) -> Purpose {
        let memory = &self.memory;
        let wanted = memory.wanted.data_at.is_some_and(|at| at <= m.t);
        let planned = memory.wanted.next_followup().is_some_and(|at| at <= m.t);
        match memory.machine.phase {
            Phase::Driving(_) => Purpose::Driving,
            _ if wanted => Purpose::Change,
            Phase::Waking(_) | Phase::Quiet(_) => Purpose::Change,
            Phase::InService if !self.has_looked_since_entering() => Purpose::Change,
            Phase::Charging(_) => Purpose::Charging,
            // They belong to the drive that has just ended.
            _ if planned => Purpose::Driving,
            _ => Purpose::Parked,
        }
    }

    /// Data was asked for in this state, or showed it.
    fn has_looked_since_entering(&self) -> bool {
        let memory = &self.memory;
        let looked_at = memory.calls.data_at.max(memory.contact.data_at);
        looked_at.is_some_and(|at| at >= memory.machine.entered_at)
    }

    /// The earliest call.
    pub(super) fn next_call(&self, m: Moment) -> NextCall {
        let memory = &self.memory;
        if !memory.standing.listed {
            return NextCall::none(Why::Stopped);
        }
        let light = self.next_light(m);
        let next = match self.next_data(m) {
            Some(data) if self.may_call_data(data.at.max(m.t)) => light.or_due(data, m),
            // The light call comes first; its answer makes the data call possible.
            Some(data) => {
                let question = NextCall {
                    ask: Some(Ask::Light),
                    ..data
                };
                light.or(self.held_back(question, m))
            }
            None => light,
        };
        // A gap of seconds is no reason: what stands behind it says why the car is not asked.
        match memory.calls.last_at {
            Some(at) => next.not_before(at + self.config.min_gap, next.why),
            None => next,
        }
    }

    /// G2: the newest word says online and is fresh, or data follows data.
    fn may_call_data(&self, at: At) -> bool {
        let memory = &self.memory;
        let contact = &memory.contact;
        if !contact.is_online || contact.light != Some(LightState::Online) {
            return false;
        }
        let within =
            |stamp: Option<At>, ttl| stamp.is_some_and(|then| at.saturating_sub(then) <= ttl);
        let chained = memory.backoffs.until(Ask::Data).is_none();
        let may_fall_asleep = match &memory.machine.phase {
            Phase::Driving(_) if chained && within(contact.data_at, DRIVING_CHAIN) => return true,
            Phase::Charging(_) if chained && within(contact.data_at, CHARGING_CHAIN) => {
                return true;
            }
            Phase::Quiet(_) => true,
            Phase::Waking(waking) => waking.guard_until.is_some(),
            Phase::Idle(_) => at.saturating_sub(memory.parking.last_use_at) > EARLY,
            _ => false,
        };
        if may_fall_asleep {
            within(contact.light_online_at, SAME_TICK)
        } else {
            within(contact.online_at, ONLINE_TTL)
        }
    }

    /// What holds a light call back.
    fn held_back(&self, call: NextCall, m: Moment) -> NextCall {
        let call = match self.memory.backoffs.until(Ask::Light) {
            Some((until, kind)) => call.not_before(until, why(kind)),
            None => call,
        };
        self.held_back_by_limits(call, m)
    }

    /// What holds back a light call that somebody waits for: a wait of our own does not, but it
    /// is not passed over again and again.
    fn wanted_held_back(&self, call: NextCall, m: Moment) -> NextCall {
        let memory = &self.memory;
        let call = match (memory.backoffs.until(Ask::Light), memory.calls.light_at) {
            (Some((until, kind)), Some(last)) => {
                call.not_before(until.min(last + GAP_OF_MANY), why(kind))
            }
            _ => call,
        };
        let call = match memory.backoffs.imposed_until(Ask::Light) {
            Some((until, kind)) => call.not_before(until, why(kind)),
            None => call,
        };
        self.held_back_by_limits(call, m)
    }

    fn held_back_by_limits(&self, call: NextCall, m: Moment) -> NextCall {
        let limited_until = self.memory.backoffs.limited_until(m.t);
        match (limited_until, self.memory.calls.light_at) {
            (Some(until), Some(last)) => {
                call.not_before(until.min(last + self.config.limited_light), Why::Backoff)
            }
            _ => call,
        }
    }

    fn next_light(&self, m: Moment) -> NextCall {
        let memory = &self.memory;
        if let Some(first) = memory.starts.first_call_at {
            return self.held_back(NextCall::new(Ask::Light, first, Why::StartSpread), m);
        }
        // A failed light call is due when its wait is over, not with the state's interval.
        let due = match memory.backoffs.until(Ask::Light) {
            Some((until, kind)) => NextCall::new(Ask::Light, until, why(kind)),
            None => self.routine_light(m),
        };
        let wanted_at = memory.wanted.light_at;
        let wanted = match wanted_at.filter(|_| !memory.standing.signed_out) {
            Some(at) => NextCall::new(Ask::Light, at, due.why),
            None => NextCall::none(due.why),
        };
        self.held_back(due, m).or(self.wanted_held_back(wanted, m))
    }

    /// The data call that the state wants, if the car is believed to be online.
    fn next_data(&self, m: Moment) -> Option<NextCall> {
        let memory = &self.memory;
        let barred = memory.standing.forbids_data() || memory.starts.first_call_at.is_some();
        if barred || !memory.contact.is_online {
            return None;
        }
        let mut call = self.routine_data(m)?;
        if let Some((until, kind)) = memory.backoffs.until(Ask::Data) {
            // A failed call is due when its wait is over, except that Quiet keeps its deadline.
            call = match memory.machine.phase {
                Phase::Quiet(_) => call.not_before(until, why(kind)),
                _ => NextCall::new(Ask::Data, until, why(kind)),
            };
        }
        if let Some(quiet_at) = self.quiet_at()
            && memory.wanted.data_at.is_none()
            && call.at > self.last_look_at(quiet_at)
        {
            call = self.last_look(call, quiet_at)?;
        }
        Some(call.not_before(memory.starts.data_not_before, Why::StartSpread))
    }

    /// The data call that ends the time before Quiet, instead of one that would come too late.
    fn last_look(&self, call: NextCall, quiet_at: At) -> Option<NextCall> {
        let memory = &self.memory;
        let has_looked = memory
            .calls
            .data_at
            .is_some_and(|at| at + BEFORE_QUIET.min(self.config.settle / 4) >= quiet_at);
        let lets_sleep = matches!(&memory.machine.phase, Phase::Idle(idle) if idle.let_sleep);
        // Where calls are dear or fail, a car is rather left alone.
        let is_spared = lets_sleep || memory.budget.factor > 1.0 || call.why != Why::Interval;
        (!has_looked && !is_spared).then(|| NextCall {
            at: self.last_look_at(quiet_at),
            ..call
        })
    }

    fn last_look_at(&self, quiet_at: At) -> At {
        quiet_at.saturating_sub(LAST_LOOK.min(self.config.settle / 4))
    }
}

fn why(kind: WaitReason) -> Why {
    match kind {
        WaitReason::NotPermitted => Why::Budget,
        WaitReason::SignedOut => Why::Stopped,
        _ => Why::Backoff,
    }
}
