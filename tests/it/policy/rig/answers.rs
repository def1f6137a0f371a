//! How a call is answered: by the simulated car, by a fault, or by a car in disguise.

use std::time::Duration;

use jiff::Timestamp;
use tesla2mqtt::model::{CarRecord, Now, Observation, Source};
use tesla2mqtt::policy::{Ask, Failure, Light};
use tesla2mqtt::sim::observed;

use super::{Happening, Rig};

/// A time in which a call fails in one way.
pub struct PlannedFailure {
    pub from: Duration,
    pub to: Duration,
    /// `None`: both.
    pub ask: Option<Ask>,
    pub failure: Failure,
}

type OtherFacts = dyn Fn(Duration, &mut CarRecord);
type OtherAnswer = dyn Fn(Duration, &mut Vec<Observation>);

/// What the car shows instead of the truth, by the time since the rig's start.
pub(super) enum Disguise {
    /// In some of its facts.
    Facts(Box<OtherFacts>),
    /// In its whole answer.
    Answer(Box<OtherAnswer>),
}

/// What a call brought: for the device, and for the trace.
pub(super) struct Answer {
    pub seen: Vec<Observation>,
    pub what: Happening,
}

impl Rig {
    /// The car shows other facts, by the time since the rig's start.
    pub fn shows(&mut self, facts: impl Fn(Duration, &mut CarRecord) + 'static) {
        self.disguise = Some(Disguise::Facts(Box::new(facts)));
    }

    /// The car answers data calls otherwise, by the time since the rig's start.
    pub fn answers(&mut self, answer: impl Fn(Duration, &mut Vec<Observation>) + 'static) {
        self.disguise = Some(Disguise::Answer(Box::new(answer)));
    }

    pub fn is_disguised(&self) -> bool {
        self.disguise.is_some()
    }

    /// What a call brings that arrives now.
    pub(super) fn answer(&mut self, class: Ask) -> Result<Answer, Failure> {
        if let Some(failure) = self.planned_failure(class) {
            return Err(failure);
        }
        let wall = self.true_wall();
        match class {
            Ask::Light => {
                let light = self.car.light(wall);
                let state = self.word.unwrap_or(light.state);
                let light = Light { state, ..light };
                Ok(Answer {
                    seen: observed::light(light, Source::Light, self.now().wall),
                    what: Happening::Answered(light),
                })
            }
            Ask::Data => match self.car.data(wall) {
                None => Err(Failure::Unavailable),
                Some(view) if view.in_service => Err(Failure::InService),
                Some(view) => Ok(self.data(view.policy_view())),
            },
        }
    }

    fn data(&self, mut record: CarRecord) -> Answer {
        if let Some(Disguise::Facts(change)) = &self.disguise {
            change(self.at, &mut record);
        }
        let mut seen = observed::data(&record, stamp(self.true_wall(), self.now()));
        if let Some(Disguise::Answer(change)) = &self.disguise {
            change(self.at, &mut seen);
        }
        let what = Happening::Served(Box::new(record));
        Answer { seen, what }
    }

    fn planned_failure(&mut self, class: Ask) -> Option<Failure> {
        let fault = self.faults.iter().find(|fault| {
            (fault.from..fault.to).contains(&self.at) && fault.ask.is_none_or(|of| of == class)
        });
        if let Some(fault) = fault {
            return Some(fault.failure);
        }
        let (chance, seed) = &mut self.chaos;
        if *chance == 0.0 {
            return None;
        }
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let dice = *seed >> 33;
        #[expect(clippy::cast_precision_loss, reason = "31 bits")]
        let strikes = (dice as f64) / f64::from(1u32 << 31) < *chance;
        strikes.then(|| match dice % 6 {
            5 if class == Ask::Data => Failure::Unavailable,
            0 => Failure::Server,
            1 => Failure::Limited {
                retry_after: Some(Duration::from_secs(dice % 400)),
            },
            2 => Failure::Limited { retry_after: None },
            3 => Failure::Region,
            _ => Failure::Transport,
        })
    }
}

/// The time of what a car says of itself, which knows the truth: as `decode` has it, never after
/// the arrival, unless the clock of the process is not set.
fn stamp(truth: Timestamp, received: Now) -> Timestamp {
    if received.is_set() {
        truth.min(received.wall)
    } else {
        truth
    }
}
