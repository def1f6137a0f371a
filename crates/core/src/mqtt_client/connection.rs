//! What is going on in the client's present connection, from the attempt to its end.

use std::sync::Arc;
use std::time::Duration;

use super::drain::Drain;
use super::failure::{BrokerFailure, BrokerFailureKind};
use super::in_flight::PacketsInFlight;
use super::quarantine::CarefulConnection;
use super::reconnect::STABLE_AFTER;
use super::retry_queue::RetryQueue;

/// A broker that acknowledges nothing for this long is given up.
const STALL: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct ActiveConnection {
    pub in_flight: PacketsInFlight,
    /// The edge has a socket.
    pub is_open: bool,
    /// Monotonic time of the CONNACK.
    pub connected_at: Option<Duration>,
    /// Monotonic time of the last answer.
    pub answered_at: Duration,
    pub careful: CarefulConnection,
    /// How often the first topic is still to be sent before any other.
    pub n_probes: u32,
    /// Messages sent since the CONNACK, until the first moment with nothing left to send.
    pub n_sent_again: Option<usize>,
    pub retry_queue: RetryQueue,
    pub drain: Option<Drain>,
}

impl ActiveConnection {
    /// An attempt that begins at `now`.
    pub(super) fn new(in_flight: PacketsInFlight, now: Duration) -> Self {
        Self {
            in_flight,
            is_open: false,
            connected_at: None,
            answered_at: now,
            careful: CarefulConnection::default(),
            n_probes: 0,
            n_sent_again: None,
            retry_queue: RetryQueue::default(),
            drain: None,
        }
    }

    /// The broker has accepted us at `now`.
    pub(super) fn connected(&mut self, n_probes: u32, now: Duration) {
        self.connected_at = Some(now);
        self.n_sent_again = Some(0);
        self.n_probes = n_probes;
    }

    /// Only the last values and `offline` from `now` on, as fast as they go.
    pub(super) fn begin_drain(&mut self, now: Duration) {
        self.careful = CarefulConnection::default();
        self.n_probes = 0;
        self.n_sent_again = None;
        self.retry_queue = RetryQueue::default();
        self.drain = Some(Drain::begin(now));
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected_at.is_some()
    }

    /// Whether messages may be sent.
    pub(super) fn sends(&self) -> bool {
        self.is_connected() && self.drain.is_none_or(|drain| drain.sends())
    }

    /// Whether it counts as a success.
    pub(super) fn is_stable(&self, now: Duration) -> bool {
        self.connected_at.is_some_and(|at| now >= at + STABLE_AFTER)
    }

    /// Whether the broker acknowledges nothing, though it should.
    pub(super) fn is_stalled(&self, now: Duration) -> bool {
        self.stalls_at().is_some_and(|at| now >= at)
    }

    fn stalls_at(&self) -> Option<Duration> {
        // A drain has its own, shorter limit.
        let waits = self.drain.is_none() && self.in_flight.n_messages() > 0;
        waits.then(|| self.answered_at + STALL)
    }

    /// The topic over which it may have ended.
    pub(super) fn suspect(&self, failure: &BrokerFailure, now: Duration) -> Option<Arc<str>> {
        use BrokerFailureKind::{Dropped, HungUp};
        let topic = self.careful.over(self.in_flight.first_topic(), now);
        topic.filter(|_| matches!(failure.kind, HungUp | Dropped))
    }

    /// Monotonic time at which there is something to do although nothing comes. `is_watched`: a
    /// quarantine waits for it to have lasted.
    pub(super) fn due_at(&self, is_watched: bool, now: Duration) -> Duration {
        let lasted_at = self.connected_at.map(|at| at + STABLE_AFTER);
        let later = [
            Some(self.careful.pause_until()),
            lasted_at.filter(|_| is_watched),
            self.retry_queue.due_at(),
        ];
        let later = later.into_iter().flatten().filter(|at| *at > now);
        let times = later
            .chain(self.stalls_at())
            .chain(self.drain.map(|drain| drain.due_at()));
        times.fold(self.in_flight.due_at(), Duration::min)
    }
}
