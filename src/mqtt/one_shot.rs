//! One connection for one errand (`clear`): no will, no retries.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep_until, timeout_at};

use super::socket::{Socket, SocketTurn};
use super::{BrokerFacts, Incoming, Subscription, target};
use crate::clock;
use crate::config;
use crate::hint::Hint;
use crate::mqtt_client::{
    ANSWER_MAX, BrokerAnswer, BrokerFailure, BrokerFailureKind, BrokerTarget, Cause, FilterAnswer,
    PacketsInFlight, PublishRefusal, RetainedScan, SCAN_MAX, ScanEnd,
};
use crate::outbox::{Outbox, Publish};

/// Until the broker closes after our DISCONNECT.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// A connection that ends with its owner.
pub struct OneShotClient<'a> {
    settings: &'a config::MqttSettings,
    target: BrokerTarget,
    connection: PacketsInFlight,
    socket: Socket,
    outbox: Outbox,
    /// Came together with one that was handed out.
    answers: VecDeque<BrokerAnswer>,
    /// How it ended, after these.
    ended: Option<Cause>,
}

impl<'a> OneShotClient<'a> {
    /// Connects once. Use an id of its own: a bridge that runs would be thrown out.
    ///
    /// # Errors
    /// Why there is no connection, for the owner.
    pub async fn connect(
        settings: &'a config::MqttSettings,
        client_id: &str,
    ) -> Result<(Self, BrokerFacts), BrokerFailure> {
        let target = target(settings, client_id.to_owned());
        let connection = PacketsInFlight::connect(
            target.client_id.clone(),
            settings.keep_alive,
            None,
            clock::uptime(),
        );
        let until = clock::instant_of(connection.due_at());
        let socket = match timeout_at(until, Socket::dial(settings)).await {
            Ok(socket) => socket.map_err(|cause| target.explain(&cause, false))?,
            Err(_) => return Err(target.explain(&Cause::NoAnswer, false)),
        };
        let mut client = Self {
            settings,
            target,
            connection,
            socket,
            outbox: Outbox::new(&settings.base_topic),
            answers: VecDeque::new(),
            ended: None,
        };
        loop {
            match client.answer().await {
                Ok(BrokerAnswer::Connected(facts)) => {
                    client.outbox.connected(facts.packet_max);
                    return Ok((client, facts));
                }
                Ok(_) => {}
                Err(cause) => return Err(client.target.explain(&cause, false)),
            }
        }
    }

