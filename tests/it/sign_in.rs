//! `tesla2mqtt login`, as an owner types it.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tesla2mqtt::api::store::TokenStore;
use tesla2mqtt::sim::cloud::{Aim, Call, Fault, Login};

use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pasted_token_signs_in_and_revives_a_running_bridge() {
    let world = World::new().await;
    let vin = world.add_sleeping_car(1);
    let config = signed_out_config(&world);
    let mut program = Program::prepare();
    program.start(&config);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let error = "tesla2mqtt/bridge/last_error";
    crate::rig::eventually("the owner is told", Duration::from_secs(15), || {
        subscriber
            .get(error)
            .is_some_and(|text| text.contains("tesla2mqtt login"))
    })
    .await;

    let (token, _) = world.cloud.issue_tokens(ACCOUNT, Login::Fleet);
    let output = login(&program, &config, &format!("{token}\n"), &[]).await;
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(vin.as_str()), "{said}");
    assert!(!said.contains(&token));

    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber
        .wait_for(&state, "asleep", Duration::from_mins(1))
        .await;
    assert_eq!(world.cloud.family(ACCOUNT, Login::Fleet).n_refused, 0);
    assert_eq!(world.cloud.ledger().wakes(), 0);
    assert_eq!(world.cloud.ledger().count(Call::Data), 0);
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
    let asked = world.cloud.count(Call::Token);
    world
        .cloud
        .fail_next(100, &Aim::at(&[Call::Token]), &Fault::status(503, "away"));
    let unknown = login(&program, &config, "a-token-of-nobody\n", &[]).await;
    assert_eq!(unknown.status.code(), Some(1));
    let said = text(&unknown);
    assert!(said.contains("the earlier login stays as it was"), "{said}");
    assert!(!said.contains("by itself"), "{said}");
    assert!(world.cloud.count(Call::Token) > asked);
    assert_eq!(std::fs::read(&kept).expect("a login"), before);
    assert!(!program.state_directory().join("login").exists());
    world.cloud.expire_access(ACCOUNT);
    world.cloud.heal();

    // The stored access token is void: only the refresh token that was kept signs in.
    program.start(&config);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber
        .wait_for(&state, "asleep", Duration::from_secs(20))
        .await;
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
        assert_eq!(world.cloud.count(Call::Token), 0);
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
