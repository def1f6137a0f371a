//! The outbox alone: what is sent, in which order, what survives an outage.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tesla2mqtt::outbox::Publish;
use tesla2mqtt::outbox::{EVENTS_MAX, NotSent, Outbox, Packet, TOPICS_MAX};

const LIMIT: usize = 1 << 20;

#[test]
fn a_value_that_did_not_change_is_not_sent() {
    let mut outbox = connected();
    outbox.put(state("t/a", "1"));
    assert_eq!(drain(&mut outbox), ["t/a=1"]);
    outbox.put(state("t/a", "1"));
    assert_eq!(drain(&mut outbox), [""; 0]);
    outbox.put(state("t/a", "2"));
    assert_eq!(drain(&mut outbox), ["t/a=2"]);
}

#[test]
fn only_the_newest_value_is_sent_after_an_outage() {
    let mut outbox = Outbox::new("t");
    for n in 0..1000 {
        outbox.put(state("t/a", &n.to_string()));
    }
    assert_eq!(outbox.next_packet(), None);
    outbox.connected(LIMIT);
    assert_eq!(drain(&mut outbox), ["t/a=999"]);
}

#[test]
fn a_value_that_went_back_during_an_outage_is_said_again_all_the_same() {
    let mut outbox = connected();
    outbox.put(state("t/a", "1"));
    drain(&mut outbox);
    outbox.disconnected();
    outbox.put(state("t/a", "2"));
    outbox.put(state("t/a", "1"));
    outbox.connected(LIMIT);
    assert_eq!(drain(&mut outbox), ["t/a=1"]);
}

#[test]
fn a_topic_that_is_asked_for_goes_ahead_of_the_others_even_if_it_was_said() {
    let mut outbox = connected();
    outbox.put(state("t/bridge/state", "online"));
    outbox.put(state("t/VIN/a", "1"));
    outbox.put(state("t/VIN/b", "2"));
    outbox.send_next("t/VIN/b");
    outbox.send_next("t/VIN/unknown");
    assert_eq!(
        drain(&mut outbox),
        ["t/VIN/b=2", "t/bridge/state=online", "t/VIN/a=1"]
    );
    outbox.send_next("t/VIN/b");
    assert_eq!(drain(&mut outbox), ["t/VIN/b=2"]);
}

#[test]
fn a_topic_that_is_left_out_is_said_when_it_is_let_in_again() {
    let mut outbox = connected();
    outbox.exclude("t/a");
    outbox.put(state("t/a", "1"));
    outbox.put(state("t/b", "1"));
    assert_eq!(drain(&mut outbox), ["t/b=1"]);
    outbox.put(state("t/a", "2"));
    outbox.connected(LIMIT);
    assert_eq!(drain(&mut outbox), ["t/b=1"]);
    outbox.include("t/a");
    outbox.send_next("t/a");
    assert_eq!(drain(&mut outbox), ["t/a=2"]);
}

/// A full disk or a quota of the broker's: such a message had counted as delivered for ever.
#[test]
fn what_the_broker_refused_for_the_moment_is_said_again() {
    let mut outbox = connected();
    outbox.put(state("t/a", "1"));
    outbox.put(event("t/e", "1"));
    outbox.put(Publish::Delete {
        topic: "t/gone".into(),
    });
    let send = |outbox: &mut Outbox| {
        while let Some(packet) = outbox.next_packet() {
            outbox.put_back(packet.ticket);
        }
    };
    send(&mut outbox);
    for _ in 0..3 {
        assert!(!outbox.has_work(), "not at once");
        for topic in ["t/a", "t/e", "t/gone"] {
            outbox.send_again(topic);
        }
        assert!(outbox.has_work());
        send(&mut outbox);
    }
    for topic in ["t/a", "t/e", "t/gone"] {
        outbox.send_again(topic);
    }
    assert_eq!(drain(&mut outbox), ["t/a=1", "t/gone=", "t/e!1"]);
}

