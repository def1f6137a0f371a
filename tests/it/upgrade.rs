//! What an earlier version, or an earlier configuration, left with the broker goes away.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tesla2mqtt::model::Vin;

use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::World;
use crate::rig::{END, SOON, deadline, eventually, left};

const BIRTH: &str = "homeassistant/status";

/// A bridge that has told everything, and ended.
struct Past {
    world: World,
    program: Program,
    subscriber: Subscriber,
    vin: Vin,
    account: String,
}

impl Past {
    async fn new() -> Self {
        let world = World::new().await;
        let vin = world.add_parked_car(1);
        let mut past = Self {
            program: Program::prepare(),
            subscriber: Subscriber::to(world.broker.addr.port(), "#"),
            account: world.fresh_fleet_config(),
            world,
            vin,
        };
        past.program.start(&past.account);
        eventually("two discovery messages", SOON, || {
            past.described().len() == 2
        })
        .await;
        past.subscriber.until(&past.topic("odometer"), SOON).await;
        assert!(past.program.terminate(END).await.success());
        past
    }

    /// The discovery messages.
    fn described(&self) -> Vec<String> {
        let topics = self.subscriber.topics().into_keys();
        topics.filter(|topic| topic.ends_with("/config")).collect()
    }

    fn topic(&self, key: &str) -> String {
        format!("tesla2mqtt/{}/{key}", self.vin.as_str())
    }

    fn manifest(&self) -> std::path::PathBuf {
        self.program.state_directory().join("retained.json")
    }

    /// The last version published facts that this one does not have.
    async fn had_more(&self) {
        change(&self.manifest(), |manifest| {
            for topic in self.leftovers() {
                let (level, key) = topic.rsplit_once('/').unwrap();
                let keys = manifest["levels"][level]["keys"].as_array_mut();
                keys.unwrap().push(json!(key));
            }
            let announced = manifest["announced"].as_object_mut().unwrap();
            assert_eq!(announced.len(), 2, "{announced:?}");
            for announced in announced.values_mut() {
                announced["components"]["shown"] = json!("sensor");
            }
        });
        for topic in self.leftovers() {
            self.subscriber.publish(&topic, "1").await;
            self.subscriber.until(&topic, SOON).await;
        }
    }

    fn leftovers(&self) -> [String; 5] {
        [
            self.topic("unshown"),
            "tesla2mqtt/bridge/unshown".to_owned(),
            "tesla2mqtt/bridge/accounts/home/unshown".to_owned(),
            self.topic("shown"),
            "tesla2mqtt/bridge/shown".to_owned(),
        ]
    }

    async fn gone(&self, topics: &[String]) {
        eventually("the old topics go", SOON, || {
            topics
                .iter()
                .all(|topic| self.subscriber.get(topic).is_none())
        })
        .await;
    }
}

fn change(file: &Path, change: impl FnOnce(&mut Json)) {
    let mut json: Json = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut json);
    fs::write(file, json.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_had_more_is_taken_back_once_home_assistant_is_there() {
    let mut past = Past::new().await;
    past.had_more().await;
    past.program.start(&past.account);
    let leftovers = past.leftovers();
    past.gone(&leftovers[..3]).await;
    // Home Assistant is not there yet, and must read of the others before they can be taken away.
    for topic in &leftovers[3..] {
        assert!(past.subscriber.get(topic).is_some(), "{topic}");
    }

    let later = Subscriber::to(past.world.broker.addr.port(), "homeassistant/device/#");
    let removals = || {
        let is_removal = |text: &str| text.contains(r#""shown":{"p":"sensor"}"#);
        let said = later.messages();
        said.iter().filter(|(_, text, _)| is_removal(text)).count()
    };
    let end = deadline(SOON);
    while removals() < 2 {
        assert!(left(end) > Duration::ZERO, "nothing is taken back");
        // Until the bridge listens.
        past.subscriber.send(BIRTH, "online").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    past.gone(&leftovers[3..]).await;
    eventually("the messages without it", SOON, || {
        later
            .topics()
            .values()
            .all(|payload| !payload.contains("\"shown\""))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_home_assistant_its_messages_go_and_the_facts_stay() {
    let mut past = Past::new().await;
    past.had_more().await;
    let described = past.described();
    assert_eq!(described.len(), 2, "{described:?}");
    let config = format!("[homeassistant]\nenabled = false\n{}", past.account);
    past.program.start(&config);
    past.gone(&described).await;
    past.gone(&past.leftovers()[..3]).await;
    assert!(past.subscriber.get(&past.topic("odometer")).is_some());
    assert!(past.program.terminate(END).await.success());
    let json: Json = serde_json::from_slice(&fs::read(past.manifest()).unwrap()).unwrap();
    assert_eq!(json["announced"], json!({}));
}
