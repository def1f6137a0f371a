//! How it ends: drained, or with a broker that does not answer.

use std::time::Duration;

use super::broker::*;
use crate::mqtt_client::{ClientNotice, ClientPacket, DRAIN_MAX, DrainOutcome, PublishRefusal};

fn says_goodbye<H>(world: &ClientWorld<H>) -> bool {
    let goodbye = |packet: &ClientPacket| matches!(packet, ClientPacket::Disconnect);
    world.heard.iter().any(|(_, packet)| goodbye(packet))
}

#[test]
fn the_last_values_and_offline_arrive_before_the_goodbye() {
    let mut world = ClientWorld::new(Plain);
    world.until_delivered();
    for n in 0..600 {
        world.state(&format!("tesla2mqtt/VIN/{n}"), "last");
    }
    let begun = world.now;
    let outcome = world.shut_down();
    let expected = DrainOutcome {
        offline_acknowledged: true,
        n_lost: 0,
    };
    assert_eq!(outcome, expected);
    assert!(world.now.saturating_sub(begun) < Duration::from_millis(20));
    let n_last = world.stored.values().filter(|value| *value == "last");
    assert_eq!(n_last.count(), 600);
    assert_eq!(world.stored[STATE], "offline");
    assert_eq!(world.n_said(STATE, "offline"), 1);
    assert_eq!(
        world.heard.last().map(|(_, p)| p),
        Some(&ClientPacket::Disconnect)
    );
    assert_eq!(
        world.notices.last(),
        Some(&ClientNotice::OfflineAcknowledged)
    );
}

#[test]
fn without_a_broker_it_ends_at_once_and_says_what_was_lost() {
    for network in [Network::Refuses, Network::Swallows] {
        let mut world = ClientWorld::new(Plain);
        world.network = network;
        world.state("tesla2mqtt/VIN/a", "1");
        world.run_for(Duration::from_secs(2));
        let begun = world.now;
        let outcome = world.shut_down();
        assert_eq!(world.now, begun);
        assert!(
            !outcome.offline_acknowledged && outcome.n_lost > 0,
            "{outcome:?}"
        );
    }
}

/// A goodbye would take the will back, and nobody would have said `offline`. 300 values are more
/// than any window, so that `offline` finds no room.
#[test]
fn a_broker_that_does_not_answer_holds_the_end_up_for_little_more_than_a_second() {
    for network in [Network::Swallows, Network::AnswersPings] {
        for n_values in [1, 300] {
            let mut world = ClientWorld::new(Plain);
            world.until_delivered();
            world.network = network;
            for n in 0..n_values {
                world.state(&format!("tesla2mqtt/VIN/{n}"), "last");
            }
            let begun = world.now;
            let outcome = world.shut_down();
            assert_eq!(world.now.saturating_sub(begun), DRAIN_MAX);
            let expected = DrainOutcome {
                offline_acknowledged: false,
                n_lost: n_values,
            };
            assert_eq!(outcome, expected);
            assert!(!says_goodbye(&world), "the will must speak");
        }
    }
}

/// A plain goodbye takes the will back: nobody would have said `offline`.
#[test]
fn where_offline_is_refused_the_will_speaks() {
    struct NoFarewell;
    impl BrokerHabits for NoFarewell {
        fn puback(&self, _: usize, _: &str, payload: &str) -> Option<PublishRefusal> {
            (payload == "offline").then_some(PublishRefusal::NotAuthorized)
        }
    }
    let mut world = ClientWorld::new(NoFarewell);
    world.until_said(STATE, "online", 1);
    assert!(!world.shut_down().offline_acknowledged);
    assert!(!says_goodbye(&world), "{:#?}", world.heard);
}

#[test]
fn a_connection_that_ends_while_it_drains_is_not_made_again() {
    struct HangsUpOverTopic;
    impl BrokerHabits for HangsUpOverTopic {
        fn hangs_up_over(&self, topic: &str) -> bool {
            topic.ends_with("last")
        }
    }
    let mut world = ClientWorld::new(HangsUpOverTopic);
    world.until_delivered();
    world.state("tesla2mqtt/VIN/last", "1");
    let outcome = world.shut_down();
    assert!(
        !outcome.offline_acknowledged && outcome.n_lost > 0,
        "{outcome:?}"
    );
    assert_eq!(world.client.due_at(world.now), None);
    assert_eq!(world.connection, 1);
}

#[test]
fn a_drain_of_a_broker_that_is_silent_for_long_already_waits_as_quietly_as_any() {
    let mut world = ClientWorld::new(Plain);
    world.until_delivered();
    world.network = Network::AnswersPings;
    world.state("tesla2mqtt/VIN/a", "1");
    world.run_for(Duration::from_millis(29_500));
    let begun = world.now;
    world
        .client
        .handle(crate::mqtt_client::ClientInput::Shutdown, world.now);
    // Past the time at which the connection would have been given up.
    world.run_for(Duration::from_millis(600));
    assert!(world.outcome.is_none());
    assert!(
        world
            .client
            .due_at(world.now)
            .is_some_and(|at| at > world.now)
    );
    world.until("the end", |world| world.outcome.is_some());
    assert_eq!(world.now.saturating_sub(begun), DRAIN_MAX);
}
