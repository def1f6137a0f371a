//! A base topic, a prefix, an alias or a namespace that has changed: the place of before is left
//! clean, whether or not the broker was there when it changed.

use std::fs;
use std::time::Duration;

use serde_json::Value as Json;
use tesla2mqtt::model::Vin;

use crate::rig::eventually;
use crate::rig::program::{CONFIG, Program};
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World, free_port};

const SOON: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(5);
const OTHERS: &str = "tesla2mqtt/kitchen/temperature";

/// A change of place: what the configuration says before and after, and what no topic begins with
/// in the end.
struct Move {
    before: &'static str,
    after: &'static str,
    left: &'static [&'static str],
}

const MOVES: [Move; 4] = [
    Move {
        before: "base_topic = \"tesla2mqtt\"\n[homeassistant]\ndiscovery_prefix = \"homeassistant\"",
        after: "base_topic = \"home/tesla\"\n[homeassistant]\ndiscovery_prefix = \"elsewhere\"",
        left: &["tesla2mqtt/", "homeassistant/"],
    },
    Move {
        before: "base_topic = \"tesla2mqtt\"",
        after: "base_topic = \"home/tesla\"",
        left: &["tesla2mqtt/"],
    },
    Move {
        before: "alias = \"one\"",
        after: "alias = \"two\"",
        left: &["tesla2mqtt/one/"],
    },
    Move {
        before: "teslamate_namespace = \"one\"",
        after: "teslamate_namespace = \"two\"",
        left: &["teslamate/one/"],
    },
];

/// A bridge that has told everything at the place of before, and ended.
struct BridgeOfElsewhere {
    world: World,
    program: Program,
    subscriber: Subscriber,
    account: String,
    vin: Vin,
}

impl BridgeOfElsewhere {
    async fn new() -> Self {
        let world = World::new().await;
        let vin = world.add_parked_car(1);
        let port = world.broker.addr.port();
        let mut past = Self {
            program: Program::prepare(),
            subscriber: Subscriber::to(port, "#"),
            account: world.fresh_fleet_account(ACCOUNT),
            world,
            vin,
        };
        past.subscriber.publish(OTHERS, "21").await;
        past.program.start(&past.config(port, None));
        for topic in [
            "tesla2mqtt/one/odometer",
            "tesla2mqtt/bridge/accounts/home/dollars",
            "teslamate/one/cars/1/odometer",
            OTHERS,
        ] {
            past.subscriber.until(topic, SOON).await;
        }
        eventually("two discovery messages", SOON, || {
            past.begin_with(&["homeassistant/"]).len() == 2
        })
        .await;
        assert!(past.program.terminate(END).await.success());
        past
    }

    fn config(&self, port: u16, change: Option<&Move>) -> String {
        let (vin, account) = (self.vin.as_str(), &self.account);
        let all = format!(
            "[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\nbase_topic = \"tesla2mqtt\"\n\
             [homeassistant]\ndiscovery_prefix = \"homeassistant\"\n\
             [compat]\nteslamate = true\nteslamate_namespace = \"one\"\n\
             [cars.{vin}]\nalias = \"one\"\n\
             [polling]\nstart_spread = \"0s\"\n\
             [state]\ndirectory = \"state\"\n{account}"
        );
        match change {
            Some(change) => {
                assert!(all.contains(change.before), "{all}");
                all.replace(change.before, change.after)
            }
            None => all,
        }
    }

    /// A run that finds no broker: nothing listens where it looks.
    async fn away(&mut self, change: &Move) {
        let config = self.config(free_port().await, Some(change));
        let n_tried = |program: &Program| program.log().matches("nothing listens").count();
        let before = n_tried(&self.program);
        self.program.start(&config);
        eventually("no broker", SOON, || n_tried(&self.program) > before).await;
        assert!(self.program.terminate(END).await.success());
    }

    fn begin_with(&self, places: &[&str]) -> Vec<String> {
        let topics = self.subscriber.topics().into_keys();
        topics
            .filter(|topic| topic != OTHERS && places.iter().any(|of| topic.starts_with(of)))
            .collect()
    }

    fn removals(&self) -> String {
        let file = self.program.state_directory().join("retained.json");
        let text = fs::read_to_string(file).expect("the manifest");
        let manifest: Json = serde_json::from_str(&text).expect("JSON");
        manifest["removals"].to_string()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_was_left_while_the_broker_was_away_is_clean_once_it_is_back() {
    for change in &MOVES {
        let mut past = BridgeOfElsewhere::new().await;
        // Twice, as after a night: what is still to be removed must outlive each run.
        for _ in 0..2 {
            past.away(change).await;
            assert!(past.removals().contains(change.left[0]), "{}", change.after);
        }
        assert!(!past.begin_with(change.left).is_empty());

        let port = past.world.broker.addr.port();
        past.program.start(&past.config(port, Some(change)));
        eventually(change.after, SOON, || {
            past.begin_with(change.left).is_empty()
        })
        .await;
        eventually("it is forgotten", SOON, || past.removals() == "[]").await;
        assert!(past.subscriber.get(OTHERS).is_some());
        assert!(past.program.terminate(END).await.success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clear_finds_every_place_of_before() {
    for was_away in [false, true] {
        for change in &MOVES {
            let mut past = BridgeOfElsewhere::new().await;
            if was_away {
                past.away(change).await;
            }
            let port = past.world.broker.addr.port();
            past.program.write(CONFIG, &past.config(port, Some(change)));
            let cleared = past.program.command(&["clear", "--config", CONFIG]);
            assert_eq!(cleared.code, Some(0), "{cleared:?}");
            let fresh = Subscriber::to(port, "#");
            fresh.until(OTHERS, SOON).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let left: Vec<String> = fresh.topics().into_keys().collect();
            assert_eq!(left, [OTHERS], "{} {was_away}", change.after);
        }
    }
}