#[test]
fn what_makes_the_rest_readable_comes_first_on_every_connection() {
    let mut outbox = Outbox::new("t");
    outbox.put(event("t/VIN/event/drive", "1"));
    outbox.put(state("t/VIN/odometer", "1"));
    outbox.put(state("teslamate/cars/1/odometer", "2"));
    outbox.put(state("t/VIN/availability", "online"));
    outbox.put(state("homeassistant/device/tesla2mqtt_VIN/config", "{}"));
    outbox.put(state("t/bridge/state", "online"));
    for _ in 0..2 {
        outbox.connected(LIMIT);
        assert_eq!(
            drain(&mut outbox),
            [
                "t/bridge/state=online",
                "t/VIN/availability=online",
                "homeassistant/device/tesla2mqtt_VIN/config={}",
                "t/VIN/odometer=1",
                "teslamate/cars/1/odometer=2",
                "t/VIN/event/drive!1",
            ]
        );
        outbox.disconnected();
    }
}

#[test]
fn a_value_that_changes_all_the_time_does_not_push_the_others_back() {
    let mut outbox = connected();
    outbox.put(state("t/fast", "1"));
    outbox.put(state("t/slow", "1"));
    outbox.put(state("t/fast", "2"));
    assert_eq!(said(outbox.next_packet()), "t/fast=2");
    outbox.put(state("t/fast", "3"));
    assert_eq!(said(outbox.next_packet()), "t/slow=1");
}

#[test]
fn everything_is_said_again_when_home_assistant_asks() {
    let mut outbox = connected();
    outbox.put(state("t/a", "1"));
    outbox.put(state("t/b", "1"));
    drain(&mut outbox);
    outbox.put(Publish::Everything);
    assert_eq!(drain(&mut outbox), ["t/a=1", "t/b=1"]);
}

#[test]
fn a_delete_is_owed_until_it_is_confirmed_also_where_its_topic_is_left_out() {
    let mut outbox = connected();
    assert!(!outbox.has_unconfirmed_deletes());
    let topic = || "t/a".to_owned();
    outbox.put(Publish::Delete { topic: topic() });
    let sent = outbox.next_packet().unwrap();
    assert!(
        outbox.has_unconfirmed_deletes() && !outbox.has_work(),
        "under way"
    );
    outbox.acknowledged(sent.ticket);
    assert!(!outbox.has_unconfirmed_deletes());

    outbox.put(Publish::Delete { topic: topic() });
    outbox.exclude("t/a");
    assert_eq!(outbox.next_packet(), None);
    assert!(
        outbox.has_unconfirmed_deletes() && !outbox.has_work(),
        "left out"
    );
}

/// Else a value of before could come back: the delete counted as done before either was said.
#[test]
fn a_value_that_replaces_a_delete_owes_what_it_was_asked_for() {
    let mut outbox = connected();
    let topic = || "t/a".to_owned();
    outbox.put(Publish::Delete { topic: topic() });
    let delete = outbox.next_packet().unwrap();
    outbox.put(state("t/a", "1"));
    outbox.acknowledged(delete.ticket);
    assert_eq!(outbox.unconfirmed_deletes(), [topic()].into());
    let value = outbox.next_packet().unwrap();
    assert_eq!(&*value.payload, "1");
    outbox.refused(value.ticket);
    assert_eq!(outbox.unconfirmed_deletes(), [topic()].into());
    outbox.send_again("t/a");
    let value = outbox.next_packet().unwrap();
    outbox.acknowledged(value.ticket);
    assert_eq!(outbox.unconfirmed_deletes(), [].into());
    assert!(!outbox.has_unconfirmed_deletes());
}

