//! What a bridge and its broker said, from pieces of TCP: which message came when, and when it was
//! acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// First byte of an MQTT packet without its flags.
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
/// Reason codes from here on are refusals.
const REFUSED: u8 = 0x80;

/// A message with QoS 1.
pub struct PublishedMessage {
    /// When it had passed to the broker's socket.
    pub arrived: Timestamp,
    pub acknowledged: Option<Timestamp>,
}

/// A piece of one direction of a connection.
pub struct TcpSegment {
    pub at: Timestamp,
    pub from_port: u16,
    pub to_port: u16,
    pub sequence: u32,
    pub bytes: Vec<u8>,
}

/// Each message to a topic that begins like this, oldest first.
pub fn messages(passed: &[TcpSegment], broker_port: u16, prefix: &str) -> Vec<PublishedMessage> {
    let bridges: BTreeSet<_> = passed
        .iter()
        .filter_map(|segment| {
            let TcpSegment {
                from_port, to_port, ..
            } = *segment;
            (to_port == broker_port).then_some(from_port)
        })
        .collect();
    let bridge_port = match bridges.len() {
        0 => return Vec::new(),
        1 => bridges.first().copied().unwrap_or_default(),
        n => panic!("{n} connections to the broker, expected the bridge's only"),
    };
    let mut messages = BTreeMap::new();
    for (at, packet) in packets(passed, bridge_port, broker_port) {
        if let Some((topic, id)) = published(&packet)
            && topic.starts_with(prefix.as_bytes())
        {
            let message = PublishedMessage {
                arrived: at,
                acknowledged: None,
            };
            assert!(
                messages.insert(id, message).is_none(),
                "id {id} is used twice"
            );
        }
    }
    for (at, packet) in packets(passed, broker_port, bridge_port) {
        if let [PUBACK, id_high, id_low, rest @ ..] = packet.as_slice() {
            let id = u16::from_be_bytes([*id_high, *id_low]);
            assert!(rest.first() < Some(&REFUSED), "the broker refused {id}");
            if let Some(message) = messages.get_mut(&id) {
                message.acknowledged = Some(at);
            }
        }
    }
    let mut messages: Vec<_> = messages.into_values().collect();
    messages.sort_by_key(|message| message.arrived);
    messages
}

/// Every whole MQTT packet of one direction without its length, and when the last of its bytes had
/// passed. TCP may send something late, or once more.
fn packets(passed: &[TcpSegment], from_port: u16, to_port: u16) -> Vec<(Timestamp, Vec<u8>)> {
    let mut packets = Vec::new();
    let mut early: Vec<(usize, &TcpSegment)> = Vec::new();
    let mut waiting = Vec::new();
    let mut first = None;
    let mut n_known = 0;
    for segment in passed {
        if (segment.from_port, segment.to_port) != (from_port, to_port) {
            continue;
        }
        let first = *first.get_or_insert(segment.sequence);
        early.push((segment.sequence.wrapping_sub(first) as usize, segment));
        while let Some(nth) = early.iter().position(|(offset, _)| *offset <= n_known) {
            let (offset, next) = early.swap_remove(nth);
            let fresh = next.bytes.get(n_known - offset..).unwrap_or_default();
            n_known += fresh.len();
            waiting.extend_from_slice(fresh);
        }
        while let Some((packet, n_bytes)) = first_packet(&waiting) {
            packets.push((segment.at, packet));
            waiting.drain(..n_bytes);
        }
    }
    packets
}

/// Topic and id of a message that is to be acknowledged; the packet is without its length.
fn published(packet: &[u8]) -> Option<(&[u8], u16)> {
    let (first, body) = packet.split_first()?;
    let asks_for_acknowledgement = first >> 1 & 0b11 == 1;
    if first & 0xF0 != PUBLISH || !asks_for_acknowledgement {
        return None;
    }
    let (length, body) = body.split_first_chunk::<2>()?;
    let (topic, rest) = body.split_at_checked(u16::from_be_bytes(*length).into())?;
    let (id, _) = rest.split_first_chunk::<2>()?;
    Some((topic, u16::from_be_bytes(*id)))
}

/// The first packet without its length, and how many bytes it takes with it.
fn first_packet(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (first, rest) = bytes.split_first()?;
    let mut length = 0;
    for (nth, byte) in rest.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7F) << (7 * nth);
        if byte & 0x80 == 0 {
            let body = rest[nth + 1..].get(..length)?;
            let packet = [&[*first], body].concat();
            return Some((packet, 1 + nth + 1 + length));
        }
    }
    None
}

#[cfg(test)]
mod tests;
