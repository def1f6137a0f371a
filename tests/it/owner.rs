//! What the owner sees of the policy and the account, and what automations may say: the real
//! binary, a simulated cloud, a real broker.

use std::fs;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tesla2mqtt::clock;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault, TeslaAccount};
use tokio::task::JoinSet;

use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::World;
use crate::rig::{END, SOON, eventually};

const ALLOWED: &str = "[commands]\nenabled = true\n";

fn topic(vin: &Vin, key: &str) -> String {
    format!("tesla2mqtt/{}/{key}", vin.as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_tells_what_it_was_asked_and_how_it_sleeps() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "#");
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    let key = |key: &str| topic(&vin, key);
    subscriber
        .wait_for(&key("data_calls_today"), "1", SOON)
        .await;
    subscriber.wait_for(&key("awake_today"), "0", SOON).await;
    for (name, words) in [
        ("held_by_polling", ["held", "not_held", "None"].as_slice()),
        ("held_by_polling_belief", &["guessed", "none"]),
        ("time_to_sleep", &["None"]),
        ("last_sleep", &["None"]),
    ] {
        let said = subscriber.until(&key(name), SOON).await;
        assert!(words.contains(&said.as_str()), "{name}: {said}");
    }
    let n_light = subscriber.until(&key("light_calls_today"), SOON).await;
    assert!(n_light.parse::<u32>().is_ok(), "{n_light}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_tells_calls_and_dollars_of_all_its_cars_until_it_is_removed() {
    let world = World::new().await;
    world.cloud.add_account(TeslaAccount::new("cabin"));
    world.add_awake_car(1);
    world.add_awake_car(2);
    let third = world.add_awake_car_of("cabin", 3);
    let home = world.fresh_fleet_account("home");
    let cabin = world.fresh_fleet_account("cabin");
    let subscriber = Subscriber::to(world.broker.addr.port(), "#");
    let mut program = Program::prepare();
    program.start(&world.config(&format!("{home}{cabin}")));
    let of = |name: &str, key: &str| format!("tesla2mqtt/bridge/accounts/{name}/{key}");
    subscriber
        .wait_for(&of("home", "data_calls"), "2", SOON)
        .await;
    subscriber
        .wait_for(&of("cabin", "data_calls"), "1", SOON)
        .await;
    subscriber
        .wait_for(&of("home", "dollars_limit"), "10", SOON)
        .await;
    subscriber
        .wait_for(&of("home", "budget_factor"), "1", SOON)
        .await;
    for (name, dollars) in [("home", "0"), ("cabin", "0")] {
        subscriber
            .wait_for(&of(name, "dollars"), dollars, SOON)
            .await;
        for key in [
            "light_calls",
            "commands",
            "wakes",
            "dollars_projected",
            "data_calls_limit",
        ] {
            subscriber.until(&of(name, key), SOON).await;
        }
    }
    assert_eq!(world.cloud.ledger().billed(CallKind::Data), 3);
    let components = || -> Vec<String> {
        let message = subscriber.get("homeassistant/device/tesla2mqtt_bridge/config");
        let message: Json = serde_json::from_str(&message.unwrap_or_default()).unwrap_or_default();
        let keys = message["cmps"]
            .as_object()
            .map(|all| all.keys().cloned().collect());
        keys.unwrap_or_default()
    };
    let has = |name: &str| components().contains(&format!("{name}_dollars"));
    eventually("both are described", SOON, || has("home") && has("cabin")).await;

    // Removed while the bridge runs, and while it does not.
    program.reload(&world.config(&home));
    // What is taken away waits for Home Assistant to be there.
    subscriber.send("homeassistant/status", "online").await;
    let is_gone = || {
        let topics = subscriber.topics();
        !topics
            .keys()
            .any(|topic| topic.contains("/accounts/cabin/"))
            && !has("cabin")
    };
    eventually("nothing of the account is left", SOON, is_gone).await;
    assert!(has("home"));
    subscriber
        .wait_for(&topic(&third, "availability"), "offline", SOON)
        .await;
    program.reload(&world.config(&format!("{home}{cabin}")));
    eventually("it is back", SOON, || has("cabin") && !is_gone()).await;
    subscriber
        .wait_for(&of("cabin", "data_calls"), "1", SOON)
        .await;
    assert!(program.terminate(END).await.success());
    program.start(&world.config(&home));
    subscriber
        .wait_for("tesla2mqtt/bridge/state", "online", SOON)
        .await;
    subscriber.send("homeassistant/status", "online").await;
    eventually("nothing of the account is left", SOON, is_gone).await;
}

/// A bridge with commands, and somebody who gives them.
struct Remote {
    world: World,
    subscriber: Subscriber,
    program: Program,
    n_sent: u32,
}

impl Remote {
    async fn with(add: impl FnOnce(&World) -> Vin, state: &str) -> (Self, Vin) {
        let world = World::new().await;
        let vin = add(&world);
        let subscriber = Subscriber::to(world.broker.addr.port(), "#");
        let mut program = Program::prepare();
        program.start(&format!("{}{ALLOWED}", world.fresh_fleet_config()));
        subscriber
            .wait_for(&topic(&vin, "state"), state, SOON)
            .await;
        let remote = Self {
            world,
            subscriber,
            program,
            n_sent: 0,
        };
        (remote, vin)
    }

    /// Gives a command and returns its answer without the time that it took.
    async fn command(&mut self, car: &str, name: &str) -> (Json, Json) {
        self.n_sent += 1;
        let id = self.n_sent;
        let topic = format!("tesla2mqtt/{car}/command/{name}");
        let result = format!("{topic}/result");
        self.subscriber
            .send(&topic, &json!({ "id": id }).to_string())
            .await;
        let answer = || {
            let messages = self.subscriber.messages();
            let answers = messages.into_iter().filter(|(topic, ..)| *topic == result);
            let mut answers = answers.map(|(_, payload, retained)| {
                assert!(!retained);
                serde_json::from_str::<Json>(&payload).expect("JSON")
            });
            answers.find(|answer| answer["id"] == id)
        };
        eventually(&result, SOON, || answer().is_some()).await;
        let answer = answer().expect("just seen");
        assert!(
            answer["ms"].as_u64().is_some_and(|ms| ms < 10_000),
            "{answer}"
        );
        (answer["ok"].clone(), answer["reason"].clone())
    }

    async fn is_taken(&mut self, vin: &Vin, name: &str) {
        let answer = self.command(vin.as_str(), name).await;
        assert_eq!(answer, (json!(true), Json::Null), "{name}");
    }

    async fn is_refused(&mut self, car: &str, name: &str, why: &str) {
        let (ok, reason) = self.command(car, name).await;
        assert_eq!(ok, json!(false), "{name}");
        let reason = reason.as_str().expect("a reason").to_owned();
        assert!(reason.contains(why), "{name}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_awake_car_is_refreshed_paused_resumed_and_hinted_at() {
    let (mut remote, vin) = Remote::with(|world| world.add_awake_car(1), "online").await;
    let n_data = |remote: &Remote| remote.world.n_calls(CallKind::Data, &vin);
    eventually("first data", SOON, || n_data(&remote) == 1).await;
    remote.is_taken(&vin, "refresh").await;
    eventually("a look", SOON, || n_data(&remote) >= 2).await;
    remote.is_taken(&vin, "pause").await;
    let state = topic(&vin, "state");
    remote.subscriber.wait_for(&state, "paused", SOON).await;
    remote.is_refused(vin.as_str(), "refresh", "paused").await;
    remote.is_refused(vin.as_str(), "let_sleep", "paused").await;
    remote.is_taken(&vin, "resume").await;
    remote.subscriber.wait_for(&state, "online", SOON).await;
    remote.is_taken(&vin, "hint").await;
    remote.is_refused("ghost", "hint", "no such car").await;
    remote
        .is_refused(vin.as_str(), "unlock", "no command")
        .await;
    // More than five within a second would be too much.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let payload = "not JSON \u{1f697}";
    let pause = topic(&vin, "command/pause");
    remote.subscriber.send(&pause, payload).await;
    remote.subscriber.wait_for(&state, "paused", SOON).await;
    let result = format!("{pause}/result");
    let answer = || remote.subscriber.get(&result).unwrap_or_default();
    eventually("an answer without an id", SOON, || {
        answer().contains("\"id\":null")
    })
    .await;
    assert_eq!(remote.world.cloud.ledger().wakes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeping_car_answers_asleep_and_no_command_wakes_it() {
    let (mut remote, vin) = Remote::with(|world| world.add_sleeping_car(1), "asleep").await;
    let n_light = remote.world.n_calls(CallKind::Light, &vin);
    remote.is_refused(vin.as_str(), "refresh", "asleep").await;
    let look = || remote.world.n_calls(CallKind::Light, &vin) > n_light;
    eventually("a light look", SOON, look).await;
    for name in ["hint", "let_sleep", "pause", "resume"] {
        remote.is_taken(&vin, name).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let calls = remote.world.calls(&vin);
    let is_data = calls.iter().any(|request| request.call == CallKind::Data);
    assert!(!is_data, "{calls:?}");
    assert_eq!(remote.world.cloud.ledger().wakes(), 0);
}

/// A hint is heard while a call hangs, and does not wait for its time-out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_during_a_hung_light_call_is_looked_after_before_the_call_times_out() {
    let (mut remote, vin) = Remote::with(|world| world.add_sleeping_car(1), "asleep").await;
    let light = Aim::at(&[CallKind::Light]);
    remote.world.cloud.fail_next(1, &light, &Fault::Hang);
    let n_light = |remote: &Remote| remote.world.n_calls(CallKind::Light, &vin);
    let before = n_light(&remote);
    let often = format!("{ALLOWED}[polling]\nasleep_light = \"10s\"\n");
    let config = remote.world.fresh_fleet_config();
    let config = config.replace("[polling]\nstart_spread = \"0s\"\n", "");
    remote.program.reload(&format!("{config}{often}"));
    eventually("it hangs", SOON, || n_light(&remote) > before).await;
    // Longer than two requests are kept apart.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let begun = clock::uptime();
    remote.is_taken(&vin, "hint").await;
    let answered = clock::uptime().saturating_sub(begun);
    assert!(answered < END, "{answered:?}");
    eventually("a look", END, || n_light(&remote) > before + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_commands_are_no_commands_and_a_flood_is_refused() {
    let (mut remote, vin) = Remote::with(|world| world.add_awake_car(1), "online").await;
    let pause = topic(&vin, "command/pause");
    remote.subscriber.publish(&pause, "stored").await;
    // Live for those who listen already; stored for the bridge that starts anew.
    let result = format!("{pause}/result");
    remote.subscriber.until(&result, SOON).await;
    remote.is_taken(&vin, "resume").await;
    remote.program.kill();
    let state = topic(&vin, "state");
    remote.subscriber.forget();
    remote
        .program
        .start_with(&["run", "--config", "tesla2mqtt.toml"], &[]);
    remote.subscriber.wait_for(&state, "online", SOON).await;
    remote.is_taken(&vin, "hint").await;
    assert_eq!(remote.subscriber.get(&result), None);

    tokio::time::sleep(Duration::from_secs(1)).await;
    let hint = topic(&vin, "command/hint");
    remote.subscriber.forget();
    let begun = clock::uptime();
    for _ in 0..300 {
        remote.subscriber.send(&hint, "").await;
    }
    // Messages are read in their order, and those about no car are counted for themselves.
    remote.is_refused("ghost", "hint", "no such car").await;
    let answers = |words: &str| {
        let messages = remote.subscriber.messages();
        let answers = messages.iter().filter(|(topic, payload, _)| {
            *topic == format!("{hint}/result") && payload.contains(words)
        });
        answers.count()
    };
    let taken = || answers("\"ok\":true");
    eventually("taken", SOON, || taken() >= 5).await;
    let seconds = clock::uptime().saturating_sub(begun).as_secs() + 1;
    let n_windows = usize::try_from(seconds).expect("a few") + 1;
    let (taken, refused) = (taken(), answers("too many"));
    assert!(taken <= 5 * n_windows, "{taken} taken in {seconds} s");
    assert!((1..=10 * n_windows).contains(&refused), "{refused} refused");
    // The next second is a new one.
    tokio::time::sleep(Duration::from_secs(1)).await;
    remote.is_taken(&vin, "hint").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_listened_to_unless_commands_are_enabled() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "#");
    let config = world.fresh_fleet_config();
    let mut program = Program::prepare();
    program.start(&config);
    subscriber
        .wait_for(&topic(&vin, "state"), "online", SOON)
        .await;
    let hint = topic(&vin, "command/hint");
    let result = format!("{hint}/result");
    let is_answered = async |limit: Duration| {
        subscriber.forget();
        subscriber.send(&hint, "").await;
        let answered = async {
            while subscriber.get(&result).is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(limit, answered).await.is_ok()
    };
    assert!(!is_answered(Duration::from_secs(1)).await);
    program.reload(&format!("{config}{ALLOWED}"));
    program.logs("change=Commands", SOON).await;
    // It is listened to as soon as the broker has taken the subscription.
    let answered = async { while !is_answered(Duration::from_secs(1)).await {} };
    let in_time = tokio::time::timeout(SOON, answered).await;
    assert!(in_time.is_ok(), "{}", program.log());
    fs::write(program.path("log"), "").expect("a log");
    program.reload(&config);
    program.logs("change=Commands", SOON).await;
    assert!(!is_answered(Duration::from_secs(1)).await);
}

/// 57: a month ends while the app is over Tesla's billing limit. The car is asked at once and not
/// when the wait of an hour is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_month_opens_what_the_billing_limit_closed() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let over = Fault::status(403, "account disabled: EXCEEDED_LIMIT");
    world.cloud.fail_next(1, &Aim::at(&[CallKind::Data]), &over);
    let soon = "start_spread = \"0s\"\nidle_first_data = \"10s\"";
    let config = world.fresh_fleet_config();
    let config = config.replace("start_spread = \"0s\"", soon);
    let mut program = Program::prepare();
    program.start(&config);
    world.until_asked(CallKind::Data, SOON).await;
    let subscriber = Subscriber::to(world.broker.addr.port(), "#");
    let healthy = topic(&vin, "healthy");
    subscriber.wait_for(&healthy, "off", SOON).await;
    let asked_again = || world.n_calls(CallKind::Data, &vin) > 1;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!asked_again(), "the limit is respected");
    assert!(program.terminate(END).await.success());

    // What the month before has left behind.
    let file = program.state_directory().join("ledger-home.json");
    let text = fs::read_to_string(&file).expect("the account's file");
    let mut ledger: Json = serde_json::from_str(&text).expect("JSON");
    let days = ledger["ledger"]["days"].as_object().expect("days");
    let mut calls = days.values().next().expect("a day").clone();
    calls["data"] = json!(500);
    ledger["ledger"]["days"] = json!({ "2026-01-31": calls });
    ledger["ledger"]["today"] = json!("2026-01-31");
    fs::write(&file, ledger.to_string()).expect("the account's file");
    program.start(&config);
    eventually("data", SOON, asked_again).await;
    subscriber.wait_for(&healthy, "on", SOON).await;
    let spent = "tesla2mqtt/bridge/accounts/home/data_calls";
    let n_spent = || {
        subscriber
            .get(spent)
            .and_then(|said| said.parse::<u64>().ok())
    };
    eventually("a month's account of its own", SOON, || {
        n_spent().is_some_and(|n| (1..10).contains(&n))
    })
    .await;
}

/// Light and data calls in the account's file.
fn counted(program: &Program) -> (u64, u64) {
    let file = program.state_directory().join("ledger-home.json");
    let Ok(bytes) = fs::read(file) else {
        return (0, 0);
    };
    let file: Json = serde_json::from_slice(&bytes).expect("a whole file");
    let days = file["ledger"]["days"].as_object().expect("days").values();
    let sum = |class: &str| days.clone().filter_map(|day| day[class].as_u64()).sum();
    (sum("light"), sum("data"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_at_most_the_last_call_of_the_account() {
    // Four programs side by side, each killed three times, later from kill to kill.
    let programs: JoinSet<()> = (0..4)
        .map(|first| is_killed([first, first + 4, first + 8]))
        .collect();
    programs.join_all().await;
}

async fn is_killed(moments: [u64; 3]) {
    const CARS: u64 = 2;
    let world = World::new().await;
    world.add_awake_car(1);
    world.add_awake_car(2);
    let config = world.fresh_fleet_config();
    let mut program = Program::prepare();
    let mut lost_before = 0;
    for (round, moment) in (0..).zip(moments) {
        let before = world.cloud.count(CallKind::Data);
        program.start(&config);
        world.cloud.until_more_than(before, CallKind::Data).await;
        // Spread over the first call, its answer, and the other car's.
        tokio::time::sleep(Duration::from_millis(moment * moment)).await;
        program.kill();
        let (light, data) = counted(&program);
        let ledger = world.cloud.ledger();
        let (billed_light, billed_data) = (
            ledger.billed(CallKind::Light),
            ledger.billed(CallKind::Data),
        );
        assert!(
            data >= billed_data,
            "round {round}: {data} of {billed_data}"
        );
        assert!(
            data <= billed_data + CARS * (round + 1),
            "round {round}: {data}"
        );
        let lost = billed_light.saturating_sub(light);
        assert!(
            lost <= lost_before + CARS,
            "round {round}: {light} of {billed_light}"
        );
        lost_before = lost;
        // Each round is a first look at both cars: only the account remembers.
        let _ = fs::remove_dir_all(program.state_directory().join("cars"));
    }
    program.start(&config);
    let (_, data) = counted(&program);
    let subscriber = Subscriber::to(world.broker.addr.port(), "#");
    let said = "tesla2mqtt/bridge/accounts/home/data_calls";
    let is_said = || {
        let said = subscriber
            .get(said)
            .and_then(|said| said.parse::<u64>().ok());
        said.is_some_and(|said| said >= data && said <= data + CARS)
    };
    eventually("the month goes on", SOON, is_said).await;
}
