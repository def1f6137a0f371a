//! When to dial a pushing source again (sleep policy, section 5.8): one a source, shared by its
//! cars. The waits grow from a second to five minutes, and a source that refuses our token is not
//! dialled again with the same one. It knows no car: each is told that the connection ended
//! ([`PolicyInput::PushLost`](super::PolicyInput::PushLost)), and its own policy decides when to
//! poll it instead.

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

/// What to do about a pushing source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushStep {
    /// Have the account replace its token: the source refused it.
    RefreshToken,
    /// Dial, and say how it went.
    Dial,
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
            wants_token: false,
        }
    }

    /// The source answered; pushes will come.
    pub fn connected(&mut self, now: Now) {
        self.is_dialling = false;
        self.up_since = Some(now.mono);
        self.wants_token = false;
    }

    /// The connection ended, or did not come about.
    pub fn lost(&mut self, now: Now) {
        let was_up = self.up_since.take();
        if was_up.is_some_and(|since| now.mono.saturating_sub(since) >= STEADY) {
            self.attempt = 0;
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
        let until = self.next_timeout();
        if now.mono < until {
            return PushStep::Wait { until };
        }
        if std::mem::take(&mut self.wants_token) {
            return PushStep::RefreshToken;
        }
        self.is_dialling = true;
        PushStep::Dial
    }

    /// When there is something to do unless something happens before: its one wait.
    fn next_timeout(&self) -> Duration {
        let is_under_way = self.is_dialling || self.up_since.is_some();
        if is_under_way {
            Duration::MAX
        } else {
            self.dial_at
        }
    }
}
