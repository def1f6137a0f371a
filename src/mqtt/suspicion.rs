//! Why connections keep ending soon: another client with our id, or one topic of ours. Pure.
//!
//! Brokers rarely say. Mosquitto 2.0.11 (MQTT 5) and some cloud brokers end the connection over a
//! message that their access list forbids; as everything is said again on every connection, one
//! forbidden topic would keep all the others away for ever. So after some short connections
//! messages go one by one, and a topic over which two of those ended is left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::pause;

/// Short connections in a row before we become careful.
const SUSPICIOUS: u32 = 3;
/// Careful connections that end over one topic before it is left out.
const STRIKES: u32 = 2;

/// What the last connections have taught.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    n_short: u32,
    strikes: BTreeMap<Arc<str>, u32>,
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

    /// A connection ended after `lasted`, with a message to `under_way` not acknowledged.
    pub fn ended(&mut self, lasted: Duration, under_way: Option<Arc<str>>) -> Verdict {
        if lasted >= pause::SHORT {
            *self = Self::default();
            return Verdict::Stable;
        }
        let was_careful = self.is_careful();
        self.n_short += 1;
        if !was_careful {
            return Verdict::Short;
        }
        let Some(topic) = under_way else {
            return Verdict::Suspicious;
        };
        let strikes = self.strikes.entry(Arc::clone(&topic)).or_default();
        *strikes += 1;
        if *strikes < STRIKES {
            return Verdict::Suspicious;
        }
        self.strikes.remove(&topic);
        // One cause is found: the next attempt need not wait long, but there may be more.
        self.n_short = SUSPICIOUS;
        Verdict::Guilty(topic)
    }

    /// The present connection has lasted: no need to be careful any more.
    pub fn lasts(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_topic_is_guilty_when_two_careful_connections_end_over_it() {
        let mut suspicion = careful();
        assert_eq!(over(&mut suspicion, "a"), Verdict::Suspicious);
        assert_eq!(over(&mut suspicion, "b"), Verdict::Suspicious);
        let verdict = over(&mut suspicion, "a");
        assert_eq!(verdict, Verdict::Guilty("a".into()));
        assert!(suspicion.is_careful(), "there may be another one");
    }

    #[test]
    fn connections_that_end_with_nothing_under_way_accuse_no_topic() {
        let mut suspicion = careful();
        for _ in 0..100 {
            assert_eq!(suspicion.ended(MOMENT, None), Verdict::Suspicious);
        }
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
