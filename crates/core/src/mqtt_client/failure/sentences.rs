//! What happened, to what, and what to do now, in the owner's words: the client crates' own texts
//! name neither.

use std::fmt;

use super::{
    BrokerFailure, BrokerFailureKind, BrokerTarget, Cause, ConnectRefusal, DisconnectReason,
    TlsFault, TransportFault,
};
use crate::hint::Hint;
use crate::mqtt_client::packet::Protocol;

/// `host:port`.
impl fmt::Display for BrokerTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broker {}:{}", self.host, self.port)
    }
}

/// A kind, what happened, and what to do: a row of the tables below.
type Explained = (BrokerFailureKind, String, Option<Hint>);

impl BrokerTarget {
    /// The failure in the owner's words. `is_connected`: the broker had accepted us before it.
    pub fn explain(&self, cause: &Cause, is_connected: bool) -> BrokerFailure {
        use BrokerFailureKind as K;
        let (kind, what, hint) = match cause {
            Cause::Refused(refusal, text) => {
                let (kind, what, hint) = self.refused(*refusal);
                (kind, what + &said(text.as_deref()), hint)
            }
            Cause::Transport(fault) => self.transport(fault, is_connected),
            Cause::Tls(fault) => self.tls(fault),
            Cause::NoAnswer => self.no_answer(),
            Cause::NoPing => (
                K::Dropped,
                format!("{self} no longer answers (no reply to a ping)"),
                None,
            ),
            Cause::NoAcknowledgement => (
                K::Dropped,
                format!("{self} answers but acknowledges nothing"),
                None,
            ),
            Cause::Closed => self.closed("closed the connection", is_connected),
            Cause::Disconnected(DisconnectReason::TakenOver, _) => (
                K::TakenOver,
                format!(
                    "another client connected to {self} with our id {}, and two with one id throw \
                     each other out",
                    self.client_id
                ),
                Some(Hint("set another mqtt.client_id, or stop the other one")),
            ),
            Cause::Disconnected(DisconnectReason::ShuttingDown, text) => {
                let said = said(text.as_deref());
                (
                    K::Unreachable,
                    format!("{self} is shutting down{said}"),
                    None,
                )
            }
            Cause::Disconnected(DisconnectReason::Other(reason), text) => {
                let said = said(text.as_deref());
                let what = format!("{self} ended the connection ({reason}){said}");
                (K::Dropped, what, None)
            }
            Cause::NotMqtt(what) if is_connected => {
                let what = format!("{self} sent something that is not MQTT ({what})");
                (K::Dropped, what, None)
            }
            Cause::NotMqtt(_) => self.not_mqtt(),
            Cause::Unwritable(what) => (
                K::Refused,
                format!("{self} cannot be told what the configuration wants said ({what})"),
                None,
            ),
            Cause::Settings(what) => (K::Settings, what.clone(), None),
        };
        BrokerFailure { kind, what, hint }
    }

    /// The same of one in a rhythm of short connections that the broker ends without a word: most
    /// do not say why, and there is one usual reason.
    pub fn short_connections(&self) -> BrokerFailure {
        BrokerFailure {
            kind: BrokerFailureKind::HungUp,
            what: format!(
                "{self} ends each connection of our id {} soon after it is made",
                self.client_id
            ),
            hint: Some(Hint(
                "does another client use that id? If so set another mqtt.client_id; else see the \
                 broker's log",
            )),
        }
    }

    /// The broker ends the connection over one topic.
    pub fn ends_over(&self, topic: &str) -> BrokerFailure {
        BrokerFailure {
            kind: BrokerFailureKind::Dropped,
            what: format!(
                "{self} ends the connection when {topic} is published, so this topic is left out"
            ),
            hint: Some(Hint("does the broker's access list allow it?")),
        }
    }

