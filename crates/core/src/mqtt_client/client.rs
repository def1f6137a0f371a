//! The client over all its connections: owns the outbox, connects, sends everything again, waits
//! between attempts, drains at the end.

mod lost;
mod shutdown;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::connection::ActiveConnection;
use super::failure::Cause;
use super::in_flight::{BrokerAnswer, PacketsInFlight};
use super::interface::{ClientEvent, ClientInput, ClientOptions, Connection};
use super::notice::{ClientNotice, NoticesGiven};
use super::packet::{BrokerFacts, ClientPacket, PublishRefusal, ServerPacket, Subscription, Will};
use super::quarantine::Quarantine;
use crate::outbox::{Outbox, Publish, Ticket};
use crate::random::Random;

/// The client.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    state_topic: Arc<str>,
    /// Retained and with QoS 1 until the broker refuses that; messages follow what its CONNACK
    /// says.
    will: Will,
    phase: ConnectionPhase,
    outbox: Outbox,
    quarantine: Quarantine,
    notices_given: NoticesGiven,
    random: Random,
    /// Attempts in a row without a CONNACK.
    n_failed: u32,
    n_connections: u64,
    events: VecDeque<ClientEvent>,
}

#[derive(Debug)]
enum ConnectionPhase {
    /// Until the next attempt, in monotonic time.
    Waiting { until: Duration },
    /// An attempt, or a connection.
    Active(Box<ActiveConnection>),
    /// For ever.
    Ended,
}

impl Client {
    /// A client that connects at the first [`ClientInput`].
    pub fn new(options: ClientOptions) -> Self {
        let mut outbox = Outbox::new(&options.base_topic);
        outbox.put(Publish::State {
            topic: options.state_topic.clone(),
            payload: "online".into(),
        });
        Self {
            state_topic: options.state_topic.as_str().into(),
            will: Will {
                topic: options.state_topic.clone(),
                payload: "offline",
                is_acknowledged: true,
                is_retained: true,
            },
            phase: ConnectionPhase::Waiting {
                until: Duration::ZERO,
            },
            outbox,
            quarantine: Quarantine::new(&options.state_topic),
            notices_given: NoticesGiven::default(),
            random: Random::new(options.seed),
            n_failed: 0,
            n_connections: 0,
            events: VecDeque::new(),
            options,
        }
    }

    /// Takes what happened at the monotonic time `now`.
    pub fn handle(&mut self, input: ClientInput, now: Duration) {
        match input {
            ClientInput::Publish(messages) => {
                for message in messages {
                    self.outbox.put(message);
                }
            }
            ClientInput::Listen(subscriptions) => self.listen(subscriptions),
            ClientInput::Opened => {
                if let ConnectionPhase::Active(active) = &mut self.phase {
                    active.is_open = true;
                }
            }
            ClientInput::Received(packet) => self.received(packet, now),
            ClientInput::Written => self.written(now),
            ClientInput::Lost(cause) => self.lost(&cause, now),
            ClientInput::Shutdown => self.shut_down(now),
            ClientInput::Timer => {}
        }
        self.advance(now);
    }

    /// The next packet for the socket. Ask while the socket has room: what is not asked for waits
    /// in the outbox, where only the newest value of each topic is kept.
    pub fn next_packet(&mut self, now: Duration) -> Option<ClientPacket> {
        loop {
            let packet = self.control_packet().or_else(|| self.message(now));
            self.log_not_sent();
            if packet.is_some() || !self.when_all_is_sent(now) {
                return packet;
            }
        }
    }

    /// The next thing to do.
    pub fn next_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Monotonic time at which [`ClientInput::Timer`] is due; `None`: never.
    pub fn due_at(&self, now: Duration) -> Option<Duration> {
        match &self.phase {
            ConnectionPhase::Waiting { until } => Some(*until),
            ConnectionPhase::Active(active) => Some(active.due_at(self.quarantine.waits(), now)),
            ConnectionPhase::Ended => None,
        }
    }

    /// The topics of the deletes that were handed over and that the broker has not done, those that
    /// it refused among them.
    pub fn unconfirmed_deletes(&self) -> BTreeSet<String> {
        self.outbox.unconfirmed_deletes()
    }

