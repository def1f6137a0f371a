//! The packets of MQTT that the client deals in, the same for both versions. Their bytes are the
//! codec's at the edge.

use std::fmt;
use std::sync::Arc;

use super::failure::{ConnectRefusal, DisconnectReason};
use crate::hint::Hint;

/// Largest packet in either direction. A discovery message has up to 90 KB; the codec's default of
/// 10 KB ends the connection instead.
pub const PACKET_MAX: u32 = 1 << 20;

/// MQTT version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT 5.
    V5,
    /// MQTT 3.1.1.
    V4,
}

/// What the broker's CONNACK says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerFacts {
    /// Largest packet it takes, in bytes.
    pub packet_max: usize,
    /// Whether it keeps retained messages. Without them nothing of this bridge works well.
    pub retains: bool,
    /// Whether it takes QoS 1.
    pub acknowledges: bool,
    /// Messages that it lets be in flight, not acknowledged.
    pub receive_max: u16,
    /// The keep-alive that it wants instead of ours, in seconds.
    pub keep_alive_s: Option<u16>,
}

impl Default for BrokerFacts {
    /// A broker whose CONNACK has no properties.
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

/// What the broker publishes for us when we vanish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Full topic.
    pub topic: String,
    /// Payload.
    pub payload: &'static str,
    /// With QoS 1. A broker that takes only QoS 0 refuses the whole connection over it.
    pub is_acknowledged: bool,
    /// Retained. A broker without retained messages refuses the whole connection over it.
    pub is_retained: bool,
}

/// A topic filter that the bridge listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Topic filter, wildcards allowed.
    pub filter: String,
    /// Whether neither stored messages nor our own are wanted.
    pub commands: bool,
}

impl Subscription {
    /// For commands: with MQTT 5 the broker is asked to send neither stored messages nor our own.
    /// With 3.1.1 it does, so look at [`Incoming::retain`].
    pub fn commands(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            commands: true,
        }
    }

    /// For everything else (Home Assistant's birth message): stored messages too.
    pub fn plain(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            commands: false,
        }
    }
}

/// A message from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Full topic.
    pub topic: String,
    /// Payload bytes as they came; may be anything.
    pub payload: Vec<u8>,
    /// The retain flag: such a message is a stored one, and never a command.
    pub retain: bool,
}

/// Why the broker did not take a message: the reason codes of MQTT 5's PUBACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublishRefusal {
    /// 0x80.
    Unspecified,
    /// 0x83.
    ImplementationSpecific,
    /// 0x87.
    NotAuthorized,
    /// 0x90.
    TopicNameInvalid,
    /// 0x91.
    PacketIdInUse,
    /// 0x97.
    QuotaExceeded,
    /// 0x99.
    PayloadFormatInvalid,
}

/// A row of the table of refusals.
struct RefusalMeaning {
    why: &'static str,
    hint: Hint,
    is_for_now: bool,
}

impl PublishRefusal {
    fn meaning(self) -> RefusalMeaning {
        let row = |why, is_for_now, hint| RefusalMeaning {
            why,
            hint: Hint(hint),
            is_for_now,
        };
        let log = "see the broker's log";
        let log_later = "see the broker's log; it is said again later";
        match self {
            Self::Unspecified => row("it does not say why", true, log_later),
            Self::ImplementationSpecific => row("implementation specific error", true, log_later),
            Self::NotAuthorized => row("not authorized", false, "check its access list"),
            Self::TopicNameInvalid => row("topic name invalid", false, log),
            Self::PacketIdInUse => row("packet identifier in use", true, log),
            Self::QuotaExceeded => row(
                "quota exceeded",
                true,
                "one of its limits is reached, perhaps that of retained messages; it is said \
                 again later",
            ),
            Self::PayloadFormatInvalid => row("payload format invalid", false, log),
        }
    }

