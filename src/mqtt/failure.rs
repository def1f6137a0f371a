//! Why there is no connection, in a sentence for the owner: what happened, to what, and what to
//! do now. The client crate's own texts name neither.

use std::error::Error;
use std::fmt;
use std::io;

use rumqttc::ConnectReturnCode as CodeV4;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode as CodeV5, DisconnectReasonCode};
use rustls::{AlertDescription, CertificateError, Error as Tls};

use crate::config::{self, Protocol};

/// What to do next, which is all that the connection task asks of a failure.
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
    /// The broker said no: only the owner can mend it.
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

/// A failure and its sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct BrokerFailure {
    /// What to do next.
    pub kind: BrokerFailureKind,
    /// For the owner; the same text for the same failure.
    pub sentence: String,
}

/// How a line ended, both versions alike.
#[derive(Debug)]
pub(super) enum Cause {
    /// With what the broker says of it.
    Refused(Refusal, Option<String>),
    Io(io::Error),
    Tls(Tls),
    NoAnswer,
    NoPing,
    NoAcknowledgement,
    Closed,
    Disconnected(DisconnectReasonCode, Option<String>),
    NotMqtt(String),
    /// A packet that cannot be put into bytes.
    Unwritable(String),
}

/// The broker's no, both versions alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Password,
    NotAuthorized,
    ClientId,
    Version,
    Unavailable,
    Banned,
    Qos1,
    Retain,
    Other(&'static str),
}

/// Whom we tried to reach and how; the sentence's nouns.
pub(super) struct Attempt<'a> {
    pub settings: &'a config::Mqtt,
    pub client_id: &'a str,
    /// Whether the broker had accepted us before it failed.
    pub connected: bool,
}

