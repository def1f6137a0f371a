//! Several accounts, cars that come and go. The hourly list and the waits of a lost login are
//! played in a process of its own, whose clocks run fast: bridge, cloud and broker together.

use std::time::Duration;

use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault, Request, TeslaAccount};
use tesla2mqtt::sim::{CarSpec, Plan};

use crate::child;
use crate::rig::program::Program;
use crate::rig::running::RunningBridge;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World, vin};
use crate::rig::{SOON, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_on_two_accounts_is_followed_and_published_once() {
    let world = World::new().await;
    let shared = world.add_sleeping_car(1);
    share(&world, &shared);
    let subscriber = Subscriber::to(world.broker.addr.port(), "#");
    let mut program = Program::prepare();
    let accounts = [ACCOUNT, "second"].map(|name| world.fresh_fleet_account(name));
    program.start(&world.config(&accounts.concat()));
    let state = format!("tesla2mqtt/{}/state", shared.as_str());
    subscriber.wait_for(&state, "asleep", SOON).await;
    eventually("both lists", SOON, || {
        world.cloud.count(CallKind::Products) == 2
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        subscriber.get("tesla2mqtt/bridge/cars").as_deref(),
        Some("1")
    );
    let said = subscriber.messages();
    let n_said = said
        .iter()
        .filter(|(topic, payload, _)| *topic == state && payload == "asleep");
    assert_eq!(n_said.count(), 1);
    assert!(world.n_calls(CallKind::Light, &shared) <= 1);

    // The account that follows it is taken out of the configuration: the other takes over, and
    // the car is never away.
    let second = world.config(&accounts[1]);
    program.reload(&second);
    eventually("one account", SOON, || {
        let info = subscriber.get("tesla2mqtt/bridge/info");
        info.is_some_and(|info| !info.contains("\"home\"") && info.contains("\"second\""))
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let availability = format!("tesla2mqtt/{}/availability", shared.as_str());
    assert_eq!(subscriber.get(&availability).as_deref(), Some("online"));
    let gaps = subscriber.messages().into_iter();
    let gaps = gaps.filter(|(topic, payload, _)| *topic == availability && payload == "offline");
    assert_eq!(gaps.count(), 0);
    assert_eq!(world.n_calls(CallKind::Data, &shared), 0);
}

fn share(world: &World, shared: &Vin) {
    world.cloud.add_account(TeslaAccount::new("second"));
    let spec = CarSpec::new(shared.clone(), Plan::parked());
    world.cloud.add_car("second", spec);
}

#[test]
fn quirk_23_a_car_that_is_sold_becomes_unavailable_and_one_that_is_bought_appears() {
    // An hour is three seconds.
    child::at_speed(1200.0, async || {
        let world = World::new().await;
        let old = world.add_sleeping_car(1);
        let subscriber = Subscriber::to(world.broker.addr.port(), "#");
        let compat = "[compat]\nteslamate = true\n";
        let running = RunningBridge::start(&format!("{}{compat}", world.fresh_fleet_config()));
        let topic = |vin: &Vin, key: &str| format!("tesla2mqtt/{}/{key}", vin.as_str());
        subscriber
            .wait_for(&topic(&old, "state"), "asleep", SOON)
            .await;

        let new = world.add_sleeping_car(2);
        subscriber
            .wait_for(&topic(&new, "state"), "asleep", SOON)
            .await;
        subscriber
            .wait_for("tesla2mqtt/bridge/cars", "2", SOON)
            .await;

        world.cloud.remove_car(ACCOUNT, &old);
        subscriber
            .wait_for(&topic(&old, "availability"), "offline", SOON)
            .await;
        assert_eq!(
            subscriber.get(&topic(&new, "availability")).as_deref(),
            Some("online")
        );
        // TeslaMate's topics know no word for a car that is gone.
        eventually("its tree is gone, the other's stays", SOON, || {
            let topics = subscriber.topics();
            let has = |prefix| topics.keys().any(|topic| topic.starts_with(prefix));
            !has("teslamate/cars/1/") && has("teslamate/cars/2/")
        })
        .await;
        let n_calls = || world.calls(&old).len();
        let before = n_calls();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(n_calls(), before, "a car that is gone is not asked");

        // Sold to the same family again.
        let again = world.add_sleeping_car(1);
        subscriber
            .wait_for(&topic(&again, "availability"), "online", SOON)
            .await;
        let state = "teslamate/cars/1/state";
        subscriber.wait_for(state, "asleep", SOON).await;
        eventually("it is asked again", SOON, || n_calls() > before).await;
        assert_eq!(world.cloud.count(CallKind::Data), 0);
        assert_eq!(world.cloud.ledger().wakes(), 0);
        running.stop().await;
    });
}

#[test]
fn a_shared_car_is_taken_over_when_its_account_is_signed_out_or_loses_it() {
    child::at_speed(1200.0, async || {
        let world = World::new().await;
        let shared = world.add_sleeping_car(1);
        share(&world, &shared);
        world.cloud.add_account(TeslaAccount::new("third"));
        let spec = CarSpec::new(vin(1), Plan::parked());
        world.cloud.add_car("third", spec);
        let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
        let accounts = [ACCOUNT, "second", "third"].map(|name| world.fresh_fleet_account(name));
        let running = RunningBridge::start(&world.config(&accounts.concat()));
        let topic = |key: &str| format!("tesla2mqtt/{}/{key}", shared.as_str());
        subscriber.wait_for(&topic("state"), "asleep", SOON).await;
        is_asked(&world, &shared, "asked through the first").await;

        world.cloud.revoke(ACCOUNT);
        eventually("the first is signed out", SOON, || {
            let error = subscriber.get("tesla2mqtt/bridge/last_error");
            error.is_some_and(|error| error.contains("home") && error.contains("sign in again"))
        })
        .await;
        is_asked(&world, &shared, "asked through another").await;
        subscriber
            .wait_for(&topic("availability"), "online", SOON)
            .await;
        subscriber.wait_for(&topic("state"), "asleep", SOON).await;

        // The next one loses the car: the list of the hour says so, and the last takes over.
        world.cloud.remove_car("second", &shared);
        tokio::time::sleep(Duration::from_secs(4)).await;
        is_asked(&world, &shared, "asked through the last").await;
        subscriber
            .wait_for(&topic("availability"), "online", SOON)
            .await;
        assert_eq!(
            subscriber.get("tesla2mqtt/bridge/cars").as_deref(),
            Some("1")
        );
        assert_eq!(world.cloud.count(CallKind::Data), 0);
        assert_eq!(world.cloud.ledger().wakes(), 0);
        running.stop().await;
    });
}

#[test]
fn a_shared_car_does_not_stay_with_an_account_that_is_refused() {
    child::at_speed(1200.0, async || {
        // Two clouds, so that one account can be refused, login and all, and the other not.
        let (world, other) = (World::new().await, World::new().await);
        let shared = world.add_sleeping_car(1);
        other.cloud.add_account(TeslaAccount::new("second"));
        let spec = CarSpec::new(shared.clone(), Plan::parked());
        other.cloud.add_car("second", spec);
        let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
        let accounts = [
            world.fresh_fleet_account(ACCOUNT),
            other.fresh_fleet_account("second"),
        ];
        let running = RunningBridge::start(&world.config(&accounts.concat()));
        is_asked_somewhere(&[&world, &other], &shared).await;
        let (first, second) = if world.n_calls(CallKind::Light, &shared) > 0 {
            (&world, &other)
        } else {
            (&other, &world)
        };
        assert_eq!(second.n_calls(CallKind::Light, &shared), 0, "followed once");

        let refused = Fault::status(
            403,
            "forbidden, see https://developer.tesla.com/docs/fleet-api",
        );
        first.cloud.fail_share(1.0, Aim::all(), vec![refused], 1);
        is_asked(second, &shared, "asked through the other").await;
        let state = format!("tesla2mqtt/{}/state", shared.as_str());
        subscriber.wait_for(&state, "asleep", SOON).await;

        // Let in again, the first does not take it back.
        first.cloud.heal();
        let n_lists = first.cloud.count(CallKind::Products);
        eventually("its list is there again", 3 * SOON, || {
            first.cloud.count(CallKind::Products) > n_lists + 1
        })
        .await;
        let n_calls = first.n_calls(CallKind::Light, &shared);
        is_asked(second, &shared, "still asked through the other").await;
        assert_eq!(first.n_calls(CallKind::Light, &shared), n_calls);
        running.stop().await;
    });
}

async fn is_asked_somewhere(worlds: &[&World], vin: &Vin) {
    eventually("asked", SOON, || {
        worlds
            .iter()
            .any(|world| world.n_calls(CallKind::Light, vin) > 5)
    })
    .await;
}

/// Waits for some more light calls that told the car's state.
async fn is_asked(world: &World, vin: &Vin, what: &str) {
    let n_told = || {
        let told = |request: &&Request| request.call == CallKind::Light && request.status == 200;
        world.calls(vin).iter().filter(told).count()
    };
    let before = n_told();
    eventually(what, SOON, || n_told() > before + 20).await;
}