    /// Messages in flight.
    pub fn n_in_flight(&self) -> usize {
        match &self.phase {
            ConnectionPhase::Active(active) => active.in_flight.n_messages(),
            ConnectionPhase::Waiting { .. } | ConnectionPhase::Ended => 0,
        }
    }

    /// What the broker's CONNACK says about it, while connected.
    pub fn facts(&self) -> Option<BrokerFacts> {
        match &self.phase {
            ConnectionPhase::Active(active) if active.is_connected() => {
                Some(active.in_flight.facts())
            }
            _ => None,
        }
    }

    /// What time brings.
    fn advance(&mut self, now: Duration) {
        self.log_not_sent();
        match &mut self.phase {
            ConnectionPhase::Waiting { until } if now >= *until => self.open(now),
            ConnectionPhase::Active(active) => {
                if let Err(cause) = active.in_flight.at(now) {
                    self.lost(&cause, now);
                } else if active.drain.is_some() {
                    self.advance_drain(now);
                } else if active.is_stalled(now) {
                    self.lost(&Cause::NoAcknowledgement, now);
                } else {
                    for topic in active.retry_queue.due(now) {
                        self.outbox.send_again(&topic);
                    }
                }
            }
            ConnectionPhase::Waiting { .. } | ConnectionPhase::Ended => {}
        }
    }

    fn open(&mut self, now: Duration) {
        let in_flight = PacketsInFlight::connect(
            self.options.target.client_id.clone(),
            self.options.keep_alive,
            Some(self.will.clone()),
            now,
        );
        self.phase = ConnectionPhase::Active(Box::new(ActiveConnection::new(in_flight, now)));
        self.events.push_back(ClientEvent::Open);
    }

    fn control_packet(&mut self) -> Option<ClientPacket> {
        match &mut self.phase {
            ConnectionPhase::Active(active) if active.is_open => active.in_flight.next_packet(),
            _ => None,
        }
    }

    /// The next message, if it may be sent now.
    fn message(&mut self, now: Duration) -> Option<ClientPacket> {
        let ConnectionPhase::Active(active) = &mut self.phase else {
            return None;
        };
        if !active.sends() || !active.in_flight.has_room() {
            return None;
        }
        if self.quarantine.is_careful() && active.drain.is_none() {
            if active.in_flight.n_messages() > 0 || now < active.careful.pause_until() {
                return None;
            }
            if let Some(survived) = active.careful.survived() {
                self.quarantine.survived(survived);
            }
        }
        let is_probe = active.n_probes > 0;
        if is_probe {
            active.n_probes -= 1;
            self.outbox.send_next(&self.state_topic);
        }
        let message = self.outbox.next_packet()?;
        if active.in_flight.n_messages() == 0 {
            active.answered_at = now;
        }
        if let Some(n) = &mut active.n_sent_again
            && !is_probe
        {
            *n += 1;
        }
        Some(active.in_flight.publish(message))
    }

    /// Nothing waits to be sent; true: now something does.
    fn when_all_is_sent(&mut self, now: Duration) -> bool {
        if matches!(&self.phase, ConnectionPhase::Active(active) if active.drain.is_some()) {
            return self.advance_drain(now);
        }
        if !self.is_all_answered(now) {
            return false;
        }
        let ConnectionPhase::Active(active) = &mut self.phase else {
            return false;
        };
        let is_stable = active.is_stable(now);
        if is_stable {
            self.quarantine.stable();
        }
        // In a rhythm of short connections an outage is not over yet, and not worth a line each.
        if !self.quarantine.is_flapping()
            && let Some(n_topics) = active.n_sent_again.take()
        {
            let notice = self.notices_given.complete(n_topics, now);
            self.log(notice);
        }
        if !is_stable {
            return false;
        }
        let Some(topic) = self.quarantine.next_test() else {
            return false;
        };
        self.outbox.include(&topic);
        self.outbox.send_next(&topic);
        true
    }

    /// Whether the broker has answered everything that was handed over.
    pub fn is_all_answered(&self, now: Duration) -> bool {
        match &self.phase {
            ConnectionPhase::Active(active) => {
                active.is_connected()
                    && active.in_flight.n_messages() == 0
                    && !self.outbox.has_work()
                    && active.careful.pause_until() <= now
            }
            ConnectionPhase::Waiting { .. } | ConnectionPhase::Ended => false,
        }
    }

