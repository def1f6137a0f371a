//! A look at a car in which nothing changed: the real binary asks over HTTP, and what it publishes
//! at a real broker is counted.

use std::collections::BTreeMap;

use pretty_assertions::assert_eq;
use serde_json::Value as Json;
use tesla2mqtt::catalogue;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::CallKind;

use crate::discovery::knows_the_car;
use crate::recordings::recordings;
use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World};
use crate::rig::{SOON, eventually};

/// How much later each answer is than the one before it.
const LATER_S: i64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_in_which_nothing_changed_publishes_nothing_but_the_age() {
    let world = World::new().await;
    let mut cars = parked_cars();
    assert!(cars.len() >= 4, "only {} recorded cars", cars.len());
    for answer in cars.values() {
        let added = world.cloud.add_recording(ACCOUNT, answer.clone());
        added.expect("a recording");
    }
    let subscriber = Subscriber::to(world.broker.addr.port(), "#");
    let mut program = Program::prepare();
    let config = world.fresh_fleet_config();
    program.start(&format!("{config}[commands]\nenabled = true\n"));
    let vins: Vec<Vin> = cars.keys().cloned().collect();
    let n_looks = || -> usize {
        let looks = vins.iter().map(|vin| world.n_calls(CallKind::Data, vin));
        looks.sum()
    };
    for vin in &vins {
        let topic = format!("tesla2mqtt/{}/last_update", vin.as_str());
        subscriber.until(&topic, SOON).await;
        // Nothing that belongs to the first answer comes after it.
        let config = format!("homeassistant/device/tesla2mqtt_{}/config", vin.as_str());
        eventually(&config, SOON, || {
            let message = subscriber.get(&config);
            message.is_some_and(|message| knows_the_car(&message))
        })
        .await;
    }
    subscriber.has_caught_up().await;

    let n_before = n_looks();
    subscriber.forget();
    // Who tells of a look has told all that there is to tell of the look before.
    for n_told in 1..=2 {
        for (vin, answer) in &mut cars {
            let n_moved = move_times(answer);
            assert!(n_moved >= 5, "{vin:?}: only {n_moved} times");
            let added = world.cloud.add_recording(ACCOUNT, answer.clone());
            added.expect("a recording");
            let topic = format!("tesla2mqtt/{}/command/refresh", vin.as_str());
            subscriber.send(&topic, "").await;
        }
        for vin in &vins {
            let topic = format!("tesla2mqtt/{}/last_update", vin.as_str());
            eventually(&format!("{topic}, {n_told} times"), SOON, || {
                let messages = subscriber.messages().into_iter();
                messages.filter(|(of, ..)| *of == topic).count() >= n_told
            })
            .await;
        }
    }
    subscriber.has_caught_up().await;

    let mut said = Vec::new();
    let mut n_ages = BTreeMap::<String, usize>::new();
    for (topic, payload, _) in subscriber.messages() {
        let ours = topic.strip_prefix("tesla2mqtt/");
        let (car, key) = ours
            .and_then(|ours| ours.split_once('/'))
            .unwrap_or(("", &topic));
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
    // Two looks each, and what was due anyway.
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
