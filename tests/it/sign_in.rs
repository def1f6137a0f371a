//! `tesla2mqtt login`, as an owner types it.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tesla2mqtt::sim::cloud::{Call, Login};

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
        .wait_for(&state, "asleep", Duration::from_secs(60))
        .await;
    assert_eq!(world.cloud.family(ACCOUNT, Login::Fleet).n_refused, 0);
    assert_eq!(world.cloud.ledger().wakes(), 0);
    assert_eq!(world.cloud.ledger().count(Call::Data), 0);
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
