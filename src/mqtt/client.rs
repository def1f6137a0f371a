//! One connection to the broker, MQTT 5 and 3.1.1 alike. Nothing outside this folder knows the
//! client crate.
//!
//! Every attempt makes a new client: the crate's event loop carries packets, packet ids and
//! half-resolved collisions from one connection to the next, and each of these has lost or
//! repeated something. A task of its own does nothing but poll, because the broker drops who
//! pauses; and no more than [`WINDOW`] messages are under way, so that handing one over never
//! waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5;
use rumqttc::{NetworkOptions, Outgoing, QoS, TlsConfiguration, Transport};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::failure::Cause;
use super::{Incoming, Subscription};
use crate::config::{self, Protocol};
use crate::outbox::{Packet, Ticket};

/// Messages under way (sent or about to be, not acknowledged) at most.
const WINDOW: usize = 64;
/// Packet ids in use at most; more than the window, so that a broker that acknowledges out of
/// order does not meet an id twice.
const PACKET_IDS: u16 = 256;
/// Largest packet in either direction. A discovery message has up to 90 KB; the client crate's
/// default of 10 KB ends the connection instead.
pub(super) const PACKET_MAX: u32 = 1 << 20;

/// What a connection is made with.
pub(super) struct Opening<'a> {
    pub settings: &'a config::Mqtt,
    pub client_id: &'a str,
    pub tls: Option<Arc<ClientConfig>>,
    /// Topic and payload that the broker publishes, retained, when we vanish.
    pub will: Option<(&'a str, &'a str)>,
}

/// What the broker said of itself when it accepted us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerFacts {
    /// Largest packet it takes, in bytes.
    pub packet_max: usize,
    /// Whether it keeps retained messages. Without them nothing of this bridge works well.
    pub retains: bool,
    /// Whether it takes QoS 1.
    pub acknowledges: bool,
}

/// Something that the broker did.
#[derive(Debug)]
pub(super) enum Said {
    Connected(BrokerFacts),
    /// Answers to a subscription, in order; `Some` is a refusal.
    Subscribed(Vec<Option<String>>),
    Acknowledged {
        ticket: Ticket,
        /// The topic, and why the broker did not take the message.
        refusal: Option<(Arc<str>, String)>,
    },
    Message(Incoming),
}

/// The event loop has ended: the next [`Connection::said`] says why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// One connection, from the attempt to its end.
pub(super) struct Connection {
    client: Client,
    events: mpsc::Receiver<Result<Event, Cause>>,
    facts: BrokerFacts,
    handed_over: VecDeque<(Ticket, Arc<str>)>,
    in_flight: BTreeMap<u16, (Ticket, Arc<str>)>,
    _polling: AbortOnDropHandle<()>,
}

enum Client {
    V5(v5::AsyncClient),
    V4(rumqttc::AsyncClient),
}

/// An event of either version.
#[derive(Debug)]
enum Event {
    Connected(BrokerFacts),
    Subscribed(Vec<Option<String>>),
    /// A publish went out under this packet id; 0 for QoS 0.
    Sent(u16),
    Acknowledged(u16, Option<String>),
    Message(Incoming),
}

impl Connection {
    /// Starts an attempt; [`Connection::said`] tells how it goes. Needs a tokio runtime.
    pub fn open(opening: Opening<'_>) -> Self {
        let (tell, events) = mpsc::channel(256);
        let (client, polling) = match opening.settings.protocol {
            Protocol::V5 => {
                let (client, poll) = v5::AsyncClient::new(options_v5(opening), WINDOW + 8);
                (Client::V5(client), tokio::spawn(poll_v5(poll, tell)))
            }
            Protocol::V4 => {
                let (client, mut poll) = rumqttc::AsyncClient::new(options_v4(opening), WINDOW + 8);
                poll.set_network_options(network());
                (Client::V4(client), tokio::spawn(poll_v4(poll, tell)))
            }
        };
        Self {
            client,
            events,
            facts: BrokerFacts {
                packet_max: PACKET_MAX as usize,
                retains: true,
                acknowledges: true,
            },
            handed_over: VecDeque::new(),
            in_flight: BTreeMap::new(),
            _polling: AbortOnDropHandle::new(polling),
        }
    }

    /// The next thing that the broker does. May be dropped and called again.
    ///
    /// # Errors
    /// The connection is over, or was never made.
    pub async fn said(&mut self) -> Result<Said, Cause> {
        loop {
            let event = self.events.recv().await.unwrap_or(Err(Cause::Closed))?;
            match event {
                Event::Connected(facts) => {
                    self.facts = facts;
                    return Ok(Said::Connected(facts));
                }
                Event::Subscribed(answers) => return Ok(Said::Subscribed(answers)),
                Event::Message(message) => return Ok(Said::Message(message)),
                // The crate sends in the order in which it was asked to.
                Event::Sent(id) => {
                    let Some(sent) = self.handed_over.pop_front() else {
                        continue;
                    };
                    if id == 0 {
                        let (ticket, _) = sent;
                        return Ok(Said::Acknowledged {
                            ticket,
                            refusal: None,
                        });
                    }
                    self.in_flight.insert(id, sent);
                }
                Event::Acknowledged(id, refusal) => {
                    if let Some((ticket, topic)) = self.in_flight.remove(&id) {
                        let refusal = refusal.map(|why| (topic, why));
                        return Ok(Said::Acknowledged { ticket, refusal });
                    }
                }
            }
        }
    }

