//! SIGHUP: what changed is taken up, what did not is left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault, Login, TeslaAccount};
use tesla2mqtt::sim::{CarSpec, Plan};

use crate::discovery::knows_the_car;
use crate::retained::until_nothing_is_owed;
use crate::rig::program::{CONFIG, Program};
use crate::rig::subscriber::Subscriber;
use crate::rig::tls::Ca;
use crate::rig::world::{ACCOUNT, World, vin};
use crate::rig::{END, SOON, eventually};

/// One account with a sleeping car, running; a second one with another is prepared.
struct House {
    world: World,
    program: Program,
    subscriber: Subscriber,
    first: Vin,
    second: Vin,
    first_account: String,
    second_account: String,
}

impl House {
    /// With one account running, or with both.
    async fn new(both: bool) -> Self {
        let world = World::new().await;
        world.cloud.add_account(TeslaAccount::new("second"));
        let first = world.add_awake_car(1);
        // Told from the first by its battery.
        let second = vin(2);
        let mut spec = CarSpec::new(second.clone(), Plan::parked());
        spec.time_to_sleep = Duration::from_hours(24);
        spec.awake_at_start = true;
        spec.battery_level = 41.0;
        world.cloud.add_car("second", spec);
        let first_account = world.fresh_fleet_account(ACCOUNT);
        let second_account = world.fresh_fleet_account("second");
        let mut house = Self {
            program: Program::prepare(),
            subscriber: Subscriber::to(world.broker.addr.port(), "#"),
            world,
            first,
            second,
            first_account,
            second_account,
        };
        let config = if both { house.both() } else { house.alone() };
        house.program.start(&config);
        house.has_data(&house.first).await;
        if both {
            house.has_data(&house.second).await;
        }
        house
    }

    fn alone(&self) -> String {
        self.config(&self.first_account)
    }

    fn both(&self) -> String {
        self.config(&format!("{}{}", self.first_account, self.second_account))
    }

    /// With intervals that do not end within a test.
    fn config(&self, accounts: &str) -> String {
        let rarely = [
            "idle_first_data",
            "idle_early_data",
            "idle_data",
            "idle_light",
        ]
        .map(|interval| format!("{interval} = \"20m\"\n"));
        let polling = format!("[polling]\n{}", rarely.concat());
        self.world.config(accounts).replace("[polling]\n", &polling)
    }

    fn topic(vin: &Vin, key: &str) -> String {
        format!("tesla2mqtt/{}/{key}", vin.as_str())
    }

    async fn has_data(&self, vin: &Vin) {
        let level = Self::topic(vin, "battery_level");
        self.subscriber.until(&level, SOON).await;
        let online = Self::topic(vin, "availability");
        self.subscriber.wait_for(&online, "online", SOON).await;
        let config = format!("homeassistant/device/tesla2mqtt_{}/config", vin.as_str());
        eventually(&config, SOON, || {
            let message = self.subscriber.get(&config);
            message.is_some_and(|message| knows_the_car(&message))
        })
        .await;
    }

    /// Waits until nothing follows the first data of its cars any more: last of all they say what
    /// they are, and what they said of that is kept.
    async fn is_quiet(&self) {
        until_nothing_is_owed(&self.program).await;
        self.subscriber.has_caught_up().await;
    }

    /// What the cloud and the broker have seen of the first car, but for the clock's topics.
    fn trace(&self) -> (usize, Vec<String>) {
        let n_calls = self.world.calls(&self.first).len();
        let ages = ["next_poll", "snapshot"];
        let messages = self.subscriber.messages();
        let of_first = messages
            .into_iter()
            .map(|(topic, payload, _)| (topic, payload))
            .filter(|(topic, _)| topic.contains(self.first.as_str()))
            .filter(|(topic, _)| !ages.iter().any(|age| topic.ends_with(age)))
            .map(|(topic, payload)| format!("{topic} {payload}"));
        (n_calls, of_first.collect())
    }

