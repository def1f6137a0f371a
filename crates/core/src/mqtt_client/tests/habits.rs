//! Brokers that refuse something, or hang up, and what is made of it.

use std::time::Duration;

use super::broker::*;
use crate::mqtt_client::{
    BrokerFacts, BrokerFailure, ClientNotice, ClientPacket, ConnectRefusal, Connection,
    PublishRefusal, ServerPacket, Subscription, Will,
};

/// Everything that is worth a warning.
fn warnings(notices: &[ClientNotice]) -> Vec<&ClientNotice> {
    let quiet = |notice: &&ClientNotice| {
        !matches!(
            notice,
            ClientNotice::Connected { .. }
                | ClientNotice::Back { .. }
                | ClientNotice::OfflineAcknowledged
        )
    };
    notices.iter().filter(quiet).collect()
}

/// The second message of each connection had been blamed for it, one topic after the other.
#[test]
fn a_broker_that_hangs_up_soon_after_each_connack_costs_no_topic() {
    const SHORT_ONES: usize = 8;
    struct HangsUpSoon;
    impl BrokerHabits for HangsUpSoon {
        fn hangs_up_after(&self, connection: usize) -> Option<Duration> {
            (connection <= SHORT_ONES).then_some(ms(30))
        }
    }
    let mut world = ClientWorld::new(HangsUpSoon);
    for n in 0..50 {
        world.state(&format!("tesla2mqtt/VIN/{n:02}"), "1");
    }
    let n_values = |world: &ClientWorld<HangsUpSoon>| {
        let last = world.heard.iter().filter(|(n, _)| *n > SHORT_ONES);
        let values = last.filter(
            |(_, packet)| matches!(packet, ClientPacket::Publish { topic, .. } if **topic != *STATE),
        );
        values.count()
    };
    // One may be left out until the connection has lasted.
    world.until("all others", |world| n_values(world) >= 49);
    world.run_for(Duration::from_mins(5));
    assert_eq!(n_values(&world), 50);
    let left_out = |notice: &ClientNotice| matches!(notice, ClientNotice::TopicLeftOut(_));
    assert!(!world.notices.iter().any(left_out), "{:#?}", world.notices);
    assert_eq!(world.connection, SHORT_ONES + 1);
}

#[test]
fn topics_over_which_a_broker_hangs_up_keep_no_other_away() {
    struct Forbids;
    impl BrokerHabits for Forbids {
        fn hangs_up_over(&self, topic: &str) -> bool {
            topic.starts_with("homeassistant/")
        }
    }
    let mut world = ClientWorld::new(Forbids);
    for n in 0..2 {
        world.state(&format!("homeassistant/device/{n}/config"), "{}");
    }
    for n in 0..50 {
        world.state(&format!("tesla2mqtt/VIN/{n:02}"), "1");
    }
    let waited = world.until("all others", |world| world.stored.len() == 51);
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    world.state("tesla2mqtt/VIN/00", "2");
    world.until_said("tesla2mqtt/VIN/00", "2", 1);
    // Each is tried by itself when a connection has lasted, named once, and no more.
    world.run_for(Duration::from_hours(1));
    let named = |world: &ClientWorld<Forbids>| {
        let named = world.notices.iter();
        named
            .filter(|notice| matches!(notice, ClientNotice::TopicLeftOut(_)))
            .count()
    };
    let n_connections = world.connection;
    assert_eq!(named(&world), 2, "{:#?}", world.notices);
    world.run_for(Duration::from_hours(24));
    assert_eq!((named(&world), world.connection), (2, n_connections));
    assert_eq!(world.stored.len(), 51);
    assert!(world.shut_down().offline_acknowledged);
}

/// It had counted as delivered for ever.
#[test]
fn what_a_broker_refused_for_the_moment_is_said_again() {
    struct Full;
    impl BrokerHabits for Full {
        fn puback(&self, _: usize, _: &str, payload: &str) -> Option<PublishRefusal> {
            (payload == "1").then_some(PublishRefusal::QuotaExceeded)
        }
    }
    let mut world = ClientWorld::new(Full);
    for topic in ["tesla2mqtt/VIN/a", "tesla2mqtt/VIN/b"] {
        world.state(topic, "1");
        world.until_said(topic, "1", 1);
    }
    world.state("tesla2mqtt/VIN/b", "2");
    let waited = world.until_said("tesla2mqtt/VIN/a", "1", 2);
    assert!(waited >= Duration::from_millis(4999), "{waited:?}");
    world.until_said("tesla2mqtt/VIN/b", "2", 1);
    assert_eq!(
        world.n_said("tesla2mqtt/VIN/b", "1"),
        1,
        "it has been replaced"
    );
    world.run_for(Duration::from_hours(1));
    let n_said = world.n_said("tesla2mqtt/VIN/a", "1");
    assert!((8..=15).contains(&n_said), "ever more rarely: {n_said}");
    assert!(world.shut_down().offline_acknowledged);
    let loud = warnings(&world.notices);
    assert!(
        matches!(loud[..], [ClientNotice::MessageRefused { refusal, .. }]
            if refusal.hint().0.contains("limits is reached") && !refusal.hint().0.contains("access")),
        "{loud:#?}"
    );
}

