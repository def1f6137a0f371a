//! Why connections keep ending soon: another client with our id, or one topic of ours.
//!
//! Brokers rarely say. Mosquitto 2.0.11 (MQTT 5) and some cloud brokers end the connection over a
//! message that their access list forbids; as everything is sent again on every connection, one
//! forbidden topic would keep all the others away for ever. So after some short connections
//! messages go one by one, and the topic over which one ended is quarantined: it waits until a
//! connection has lasted without it.
//!
//! That alone does not prove that it was the cause. Whoever ends connections at times of its own
//! (another client with our id, a broker that hangs up) also finds one topic or another on its way.
//! Two things tell it apart. Careful connections begin with a changing number of messages that are
//! known to pass, so that such an end falls on one of these soon, and then all are released. And
//! what is left in quarantine when a connection lasts is tested there, each by itself: only a topic
//! that ends a connection that had lasted is left out.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::reconnect::STABLE_AFTER;

/// Short connections in a row before we become careful.
const CAREFUL_AFTER: u32 = 3;
/// Messages that are known to pass, at the beginning of a careful connection: at most so many.
const PROBES_MAX: u32 = 4;
/// Between an acknowledgement and the next message, when one of them ends the connections: time
/// for the broker to show which.
const PAUSE: Duration = Duration::from_millis(20);

/// What is known from the last connections.
#[derive(Debug)]
pub(super) struct Quarantine {
    /// The topic that is the first on each connection: without it there is no bridge.
    first: Arc<str>,
    n_short: u32,
    /// Short connections in a row at which we become careful.
    careful_at: u32,
    /// What went through on careful connections.
    passed: BTreeSet<Arc<str>>,
    /// The topics over which careful connections ended.
    quarantined: VecDeque<Arc<str>>,
    on_test: Option<Arc<str>>,
    /// Over these a connection ended that had lasted.
    left_out: Vec<Arc<str>>,
}

/// What follows from the end of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EndMeans {
    /// It had lasted: nothing is suspicious.
    Stable,
    /// It was short, which may happen.
    Short,
    /// One of many short ones: the owner should look.
    Suspicious,
    /// The same, and this topic waits until a connection has lasted.
    Quarantined(Arc<str>),
    /// The same, but not over a topic: these need not wait.
    Released(Vec<Arc<str>>),
    /// It had lasted, and ended over this topic.
    LeftOut(Arc<str>),
}

impl Quarantine {
    /// None yet. `first` is the topic that comes first on each connection.
    pub(super) fn new(first: &str) -> Self {
        Self {
            first: first.into(),
            n_short: 0,
            careful_at: CAREFUL_AFTER,
            passed: BTreeSet::new(),
            quarantined: VecDeque::new(),
            on_test: None,
            left_out: Vec::new(),
        }
    }

    /// Whether to send one message at a time.
    pub(super) fn is_careful(&self) -> bool {
        self.n_short >= self.careful_at || self.on_test.is_some()
    }

    /// Whether connections have ended soon again and again, and none has lasted since.
    pub(super) fn is_flapping(&self) -> bool {
        self.n_short >= CAREFUL_AFTER
    }

    /// Whether something is to be done when a connection has lasted.
    pub(super) fn waits(&self) -> bool {
        self.is_flapping() || !self.quarantined.is_empty()
    }

    /// Short connections in a row.
    pub(super) fn n_short(&self) -> u32 {
        self.n_short
    }

    /// How often a connection sends the first topic before anything else.
    pub(super) fn n_probes(&self) -> u32 {
        if self.n_short >= self.careful_at {
            1 + self.n_short % PROBES_MAX
        } else {
            0
        }
    }

    /// A careful connection has survived a message.
    pub(super) fn survived(&mut self, Survived { topic, was_taken }: Survived) {
        if self.on_test.as_ref() == Some(&topic) {
            self.on_test = None;
        } else if was_taken {
            self.passed.insert(topic);
        }
    }

