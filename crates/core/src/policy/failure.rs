//! What a failed call changes (sleep policy, section 5.8). A failure never makes a data call more
//! likely, and 408 is no failure at all: it says that the car is not online.

use std::time::Duration;

use super::Policy;
use super::backoff::WaitReason;
use super::interface::{Ask, Failure, State};
use super::memory::{Memory, Moment};
use crate::backoff::{Backoff, Jitter};

/// After a 408 the light call comes at once, unless there was one within this time.
const RECENT_LIGHT: Duration = Duration::from_secs(30);
const UNAVAILABLE_WAIT: Duration = Duration::from_mins(1);
/// A look at a quiet car that failed is not repeated before this.
const FAILED_LOOK: Duration = Duration::from_mins(5);
/// Two 408s so close are one trouble. Longer than the wait between them.
const AGAIN: Duration = Duration::from_mins(10);
const NOT_FOUND_IN_A_ROW: u8 = 3;
/// A list that shows a car which is not found is asked for again ever later.
const RELIST: Backoff = Backoff::fixed(
    Duration::from_hours(1),
    Duration::from_hours(6),
    Jitter::UPPER_HALF,
);

impl Policy {
    pub(super) fn call_failed(&mut self, ask: Ask, failure: Failure, m: Moment) {
        let flight = self.flight.take_if(|flight| flight.ask == ask);
        let asked_location = flight.is_some_and(|flight| flight.with_location);
        if ask == Ask::Data && self.memory.state == State::Quiet && failure != Failure::Unavailable
        {
            let memory = &mut self.memory;
            memory.look_at = memory.look_at.map(|at| at.max(m.t + FAILED_LOOK));
        }
        if !matches!(failure, Failure::NotFound) {
            self.memory.n_not_found = 0;
        }
        if ask == Ask::Light && matches!(failure, Failure::Limited { .. }) {
            self.memory.light_limited_at = Some(m.t);
        }
        match failure {
            Failure::Unavailable if ask == Ask::Data => self.unavailable(m),
            Failure::Unavailable | Failure::Transport => {
                self.back_off(ask, WaitReason::Transport, m);
            }
            Failure::Server => self.back_off(ask, WaitReason::Server, m),
            Failure::Limited { retry_after } => {
                let Memory {
                    backoffs, random, ..
                } = &mut self.memory;
                backoffs.limited(ask, retry_after, m.t, random);
            }
            Failure::SignedOut => {
                self.memory.signed_out = true;
                self.because = "signed out";
                self.back_off(Ask::Light, WaitReason::SignedOut, m);
            }
            Failure::BillingLimit => self.back_off(ask, WaitReason::BillingLimit, m),
            // What the account could not cure waits for the owner, and each try is billed.
            Failure::Refused | Failure::Region => self.back_off(ask, WaitReason::Refused, m),
            // It may be the position alone: the rest is asked for at once.
            Failure::MissingScope | Failure::Doubted if asked_location => {
                let memory = &mut self.memory;
                memory.location.refused(failure, m.t, &mut memory.random);
                memory.data_wanted_at = Some(m.t);
            }
            Failure::Doubted => self.back_off(ask, WaitReason::Doubted, m),
            Failure::MissingScope => self.back_off(ask, WaitReason::MissingScope, m),
            Failure::NotFound => self.not_found(ask, m),
            Failure::InService => {
                self.end_sessions_at_last_reading(m);
                self.go(State::InService, "at service", m);
            }
            Failure::NotPermitted { retry_after } => {
                let memory = &mut self.memory;
                memory.backoffs.not_permitted(ask, retry_after, m.t);
                // It was not made.
                let count = match ask {
                    Ask::Light => &mut memory.light_calls_today,
                    Ask::Data => &mut memory.data_calls_today,
                };
                *count = count.saturating_sub(1);
            }
        }
    }

    fn back_off(&mut self, ask: Ask, kind: WaitReason, m: Moment) {
        let memory = &mut self.memory;
        memory.backoffs.failed(ask, kind, m.t, &mut memory.random);
    }

    /// 408: the newest word is "not online", and the next call is a light one. Where that says
    /// online each time, data is asked for less and less: a 408 costs as much as an answer.
    fn unavailable(&mut self, m: Moment) {
        let before = self.memory.unavailable_at.replace(m.t);
        if before.is_some_and(|at| m.since(at) < AGAIN) {
            self.back_off(Ask::Data, WaitReason::Unavailable, m);
        } else {
            self.memory.backoffs.forget(WaitReason::Unavailable);
        }
        if matches!(
            self.memory.state,
            State::Driving | State::Charging | State::Updating
        ) {
            self.lose(m);
        }
        let memory = &mut self.memory;
        memory.is_online = false;
        let recent = memory
            .last_light_at
            .filter(|at| m.since(*at) < RECENT_LIGHT);
        let jitter = memory.random.between(0.95, 1.05);
        let lost = memory.lost_at.is_some();
        match recent {
            // The ladder of a lost car is short enough.
            Some(_) if lost => {}
            Some(_) => memory.want_light(m.t + UNAVAILABLE_WAIT.mul_f64(jitter)),
            None => memory.want_light(m.t),
        }
    }

    fn not_found(&mut self, ask: Ask, m: Moment) {
        self.back_off(ask, WaitReason::NotFound, m);
        let memory = &mut self.memory;
        memory.n_not_found = memory.n_not_found.saturating_add(1);
        if memory.n_not_found >= NOT_FOUND_IN_A_ROW && memory.relist_not_before <= m.t {
            memory.n_not_found = 0;
            memory.relist = true;
            memory.n_relists = memory.n_relists.saturating_add(1);
            let wait = RELIST.wait(memory.n_relists, memory.random.unit());
            memory.relist_not_before = m.t + wait;
        }
    }
}