    /// The reason in words.
    pub fn why(self) -> &'static str {
        self.meaning().why
    }

    /// What the owner can do.
    pub fn hint(self) -> Hint {
        self.meaning().hint
    }

    /// Whether the broker may take the same message later.
    pub fn is_for_now(self) -> bool {
        self.meaning().is_for_now
    }
}

/// A packet for the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientPacket {
    /// The first packet; the codec adds user and password.
    Connect {
        /// The name that the broker knows us by.
        client_id: String,
        /// The keep-alive, in seconds: after one and a half of it without a packet the broker ends
        /// the connection.
        keep_alive_s: u16,
        /// What the broker publishes then.
        will: Option<Will>,
    },
    /// A message.
    Publish {
        /// Full topic.
        topic: Arc<str>,
        /// Payload; empty deletes a retained topic.
        payload: Arc<str>,
        /// The retain flag.
        retain: bool,
        /// `Some` asks for an acknowledgement.
        id: Option<u16>,
    },
    /// Asks for messages.
    Subscribe {
        /// Packet id.
        id: u16,
        /// What is asked for.
        subscriptions: Vec<Subscription>,
    },
    /// Asks for no more of them.
    Unsubscribe {
        /// Packet id.
        id: u16,
        /// Topic filter.
        filter: String,
    },
    /// The acknowledgement of a message that came.
    PubAck(u16),
    /// Asks whether the broker is there.
    PingReq,
    /// Takes the will back and ends the connection.
    Disconnect,
}

/// A packet from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerPacket {
    /// It has accepted us.
    ConnAck(BrokerFacts),
    /// It has not.
    ConnRefused(ConnectRefusal, Option<String>),
    /// Answers to the subscription of this id, in order; `Some` is a refusal.
    SubAck(u16, Vec<Option<String>>),
    /// Our message has arrived; `Some`: but the broker did not take it.
    PubAck(u16, Option<PublishRefusal>),
    /// A message.
    Publish {
        /// The message.
        message: Incoming,
        /// To be acknowledged.
        id: Option<u16>,
    },
    /// The answer to our PINGREQ.
    PingResp,
    /// It ends the connection; with its reason and words, if it has any.
    Disconnect(Option<DisconnectReason>, Option<String>),
    /// Nothing that we wait for.
    Other,
}

/// For the log: what kind, which topic; never what it says.
impl fmt::Display for ClientPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { client_id, .. } => write!(f, "CONNECT {client_id}"),
            Self::Publish {
                topic, payload, id, ..
            } => write!(f, "PUBLISH {topic}, {} bytes, id {id:?}", payload.len()),
            Self::Subscribe { subscriptions, .. } => {
                let filters: Vec<&str> = subscriptions.iter().map(|s| s.filter.as_str()).collect();
                write!(f, "SUBSCRIBE {}", filters.join(" "))
            }
            Self::Unsubscribe { filter, .. } => write!(f, "UNSUBSCRIBE {filter}"),
            Self::PubAck(id) => write!(f, "PUBACK {id}"),
            Self::PingReq => f.write_str("PINGREQ"),
            Self::Disconnect => f.write_str("DISCONNECT"),
        }
    }
}

/// For the log: what kind, which topic; never what it says.
impl fmt::Display for ServerPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnAck(facts) => write!(f, "CONNACK {facts:?}"),
            Self::ConnRefused(refusal, _) => write!(f, "CONNACK {refusal:?}"),
            Self::SubAck(id, answers) => write!(f, "SUBACK {id} {answers:?}"),
            Self::PubAck(id, refusal) => write!(f, "PUBACK {id} {refusal:?}"),
            Self::Publish { message, .. } => {
                let Incoming { topic, payload, .. } = message;
                let topic = topic.escape_debug();
                write!(f, "PUBLISH {topic}, {} bytes", payload.len())
            }
            Self::PingResp => f.write_str("PINGRESP"),
            Self::Disconnect(reason, _) => write!(f, "DISCONNECT {reason:?}"),
            Self::Other => f.write_str("something else"),
        }
    }
}