    /// The broker is away, which it had said or which the next attempt shows: the connection before
    /// has ended for that, which tells nothing about the next ones.
    pub(super) fn broker_is_away(&mut self) {
        self.n_short = 0;
        self.careful_at = CAREFUL_AFTER;
    }

    /// The present connection has lasted.
    pub(super) fn stable(&mut self) {
        self.n_short = 0;
        self.careful_at = CAREFUL_AFTER;
        self.passed.clear();
    }

    /// The next topic to try by itself on a connection that lasts and has sent everything else.
    pub(super) fn next_test(&mut self) -> Option<Arc<str>> {
        self.on_test = self.quarantined.pop_front();
        self.on_test.clone()
    }

    /// A connection ended after `lasted`, it seems over this topic.
    pub(super) fn ended(&mut self, lasted: Duration, over: Option<Arc<str>>) -> EndMeans {
        let on_test = self.on_test.take();
        if lasted >= STABLE_AFTER {
            self.stable();
            if on_test.is_some() && on_test == over {
                self.left_out.extend(over.clone());
                return over.map_or(EndMeans::Stable, EndMeans::LeftOut);
            }
            self.quarantined.extend(on_test);
            // The owner may have mended it since: they are tried again.
            self.quarantined.extend(self.left_out.drain(..));
            return EndMeans::Stable;
        }
        let was_careful = self.is_careful();
        self.n_short += 1;
        if self.n_short <= CAREFUL_AFTER {
            return EndMeans::Short;
        }
        if !was_careful {
            return EndMeans::Suspicious;
        }
        let Some(topic) = over else {
            return EndMeans::Suspicious;
        };
        if topic == self.first || self.passed.contains(&topic) {
            // To go one by one shows nothing and takes long: not for a while.
            self.careful_at = self.n_short + CAREFUL_AFTER;
            return EndMeans::Released(self.quarantined.drain(..).collect());
        }
        self.quarantined.push_back(Arc::clone(&topic));
        EndMeans::Quarantined(topic)
    }
}

/// A topic whose message a connection has survived.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Survived {
    pub topic: Arc<str>,
    /// The broker did not refuse it.
    pub was_taken: bool,
}

/// What one careful connection shows.
#[derive(Debug, Default)]
pub(super) struct CarefulConnection {
    /// The topic of the last acknowledgement, until the next message: some brokers acknowledge
    /// first and hang up then.
    acknowledged: Option<Arc<str>>,
    /// Monotonic time.
    pause_until: Duration,
    /// The last message, if the broker has refused it: if it ends the connection, then for this
    /// one, even when the next is under way.
    refused: Option<Arc<str>>,
}

impl CarefulConnection {
    /// A message went through at `now`.
    pub(super) fn acknowledged(&mut self, topic: Arc<str>, now: Duration) {
        self.acknowledged = Some(topic);
        self.pause_until = now + PAUSE;
    }

    /// The broker has refused a message.
    pub(super) fn refused(&mut self, topic: Arc<str>) {
        self.refused = Some(topic);
    }

    /// Monotonic time before which nothing is to be sent.
    pub(super) fn pause_until(&self) -> Duration {
        self.pause_until
    }

    /// What the connection has survived when the pause after a message is over, once.
    pub(super) fn survived(&mut self) -> Option<Survived> {
        let topic = self.acknowledged.take()?;
        let was_taken = self.refused.as_ref() != Some(&topic);
        if was_taken {
            self.refused = None;
        }
        Some(Survived { topic, was_taken })
    }

    /// The topic over which the connection ended at `now`.
    pub(super) fn over(&self, under_way: Option<&Arc<str>>, now: Duration) -> Option<Arc<str>> {
        let just_acknowledged = || {
            let is_paused = now < self.pause_until;
            self.acknowledged.as_ref().filter(|_| is_paused)
        };
        let refused = self.refused.as_ref();
        refused.or(under_way).or_else(just_acknowledged).cloned()
    }
}

#[cfg(test)]
mod tests;