/// It had counted as confirmed, and was forgotten after two connections.
#[test]
fn a_delete_that_the_broker_refuses_is_owed_for_ever_and_said_with_each_connection() {
    let mut outbox = connected();
    let topic = "t/a".to_owned();
    outbox.put(Publish::Delete { topic });
    outbox.put(state("t/b", "1"));
    for _ in 0..3 {
        while let Some(packet) = outbox.next_packet() {
            outbox.refused(packet.ticket);
        }
        assert!(outbox.has_unconfirmed_deletes() && !outbox.has_work());
        outbox.disconnected();
        outbox.connected(LIMIT);
    }
    let sent = outbox.next_packet().unwrap();
    assert_eq!(&*sent.topic, "t/a");
    outbox.acknowledged(sent.ticket);
    // Another topic's refusal is not about it.
    let other = outbox.next_packet().unwrap();
    outbox.refused(other.ticket);
    assert!(!outbox.has_unconfirmed_deletes());
}

/// The later one had been taken for it, and it was not said again on this connection.
#[test]
fn an_event_that_was_refused_is_there_until_it_is_acknowledged_or_refused_for_good() {
    let mut outbox = connected();
    outbox.put(event("t/e", "1"));
    let first = outbox.next_packet().unwrap();
    outbox.put_back(first.ticket);
    outbox.put(event("t/e", "2"));
    let second = outbox.next_packet().unwrap();
    outbox.acknowledged(second.ticket);
    assert!(outbox.has_event("t/e") && !outbox.has_event("t/other"));
    outbox.send_again("t/e");
    assert_eq!(drain(&mut outbox), ["t/e!1"]);
    outbox.refused(first.ticket);
    assert!(!outbox.has_event("t/e"));
}

#[test]
fn an_event_is_repeated_until_it_is_acknowledged() {
    let mut outbox = connected();
    outbox.put(event("t/e", "1"));
    outbox.put(event("t/e", "2"));
    let first = outbox.next_packet().unwrap();
    outbox.next_packet().unwrap();
    outbox.acknowledged(first.ticket);
    outbox.disconnected();
    outbox.connected(LIMIT);
    assert_eq!(drain(&mut outbox), ["t/e!2"]);
}

#[test]
fn events_are_bounded_and_the_oldest_goes_first() {
    let mut outbox = Outbox::new("t");
    for n in 0..EVENTS_MAX + 3 {
        outbox.put(event("t/e", &n.to_string()));
    }
    assert_eq!(outbox.take_not_sent(), [NotSent::TooManyEvents]);
    outbox.connected(LIMIT);
    let said = drain(&mut outbox);
    assert_eq!((said.len(), said[0].as_str()), (EVENTS_MAX, "t/e!3"));
}

#[test]
fn topics_are_bounded_and_those_that_are_there_keep_working() {
    let mut outbox = Outbox::new("t");
    for n in 0..TOPICS_MAX + 10 {
        outbox.put(state(&format!("t/{n}"), "x"));
    }
    assert_eq!(outbox.n_topics(), TOPICS_MAX);
    let not_sent = outbox.take_not_sent();
    assert!(matches!(not_sent[..], [NotSent::TooManyTopics { .. }]));
    outbox.connected(LIMIT);
    drain(&mut outbox);
    outbox.put(state("t/0", "y"));
    assert_eq!(drain(&mut outbox), ["t/0=y"]);
}

#[test]
fn a_delete_is_said_in_two_connections_and_then_forgotten() {
    let mut outbox = connected();
    outbox.put(Publish::Delete {
        topic: "t/a".into(),
    });
    for connection in 0..3 {
        let deletes = if connection < 2 { vec!["t/a="] } else { vec![] };
        let packets: Vec<Packet> = std::iter::from_fn(|| outbox.next_packet()).collect();
        for packet in &packets {
            outbox.acknowledged(packet.ticket);
        }
        let said: Vec<String> = packets.into_iter().map(|p| said(Some(p))).collect();
        assert_eq!(said, deletes, "connection {connection}");
        outbox.disconnected();
        outbox.connected(LIMIT);
    }
    assert_eq!(outbox.n_topics(), 0);
}

#[test]
fn a_delete_that_was_not_acknowledged_is_not_forgotten() {
    let mut outbox = connected();
    outbox.put(Publish::Delete {
        topic: "t/a".into(),
    });
    for _ in 0..5 {
        assert_eq!(drain(&mut outbox), ["t/a="]);
        outbox.disconnected();
        outbox.connected(LIMIT);
    }
}

