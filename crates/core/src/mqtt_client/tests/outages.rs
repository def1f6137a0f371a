//! The broker goes and comes back, with and without its memory.

use std::collections::BTreeMap;
use std::time::Duration;

use super::broker::*;
use crate::mqtt_client::{ClientInput, ClientNotice, ClientPacket, Connection};
use crate::outbox::Publish;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_topic_is_back_within_a_second_of_a_broker_that_lost_its_memory() {
    let mut world = ClientWorld::new(Plain);
    let mut wanted = BTreeMap::from([(STATE.to_owned(), "online".to_owned())]);
    for n in 0..300 {
        let topic = format!("tesla2mqtt/VIN/key_{n}");
        world.state(&topic, "first");
        wanted.insert(topic, "first".to_owned());
    }
    world.until_delivered();
    assert_eq!(world.stored, wanted);
    world.cut(Network::Refuses, true);
    world.run_for(Duration::from_hours(8));
    for value in ["lost", "newest"] {
        for n in 0..30 {
            let topic = format!("tesla2mqtt/VIN/key_{n}");
            world.state(&topic, value);
            wanted.insert(topic, value.to_owned());
        }
    }
    let n_heard = world.heard.len();
    world.network = Network::Open;
    let back_after = world.until("all topics again", |world| world.stored == wanted);
    assert!(back_after <= SECOND, "{back_after:?}");
    let lost = |(_, packet): &(usize, ClientPacket)| matches!(packet, ClientPacket::Publish { payload, .. } if **payload == *"lost");
    assert!(
        !world.heard[n_heard..].iter().any(lost),
        "only the newest value of the outage is sent"
    );
    world.until_delivered();
    assert_eq!(world.status, Connection::Up(2));
}

/// From the third on each had counted as a suspiciously short connection, and took seconds.
#[test]
fn everything_is_back_soon_after_each_of_many_restarts_in_a_row() {
    const N_TOPICS: usize = 150;
    let mut world = ClientWorld::new(Plain);
    for n in 0..N_TOPICS {
        world.state(&format!("tesla2mqtt/VIN/{n}"), "1");
    }
    for restart in 1..=20 {
        world.until_delivered();
        world.cut(Network::Refuses, true);
        world.run_for(SECOND);
        world.network = Network::Open;
        let waited = world.until("all topics", |world| world.stored.len() == N_TOPICS + 1);
        assert!(waited <= SECOND, "{waited:?} after restart {restart}");
    }
}

#[test]
fn an_outage_is_two_lines_however_often_it_is_tried() {
    let mut world = ClientWorld::new(Plain);
    for n in 0..10 {
        world.state(&format!("tesla2mqtt/VIN/{n}"), "1");
    }
    world.until_delivered();
    world.cut(Network::Refuses, true);
    world.run_for(Duration::from_hours(8));
    assert!(world.tried_at.len() > 2 * 8 * 3600, "twice a second");
    world.network = Network::Open;
    world.until_delivered();
    assert!(world.shut_down().offline_acknowledged);
    let [connected, lost, away, back, offline] = &world.notices[..] else {
        panic!("{:#?}", world.notices);
    };
    assert_eq!(*connected, ClientNotice::Connected { n_topics: 11 });
    assert!(matches!(lost, ClientNotice::Lost(_)), "{lost:?}");
    assert!(
        matches!(away, ClientNotice::Unreachable(reason) if reason.to_string().contains("nothing listens at broker")),
        "{away:?}"
    );
    let hours = Duration::from_hours(8);
    assert!(
        matches!(back, ClientNotice::Back { away, n_topics: 11 } if (hours..hours + SECOND).contains(away)),
        "{back:?}"
    );
    assert_eq!(*offline, ClientNotice::OfflineAcknowledged);
}

