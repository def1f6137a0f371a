//! Why connections keep ending soon: another client with our id, or one topic of ours. Pure.
//!
//! Brokers rarely say. Mosquitto 2.0.11 (MQTT 5) and some cloud brokers end the connection over a
//! message that their access list forbids; as everything is said again on every connection, one
//! forbidden topic would keep all the others away for ever. So after some short connections
//! messages go one by one, and the topic over which one ended is the suspect. The next connection
//! tries it first, right after one message that shows that the connection works: an innocent topic
//! passes there, and whoever ends connections at times of its own is not there yet. A topic over
//! which connections end each time is left out.

use std::sync::Arc;
use std::time::Duration;

use super::pause;

/// Short connections in a row before we become careful.
const SUSPICIOUS: u32 = 3;
/// Careful connections in a row that end over one topic before it is left out.
const STRIKES: u32 = 3;
/// Between an acknowledgement and the next message, when one of them ends the connections: time
/// for the broker to show which.
const REST: Duration = Duration::from_millis(20);

/// What the last connections have taught.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    n_short: u32,
    /// The topic over which the last connections ended, and how many of them did.
    suspect: Option<(Arc<str>, u32)>,
}

/// What follows from the end of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It had lasted: nothing is suspicious, and what was left out may be tried again.
    Stable,
    /// It was short, which may happen.
    Short,
    /// One of many short ones: the owner should look.
    Suspicious,
    /// It ended over this topic, again.
    Guilty(Arc<str>),
}

impl Suspicion {
    /// Whether to send one message at a time.
    pub fn is_careful(&self) -> bool {
        self.n_short >= SUSPICIOUS
    }

    /// Short connections in a row.
    pub fn n_short(&self) -> u32 {
        self.n_short
    }

    /// The topic to try as soon as a connection has shown that it works.
    pub fn suspect(&self) -> Option<&str> {
        self.suspect.as_ref().map(|(topic, _)| &**topic)
    }

    /// A connection ended after `lasted`, it seems over this topic.
    pub fn ended(&mut self, lasted: Duration, over: Option<Arc<str>>) -> Verdict {
        if lasted >= pause::SHORT {
            *self = Self::default();
            return Verdict::Stable;
        }
        let was_careful = self.is_careful();
        self.n_short += 1;
        if !was_careful {
            return Verdict::Short;
        }
        let before = self.suspect.take();
        let Some(topic) = over else {
            return Verdict::Suspicious;
        };
        let strikes = match before {
            Some((suspect, strikes)) if suspect == topic => strikes + 1,
            _ => 1,
        };
        if strikes < STRIKES {
            self.suspect = Some((topic, strikes));
            return Verdict::Suspicious;
        }
        // One cause is found: the next attempt need not wait long, but there may be more.
        self.n_short = SUSPICIOUS;
        Verdict::Guilty(topic)
    }

    /// The present connection has lasted: no need to be careful any more.
    pub fn lasts(&mut self) {
        *self = Self::default();
    }
}

/// What one careful connection shows.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// The topic of the last acknowledgement, until the next message: some brokers acknowledge
    /// first and hang up then.
    acknowledged: Option<Arc<str>>,
    /// Monotonic time.
    rests_until: Duration,
    /// A message went through, and the connection outlived it.
    works: bool,
    /// The broker has refused a message: if it ends the connection now, then for this one.
    refused: bool,
}

impl Trial {
    /// A message went through at `now`.
    pub fn acknowledged(&mut self, topic: Arc<str>, now: Duration) {
        self.acknowledged = Some(topic);
        self.rests_until = now + REST;
    }

    /// The broker has refused a message.
    pub fn refused(&mut self) {
        self.refused = true;
    }

    /// Monotonic time before which nothing is to be sent.
    pub fn rests_until(&self) -> Duration {
        self.rests_until
    }

    /// The rest after a message is over; true once, when this shows that the connection works.
    pub fn rested(&mut self) -> bool {
        self.acknowledged.take().is_some() && !std::mem::replace(&mut self.works, true)
    }

