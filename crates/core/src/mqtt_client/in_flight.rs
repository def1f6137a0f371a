//! What one connection has sent and the broker has not answered: our CONNECT, messages,
//! subscriptions, a ping.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::failure::{Cause, DisconnectReason};
use super::packet::{
    BrokerFacts, ClientPacket, Incoming, PublishRefusal, ServerPacket, Subscription, Will,
};
use crate::outbox::{Packet, Ticket};

/// Messages in flight at most.
pub(super) const WINDOW: usize = 256;
/// From the first packet of the network to the broker's answer to our CONNECT.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The protocol's longest keep-alive, and the shortest that is worth its pings.
const KEEP_ALIVE_S: std::ops::RangeInclusive<u64> = 5..=65_535;

/// What a packet of the broker means for us.
#[derive(Debug, PartialEq, Eq)]
pub enum BrokerAnswer {
    /// The connection is made.
    Connected(BrokerFacts),
    /// A subscription was answered.
    Subscribed(Vec<FilterAnswer>),
    /// A message is no longer in flight.
    Acknowledged {
        /// Of the message.
        ticket: Ticket,
        /// Its topic.
        topic: Arc<str>,
        /// Why the broker did not take it.
        refusal: Option<PublishRefusal>,
    },
    /// A message came.
    Message(Incoming),
}

/// Whether the broker lets us read a filter.
#[derive(Debug, PartialEq, Eq)]
pub struct FilterAnswer {
    /// Topic filter.
    pub filter: String,
    /// Why not.
    pub refusal: Option<String>,
}

/// One connection, from the attempt to its end.
#[derive(Debug)]
pub struct PacketsInFlight {
    facts: BrokerFacts,
    stage: ConnectStage,
    keep_alive: Duration,
    /// Packets beside messages, which wait for nothing but the socket.
    to_send: VecDeque<ClientPacket>,
    messages: BTreeMap<u16, (Ticket, Arc<str>)>,
    /// For a broker that acknowledges nothing, in order: in flight until they are written.
    unacknowledged: VecDeque<(Ticket, Arc<str>)>,
    /// Subscriptions that are not answered.
    asked: BTreeMap<u16, Vec<Subscription>>,
    last_id: u16,
}

#[derive(Debug, Clone, Copy)]
enum ConnectStage {
    /// No CONNACK yet; the attempt is given up at this monotonic time.
    Connecting { until: Duration },
    /// The next ping, in monotonic time.
    Connected {
        ping_at: Duration,
        awaits_pong: bool,
    },
}

impl PacketsInFlight {
    /// An attempt that begins at `now`, with its CONNECT.
    pub fn connect(
        client_id: String,
        keep_alive: Duration,
        will: Option<Will>,
        now: Duration,
    ) -> Self {
        let seconds = keep_alive.as_secs();
        let seconds = seconds.clamp(*KEEP_ALIVE_S.start(), *KEEP_ALIVE_S.end());
        let connect = ClientPacket::Connect {
            client_id,
            keep_alive_s: u16::try_from(seconds).unwrap_or(u16::MAX),
            will,
        };
        Self {
            facts: BrokerFacts::default(),
            stage: ConnectStage::Connecting {
                until: now + CONNECT_MAX,
            },
            keep_alive: Duration::from_secs(seconds),
            to_send: VecDeque::from([connect]),
            messages: BTreeMap::new(),
            unacknowledged: VecDeque::new(),
            asked: BTreeMap::new(),
            last_id: 0,
        }
    }

