//! Brokers and twins in virtual time: what waits, what is left out.

use super::*;
use crate::mqtt_client::failure::BrokerFailureKind;
use crate::mqtt_client::reconnect::before_retry;

const FIRST: &str = "t/bridge/state";
const FOR_EVER: Duration = Duration::MAX;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A bridge with fifty topics, and the broker at the other end.
struct QuarantineWorld {
    quarantine: Quarantine,
    topics: Vec<Arc<str>>,
    left_out: BTreeSet<Arc<str>>,
    /// The broker hangs up over these.
    forbidden: BTreeSet<Arc<str>>,
    round_trip: Duration,
    /// What went through in the last connection.
    said: BTreeSet<Arc<str>>,
}

impl QuarantineWorld {
    fn new(round_trip: Duration, forbidden: &[&str]) -> Self {
        let topics = (0..50).map(|n| format!("t/{n:02}").into()).collect();
        Self {
            quarantine: Quarantine::new(FIRST),
            topics,
            left_out: BTreeSet::new(),
            forbidden: forbidden.iter().map(|topic| (*topic).into()).collect(),
            round_trip,
            said: BTreeSet::new(),
        }
    }

    /// One connection that somebody ends at a time of his own; `None`: it goes on.
    fn connection(&mut self, ends_at: Duration) -> Option<EndMeans> {
        let (lasted, over) = self.course(ends_at)?;
        let meaning = self.quarantine.ended(lasted, over);
        match &meaning {
            EndMeans::Quarantined(topic) | EndMeans::LeftOut(topic) => {
                self.left_out.insert(Arc::clone(topic));
            }
            EndMeans::Released(topics) => {
                for topic in topics {
                    self.left_out.remove(topic);
                }
            }
            EndMeans::Stable | EndMeans::Short | EndMeans::Suspicious => {}
        }
        Some(meaning)
    }

    /// When it ended and over what; `None`: it goes on.
    fn course(&mut self, ends_at: Duration) -> Option<(Duration, Option<Arc<str>>)> {
        self.said.clear();
        let mut careful = CarefulConnection::default();
        let mut now = Duration::ZERO;
        let first = std::iter::repeat_n(FIRST.into(), self.quarantine.n_probes() as usize);
        let is_said = |topic: &&Arc<str>| !self.left_out.contains(*topic);
        let all: Vec<_> = first
            .chain(self.topics.iter().filter(is_said).cloned())
            .collect();
        if self.quarantine.is_careful() {
            for topic in all {
                if let Some(end) = self.one(&mut careful, &mut now, &topic, ends_at) {
                    return Some(end);
                }
            }
        } else {
            let forbids = all.iter().any(|topic| self.forbidden.contains(topic));
            if forbids || ends_at <= self.round_trip {
                return Some((self.round_trip.min(ends_at), all.last().cloned()));
            }
            self.said.extend(all);
        }
        if ends_at < STABLE_AFTER {
            return Some((ends_at, careful.over(None, ends_at)));
        }
        now = STABLE_AFTER;
        self.quarantine.stable();
        while let Some(topic) = self.quarantine.next_test() {
            self.left_out.remove(&topic);
            if let Some(end) = self.one(&mut careful, &mut now, &topic, ends_at) {
                return Some(end);
            }
        }
        assert!(!self.quarantine.is_careful());
        (ends_at < FOR_EVER).then_some((ends_at, None))
    }

    /// One message of a careful connection.
    fn one(
        &mut self,
        careful: &mut CarefulConnection,
        now: &mut Duration,
        topic: &Arc<str>,
        ends_at: Duration,
    ) -> Option<(Duration, Option<Arc<str>>)> {
        let answered_at = *now + self.round_trip;
        if self.forbidden.contains(topic) && answered_at < ends_at {
            return Some((answered_at, careful.over(Some(topic), answered_at)));
        }
        if ends_at <= answered_at {
            return Some((ends_at, careful.over(Some(topic), ends_at)));
        }
        careful.acknowledged(Arc::clone(topic), answered_at);
        self.said.insert(Arc::clone(topic));
        if ends_at < careful.pause_until() {
            return Some((ends_at, careful.over(None, ends_at)));
        }
        *now = careful.pause_until();
        let survived = careful.survived().expect("the rest is over");
        self.quarantine.survived(survived);
        None
    }

    /// Everything that is not forbidden is at the broker, on a connection that lasts.
    fn is_whole(&self) -> bool {
        let wanted = self.topics.iter().filter(|t| !self.forbidden.contains(*t));
        wanted.into_iter().all(|topic| self.said.contains(topic))
    }
}

/// Each connection had been found to end over the second message, whichever that was: one innocent
/// topic after the other was left out, and stayed so when the trouble was over.
#[test]
fn a_broker_that_hangs_up_soon_after_each_connack_costs_no_topic() {
    for round_trip in [0, 1, 5, 30] {
        for n in 5..=100 {
            let mut world = QuarantineWorld::new(ms(round_trip), &[]);
            for _ in 0..60 {
                let meaning = world.connection(ms(n));
                assert!(
                    !matches!(
                        meaning,
                        None | Some(EndMeans::LeftOut(_) | EndMeans::Stable)
                    ),
                    "{n} ms: {meaning:?}"
                );
                assert!(world.left_out.len() <= 2, "{n} ms: {:?}", world.left_out);
            }
            assert_eq!(world.connection(FOR_EVER), None);
            assert!(world.is_whole() && world.left_out.is_empty(), "{n} ms");
        }
    }
}

