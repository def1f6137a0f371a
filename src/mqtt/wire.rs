//! What we say to a broker and hear from it, in the bytes of MQTT 5 and 3.1.1. Pure: the line
//! reads and writes them. The packets are the client crate's; nothing above this file knows which
//! version is spoken.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rumqttc::{QoS, mqttbytes as v4, v5::mqttbytes as v5};
use secrecy::ExposeSecret;

use super::failure::{Cause, Refusal};
use super::{Incoming, Subscription};
use crate::config::{self, Protocol};

/// Largest packet in either direction. A discovery message has up to 90 KB; the client crate's
/// default of 10 KB ends the connection instead.
pub(super) const PACKET_MAX: u32 = 1 << 20;
/// First bytes of packets.
const CONNACK: u8 = 0x20;
const DISCONNECT: u8 = 0xE0;

/// What the broker said of itself when it accepted us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerFacts {
    /// Largest packet it takes, in bytes.
    pub packet_max: usize,
    /// Whether it keeps retained messages. Without them nothing of this bridge works well.
    pub retains: bool,
    /// Whether it takes QoS 1.
    pub acknowledges: bool,
    /// Messages that it lets be under way, not acknowledged.
    pub receive_max: u16,
    /// The keep-alive that it wants instead of ours, in seconds.
    pub keep_alive_s: Option<u16>,
}

impl Default for BrokerFacts {
    /// A broker that says nothing of itself.
    fn default() -> Self {
        Self {
            packet_max: PACKET_MAX as usize,
            retains: true,
            acknowledges: true,
            receive_max: u16::MAX,
            keep_alive_s: None,
        }
    }
}

/// Why the broker did not take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotTaken {
    pub why: &'static str,
    /// What the owner can do.
    pub hint: &'static str,
    /// It may take the same message later.
    pub is_for_now: bool,
}

/// A packet for the broker.
#[derive(Debug)]
pub(super) enum Saying {
    Publish {
        topic: Arc<str>,
        payload: Arc<str>,
        retain: bool,
        /// `Some` asks for an acknowledgement.
        id: Option<u16>,
    },
    Subscribe {
        id: u16,
        subscriptions: Vec<Subscription>,
    },
    Unsubscribe {
        id: u16,
        filter: String,
    },
    /// The acknowledgement of a message that came.
    Acknowledge(u16),
    Ping,
    Goodbye,
}

/// A packet from the broker, or word of the line itself.
#[derive(Debug)]
pub(super) enum Heard {
    Connected(BrokerFacts),
    /// With what the broker says of it.
    Refused(Refusal, Option<String>),
    /// Answers to the subscription of this id, in order; `Some` is a refusal.
    Subscribed(u16, Vec<Option<String>>),
    /// Our message has arrived; `Some`: but the broker did not take it.
    Acknowledged(u16, Option<NotTaken>),
    /// So many more of our messages without an id are written: all that is ever heard of them.
    Written(usize),
    Message {
        message: Incoming,
        /// To be acknowledged.
        id: Option<u16>,
    },
    Pong,
    /// Nothing that we wait for.
    Other,
}

/// For the log: what kind, which topic; never what it says.
impl fmt::Display for Saying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish {
                topic, payload, id, ..
            } => write!(f, "PUBLISH {topic}, {} bytes, id {id:?}", payload.len()),
            Self::Subscribe { subscriptions, .. } => {
                let filters: Vec<&str> = subscriptions.iter().map(|s| s.filter.as_str()).collect();
                write!(f, "SUBSCRIBE {}", filters.join(" "))
            }
            Self::Unsubscribe { filter, .. } => write!(f, "UNSUBSCRIBE {filter}"),
            Self::Acknowledge(id) => write!(f, "PUBACK {id}"),
            Self::Ping => f.write_str("PINGREQ"),
            Self::Goodbye => f.write_str("DISCONNECT"),
        }
    }
}

/// For the log: what kind, which topic; never what it says.
impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(facts) => write!(f, "CONNACK {facts:?}"),
            Self::Refused(refusal, _) => write!(f, "CONNACK {refusal:?}"),
            Self::Subscribed(id, answers) => write!(f, "SUBACK {id} {answers:?}"),
            Self::Acknowledged(id, refusal) => write!(f, "PUBACK {id} {refusal:?}"),
            Self::Written(n) => write!(f, "{n} written"),
            Self::Message { message, .. } => {
                let Incoming { topic, payload, .. } = message;
                write!(
                    f,
                    "PUBLISH {}, {} bytes",
                    topic.escape_debug(),
                    payload.len()
                )
            }
            Self::Pong => f.write_str("PINGRESP"),
            Self::Other => f.write_str("something else"),
        }
    }
}

