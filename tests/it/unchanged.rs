//! A look at a car in which nothing changed: the real binary asks over HTTP, and what it publishes
//! at a real broker is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::Value as Json;
use tesla2mqtt::catalogue;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::CallKind;

use crate::recordings::recordings;
use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World};
use crate::rig::{SOON, eventually};

/// Longer than the bridge takes from an answer to the last of its messages, also on a busy machine.
const SETTLED: Duration = Duration::from_millis(1500);
/// How much later the second answer is.
const LATER_S: i64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_in_which_nothing_changed_publishes_nothing_but_the_age() {
    let world = World::new().await;
    let cars = parked_cars();
    assert!(cars.len() >= 4, "only {} recorded cars", cars.len());
    for answer in cars.values() {
        let added = world.cloud.add_recording(ACCOUNT, answer.clone());
        added.expect("a recording");
    }
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    let config = world.fresh_fleet_config();
    program.start(&format!("{config}[commands]\nenabled = true\n"));
    let n_looks = || {
        cars.keys()
            .map(|vin| world.n_calls(CallKind::Data, vin))
            .sum()
    };
    eventually("the first look at each", SOON, || {
        cars.keys()
            .all(|vin| world.n_calls(CallKind::Data, vin) > 0)
    })
    .await;
    tokio::time::sleep(SETTLED).await;

    let n_before: usize = n_looks();
    subscriber.forget();
    for (vin, answer) in &cars {
        let mut later = answer.clone();
        let n_moved = move_times(&mut later);
        assert!(n_moved >= 5, "{vin:?}: only {n_moved} times");
        let added = world.cloud.add_recording(ACCOUNT, later);
        added.expect("a recording");
        let topic = format!("tesla2mqtt/{}/command/refresh", vin.as_str());
        subscriber.send(&topic, "").await;
    }
    eventually("the second look at each", SOON, || {
        n_looks() >= n_before + cars.len()
    })
    .await;
    for vin in cars.keys() {
        let topic = format!("tesla2mqtt/{}/last_update", vin.as_str());
        subscriber.until(&topic, SOON).await;
    }
    tokio::time::sleep(SETTLED).await;

    let mut said = Vec::new();
    let mut n_ages = BTreeMap::<String, usize>::new();
    for (topic, payload, _) in subscriber.messages() {
        let (car, key) = topic["tesla2mqtt/".len()..].split_once('/').expect("a key");
        let is_age = catalogue::find(key).is_some_and(|row| row.is_age);
        let is_command = key.starts_with("command/");
        let is_bill = car == "bridge" && key.starts_with("accounts/");
        if is_age {
            *n_ages.entry(topic.clone()).or_default() += 1;
        } else if !is_command && !is_bill {
            said.push(format!("{topic} {payload}"));
        }
    }
    assert_eq!(said, Vec::<String>::new());
    // One look each, and what was due anyway.
    let most = n_looks() - n_before + 1;
    assert!(n_ages.values().all(|n| *n <= most), "{n_ages:?}");
}

// What the tests need.

/// Recorded answers of cars that stand still and do not charge, one a car.
fn parked_cars() -> BTreeMap<Vin, Json> {
    let mut cars = BTreeMap::new();
    for (_, body) in recordings("vehicle_data") {
        let answer: Json = serde_json::from_slice(&body).expect("JSON");
        let car = &answer["response"];
        let is_busy = car["drive_state"]["shift_state"]
            .as_str()
            .is_some_and(|gear| gear != "P")
            || car["charge_state"]["charging_state"] == "Charging";
        let vin = car["vin"].as_str().and_then(|vin| Vin::new(vin).ok());
        if let Some(vin) = vin.filter(|_| !is_busy) {
            cars.insert(vin, answer);
        }
    }
    cars
}

/// Moves every time of the car's own clock ahead; how many there were.
fn move_times(answer: &mut Json) -> usize {
    let mut n_moved = 0;
    let Some(members) = answer.as_object_mut() else {
        return 0;
    };
    for (key, value) in members {
        let unit = match key.as_str() {
            "timestamp" => 1000,
            "gps_as_of" => 1,
            _ => {
                n_moved += move_times(value);
                continue;
            }
        };
        if let Some(time) = value.as_i64() {
            *value = (time + LATER_S * unit).into();
            n_moved += 1;
        }
    }
    n_moved
}
