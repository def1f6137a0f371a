//! One connection to the broker: what is under way, and what the broker said of it.
//!
//! Every attempt makes a new one. A task of its own keeps the line, because the broker drops who
//! pauses; and no more messages are under way than broker and [`WINDOW`] allow, so that handing
//! one over never waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::failure::Cause;
use super::line::{self, Plan};
use super::wire::{Heard, NotTaken, Saying, Will};
use super::{Incoming, Subscription};
use crate::config;
use crate::outbox::{Packet, Ticket};

pub use super::wire::BrokerFacts;

/// Messages under way (sent or about to be, not acknowledged) at most.
const WINDOW: usize = 256;
/// What waits to be said at most: a full window, and subscriptions beside it.
const SAYINGS_MAX: usize = WINDOW + 64;
/// What the line has heard and we have not, at most: it waits then.
const HEARD_MAX: usize = 256;

/// What a connection is made with.
pub(super) struct Opening<'a> {
    pub settings: &'a config::Mqtt,
    pub client_id: &'a str,
    pub tls: Option<Arc<ClientConfig>>,
    pub will: Option<Will>,
}

/// Something that the broker did.
#[derive(Debug)]
pub(super) enum Said {
    Connected(BrokerFacts),
    /// The answer to a subscription.
    Subscribed {
        answers: Vec<Answer>,
    },
    Acknowledged {
        ticket: Ticket,
        topic: Arc<str>,
        /// Why the broker did not take the message.
        refusal: Option<NotTaken>,
    },
    Message(Incoming),
}

/// Whether the broker lets us read a filter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub filter: String,
    /// Why not.
    pub refusal: Option<String>,
}

/// The line has ended: the next [`Link::said`] says why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// One connection, from the attempt to its end.
pub(super) struct Link {
    /// Never full: the window bounds the messages, and the rest is few.
    sayings: mpsc::Sender<Saying>,
    heard: mpsc::Receiver<Result<Heard, Cause>>,
    facts: BrokerFacts,
    in_flight: BTreeMap<u16, (Ticket, Arc<str>)>,
    /// For a broker that acknowledges nothing, in order: under way until they are written.
    unacknowledged: VecDeque<(Ticket, Arc<str>)>,
    /// How many of them are written.
    n_written: usize,
    /// Subscriptions that are not answered.
    asked: BTreeMap<u16, Vec<Subscription>>,
    last_id: u16,
    line: AbortOnDropHandle<()>,
}

impl Link {
    /// Starts an attempt; [`Link::said`] tells how it goes. Needs a tokio runtime.
    pub fn open(opening: Opening<'_>) -> Self {
        let (sayings, to_say) = mpsc::channel(SAYINGS_MAX);
        let (tell, heard) = mpsc::channel(HEARD_MAX);
        let plan = Plan {
            settings: opening.settings.clone(),
            client_id: opening.client_id.to_owned(),
            tls: opening.tls,
            will: opening.will,
        };
        Self::over(sayings, heard, tokio::spawn(line::run(plan, to_say, tell)))
    }

    /// Over a line that is there; it ends with the connection.
    fn over(
        sayings: mpsc::Sender<Saying>,
        heard: mpsc::Receiver<Result<Heard, Cause>>,
        line: JoinHandle<()>,
    ) -> Self {
        Self {
            sayings,
            heard,
            facts: BrokerFacts::default(),
            in_flight: BTreeMap::new(),
            unacknowledged: VecDeque::new(),
            n_written: 0,
            asked: BTreeMap::new(),
            last_id: 0,
            line: AbortOnDropHandle::new(line),
        }
    }

    /// The next thing that the broker does. May be dropped and called again.
    ///
    /// # Errors
    /// The connection is over, or was never made.
    pub async fn said(&mut self) -> Result<Said, Cause> {
        loop {
            if self.n_written > 0
                && let Some((ticket, topic)) = self.unacknowledged.pop_front()
            {
                self.n_written -= 1;
                return Ok(Said::Acknowledged {
                    ticket,
                    topic,
                    refusal: None,
                });
            }
            match self.heard.recv().await.unwrap_or(Err(Cause::Closed))? {
                Heard::Connected(facts) => {
                    self.facts = facts;
                    return Ok(Said::Connected(facts));
                }
                Heard::Subscribed(id, answers) => {
                    if let Some(asked) = self.asked.remove(&id) {
                        let pairs = asked.into_iter().zip(answers);
                        let answers = pairs.map(|(Subscription { filter, .. }, refusal)| Answer {
                            filter,
                            refusal,
                        });
                        return Ok(Said::Subscribed {
                            answers: answers.collect(),
                        });
                    }
                }
                Heard::Message { message, .. } => return Ok(Said::Message(message)),
                Heard::Acknowledged(id, refusal) => {
                    if let Some((ticket, topic)) = self.in_flight.remove(&id) {
                        return Ok(Said::Acknowledged {
                            ticket,
                            topic,
                            refusal,
                        });
                    }
                }
                Heard::Written(n) => self.n_written += n,
                Heard::Refused(refusal, text) => return Err(Cause::Refused(refusal, text)),
                Heard::Pong | Heard::Other => {}
            }
        }
    }