    fn received(&mut self, packet: ServerPacket, now: Duration) {
        let ConnectionPhase::Active(active) = &mut self.phase else {
            return;
        };
        if !active.is_open {
            // Left over from the connection before.
            return;
        }
        match active.in_flight.receive(packet, now) {
            Ok(None) => {}
            Ok(Some(answer)) => self.answered(answer, now),
            Err(cause) => self.lost(&cause, now),
        }
    }

    fn written(&mut self, now: Duration) {
        if let ConnectionPhase::Active(active) = &mut self.phase {
            for answer in active.in_flight.written() {
                self.answered(answer, now);
            }
        }
    }

    fn answered(&mut self, answer: BrokerAnswer, now: Duration) {
        let ConnectionPhase::Active(active) = &mut self.phase else {
            return;
        };
        active.answered_at = now;
        let is_draining = active.drain.is_some();
        match answer {
            BrokerAnswer::Connected(facts) => self.connected(facts, now),
            BrokerAnswer::Acknowledged {
                ticket,
                topic,
                refusal,
            } if is_draining => self.drained(ticket, &topic, refusal),
            BrokerAnswer::Acknowledged {
                ticket,
                topic,
                refusal,
            } => self.acknowledged(ticket, topic, refusal, now),
            BrokerAnswer::Subscribed(_) | BrokerAnswer::Message(_) if is_draining => {}
            BrokerAnswer::Subscribed(answers) => {
                let notices = self.notices_given.filters(answers);
                self.log_all(notices);
            }
            BrokerAnswer::Message(message) => self.events.push_back(ClientEvent::Message(message)),
        }
    }

    fn connected(&mut self, facts: BrokerFacts, now: Duration) {
        let ConnectionPhase::Active(active) = &mut self.phase else {
            return;
        };
        active.connected(self.quarantine.n_probes(), now);
        // Commands first: a client that sees us online may send one at once.
        active.in_flight.subscribe(&self.options.subscriptions);
        self.outbox.connected(facts.packet_max);
        self.n_connections += 1;
        let notices = self.notices_given.facts(facts);
        self.log_all(notices);
        let up = Connection::Up(self.n_connections);
        self.events.push_back(ClientEvent::Status(up));
    }

    fn acknowledged(
        &mut self,
        ticket: Ticket,
        topic: Arc<str>,
        refusal: Option<PublishRefusal>,
        now: Duration,
    ) {
        let ConnectionPhase::Active(active) = &mut self.phase else {
            return;
        };
        let is_careful = self.quarantine.is_careful();
        if is_careful {
            active.careful.acknowledged(Arc::clone(&topic), now);
        }
        let Some(refusal) = refusal else {
            self.outbox.acknowledged(ticket);
            // A later event says nothing of one that was refused.
            if !self.outbox.has_event(&topic) {
                active.retry_queue.taken(&topic);
            }
            return;
        };
        if is_careful {
            active.careful.refused(Arc::clone(&topic));
        }
        let notice = self.notices_given.refused(&topic, refusal);
        if refusal.is_for_now() {
            self.outbox.put_back(ticket);
            active.retry_queue.put(topic, now);
        } else {
            self.outbox.refused(ticket);
        }
        self.log_all(notice);
    }

    /// Asks for what is wanted now, and for nothing that was wanted before.
    fn listen(&mut self, subscriptions: Vec<Subscription>) {
        let before = std::mem::replace(&mut self.options.subscriptions, subscriptions);
        let wanted = &self.options.subscriptions;
        let ConnectionPhase::Active(active) = &mut self.phase else {
            return;
        };
        if !active.is_connected() || active.drain.is_some() {
            return;
        }
        for gone in before.iter().filter(|old| !wanted.contains(old)) {
            active.in_flight.unsubscribe(gone);
        }
        active.in_flight.subscribe(wanted);
    }

    fn log_not_sent(&mut self) {
        for not_sent in self.outbox.take_not_sent() {
            self.log(ClientNotice::NotSent(not_sent));
        }
    }

    fn log_all(&mut self, notices: impl IntoIterator<Item = ClientNotice>) {
        for notice in notices {
            self.log(notice);
        }
    }

    fn log(&mut self, notice: ClientNotice) {
        self.events.push_back(ClientEvent::Log(notice));
    }
}