#[test]
fn the_acknowledgement_of_an_old_delete_does_not_count_for_a_new_one() {
    let mut outbox = connected();
    outbox.put(Publish::Delete {
        topic: "t/a".into(),
    });
    let old = outbox.next_packet().unwrap().ticket;
    outbox.put(state("t/a", "1"));
    outbox.put(Publish::Delete {
        topic: "t/a".into(),
    });
    let new = outbox.next_packet().unwrap().ticket;
    outbox.acknowledged(old);
    outbox.acknowledged(new);
    outbox.connected(LIMIT);
    assert_eq!(drain(&mut outbox), ["t/a="]);
}

#[test]
fn what_the_broker_does_not_take_is_left_out_with_one_warning() {
    let mut outbox = Outbox::new("t");
    outbox.put(state("t/big", &"x".repeat(500)));
    outbox.put(state("t/small", "1"));
    for connection in 0..2 {
        outbox.connected(200);
        assert_eq!(drain(&mut outbox), ["t/small=1"]);
        let not_sent = outbox.take_not_sent();
        if connection == 0 {
            assert!(matches!(
                &not_sent[..],
                [NotSent::TooLarge { topic, limit: 200, .. }] if topic == "t/big"
            ));
        } else {
            assert_eq!(not_sent, []);
        }
        outbox.disconnected();
    }
    outbox.connected(LIMIT);
    assert_eq!(
        drain(&mut outbox).len(),
        2,
        "a broker that takes more gets it"
    );
}

#[test]
fn topics_that_would_end_the_connection_are_refused() {
    let mut outbox = connected();
    for bad in ["", "t/+", "t/#", "t/\0", "t/\n", "$SYS/x"] {
        outbox.put(state(bad, "1"));
        outbox.put(event(bad, "1"));
        outbox.put(Publish::Delete { topic: bad.into() });
    }
    outbox.put(state("t/a", ""));
    assert_eq!(drain(&mut outbox), [""; 0]);
    let not_sent = outbox.take_not_sent();
    assert_eq!(
        not_sent,
        [
            NotSent::IllegalTopic(String::new()),
            NotSent::EmptyPayload("t/a".into())
        ]
    );
}

