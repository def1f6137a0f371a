//! Everything that a policy remembers about its car, in parts that each own what they remember,
//! so that a restart forgets nothing: clocks, back-offs, Quiet deadlines, what was learned, the
//! seed.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::backoff::Backoffs;
use super::call_times::CallTimes;
use super::charging::Charging;
use super::contact::Contact;
use super::day_figures::DayFigures;
use super::habits::Habits;
use super::hints::Hints;
use super::interface::{Budget, State};
use super::learning::Learning;
use super::location::AskForLocation;
use super::parking::Parking;
use super::phase::StateMachine;
use super::push::PushSource;
use super::self_checks::SelfChecks;
use super::sessions::Sessions;
use super::standing::Standing;
use super::starts::Starts;
use super::wanted::Wanted;
use crate::model::Vin;
use crate::random::Random;

/// A time on the policy's own clock: monotonic, and going on over restarts.
pub(super) type At = Duration;

/// [`crate::model::Now`] with the policy's own clock in place of the process's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) t: At,
    pub(super) wall: Timestamp,
}

impl Moment {
    /// How long ago something was.
    pub(super) fn since(self, at: At) -> Duration {
        self.t.saturating_sub(at)
    }

    /// The time on the policy's clock at which the calendar will show this one; what has passed is
    /// now.
    pub(super) fn at(self, calendar: Timestamp) -> At {
        let ahead = Duration::try_from(calendar.duration_since(self.wall)).unwrap_or_default();
        self.t.saturating_add(ahead)
    }

    /// The calendar's time of a time on the policy's clock.
    pub(super) fn calendar(self, at: At) -> Timestamp {
        let ahead = jiff::SignedDuration::try_from(at.saturating_sub(self.t)).unwrap_or_default();
        let ago = jiff::SignedDuration::try_from(self.t.saturating_sub(at)).unwrap_or_default();
        let later = self.wall.checked_add(ahead).unwrap_or(self.wall);
        later.checked_sub(ago).unwrap_or(later)
    }
}

/// The state that was announced last, and since when by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShownState {
    pub(super) state: State,
    pub(super) since: Timestamp,
}

/// The parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Memory {
    pub(super) random: Random,
    pub(super) learning: Learning,
    pub(super) habits: Habits,
    pub(super) budget: Budget,
    pub(super) backoffs: Backoffs,
    pub(super) machine: StateMachine,
    pub(super) shown: ShownState,
    pub(super) standing: Standing,
    pub(super) location: AskForLocation,
    pub(super) starts: Starts,
    pub(super) calls: CallTimes,
    pub(super) wanted: Wanted,
    pub(super) hints: Hints,
    pub(super) contact: Contact,
    pub(super) push: PushSource,
    pub(super) sessions: Sessions,
    pub(super) charging: Charging,
    pub(super) parking: Parking,
    pub(super) self_checks: SelfChecks,
    pub(super) day: DayFigures,
}

impl Memory {
    pub(super) fn new(vin: &Vin, random: Random, wall: Timestamp) -> Self {
        Self {
            random,
            learning: Learning::new(vin),
            habits: Habits::default(),
            budget: Budget::default(),
            backoffs: Backoffs::default(),
            machine: StateMachine::default(),
            shown: ShownState {
                state: State::Boot,
                since: wall,
            },
            standing: Standing::default(),
            location: AskForLocation::default(),
            starts: Starts::default(),
            calls: CallTimes::default(),
            wanted: Wanted::default(),
            hints: Hints::default(),
            contact: Contact::default(),
            push: PushSource::default(),
            sessions: Sessions::default(),
            charging: Charging::default(),
            parking: Parking::default(),
            self_checks: SelfChecks::default(),
            day: DayFigures::new(wall),
        }
    }

    /// The state as the world sees it: what the owner or the account imposes comes first.
    pub(super) fn shown_state(&self) -> State {
        if self.standing.signed_out {
            State::AuthLost
        } else if self.standing.paused {
            State::Paused
        } else {
            self.machine.state()
        }
    }

    /// A parked car is held awake, by the last data or by a push since.
    pub(super) fn is_held(&self) -> bool {
        !self.parking.holds.is_empty() || self.push.user_present
    }
}
