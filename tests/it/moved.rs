//! A base topic, a prefix, an alias or a namespace that has changed: the place of before is left
//! clean, whether or not the broker was there when it changed.

use std::fs;

use serde_json::Value as Json;
use tesla2mqtt::model::Vin;
use tokio::task::JoinSet;

use crate::rig::ports::free_port;
use crate::rig::program::{CONFIG, Program};
use crate::rig::subscriber::{Subscriber, retained};
use crate::rig::world::{ACCOUNT, World};
use crate::rig::{END, SOON, eventually};

const OTHERS: &str = "tesla2mqtt/kitchen/temperature";

/// A change of place: what the configuration says before and after, and what no topic begins with
/// in the end.
struct Move {
    before: &'static str,
    after: &'static str,
    left: &'static [&'static str],
}

static MOVES: [Move; 4] = [
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

    /// A run that finds no broker, nothing listens where it looks, and notes what it owes one.
    async fn away(&mut self, change: &Move) {
        let config = self.config(free_port(), Some(change));
        let n_tried = |program: &Program| program.log().matches("nothing listens").count();
        let before = n_tried(&self.program);
        self.program.start(&config);
        eventually("no broker", SOON, || n_tried(&self.program) > before).await;
        let is_noted = || self.removals().contains(change.left[0]);
        eventually("what is to be removed", SOON, is_noted).await;
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

/// Plays the story of each change of place, all at once.
async fn of_each_move<Story>(story: impl Fn(&'static Move) -> Story)
where
    Story: Future<Output = ()> + Send + 'static,
{
    let stories: JoinSet<()> = MOVES.iter().map(story).collect();
    stories.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_was_left_while_the_broker_was_away_is_clean_once_it_is_back() {
    of_each_move(|change| async move {
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
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clear_finds_every_place_of_before() {
    of_each_move(|change| is_cleared(change, false)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clear_finds_every_place_of_before_that_was_left_while_the_broker_was_away() {
    of_each_move(|change| is_cleared(change, true)).await;
}

async fn is_cleared(change: &'static Move, was_away: bool) {
    let mut past = BridgeOfElsewhere::new().await;
    if was_away {
        past.away(change).await;
    }
    let port = past.world.broker.addr.port();
    past.program.write(CONFIG, &past.config(port, Some(change)));
    let cleared = past.program.command(&["clear", "--config", CONFIG]);
    assert_eq!(cleared.code, Some(0), "{cleared:?}");
    let left: Vec<String> = retained(port).await.into_keys().collect();
    assert_eq!(left, [OTHERS], "{} {was_away}", change.after);
}