/// The first packet.
pub(super) struct Hello<'a> {
    pub settings: &'a config::Mqtt,
    pub client_id: &'a str,
    pub keep_alive_s: u16,
    pub will: Option<&'a Will>,
}

/// What the broker publishes, retained, when we vanish.
#[derive(Debug, Clone)]
pub(super) struct Will {
    pub topic: String,
    pub payload: &'static str,
    /// With QoS 1. A broker that takes only QoS 0 refuses the whole connection over it.
    pub is_acknowledged: bool,
    /// Retained. A broker without retained messages refuses the whole connection over it.
    pub is_retained: bool,
}

/// User and password; the client crate writes a malformed packet for an empty user name.
fn credentials(settings: &config::Mqtt) -> Option<(&str, &str)> {
    let user = settings.username.as_deref().filter(|u| !u.is_empty())?;
    let password = settings.password.as_ref();
    Some((user, password.map_or("", ExposeSecret::expose_secret)))
}

/// Writes the first packet.
pub(super) fn write_hello(hello: &Hello<'_>, out: &mut BytesMut) -> Result<(), Cause> {
    let login = credentials(hello.settings);
    let client_id = hello.client_id.to_owned();
    match hello.settings.protocol {
        Protocol::V5 => {
            use v5::v5::{Connect, ConnectProperties, LastWill, Login, Packet};
            let mut properties = ConnectProperties::new();
            properties.max_packet_size = Some(PACKET_MAX);
            let connect = Connect {
                keep_alive: hello.keep_alive_s,
                client_id,
                clean_start: true,
                properties: Some(properties),
            };
            let will = hello.will.map(|will| {
                let qos = if will.is_acknowledged {
                    v5::QoS::AtLeastOnce
                } else {
                    v5::QoS::AtMostOnce
                };
                LastWill::new(&will.topic, will.payload, qos, will.is_retained, None)
            });
            let login = login.map(|(user, password)| Login::new(user, password));
            let packet = Packet::Connect(connect, will, login);
            packet.write(out, None).map_err(unwritable)?;
        }
        Protocol::V4 => {
            use v4::v4::{Connect, LastWill, Packet};
            let mut connect = Connect::new(client_id);
            connect.keep_alive = hello.keep_alive_s;
            connect.clean_session = true;
            connect.last_will = hello.will.map(|will| {
                let qos = if will.is_acknowledged {
                    QoS::AtLeastOnce
                } else {
                    QoS::AtMostOnce
                };
                LastWill::new(&will.topic, will.payload, qos, will.is_retained)
            });
            if let Some((user, password)) = login {
                connect.set_login(user, password);
            }
            let packet = Packet::Connect(connect);
            packet.write(out, PACKET_MAX as usize).map_err(unwritable)?;
        }
    }
    Ok(())
}

/// Writes a packet behind what `out` holds.
pub(super) fn write(protocol: Protocol, saying: Saying, out: &mut BytesMut) -> Result<(), Cause> {
    match protocol {
        Protocol::V5 => packet_v5(saying).write(out, None).map_err(unwritable)?,
        Protocol::V4 => packet_v4(saying)
            .write(out, PACKET_MAX as usize)
            .map_err(unwritable)?,
    };
    Ok(())
}

/// Without another copy: a discovery message is long, and so are an answer's topics together.
fn bytes(text: Arc<str>) -> Bytes {
    struct Text(Arc<str>);
    impl AsRef<[u8]> for Text {
        fn as_ref(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }
    Bytes::from_owner(Text(text))
}

fn packet_v5(saying: Saying) -> v5::v5::Packet {
    use v5::QoS;
    use v5::v5::{
        Disconnect, DisconnectReasonCode, Packet, PingReq, PubAck, Publish, Subscribe, Unsubscribe,
    };
    match saying {
        Saying::Publish {
            topic,
            payload,
            retain,
            id,
        } => {
            let qos = id.map_or(QoS::AtMostOnce, |_| QoS::AtLeastOnce);
            Packet::Publish(Publish {
                qos,
                retain,
                topic: bytes(topic),
                pkid: id.unwrap_or_default(),
                payload: bytes(payload),
                ..Publish::default()
            })
        }
        Saying::Subscribe { id, subscriptions } => {
            let filters = subscriptions.iter().map(filter_v5);
            let mut subscribe = Subscribe::new_many(filters, None);
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        Saying::Unsubscribe { id, filter } => {
            let mut unsubscribe = Unsubscribe::new(filter, None);
            unsubscribe.pkid = id;
            Packet::Unsubscribe(unsubscribe)
        }
        Saying::Acknowledge(id) => Packet::PubAck(PubAck::new(id, None)),
        Saying::Ping => Packet::PingReq(PingReq),
        Saying::Goodbye => {
            Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))
        }
    }
}