    /// Takes a packet of the broker; `None`: nothing follows from it.
    ///
    /// # Errors
    /// The connection is over.
    pub fn receive(
        &mut self,
        packet: ServerPacket,
        now: Duration,
    ) -> Result<Option<BrokerAnswer>, Cause> {
        if let ConnectStage::Connecting { .. } = self.stage {
            return self.connack(packet, now).map(Some);
        }
        Ok(match packet {
            ServerPacket::SubAck(id, answers) => self.asked.remove(&id).map(|asked| {
                let pairs = asked.into_iter().zip(answers);
                let answers = pairs
                    .map(|(Subscription { filter, .. }, refusal)| FilterAnswer { filter, refusal });
                BrokerAnswer::Subscribed(answers.collect())
            }),
            ServerPacket::PubAck(id, refusal) => {
                self.messages
                    .remove(&id)
                    .map(|(ticket, topic)| BrokerAnswer::Acknowledged {
                        ticket,
                        topic,
                        refusal,
                    })
            }
            ServerPacket::Publish { message, id } => {
                self.to_send.extend(id.map(ClientPacket::PubAck));
                Some(BrokerAnswer::Message(message))
            }
            ServerPacket::PingResp => {
                if let ConnectStage::Connected { awaits_pong, .. } = &mut self.stage {
                    *awaits_pong = false;
                }
                None
            }
            ServerPacket::Disconnect(reason, text) => return Err(disconnect_cause(reason, text)),
            ServerPacket::ConnRefused(refusal, text) => return Err(Cause::Refused(refusal, text)),
            ServerPacket::ConnAck(_) | ServerPacket::Other => None,
        })
    }

    fn connack(&mut self, packet: ServerPacket, now: Duration) -> Result<BrokerAnswer, Cause> {
        match packet {
            ServerPacket::ConnAck(facts) => {
                if let Some(seconds @ 1..) = facts.keep_alive_s {
                    self.keep_alive = Duration::from_secs(seconds.into());
                }
                self.facts = facts;
                self.stage = ConnectStage::Connected {
                    ping_at: now + self.keep_alive,
                    awaits_pong: false,
                };
                Ok(BrokerAnswer::Connected(facts))
            }
            ServerPacket::ConnRefused(refusal, text) => Err(Cause::Refused(refusal, text)),
            ServerPacket::Disconnect(reason, text) => Err(disconnect_cause(reason, text)),
            _ => Err(Cause::NotMqtt("no CONNACK".to_owned())),
        }
    }

    /// Everything that [`PacketsInFlight::next_packet`] gave is written: all that is ever known of
    /// messages that a broker does not acknowledge.
    pub fn written(&mut self) -> Vec<BrokerAnswer> {
        let written = self.unacknowledged.drain(..);
        let answers = written.map(|(ticket, topic)| BrokerAnswer::Acknowledged {
            ticket,
            topic,
            refusal: None,
        });
        answers.collect()
    }