impl Attempt<'_> {
    /// The failure in the owner's words.
    pub fn explain(&self, cause: &Cause) -> BrokerFailure {
        let (kind, sentence) = match cause {
            Cause::Refused(refusal, text) => {
                let (kind, sentence) = self.refused(*refusal);
                (kind, sentence + &said(text.as_deref()))
            }
            Cause::Io(error) => self.io(error),
            Cause::Tls(error) => (BrokerFailureKind::Tls, self.tls(error)),
            Cause::NoAnswer => (
                BrokerFailureKind::Slow,
                format!("{self} does not answer: is the address right, does a firewall drop it?"),
            ),
            Cause::NoPing => (
                BrokerFailureKind::Dropped,
                format!("{self} no longer answers (no reply to a ping)"),
            ),
            Cause::NoAcknowledgement => (
                BrokerFailureKind::Dropped,
                format!("{self} answers but acknowledges nothing"),
            ),
            Cause::Closed => self.closed("closed the connection"),
            Cause::Disconnected(DisconnectReasonCode::SessionTakenOver, _) => {
                (BrokerFailureKind::TakenOver, self.taken_over())
            }
            Cause::Disconnected(DisconnectReasonCode::ServerShuttingDown, text) => {
                let said = said(text.as_deref());
                (
                    BrokerFailureKind::Unreachable,
                    format!("{self} is shutting down{said}"),
                )
            }
            Cause::Disconnected(reason, text) => {
                let said = said(text.as_deref());
                let sentence = format!("{self} ended the connection ({reason:?}){said}");
                (BrokerFailureKind::Dropped, sentence)
            }
            Cause::NotMqtt(what) if self.connected => {
                let sentence = format!("{self} sent something that is not MQTT ({what})");
                (BrokerFailureKind::Dropped, sentence)
            }
            Cause::NotMqtt(_) => self.not_mqtt(),
            Cause::Unwritable(what) => (
                BrokerFailureKind::Refused,
                format!("{self} cannot be told what the configuration wants said ({what})"),
            ),
        };
        BrokerFailure { kind, sentence }
    }

    /// Most brokers do not say why they end a connection, or not so that the client crate could
    /// read it; a rhythm of short ones has one usual reason.
    pub fn short_connections(&self) -> String {
        format!(
            "{self} ends each connection soon after it is made: does another client use the id \
             {id}? If so set another mqtt.client_id; else see the broker's log",
            id = self.client_id
        )
    }

    /// The broker ends the connection over one topic.
    pub fn barred(&self, topic: &str) -> String {
        format!(
            "{self} ends the connection when {topic} is published, so this topic is left out: \
             does the broker's access list allow it?"
        )
    }

    fn taken_over(&self) -> String {
        format!(
            "another client connected to {self} with our id {id}: two bridges with one id throw \
             each other out; set another mqtt.client_id, or stop the other one",
            id = self.client_id
        )
    }

    fn refused(&self, refusal: Refusal) -> (BrokerFailureKind, String) {
        let user = match &self.settings.username {
            Some(user) => format!("user {user}"),
            None => "a client without a user name".to_owned(),
        };
        match refusal {
            Refusal::Password => (
                BrokerFailureKind::Refused,
                format!(
                    "{self} refuses {user}: wrong user name or password; \
                     check mqtt.username and mqtt.password"
                ),
            ),
            Refusal::NotAuthorized => (
                BrokerFailureKind::Refused,
                format!(
                    "{self} refuses {user}: not authorized; \
                     check mqtt.username and mqtt.password, and the broker's access list"
                ),
            ),
            Refusal::ClientId => (
                BrokerFailureKind::Refused,
                format!(
                    "{self} refuses the client id {}: set another mqtt.client_id",
                    self.client_id
                ),
            ),
            Refusal::Version => {
                let other = match self.settings.protocol {
                    Protocol::V5 => "does not speak MQTT 5: set mqtt.protocol = 4",
                    Protocol::V4 => "does not speak MQTT 3.1.1: set mqtt.protocol = 5",
                };
                (BrokerFailureKind::Refused, format!("{self} {other}"))
            }
            Refusal::Banned => (
                BrokerFailureKind::Refused,
                format!("{self} has banned this client: see the broker's log"),
            ),
            Refusal::Qos1 => (
                BrokerFailureKind::OnlyQos0,
                format!("{self} refuses the connection: it does not support QoS 1"),
            ),
            Refusal::Retain => (
                BrokerFailureKind::NotRetained,
                format!("{self} refuses the connection: it keeps no retained messages"),
            ),
            Refusal::Unavailable => (
                BrokerFailureKind::Slow,
                format!("{self} is there but not ready to serve clients"),
            ),
            Refusal::Other(why) => (
                BrokerFailureKind::Refused,
                format!("{self} refuses the connection: {why}"),
            ),
        }
    }

    fn io(&self, error: &io::Error) -> (BrokerFailureKind, String) {
        use io::ErrorKind as K;
        if let Some(tls) = inner::<Tls>(error) {
            return (BrokerFailureKind::Tls, self.tls(tls));
        }
        match error.kind() {
            K::ConnectionRefused => (
                BrokerFailureKind::Unreachable,
                format!(
                    "nothing listens at {self} (connection refused): \
                     is the broker running, is mqtt.url right?"
                ),
            ),
            K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => (
                BrokerFailureKind::Unreachable,
                format!("{self} is not reachable from this machine: {error}"),
            ),
            K::TimedOut => (
                BrokerFailureKind::Slow,
                format!("{self} does not answer: is the address right, does a firewall drop it?"),
            ),
            K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => {
                self.closed("reset the connection")
            }
            K::UnexpectedEof => self.closed("closed the connection"),
            _ if is_name_lookup(error) => (
                BrokerFailureKind::Slow,
                format!(
                    "the name {} cannot be resolved: check mqtt.url and this machine's DNS",
                    self.settings.host
                ),
            ),
            _ => (
                BrokerFailureKind::Slow,
                format!("no connection to {self}: {error}"),
            ),
        }
    }

    fn not_mqtt(&self) -> (BrokerFailureKind, String) {
        let hint = match self.settings.tls {
            None => "if it expects TLS, write mqtts:// in mqtt.url; else check the port",
            Some(_) => "check the port in mqtt.url",
        };
        (
            BrokerFailureKind::Slow,
            format!("{self} does not answer in MQTT: {hint}"),
        )
    }

    fn closed(&self, did: &str) -> (BrokerFailureKind, String) {
        if self.connected {
            return (BrokerFailureKind::HungUp, format!("{self} {did}"));
        }
        let hint = match (&self.settings.tls, self.settings.protocol) {
            (Some(tls), _) if tls.client_cert_file.is_none() => {
                "if this port does not speak TLS, write mqtt:// in mqtt.url; if the broker asks \
                 for a client certificate, set mqtt.client_cert_file"
            }
            (Some(_), _) => "if this port does not speak TLS, write mqtt:// in mqtt.url",
            (None, Protocol::V5) => {
                "if it expects TLS, write mqtts:// in mqtt.url; if it is an old broker, set \
                 mqtt.protocol = 4"
            }
            (None, Protocol::V4) => {
                "if it expects TLS, write mqtts:// in mqtt.url; if it keeps no retained messages, \
                 set mqtt.protocol = 5"
            }
        };
        (
            BrokerFailureKind::Slow,
            format!("{self} {did} without an answer: {hint}"),
        )
    }

    fn tls(&self, error: &Tls) -> String {
        let trusted = match self.settings.tls.as_ref().and_then(|t| t.ca_file.as_ref()) {
            Some(file) => format!("mqtt.ca_file {}", file.display()),
            None => "the system's CA certificates".to_owned(),
        };
        let own = "set mqtt.ca_file to the broker's CA certificate, or to the broker's own \
                   certificate if it is self-signed";
        match error {
            Tls::InvalidCertificate(CertificateError::UnknownIssuer) => {
                format!("the certificate of {self} is not signed by any of {trusted}: {own}")
            }
            Tls::InvalidCertificate(CertificateError::NotValidForNameContext {
                presented, ..
            }) if presented.is_empty() => format!(
                "the certificate of {self} names no host (it has no subjectAltName), so it is not \
                 for {}: issue it anew with that name there, or set mqtt.ca_file to the broker's \
                 own certificate",
                self.settings.host
            ),
            Tls::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => format!(
                "the certificate of {self} is for another name than {}: \
                 write the certificate's name in mqtt.url, or {own}",
                self.settings.host
            ),
            Tls::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => {
                format!("the certificate of {self} has expired (or this machine's clock is wrong)")
            }
            Tls::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            ) => format!(
                "the certificate of {self} is not valid yet: is this machine's clock right?"
            ),
            Tls::InvalidCertificate(other)
                if format!("{other:?}").contains("CaUsedAsEndEntity") =>
            {
                format!("{self} uses a CA certificate as its own (self-signed): {own}")
            }
            Tls::InvalidCertificate(other)
                if format!("{other:?}").contains("UnsupportedCertVersion") =>
            {
                format!(
                    "the certificate of {self} is of X.509 version 1, which names no host: set \
                     mqtt.ca_file to that certificate itself (the broker must speak TLS 1.3), or \
                     issue it anew with an extension file that holds its subjectAltName"
                )
            }
            Tls::InvalidCertificate(other) => {
                format!("the certificate of {self} is not accepted ({other}): {own}")
            }
            Tls::InvalidMessage(_) | Tls::InappropriateMessage { .. } => format!(
                "{self} does not speak TLS: write mqtt:// in mqtt.url, or the broker's TLS port \
                 (usually 8883)"
            ),
            Tls::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied,
            ) => {
                let set = match &self.settings.tls {
                    Some(tls) if tls.client_cert_file.is_some() => "does not accept ours",
                    _ => "we have none",
                };
                format!(
                    "{self} asks for a client certificate and {set}: \
                     check mqtt.client_cert_file and mqtt.client_key_file"
                )
            }
            other => format!("no TLS connection to {self}: {other}"),
        }
    }
}