    fn refused(&self, refusal: ConnectRefusal) -> Explained {
        use BrokerFailureKind as K;
        let user = match &self.username {
            Some(user) => format!("user {user}"),
            None => "a client without a user name".to_owned(),
        };
        let refuses = |why: &str| format!("{self} refuses the connection: {why}");
        match refusal {
            ConnectRefusal::Password => (
                K::Refused,
                format!("{self} refuses {user}: wrong user name or password"),
                Some(Hint("check mqtt.username and mqtt.password")),
            ),
            ConnectRefusal::NotAuthorized => (
                K::Refused,
                format!("{self} refuses {user}: not authorized"),
                Some(Hint(
                    "check mqtt.username and mqtt.password, and the broker's access list",
                )),
            ),
            ConnectRefusal::ClientId => (
                K::Refused,
                format!("{self} refuses the client id {}", self.client_id),
                Some(Hint("set another mqtt.client_id")),
            ),
            ConnectRefusal::Version => {
                let (version, hint) = match self.protocol {
                    Protocol::V5 => ("MQTT 5", "set mqtt.protocol = 4"),
                    Protocol::V4 => ("MQTT 3.1.1", "set mqtt.protocol = 5"),
                };
                let what = format!("{self} does not speak {version}");
                (K::Refused, what, Some(Hint(hint)))
            }
            ConnectRefusal::Banned => (
                K::Refused,
                format!("{self} has banned this client"),
                Some(Hint("see the broker's log")),
            ),
            ConnectRefusal::Qos1 => (K::OnlyQos0, refuses("it does not support QoS 1"), None),
            ConnectRefusal::Retain => {
                let why = "it keeps no retained messages";
                (K::NotRetained, refuses(why), None)
            }
            ConnectRefusal::Unavailable => (
                K::Slow,
                format!("{self} is there but not ready to serve clients"),
                None,
            ),
            ConnectRefusal::Other(why) => (K::Refused, refuses(why), None),
        }
    }

    fn transport(&self, fault: &TransportFault, is_connected: bool) -> Explained {
        use BrokerFailureKind as K;
        match fault {
            TransportFault::NothingListens => (
                K::Unreachable,
                format!("nothing listens at {self} (connection refused)"),
                Some(Hint("is the broker running, is mqtt.url right?")),
            ),
            TransportFault::NoRoute(error) => (
                K::Unreachable,
                format!("{self} is not reachable from this machine: {error}"),
                None,
            ),
            TransportFault::TimedOut => self.no_answer(),
            TransportFault::Reset => self.closed("reset the connection", is_connected),
            TransportFault::Ended => self.closed("closed the connection", is_connected),
            TransportFault::UnknownName => (
                K::Slow,
                format!("the name {} cannot be resolved", self.host),
                Some(Hint("check mqtt.url and this machine's DNS")),
            ),
            TransportFault::Other(error) => {
                (K::Slow, format!("no connection to {self}: {error}"), None)
            }
        }
    }

    fn no_answer(&self) -> Explained {
        (
            BrokerFailureKind::Slow,
            format!("{self} does not answer"),
            Some(Hint("is the address right, does a firewall drop it?")),
        )
    }

    fn not_mqtt(&self) -> Explained {
        let hint = match self.tls {
            None => "if it expects TLS, write mqtts:// in mqtt.url; else check the port",
            Some(_) => "check the port in mqtt.url",
        };
        let what = format!("{self} does not answer in MQTT");
        (BrokerFailureKind::Slow, what, Some(Hint(hint)))
    }