    fn same_as(&self, before: &(usize, Vec<String>)) {
        let (n_calls, messages) = self.trace();
        assert_eq!(n_calls, before.0, "the unaffected car was asked again");
        let more = &messages[before.1.len()..];
        assert_eq!(
            more,
            Vec::<String>::new(),
            "the unaffected car's topics moved"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_comes_changes_and_goes_without_touching_the_others_cars() {
    let house = House::new(false).await;
    house.is_quiet().await;
    let before = house.trace();

    house.program.reload(&house.both());
    house.has_data(&house.second).await;
    house.same_as(&before);
    house
        .subscriber
        .wait_for("tesla2mqtt/bridge/cars", "2", SOON)
        .await;

    // Changed: another client id, the same car. It never looks away.
    let n_calls = house.world.calls(&house.second).len();
    let n_lists = house.world.cloud.count(CallKind::Products);
    let changed = house
        .second_account
        .replace("client-of-the-test", "another-client");
    let config = house.config(&format!("{}{changed}", house.first_account));
    house.program.reload(&config);
    eventually("its list is read again", SOON, || {
        house.world.cloud.count(CallKind::Products) > n_lists
    })
    .await;
    let info = || house.subscriber.get("tesla2mqtt/bridge/info").unwrap();
    eventually("both signed in", SOON, || {
        info().matches("\"signed_in\"").count() == 2
    })
    .await;
    let availability = House::topic(&house.second, "availability");
    let said = house.subscriber.messages();
    let gaps = said
        .iter()
        .filter(|(topic, payload, _)| *topic == availability && payload == "offline");
    assert_eq!(gaps.count(), 0, "the changed account's car was unavailable");
    assert!(house.world.calls(&house.second).len() <= n_calls + 2);
    house.same_as(&before);

    house.program.reload(&house.alone());
    house
        .subscriber
        .wait_for(&availability, "offline", SOON)
        .await;
    house
        .subscriber
        .wait_for("tesla2mqtt/bridge/cars", "1", SOON)
        .await;
    assert!(!info().contains("second"), "{}", info());
    // The last values stay, and nobody asks for more.
    let level = House::topic(&house.second, "battery_level");
    assert!(house.subscriber.get(&level).is_some());
    let n_calls = house.world.calls(&house.second).len();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(house.world.calls(&house.second).len(), n_calls);
    house.same_as(&before);

    // And back again.
    house.program.reload(&house.both());
    house
        .subscriber
        .wait_for(&availability, "online", SOON)
        .await;
    house.same_as(&before);
}

/// The car was left alone for hours, because the login before had been refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_account_that_moves_to_another_api_asks_for_its_car_at_once() {
    for by_reload in [true, false] {
        let world = World::new().await;
        let vin = world.add_awake_car(1);
        let refused = Fault::status(403, "forbidden, see fleet-api");
        let aim = Aim::at(&[CallKind::Data]);
        world.cloud.fail_share(1.0, aim, vec![refused], 1);
        let mut program = Program::prepare();
        let (token, _) = world.cloud.issue_tokens(ACCOUNT, Login::Owner);
        let owner = world.fleet_account(ACCOUNT, &token);
        let owner = owner.replace(
            "api = \"fleet\"\nclient_id = \"client-of-the-test\"",
            "api = \"owner\"",
        );
        program.start(&world.config(&owner));
        program
            .logs("Tesla refuses to tell of this car", SOON)
            .await;
        world.cloud.heal();
        let n_lights = world.n_calls(CallKind::Light, &vin);

        let fleet = world.fresh_fleet_config();
        if by_reload {
            program.reload(&fleet);
        } else {
            assert!(program.terminate(SOON).await.success());
            program.start(&fleet);
        }
        eventually("a look at the car", SOON, || {
            world.n_calls(CallKind::Light, &vin) > n_lights
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_could_not_be_opened_as_wanted_goes_on_until_it_can() {
    let house = House::new(true).await;
    house.is_quiet().await;
    let path = house.program.path("ca.pem");
    let with_ca = format!("{}ca_file = \"{}\"\n", house.second_account, path.display());
    let wanted = house.config(&format!("{}{with_ca}", house.first_account));
    let before = house.trace();

    // No certificate at all is a mistake in the configuration; one that cannot be read shows later.
    for (content, complaint) in [
        ("nothing", "expected one or more certificates in PEM form"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "account second: no secure connection can be set up",
        ),
    ] {
        house.program.write("ca.pem", content);
        house.program.reload(&wanted);
        house.program.logs(complaint, SOON).await;
    }
    let n_lists = house.world.cloud.count(CallKind::Products);
    house.program.write("ca.pem", &Ca::new("of the house").pem);
    house.program.reload(&wanted);
    eventually("the account was opened anew", SOON, || {
        house.world.cloud.count(CallKind::Products) > n_lists
    })
    .await;
    let availability = House::topic(&house.second, "availability");
    let said = house.subscriber.messages();
    let words = said.iter().filter(|(topic, ..)| *topic == availability);
    let words: Vec<&str> = words.map(|(_, payload, _)| payload.as_str()).collect();
    assert_eq!(words, ["online"], "its car was never unavailable");

    // The same file with other content is a change, too.
    let n_lists = house.world.cloud.count(CallKind::Products);
    house
        .program
        .write("ca.pem", &Ca::new("of the next year").pem);
    house.program.reload(&wanted);
    eventually("the renewed file is read", SOON, || {
        house.world.cloud.count(CallKind::Products) > n_lists
    })
    .await;
    house.same_as(&before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_and_its_cars_alias_go_in_one_edit() {
    let house = House::new(true).await;
    let second = house.second.as_str();
    let alias = format!("{}[cars.{second}]\nalias = \"one\"\n", house.both());
    house.program.reload(&alias);
    moved(&house, second, "one").await;

    house.program.reload(&house.alone());
    let availability = "tesla2mqtt/one/availability";
    house
        .subscriber
        .wait_for(availability, "offline", SOON)
        .await;
    let elsewhere = House::topic(&house.second, "availability");
    assert_eq!(house.subscriber.get(&elsewhere), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_file_that_is_written_anew_with_the_same_content_touches_no_car() {
    let house = House::new(true).await;
    house.is_quiet().await;
    let line = house.second_account.lines();
    let line = line
        .clone()
        .find(|line| line.starts_with("refresh_token"))
        .unwrap();
    let token = line.split('"').nth(1).unwrap();
    let path = house.program.path("token");
    let from_file = format!("refresh_token_file = \"{}\"", path.display());
    let second = house.second_account.replace(line, &from_file);
    let config = house.config(&format!("{second}{}", house.first_account));
    let n_lists = house.world.cloud.count(CallKind::Products);
    for round in 1..=2 {
        house.program.write("token", token);
        house.program.reload(&config);
        eventually("nothing changed", SOON, || {
            let log = house.program.log();
            log.matches("nothing changed").count() == round
        })
        .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(house.world.cloud.count(CallKind::Products), n_lists);

    let (another, _) = house.world.cloud.issue_tokens("second", Login::Fleet);
    house.program.write("token", &another);
    house.program.reload(&config);
    eventually("another token is taken up", SOON, || {
        house.world.cloud.count(CallKind::Products) > n_lists
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_that_had_left_its_list_goes_with_its_account() {
    let mut house = House::new(true).await;
    let ended = house.program.terminate(END).await;
    assert!(ended.success());
    house.world.cloud.remove_car("second", &house.second);
    house.subscriber.forget();
    let config = house.both();
    house.program.start(&config);
    let gone = "car is on no account's list any more";
    house.program.logs(gone, SOON).await;
    let counted = "tesla2mqtt/bridge/cars";
    house.subscriber.wait_for(counted, "1", SOON).await;

    house.program.reload(&house.alone());
    house
        .program
        .logs("car is not followed any more", SOON)
        .await;
    eventually("nobody speaks of it", SOON, || {
        let info = house.subscriber.get("tesla2mqtt/bridge/info");
        info.is_some_and(|info| {
            !info.contains(house.second.as_str()) && !info.contains("\"second\"")
        })
    })
    .await;
    assert_eq!(house.subscriber.get(counted).as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_taken_out_while_the_bridge_was_stopped_leaves_its_car_offline() {
    let mut house = House::new(true).await;
    let ended = house.program.terminate(END).await;
    assert!(ended.success());
    let availability = House::topic(&house.second, "availability");
    assert_eq!(
        house.subscriber.get(&availability).as_deref(),
        Some("online"),
        "a stopped bridge says offline for itself only"
    );
    let config = house.alone();
    house.program.start(&config);
    house
        .subscriber
        .wait_for(&availability, "offline", SOON)
        .await;
    let of_first = House::topic(&house.first, "availability");
    assert_eq!(house.subscriber.get(&of_first).as_deref(), Some("online"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_interval_holds_at_once() {
    let world = World::new().await;
    let vin = world.add_sleeping_car(1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    let config = |interval: &str, account: &str| {
        let polling = format!("[polling]\nasleep_light = \"{interval}\"\n");
        world.config(account).replace("[polling]\n", &polling)
    };
    let account = world.fresh_fleet_account(ACCOUNT);
    program.start(&config("30m", &account));
    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    let interval = format!("tesla2mqtt/{}/polling_interval", vin.as_str());
    subscriber.wait_for(&state, "asleep", SOON).await;
    let seconds = |subscriber: &Subscriber| {
        let text = subscriber.get(&interval)?;
        text.parse::<u64>().ok()
    };
    eventually("half an hour", SOON, || seconds(&subscriber) == Some(1800)).await;
    program.reload(&config("5m", &account));
    eventually("five minutes", SOON, || seconds(&subscriber) == Some(300)).await;
    let log = program.log();
    assert!(
        log.contains("configuration changed change=Polling"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_moves_the_topics_and_leaves_none_behind() {
    let mut house = House::new(true).await;
    house.is_quiet().await;
    let before = house.trace();
    let n_calls = house.world.calls(&house.second).len();
    let alias = |alias: &str| {
        let second = house.second.as_str();
        format!("{}[cars.{second}]\nalias = \"{alias}\"\n", house.both())
    };
    let (as_one, as_two) = (alias("one"), alias("two"));

    house.program.reload(&as_one);
    moved(&house, house.second.as_str(), "one").await;
    house.same_as(&before);
    // Its task starts anew: at most a light call, as after a restart.
    let calls = house.world.calls(&house.second).split_off(n_calls);
    assert!(calls.len() <= 1, "{calls:?}");
    assert!(calls.iter().all(|call| call.call == CallKind::Light));
    let discovery = format!(
        "homeassistant/device/tesla2mqtt_{}/config",
        house.second.as_str()
    );
    eventually("discovery points there", SOON, || {
        let message = house.subscriber.get(&discovery).unwrap_or_default();
        message.contains("tesla2mqtt/one/battery_level")
            && !message.contains(&format!("tesla2mqtt/{}/", house.second.as_str()))
    })
    .await;

    // Also when it changes while the bridge does not run.
    assert!(house.program.terminate(END).await.success());
    house.program.start(&as_two);
    moved(&house, "one", "two").await;
}

/// The account that changed with the alias started its car at a place where the other was still
/// published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_that_goes_to_a_car_of_an_account_that_changes_too_takes_no_value_along() {
    let house = House::new(true).await;
    let [first, second] = [&house.first, &house.second].map(Vin::as_str);
    let alias = |vin: &str, second_account: &str| {
        let accounts = format!("{}{second_account}", house.first_account);
        house.config(&format!("{accounts}[cars.{vin}]\nalias = \"one\"\n"))
    };
    house.program.reload(&alias(first, &house.second_account));
    moved(&house, first, "one").await;
    // It comes after the values.
    let snapshot = "tesla2mqtt/one/snapshot";
    house.subscriber.until(snapshot, SOON).await;
    house.is_quiet().await;
    let before = [keys(&house, "one"), keys(&house, second)];

    let another_client = house
        .second_account
        .replace("client-of-the-test", "another-client");
    house.program.reload(&alias(second, &another_client));
    moved(&house, second, "one").await;
    let level = format!("tesla2mqtt/{first}/battery_level");
    house.subscriber.until(&level, SOON).await;
    let now = || [keys(&house, first), keys(&house, "one")];
    eventually("all that is their own", SOON, || now() == before).await;
    house.is_quiet().await;
    let level = |place: &str| {
        let level = format!("tesla2mqtt/{place}/battery_level");
        house.subscriber.get(&level)
    };
    assert_ne!(level("one"), level(first));
    assert_eq!(now(), before);
}

/// What is retained of one car, and the values of it that do not change by themselves.
fn keys(house: &House, place: &str) -> Vec<(String, Option<String>)> {
    const CHANGING: [&str; 6] = [
        "next_poll",
        "polling_reason",
        "snapshot",
        "last_update",
        "light_calls_today",
        "polling_interval",
    ];
    let level = format!("tesla2mqtt/{place}/");
    let topics = house.subscriber.topics().into_iter();
    let of_car = topics.filter_map(|(topic, payload)| {
        let key = topic.strip_prefix(&level)?.to_owned();
        let payload = Some(payload).filter(|_| !CHANGING.contains(&key.as_str()));
        Some((key, payload))
    });
    of_car.collect()
}

async fn moved(house: &House, from: &str, to: &str) {
    let level = format!("tesla2mqtt/{to}/battery_level");
    house.subscriber.until(&level, SOON).await;
    let old = format!("tesla2mqtt/{from}/");
    eventually("the old topics go", SOON, || {
        let topics = house.subscriber.topics();
        !topics.keys().any(|topic| topic.starts_with(&old))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_changes_nothing_and_is_named() {
    let house = House::new(false).await;
    house.is_quiet().await;
    let before = house.trace();
    house
        .program
        .reload(&house.alone().replace("[polling]", "[poling]"));
    house.program.logs("going on with the old one", SOON).await;
    let log = house.program.log();
    assert!(log.contains("tesla2mqtt.toml:3: "), "{log}");
    assert!(log.contains("polling"), "{log}");
    house.same_as(&before);
    // Mended.
    house.program.reload(&house.both());
    house.has_data(&house.second).await;
    house.same_as(&before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_restart_can_change_is_said_and_left_as_it_is() {
    let house = House::new(false).await;
    house.is_quiet().await;
    let before = house.trace();
    let other_base = house
        .alone()
        .replace("[mqtt]\n", "[mqtt]\nbase_topic = \"cars\"\n");
    for round in 1..=2 {
        house.program.reload(&other_base);
        eventually("the log says so, again", SOON, || {
            let log = house.program.log();
            log.matches("takes effect at the next start").count() == round
        })
        .await;
    }
    house.same_as(&before);
    let topics = house.subscriber.topics();
    assert!(!topics.keys().any(|topic| topic.starts_with("cars/")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_topic_and_a_prefix_of_before_are_left_clean() {
    let mut house = House::new(true).await;
    house.is_quiet().await;
    assert!(house.program.terminate(END).await.success());

    let moved = house
        .both()
        .replace("[mqtt]\n", "[mqtt]\nbase_topic = \"home/tesla\"\n");
    let moved = format!("[homeassistant]\ndiscovery_prefix = \"elsewhere\"\n{moved}");
    house.program.start(&moved);
    let config = format!(
        "elsewhere/device/tesla2mqtt_{}/config",
        house.second.as_str()
    );
    house.subscriber.until(&config, SOON).await;
    eventually("nothing is left", SOON, || {
        let topics = house.subscriber.topics();
        let of_before = ["tesla2mqtt/", "homeassistant/"];
        !topics
            .keys()
            .any(|topic| of_before.iter().any(|before| topic.starts_with(before)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_after_many_reloads_is_heeded_in_time() {
    let mut house = House::new(true).await;
    for n in 0..20 {
        let compat = format!("[compat]\nteslamate = {}\n", n % 2 == 0);
        house.program.reload(&format!("{}{compat}", house.both()));
    }
    let ended = house.program.terminate(END).await;
    assert!(ended.success(), "{ended}: {}", house.program.log());
    let state = "tesla2mqtt/bridge/state";
    house.subscriber.wait_for(state, "offline", SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warning_about_the_configuration_is_repeated_at_a_reload() {
    let house = House::new(false).await;
    let warning = "others can read this file";
    assert!(!house.program.log().contains(warning));
    let everybody = fs::Permissions::from_mode(0o644);
    fs::set_permissions(house.program.path(CONFIG), everybody).unwrap();
    house.program.signal("HUP");
    house.program.logs(warning, SOON).await;
}
