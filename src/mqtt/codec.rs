//! The client's packets in the bytes of MQTT 5 and 3.1.1. The packets are the client crate's;
//! nothing above this file knows which version is spoken.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rumqttc::{QoS, mqttbytes as v4, v5::mqttbytes as v5};
use secrecy::ExposeSecret;

use crate::config::{self, Protocol};
use crate::mqtt_client::{
    BrokerFacts, Cause, ClientPacket, ConnectRefusal, DisconnectReason, Incoming, PACKET_MAX,
    PublishRefusal, ServerPacket, Subscription, Will,
};

/// First bytes of packets.
const CONNACK: u8 = 0x20;
const DISCONNECT: u8 = 0xE0;

/// User and password; the client crate writes a malformed packet for an empty user name.
fn credentials(settings: &config::MqttSettings) -> Option<(&str, &str)> {
    let user = settings.username.as_deref().filter(|u| !u.is_empty())?;
    let password = settings.password.as_ref();
    Some((user, password.map_or("", ExposeSecret::expose_secret)))
}

/// Writes a packet behind what `out` holds.
///
/// # Errors
/// It cannot be put into bytes.
pub(super) fn write(
    settings: &config::MqttSettings,
    packet: ClientPacket,
    out: &mut BytesMut,
) -> Result<(), Cause> {
    match settings.protocol {
        Protocol::V5 => packet_v5(settings, packet)
            .write(out, None)
            .map_err(unwritable)?,
        Protocol::V4 => packet_v4(settings, packet)
            .write(out, PACKET_MAX as usize)
            .map_err(unwritable)?,
    };
    Ok(())
}

fn connect_v5(
    settings: &config::MqttSettings,
    client_id: String,
    keep_alive: u16,
    will: Option<Will>,
) -> v5::v5::Packet {
    use v5::v5::{Connect, ConnectProperties, LastWill, Login, Packet};
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(PACKET_MAX);
    let connect = Connect {
        keep_alive,
        client_id,
        clean_start: true,
        properties: Some(properties),
    };
    let will = will.map(|will| {
        let qos = if will.is_acknowledged {
            v5::QoS::AtLeastOnce
        } else {
            v5::QoS::AtMostOnce
        };
        LastWill::new(&will.topic, will.payload, qos, will.is_retained, None)
    });
    let login = credentials(settings).map(|(user, password)| Login::new(user, password));
    Packet::Connect(connect, will, login)
}