    /// Subscribes, and hands over every message until `quiet` has passed without a stored one
    /// after the broker's answer.
    ///
    /// # Errors
    /// The broker refused a filter, the connection ended, or messages came for half a minute.
    pub async fn listen(
        &mut self,
        subscriptions: &[Subscription],
        quiet: Duration,
        mut take: impl FnMut(Incoming),
    ) -> Result<(), BrokerFailure> {
        self.connection.subscribe(subscriptions);
        let mut scan = RetainedScan::begin(clock::uptime(), quiet);
        loop {
            if scan.is_endless(clock::uptime()) {
                return Err(self.endless());
            }
            // What has come is read first: the timeout looks at its clock only where nothing waits.
            match timeout_at(clock::instant_of(scan.until()), self.answer()).await {
                Ok(Ok(BrokerAnswer::Message(message))) => {
                    scan.message(clock::uptime(), message.retain);
                    take(message);
                }
                Ok(Ok(BrokerAnswer::Subscribed(answers))) => {
                    scan.answered(clock::uptime());
                    if let Some(failure) = answers.iter().find_map(|answer| self.refused(answer)) {
                        return Err(failure);
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(cause)) => return Err(self.target.explain(&cause, true)),
                Err(_) => match scan.end(clock::uptime()) {
                    None => {}
                    Some(ScanEnd::Complete) => return Ok(()),
                    Some(ScanEnd::Endless) => return Err(self.endless()),
                    Some(ScanEnd::Unanswered) => {
                        return Err(self.target.explain(&Cause::NoAcknowledgement, true));
                    }
                },
            }
        }
    }

    /// Deletes retained topics; done when the broker has acknowledged every one.
    ///
    /// # Errors
    /// The connection ended, nothing was acknowledged for ten seconds, or the broker refused.
    pub async fn delete(
        &mut self,
        topics: impl Iterator<Item = String>,
    ) -> Result<(), BrokerFailure> {
        for topic in topics {
            self.outbox.put(Publish::Delete { topic });
        }
        let mut refused: Option<(Arc<str>, PublishRefusal)> = None;
        loop {
            while self.connection.has_room() && self.socket.has_room() {
                let Some(message) = self.outbox.next_packet() else {
                    break;
                };
                let packet = self.connection.publish(message);
                let put = self.socket.put(self.settings, packet);
                put.map_err(|cause| self.target.explain(&cause, true))?;
            }
            if self.connection.n_messages() == 0 && !self.outbox.has_work() {
                return match refused {
                    None => Ok(()),
                    Some((topic, refusal)) => Err(self.not_deleted(&topic, refusal)),
                };
            }
            let until = clock::instant_of(clock::uptime() + ANSWER_MAX);
            match timeout_at(until, self.answer()).await {
                Err(_) => return Err(self.target.explain(&Cause::NoAcknowledgement, true)),
                Ok(Ok(BrokerAnswer::Acknowledged {
                    ticket,
                    topic,
                    refusal,
                })) => {
                    self.outbox.acknowledged(ticket);
                    refused = refused.or(refusal.map(|why| (topic, why)));
                }
                Ok(Ok(_)) => {}
                Ok(Err(cause)) => return Err(self.target.explain(&cause, true)),
            }
        }
    }

    /// Sends the DISCONNECT and waits for the broker to close, shortly.
    pub async fn close(mut self) {
        self.connection.disconnect();
        let until = clock::instant_of(clock::uptime() + CLOSE_MAX);
        while let Ok(Ok(_)) = timeout_at(until, self.answer()).await {}
    }

    /// The next thing that the broker does. May be dropped and called again.
    async fn answer(&mut self) -> Result<BrokerAnswer, Cause> {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Ok(answer);
            }
            if let Some(cause) = self.ended.take() {
                return Err(cause);
            }
            self.connection.at(clock::uptime())?;
            while self.socket.has_room()
                && let Some(packet) = self.connection.next_packet()
            {
                self.socket.put(self.settings, packet)?;
            }
            let due = clock::instant_of(self.connection.due_at());
            let turn = tokio::select! {
                turn = self.socket.turn() => turn,
                () = sleep_until(due) => continue,
            };
            match turn {
                Ok(SocketTurn::Arrived) => self.ended = self.receive_all().err(),
                Ok(SocketTurn::Written) => self.answers.extend(self.connection.written()),
                Ok(SocketTurn::Nothing) => {}
                Err(cause) => self.ended = Some(cause),
            }
        }
    }

    fn receive_all(&mut self) -> Result<(), Cause> {
        let now = clock::uptime();
        while let Some(packet) = self.socket.next_packet()? {
            self.answers.extend(self.connection.receive(packet, now)?);
        }
        Ok(())
    }

    fn refused(&self, FilterAnswer { filter, refusal }: &FilterAnswer) -> Option<BrokerFailure> {
        let why = refusal.as_ref()?;
        Some(BrokerFailure {
            kind: BrokerFailureKind::Refused,
            what: format!("{} refuses to let us read {filter} ({why})", self.target),
            hint: Some(Hint("check its access list")),
        })
    }

    fn not_deleted(&self, topic: &str, refusal: PublishRefusal) -> BrokerFailure {
        let why = refusal.why();
        BrokerFailure {
            kind: BrokerFailureKind::Refused,
            what: format!("{} refuses to delete {topic} ({why})", self.target),
            hint: Some(refusal.hint()),
        }
    }

    fn endless(&self) -> BrokerFailure {
        BrokerFailure {
            kind: BrokerFailureKind::Slow,
            what: format!(
                "{} still sends after {} s, so that nobody can tell what is stored there",
                self.target,
                SCAN_MAX.as_secs()
            ),
            hint: Some(Hint(
                "stop what publishes so much, or try again nearer to the broker",
            )),
        }
    }
}
