//! How the benchmark reads what passed between bridge and broker.

use std::ops::Range;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{TcpSegment, messages};

const BROKER: u16 = 1883;
const BRIDGE: u16 = 40_000;

fn second(nth: usize) -> Timestamp {
    Timestamp::from_second(i64::try_from(nth).expect("few")).expect("early")
}

/// Pieces of what the bridge says, each at the second of its place in the list.
fn said(stream: &[u8], begins: u32, pieces: &[Range<usize>]) -> Vec<TcpSegment> {
    let segment = |(nth, piece): (usize, &Range<usize>)| TcpSegment {
        at: second(nth),
        from_port: BRIDGE,
        to_port: BROKER,
        sequence: begins.wrapping_add(u32::try_from(piece.start).expect("short")),
        bytes: stream[piece.clone()].to_vec(),
    };
    pieces.iter().enumerate().map(segment).collect()
}

/// A message with QoS 1 and the payload `on`.
fn message(topic: &str, id: u8) -> Vec<u8> {
    let topic_length = u8::try_from(topic.len()).expect("short");
    let head = [0x33, topic_length + 7, 0, topic_length];
    [&head[..], topic.as_bytes(), &[0, id, 0], b"on"].concat()
}

#[test]
fn what_is_sent_again_counts_when_it_first_passed() {
    let stream = [message("a/b", 1), message("c/d", 2), message("a/c", 3)].concat();
    let pieces = [0..4, 4..14, 2..20, 0..4, 20..stream.len()];
    let mut passed = said(&stream, u32::MAX - 5, &pieces);
    passed.push(TcpSegment {
        at: second(9),
        from_port: BROKER,
        to_port: BRIDGE,
        sequence: 7,
        bytes: vec![0x40, 2, 0, 1],
    });
    let messages = messages(&passed, BROKER, "a/");
    let told: Vec<_> = messages
        .iter()
        .map(|m| (m.arrived, m.acknowledged))
        .collect();
    assert_eq!(told, [(second(1), Some(second(9))), (second(4), None)]);
}

#[test]
fn a_gap_ends_what_is_known() {
    let stream = [message("a/b", 1), message("a/c", 2)].concat();
    let passed = said(&stream, 0, &[0..14, 15..stream.len()]);
    assert_eq!(messages(&passed, BROKER, "a/").len(), 1);
}

#[test]
#[should_panic(expected = "2 connections")]
fn a_second_connection_is_no_measurement() {
    let mut passed = said(&message("a/b", 1), 0, &[0..12, 0..12]);
    passed[1].from_port = BRIDGE + 1;
    messages(&passed, BROKER, "a/");
}

proptest! {
    #[test]
    fn order_and_repetition_lose_nothing(
        cuts in prop::collection::btree_set(1_usize..120, 0..12),
        begins: u32, mix in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream: Vec<_> = (1..=10).flat_map(|id| message("a/b", id)).collect();
        let ends = cuts.iter().copied().chain([stream.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let mut pieces: Vec<_> = starts.zip(ends).map(|(from, to)| from..to).collect();
        for index in mix {
            // The first piece stays first: that is where the connection begins.
            let nth = index.index(pieces.len());
            let again = pieces[nth].clone();
            pieces.push(again);
            let last = pieces.len() - 1;
            if nth > 0 {
                pieces.swap(nth, last);
            }
        }
        prop_assert_eq!(messages(&said(&stream, begins, &pieces), BROKER, "a/").len(), 10);
    }
}
