use std::time::Duration;

use proptest::prelude::*;

use super::*;

const BOTH: [Protocol; 2] = [Protocol::V5, Protocol::V4];

fn received(protocol: Protocol, bytes: &[u8]) -> Result<Option<ServerPacket>, Cause> {
    read(protocol, &mut BytesMut::from(bytes))
}

fn settings(protocol: Protocol) -> config::MqttSettings {
    config::MqttSettings {
        host: "broker.home".into(),
        port: 1883,
        tls: None,
        username: None,
        password: None,
        client_id: None,
        protocol,
        base_topic: "tesla2mqtt".into(),
        keep_alive: Duration::from_secs(15),
    }
}

#[test]
fn every_goodbye_of_a_broker_is_understood() {
    let goodbye = |reason| Ok(Some(ServerPacket::Disconnect(reason, None)));
    let taken_over = goodbye(Some(DisconnectReason::TakenOver));
    assert_eq!(received(Protocol::V5, &[0xE0, 1, 0x8E]), taken_over);
    let with_properties = [0xE0, 2, 0x8E, 0];
    assert_eq!(received(Protocol::V5, &with_properties), taken_over);
    assert_eq!(received(Protocol::V5, &[0xE0, 0]), goodbye(None));
    assert_eq!(received(Protocol::V5, &[0xE0]), Ok(None));
    assert_eq!(received(Protocol::V5, &[0xE0, 1]), Ok(None));
}

/// The client crate waits for properties, so that the broker was taken for a silent one.
#[test]
fn the_no_of_a_broker_that_knows_only_3_1_1_is_understood_at_once() {
    for (code, refusal) in [
        (1, ConnectRefusal::Version),
        (2, ConnectRefusal::ClientId),
        (3, ConnectRefusal::Unavailable),
        (4, ConnectRefusal::Password),
        (5, ConnectRefusal::NotAuthorized),
    ] {
        let no = received(Protocol::V5, &[0x20, 2, 0, code]);
        assert_eq!(no, Ok(Some(ServerPacket::ConnRefused(refusal, None))));
    }
}

#[test]
fn what_a_broker_says_of_its_no_is_kept() {
    let no = [0x20, 9, 0, 0x97, 6, 0x1F, 0, 3, b'1', b'/', b'h'];
    let no = received(Protocol::V5, &no);
    assert!(
        matches!(
            &no,
            Ok(Some(ServerPacket::ConnRefused(ConnectRefusal::Other(_), Some(text)))) if text == "1/h"
        ),
        "{no:?}"
    );
}

#[test]
fn a_full_broker_may_take_a_message_later_and_a_forbidden_topic_never() {
    for (code, is_for_now) in [
        (0x80, true),
        (0x83, true),
        (0x97, true),
        (0x87, false),
        (0x90, false),
    ] {
        let puback = received(Protocol::V5, &[0x40, 4, 0, 7, code, 0]);
        let Ok(Some(ServerPacket::PubAck(7, Some(refusal)))) = puback else {
            panic!("{code:#x}: {puback:?}");
        };
        assert_eq!(refusal.is_for_now(), is_for_now, "{refusal:?}");
    }
}

#[test]
fn a_half_packet_waits_for_its_other_half() {
    for protocol in BOTH {
        let mut arrived = BytesMut::from(&[0x40u8, 2, 0][..]);
        assert!(matches!(read(protocol, &mut arrived), Ok(None)));
        arrived.extend_from_slice(&[7, 0xD0, 0]);
        assert!(matches!(
            read(protocol, &mut arrived),
            Ok(Some(ServerPacket::PubAck(7, None)))
        ));
        assert!(matches!(
            read(protocol, &mut arrived),
            Ok(Some(ServerPacket::PingResp))
        ));
        assert!(matches!(read(protocol, &mut arrived), Ok(None)));
    }
}

#[test]
fn no_other_protocol_is_taken_for_a_broker() {
    for protocol in BOTH {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html><body>No, this is not the page"[..],
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"\x00\x00\x00\x00",
        ] {
            let packet = received(protocol, bytes);
            assert!(
                !matches!(packet, Ok(Some(ServerPacket::ConnAck(_) | ServerPacket::ConnRefused(..)))),
                "{protocol:?} {bytes:?}: {packet:?}"
            );
        }
    }
}

proptest! {
    /// What we say comes out as it went in, at a broker that reads it with the same crate.
    #[test]
    fn a_message_survives_its_way(
        topic in "[a-z0-9_/]{1,80}", payload in ".{0,400}", retain: bool,
        id in proptest::option::of(1u16..),
    ) {
        for protocol in BOTH {
            let mut out = BytesMut::new();
            let (topic, payload) = (topic.clone(), payload.clone());
            let packet = ClientPacket::Publish { topic: topic.as_str().into(), payload: payload.as_str().into(), retain, id };
            write(&settings(protocol), packet, &mut out).expect("written");
            let read = read(protocol, &mut out);
            let Ok(Some(ServerPacket::Publish { message, id: read_id })) = read else {
                return Err(TestCaseError::fail(format!("{read:?}")));
            };
            prop_assert_eq!(message.topic, topic);
            prop_assert_eq!(message.payload, payload.into_bytes());
            prop_assert_eq!((message.retain, read_id), (retain, id));
            prop_assert!(out.is_empty());
        }
    }

    /// A broker may send anything.
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for protocol in BOTH {
            let mut arrived = BytesMut::from(&bytes[..]);
            for _ in 0..200 {
                if !matches!(read(protocol, &mut arrived), Ok(Some(_))) {
                    break;
                }
            }
        }
    }

    /// The same, beginning like a packet that brokers send.
    #[test]
    fn no_broken_packet_makes_it_panic(
        first in proptest::sample::select(vec![0x20u8, 0x30, 0x32, 0x40, 0x90, 0xB0, 0xD0, 0xE0]),
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        for protocol in BOTH {
            let mut arrived = BytesMut::new();
            arrived.extend_from_slice(&[first, u8::try_from(bytes.len()).expect("short")]);
            arrived.extend_from_slice(&bytes);
            let _ = read(protocol, &mut arrived);
        }
    }
}