/// The broker's own words, if it has any. It may be anybody's broker: a line break would forge a
/// line of the log.
fn said(text: Option<&str>) -> String {
    const CHARS_MAX: usize = 200;
    text.map_or_else(String::new, |text| {
        let start: String = text.chars().take(CHARS_MAX).collect();
        format!("; the broker says: {}", start.escape_debug())
    })
}

/// `host:port`.
impl fmt::Display for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config::Mqtt { host, port, .. } = self.settings;
        write!(f, "broker {host}:{port}")
    }
}

/// The resolver's errors have no kind of their own.
fn is_name_lookup(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("lookup address") || text.contains("could not resolve")
}

/// An error wrapped in an I/O error: `source()` of that one skips it.
fn inner<T: Error + 'static>(error: &io::Error) -> Option<&T> {
    let mut at: &(dyn Error + 'static) = error.get_ref()?;
    loop {
        if let Some(found) = at.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(io) = at.downcast_ref::<io::Error>() {
            at = io.get_ref()?;
        } else {
            at = at.source()?;
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CodeV4> for Refusal {
    fn from(code: CodeV4) -> Self {
        match code {
            CodeV4::RefusedProtocolVersion => Self::Version,
            CodeV4::BadClientId => Self::ClientId,
            CodeV4::ServiceUnavailable => Self::Unavailable,
            CodeV4::BadUserNamePassword => Self::Password,
            CodeV4::NotAuthorized => Self::NotAuthorized,
            CodeV4::Success => Self::Other("it said yes and meant no"),
        }
    }
}

impl From<CodeV5> for Refusal {
    fn from(code: CodeV5) -> Self {
        use CodeV5 as C;
        match code {
            C::RefusedProtocolVersion | C::UnsupportedProtocolVersion => Self::Version,
            C::BadClientId | C::ClientIdentifierNotValid => Self::ClientId,
            C::ServiceUnavailable
            | C::ServerUnavailable
            | C::ServerBusy
            | C::ConnectionRateExceeded => Self::Unavailable,
            C::BadUserNamePassword => Self::Password,
            C::NotAuthorized => Self::NotAuthorized,
            C::Banned => Self::Banned,
            C::BadAuthenticationMethod => Self::Other("bad authentication method"),
            C::TopicNameInvalid => Self::Other("it does not take our last will's topic"),
            C::PacketTooLarge => Self::Other("packet too large"),
            C::QuotaExceeded => Self::Other("quota exceeded"),
            C::PayloadFormatInvalid => Self::Other("it does not take our last will's payload"),
            C::RetainNotSupported => Self::Retain,
            C::QoSNotSupported => Self::Qos1,
            C::UseAnotherServer | C::ServerMoved => Self::Other("it sends us to another server"),
            C::MalformedPacket | C::ProtocolError => Self::Other("protocol error"),
            C::UnspecifiedError | C::ImplementationSpecificError | C::Success => {
                Self::Other("it does not say why")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings() -> config::Mqtt {
        config::Mqtt {
            host: "broker.home".into(),
            port: 1883,
            tls: None,
            username: Some("car".into()),
            password: Some("secret".into()),
            client_id: None,
            protocol: Protocol::V5,
            base_topic: "tesla2mqtt".into(),
            keep_alive: Duration::from_secs(15),
        }
    }

    #[test]
    fn each_cause_has_a_sentence_with_a_next_step() {
        let io = |kind: io::ErrorKind| Cause::Io(kind.into());
        let lookup =
            io::Error::other("failed to lookup address information: Name or service not known");
        let taken_over = DisconnectReasonCode::SessionTakenOver;
        let cases = [
            (
                Cause::Io(lookup),
                BrokerFailureKind::Slow,
                "broker.home cannot be resolved",
            ),
            (
                io(io::ErrorKind::ConnectionRefused),
                BrokerFailureKind::Unreachable,
                "is the broker running",
            ),
            (
                io(io::ErrorKind::HostUnreachable),
                BrokerFailureKind::Unreachable,
                "not reachable",
            ),
            (
                io(io::ErrorKind::TimedOut),
                BrokerFailureKind::Slow,
                "firewall",
            ),
            (
                io(io::ErrorKind::ConnectionReset),
                BrokerFailureKind::Slow,
                "mqtts://",
            ),
            (Cause::Closed, BrokerFailureKind::Slow, "mqtts://"),
            (Cause::NoAnswer, BrokerFailureKind::Slow, "firewall"),
            (
                Cause::Refused(Refusal::Password, None),
                BrokerFailureKind::Refused,
                "mqtt.password",
            ),
            (
                Cause::Refused(Refusal::NotAuthorized, None),
                BrokerFailureKind::Refused,
                "access list",
            ),
            (
                Cause::Refused(Refusal::ClientId, None),
                BrokerFailureKind::Refused,
                "another mqtt.client_id",
            ),
            (
                Cause::Refused(Refusal::Version, None),
                BrokerFailureKind::Refused,
                "mqtt.protocol = 4",
            ),
            (
                Cause::Refused(Refusal::Unavailable, None),
                BrokerFailureKind::Slow,
                "not ready",
            ),
            (
                Cause::Refused(Refusal::Banned, Some("an hour\n\u{1b}[1mERROR".into())),
                BrokerFailureKind::Refused,
                "the broker says: an hour\\n\\u{1b}[1mERROR",
            ),
            (
                Cause::Disconnected(taken_over, None),
                BrokerFailureKind::TakenOver,
                "our id tesla2mqtt1",
            ),
        ];
        let settings = settings();
        let attempt = Attempt {
            settings: &settings,
            client_id: "tesla2mqtt1",
            connected: false,
        };
        for (cause, kind, words) in cases {
            let failure = attempt.explain(&cause);
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(failure.sentence.contains(words), "{words:?} in: {failure}");
            assert!(failure.sentence.contains("broker.home"), "{failure}");
            assert!(!failure.sentence.contains("secret"), "{failure}");
        }
    }

    #[test]
    fn a_connection_that_was_made_gets_no_hint_about_how_to_make_it() {
        let settings = settings();
        let attempt = Attempt {
            settings: &settings,
            client_id: "tesla2mqtt1",
            connected: true,
        };
        // Of the first kind only the log supposes that another client uses our id.
        for (cause, kind) in [
            (Cause::Closed, BrokerFailureKind::HungUp),
            (
                Cause::Io(io::ErrorKind::ConnectionReset.into()),
                BrokerFailureKind::HungUp,
            ),
            (
                Cause::Io(io::ErrorKind::UnexpectedEof.into()),
                BrokerFailureKind::HungUp,
            ),
            (Cause::NoPing, BrokerFailureKind::Dropped),
            (Cause::NoAcknowledgement, BrokerFailureKind::Dropped),
            (Cause::NotMqtt("x".into()), BrokerFailureKind::Dropped),
            (
                Cause::Disconnected(DisconnectReasonCode::KeepAliveTimeout, None),
                BrokerFailureKind::Dropped,
            ),
            (
                Cause::Disconnected(DisconnectReasonCode::ServerShuttingDown, None),
                BrokerFailureKind::Unreachable,
            ),
        ] {
            let failure = attempt.explain(&cause);
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(!failure.sentence.contains("mqtt."), "{failure}");
        }
    }
}