#[test]
fn nothing_is_lost_over_connections_that_are_cut_again_and_again() {
    let mut world = ClientWorld::new(Plain);
    let n_events = 60;
    for n in 0..n_events {
        world.state("tesla2mqtt/VIN/odometer", &n.to_string());
        world.publish(Publish::Event {
            topic: "tesla2mqtt/VIN/event/drive".to_owned(),
            payload: n.to_string().into(),
        });
        if n % 20 == 10 {
            world.until("up", |world| matches!(world.status, Connection::Up(_)));
            world.cut(Network::Open, false);
        }
    }
    world.until_delivered();
    assert_eq!(world.stored["tesla2mqtt/VIN/odometer"], "59");
    let mut events: Vec<u32> = Vec::new();
    for (_, packet) in &world.heard {
        if let ClientPacket::Publish { topic, payload, .. } = packet
            && topic.ends_with("/drive")
        {
            let n = payload.parse().expect("a number");
            if !events.contains(&n) {
                events.push(n);
            }
        }
    }
    let all: Vec<u32> = (0..n_events).collect();
    assert_eq!(events, all, "every event at least once, in order");
}

#[test]
fn a_network_that_swallows_everything_is_noticed_and_leaves_nothing_stale() {
    let mut world = ClientWorld::new(Plain);
    world.state("tesla2mqtt/VIN/a", "before");
    world.until_delivered();
    world.network = Network::Swallows;
    for n in 0..500 {
        world.state("tesla2mqtt/VIN/a", &n.to_string());
    }
    let waited = world.until("it is noticed", |world| {
        matches!(&world.status, Connection::Down(_))
    });
    // Two keep-alives of 15 s, or as long without any acknowledgement.
    assert!(waited <= Duration::from_secs(31), "{waited:?}");
    world.until(
        "no answer",
        |world| matches!(&world.status, Connection::Down(why) if why.contains("does not answer")),
    );
    world.network = Network::Open;
    world.until_delivered();
    assert_eq!(world.stored["tesla2mqtt/VIN/a"], "499");
}

#[test]
fn a_broker_that_answers_pings_and_acknowledges_nothing_is_given_up() {
    let mut world = ClientWorld::new(Plain);
    world.until_delivered();
    world.run_for(Duration::from_hours(1));
    world.network = Network::AnswersPings;
    world.run_for(Duration::from_mins(10));
    assert_eq!(
        world.status,
        Connection::Up(1),
        "nothing is to be acknowledged"
    );
    world.state("tesla2mqtt/VIN/a", "1");
    let waited = world.until("it is noticed", |world| {
        matches!(&world.status, Connection::Down(why) if why.contains("acknowledges nothing"))
    });
    assert_eq!(waited, Duration::from_secs(30));
}

#[test]
fn a_broker_that_never_answers_is_given_up_in_time() {
    let mut world = ClientWorld::new(Plain);
    world.network = Network::Swallows;
    let waited = world.until(
        "it is given up",
        |world| matches!(&world.status, Connection::Down(why) if why.contains("does not answer")),
    );
    assert_eq!(waited, Duration::from_secs(5));
}

#[test]
fn a_deleted_topic_is_deleted_again_from_a_broker_that_remembered_it() {
    let topic = "tesla2mqtt/VIN/gone";
    let mut world = ClientWorld::new(Plain);
    world.state(topic, "1");
    world.until_delivered();
    world.delete(topic);
    for _ in 0..2 {
        world.until_delivered();
        assert!(!world.stored.contains_key(topic));
        // As a broker does that was killed and reads an old copy from its disk.
        world.cut(Network::Refuses, false);
        world.stored.insert(topic.to_owned(), "1".to_owned());
        world.network = Network::Open;
        world.until("up", |world| matches!(world.status, Connection::Up(_)));
    }
    world.until_delivered();
    assert_eq!(
        world.n_said(topic, ""),
        2,
        "confirmed in two connections, and no more"
    );
}

#[test]
fn a_packet_of_the_connection_before_is_not_taken_for_one_of_this() {
    let mut world = ClientWorld::new(Plain);
    world.until_delivered();
    world.cut(Network::Refuses, false);
    let left_over = crate::mqtt_client::ServerPacket::Disconnect(None, None);
    let before = world.client.due_at(world.now);
    world
        .client
        .handle(ClientInput::Received(left_over), world.now);
    assert_eq!(world.client.due_at(world.now), before);
}