    /// Messages that are not acknowledged.
    pub fn n_under_way(&self) -> usize {
        self.handed_over.len() + self.in_flight.len()
    }

    /// Whether [`Connection::publish`] may be called.
    pub fn has_room(&self) -> bool {
        self.n_under_way() < WINDOW
    }

    /// The topic of a message that is not acknowledged.
    pub fn under_way(&self) -> Option<&Arc<str>> {
        let mut sent = self.in_flight.values().chain(&self.handed_over);
        sent.next().map(|(_, topic)| topic)
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
        let qos = if self.facts.acknowledges {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        };
        // A broker without retained messages ends the connection over the flag.
        let retain = retain && self.facts.retains;
        let (name, bytes) = (topic.to_string(), payload.as_bytes().to_vec());
        match &self.client {
            Client::V5(client) => client
                .try_publish(name, qos_v5(qos), retain, bytes)
                .map_err(|_| Gone),
            Client::V4(client) => client
                .try_publish(name, qos, retain, bytes)
                .map_err(|_| Gone),
        }?;
        self.handed_over.push_back((ticket, topic));
        Ok(())
    }

    /// Asks for messages.
    ///
    /// # Errors
    /// The connection is over, or a filter is malformed.
    pub fn subscribe(&self, subscriptions: &[Subscription]) -> Result<(), Gone> {
        if subscriptions.is_empty() {
            return Ok(());
        }
        match &self.client {
            Client::V5(client) => client
                .try_subscribe_many(subscriptions.iter().map(filter_v5))
                .map_err(|_| Gone),
            Client::V4(client) => client
                .try_subscribe_many(subscriptions.iter().map(|subscription| {
                    rumqttc::SubscribeFilter::new(subscription.filter.clone(), QoS::AtLeastOnce)
                }))
                .map_err(|_| Gone),
        }
    }

    /// Asks for no more of these messages.
    ///
    /// # Errors
    /// The connection is over.
    pub fn unsubscribe(&self, subscription: &Subscription) -> Result<(), Gone> {
        let filter = subscription.filter.as_str();
        match &self.client {
            Client::V5(client) => client.try_unsubscribe(filter).map_err(|_| Gone),
            Client::V4(client) => client.try_unsubscribe(filter).map_err(|_| Gone),
        }
    }

    /// Says goodbye, so that the will is not published. Closing at once would reset the
    /// connection and lose what the broker has not read: go on with [`Connection::said`] until
    /// the broker closes.
    pub fn disconnect(&self) {
        let _ = match &self.client {
            Client::V5(client) => client.try_disconnect().map_err(|_| Gone),
            Client::V4(client) => client.try_disconnect().map_err(|_| Gone),
        };
    }
}

fn network() -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network
}

/// A host name as sockets and certificates want it: an IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// The client crate panics below five seconds, and the protocol ends at 18 hours.
fn keep_alive(settings: &config::Mqtt) -> Duration {
    settings
        .keep_alive
        .clamp(Duration::from_secs(5), Duration::from_secs(65_535))
}

/// The client crate writes a malformed packet for an empty user name.
fn credentials(settings: &config::Mqtt) -> Option<(&str, &str)> {
    let user = settings.username.as_deref().filter(|u| !u.is_empty())?;
    let password = settings.password.as_ref();
    Some((user, password.map_or("", ExposeSecret::expose_secret)))
}

fn options_v5(opening: Opening<'_>) -> v5::MqttOptions {
    let Opening {
        settings,
        client_id,
        tls,
        will,
    } = opening;
    let mut options = v5::MqttOptions::new(client_id, bare(&settings.host), settings.port);
    options
        .set_clean_start(true)
        .set_keep_alive(keep_alive(settings))
        .set_max_packet_size(Some(PACKET_MAX))
        .set_outgoing_inflight_upper_limit(PACKET_IDS)
        .set_network_options(network());
    if let Some((user, password)) = credentials(settings) {
        options.set_credentials(user, password);
    }
    if let Some((topic, payload)) = will {
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        let will = v5::mqttbytes::v5::LastWill::new(topic, payload, qos, true, None);
        options.set_last_will(will);
    }
    if let Some(config) = tls {
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(config)));
    }
    options
}

fn options_v4(opening: Opening<'_>) -> rumqttc::MqttOptions {
    let Opening {
        settings,
        client_id,
        tls,
        will,
    } = opening;
    let mut options = rumqttc::MqttOptions::new(client_id, bare(&settings.host), settings.port);
    options
        .set_clean_session(true)
        .set_keep_alive(keep_alive(settings))
        .set_max_packet_size(PACKET_MAX as usize, PACKET_MAX as usize)
        .set_inflight(PACKET_IDS);
    if let Some((user, password)) = credentials(settings) {
        options.set_credentials(user, password);
    }
    if let Some((topic, payload)) = will {
        options.set_last_will(rumqttc::LastWill::new(
            topic,
            payload,
            QoS::AtLeastOnce,
            true,
        ));
    }
    if let Some(config) = tls {
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(config)));
    }
    options
}