fn connect_v4(
    settings: &config::MqttSettings,
    client_id: String,
    keep_alive: u16,
    will: Option<Will>,
) -> v4::v4::Packet {
    use v4::v4::{Connect, LastWill, Packet};
    let mut connect = Connect::new(client_id);
    connect.keep_alive = keep_alive;
    connect.clean_session = true;
    connect.last_will = will.map(|will| {
        let qos = if will.is_acknowledged {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        };
        LastWill::new(&will.topic, will.payload, qos, will.is_retained)
    });
    if let Some((user, password)) = credentials(settings) {
        connect.set_login(user, password);
    }
    Packet::Connect(connect)
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

fn packet_v5(settings: &config::MqttSettings, packet: ClientPacket) -> v5::v5::Packet {
    use v5::QoS;
    use v5::v5::{
        Disconnect, DisconnectReasonCode, Packet, PingReq, PubAck, Publish, Subscribe, Unsubscribe,
    };
    match packet {
        ClientPacket::Connect {
            client_id,
            keep_alive_s,
            will,
        } => connect_v5(settings, client_id, keep_alive_s, will),
        ClientPacket::Publish {
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
        ClientPacket::Subscribe { id, subscriptions } => {
            let filters = subscriptions.iter().map(filter_v5);
            let mut subscribe = Subscribe::new_many(filters, None);
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        ClientPacket::Unsubscribe { id, filter } => {
            let mut unsubscribe = Unsubscribe::new(filter, None);
            unsubscribe.pkid = id;
            Packet::Unsubscribe(unsubscribe)
        }
        ClientPacket::PubAck(id) => Packet::PubAck(PubAck::new(id, None)),
        ClientPacket::PingReq => Packet::PingReq(PingReq),
        ClientPacket::Disconnect => {
            Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))
        }
    }
}

fn packet_v4(settings: &config::MqttSettings, packet: ClientPacket) -> v4::v4::Packet {
    use v4::v4::{Packet, PubAck, Publish, Subscribe, SubscribeFilter, Unsubscribe};
    match packet {
        ClientPacket::Connect {
            client_id,
            keep_alive_s,
            will,
        } => connect_v4(settings, client_id, keep_alive_s, will),
        ClientPacket::Publish {
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
        ClientPacket::Subscribe { id, subscriptions } => {
            let filters = subscriptions
                .into_iter()
                .map(|subscription| SubscribeFilter::new(subscription.filter, QoS::AtLeastOnce));
            let mut subscribe = Subscribe::new_many(filters);
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        ClientPacket::Unsubscribe { id, filter } => {
            let mut unsubscribe = Unsubscribe::new(filter);
            unsubscribe.pkid = id;
            Packet::Unsubscribe(unsubscribe)
        }
        ClientPacket::PubAck(id) => Packet::PubAck(PubAck::new(id)),
        ClientPacket::PingReq => Packet::PingReq,
        ClientPacket::Disconnect => Packet::Disconnect,
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
/// It is not a broker.
pub(super) fn read(
    protocol: Protocol,
    arrived: &mut BytesMut,
) -> Result<Option<ServerPacket>, Cause> {
    match protocol {
        Protocol::V5 => {
            if let Some(last) = short_refusal(arrived).or_else(|| short_goodbye(arrived)) {
                // Nothing is sent after it.
                arrived.clear();
                return Ok(Some(last));
            }
            match v5::v5::Packet::read(arrived, Some(PACKET_MAX)) {
                Ok(packet) => packet_of_v5(packet).map(Some),
                Err(v5::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(Cause::NotMqtt(error.to_string())),
            }
        }
        Protocol::V4 => match v4::v4::Packet::read(arrived, PACKET_MAX as usize) {
            Ok(packet) => Ok(Some(packet_of_v4(packet))),
            Err(v4::Error::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(Cause::NotMqtt(error.to_string())),
        },
    }
}

/// A CONNACK of MQTT 3.1.1 that says no, to a client that spoke MQTT 5. The client crate waits for
/// properties, which never come.
fn short_refusal(arrived: &[u8]) -> Option<ServerPacket> {
    let refusal = match arrived {
        [CONNACK, 2, _, 1, ..] => ConnectRefusal::Version,
        [CONNACK, 2, _, 2, ..] => ConnectRefusal::ClientId,
        [CONNACK, 2, _, 3, ..] => ConnectRefusal::Unavailable,
        [CONNACK, 2, _, 4, ..] => ConnectRefusal::Password,
        [CONNACK, 2, _, 5, ..] => ConnectRefusal::NotAuthorized,
        _ => return None,
    };
    Some(ServerPacket::ConnRefused(refusal, None))
}

/// A DISCONNECT without properties, which brokers send and the client crate does not read.
fn short_goodbye(arrived: &[u8]) -> Option<ServerPacket> {
    let reason = match arrived {
        [DISCONNECT, 0, ..] => None,
        [DISCONNECT, 1, reason, ..] => v5::v5::DisconnectReasonCode::try_from(*reason).ok(),
        _ => return None,
    };
    Some(ServerPacket::Disconnect(
        reason.map(disconnect_reason),
        None,
    ))
}

fn disconnect_reason(reason: v5::v5::DisconnectReasonCode) -> DisconnectReason {
    use v5::v5::DisconnectReasonCode as R;
    match reason {
        R::SessionTakenOver => DisconnectReason::TakenOver,
        R::ServerShuttingDown => DisconnectReason::ShuttingDown,
        other => DisconnectReason::Other(format!("{other:?}")),
    }
}

fn packet_of_v5(packet: v5::v5::Packet) -> Result<ServerPacket, Cause> {
    use v5::v5::{ConnectReturnCode, Packet as P, SubscribeReasonCode};
    Ok(match packet {
        P::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            let said = ack.properties.as_ref();
            let own = BrokerFacts::default();
            ServerPacket::ConnAck(BrokerFacts {
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
            ServerPacket::ConnRefused(refusal_v5(ack.code), text)
        }
        P::SubAck(ack) => {
            let answers = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(_) => None,
                refused => Some(format!("{refused:?}")),
            });
            ServerPacket::SubAck(ack.pkid, answers.collect())
        }
        P::PubAck(ack) => ServerPacket::PubAck(ack.pkid, publish_refusal(ack.reason)),
        P::Publish(message) => match String::from_utf8(message.topic.to_vec()) {
            Ok(topic) => ServerPacket::Publish {
                message: Incoming {
                    topic,
                    payload: message.payload.to_vec(),
                    retain: message.retain,
                },
                id: (message.qos != v5::QoS::AtMostOnce).then_some(message.pkid),
            },
            Err(_) => return Err(Cause::NotMqtt("a topic that is no text".to_owned())),
        },
        P::PingResp(_) => ServerPacket::PingResp,
        P::Disconnect(goodbye) => {
            let text = goodbye.properties.and_then(|p| p.reason_string);
            ServerPacket::Disconnect(Some(disconnect_reason(goodbye.reason_code)), text)
        }
        _ => ServerPacket::Other,
    })
}

fn publish_refusal(reason: v5::v5::PubAckReason) -> Option<PublishRefusal> {
    use v5::v5::PubAckReason as R;
    Some(match reason {
        R::Success | R::NoMatchingSubscribers => return None,
        R::NotAuthorized => PublishRefusal::NotAuthorized,
        R::TopicNameInvalid => PublishRefusal::TopicNameInvalid,
        R::PayloadFormatInvalid => PublishRefusal::PayloadFormatInvalid,
        R::QuotaExceeded => PublishRefusal::QuotaExceeded,
        R::PacketIdentifierInUse => PublishRefusal::PacketIdInUse,
        R::ImplementationSpecificError => PublishRefusal::ImplementationSpecific,
        R::UnspecifiedError => PublishRefusal::Unspecified,
    })
}

fn packet_of_v4(packet: v4::v4::Packet) -> ServerPacket {
    use v4::v4::{ConnectReturnCode, Packet as P, SubscribeReasonCode};
    match packet {
        P::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            ServerPacket::ConnAck(BrokerFacts::default())
        }
        P::ConnAck(ack) => ServerPacket::ConnRefused(refusal_v4(ack.code), None),
        P::SubAck(ack) => {
            let answers = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(_) => None,
                SubscribeReasonCode::Failure => Some("refused".to_owned()),
            });
            ServerPacket::SubAck(ack.pkid, answers.collect())
        }
        P::PubAck(ack) => ServerPacket::PubAck(ack.pkid, None),
        P::Publish(message) => ServerPacket::Publish {
            id: (message.qos != QoS::AtMostOnce).then_some(message.pkid),
            message: Incoming {
                topic: message.topic,
                payload: message.payload.to_vec(),
                retain: message.retain,
            },
        },
        P::PingResp => ServerPacket::PingResp,
        P::Disconnect => ServerPacket::Disconnect(None, None),
        _ => ServerPacket::Other,
    }
}

fn refusal_v4(code: v4::v4::ConnectReturnCode) -> ConnectRefusal {
    use v4::v4::ConnectReturnCode as C;
    match code {
        C::RefusedProtocolVersion => ConnectRefusal::Version,
        C::BadClientId => ConnectRefusal::ClientId,
        C::ServiceUnavailable => ConnectRefusal::Unavailable,
        C::BadUserNamePassword => ConnectRefusal::Password,
        C::NotAuthorized => ConnectRefusal::NotAuthorized,
        C::Success => ConnectRefusal::Other("it said yes and meant no"),
    }
}

fn refusal_v5(code: v5::v5::ConnectReturnCode) -> ConnectRefusal {
    use v5::v5::ConnectReturnCode as C;
    match code {
        C::RefusedProtocolVersion | C::UnsupportedProtocolVersion => ConnectRefusal::Version,
        C::BadClientId | C::ClientIdentifierNotValid => ConnectRefusal::ClientId,
        C::ServiceUnavailable
        | C::ServerUnavailable
        | C::ServerBusy
        | C::ConnectionRateExceeded => ConnectRefusal::Unavailable,
        C::BadUserNamePassword => ConnectRefusal::Password,
        C::NotAuthorized => ConnectRefusal::NotAuthorized,
        C::Banned => ConnectRefusal::Banned,
        C::BadAuthenticationMethod => ConnectRefusal::Other("bad authentication method"),
        C::TopicNameInvalid => ConnectRefusal::Other("it does not take our last will's topic"),
        C::PacketTooLarge => ConnectRefusal::Other("packet too large"),
        C::QuotaExceeded => ConnectRefusal::Other("quota exceeded"),
        C::PayloadFormatInvalid => {
            ConnectRefusal::Other("it does not take our last will's payload")
        }
        C::RetainNotSupported => ConnectRefusal::Retain,
        C::QoSNotSupported => ConnectRefusal::Qos1,
        C::UseAnotherServer | C::ServerMoved => {
            ConnectRefusal::Other("it sends us to another server")
        }
        C::MalformedPacket | C::ProtocolError => ConnectRefusal::Other("protocol error"),
        C::UnspecifiedError | C::ImplementationSpecificError | C::Success => {
            ConnectRefusal::Other("it does not say why")
        }
    }
}

/// The outbox keeps what cannot be written away; a filter or client id that is too long is left.
fn unwritable(error: impl std::fmt::Display) -> Cause {
    Cause::Unwritable(error.to_string())
}

#[cfg(test)]
mod tests;