    /// The topic over which the connection ended at `now`. None where it may never have worked.
    pub fn over(&self, under_way: Option<&Arc<str>>, now: Duration) -> Option<Arc<str>> {
        let just_acknowledged = || {
            let resting = now < self.rests_until;
            self.acknowledged.as_ref().filter(|_| resting)
        };
        under_way
            .or_else(just_acknowledged)
            .filter(|_| self.works && !self.refused)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::failure::Kind;

    const MOMENT: Duration = Duration::from_millis(10);

    /// A connection that ended at once with this topic under way.
    fn over(suspicion: &mut Suspicion, topic: &str) -> Verdict {
        suspicion.ended(MOMENT, Some(topic.into()))
    }

    fn careful() -> Suspicion {
        let mut suspicion = Suspicion::default();
        for _ in 0..SUSPICIOUS {
            assert!(!suspicion.is_careful());
            assert_eq!(over(&mut suspicion, "any"), Verdict::Short);
        }
        assert!(suspicion.is_careful());
        suspicion
    }

    #[test]
    fn a_topic_is_guilty_when_careful_connections_in_a_row_end_over_it() {
        let mut suspicion = careful();
        for _ in 1..STRIKES {
            assert_eq!(over(&mut suspicion, "a"), Verdict::Suspicious);
            assert_eq!(suspicion.suspect(), Some("a"));
        }
        let verdict = over(&mut suspicion, "a");
        assert_eq!(verdict, Verdict::Guilty("a".into()));
        assert_eq!(suspicion.suspect(), None);
        assert!(suspicion.is_careful(), "there may be another one");
    }

    /// Another client with our id ends connections whatever is under way.
    #[test]
    fn connections_that_end_over_one_topic_and_another_convict_none_of_them() {
        let mut suspicion = careful();
        for _ in 0..100 {
            for topic in ["a", "a", "b", "c"] {
                assert_eq!(over(&mut suspicion, topic), Verdict::Suspicious);
            }
        }
    }

    /// A broker that takes us in and hangs up, for ever.
    #[test]
    fn connections_that_never_work_accuse_no_topic_and_come_more_and_more_slowly() {
        let mut suspicion = Suspicion::default();
        let mut waited = Duration::ZERO;
        for _ in 0..100 {
            let trial = Trial::default();
            let end = trial.over(Some(&"bridge/state".into()), MOMENT);
            let verdict = suspicion.ended(MOMENT, end);
            assert!(matches!(verdict, Verdict::Short | Verdict::Suspicious));
            waited += pause::before_retry(Kind::Dropped, suspicion.n_short(), 0.0);
        }
        assert!(waited > Duration::from_mins(19), "{waited:?}");
    }

    #[test]
    fn a_connection_ends_over_what_was_said_last_if_it_worked_before() {
        let ms = Duration::from_millis;
        let (first, second): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut trial = Trial::default();
        assert_eq!(trial.over(Some(&first), ms(0)), None);
        trial.acknowledged(first, ms(1));
        assert_eq!(trial.over(None, ms(2)), None, "nothing worked yet");
        assert_eq!(trial.rests_until(), ms(1) + REST);
        assert!(trial.rested());
        assert_eq!(trial.over(Some(&second), ms(22)), Some(Arc::clone(&second)));
        trial.acknowledged(Arc::clone(&second), ms(23));
        assert_eq!(trial.over(None, ms(24)), Some(second));
        assert_eq!(trial.over(None, ms(23) + REST), None, "long past");
        assert!(!trial.rested(), "known before");
        assert_eq!(trial.over(None, ms(24)), None, "acquitted");
        let next: Arc<str> = "c".into();
        trial.refused();
        assert_eq!(trial.over(Some(&next), ms(50)), None, "it said why");
    }

    #[test]
    fn a_connection_that_lasts_forgives_everything() {
        let mut suspicion = careful();
        over(&mut suspicion, "a");
        assert_eq!(
            suspicion.ended(pause::SHORT, Some("a".into())),
            Verdict::Stable
        );
        assert!(!suspicion.is_careful());
        let mut suspicion = careful();
        suspicion.lasts();
        assert_eq!(over(&mut suspicion, "a"), Verdict::Short);
    }
}