fn qos_v5(qos: QoS) -> v5::mqttbytes::QoS {
    match qos {
        QoS::AtMostOnce => v5::mqttbytes::QoS::AtMostOnce,
        QoS::AtLeastOnce => v5::mqttbytes::QoS::AtLeastOnce,
        QoS::ExactlyOnce => v5::mqttbytes::QoS::ExactlyOnce,
    }
}

fn filter_v5(subscription: &Subscription) -> v5::mqttbytes::v5::Filter {
    use v5::mqttbytes::v5::{Filter, RetainForwardRule};
    let qos = v5::mqttbytes::QoS::AtLeastOnce;
    let mut filter = Filter::new(subscription.filter.clone(), qos);
    if subscription.commands {
        filter.nolocal = true;
        filter.retain_forward_rule = RetainForwardRule::Never;
    }
    filter
}

async fn poll_v5(mut poll: v5::EventLoop, tell: mpsc::Sender<Result<Event, Cause>>) {
    loop {
        let event = match poll.poll().await {
            Ok(v5::Event::Incoming(packet)) => Ok(incoming_v5(packet)),
            Ok(v5::Event::Outgoing(what)) => Ok(outgoing(&what)),
            Err(error) => Err(Cause::from(error)),
        };
        if !forward(&tell, event).await {
            return;
        }
    }
}

async fn poll_v4(mut poll: rumqttc::EventLoop, tell: mpsc::Sender<Result<Event, Cause>>) {
    loop {
        let event = match poll.poll().await {
            Ok(rumqttc::Event::Incoming(packet)) => Ok(incoming_v4(packet)),
            Ok(rumqttc::Event::Outgoing(what)) => Ok(outgoing(&what)),
            Err(error) => Err(Cause::from(error)),
        };
        if !forward(&tell, event).await {
            return;
        }
    }
}

/// Whether to poll on: not after an error, which would connect again.
async fn forward(
    tell: &mpsc::Sender<Result<Event, Cause>>,
    event: Result<Option<Event>, Cause>,
) -> bool {
    match event {
        Ok(None) => true,
        Ok(Some(event)) => tell.send(Ok(event)).await.is_ok(),
        Err(cause) => {
            let _ = tell.send(Err(cause)).await;
            false
        }
    }
}

fn outgoing(what: &Outgoing) -> Option<Event> {
    match what {
        Outgoing::Publish(id) => Some(Event::Sent(*id)),
        _ => None,
    }
}

fn incoming_v5(packet: v5::mqttbytes::v5::Packet) -> Option<Event> {
    use v5::mqttbytes::v5::{Packet as P, PubAckReason as R, SubscribeReasonCode};
    match packet {
        P::ConnAck(ack) => {
            let own = PACKET_MAX as usize;
            let said = ack.properties;
            let said = said.as_ref();
            Some(Event::Connected(BrokerFacts {
                packet_max: said
                    .and_then(|p| p.max_packet_size)
                    .and_then(|max| usize::try_from(max).ok())
                    .map_or(own, |max| max.min(own)),
                retains: said.and_then(|p| p.retain_available) != Some(0),
                acknowledges: said.and_then(|p| p.max_qos) != Some(0),
            }))
        }
        P::SubAck(ack) => {
            let answers = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(_) => None,
                refused => Some(format!("{refused:?}")),
            });
            Some(Event::Subscribed(answers.collect()))
        }
        P::PubAck(ack) => {
            let refusal = match ack.reason {
                R::Success | R::NoMatchingSubscribers => None,
                refused => Some(format!("{refused:?}")),
            };
            Some(Event::Acknowledged(ack.pkid, refusal))
        }
        P::Publish(message) => Some(Event::Message(Incoming {
            topic: String::from_utf8(message.topic.to_vec()).ok()?,
            payload: message.payload.to_vec(),
            retain: message.retain,
        })),
        _ => None,
    }
}

fn incoming_v4(packet: rumqttc::Packet) -> Option<Event> {
    use rumqttc::{Packet as P, SubscribeReasonCode};
    match packet {
        P::ConnAck(_) => Some(Event::Connected(BrokerFacts {
            packet_max: PACKET_MAX as usize,
            retains: true,
            acknowledges: true,
        })),
        P::SubAck(ack) => {
            let answers = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(_) => None,
                SubscribeReasonCode::Failure => Some("refused".to_owned()),
            });
            Some(Event::Subscribed(answers.collect()))
        }
        P::PubAck(ack) => Some(Event::Acknowledged(ack.pkid, None)),
        P::Publish(message) => Some(Event::Message(Incoming {
            topic: message.topic,
            payload: message.payload.to_vec(),
            retain: message.retain,
        })),
        _ => None,
    }
}
