//! The state of the car as the policy believes it, with the data that belongs to that state alone:
//! a deadline of Quiet cannot outlive Quiet, because it has no other place to be.

use serde::{Deserialize, Serialize};

use super::interface::State;
use super::memory::{At, Moment};

/// What the car does, as far as is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Phase {
    /// Nothing is known yet.
    Boot,
    /// Asleep, or offline after having been idle.
    Asleep,
    /// Offline without a reason to believe that it sleeps.
    Unreachable,
    /// Online; the first data is due.
    Waking(Waking),
    /// Awake and parked.
    Idle(Idle),
    /// Awake, parked and left alone so that it can fall asleep.
    Quiet(Quiet),
    /// In gear.
    Driving(Reach),
    /// Charging or about to.
    Charging(Reach),
    /// Installing an update.
    Updating(Reach),
    /// At service.
    InService,
}

/// A car that comes online.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Waking {
    /// It may only check itself, and is left alone until then.
    pub(super) guard_until: Option<At>,
    /// The owner woke it, and it should be online by then.
    pub(super) wake_until: Option<At>,
    /// It woke about an hour after it had fallen asleep.
    pub(super) on_the_hour: bool,
}

/// A parked car, idle or left alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parked {
    /// Since when nothing has held it awake.
    pub(super) clear_since: Option<At>,
    pub(super) n_polls_since_clear: u32,
    /// Being left alone did not help a car of unknown class: it is kept awake by something else,
    /// or was used unseen. Until then it is read; after that it is left alone once more.
    pub(super) sleepless_until: Option<At>,
}

impl Parked {
    /// Nothing holds it awake from now on.
    pub(super) fn is_clear(&mut self, m: Moment) {
        self.clear_since = Some(m.t);
        self.n_polls_since_clear = 0;
    }

    /// Something holds it awake.
    pub(super) fn is_held(&mut self) {
        self.clear_since = None;
        self.n_polls_since_clear = 0;
    }
}

/// A parked car that is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Idle {
    pub(super) parked: Parked,
    /// The owner asked to let it sleep.
    pub(super) let_sleep: bool,
}

/// A parked car that is left alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Quiet {
    #[serde(default)]
    pub(super) parked: Parked,
    /// It is looked at then, if it still does not sleep.
    pub(super) look_at: At,
    #[serde(default)]
    pub(super) n_looks: u32,
    /// It was polled in vain before.
    #[serde(default)]
    pub(super) had_resisted: bool,
}

/// Whether a car is in reach in a state that outlasts being out of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Reach {
    /// Out of reach, since.
    pub(super) lost_at: Option<At>,
    /// Light calls since then, and none once it was found.
    pub(super) n_lost_lights: u32,
}

impl Reach {
    /// The car does not answer.
    pub(super) fn lose(&mut self, m: Moment) {
        if self.lost_at.is_none() {
            *self = Self {
                lost_at: Some(m.t),
                n_lost_lights: 0,
            };
        }
    }
}

/// How a car rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rest {
    Asleep,
    Unreachable,
}

impl From<Rest> for Phase {
    fn from(rest: Rest) -> Self {
        match rest {
            Rest::Asleep => Self::Asleep,
            Rest::Unreachable => Self::Unreachable,
        }
    }
}

/// The state, since when, and how the car rested last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StateMachine {
    pub(super) phase: Phase,
    /// On the policy's clock.
    #[serde(default)]
    pub(super) entered_at: At,
    /// Where a car that turns out not to be awake falls back to.
    #[serde(default = "unreachable")]
    pub(super) rest: Rest,
}

fn unreachable() -> Rest {
    Rest::Unreachable
}

impl Default for StateMachine {
    fn default() -> Self {
        Self {
            phase: Phase::Boot,
            entered_at: At::ZERO,
            rest: Rest::Unreachable,
        }
    }
}

impl StateMachine {
    /// Enters a state. False, and nothing changes, where that is the state already.
    pub(super) fn enter(&mut self, to: Phase, m: Moment) -> bool {
        if std::mem::discriminant(&self.phase) == std::mem::discriminant(&to) {
            return false;
        }
        match to {
            Phase::Asleep => self.rest = Rest::Asleep,
            Phase::Unreachable => self.rest = Rest::Unreachable,
            _ => {}
        }
        self.phase = to;
        self.entered_at = m.t;
        true
    }

