//! What the broker refused for the moment (a quota that is used up): when to send it again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::{Backoff, Jitter};

/// Between the repetitions, while the broker goes on refusing.
const REPEAT: Backoff = Backoff::fixed(
    Duration::from_secs(5),
    Duration::from_mins(10),
    Jitter::NONE,
);

/// The topics of one connection that wait to be sent again.
#[derive(Debug, Default)]
pub(super) struct RetryQueue {
    topics: BTreeSet<Arc<str>>,
    /// Monotonic time.
    due_at: Option<Duration>,
    n_rounds: u32,
}

impl RetryQueue {
    /// The broker refused this topic at `now`.
    pub(super) fn put(&mut self, topic: Arc<str>, now: Duration) {
        self.topics.insert(topic);
        if self.due_at.is_none() {
            self.n_rounds += 1;
            self.due_at = Some(now + REPEAT.wait(self.n_rounds, 1.0));
        }
    }

    /// The broker took this topic.
    pub(super) fn taken(&mut self, topic: &str) {
        self.topics.remove(topic);
        if self.topics.is_empty() {
            self.due_at = None;
            self.n_rounds = 0;
        }
    }

    /// Monotonic time of the next repetition.
    pub(super) fn due_at(&self) -> Option<Duration> {
        self.due_at
    }

    /// What to send again at `now`; each is waited for until it is taken or refused anew.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Arc<str>> {
        match self.due_at {
            Some(at) if at <= now => {
                self.due_at = None;
                self.topics.iter().cloned().collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_the_moment_is_said_again_more_and_more_rarely_until_it_is_taken() {
        let topics = || ["a", "b"].map(Arc::<str>::from);
        let mut queue = RetryQueue::default();
        let mut now = Duration::ZERO;
        assert_eq!(queue.due_at(), None);
        let mut pauses = Vec::new();
        for _ in 0..20 {
            for topic in topics() {
                queue.put(topic, now);
            }
            let due_at = queue.due_at().expect("something waits");
            pauses.push(due_at.saturating_sub(now));
            assert!(
                queue
                    .due(due_at.saturating_sub(Duration::from_millis(1)))
                    .is_empty()
            );
            assert_eq!(queue.due(due_at), topics());
            assert!(queue.due(due_at).is_empty(), "once");
            now = due_at;
        }
        assert!(pauses.is_sorted());
        let (first, longest) = (Duration::from_secs(5), Duration::from_mins(10));
        assert_eq!((pauses[0], pauses[19]), (first, longest));
        queue.taken("a");
        queue.put("b".into(), now);
        queue.taken("b");
        assert_eq!(queue.due_at(), None);
        queue.put("b".into(), now);
        assert_eq!(queue.due_at(), Some(now + first), "a new trouble");
    }
}