fn packet_v4(saying: Saying) -> v4::v4::Packet {
    use v4::v4::{Packet, PubAck, Publish, Subscribe, SubscribeFilter, Unsubscribe};
    match saying {
        Saying::Publish {
            topic,
            payload,
            retain,
            id,
        } => {
            let qos = id.map_or(QoS::AtMostOnce, |_| QoS::AtLeastOnce);
            let mut publish = Publish::from_bytes(&*topic, qos, bytes(payload));
            publish.retain = retain;
            publish.pkid = id.unwrap_or_default();
            Packet::Publish(publish)
        }
        Saying::Subscribe { id, subscriptions } => {
            let filters = subscriptions
                .into_iter()
                .map(|subscription| SubscribeFilter::new(subscription.filter, QoS::AtLeastOnce));
            let mut subscribe = Subscribe::new_many(filters);
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        Saying::Unsubscribe { id, filter } => {
            let mut unsubscribe = Unsubscribe::new(filter);
            unsubscribe.pkid = id;
            Packet::Unsubscribe(unsubscribe)
        }
        Saying::Acknowledge(id) => Packet::PubAck(PubAck::new(id)),
        Saying::Ping => Packet::PingReq,
        Saying::Goodbye => Packet::Disconnect,
    }
}

fn filter_v5(subscription: &Subscription) -> v5::v5::Filter {
    use v5::v5::{Filter, RetainForwardRule};
    let mut filter = Filter::new(subscription.filter.clone(), v5::QoS::AtLeastOnce);
    if subscription.commands {
        filter.nolocal = true;
        filter.retain_forward_rule = RetainForwardRule::Never;
    }
    filter
}

/// Takes the next whole packet out of what has arrived; `None`: there is none yet.
///
/// # Errors
/// The broker says goodbye, or it is not a broker.
pub(super) fn read(protocol: Protocol, arrived: &mut BytesMut) -> Result<Option<Heard>, Cause> {
    match protocol {
        Protocol::V5 => {
            if let Some(reason) = short_refusal(arrived).or_else(|| short_goodbye(arrived)) {
                return Err(reason);
            }
            match v5::v5::Packet::read(arrived, Some(PACKET_MAX)) {
                Ok(packet) => heard_v5(packet).map(Some),
                Err(v5::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(Cause::NotMqtt(error.to_string())),
            }
        }
        Protocol::V4 => match v4::v4::Packet::read(arrived, PACKET_MAX as usize) {
            Ok(packet) => heard_v4(packet).map(Some),
            Err(v4::Error::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(Cause::NotMqtt(error.to_string())),
        },
    }
}

/// A CONNACK of MQTT 3.1.1 that says no, to a client that spoke MQTT 5. The client crate waits for
/// properties, which never come.
fn short_refusal(arrived: &[u8]) -> Option<Cause> {
    let refusal = match arrived {
        [CONNACK, 2, _, 1, ..] => Refusal::Version,
        [CONNACK, 2, _, 2, ..] => Refusal::ClientId,
        [CONNACK, 2, _, 3, ..] => Refusal::Unavailable,
        [CONNACK, 2, _, 4, ..] => Refusal::Password,
        [CONNACK, 2, _, 5, ..] => Refusal::NotAuthorized,
        _ => return None,
    };
    Some(Cause::Refused(refusal, None))
}

/// A DISCONNECT without properties, which brokers send and the client crate does not read.
fn short_goodbye(arrived: &[u8]) -> Option<Cause> {
    match arrived {
        [DISCONNECT, 0, ..] => Some(Cause::Closed),
        [DISCONNECT, 1, reason, ..] => Some(
            v5::v5::DisconnectReasonCode::try_from(*reason)
                .map_or(Cause::Closed, |reason| Cause::Disconnected(reason, None)),
        ),
        _ => None,
    }
}

fn heard_v5(packet: v5::v5::Packet) -> Result<Heard, Cause> {
    use v5::v5::{ConnectReturnCode, Packet as P, SubscribeReasonCode};
    Ok(match packet {
        P::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            let said = ack.properties.as_ref();
            let own = BrokerFacts::default();
            Heard::Connected(BrokerFacts {
                packet_max: said
                    .and_then(|p| p.max_packet_size)
                    .and_then(|max| usize::try_from(max).ok())
                    .map_or(own.packet_max, |max| max.min(own.packet_max)),
                retains: said.and_then(|p| p.retain_available) != Some(0),
                acknowledges: said.and_then(|p| p.max_qos) != Some(0),
                receive_max: said
                    .and_then(|p| p.receive_max)
                    .map_or(own.receive_max, |max| max.max(1)),
                keep_alive_s: said.and_then(|p| p.server_keep_alive),
            })
        }
        P::ConnAck(ack) => {
            let text = ack.properties.and_then(|p| p.reason_string);
            Heard::Refused(ack.code.into(), text)
        }
        P::SubAck(ack) => {
            let answers = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(_) => None,
                refused => Some(format!("{refused:?}")),
            });
            Heard::Subscribed(ack.pkid, answers.collect())
        }
        P::PubAck(ack) => Heard::Acknowledged(ack.pkid, not_taken(ack.reason)),
        P::Publish(message) => match String::from_utf8(message.topic.to_vec()) {
            Ok(topic) => Heard::Message {
                message: Incoming {
                    topic,
                    payload: message.payload.to_vec(),
                    retain: message.retain,
                },
                id: (message.qos != v5::QoS::AtMostOnce).then_some(message.pkid),
            },
            Err(_) => return Err(Cause::NotMqtt("a topic that is no text".to_owned())),
        },
        P::PingResp(_) => Heard::Pong,
        P::Disconnect(goodbye) => {
            let text = goodbye.properties.and_then(|p| p.reason_string);
            return Err(Cause::Disconnected(goodbye.reason_code, text));
        }
        _ => Heard::Other,
    })
}

