//! One connection to the broker: what is under way, and what the broker said of it.
//!
//! Every attempt makes a new one. A task of its own keeps the line, because the broker drops who
//! pauses; and no more messages are under way than broker and [`WINDOW`] allow, so that handing
//! one over never waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::failure::Cause;
use super::line::{self, Plan};
use super::wire::{Heard, Saying};
use super::{Incoming, Subscription};
use crate::config;
use crate::outbox::{Packet, Ticket};

pub use super::wire::BrokerFacts;

/// Messages under way (sent or about to be, not acknowledged) at most.
const WINDOW: usize = 256;
/// What the line has heard and we have not, at most: it waits then.
const HEARD_MAX: usize = 256;

/// What a connection is made with.
pub(super) struct Opening<'a> {
    pub settings: &'a config::Mqtt,
    pub client_id: &'a str,
    pub tls: Option<Arc<ClientConfig>>,
    /// Topic and payload that the broker publishes, retained, when we vanish.
    pub will: Option<(&'a str, &'a str)>,
}

/// Something that the broker did.
#[derive(Debug)]
pub(super) enum Said {
    Connected(BrokerFacts),
    /// Answers to a subscription, in order; `Some` is a refusal.
    Subscribed(Vec<Option<String>>),
    Acknowledged {
        ticket: Ticket,
        topic: Arc<str>,
        /// Why the broker did not take the message.
        refusal: Option<String>,
    },
    Message(Incoming),
}

/// The line has ended: the next [`Connection::said`] says why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// One connection, from the attempt to its end.
pub(super) struct Connection {
    /// Without a bound of its own: the window bounds the messages, and a line that is stuck ends
    /// within two keep-alives.
    sayings: mpsc::UnboundedSender<Saying>,
    heard: mpsc::Receiver<Result<Heard, Cause>>,
    facts: BrokerFacts,
    in_flight: BTreeMap<u16, (Ticket, Arc<str>)>,
    /// For a broker that acknowledges nothing, in order: under way until they are written.
    unacknowledged: VecDeque<(Ticket, Arc<str>)>,
    /// How many of them are written.
    n_written: usize,
    last_id: u16,
    _line: AbortOnDropHandle<()>,
}

impl Connection {
    /// Starts an attempt; [`Connection::said`] tells how it goes. Needs a tokio runtime.
    pub fn open(opening: Opening<'_>) -> Self {
        let (sayings, to_say) = mpsc::unbounded_channel();
        let (tell, heard) = mpsc::channel(HEARD_MAX);
        let plan = Plan {
            settings: opening.settings.clone(),
            client_id: opening.client_id.to_owned(),
            tls: opening.tls,
            will: opening
                .will
                .map(|(topic, payload)| (topic.to_owned(), payload.to_owned())),
        };
        Self {
            sayings,
            heard,
            facts: BrokerFacts::default(),
            in_flight: BTreeMap::new(),
            unacknowledged: VecDeque::new(),
            n_written: 0,
            last_id: 0,
            _line: AbortOnDropHandle::new(tokio::spawn(line::run(plan, to_say, tell))),
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
                Heard::Subscribed(answers) => return Ok(Said::Subscribed(answers)),
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
                Heard::Refused(refusal) => return Err(Cause::Refused(refusal)),
                Heard::Pong | Heard::Other => {}
            }
        }
    }

    /// Messages that are not acknowledged; those that never will be, until they are written.
    pub fn n_under_way(&self) -> usize {
        self.in_flight.len() + self.unacknowledged.len()
    }

    /// Whether [`Connection::publish`] may be called.
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

    /// Asks for messages.
    ///
    /// # Errors
    /// The connection is over.
    pub fn subscribe(&mut self, subscriptions: &[Subscription]) -> Result<(), Gone> {
        if subscriptions.is_empty() {
            return Ok(());
        }
        let id = self.free_id();
        let subscriptions = subscriptions.to_vec();
        self.say(Saying::Subscribe { id, subscriptions })
    }

    /// Asks for no more of these messages.
    ///
    /// # Errors
    /// The connection is over.
    pub fn unsubscribe(&mut self, subscription: &Subscription) -> Result<(), Gone> {
        let id = self.free_id();
        let filter = subscription.filter.clone();
        self.say(Saying::Unsubscribe { id, filter })
    }

    /// Says goodbye, so that the will is not published. Closing at once would reset the
    /// connection and lose what the broker has not read: go on with [`Connection::said`] until
    /// the broker closes.
    pub fn disconnect(&self) {
        let _ = self.say(Saying::Goodbye);
    }

    fn say(&self, saying: Saying) -> Result<(), Gone> {
        self.sayings.send(saying).map_err(|_| Gone)
    }

    /// A packet id that no message under way has: not 0, in turn, so that an acknowledgement
    /// that comes twice meets no message.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}
