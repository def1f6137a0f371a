//! What the broker refused for the moment (a quota that is used up): when to say it again. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Before the first repetition; the pause doubles while the broker goes on refusing.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// The topics of one connection that wait to be said again.
#[derive(Debug, Default)]
pub(super) struct Later {
    topics: BTreeSet<Arc<str>>,
    /// Monotonic time.
    due_at: Option<Duration>,
    n_rounds: u32,
}

impl Later {
    /// The broker refused this topic at `now`.
    pub fn put(&mut self, topic: Arc<str>, now: Duration) {
        self.topics.insert(topic);
        if self.due_at.is_none() {
            let pause = PAUSE.saturating_mul(1 << self.n_rounds.min(10));
            self.due_at = Some(now + pause.min(PAUSE_MAX));
            self.n_rounds += 1;
        }
    }

    /// The broker took this topic.
    pub fn taken(&mut self, topic: &str) {
        self.topics.remove(topic);
        if self.topics.is_empty() {
            self.due_at = None;
            self.n_rounds = 0;
        }
    }

    /// Monotonic time of the next repetition.
    pub fn due_at(&self) -> Option<Duration> {
        self.due_at
    }

    /// What to say again at `now`; each is waited for until it is taken or refused anew.
    pub fn due(&mut self, now: Duration) -> Vec<Arc<str>> {
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
        let mut later = Later::default();
        let mut now = Duration::ZERO;
        assert_eq!(later.due_at(), None);
        let mut pauses = Vec::new();
        for _ in 0..20 {
            for topic in topics() {
                later.put(topic, now);
            }
            let due_at = later.due_at().expect("something waits");
            pauses.push(due_at.saturating_sub(now));
            assert!(
                later
                    .due(due_at.saturating_sub(Duration::from_millis(1)))
                    .is_empty()
            );
            assert_eq!(later.due(due_at), topics());
            assert!(later.due(due_at).is_empty(), "once");
            now = due_at;
        }
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[19]), (PAUSE, PAUSE_MAX));
        later.taken("a");
        later.put("b".into(), now);
        later.taken("b");
        assert_eq!(later.due_at(), None);
        later.put("b".into(), now);
        assert_eq!(later.due_at(), Some(now + PAUSE), "a new trouble");
    }
}
