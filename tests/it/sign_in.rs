//! `tesla2mqtt login`, as an owner types it.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tesla2mqtt::api::TokenStore;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault, Login, TeslaAccount};

use crate::child;
use crate::rig::program::Program;
use crate::rig::running::RunningBridge;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World};
use crate::rig::{SOON, eventually};

fn signed_out_config(world: &World) -> String {
    let url = world.cloud.url();
    world.config(&format!(
        "[[accounts]]\nname = \"{ACCOUNT}\"\napi = \"fleet\"\nclient_id = \"client-of-the-test\"\napi_url = \"{url}\"\nauth_url = \"{url}\"\n"
    ))
}

async fn login(program: &Program, config: &str, typed: &str, more: &[&str]) -> Output {
    let file = program.write("tesla2mqtt.toml", config);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tesla2mqtt"));
    command
        .arg("login")
        .arg("--config")
        .arg(file)
        .args(more)
        .current_dir(program.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let typed = typed.to_owned();
    let run = move || {
        let mut child = command.spawn().expect("the binary starts");
        let mut input = child.stdin.take().expect("a pipe");
        // A program that refuses before it reads has closed the pipe.
        let _ = input.write_all(typed.as_bytes());
        drop(input);
        child.wait_with_output().expect("it ends")
    };
    tokio::task::spawn_blocking(run).await.expect("it ran")
}

fn text(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn a_pasted_token_signs_in_and_revives_a_running_bridge() {
    // The bridge looks for a new login every twenty seconds.
    child::at_speed(20.0, async || pasted_token().await);
}

async fn pasted_token() {
    let world = World::new().await;
    let vin = world.add_sleeping_car(1);
    let config = signed_out_config(&world);
    let running = RunningBridge::start(&config);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let error = "tesla2mqtt/bridge/last_error";
    eventually("the owner is told", SOON, || {
        subscriber
            .get(error)
            .is_some_and(|text| text.contains("tesla2mqtt login"))
    })
    .await;

    let (token, _) = world.cloud.issue_tokens(ACCOUNT, Login::Fleet);
    let state = format!("{:?}", running.state_directory().display().to_string());
    let config = config.replace("\"state\"", &state);
    let output = login(&Program::prepare(), &config, &format!("{token}\n"), &[]).await;
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(vin.as_str()), "{said}");
    assert!(!said.contains(&token));

    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber.wait_for(&state, "asleep", SOON).await;
    subscriber.wait_for(error, "none", SOON).await;
    assert_eq!(world.cloud.family(ACCOUNT, Login::Fleet).n_refused, 0);
    assert_eq!(world.cloud.ledger().wakes(), 0);
    assert_eq!(world.cloud.ledger().count(CallKind::Data), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_paste_over_a_good_login_changes_nothing() {
    let world = World::new().await;
    let vin = world.add_sleeping_car(1);
    let config = signed_out_config(&world);
    let mut program = Program::prepare();
    let (token, _) = world.cloud.issue_tokens(ACCOUNT, Login::Fleet);
    let good = login(&program, &config, &format!("{token}\n"), &[]).await;
    assert!(good.status.success(), "{}", text(&good));
    let kept = program.state_directory().join("accounts/home.json");
    let before = std::fs::read(&kept).expect("a login");

    let bad = login(&program, &config, "a-token-of-nobody\n", &[]).await;
    assert_eq!(bad.status.code(), Some(1));
    let said = text(&bad);
    assert!(said.contains("the earlier login stays as it was"), "{said}");
    assert_eq!(std::fs::read(&kept).expect("a login"), before);

    // Nor where nobody knows whether the paste is good.
    let asked = world.cloud.count(CallKind::Token);
    world.cloud.fail_next(
        100,
        &Aim::at(&[CallKind::Token]),
        &Fault::status(503, "away"),
    );
    let unknown = login(&program, &config, "a-token-of-nobody\n", &[]).await;
    assert_eq!(unknown.status.code(), Some(1));
    let said = text(&unknown);
    assert!(said.contains("the earlier login stays as it was"), "{said}");
    assert!(!said.contains("by itself"), "{said}");
    assert!(world.cloud.count(CallKind::Token) > asked);
    assert_eq!(std::fs::read(&kept).expect("a login"), before);
    assert_eq!(trials(&program), [""; 0]);
    world.cloud.expire_access(ACCOUNT);
    world.cloud.heal();

    // The stored access token is void: only the refresh token that was kept signs in.
    program.start(&config);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber.wait_for(&state, "asleep", SOON).await;
}

/// What trials left in the state directory.
fn trials(program: &Program) -> Vec<String> {
    let entries = std::fs::read_dir(program.state_directory()).expect("a state directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("login")).collect()
}

fn kept_token(program: &Program, account: &str) -> String {
    let path = format!("accounts/{account}.json");
    let text = std::fs::read(program.state_directory().join(path)).expect("a login");
    let kept: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    kept["refresh_token"].as_str().expect("a token").to_owned()
}

/// Both tried their token in the same place, and the later one cleared it first: with it went the
/// only copy of what the other's token had been spent for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_logins_at_once_leave_each_other_alone() {
    let world = World::new().await;
    world.cloud.add_account(TeslaAccount::new("cabin"));
    let url = world.cloud.url();
    let accounts = [ACCOUNT, "cabin"].map(|name| {
        format!("[[accounts]]\nname = \"{name}\"\napi = \"fleet\"\nclient_id = \"client-of-the-test\"\napi_url = \"{url}\"\nauth_url = \"{url}\"\n")
    });
    let config = world.config(&accounts.concat());
    let program = Program::prepare();
    let [home, cabin] =
        [ACCOUNT, "cabin"].map(|name| world.cloud.issue_tokens(name, Login::Fleet).0 + "\n");
    let late = Fault::Late(Duration::from_secs(2));
    world
        .cloud
        .fail_next(1, &Aim::at(&[CallKind::Token]), &late);
    let second = async {
        let asked = || world.cloud.count(CallKind::Token) > 0;
        eventually("the first asks", SOON, asked).await;
        login(&program, &config, &cabin, &["--account", "cabin"]).await
    };
    let first = login(&program, &config, &home, &["--account", ACCOUNT]);
    let (first, second) = tokio::join!(first, second);
    for (output, name) in [(first, ACCOUNT), (second, "cabin")] {
        assert!(output.status.success(), "{name}: {}", text(&output));
        let family = world.cloud.family(name, Login::Fleet);
        assert_eq!(family.newest(), Some(kept_token(&program, name).as_str()));
    }
    assert_eq!(trials(&program), [""; 0]);
}

/// What an earlier `login` left when the disk was full: Tesla had taken it.
fn leave_trial(program: &Program, refresh_token: &str, access_token: &str) {
    let now = tesla2mqtt::clock::now().wall;
    let left = serde_json::json!({
        "refresh_token": refresh_token, "previous_refresh_token": "EU_spent-for-it",
        "access_token": access_token, "issued_at": now.to_string(), "api": "fleet",
        "access_expires_at": (now + Duration::from_hours(8)).to_string(),
    });
    let state = program.state_directory();
    tesla2mqtt::atomic_file::state_directory(&state).expect("a state directory");
    let place = state.join(format!("login-{ACCOUNT}/accounts"));
    std::fs::create_dir_all(&place).expect("a place");
    let path = place.join(format!("{ACCOUNT}.json"));
    std::fs::write(path, left.to_string()).expect("a left-over");
}

/// The next `login` began by deleting it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_could_not_be_kept_is_kept_by_the_next_one() {
    let world = World::new().await;
    let vin = world.add_sleeping_car(1);
    let config = signed_out_config(&world);
    let (refresh, access) = world.cloud.issue_tokens(ACCOUNT, Login::Fleet);

    let program = Program::prepare();
    leave_trial(&program, &refresh, &access);
    let other = login(&program, &config, "a-token-of-nobody\n", &[]).await;
    assert_eq!(other.status.code(), Some(1), "{}", text(&other));
    assert_eq!(kept_token(&program, ACCOUNT), refresh);
    assert_eq!(trials(&program), [""; 0]);

    // The same paste again: it is spent, and what came of it is here.
    let program = Program::prepare();
    let asked = world.cloud.count(CallKind::Token);
    leave_trial(&program, &refresh, &access);
    let same = login(&program, &config, "EU_spent-for-it\n", &[]).await;
    let said = text(&same);
    assert!(
        same.status.success() && said.contains(vin.as_str()),
        "{said}"
    );
    assert_eq!(kept_token(&program, ACCOUNT), refresh);
    assert_eq!(world.cloud.count(CallKind::Token), asked);
    assert_eq!(trials(&program), [""; 0]);
}

/// A stored access token was used instead, and any password passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_the_2019_login_is_really_tried() {
    let world = World::new().await;
    world.add_sleeping_car(1);
    let url = world.cloud.url();
    let account = TeslaAccount::new(ACCOUNT);
    let config = |password: &str| {
        world.config(&format!(
            "[[accounts]]\nname = \"{ACCOUNT}\"\napi = \"password\"\nemail = \"{}\"\npassword = \"{password}\"\napi_url = \"{url}\"\nauth_url = \"{url}\"\n",
            account.email
        ))
    };
    let program = Program::prepare();
    let good = login(&program, &config(&account.password), "", &[]).await;
    assert!(good.status.success(), "{}", text(&good));
    let kept = kept_token(&program, ACCOUNT);

    let wrong = login(&program, &config("not-the-password"), "", &[]).await;
    let said = text(&wrong);
    assert_eq!(wrong.status.code(), Some(1), "{said}");
    assert!(said.contains("this password does not sign in"), "{said}");
    assert!(said.contains("the earlier login stays as it was"), "{said}");
    assert_eq!(kept_token(&program, ACCOUNT), kept);
    assert_eq!(trials(&program), [""; 0]);
}

/// Under systemd the owner signs in as root, for a service that could not read what root left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_root_signs_in_belongs_to_the_owner_of_the_state_directory() {
    const SERVICE: u32 = 4711;
    let world = World::new().await;
    let config = signed_out_config(&world);
    let (token, _) = world.cloud.issue_tokens(ACCOUNT, Login::Fleet);
    let program = Program::prepare();
    let state = program.state_directory();
    std::fs::create_dir(&state).expect("a state directory");
    if chown(&state, Some(SERVICE), Some(SERVICE)).is_err() {
        // Only root can play root.
        return;
    }
    let output = login(&program, &config, &format!("{token}\n"), &[]).await;
    assert!(output.status.success(), "{}", text(&output));
    for name in ["accounts", "accounts/home.json", "accounts/home.lock"] {
        let found = std::fs::metadata(state.join(name)).expect(name);
        assert_eq!((found.uid(), found.gid()), (SERVICE, SERVICE), "{name}");
    }

    // Anybody else would leave what the service cannot read.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(program.path("."), open.clone()).expect("ours");
    std::fs::set_permissions(program.path("tesla2mqtt.toml"), open).expect("ours");
    let binary = program.path("tesla2mqtt");
    std::fs::copy(env!("CARGO_BIN_EXE_tesla2mqtt"), &binary).expect("a copy");
    let somebody = Command::new(binary)
        .args(["login", "--config", "tesla2mqtt.toml"])
        .current_dir(program.path("."))
        .uid(SERVICE + 1)
        .gid(SERVICE + 1)
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    assert_eq!(somebody.status.code(), Some(1));
    let said = text(&somebody);
    assert!(said.contains("it belongs to another user"), "{said}");
    assert!(said.contains("sudo"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_waits_for_the_lock_of_its_account() {
    let world = World::new().await;
    world.add_sleeping_car(1);
    let config = signed_out_config(&world);
    let program = Program::prepare();
    let store = TokenStore::new(&program.state_directory(), ACCOUNT).expect("a store");
    let lock = store.try_lock().expect("a lock file").expect("nobody's");
    let (token, _) = world.cloud.issue_tokens(ACCOUNT, Login::Fleet);
    let typed = format!("{token}\n");
    let release = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.cloud.count(CallKind::Token), 0);
        drop(lock);
    };
    let (output, ()) = tokio::join!(login(&program, &config, &typed, &[]), release);
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_sign_in_is_said_in_one_sentence() {
    let world = World::new().await;
    let config = signed_out_config(&world);
    let cases: [(&str, &[&str], &str); 5] = [
        ("", &[], "no refresh token"),
        ("two words\n", &[], "no refresh token"),
        ("a-token-of-nobody\n", &[], "sign in again"),
        (
            "x\n",
            &["--account", "cabin"],
            "--account cabin: not in the configuration, which has home",
        ),
        ("x\n", &["--account", ""], "which has home"),
    ];
    for (typed, more, expected) in cases {
        let output = login(&Program::prepare(), &config, typed, more).await;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{typed:?}: {said}");
        assert!(said.contains(expected), "{typed:?}: {said}");
    }
}