    /// The word for it.
    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Boot => State::Boot,
            Phase::Asleep => State::Asleep,
            Phase::Unreachable => State::Unreachable,
            Phase::Waking(_) => State::Waking,
            Phase::Idle(_) => State::Idle,
            Phase::Quiet(_) => State::Quiet,
            Phase::Driving(_) => State::Driving,
            Phase::Charging(_) => State::Charging,
            Phase::Updating(_) => State::Updating,
            Phase::InService => State::InService,
        }
    }

    /// Asleep, at service or out of reach: no look shows the end of what was under way.
    pub(super) fn is_out_of_sight(&self) -> bool {
        matches!(
            self.phase,
            Phase::Asleep | Phase::Unreachable | Phase::InService
        )
    }

    pub(super) fn is_updating(&self) -> bool {
        matches!(self.phase, Phase::Updating(_))
    }

    /// Not awake, as far as is known.
    pub(super) fn is_resting(&self) -> bool {
        matches!(self.phase, Phase::Boot | Phase::Asleep | Phase::Unreachable)
    }

    /// Idle, with what is known of a car that is parked already.
    pub(super) fn idle(&self) -> Phase {
        Phase::Idle(Idle {
            parked: self.parked().cloned().unwrap_or_default(),
            let_sleep: false,
        })
    }

    /// Left alone until a look.
    pub(super) fn quiet(&self, look_at: At, had_resisted: bool) -> Phase {
        Phase::Quiet(Quiet {
            parked: self.parked().cloned().unwrap_or_default(),
            look_at,
            n_looks: 0,
            had_resisted,
        })
    }

    /// In gear, in reach or out of it as before.
    pub(super) fn driving(&self) -> Phase {
        Phase::Driving(self.reach().cloned().unwrap_or_default())
    }

    /// Charging, in reach or out of it as before.
    pub(super) fn charging(&self) -> Phase {
        Phase::Charging(self.reach().cloned().unwrap_or_default())
    }

    /// Installing, in reach or out of it as before.
    pub(super) fn updating(&self) -> Phase {
        Phase::Updating(self.reach().cloned().unwrap_or_default())
    }

    pub(super) fn waking(&self) -> Option<&Waking> {
        match &self.phase {
            Phase::Waking(waking) => Some(waking),
            _ => None,
        }
    }

    pub(super) fn waking_mut(&mut self) -> Option<&mut Waking> {
        match &mut self.phase {
            Phase::Waking(waking) => Some(waking),
            _ => None,
        }
    }

    pub(super) fn quiet_mut(&mut self) -> Option<&mut Quiet> {
        match &mut self.phase {
            Phase::Quiet(quiet) => Some(quiet),
            _ => None,
        }
    }

    pub(super) fn parked(&self) -> Option<&Parked> {
        match &self.phase {
            Phase::Idle(idle) => Some(&idle.parked),
            Phase::Quiet(quiet) => Some(&quiet.parked),
            _ => None,
        }
    }

    pub(super) fn parked_mut(&mut self) -> Option<&mut Parked> {
        match &mut self.phase {
            Phase::Idle(idle) => Some(&mut idle.parked),
            Phase::Quiet(quiet) => Some(&mut quiet.parked),
            _ => None,
        }
    }

    pub(super) fn reach(&self) -> Option<&Reach> {
        match &self.phase {
            Phase::Driving(reach) | Phase::Charging(reach) | Phase::Updating(reach) => Some(reach),
            _ => None,
        }
    }

    pub(super) fn reach_mut(&mut self) -> Option<&mut Reach> {
        match &mut self.phase {
            Phase::Driving(reach) | Phase::Charging(reach) | Phase::Updating(reach) => Some(reach),
            _ => None,
        }
    }

    /// Out of reach in a state that outlasts it, since.
    pub(super) fn lost_at(&self) -> Option<At> {
        self.reach().and_then(|reach| reach.lost_at)
    }

    /// The car is in reach.
    pub(super) fn found(&mut self) {
        if let Some(reach) = self.reach_mut() {
            reach.lost_at = None;
        }
    }
}
