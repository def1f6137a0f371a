//! A broker in virtual time, and the client that it serves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::mqtt_client::{
    BrokerFacts, BrokerTarget, Cause, Client, ClientEvent, ClientInput, ClientNotice,
    ClientOptions, ClientPacket, Connection, DrainOutcome, Incoming, Protocol, PublishRefusal,
    ServerPacket, Subscription, TransportFault, Will,
};
use crate::outbox::Publish;

pub(super) const STATE: &str = "tesla2mqtt/bridge/state";
/// From a packet to its answer.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(1);
/// No condition of these tests takes longer, unless something is broken.
const PATIENCE: Duration = Duration::from_hours(2);

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How the broker treats its client; each is asked with the number of the connection, from 1.
pub(super) trait BrokerHabits {
    fn connack(&self, _connection: usize, _will: Option<&Will>) -> ServerPacket {
        ServerPacket::ConnAck(BrokerFacts::default())
    }

    /// How long after the CONNACK it hangs up.
    fn hangs_up_after(&self, _connection: usize) -> Option<Duration> {
        None
    }

    /// Whether it hangs up over this topic, as some do.
    fn hangs_up_over(&self, _topic: &str) -> bool {
        false
    }

    fn puback(&self, _connection: usize, _topic: &str, _payload: &str) -> Option<PublishRefusal> {
        None
    }

    fn suback(&self, _connection: usize) -> Option<String> {
        None
    }
}

/// Takes everything.
pub(super) struct Plain;
impl BrokerHabits for Plain {}

/// What the network between the two does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// Carries everything.
    Open,
    /// Nothing listens at the other end.
    Refuses,
    /// Opens sockets and carries nothing, in neither direction.
    Swallows,
    /// Carries what the client says, and keeps the answers back, but for pings.
    AnswersPings,
}

/// A client, its broker, and the clock of both.
pub(super) struct ClientWorld<H> {
    pub client: Client,
    habits: H,
    pub now: Duration,
    pub network: Network,
    /// The number of the last connection.
    pub connection: usize,
    is_open: bool,
    /// What is on its way to the client; `None`: the broker has hung up.
    on_its_way: VecDeque<(Duration, Option<ServerPacket>)>,
    hangs_up_at: Option<Duration>,
    /// What the broker has heard, and in which connection.
    pub heard: Vec<(usize, ClientPacket)>,
    /// When each connection was tried.
    pub tried_at: Vec<Duration>,
    /// What the broker has stored.
    pub stored: BTreeMap<String, String>,
    pub notices: Vec<ClientNotice>,
    pub status: Connection,
    pub messages: Vec<Incoming>,
    pub outcome: Option<DrainOutcome>,
}

impl<H: BrokerHabits> ClientWorld<H> {
    pub(super) fn new(habits: H) -> Self {
        Self::listening(habits, vec![])
    }

    pub(super) fn listening(habits: H, subscriptions: Vec<Subscription>) -> Self {
        let client = Client::new(ClientOptions {
            target: BrokerTarget {
                host: "broker.home".into(),
                port: 1883,
                protocol: Protocol::V5,
                username: Some("car".into()),
                client_id: "tesla2mqtt1".into(),
                tls: None,
            },
            base_topic: "tesla2mqtt".into(),
            state_topic: STATE.into(),
            keep_alive: Duration::from_secs(15),
            subscriptions,
            seed: 7,
        });
        Self {
            client,
            habits,
            now: Duration::ZERO,
            network: Network::Open,
            connection: 0,
            is_open: false,
            on_its_way: VecDeque::new(),
            hangs_up_at: None,
            heard: Vec::new(),
            tried_at: Vec::new(),
            stored: BTreeMap::new(),
            notices: Vec::new(),
            status: Connection::Down("not connected yet".to_owned()),
            messages: Vec::new(),
            outcome: None,
        }
    }

    pub(super) fn publish(&mut self, message: Publish) {
        let input = ClientInput::Publish(vec![message]);
        self.client.handle(input, self.now);
    }

    pub(super) fn state(&mut self, topic: &str, payload: &str) {
        self.publish(Publish::State {
            topic: topic.to_owned(),
            payload: payload.into(),
        });
    }

    pub(super) fn delete(&mut self, topic: &str) {
        self.publish(Publish::Delete {
            topic: topic.to_owned(),
        });
    }

    /// The connection breaks; the broker forgets what it has stored, if `forgets`.
    pub(super) fn cut(&mut self, network: Network, forgets: bool) {
        self.network = network;
        if forgets {
            self.stored.clear();
        }
        if std::mem::take(&mut self.is_open) {
            self.hang_up();
            self.client
                .handle(ClientInput::Lost(Cause::Closed), self.now);
        }
    }

    fn hang_up(&mut self) {
        self.on_its_way.clear();
        self.hangs_up_at = None;
    }

