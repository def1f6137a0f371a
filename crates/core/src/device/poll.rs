//! A round of a device: what the policy decides is done, then what has changed is published, then
//! what is to be kept is saved, and then there is a wait. What stands on something that is not saved
//! yet comes after the saving.

use std::time::Duration;

use super::publisher::Publisher;
use super::{Call, Device, Output};
use crate::command::Reply;
use crate::decode::vehicle_data::{ENDPOINTS, LOCATION};
use crate::model::Now;
use crate::outbox::Publish;
use crate::policy::{Ask, PolicyInput, Step, Why};

/// The answer of a call is lost after this, in real time. Longer than any time-out of the runner.
const LOST_AFTER: Duration = Duration::from_mins(5);
/// A wait is never shorter.
const LEAST_WAIT: Duration = Duration::from_micros(1);

#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub(super) call: Call,
    pub(super) since: Duration,
    /// Somebody wants a look and does not wait for longer.
    pub(super) abandon_at: Option<Duration>,
}

#[derive(Debug, Clone)]
pub(super) struct CommandReply {
    pub(super) reply: Reply,
    pub(super) outcome: Result<(), String>,
    pub(super) came_at: Duration,
}

/// Where a round of [`Device::poll`] stands: first what the policy wants, then what is to be said,
/// then what is to be kept, then the wait.
#[derive(Debug, Clone, Copy)]
pub(super) enum PollStage {
    Decide,
    Publish(PolicyWait),
    Save(PolicyWait),
    Wait(PolicyWait),
}

/// The policy's wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct PolicyWait {
    decided_at: Duration,
    until: Duration,
    why: Why,
}

impl Device {
    /// What to do now; to be asked again after each output, until it says to wait.
    pub fn poll(&mut self, now: Now) -> Output {
        loop {
            if let Some(output) = self.after_saving(now) {
                return output;
            }
            match self.poll_stage {
                PollStage::Decide => {
                    if let Some(output) = self.decide(now) {
                        return output;
                    }
                }
                PollStage::Publish(wait) => {
                    let publisher = self.publisher.as_mut();
                    let output = publisher.and_then(|of| of.next(&self.vehicle, now));
                    if let Some(output) = output {
                        return output.into();
                    }
                    self.renew_view(now);
                    self.poll_stage = PollStage::Save(wait);
                }
                PollStage::Save(wait) => {
                    self.poll_stage = PollStage::Wait(wait);
                    if self.wants_saving() {
                        let soon = now.mono.saturating_add(self.saving.after);
                        self.save_at = self.save_at.min(soon);
                    }
                    if now.mono >= self.save_at {
                        return self.save(now);
                    }
                }
                PollStage::Wait(wait) => {
                    self.poll_stage = PollStage::Decide;
                    let is_fresh = wait.decided_at == now.mono;
                    if is_fresh || wait.until > now.mono {
                        return self.wait(wait, now);
                    }
                }
            }
        }
    }

    /// What stands on something that is not saved yet: a kill must not take back what was promised,
    /// nor repeat a call that is not to be repeated.
    fn after_saving(&mut self, now: Now) -> Option<Output> {
        if self.answers.is_empty() && self.due.is_none() {
            return None;
        }
        if self.wants_saving() {
            return Some(self.save(now));
        }
        if let Some(answer) = self.answers.pop_front() {
            return Some(Output::Publish(vec![
                answer.message(self.clock_speed.real(now)),
            ]));
        }
        let call = self.due.take()?;
        self.in_flight = Some(InFlight {
            call: call.clone(),
            since: now.mono,
            abandon_at: None,
        });
        Some(Output::Call(call))
    }

    /// Until when the answer of a call under way is waited for: in real time, however fast the
    /// device's clock runs.
    fn answer_until(&self) -> Option<Duration> {
        let flight = self.in_flight.as_ref()?;
        let lost_at = flight
            .since
            .saturating_add(self.clock_speed.mono(LOST_AFTER));
        Some(flight.abandon_at.map_or(lost_at, |at| at.min(lost_at)))
    }