/// It had been confirmed with the second connection. A topic that is refused for other reasons had
/// kept every removal from being confirmed.
#[test]
fn a_removal_that_a_broker_refuses_is_not_confirmed_and_no_other_refusal_matters() {
    struct Guards;
    impl BrokerHabits for Guards {
        fn puback(&self, _: usize, topic: &str, _: &str) -> Option<PublishRefusal> {
            topic
                .ends_with("guarded")
                .then_some(PublishRefusal::NotAuthorized)
        }
    }
    let mut world = ClientWorld::new(Guards);
    world.state("tesla2mqtt/VIN/guarded", "1");
    world.delete("tesla2mqtt/VIN/a");
    world.until_delivered();

    world.delete("tesla2mqtt/OLD/guarded");
    world.state("tesla2mqtt/VIN/b", "1");
    world.until_said("tesla2mqtt/VIN/b", "1", 1);
    for _ in 0..2 {
        world.run_for(Duration::from_mins(10));
        assert_eq!(
            world.client.unconfirmed_deletes(),
            ["tesla2mqtt/OLD/guarded".to_owned()].into()
        );
        world.cut(Network::Open, false);
    }
    world.run_for(Duration::from_mins(10));
    assert_eq!(
        world.n_said("tesla2mqtt/OLD/guarded", ""),
        3,
        "once a connection"
    );
    assert_eq!(
        world.client.unconfirmed_deletes(),
        ["tesla2mqtt/OLD/guarded".to_owned()].into()
    );
}

/// The will alone had kept such a broker away.
#[test]
fn a_broker_without_retained_messages_is_one_warning_and_used_as_it_is() {
    struct KeepsNothing;
    impl BrokerHabits for KeepsNothing {
        fn connack(&self, _: usize, will: Option<&Will>) -> ServerPacket {
            if will.expect("a will").is_retained {
                return ServerPacket::ConnRefused(ConnectRefusal::Retain, None);
            }
            ServerPacket::ConnAck(BrokerFacts {
                retains: false,
                ..BrokerFacts::default()
            })
        }
    }
    let mut world = ClientWorld::new(KeepsNothing);
    let waited = world.until_said(STATE, "online", 1);
    assert!(waited < ms(10), "without a pause between: {waited:?}");
    world.run_for(Duration::from_mins(1));
    assert!(world.shut_down().offline_acknowledged);
    let is_retained =
        |packet: &ClientPacket| matches!(packet, ClientPacket::Publish { retain: true, .. });
    assert!(!world.heard.iter().any(|(_, packet)| is_retained(packet)));
    let loud = warnings(&world.notices);
    assert_eq!(loud, [&ClientNotice::RetainsNothing]);
}

#[test]
fn a_broker_that_takes_only_qos_0_is_one_warning_and_used_as_it_is() {
    struct OnlyQos0;
    impl BrokerHabits for OnlyQos0 {
        fn connack(&self, _: usize, will: Option<&Will>) -> ServerPacket {
            if will.expect("a will").is_acknowledged {
                return ServerPacket::ConnRefused(ConnectRefusal::Qos1, None);
            }
            ServerPacket::ConnAck(BrokerFacts {
                acknowledges: false,
                ..BrokerFacts::default()
            })
        }
    }
    let mut world = ClientWorld::new(OnlyQos0);
    for n in 0..600 {
        world.state(&format!("tesla2mqtt/VIN/{n}"), "1");
    }
    world.until_delivered();
    assert_eq!(world.stored.len(), 601);
    assert!(world.shut_down().offline_acknowledged);
    assert_eq!(world.stored[STATE], "offline");
    let with_id =
        |packet: &ClientPacket| matches!(packet, ClientPacket::Publish { id: Some(_), .. });
    assert!(!world.heard.iter().any(|(_, packet)| with_id(packet)));
    assert_eq!(warnings(&world.notices), [&ClientNotice::OnlyQos0]);
}

