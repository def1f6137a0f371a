//! When to dial a pushing source again (sleep policy, section 5.8): one a source, shared by its
//! cars. The waits grow from a second to five minutes; a source that refuses our token is not
//! dialled again with the same one; and cars that nobody speaks for are polled instead.

use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::model::Now;
use crate::random::Random;

const DIAL: Backoff = Backoff::fixed(
    Duration::from_secs(1),
    Duration::from_mins(5),
    Jitter::UPPER_HALF,
);
/// A connection that ends sooner was none: the waits go on growing.
const STEADY: Duration = Duration::from_mins(1);
/// A source that is away for less is not worth a word.
const AWAY: Duration = Duration::from_mins(1);

/// What to do about a pushing source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushStep {
    /// Have the account replace its token: the source refused it.
    RefreshToken,
    /// Dial, and say how it went.
    Dial,
    /// Hand [`PolicyInput::PushLost`](super::PolicyInput::PushLost) to each car of the source.
    TellCars,
    /// Nothing to do until the monotonic time, or until something happens.
    Wait {
        /// Monotonic time of the next step.
        until: Duration,
    },
}

/// The way back to one pushing source.
#[derive(Debug, Clone)]
pub struct Reconnect {
    random: Random,
    attempt: u32,
    dial_at: Duration,
    is_dialling: bool,
    up_since: Option<Duration>,
    /// Since when nobody speaks for the cars; `None` once they were told, or while it is up.
    silent_since: Option<Duration>,
    wants_token: bool,
}

impl Reconnect {
    /// A source that was never dialled. The seed spreads the waits of many bridges.
    pub fn new(seed: u64, now: Now) -> Self {
        Self {
            random: Random::new(seed),
            attempt: 0,
            dial_at: now.mono,
            is_dialling: false,
            up_since: None,
            silent_since: Some(now.mono),
            wants_token: false,
        }
    }

    /// The source answered; pushes will come.
    pub fn connected(&mut self, now: Now) {
        self.is_dialling = false;
        self.up_since = Some(now.mono);
        self.silent_since = None;
        self.wants_token = false;
    }

    /// The connection ended, or did not come about.
    pub fn lost(&mut self, now: Now) {
        let was_up = self.up_since.take();
        if was_up.is_some_and(|since| now.mono.saturating_sub(since) >= STEADY) {
            self.attempt = 0;
        }
        if was_up.is_some() {
            self.silent_since = Some(now.mono);
        }
        self.is_dialling = false;
        self.attempt = self.attempt.saturating_add(1);
        self.dial_at = now.mono + DIAL.wait(self.attempt, self.random.unit());
    }

    /// The same, because the source did not accept the token.
    pub fn refused(&mut self, now: Now) {
        self.lost(now);
        self.wants_token = true;
    }

    /// What to do now. After [`PushStep::Dial`] the answer is to wait until it is said how that
    /// went.
    pub fn next(&mut self, now: Now) -> PushStep {
        if self
            .silent_since
            .take_if(|since| now.mono.saturating_sub(*since) >= AWAY)
            .is_some()
        {
            return PushStep::TellCars;
        }
        let told_at = self
            .silent_since
            .map_or(Duration::MAX, |since| since + AWAY);
        if self.is_dialling || self.up_since.is_some() {
            return PushStep::Wait { until: told_at };
        }
        if now.mono < self.dial_at {
            return PushStep::Wait {
                until: self.dial_at.min(told_at),
            };
        }
        if std::mem::take(&mut self.wants_token) {
            return PushStep::RefreshToken;
        }
        self.is_dialling = true;
        PushStep::Dial
    }
}
