//! Why there is no connection: the kinds, and the causes that the edge and the client find.

mod sentences;

use std::fmt;

use super::packet::Protocol;
use crate::hint::Hint;

/// What to do next, which is all that the client asks of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerFailureKind {
    /// Nothing listens there yet: try again at once and for ever.
    Unreachable,
    /// Time was lost waiting (no answer, no name): try again, a little slower.
    Slow,
    /// The connection had been made, and something came between.
    Dropped,
    /// The connection had been made, and the broker ended it without a word.
    HungUp,
    /// The broker refused: only the owner can mend it.
    Refused,
    /// The broker takes nothing with QoS 1: try again at once with less.
    OnlyQos0,
    /// The broker keeps no retained messages: try again at once with less.
    NotRetained,
    /// The TLS handshake failed: only the owner can mend it.
    Tls,
    /// Another client uses our id.
    TakenOver,
    /// A file that the configuration names is missing or wrong.
    Settings,
}

/// A failure for the owner; the same text for the same failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BrokerFailure {
    /// What to do next.
    pub kind: BrokerFailureKind,
    /// What happened, and to what.
    pub what: String,
    /// What the owner can do.
    pub hint: Option<Hint>,
}

impl fmt::Display for BrokerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

/// How a connection ended, or why there was none; both versions alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The broker did not accept us; with the text in its answer.
    Refused(ConnectRefusal, Option<String>),
    /// The network.
    Transport(TransportFault),
    /// The TLS handshake.
    Tls(TlsFault),
    /// Neither a connection nor a CONNACK in time.
    NoAnswer,
    /// A ping stayed without an answer.
    NoPing,
    /// Messages stayed without an acknowledgement.
    NoAcknowledgement,
    /// The broker closed the connection without a word.
    Closed,
    /// The broker sent a DISCONNECT; with the text in it.
    Disconnected(DisconnectReason, Option<String>),
    /// What came is not MQTT.
    NotMqtt(String),
    /// A packet that cannot be put into bytes.
    Unwritable(String),
    /// A file that the configuration names is missing or wrong; the text names it.
    Settings(String),
}

/// What the network did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportFault {
    /// Nothing listens at the port.
    NothingListens,
    /// No route; with the system's words.
    NoRoute(String),
    /// No answer in time.
    TimedOut,
    /// The connection was reset.
    Reset,
    /// The connection ended within a packet.
    Ended,
    /// The name has no address.
    UnknownName,
    /// Something else; with the system's words.
    Other(String),
}

/// What is wrong with the TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFault {
    /// Nobody whom we believe has signed the certificate.
    UnknownIssuer,
    /// The certificate names no host at all.
    NamesNoHost,
    /// The certificate is for another name.
    OtherName,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// A CA certificate that serves as its own.
    CaAsOwn,
    /// A certificate of X.509 version 1.
    Version1,
    /// The certificate is not accepted for another reason.
    Certificate(String),
    /// The port does not speak TLS.
    NotTls,
    /// The broker wants a client certificate, or another one.
    WantsClientCertificate,
    /// Something else.
    Other(String),
}

/// The broker's no to our CONNECT, both versions alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// Wrong user name or password.
    Password,
    /// Not authorized.
    NotAuthorized,
    /// It does not take the client id.
    ClientId,
    /// It does not speak this version of MQTT.
    Version,
    /// It is not ready.
    Unavailable,
    /// It has banned us.
    Banned,
    /// It takes nothing with QoS 1.
    Qos1,
    /// It keeps no retained messages.
    Retain,
    /// Another reason, in words.
    Other(&'static str),
}

/// Why the broker sends a DISCONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectReason {
    /// Another client connected with our id.
    TakenOver,
    /// The broker is shutting down.
    ShuttingDown,
    /// Another reason; its name in MQTT 5.
    Other(String),
}

/// Whom we try to reach and how: the nouns of every sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerTarget {
    /// Host name or address, as the configuration has it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// MQTT version.
    pub protocol: Protocol,
    /// User name.
    pub username: Option<String>,
    /// The name that the broker knows us by.
    pub client_id: String,
    /// Set for `mqtts://`.
    pub tls: Option<TlsTarget>,
}

/// The same of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsTarget {
    /// The file of the CA that is believed instead of the system's.
    pub ca_file: Option<String>,
    /// Whether we have a client certificate.
    pub has_client_certificate: bool,
}