    fn closed(&self, did: &str, is_connected: bool) -> Explained {
        if is_connected {
            return (BrokerFailureKind::HungUp, format!("{self} {did}"), None);
        }
        let hint = match (&self.tls, self.protocol) {
            (Some(tls), _) if !tls.has_client_certificate => {
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
        let what = format!("{self} {did} without an answer");
        (BrokerFailureKind::Slow, what, Some(Hint(hint)))
    }

    fn tls(&self, fault: &TlsFault) -> Explained {
        const OWN: Hint = Hint(
            "set mqtt.ca_file to the broker's CA certificate, or to the broker's own certificate \
             if it is self-signed",
        );
        let trusted = match self.tls.as_ref().and_then(|tls| tls.ca_file.as_ref()) {
            Some(file) => format!("mqtt.ca_file {file}"),
            None => "the system's CA certificates".to_owned(),
        };
        let host = &self.host;
        let (what, hint) = match fault {
            TlsFault::UnknownIssuer => (
                format!("the certificate of {self} is not signed by any of {trusted}"),
                Some(OWN),
            ),
            TlsFault::NamesNoHost => (
                format!(
                    "the certificate of {self} names no host (it has no subjectAltName), so it is \
                     not for {host}"
                ),
                Some(Hint(
                    "issue it anew with that name there, or set mqtt.ca_file to the broker's own \
                     certificate",
                )),
            ),
            TlsFault::OtherName => (
                format!("the certificate of {self} is for another name than {host}"),
                Some(Hint(
                    "write the certificate's name in mqtt.url, or set mqtt.ca_file to the broker's \
                     CA certificate, or to the broker's own certificate if it is self-signed",
                )),
            ),
            TlsFault::Expired => (
                format!("the certificate of {self} has expired (or this machine's clock is wrong)"),
                None,
            ),
            TlsFault::NotYetValid => (
                format!("the certificate of {self} is not valid yet"),
                Some(Hint("is this machine's clock right?")),
            ),
            TlsFault::CaAsOwn => (
                format!("{self} uses a CA certificate as its own (self-signed)"),
                Some(OWN),
            ),
            TlsFault::Version1 => (
                format!("the certificate of {self} is of X.509 version 1, which names no host"),
                Some(Hint(
                    "set mqtt.ca_file to that certificate itself (the broker must speak TLS 1.3), \
                     or issue it anew with an extension file that holds its subjectAltName",
                )),
            ),
            TlsFault::Certificate(other) => (
                format!("the certificate of {self} is not accepted ({other})"),
                Some(OWN),
            ),
            TlsFault::NotTls => (
                format!("{self} does not speak TLS"),
                Some(Hint(
                    "write mqtt:// in mqtt.url, or the broker's TLS port (usually 8883)",
                )),
            ),
            TlsFault::WantsClientCertificate => {
                let ours = match &self.tls {
                    Some(tls) if tls.has_client_certificate => "does not accept ours",
                    _ => "we have none",
                };
                (
                    format!("{self} asks for a client certificate and {ours}"),
                    Some(Hint("check mqtt.client_cert_file and mqtt.client_key_file")),
                )
            }
            TlsFault::Other(other) => (format!("no TLS connection to {self}: {other}"), None),
        };
        (BrokerFailureKind::Tls, what, hint)
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

#[cfg(test)]
mod tests {
    use super::*;
    use BrokerFailureKind as K;

    fn target() -> BrokerTarget {
        BrokerTarget {
            host: "broker.home".into(),
            port: 1883,
            protocol: Protocol::V5,
            username: Some("car".into()),
            client_id: "tesla2mqtt1".into(),
            tls: None,
        }
    }

    #[test]
    fn each_cause_has_a_sentence_with_a_next_step() {
        let transport = Cause::Transport;
        let refused = |refusal| Cause::Refused(refusal, None);
        let banned = Cause::Refused(
            ConnectRefusal::Banned,
            Some("an hour\n\u{1b}[1mERROR".into()),
        );
        let cases = [
            (
                transport(TransportFault::UnknownName),
                K::Slow,
                "broker.home cannot be resolved",
            ),
            (
                transport(TransportFault::NothingListens),
                K::Unreachable,
                "is the broker running",
            ),
            (
                transport(TransportFault::NoRoute("host unreachable".into())),
                K::Unreachable,
                "not reachable",
            ),
            (transport(TransportFault::TimedOut), K::Slow, "firewall"),
            (transport(TransportFault::Reset), K::Slow, "mqtts://"),
            (Cause::Closed, K::Slow, "mqtts://"),
            (Cause::NoAnswer, K::Slow, "firewall"),
            (
                refused(ConnectRefusal::Password),
                K::Refused,
                "mqtt.password",
            ),
            (
                refused(ConnectRefusal::NotAuthorized),
                K::Refused,
                "access list",
            ),
            (
                refused(ConnectRefusal::ClientId),
                K::Refused,
                "another mqtt.client_id",
            ),
            (
                refused(ConnectRefusal::Version),
                K::Refused,
                "mqtt.protocol = 4",
            ),
            (refused(ConnectRefusal::Unavailable), K::Slow, "not ready"),
            (
                banned,
                K::Refused,
                "the broker says: an hour\\n\\u{1b}[1mERROR",
            ),
            (
                Cause::Disconnected(DisconnectReason::TakenOver, None),
                K::TakenOver,
                "our id tesla2mqtt1",
            ),
        ];
        for (cause, kind, words) in cases {
            let failure = target().explain(&cause, false);
            let sentence = failure.to_string();
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(sentence.contains(words), "{words:?} in: {failure}");
            assert!(sentence.contains("broker.home"), "{failure}");
        }
    }

    #[test]
    fn a_connection_that_was_made_gets_no_hint_about_how_to_make_it() {
        let other = |reason: &str| DisconnectReason::Other(reason.to_owned());
        // Of the first kind only the log supposes that another client uses our id.
        for (cause, kind) in [
            (Cause::Closed, K::HungUp),
            (Cause::Transport(TransportFault::Reset), K::HungUp),
            (Cause::Transport(TransportFault::Ended), K::HungUp),
            (Cause::NoPing, K::Dropped),
            (Cause::NoAcknowledgement, K::Dropped),
            (Cause::NotMqtt("x".into()), K::Dropped),
            (
                Cause::Disconnected(other("KeepAliveTimeout"), None),
                K::Dropped,
            ),
            (
                Cause::Disconnected(DisconnectReason::ShuttingDown, None),
                K::Unreachable,
            ),
        ] {
            let failure = target().explain(&cause, true);
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(!failure.to_string().contains("mqtt."), "{failure}");
        }
    }
}