    /// The policy waits: what has changed is published meanwhile.
    fn publish_until(&mut self, until: Duration, why: Why, now: Now) {
        self.begin_to_publish(now);
        self.poll_stage = PollStage::Publish(PolicyWait {
            decided_at: now.mono,
            until,
            why,
        });
    }

    /// What the policy wants. While a call is under way nothing else is said, because what it brings
    /// is said with it; but that the device can no longer be known does not wait for it.
    fn decide(&mut self, now: Now) -> Option<Output> {
        if let Some(until) = self.answer_until() {
            if now.mono < until {
                if self.has_become_unavailable(now) {
                    self.publish_until(until, Why::InFlight, now);
                    return None;
                }
                let until = until.min(self.unavailable_at(now));
                let why = Why::InFlight;
                return Some(Output::Wait { until, why });
            }
            let flight = self.in_flight.as_ref();
            let abandon_at = flight.and_then(|flight| flight.abandon_at);
            if abandon_at.is_some_and(|at| at <= now.mono) {
                return self.abandon(now);
            }
        }
        let publisher = self.publisher.as_mut();
        if let Some(declaration) = publisher.and_then(Publisher::next_declaration) {
            return Some(declaration.into());
        }
        let step = self.policy.next(now);
        self.collect_events(now);
        match step {
            Step::Ask {
                ask,
                purpose,
                with_location,
            } => {
                self.due = Some(Call {
                    class: ask,
                    purpose,
                    endpoints: endpoints(ask, with_location),
                });
                None
            }
            Step::Relist => Some(Output::Relist),
            Step::Wait {
                until,
                why: why @ Why::InFlight,
            } => {
                let until = until.max(now.mono + LEAST_WAIT);
                Some(Output::Wait { until, why })
            }
            Step::Wait { until, why } => {
                self.in_flight = None;
                self.publish_until(until, why, now);
                None
            }
        }
    }

    fn abandon(&mut self, now: Now) -> Option<Output> {
        let InFlight { call, .. } = self.in_flight.take()?;
        let input = PolicyInput::Abandoned(call.class);
        self.policy.handle(now, input);
        Some(Output::Abandon(call))
    }

    /// The wait of a round: until whatever comes first of all that happens without an input.
    fn wait(&self, wait: PolicyWait, now: Now) -> Output {
        let publisher = self.publisher.as_ref();
        let deadlines = [
            wait.until,
            publisher.map_or(Duration::MAX, Publisher::next_at),
            self.unavailable_at(now),
            self.answer_until().unwrap_or(Duration::MAX),
            self.save_at,
        ];
        let until = deadlines.into_iter().min().unwrap_or(wait.until);
        Output::Wait {
            until: until.max(now.mono.saturating_add(LEAST_WAIT)),
            why: wait.why,
        }
    }

    /// Whether there is something that a kill should not take back.
    fn wants_saving(&mut self) -> bool {
        self.is_unsaved |= self.policy.wants_persisting();
        self.is_unsaved
    }

    fn save(&mut self, now: Now) -> Output {
        self.is_unsaved = false;
        self.save_at = now.mono.saturating_add(self.saving.every);
        Output::Save
    }
}

impl CommandReply {
    fn message(&self, real: Now) -> Publish {
        let took = real.mono.saturating_sub(self.came_at);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Publish::Event {
            topic: self.reply.topic.clone(),
            payload: self.reply.payload(&self.outcome, ms).into(),
        }
    }
}

fn endpoints(class: Ask, with_location: bool) -> Vec<&'static str> {
    let names = match class {
        Ask::Light => [].as_slice(),
        Ask::Data => ENDPOINTS,
    };
    let wanted = |name: &&'static str| with_location || *name != LOCATION;
    names.iter().copied().filter(wanted).collect()
}
