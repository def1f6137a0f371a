//! `compat.teslamate`: TeslaMate's topics beside our own, for those who switch.

use std::collections::BTreeSet;
use std::time::Duration;

use tesla2mqtt::compat::teslamate::TABLE;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::{CarSpec, Plan};

use crate::rig::program::{CONFIG, Program};
use crate::rig::subscriber::{Subscriber, retained};
use crate::rig::world::{ACCOUNT, World, broker_on, config_for, vin};
use crate::rig::{SOON, eventually};

const ON: &str = "[compat]\nteslamate = true\n";

fn add_car(world: &World, number: u32, name: &str) -> Vin {
    let mut spec = CarSpec::new(vin(number), Plan::parked());
    name.clone_into(&mut spec.name);
    spec.time_to_sleep = Duration::from_hours(24);
    spec.awake_at_start = true;
    world.cloud.add_car(ACCOUNT, spec);
    vin(number)
}

/// The topics of a tree that are retained now, without its prefix.
async fn retained_below(port: u16, prefix: &str) -> BTreeSet<String> {
    let topics = retained(port).await;
    let below = topics.keys().filter_map(|topic| topic.strip_prefix(prefix));
    below.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tree_comes_back_keeps_its_numbers_and_goes_with_clear() {
    let world = World::new().await;
    let older = add_car(&world, 5, "Older");
    let broker = broker_on(0).await;
    let port = broker.addr.port();
    let mut program = Program::prepare();
    let config = format!(
        "{}{ON}",
        config_for(port, &world.fresh_fleet_account(ACCOUNT))
    );
    program.start(&config);
    let subscriber = Subscriber::to(port, "#");
    let number_one = "teslamate/cars/1/display_name";
    subscriber.wait_for(number_one, "Older", SOON).await;
    // One after the other, and a reader may be in their midst.
    for key in ["odometer", "battery_level", "locked", "healthy"] {
        let topic = format!("teslamate/cars/1/{key}");
        subscriber.until(&topic, SOON).await;
    }
    let ours = |key: &str| subscriber.get(&format!("tesla2mqtt/{}/{key}", older.as_str()));
    let theirs = |key: &str| subscriber.get(&format!("teslamate/cars/1/{key}"));
    eventually("our own tree", SOON, || ours("odometer").is_some()).await;
    assert_eq!(theirs("battery_level"), ours("battery_level"));
    assert_eq!(theirs("locked").as_deref(), Some("true"));
    let number = |text: Option<String>| text.and_then(|text| text.parse::<f64>().ok()).unwrap();
    let (km, miles) = (number(theirs("odometer")), number(ours("odometer")));
    assert!((km - miles * 1.609_344).abs() < 0.02, "{km} km, {miles} mi");
    let before = retained_below(port, "teslamate/cars/1/").await;
    assert!(before.len() > 50, "{before:?}");
    let known: BTreeSet<String> = TABLE.iter().map(|row| row.key.to_owned()).collect();
    let unknown: Vec<&String> = before.difference(&known).collect();
    assert_eq!(unknown, Vec::<&String>::new());
    assert!(!before.contains("healthy"), "healthy is not retained");
    let healthy = theirs("healthy");
    assert_eq!(healthy.as_deref(), Some("true"), "heard by who was there");

    // The broker loses its memory.
    broker.stop().await;
    program.logs("broker", SOON).await;
    let _broker = broker_on(port).await;
    let fresh = Subscriber::to(port, "#");
    eventually("the connection", SOON, || !fresh.topics().is_empty()).await;
    eventually("the whole tree", SOON, || {
        let topics = fresh.topics();
        before
            .iter()
            .all(|key| topics.contains_key(&format!("teslamate/cars/1/{key}")))
    })
    .await;

    // A car whose VIN comes first does not take the number away.
    program.terminate(SOON).await;
    add_car(&world, 1, "Newer");
    fresh.forget();
    program.start(&config);
    let number_two = "teslamate/cars/2/display_name";
    fresh.wait_for(number_two, "Newer", SOON).await;
    fresh.wait_for(number_one, "Older", SOON).await;

    // Somebody else's car stays.
    fresh.publish("teslamate/cars/9/state", "asleep").await;
    program.terminate(SOON).await;
    let cleared = program.command(&["clear", "--config", CONFIG]);
    assert_eq!(cleared.code, Some(0), "{cleared:?}");
    let topics: Vec<String> = retained(port).await.into_keys().collect();
    assert_eq!(topics, ["teslamate/cars/9/state"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_switches_pins_moves_and_removes() {
    let world = World::new().await;
    let (a, b) = (add_car(&world, 1, "A"), add_car(&world, 2, "B"));
    let port = world.broker.addr.port();
    let mut program = Program::prepare();
    let base = world.fresh_fleet_config();
    let pin = |car: &Vin, number| format!("[cars.{}]\nteslamate_number = {number}\n", car.as_str());
    program.start(&base);
    let subscriber = Subscriber::to(port, "#");
    let level = |car: &Vin| format!("tesla2mqtt/{}/battery_level", car.as_str());
    subscriber.until(&level(&a), SOON).await;
    subscriber.until(&level(&b), SOON).await;
    let none = BTreeSet::new();
    assert_eq!(
        retained_below(port, "teslamate/").await,
        none,
        "off by default"
    );

    program.reload(&format!("{base}{ON}{}", pin(&a, 7)));
    let is = |number: u32, name: &'static str| {
        let topic = format!("teslamate/cars/{number}/display_name");
        subscriber.get(&topic).as_deref() == Some(name)
    };
    eventually("A at 7, B at 1", SOON, || is(7, "A") && is(1, "B")).await;

    program.reload(&format!("{base}{ON}{}{}", pin(&a, 1), pin(&b, 3)));
    eventually("A at 1, B at 3", SOON, || is(1, "A") && is(3, "B")).await;
    let sevens = retained_below(port, "teslamate/cars/7/").await;
    assert_eq!(sevens, none, "A left nothing behind");
    // What was B's at 1 before and is unknown of A would be B's still.
    assert!(retained_below(port, "teslamate/cars/1/").await.len() > 50);

    let namespace = "teslamate_namespace = \"home\"\n";
    program.reload(&format!(
        "{base}{ON}{namespace}{}{}",
        pin(&a, 1),
        pin(&b, 3)
    ));
    let moved = "teslamate/home/cars/3/display_name";
    subscriber.wait_for(moved, "B", SOON).await;
    eventually("the old tree goes", SOON, || {
        let topics = subscriber.topics();
        !topics
            .keys()
            .any(|topic| topic.starts_with("teslamate/cars/"))
    })
    .await;

    program.reload(&base);
    eventually("switched off", SOON, || {
        let topics = subscriber.topics();
        !topics.keys().any(|topic| topic.starts_with("teslamate/"))
    })
    .await;
    assert_eq!(retained_below(port, "teslamate/").await, none);

    // Also when it is switched off while the bridge does not run.
    program.reload(&format!("{base}{ON}"));
    eventually("on again", SOON, || is(1, "A")).await;
    program.terminate(SOON).await;
    assert!(retained_below(port, "teslamate/").await.len() > 50);
    program.start(&base);
    eventually("gone after the start", SOON, || {
        let topics = subscriber.topics();
        !topics.keys().any(|topic| topic.starts_with("teslamate/"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_whose_account_is_taken_out_leaves_and_keeps_its_number() {
    let world = World::new().await;
    add_car(&world, 1, "First");
    world
        .cloud
        .add_account(tesla2mqtt::sim::cloud::TeslaAccount::new("second"));
    world.add_awake_car_of("second", 2);
    let port = world.broker.addr.port();
    let mut program = Program::prepare();
    let second = world.fresh_fleet_account("second");
    let first = world.fresh_fleet_account(ACCOUNT);
    let both = format!("{}{ON}", world.config(&format!("{first}{second}")));
    let alone = format!("{}{ON}", world.config(&second));
    program.start(&both);
    let subscriber = Subscriber::to(port, "teslamate/#");
    let number_of_first = || {
        let topics = subscriber.topics();
        let name = topics.iter().find(|(_, payload)| *payload == "First");
        name.map(|(topic, _)| topic.clone())
    };
    eventually("both", SOON, || {
        let topics = subscriber.topics();
        number_of_first().is_some()
            && topics.contains_key("teslamate/cars/1/odometer")
            && topics.contains_key("teslamate/cars/2/odometer")
    })
    .await;
    let place = number_of_first().unwrap();
    program.reload(&alone);
    let prefix = place.strip_suffix("display_name").unwrap().to_owned();
    eventually("it is gone", SOON, || {
        let topics = subscriber.topics();
        !topics.keys().any(|topic| topic.starts_with(&prefix))
    })
    .await;
    assert!(!subscriber.topics().is_empty(), "the other car stays");
    program.reload(&both);
    subscriber.wait_for(&place, "First", SOON).await;
}
