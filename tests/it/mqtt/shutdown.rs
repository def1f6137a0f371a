//! How it ends: drained, killed, or with a broker that does not answer. Within which time is
//! tested with the client (`crates/core`).

use tesla2mqtt::mqtt::DrainOutcome;

use super::rig::*;

const STATE: &str = "tesla2mqtt/bridge/state";

#[tokio::test(flavor = "multi_thread")]
async fn the_last_values_and_offline_arrive_and_the_will_does_not_fire() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let bridge = MqttBridge::start(&settings(broker.addr, protocol));
        bridge.until_up().await;
        let watcher = Watcher::start(broker.addr);
        watcher.until_topic(STATE, "online").await;
        for n in 0..200 {
            bridge.state(&format!("tesla2mqtt/VIN/{n}"), "last").await;
        }
        let outcome = bridge.stop().await;
        assert_eq!(
            outcome,
            DrainOutcome {
                offline_acknowledged: true,
                n_lost: 0
            }
        );

        publish(broker.addr, &[("end", "1", false)]).await;
        let seen = watcher.until_topic("end", "1").await;
        let n_last = seen.topics.values().filter(|p| *p == "last").count();
        assert_eq!(n_last, 200, "{protocol:?}");
        let states: Vec<_> = seen.messages.iter().filter(|(t, _)| t == STATE).collect();
        assert_eq!(states.last().unwrap().1, "offline");
        let n_offline = states.iter().filter(|(_, p)| p == "offline").count();
        assert_eq!(n_offline, 1, "{protocol:?}: the will fired as well");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_will_speaks_for_a_bridge_that_is_killed() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let bridge = MqttBridge::start(&settings(broker.addr, protocol));
        let watcher = Watcher::start(broker.addr);
        watcher.until_topic(STATE, "online").await;
        bridge.task.abort();
        watcher.until_topic(STATE, "offline").await;
        // It is retained: who subscribes later learns it too.
        Watcher::start(broker.addr)
            .until_topic(STATE, "offline")
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_it_ends_and_says_what_was_lost() {
    let broker = open_broker(free_address()).await;
    let addr = broker.addr;
    broker.stop().await;
    let bridge = MqttBridge::start(&settings(addr, BOTH[0]));
    bridge.state("tesla2mqtt/VIN/a", "1").await;
    bridge.until_down("nothing listens").await;
    let outcome = bridge.stop().await;
    assert!(!outcome.offline_acknowledged && outcome.n_lost > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_will_speaks_where_offline_found_no_room_in_the_window() {
    everywhere(async |make, protocol| {
        let broker = make.open().await;
        let proxy = Proxy::start(broker.addr).await;
        let bridge = MqttBridge::start(&settings(proxy.addr, protocol));
        let watcher = Watcher::start(broker.addr);
        watcher.until_topic(STATE, "online").await;
        // More than any window, and no acknowledgement of any comes back.
        proxy.set(ProxyMode::Deaf);
        for n in 0..300 {
            bridge.state(&format!("tesla2mqtt/VIN/{n}"), "last").await;
        }
        let outcome = bridge.stop().await;
        assert!(!outcome.offline_acknowledged && outcome.n_lost > 0);
        watcher.until_topic(STATE, "offline").await;
    })
    .await;
}
