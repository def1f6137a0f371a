//! `clear` leaves the broker as if we had never been there.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use tesla2mqtt::bridge::Scopes;
use tesla2mqtt::cli::{Cleared, clear};
use tesla2mqtt::mqtt::BrokerFailureKind;
use tokio::time::timeout;

use super::rig::*;

/// A car that nobody remembers.
const CAR: &str = "5YJ3E1EA7KF000001";

/// The scopes of a bridge without a state directory.
pub fn at(base: &str) -> Scopes {
    Scopes {
        bases: BTreeSet::from([base.to_owned()]),
        prefixes: BTreeSet::from(["homeassistant".to_owned()]),
        topics: BTreeSet::new(),
    }
}

fn removed(n: usize) -> Cleared {
    Cleared {
        removed: n,
        left: vec![],
        running: BTreeSet::new(),
    }
}

/// The names of all retained topics, once there are so many.
async fn left(broker: SocketAddr, at_least: usize) -> Vec<String> {
    let watcher = Watcher::start(broker);
    let seen = watcher
        .until("what is left", |seen| seen.topics.len() >= at_least)
        .await;
    seen.topics.keys().cloned().collect()
}

/// A discovery message of a program about a topic.
fn announcement(origin: &str, base: &str, name: &str) -> String {
    serde_json::json!({
        "dev": { "ids": ["d"], "name": name },
        "o": { "name": origin },
        "avty": [{ "t": format!("{base}/bridge/state") }],
        "cmps": { "level": { "p": "sensor", "stat_t": format!("{base}/{CAR}/battery_level") } },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_bridges_on_one_broker_only_the_one_of_the_base_topic_goes() {
    let broker = open_broker(free_address()).await;
    let (mine, theirs) = (
        announcement("tesla2mqtt", "home/tesla", "mine"),
        announcement("tesla2mqtt", "tesla2mqtt", "theirs"),
    );
    let strangers = announcement("another program", "home/tesla", "about our topics");
    let goes = [
        ("home/tesla/bridge/state", "offline", true),
        ("home/tesla/5YJ3E1EA7KF000001/battery_level", "50", true),
        ("homeassistant/device/home_tesla_bridge/config", &mine, true),
        ("homeassistant/device/tesla2mqtt_VIN1/config", &mine, true),
    ];
    let stays = [
        ("home/tesla2/bridge/state", "online", true),
        ("homeassistant/device/tesla2mqtt_VIN2/config", &theirs, true),
        (
            "homeassistant/device/tesla2mqtt_bridge/config",
            &theirs,
            true,
        ),
        (
            "homeassistant/device/tesla2mqtt_of_others/config",
            &strangers,
            true,
        ),
        ("tesla2mqtt/5YJ3E1EA7KF000002/battery_level", "60", true),
        ("tesla2mqtt/bridge/state", "online", true),
    ];
    publish(broker.addr, &goes).await;
    publish(broker.addr, &stays).await;
    let settings = settings(broker.addr, BOTH[0]);
    let cleared = clear(&settings, &at("home/tesla")).await.unwrap();
    assert_eq!(cleared, removed(goes.len()));
    let mut expected = stays.map(|(topic, ..)| topic);
    expected.sort_unstable();
    assert_eq!(left(broker.addr, stays.len()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_under_the_same_base_topic_keep_what_is_theirs() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let announced = announcement("tesla2mqtt", "home", "ours");
        let goes = [
            ("home/bridge/state", "offline", true),
            ("home/bridge/accounts/mine/data_calls", "3", true),
            ("home/5YJ3E1EA7KF000001/battery_level", "50", true),
            ("home/5YJ3E1EA7KF000001/snapshot", "{}", true),
            ("home/5YJ3E1EA7KF000002/availability", "online", true),
            ("home/family car/odometer", "12", true),
            ("homeassistant/device/tesla2mqtt_1/config", &announced, true),
        ];
        let stays = [
            ("home/5YJ3E1EA7KF000001/door_bell", "1", true),
            ("home/family car/garage", "open", true),
            ("home/kitchen/state", "on", true),
            ("home/kitchen/temperature", "21", true),
            ("home/lamp", "on", true),
            ("home/tesla/5YJ3E1EA7KF000001/state", "asleep", true),
        ];
        publish(broker.addr, &goes).await;
        publish(broker.addr, &stays).await;
        let mut places = at("home");
        places.topics.insert("home/family car/odometer".to_owned());
        let settings = settings(broker.addr, protocol);
        let cleared = clear(&settings, &places).await.unwrap();
        assert_eq!(cleared, removed(goes.len()), "{make:?} {protocol:?}");
        let expected = stays.map(|(topic, ..)| topic);
        assert_eq!(left(broker.addr, stays.len()).await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_ours_goes_and_everything_else_stays() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let settings = settings(broker.addr, protocol);
        let bridge = MqttBridge::start(&settings);
        bridge.until_up().await;
        // More than mosquitto keeps for one subscriber at once.
        for n in 0..1500 {
            bridge.state(&format!("tesla2mqtt/bridge/{n}"), "1").await;
        }
        let ours = "homeassistant/device/tesla2mqtt_VIN/config";
        let long = announcement("tesla2mqtt", "tesla2mqtt", &"x".repeat(90_000));
        bridge.state(ours, &long).await;
        Watcher::start(broker.addr)
            .until("all of it", |seen| seen.topics.len() == 1502)
            .await;
        bridge.stop().await;
        let others = [
            ("homeassistant/device/tesla_VIN/config", "{}", true),
            (
                "homeassistant/device/zigbee/tesla2mqtt_1/config",
                "{}",
                true,
            ),
            ("homeassistant/sensor/tesla2mqtt_1/config", "{}", true),
            ("tesla2mqtt_2/bridge/state", "online", true),
            ("zigbee2mqtt/bridge/state", "online", true),
        ];
        publish(broker.addr, &others).await;

        let cleared = clear(&settings, &at("tesla2mqtt")).await.unwrap();
        assert_eq!(cleared, removed(1502), "{protocol:?}");
        let mut expected = others.map(|(topic, ..)| topic);
        expected.sort_unstable();
        assert_eq!(left(broker.addr, others.len()).await, expected);

        let again = clear(&settings, &at("tesla2mqtt")).await.unwrap();
        assert_eq!(again.removed, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_named_goes_too() {
    let broker = open_broker(free_address()).await;
    publish(broker.addr, &[("old/topic", "1", true)]).await;
    let mut places = at("tesla2mqtt");
    places.topics.insert("old/topic".to_owned());
    let settings = settings(broker.addr, BOTH[0]);
    let cleared = clear(&settings, &places).await.unwrap();
    assert_eq!(cleared.removed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_runs_is_noticed_and_not_thrown_out() {
    let broker = open_broker(free_address()).await;
    let settings = settings(broker.addr, BOTH[0]);
    let bridge = MqttBridge::start(&settings);
    Watcher::start(broker.addr)
        .until_topic("tesla2mqtt/bridge/state", "online")
        .await;
    let cleared = clear(&settings, &at("tesla2mqtt")).await.unwrap();
    assert_eq!(cleared.running, BTreeSet::from(["tesla2mqtt".to_owned()]));
    assert_eq!(bridge.until_up().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_messages_do_not_hold_it_up() {
    let broker = open_broker(free_address()).await;
    let settings = settings(broker.addr, BOTH[0]);
    publish(broker.addr, &[("tesla2mqtt/bridge/a", "1", true)]).await;
    let addr = broker.addr;
    let others = tokio::spawn(async move {
        loop {
            publish(addr, &[("tesla2mqtt/bridge/b", "1", false)]).await;
            pause().await;
        }
    });
    let cleared = timeout(PATIENCE, clear(&settings, &at("tesla2mqtt"))).await;
    others.abort();
    assert_eq!(cleared.expect("in time").unwrap().removed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_it_says_so_at_once() {
    let settings = settings(free_address(), BOTH[0]);
    let failure = clear(&settings, &at("tesla2mqtt")).await.unwrap_err();
    assert_eq!(failure.kind, BrokerFailureKind::Unreachable, "{failure}");
}