/// One thing that happens to the outbox or between it and the broker.
#[derive(Debug, Clone)]
enum OutboxStep {
    Put(u8, u8),
    Delete(u8),
    Event,
    Everything,
    /// Sends up to so many; the broker gets them all.
    Send(u8),
    /// Acknowledges up to so many of what the broker got.
    Acknowledge(u8),
    /// The connection ends; what was sent since the last acknowledgement may be lost.
    Disconnect {
        lost: u8,
    },
    Connect {
        broker_lost_its_memory: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<OutboxStep>> {
    let step = prop_oneof![
        6 => (0..6_u8, 0..4_u8).prop_map(|(topic, value)| OutboxStep::Put(topic, value)),
        1 => (0..6_u8).prop_map(OutboxStep::Delete),
        1 => Just(OutboxStep::Event),
        1 => Just(OutboxStep::Everything),
        4 => (1..8_u8).prop_map(OutboxStep::Send),
        4 => (1..8_u8).prop_map(OutboxStep::Acknowledge),
        1 => (0..8_u8).prop_map(|lost| OutboxStep::Disconnect { lost }),
        2 => any::<bool>().prop_map(|b| OutboxStep::Connect { broker_lost_its_memory: b }),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #[test]
    fn once_drained_the_broker_holds_the_newest_value_of_each_topic(steps in steps()) {
        let mut outbox = Outbox::new("t");
        let mut broker: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        let mut wanted: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut events_wanted: Vec<String> = Vec::new();
        let mut events_seen: Vec<Arc<str>> = Vec::new();
        let mut on_the_wire: Vec<Packet> = Vec::new();
        let mut up = false;

        for step in steps {
            match step {
                OutboxStep::Put(topic, value) => {
                    let (topic, value) = (format!("t/{topic}"), value.to_string());
                    outbox.put(state(&topic, &value));
                    wanted.insert(topic, Some(value));
                }
                OutboxStep::Delete(topic) => {
                    let topic = format!("t/{topic}");
                    outbox.put(Publish::Delete { topic: topic.clone() });
                    wanted.insert(topic, None);
                }
                OutboxStep::Event => {
                    let id = events_wanted.len().to_string();
                    outbox.put(event("t/e", &id));
                    events_wanted.push(id);
                }
                OutboxStep::Everything => outbox.put(Publish::Everything),
                OutboxStep::Send(n) => {
                    for _ in 0..n {
                        let Some(packet) = outbox.next_packet() else { break };
                        prop_assert!(up, "nothing is sent while the broker is away");
                        on_the_wire.push(packet);
                    }
                }
                OutboxStep::Acknowledge(n) => {
                    for _ in 0..n {
                        if on_the_wire.is_empty() { break }
                        let packet = on_the_wire.remove(0);
                        arrive(&mut broker, &mut events_seen, &packet);
                        outbox.acknowledged(packet.ticket);
                    }
                }
                OutboxStep::Disconnect { lost } => {
                    let arrived = on_the_wire.len().saturating_sub(lost.into());
                    for packet in &on_the_wire[..arrived] {
                        arrive(&mut broker, &mut events_seen, packet);
                    }
                    on_the_wire.clear();
                    outbox.disconnected();
                    up = false;
                }
                OutboxStep::Connect { broker_lost_its_memory } => {
                    on_the_wire.clear();
                    if broker_lost_its_memory {
                        broker.clear();
                    }
                    outbox.connected(LIMIT);
                    up = true;
                }
            }
        }
        if !up {
            outbox.connected(LIMIT);
        }
        for packet in on_the_wire {
            arrive(&mut broker, &mut events_seen, &packet);
        }
        while let Some(packet) = outbox.next_packet() {
            arrive(&mut broker, &mut events_seen, &packet);
            outbox.acknowledged(packet.ticket);
        }
        prop_assert!(!outbox.has_work());
        for (topic, value) in &wanted {
            prop_assert_eq!(broker.get(topic.as_str()).map(|v| &**v), value.as_deref(), "{}", topic);
        }
        let seen: Vec<&str> = events_seen.iter().map(|e| &**e).collect();
        prop_assert_eq!(seen, events_wanted, "every event arrives, in order");
    }
}

/// A message reaches the broker of the property test.
fn arrive(broker: &mut BTreeMap<Arc<str>, Arc<str>>, seen: &mut Vec<Arc<str>>, packet: &Packet) {
    if !packet.retain {
        if !seen.contains(&packet.payload) {
            seen.push(Arc::clone(&packet.payload));
        }
    } else if packet.payload.is_empty() {
        broker.remove(&packet.topic);
    } else {
        broker.insert(Arc::clone(&packet.topic), Arc::clone(&packet.payload));
    }
}

fn connected() -> Outbox {
    let mut outbox = Outbox::new("t");
    outbox.connected(LIMIT);
    outbox
}

fn state(topic: &str, payload: &str) -> Publish {
    Publish::State {
        topic: topic.into(),
        payload: payload.into(),
    }
}

fn event(topic: &str, payload: &str) -> Publish {
    Publish::Event {
        topic: topic.into(),
        payload: payload.into(),
    }
}

/// `topic=payload`, with `!` for what is not retained.
fn said(packet: Option<Packet>) -> String {
    let packet = packet.expect("something to send");
    let mark = if packet.retain { '=' } else { '!' };
    format!("{}{mark}{}", packet.topic, packet.payload)
}

fn drain(outbox: &mut Outbox) -> Vec<String> {
    std::iter::from_fn(|| outbox.next_packet())
        .map(|packet| said(Some(packet)))
        .collect()
}