/// The same over a line with a delay, where some message is always under way.
#[test]
fn another_client_with_our_id_costs_no_topic() {
    for round_trip in [1, 50, 100] {
        for seed in 1..=50u64 {
            let mut random = seed;
            let mut world = QuarantineWorld::new(ms(round_trip), &[]);
            for _ in 0..100 {
                // It comes back after its own pause, which jitters.
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let meaning = world.connection(ms(2 * round_trip + (random >> 33) % 500));
                assert!(
                    !matches!(
                        meaning,
                        None | Some(EndMeans::LeftOut(_) | EndMeans::Stable)
                    ),
                    "{meaning:?}"
                );
            }
            assert_eq!(world.connection(FOR_EVER), None);
            let left_out = &world.left_out;
            assert!(left_out.is_empty(), "{left_out:?}");
            let n_said = world.said.len();
            assert!(n_said >= world.topics.len(), "{n_said}");
        }
    }
}

#[test]
fn all_others_are_said_within_a_connection_for_each_forbidden_topic() {
    for (forbidden, n) in [(&["t/07"][..], 4), (&["t/00", "t/01", "t/49"], 6)] {
        for round_trip in [1, 30, 100] {
            let mut world = QuarantineWorld::new(ms(round_trip), forbidden);
            for _ in 0..n {
                assert!(world.connection(FOR_EVER).is_some());
            }
            let left_out: Vec<&str> = world.left_out.iter().map(|t| &**t).collect();
            assert_eq!(left_out, forbidden);
            // Each is tried once more, alone, on a connection that has lasted.
            for _ in forbidden {
                let meaning = world.connection(FOR_EVER);
                assert!(matches!(meaning, Some(EndMeans::LeftOut(_))), "{meaning:?}");
                assert!(world.is_whole(), "{forbidden:?}");
            }
            for _ in 0..3 {
                assert_eq!(world.connection(FOR_EVER), None, "and never again");
            }
        }
    }
}

#[test]
fn a_topic_that_is_left_out_is_tried_again_when_a_connection_had_ended_for_another_reason() {
    let mut world = QuarantineWorld::new(ms(1), &["t/07"]);
    while world.connection(FOR_EVER).is_some() {}
    let days = Duration::from_hours(50);
    assert_eq!(world.connection(days), Some(EndMeans::Stable));
    let again = world.connection(days);
    assert_eq!(again, Some(EndMeans::LeftOut("t/07".into())));
    assert_eq!(world.connection(days), Some(EndMeans::Stable));
    world.forbidden.clear();
    assert_eq!(world.connection(FOR_EVER), None);
    assert!(world.left_out.is_empty());
}

/// A broker that takes us in and hangs up, for ever.
#[test]
fn short_connections_come_more_and_more_slowly_whatever_they_end_over() {
    for n in [0, 30, 70] {
        let mut world = QuarantineWorld::new(ms(1), &["t/30"]);
        let mut waited = Duration::ZERO;
        for _ in 0..100 {
            world.connection(ms(n)).expect("it ends");
            waited += before_retry(BrokerFailureKind::HungUp, world.quarantine.n_short(), 0.0);
        }
        assert!(waited > Duration::from_mins(19), "{waited:?}");
    }
}

#[test]
fn restarts_of_the_broker_in_a_row_raise_no_suspicion() {
    let mut world = QuarantineWorld::new(ms(1), &[]);
    for _ in 0..20 {
        assert_eq!(world.connection(ms(3000)), Some(EndMeans::Short));
        world.quarantine.broker_is_away();
    }
}

#[test]
fn a_connection_ends_over_what_was_refused_or_else_said_last() {
    let (first, second): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
    let mut careful = CarefulConnection::default();
    assert_eq!(careful.over(None, ms(0)), None);
    assert_eq!(careful.over(Some(&first), ms(0)), Some(Arc::clone(&first)));
    careful.acknowledged(Arc::clone(&first), ms(1));
    assert_eq!(careful.over(None, ms(2)), Some(Arc::clone(&first)));
    assert_eq!(careful.over(None, ms(1) + PAUSE), None, "long past");
    careful.refused(Arc::clone(&first));
    let survived = |topic: &Arc<str>, was_taken| {
        let topic = Arc::clone(topic);
        Some(Survived { topic, was_taken })
    };
    assert_eq!(careful.survived(), survived(&first, false));
    assert_eq!(careful.survived(), None, "once");
    let over = careful.over(Some(&second), ms(30));
    assert_eq!(over, Some(Arc::clone(&first)), "it said why");
    careful.acknowledged(Arc::clone(&second), ms(31));
    assert_eq!(careful.survived(), survived(&second, true));
    assert_eq!(careful.over(Some(&second), ms(80)), Some(second));
}