    /// Pings, and gives a broker up that does not answer.
    ///
    /// # Errors
    /// The connection is over.
    pub fn at(&mut self, now: Duration) -> Result<(), Cause> {
        match &mut self.stage {
            ConnectStage::Connecting { until } if now >= *until => Err(Cause::NoAnswer),
            ConnectStage::Connected {
                ping_at,
                awaits_pong,
            } if now >= *ping_at => {
                if std::mem::replace(awaits_pong, true) {
                    return Err(Cause::NoPing);
                }
                *ping_at = now + self.keep_alive;
                self.to_send.push_back(ClientPacket::PingReq);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Monotonic time at which [`PacketsInFlight::at`] has something to do.
    pub fn due_at(&self) -> Duration {
        match self.stage {
            ConnectStage::Connecting { until } => until,
            ConnectStage::Connected { ping_at, .. } => ping_at,
        }
    }

    /// The next packet for the socket that is no message.
    pub fn next_packet(&mut self) -> Option<ClientPacket> {
        self.to_send.pop_front()
    }

    /// What the broker's CONNACK says about it.
    pub fn facts(&self) -> BrokerFacts {
        self.facts
    }

    /// Messages that are not acknowledged; those that never will be, until they are written.
    pub fn n_messages(&self) -> usize {
        self.messages.len() + self.unacknowledged.len()
    }

    /// Whether [`PacketsInFlight::publish`] may be called.
    pub fn has_room(&self) -> bool {
        self.n_messages() < WINDOW.min(self.facts.receive_max.into())
    }

    /// The topic of the first message that is not acknowledged.
    pub fn first_topic(&self) -> Option<&Arc<str>> {
        self.messages.values().next().map(|(_, topic)| topic)
    }

    /// Puts a message in flight: its packet, for the socket.
    pub fn publish(&mut self, message: Packet) -> ClientPacket {
        let Packet {
            topic,
            payload,
            retain,
            ticket,
        } = message;
        let id = self.facts.acknowledges.then(|| self.free_id());
        let in_flight = (ticket, Arc::clone(&topic));
        match id {
            Some(id) => {
                self.messages.insert(id, in_flight);
            }
            None => self.unacknowledged.push_back(in_flight),
        }
        ClientPacket::Publish {
            topic,
            payload,
            // A broker without retained messages ends the connection over the flag.
            retain: retain && self.facts.retains,
            id,
        }
    }

    /// Asks for messages.
    pub fn subscribe(&mut self, subscriptions: &[Subscription]) {
        if subscriptions.is_empty() {
            return;
        }
        let id = self.free_id();
        let subscriptions = subscriptions.to_vec();
        self.asked.insert(id, subscriptions.clone());
        self.to_send
            .push_back(ClientPacket::Subscribe { id, subscriptions });
    }

    /// Asks for no more of these messages.
    pub fn unsubscribe(&mut self, subscription: &Subscription) {
        let id = self.free_id();
        let filter = subscription.filter.clone();
        self.to_send
            .push_back(ClientPacket::Unsubscribe { id, filter });
    }

    /// Sends the DISCONNECT, so that the will is not published. Closing at once would reset the
    /// connection and lose what the broker has not read: go on until the broker closes.
    pub fn disconnect(&mut self) {
        self.to_send.push_back(ClientPacket::Disconnect);
    }

    /// A packet id that nothing in flight has: not 0, in turn, so that an acknowledgement that
    /// comes twice meets nothing.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = &self.last_id;
            if !self.messages.contains_key(id) && !self.asked.contains_key(id) {
                return self.last_id;
            }
        }
    }
}

fn disconnect_cause(reason: Option<DisconnectReason>, text: Option<String>) -> Cause {
    reason.map_or(Cause::Closed, |reason| Cause::Disconnected(reason, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::{Outbox, Publish};

    const AT_ONCE: Duration = Duration::ZERO;

    /// A connection to a broker of this kind.
    fn connected(facts: BrokerFacts) -> PacketsInFlight {
        let id = "tesla2mqtt1".to_owned();
        let mut connection = PacketsInFlight::connect(id, Duration::from_mins(1), None, AT_ONCE);
        let answer = connection.receive(ServerPacket::ConnAck(facts), AT_ONCE);
        assert_eq!(answer, Ok(Some(BrokerAnswer::Connected(facts))));
        assert!(matches!(
            connection.next_packet(),
            Some(ClientPacket::Connect { .. })
        ));
        connection
    }

    #[test]
    fn a_refusal_names_the_filter_that_was_asked_with_it() {
        let mut connection = connected(BrokerFacts::default());
        connection.subscribe(&[Subscription::plain("a"), Subscription::plain("b")]);
        connection.subscribe(&[Subscription::plain("c")]);
        let no = || Some("no".to_owned());
        let answers = [(2, vec![no()]), (7, vec![no()]), (1, vec![None, no()])];
        let mut said = answers
            .into_iter()
            .filter_map(|(id, answers)| {
                let answer = connection.receive(ServerPacket::SubAck(id, answers), AT_ONCE);
                answer.expect("still connected")
            })
            .map(|answer| match answer {
                BrokerAnswer::Subscribed(answers) => answers
                    .into_iter()
                    .map(|answer| (answer.filter, answer.refusal))
                    .collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            });
        assert_eq!(said.next(), Some(vec![("c".to_owned(), no())]));
        let both = vec![("a".to_owned(), None), ("b".to_owned(), no())];
        assert_eq!(said.next(), Some(both));
        assert_eq!(said.next(), None);
    }

    #[test]
    fn a_message_without_acknowledgement_is_in_flight_until_it_is_written() {
        let mut connection = connected(BrokerFacts {
            acknowledges: false,
            ..BrokerFacts::default()
        });
        let mut outbox = Outbox::new("base");
        outbox.connected(1 << 20);
        for n in 0..=WINDOW {
            outbox.put(Publish::State {
                topic: format!("base/{n}"),
                payload: "1".into(),
            });
        }
        while connection.has_room() {
            let message = outbox.next_packet().expect("more than a window");
            let packet = connection.publish(message);
            assert!(matches!(packet, ClientPacket::Publish { id: None, .. }));
        }
        assert_eq!(connection.n_messages(), WINDOW);
        let pong = connection.receive(ServerPacket::PingResp, AT_ONCE);
        assert_eq!((pong, connection.n_messages()), (Ok(None), WINDOW));
        assert_eq!(connection.written().len(), WINDOW);
        assert!(connection.has_room() && connection.n_messages() == 0);
    }

    #[test]
    fn a_packet_id_is_used_again_only_when_it_is_free() {
        let mut connection = connected(BrokerFacts::default());
        let mut outbox = Outbox::new("base");
        outbox.connected(1 << 20);
        let mut publish = |connection: &mut PacketsInFlight, n: u32| {
            outbox.put(Publish::State {
                topic: "base/a".into(),
                payload: n.to_string().into(),
            });
            match connection.publish(outbox.next_packet().expect("it changed")) {
                ClientPacket::Publish { id, .. } => id.expect("QoS 1"),
                other => panic!("{other:?}"),
            }
        };
        let stuck = publish(&mut connection, 0);
        for n in 1..=200_000 {
            let id = publish(&mut connection, n);
            assert!(id != stuck && id != 0, "{id}");
            let answer = connection.receive(ServerPacket::PubAck(id, None), AT_ONCE);
            assert!(matches!(
                answer,
                Ok(Some(BrokerAnswer::Acknowledged { .. }))
            ));
            // One that comes twice belongs to nothing.
            let again = connection.receive(ServerPacket::PubAck(id, None), AT_ONCE);
            assert_eq!(again, Ok(None));
        }
        assert_eq!(connection.n_messages(), 1);
    }

    #[test]
    fn a_broker_that_does_not_answer_pings_is_given_up_after_two_of_them() {
        let mut connection = connected(BrokerFacts {
            keep_alive_s: Some(7),
            ..BrokerFacts::default()
        });
        let mut now = connection.due_at();
        assert_eq!(now, Duration::from_secs(7), "the broker's wish");
        for _ in 0..3 {
            assert_eq!(connection.at(now), Ok(()));
            assert_eq!(connection.next_packet(), Some(ClientPacket::PingReq));
            assert_eq!(connection.receive(ServerPacket::PingResp, now), Ok(None));
            now = connection.due_at();
        }
        assert_eq!(connection.at(now), Ok(()));
        assert_eq!(connection.at(connection.due_at()), Err(Cause::NoPing));
    }

    #[test]
    fn the_first_packet_must_be_a_connack_and_come_in_time() {
        let connect = || {
            let id = "tesla2mqtt1".to_owned();
            PacketsInFlight::connect(id, Duration::from_hours(100), None, AT_ONCE)
        };
        let mut connection = connect();
        assert_eq!(connection.at(CONNECT_MAX), Err(Cause::NoAnswer));
        assert_eq!(connection.due_at(), CONNECT_MAX);
        let answer = connection.receive(ServerPacket::PingResp, AT_ONCE);
        assert!(matches!(answer, Err(Cause::NotMqtt(_))), "{answer:?}");
        match connect().next_packet() {
            Some(ClientPacket::Connect { keep_alive_s, .. }) => assert_eq!(keep_alive_s, u16::MAX),
            other => panic!("{other:?}"),
        }
    }
}