fn not_taken(reason: v5::v5::PubAckReason) -> Option<NotTaken> {
    use v5::v5::PubAckReason as R;
    let for_now = |why, hint| NotTaken {
        why,
        hint,
        is_for_now: true,
    };
    let never = |why, hint| NotTaken {
        why,
        hint,
        is_for_now: false,
    };
    let log = "see the broker's log";
    Some(match reason {
        R::Success | R::NoMatchingSubscribers => return None,
        R::NotAuthorized => never("not authorized", "check its access list"),
        R::TopicNameInvalid => never("topic name invalid", log),
        R::PayloadFormatInvalid => never("payload format invalid", log),
        R::QuotaExceeded => for_now(
            "quota exceeded",
            "one of its limits is reached, perhaps that of retained messages; it is said again later",
        ),
        R::PacketIdentifierInUse => for_now("packet identifier in use", log),
        R::ImplementationSpecificError => for_now(
            "implementation specific error",
            "see the broker's log; it is said again later",
        ),
        R::UnspecifiedError => for_now(
            "it does not say why",
            "see the broker's log; it is said again later",
        ),
    })
}

fn heard_v4(packet: v4::v4::Packet) -> Result<Heard, Cause> {
    use v4::v4::{ConnectReturnCode, Packet as P, SubscribeReasonCode};
    Ok(match packet {
        P::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            Heard::Connected(BrokerFacts::default())
        }
        P::ConnAck(ack) => Heard::Refused(ack.code.into(), None),
        P::SubAck(ack) => {
            let answers = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(_) => None,
                SubscribeReasonCode::Failure => Some("refused".to_owned()),
            });
            Heard::Subscribed(ack.pkid, answers.collect())
        }
        P::PubAck(ack) => Heard::Acknowledged(ack.pkid, None),
        P::Publish(message) => Heard::Message {
            id: (message.qos != QoS::AtMostOnce).then_some(message.pkid),
            message: Incoming {
                topic: message.topic,
                payload: message.payload.to_vec(),
                retain: message.retain,
            },
        },
        P::PingResp => Heard::Pong,
        P::Disconnect => return Err(Cause::Closed),
        _ => Heard::Other,
    })
}

/// The outbox keeps what cannot be written away; a filter or client id that is too long is left.
fn unwritable(error: impl std::fmt::Display) -> Cause {
    Cause::Unwritable(error.to_string())
}

#[cfg(test)]
mod tests;