    /// Lets time pass.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
        self.client.handle(ClientInput::Timer, self.now);
        self.exchange();
    }

    /// Lets time pass until it is so; the time that it took.
    pub(super) fn until(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Duration {
        let begun = self.now;
        self.exchange();
        while !condition(self) {
            let has_stepped = self.step(begun + PATIENCE);
            assert!(
                has_stepped,
                "not so: {what}; {:?}, {:#?}, last heard {:#?}",
                self.status,
                self.notices,
                self.heard.iter().rev().take(5).collect::<Vec<_>>()
            );
        }
        self.now.saturating_sub(begun)
    }

    /// Waits until the broker has heard this value so often.
    pub(super) fn until_said(&mut self, topic: &str, payload: &str, n_times: usize) -> Duration {
        self.until(&format!("{topic} = {payload}"), |world| {
            world.n_said(topic, payload) >= n_times
        })
    }

    pub(super) fn n_said(&self, topic: &str, payload: &str) -> usize {
        let said = self.heard.iter().filter(|(_, packet)| {
            matches!(packet, ClientPacket::Publish { topic: t, payload: p, .. }
                if **t == *topic && **p == *payload)
        });
        said.count()
    }

    /// Waits until everything is acknowledged.
    pub(super) fn until_delivered(&mut self) -> Duration {
        self.until("all is delivered", |world| {
            world.client.is_all_answered(world.now) && world.client.unconfirmed_deletes().is_empty()
        })
    }

    /// Drains and ends.
    pub(super) fn shut_down(&mut self) -> DrainOutcome {
        self.client.handle(ClientInput::Shutdown, self.now);
        self.until("the end", |world| world.outcome.is_some());
        self.outcome.expect("waited for")
    }

    /// To the next thing that happens before `end`; false: nothing does.
    fn step(&mut self, end: Duration) -> bool {
        self.exchange();
        let arrives_at = self.on_its_way.front().map(|(at, _)| *at);
        let times = [self.client.due_at(self.now), arrives_at, self.hangs_up_at];
        let Some(next) = times.into_iter().flatten().min().filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        if self.hangs_up_at.is_some_and(|at| at <= self.now) {
            self.hang_up();
            self.on_its_way.push_back((self.now, None));
        }
        while let Some((at, _)) = self.on_its_way.front()
            && *at <= self.now
            && let Some((_, packet)) = self.on_its_way.pop_front()
        {
            let input = if let Some(packet) = packet {
                ClientInput::Received(packet)
            } else {
                self.is_open = false;
                self.hang_up();
                ClientInput::Lost(Cause::Closed)
            };
            self.client.handle(input, self.now);
        }
        self.client.handle(ClientInput::Timer, self.now);
        self.exchange();
        true
    }

    /// Does what the client says, and carries its packets.
    fn exchange(&mut self) {
        loop {
            while let Some(event) = self.client.next_event() {
                self.event(event);
            }
            if !self.is_open {
                return;
            }
            let Some(packet) = self.client.next_packet(self.now) else {
                break;
            };
            self.carry(packet);
        }
        self.client.handle(ClientInput::Written, self.now);
        while let Some(event) = self.client.next_event() {
            self.event(event);
        }
    }

    fn event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Open => {
                self.tried_at.push(self.now);
                let input = if self.network == Network::Refuses {
                    ClientInput::Lost(Cause::Transport(TransportFault::NothingListens))
                } else {
                    self.connection += 1;
                    self.is_open = true;
                    ClientInput::Opened
                };
                self.client.handle(input, self.now);
            }
            ClientEvent::Close => {
                self.is_open = false;
                self.hang_up();
            }
            ClientEvent::Status(status) => self.status = status,
            ClientEvent::Message(message) => self.messages.push(message),
            ClientEvent::Log(notice) => self.notices.push(notice),
            ClientEvent::Ended(outcome) => self.outcome = Some(outcome),
        }
    }

    fn carry(&mut self, packet: ClientPacket) {
        if self.network == Network::Swallows {
            return;
        }
        let n = self.connection;
        let answer = match &packet {
            ClientPacket::Connect { will, .. } => {
                let after = self.habits.hangs_up_after(n);
                self.hangs_up_at = after.map(|after| self.now + ROUND_TRIP + after);
                Some(self.habits.connack(n, will.as_ref()))
            }
            ClientPacket::Publish {
                topic,
                payload,
                retain,
                id,
            } => {
                if self.habits.hangs_up_over(topic) {
                    self.hang_up();
                    self.on_its_way.push_back((self.now + ROUND_TRIP, None));
                    return;
                }
                let refusal = self.habits.puback(n, topic, payload);
                if refusal.is_none() && *retain {
                    if payload.is_empty() {
                        self.stored.remove(&**topic);
                    } else {
                        self.stored.insert(topic.to_string(), payload.to_string());
                    }
                }
                id.map(|id| ServerPacket::PubAck(id, refusal))
            }
            ClientPacket::Subscribe { id, subscriptions } => {
                let answer = self.habits.suback(n);
                let answers = vec![answer; subscriptions.len()];
                Some(ServerPacket::SubAck(*id, answers))
            }
            ClientPacket::PingReq => Some(ServerPacket::PingResp),
            ClientPacket::Disconnect => {
                self.on_its_way.push_back((self.now + ROUND_TRIP, None));
                None
            }
            ClientPacket::Unsubscribe { .. } | ClientPacket::PubAck(_) => None,
        };
        self.heard.push((n, packet));
        let is_kept_back = self.network == Network::AnswersPings;
        if let Some(answer) = answer.filter(|a| !is_kept_back || *a == ServerPacket::PingResp) {
            self.on_its_way
                .push_back((self.now + ROUND_TRIP, Some(answer)));
        }
    }
}