/// It had been a line at each connection.
#[test]
fn a_refused_subscription_is_told_once() {
    struct RefusesSubscriptions;
    impl BrokerHabits for RefusesSubscriptions {
        fn suback(&self, _: usize) -> Option<String> {
            Some("NotAuthorized".to_owned())
        }

        fn hangs_up_after(&self, connection: usize) -> Option<Duration> {
            (connection <= 2).then_some(ms(200))
        }
    }
    let filters = vec![Subscription::plain("homeassistant/status")];
    let mut world = ClientWorld::listening(RefusesSubscriptions, filters);
    world.until_said(STATE, "online", 3);
    world.shut_down();
    let told = world.notices.iter();
    let told = told.filter(|notice| matches!(notice, ClientNotice::SubscriptionRefused { .. }));
    assert_eq!(told.count(), 1, "{:#?}", world.notices);
}

#[test]
fn a_wrong_password_is_named_and_not_tried_again_at_once() {
    struct Locked;
    impl BrokerHabits for Locked {
        fn connack(&self, _: usize, _: Option<&Will>) -> ServerPacket {
            ServerPacket::ConnRefused(ConnectRefusal::Password, None)
        }
    }
    let mut world = ClientWorld::new(Locked);
    world.run_for(Duration::from_hours(1));
    let waits = world
        .tried_at
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]));
    let shortest = waits.min().expect("it is tried for ever");
    assert!(shortest >= Duration::from_secs(12), "{shortest:?}");
    assert!(world.tried_at.len() > 60);
    let Connection::Down(sentence) = &world.status else {
        panic!("{:?}", world.status);
    };
    assert!(
        sentence.contains("refuses user car") && sentence.contains("mqtt.password"),
        "{sentence}"
    );
    assert!(
        matches!(
            &world.notices[..],
            [ClientNotice::NeedsOwner(BrokerFailure { .. })]
        ),
        "{:#?}",
        world.notices
    );
}

#[test]
fn no_more_is_in_flight_than_the_broker_takes_and_no_more_than_fits_is_sent() {
    struct Small;
    impl BrokerHabits for Small {
        fn connack(&self, _: usize, _: Option<&Will>) -> ServerPacket {
            ServerPacket::ConnAck(BrokerFacts {
                packet_max: 10_000,
                receive_max: 3,
                ..BrokerFacts::default()
            })
        }
    }
    let mut world = ClientWorld::new(Small);
    for n in 0..50 {
        world.state(&format!("tesla2mqtt/VIN/{n}"), "1");
    }
    world.state("tesla2mqtt/VIN/big", &"x".repeat(9_990));
    world.state("tesla2mqtt/VIN/fits", &"x".repeat(9_900));
    let mut most = 0;
    world.until("all that fits", |world| {
        most = most.max(world.client.n_in_flight());
        world.stored.len() == 52
    });
    assert_eq!(most, 3);
    world.until_delivered();
    assert!(!world.stored.contains_key("tesla2mqtt/VIN/big"));
    assert_eq!(world.connection, 1, "never disconnected");
    let loud = warnings(&world.notices);
    assert!(
        matches!(&loud[..], [ClientNotice::NotSent(not_sent)] if not_sent.to_string().contains("VIN/big")),
        "{loud:#?}"
    );
}

#[test]
fn commands_are_asked_for_before_anything_is_said_and_only_those_that_are_wanted() {
    let first = Subscription::commands("tesla2mqtt/+/+/set");
    let second = Subscription::plain("homeassistant/status");
    let mut world = ClientWorld::listening(Plain, vec![first.clone()]);
    world.until_delivered();
    let asked = |packet: &ClientPacket| matches!(packet, ClientPacket::Subscribe { .. });
    assert!(asked(&world.heard[1].1), "{:?}", world.heard[1]);
    let wanted = crate::mqtt_client::ClientInput::Listen(vec![second.clone()]);
    world.client.handle(wanted, world.now);
    world.run_for(ms(10));
    let last: Vec<_> = world.heard.iter().rev().take(2).map(|(_, p)| p).collect();
    assert!(
        matches!(
            last[..],
            [ClientPacket::Subscribe { subscriptions, .. }, ClientPacket::Unsubscribe { filter, .. }]
                if *subscriptions == [second.clone()] && *filter == first.filter
        ),
        "{last:?}"
    );
}