    /// Messages that are not acknowledged; those that never will be, until they are written.
    pub fn n_under_way(&self) -> usize {
        self.in_flight.len() + self.unacknowledged.len()
    }

    /// Whether [`Link::publish`] may be called.
    pub fn has_room(&self) -> bool {
        self.n_under_way() < WINDOW.min(self.facts.receive_max.into())
    }

    /// The topic of a message that is not acknowledged.
    pub fn under_way(&self) -> Option<&Arc<str>> {
        self.in_flight.values().next().map(|(_, topic)| topic)
    }

    /// Hands a message over; never waits.
    ///
    /// # Errors
    /// The connection is over.
    pub fn publish(&mut self, packet: Packet) -> Result<(), Gone> {
        let Packet {
            topic,
            payload,
            retain,
            ticket,
        } = packet;
        let id = self.facts.acknowledges.then(|| self.free_id());
        self.say(Saying::Publish {
            topic: Arc::clone(&topic),
            payload,
            // A broker without retained messages ends the connection over the flag.
            retain: retain && self.facts.retains,
            id,
        })?;
        match id {
            Some(id) => {
                self.in_flight.insert(id, (ticket, topic));
            }
            None => self.unacknowledged.push_back((ticket, topic)),
        }
        Ok(())
    }

    /// Asks for messages. That the connection is over shows in the next [`Link::said`].
    pub fn subscribe(&mut self, subscriptions: &[Subscription]) {
        if subscriptions.is_empty() {
            return;
        }
        let id = self.free_id();
        let subscriptions = subscriptions.to_vec();
        self.asked.insert(id, subscriptions.clone());
        let _ = self.say(Saying::Subscribe { id, subscriptions });
    }

    /// Asks for no more of these messages. That the connection is over shows in the next
    /// [`Link::said`].
    pub fn unsubscribe(&mut self, subscription: &Subscription) {
        let id = self.free_id();
        let filter = subscription.filter.clone();
        let _ = self.say(Saying::Unsubscribe { id, filter });
    }

    /// Says goodbye, so that the will is not published. Closing at once would reset the
    /// connection and lose what the broker has not read: go on with [`Link::said`] until
    /// the broker closes.
    pub fn disconnect(&self) {
        let _ = self.say(Saying::Goodbye);
    }

    fn say(&self, saying: Saying) -> Result<(), Gone> {
        self.sayings.try_send(saying).map_err(|_| {
            // A line that takes no more would never be heard of again.
            self.line.abort();
            Gone
        })
    }

    /// A packet id that nothing under way has: not 0, in turn, so that an acknowledgement
    /// that comes twice meets nothing.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = &self.last_id;
            if !self.in_flight.contains_key(id) && !self.asked.contains_key(id) {
                return self.last_id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection whose line is in the hands of the test.
    fn link() -> (Link, mpsc::Sender<Result<Heard, Cause>>) {
        let (sayings, to_say) = mpsc::channel(SAYINGS_MAX);
        let (tell, heard) = mpsc::channel(HEARD_MAX);
        let takes_all = async move {
            let _open = to_say;
            std::future::pending::<()>().await;
        };
        let link = Link::over(sayings, heard, tokio::spawn(takes_all));
        (link, tell)
    }

    #[tokio::test]
    async fn a_refusal_names_the_filter_that_was_asked_with_it() {
        let (mut link, tell) = link();
        link.subscribe(&[Subscription::plain("a"), Subscription::plain("b")]);
        link.subscribe(&[Subscription::plain("c")]);
        let no = || Some("no".to_owned());
        for answer in [
            Heard::Subscribed(2, vec![no()]),
            Heard::Subscribed(7, vec![no()]),
            Heard::Subscribed(1, vec![None, no()]),
        ] {
            tell.send(Ok(answer)).await.expect("room");
        }
        for expected in [&[("c", no())][..], &[("a", None), ("b", no())]] {
            let Ok(Said::Subscribed { answers }) = link.said().await else {
                panic!("expected an answer");
            };
            let pairs = answers
                .iter()
                .map(|a| (a.filter.as_str(), a.refusal.clone()));
            assert_eq!(pairs.collect::<Vec<_>>(), expected);
        }
    }

    #[tokio::test]
    async fn a_message_without_acknowledgement_is_under_way_until_it_is_written() {
        let (mut link, tell) = link();
        link.facts.acknowledges = false;
        let mut outbox = crate::outbox::Outbox::new("base");
        outbox.connected(1 << 20);
        for n in 0..=WINDOW {
            outbox.put(crate::outbox::Publish::State {
                topic: format!("base/{n}"),
                payload: "1".into(),
            });
        }
        while link.has_room() {
            let packet = outbox.next_packet().expect("more than a window");
            link.publish(packet).expect("open");
        }
        assert_eq!(link.n_under_way(), WINDOW);
        tell.send(Ok(Heard::Written(2))).await.expect("room");
        tell.send(Ok(Heard::Pong)).await.expect("room");
        drop(tell);
        let mut n_retired = 0;
        while let Ok(Said::Acknowledged { .. }) = link.said().await {
            n_retired += 1;
        }
        assert_eq!(n_retired, 2);
        assert_eq!(link.n_under_way(), WINDOW - 2);
        assert!(link.has_room());
    }
}
