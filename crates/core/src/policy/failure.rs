//! What a failed call changes (sleep policy, section 5.8). A failure never makes a data call more
//! likely, and 408 is no failure at all: it says that the car is not online.

use std::time::Duration;

use super::Policy;
use super::backoff::WaitReason;
use super::interface::{Ask, Failure};
use super::memory::{Memory, Moment};

/// After a 408 the light call comes at once, unless there was one within this time.
const RECENT_LIGHT: Duration = Duration::from_secs(30);
const UNAVAILABLE_WAIT: Duration = Duration::from_mins(1);
/// A look at a quiet car that failed is not repeated before this.
const FAILED_LOOK: Duration = Duration::from_mins(5);

impl Policy {
    pub(super) fn call_failed(&mut self, ask: Ask, failure: Failure, m: Moment) {
        let flight = self.flight.take_if(|flight| flight.ask == ask);
        let asked_location = flight.is_some_and(|flight| flight.with_location);
        if ask == Ask::Data
            && failure != Failure::Unavailable
            && let Some(quiet) = self.memory.machine.quiet_mut()
        {
            quiet.look_at = quiet.look_at.max(m.t + FAILED_LOOK);
        }
        if !matches!(failure, Failure::NotFound) {
            self.memory.standing.failed_otherwise();
        }
        if ask == Ask::Light && matches!(failure, Failure::Limited { .. }) {
            self.memory.calls.light_limited_at = Some(m.t);
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
                self.memory.standing.signed_out = true;
                self.because = "signed out";
                self.back_off(Ask::Light, WaitReason::SignedOut, m);
            }
            Failure::BillingLimit => self.back_off(ask, WaitReason::BillingLimit, m),
            // What the account could not cure waits for the owner, and each try is billed.
            Failure::Refused | Failure::Region => self.back_off(ask, WaitReason::Refused, m),
            // It may be the position alone: the rest is asked for at once.
            Failure::MissingScope | Failure::Doubted if asked_location => {
                let memory = &mut self.memory;
                let reason = match failure {
                    Failure::Doubted => WaitReason::Doubted,
                    _ => WaitReason::MissingScope,
                };
                memory.backoffs.refused_with_location(reason);
                memory.location.refused(failure, m.t, &mut memory.random);
                memory.wanted.data_at = Some(m.t);
            }
            Failure::Doubted => self.back_off(ask, WaitReason::Doubted, m),
            Failure::MissingScope => self.back_off(ask, WaitReason::MissingScope, m),
            Failure::NotFound => self.not_found(ask, m),
            Failure::InService => self.taken_to_service(m),
            Failure::NotPermitted { retry_after } => {
                let memory = &mut self.memory;
                memory.backoffs.not_permitted(ask, retry_after, m.t);
                // It was not made.
                memory.day.not_asked(ask);
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
        if self.memory.contact.data_refused(m) {
            self.back_off(Ask::Data, WaitReason::Unavailable, m);
        } else {
            self.memory.backoffs.forget(WaitReason::Unavailable);
        }
        self.lose(m);
        let memory = &mut self.memory;
        let recent = memory
            .calls
            .light_at
            .filter(|at| m.since(*at) < RECENT_LIGHT);
        let jitter = memory.random.between(0.95, 1.05);
        let lost = memory.machine.lost_at().is_some();
        match recent {
            // The ladder of a lost car is short enough.
            Some(_) if lost => {}
            Some(_) => memory.wanted.light(m.t + UNAVAILABLE_WAIT.mul_f64(jitter)),
            None => memory.wanted.light(m.t),
        }
    }

    fn not_found(&mut self, ask: Ask, m: Moment) {
        self.back_off(ask, WaitReason::NotFound, m);
        let memory = &mut self.memory;
        memory.standing.not_found(m, &mut memory.random);
    }
}
