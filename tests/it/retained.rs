//! What stands at the broker belongs to whom the bridge knows: after an alias changed hands, after
//! kills, and after a version that kept its account of it in other files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;
use tesla2mqtt::sim::cloud::TeslaAccount;
use tesla2mqtt::sim::{CarSpec, Plan};

use crate::rig::ports::free_port;
use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World, config_for, vin};
use crate::rig::{SOON, eventually};

const OTHERS: &str = "tesla2mqtt/kitchen/temperature";

fn manifest(program: &Program) -> Json {
    let file = program.state_directory().join("retained.json");
    let bytes = fs::read(file).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Waits until the broker has removed all that no car or bridge declares any more.
pub async fn until_nothing_is_owed(program: &Program) {
    eventually("nothing is to be removed", SOON, || {
        let removals = manifest(program)["removals"].as_array().map(Vec::len);
        removals == Some(0)
    })
    .await;
}

/// The second car sleeps, and nobody has ever heard a value of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_that_is_handed_over_leaves_nothing_of_the_first_car_behind() {
    let world = World::new().await;
    let first = world.add_parked_car(1);
    world.cloud.add_account(TeslaAccount::new("second"));
    let sleeper = CarSpec::new(vin(2), Plan::parked());
    world.cloud.add_car("second", sleeper);
    let second = vin(2);
    let port = world.broker.addr.port();
    let subscriber = Subscriber::to(port, "#");
    subscriber.publish(OTHERS, "21").await;

    let mut program = Program::prepare();
    let of_first = format!(
        "{}[cars.{}]\nalias = \"one\"\n",
        world.fresh_fleet_config(),
        first.as_str()
    );
    program.start(&of_first);
    for key in ["odometer", "display_name", "snapshot"] {
        subscriber
            .until(&format!("tesla2mqtt/one/{key}"), SOON)
            .await;
    }
    let told = format!("homeassistant/device/tesla2mqtt_{}/config", first.as_str());
    subscriber.until(&told, SOON).await;
    program.kill();

    // While the broker is away, and killed as soon as the new owner is known.
    let account = world.fresh_fleet_account("second");
    let of_second = |port: u16| {
        let alias = format!("[cars.{}]\nalias = \"one\"\n", second.as_str());
        format!("{}{alias}", config_for(port, &account))
    };
    program.start(&of_second(free_port()));
    let new_owner = format!("device {}", second.as_str());
    eventually("the new owner", SOON, || {
        manifest(&program)["levels"]["tesla2mqtt/one"]["owner"] == new_owner.as_str()
    })
    .await;
    program.kill();
    assert!(subscriber.get("tesla2mqtt/one/odometer").is_some());

    program.start(&of_second(port));
    subscriber
        .wait_for("tesla2mqtt/one/state", "asleep", SOON)
        .await;
    until_nothing_is_owed(&program).await;
    eventually("the first car's message goes", SOON, || {
        subscriber.get(&told).is_none()
    })
    .await;
    assert_eq!(subscriber.get("tesla2mqtt/one/odometer"), None);
    // What stands there says nothing that only the first one knew.
    let snapshot = subscriber.until("tesla2mqtt/one/snapshot", SOON).await;
    assert!(snapshot.contains(second.as_str()), "{snapshot}");
    let topics = subscriber.topics();
    for (topic, payload) in &topics {
        let is_ours = topic != OTHERS && !topic.contains("/bridge/");
        assert!(
            !is_ours || !payload.contains(first.as_str()),
            "{topic} {payload}"
        );
    }
    assert!(topics.contains_key(OTHERS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cars_change_aliases_while_the_broker_is_away() {
    let world = World::new().await;
    let cars = [1, 2].map(|number| {
        let mut spec = CarSpec::new(vin(number), Plan::parked());
        spec.name = format!("Car {number}");
        spec.time_to_sleep = Duration::from_hours(24);
        spec.awake_at_start = true;
        world.cloud.add_car(ACCOUNT, spec);
        vin(number)
    });
    let port = world.broker.addr.port();
    let account = world.fresh_fleet_account(ACCOUNT);
    let config = |port: u16, aliases: [&str; 2]| {
        let aliases = cars.iter().zip(aliases);
        let sections: Vec<String> = aliases
            .map(|(vin, alias)| format!("[cars.{}]\nalias = \"{alias}\"\n", vin.as_str()))
            .collect();
        format!("{}{}", config_for(port, &account), sections.concat())
    };
    let subscriber = Subscriber::to(port, "tesla2mqtt/#");
    let is_at = |alias: &str, number: usize| {
        let name = subscriber.get(&format!("tesla2mqtt/{alias}/display_name"));
        let snapshot = subscriber.get(&format!("tesla2mqtt/{alias}/snapshot"));
        let vin = cars[number - 1].as_str();
        name.as_deref() == Some(&format!("Car {number}"))
            && snapshot.is_some_and(|text| text.contains(vin))
    };
    let mut program = Program::prepare();
    program.start(&config(port, ["one", "two"]));
    eventually("both", SOON, || is_at("one", 1) && is_at("two", 2)).await;
    program.kill();

    program.start(&config(free_port(), ["two", "one"]));
    let owner_of = |level: &str, vin: &str| {
        manifest(&program)["levels"][format!("tesla2mqtt/{level}")]["owner"]
            == format!("device {vin}")
    };
    eventually("the new owners", SOON, || {
        owner_of("two", cars[0].as_str()) && owner_of("one", cars[1].as_str())
    })
    .await;
    program.kill();

    program.start(&config(port, ["two", "one"]));
    eventually("both, changed", SOON, || is_at("two", 1) && is_at("one", 2)).await;
    until_nothing_is_owed(&program).await;
    assert!(is_at("two", 1) && is_at("one", 2));

    // And back, while it runs.
    program.reload(&config(port, ["one", "two"]));
    eventually("both, as before", SOON, || {
        is_at("one", 1) && is_at("two", 2)
    })
    .await;
    until_nothing_is_owed(&program).await;
    assert!(is_at("one", 1) && is_at("two", 2));
}

/// Everything of the configuration that says where something stands is another one since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_version_0_1_0_left_is_removed_where_it_was_and_its_numbers_are_kept() {
    let world = World::new().await;
    let vin = world.add_parked_car(31);
    let port = world.broker.addr.port();
    let mut program = Program::prepare();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state-0.1.0");
    let state = program.state_directory();
    fs::create_dir_all(state.join("cars")).expect("a directory");
    let car = format!("cars/{}.json", vin.as_str());
    let old = ["bridge.json", "teslamate.json", "removals.json"];
    for name in old.iter().chain([&car.as_str()]) {
        fs::copy(fixture.join(name), state.join(name)).expect("a file of 0.1.0");
    }
    let subscriber = Subscriber::to(port, "#");
    let left = [
        "tesla2mqtt/bridge/state",
        "tesla2mqtt/bridge/info",
        "tesla2mqtt/bridge/accounts/home/dollars",
        "tesla2mqtt/one/odometer",
        "tesla2mqtt/one/snapshot",
        "tesla2mqtt/one/availability",
        "homeassistant/device/tesla2mqtt_bridge/config",
        "homeassistant/device/tesla2mqtt_LRW3E7EK5PC000031/config",
        "teslamate/one/cars/3/odometer",
        "tesla2mqtt/older/odometer",
    ];
    for topic in left.iter().chain([&OTHERS]) {
        subscriber.publish(topic, "1").await;
        subscriber.until(topic, SOON).await;
    }
    let account = world.fresh_fleet_account(ACCOUNT);
    let config = format!(
        "[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\nbase_topic = \"home/tesla\"\n\
         [homeassistant]\ndiscovery_prefix = \"elsewhere\"\n\
         [compat]\nteslamate = true\nteslamate_namespace = \"two\"\n\
         [cars.{}]\nalias = \"two\"\n\
         [polling]\nstart_spread = \"0s\"\n[state]\ndirectory = \"state\"\n{account}",
        vin.as_str()
    );
    program.start(&config);
    eventually("the old places are clean", SOON, || {
        left.iter().all(|topic| subscriber.get(topic).is_none())
    })
    .await;
    subscriber
        .until("teslamate/two/cars/3/odometer", SOON)
        .await;
    subscriber.until("home/tesla/two/odometer", SOON).await;
    until_nothing_is_owed(&program).await;
    for name in old {
        assert!(!state.join(name).exists(), "{name}");
    }
    assert!(subscriber.get(OTHERS).is_some());
}
