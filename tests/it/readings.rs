//! What the real binary asks of Tesla, with each generation of login, and what the owner sees when
//! a login has ended.

use std::time::Duration;

use serde_json::Value as Json;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{Aim, CallKind, CloudOptions, Fault, Login, TeslaAccount};
use tesla2mqtt::sim::{CarSpec, Plan};

use crate::child;
use crate::rig::program::Program;
use crate::rig::running::RunningBridge;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World, vin};
use crate::rig::{END, SOON, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_is_asked_for_only_behind_a_word_that_says_online_and_with_every_endpoint() {
    let world = World::new().await;
    let awake = world.add_awake_car(1);
    let asleep = world.add_sleeping_car(2);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    let state = |vin: &Vin| format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber.wait_for(&state(&awake), "online", SOON).await;
    subscriber.wait_for(&state(&asleep), "asleep", SOON).await;
    world.until_asked(CallKind::Data, SOON).await;

    let ledger = world.cloud.ledger();
    let calls: Vec<CallKind> = ledger.requests().map(|request| request.call).collect();
    let listed = calls.iter().position(|call| *call == CallKind::Products);
    let data = calls.iter().position(|call| *call == CallKind::Data);
    assert!(listed.unwrap() < data.unwrap(), "{calls:?}");
    let data = ledger
        .requests()
        .find(|request| request.call == CallKind::Data);
    let query = data.unwrap().query.replace("%3B", ";");
    let endpoints = query.strip_prefix("endpoints=").expect("endpoints");
    for endpoint in [
        "location_data",
        "charge_state",
        "climate_state",
        "closures_state",
        "drive_state",
        "gui_settings",
        "vehicle_config",
        "vehicle_state",
    ] {
        assert!(endpoints.split(';').any(|one| one == endpoint), "{query}");
    }
    assert_eq!(world.n_calls(CallKind::Data, &asleep), 0);
    let location = format!("tesla2mqtt/{}/location", awake.as_str());
    eventually("a position", SOON, || {
        subscriber
            .get(&location)
            .is_some_and(|text| text.contains("\"latitude\":52.0"))
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.n_calls(CallKind::Data, &asleep), 0);
    assert!(
        world.n_calls(CallKind::Data, &awake) <= 2,
        "{:?}",
        world.calls(&awake)
    );
    assert_eq!(world.cloud.ledger().wakes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_generation_of_login_works_from_the_first_token_to_the_last_topic() {
    for login in [Login::Fleet, Login::Owner, Login::Password] {
        let world = World::new().await;
        let vin = world.add_awake_car(1);
        let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
        let mut program = Program::prepare();
        program.start(&world.config(&account(&world, login)));
        let level = format!("tesla2mqtt/{}/battery_level", vin.as_str());
        subscriber.until(&level, SOON).await;
        let family = world.cloud.family(ACCOUNT, login);
        assert_eq!(family.n_refused, 0, "{login:?}");
        // The token on disk is the newest one.
        let stored = std::fs::read_dir(program.state_directory())
            .unwrap()
            .flatten()
            .chain(
                std::fs::read_dir(program.state_directory().join("accounts"))
                    .into_iter()
                    .flatten()
                    .flatten(),
            )
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
            .any(|text| text.contains(family.newest().unwrap()));
        assert!(stored, "{login:?}");
        assert!(program.terminate(END).await.success());
    }
}

/// The `[[accounts]]` table of a login that works.
fn account(world: &World, login: Login) -> String {
    let url = world.cloud.url();
    let token = || world.cloud.issue_tokens(ACCOUNT, login).0;
    let rest = match login {
        Login::Fleet => return world.fresh_fleet_account(ACCOUNT),
        Login::Owner => format!("api = \"owner\"\nrefresh_token = \"{}\"\n", token()),
        Login::Password => format!(
            "api = \"password\"\nclient_id = \"app\"\nclient_secret = \"app-secret\"\n\
             email = \"{ACCOUNT}@example.com\"\npassword = \"password-of-{ACCOUNT}\"\n"
        ),
    };
    format!("[[accounts]]\nname = \"{ACCOUNT}\"\n{rest}api_url = \"{url}\"\nauth_url = \"{url}\"\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_cars_that_is_refused_is_told_once_and_left_alone() {
    let world = World::new().await;
    world.add_sleeping_car(1);
    let refused = Fault::status(412, "account must be registered in the current region");
    world
        .cloud
        .fail_next(2, &Aim::at(&[CallKind::Products]), &refused);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    let trouble = "no list of its cars";
    program.logs(trouble, SOON).await;
    last_error(&subscriber, trouble).await;
    // The login was new when it was refused, which is no reason to ask again at once.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.cloud.count(CallKind::Products), 1);
    assert_eq!(program.log().matches(trouble).count(), 1);
}

#[test]
fn a_list_of_cars_that_fails_for_a_while_is_told_once_and_that_it_is_there_again() {
    let trouble = "no list of its cars";
    let log = child::at_speed(60.0, async || {
        let world = World::new().await;
        let vin = world.add_sleeping_car(1);
        world
            .cloud
            .fail_next(3, &Aim::at(&[CallKind::Products]), &Fault::Html(502));
        let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
        let running = RunningBridge::start(&world.fresh_fleet_config());
        last_error(&subscriber, trouble).await;
        let state = format!("tesla2mqtt/{}/state", vin.as_str());
        subscriber.wait_for(&state, "asleep", SOON).await;
        running.stop().await;
    });
    let Some(log) = log else { return };
    assert!(log.contains("its list of cars is there again"), "{log}");
    assert_eq!(log.matches(trouble).count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_list_is_told_at_once_and_left_alone_over_restarts() {
    let world = World::new().await;
    world.add_sleeping_car(1);
    let limited = Fault::rate_limited(Some("37829"));
    world
        .cloud
        .fail_share(1.0, Aim::at(&[CallKind::Products]), vec![limited], 1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    let config = world.fresh_fleet_config();
    for _ in 0..3 {
        subscriber.forget();
        program.start(&config);
        last_error(&subscriber, "the next one goes out at 20").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(program.terminate(SOON).await.success());
    }
    assert_eq!(world.cloud.count(CallKind::Products), 1);
}

async fn last_error(subscriber: &Subscriber, words: &str) {
    eventually("last_error", SOON, || {
        let error = subscriber.get("tesla2mqtt/bridge/last_error");
        error.is_some_and(|error| error.contains(words))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_hears_why_one_car_is_refused() {
    let world = World::new().await;
    let (vin, other) = (world.add_awake_car(1), world.add_awake_car(2));
    let aim = Aim {
        calls: vec![CallKind::Data],
        vin: Some(vin.clone()),
    };
    let refused = Fault::status(401, "mobile_access_disabled");
    world.cloud.fail_next(9, &aim, &refused);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    let trouble = "mobile access is switched off in the car";
    program.logs(trouble, SOON).await;
    last_error(&subscriber, &format!("car {vin}: {trouble}")).await;
    let level = format!("tesla2mqtt/{}/battery_level", other.as_str());
    subscriber.until(&level, SOON).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = program.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains(trouble)).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("WARN") && told[0].contains(&vin.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_does_not_allow_data_is_not_billed_a_third_call() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let refused = Fault::status(403, "Unauthorized missing scopes");
    world
        .cloud
        .fail_share(1.0, Aim::at(&[CallKind::Data]), vec![refused], 1);
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    // The token itself has them.
    let trouble = "refuses what the login has the permission for";
    program.logs(trouble, SOON).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    // With the position, and without.
    assert_eq!(world.n_calls(CallKind::Data, &vin), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_entry_of_the_list_takes_no_car_away() {
    let world = World::new().await;
    let vin = world.add_sleeping_car(1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    let config = world.fresh_fleet_config();
    program.start(&config);
    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber.wait_for(&state, "asleep", SOON).await;
    assert!(program.terminate(SOON).await.success());

    let odd = Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: r#"{"response":[{"id":5,"vin":null,"state":"asleep"}],"count":1}"#.to_owned(),
    };
    world
        .cloud
        .fail_next(1, &Aim::at(&[CallKind::Products]), &odd);
    let n_calls = world.calls(&vin).len();
    program.start(&config);
    program.logs("followed as before", SOON).await;
    eventually("the car is asked about", SOON, || {
        world.calls(&vin).len() > n_calls
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let availability = format!("tesla2mqtt/{}/availability", vin.as_str());
    let messages = subscriber.messages();
    let words: Vec<&str> = messages
        .iter()
        .filter(|(topic, ..)| *topic == availability)
        .map(|(_, payload, _)| payload.as_str())
        .collect();
    assert!(!words.contains(&"offline"), "{words:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_retired_login_says_that_it_no_longer_exists_and_is_not_tried_again() {
    let world = World::with(CloudOptions {
        password_login_deprecated: true,
        ..CloudOptions::default()
    })
    .await;
    world.add_awake_car(1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    program.start(&world.config(&account(&world, Login::Password)));
    program.logs("this login no longer exists", SOON).await;
    says(&subscriber, "this login no longer exists").await;
    let n_asked = world.cloud.count(CallKind::Password);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.cloud.count(CallKind::Password), n_asked);
    assert!(n_asked <= 1, "{n_asked}");
    assert_eq!(world.cloud.count(CallKind::Products), 0);
}

/// The bridge's own topics name the trouble and the account's status.
async fn says(subscriber: &Subscriber, words: &str) {
    let error = "tesla2mqtt/bridge/last_error";
    eventually(words, SOON, || {
        subscriber
            .get(error)
            .is_some_and(|text| text.contains(words))
    })
    .await;
    eventually("signed_out in bridge/info", SOON, || {
        let info = subscriber.get("tesla2mqtt/bridge/info");
        info.is_some_and(|info| info.contains("\"status\":\"signed_out\""))
    })
    .await;
}

#[test]
fn a_revoked_login_stops_the_calls_and_asks_the_owner_to_sign_in_again() {
    let log = child::at_speed(60.0, async || revoked_login().await);
    assert!(log.is_none_or(|log| log.contains("sign in again")));
}

async fn revoked_login() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let topic = |key: &str| format!("tesla2mqtt/{}/{key}", vin.as_str());
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut running = RunningBridge::start(&world.fresh_fleet_config());
    let level = subscriber.until(&topic("battery_level"), SOON).await;
    subscriber
        .wait_for(&topic("availability"), "online", SOON)
        .await;
    world.cloud.revoke(ACCOUNT);
    says(&subscriber, "sign in again").await;
    subscriber
        .wait_for(&topic("availability"), "offline", SOON)
        .await;
    subscriber
        .wait_for(&topic("state"), "signed_out", SOON)
        .await;
    // The last values stay.
    assert_eq!(subscriber.get(&topic("battery_level")), Some(level));
    let n_requests = || world.cloud.read_ledger(|ledger| ledger.requests().count());
    let before = n_requests();
    world.passes(Duration::from_mins(4)).await;
    assert_eq!(n_requests(), before);

    // After a restart too: the car is known, and known to be out of reach.
    running.restart(|_| subscriber.forget()).await;
    says(&subscriber, "sign in again").await;
    eventually("the car is unavailable", SOON, || {
        let messages = subscriber.messages();
        let newest = messages
            .iter()
            .rev()
            .find(|(name, _, _)| *name == topic("availability"));
        newest.is_some_and(|(_, payload, _)| payload == "offline")
    })
    .await;
    assert!(n_requests() <= before + 3);

    // A new token in the configuration, and the car is back.
    let (token, _) = world.cloud.issue_tokens(ACCOUNT, Login::Fleet);
    running.reload(&world.fleet_config(&token));
    subscriber
        .wait_for(&topic("availability"), "online", SOON)
        .await;
    subscriber.wait_for(&topic("state"), "online", SOON).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_values_are_there_while_tesla_cannot_be_reached() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let level = format!("tesla2mqtt/{}/battery_level", vin.as_str());
    let config = world.fresh_fleet_config();
    let mut program = Program::prepare();
    let before = {
        let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
        program.start(&config);
        subscriber.until(&level, SOON).await
    };
    assert!(program.terminate(END).await.success());
    // Both are gone: the cloud, and the broker with its memory.
    let World { cloud, broker } = world;
    let port = broker.addr.port();
    broker.stop().await;
    cloud.shutdown().await;
    let _broker = crate::rig::world::broker_on(port).await;
    let subscriber = Subscriber::to(port, "tesla2mqtt/#");
    program.start(&config);
    subscriber.wait_for(&level, &before, SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_an_answer_does_not_make_a_car_available_that_was_not() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let topic = |key: &str| format!("tesla2mqtt/{}/{key}", vin.as_str());
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let config = world.fresh_fleet_config();
    let mut program = Program::prepare();
    program.start(&config);
    subscriber.until(&topic("battery_level"), SOON).await;
    assert!(program.terminate(END).await.success());

    // Two hours later, and Tesla is away.
    world.cloud.shutdown().await;
    let file = program.state_directory().join("cars");
    let file = file.join(format!("{}.json", vin.as_str()));
    let mut memory: Json = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let contact: jiff::Timestamp = memory["contact"].as_str().unwrap().parse().unwrap();
    memory["contact"] = (contact - Duration::from_hours(2)).to_string().into();
    std::fs::write(&file, memory.to_string()).unwrap();
    subscriber.forget();
    program.start(&config);
    subscriber.until(&topic("availability"), SOON).await;
    let messages = subscriber.messages();
    let of_car = messages
        .iter()
        .filter(|(name, ..)| *name == topic("availability"));
    let words: Vec<&str> = of_car.map(|(_, word, _)| word.as_str()).collect();
    assert_eq!(words, ["offline"]);
}

#[test]
fn a_car_that_falls_out_of_reach_in_gear_and_is_asleep_does_not_drive_on() {
    child::at_speed(20.0, async || car_out_of_reach().await);
}

async fn car_out_of_reach() {
    let world = World::new().await;
    let vin = world.add_driven_car(1);
    let topic = |key: &str| format!("tesla2mqtt/{}/{key}", vin.as_str());
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let running = RunningBridge::start(&world.fresh_fleet_config());
    subscriber.wait_for(&topic("shift_state"), "d", SOON).await;

    let away = Fault::status(408, "vehicle unavailable");
    world
        .cloud
        .fail_next(100, &Aim::at(&[CallKind::Data]), &away);
    let asleep = Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: format!(
            r#"{{"response":{{"vin":"{}","state":"asleep"}}}}"#,
            vin.as_str()
        ),
    };
    world
        .cloud
        .fail_next(100, &Aim::at(&[CallKind::Light]), &asleep);
    for (key, payload) in [
        ("asleep", "on"),
        ("shift_state", "p"),
        ("parking_brake", "on"),
        ("speed", "0"),
        ("power", "0"),
    ] {
        subscriber.wait_for(&topic(key), payload, SOON).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_without_the_position_is_read_without_it() {
    let world = World::new().await;
    let without = |account: &mut TeslaAccount| {
        account.scopes.retain(|scope| scope != "vehicle_location");
    };
    world.cloud.change_account(ACCOUNT, without);
    let mut spec = CarSpec::new(vin(1), Plan::parked());
    spec.awake_at_start = true;
    world.cloud.add_car(ACCOUNT, spec);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    let topic = |key: &str| format!("tesla2mqtt/{}/{key}", vin(1).as_str());
    subscriber.until(&topic("battery_level"), SOON).await;
    let known = subscriber.get(&topic("location"));
    assert!(!known.unwrap_or_default().contains("latitude\":5"));
}
