//! `tesla2mqtt estimate` as its owner sees it: exit code, standard output, standard error.

use std::fs;
use std::process::{Command, Stdio};

use pretty_assertions::assert_eq;
use tempfile::TempDir;

fn estimate(directory: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tesla2mqtt"));
    command
        .current_dir(directory.path())
        .arg("estimate")
        .args(arguments)
        .stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("TESLA2MQTT_") || name.ends_with("_DIRECTORY") {
            command.env_remove(&*name);
        }
    }
    let output = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("not killed by a signal");
    (code, text(output.stdout), text(output.stderr))
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn without_an_option_it_plays_a_commuters_month() {
    let (code, stdout, stderr) = estimate(&directory(), &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let first = stdout.lines().next();
    assert_eq!(
        first,
        Some("life commuter, 30 days, 1 car not kept awake by data calls; preset metered")
    );
    for row in [
        "light calls a day ",
        "data calls a day ",
        "408 answers in 30 days ",
        "dollars a month ",
        "hours awake a day ",
        "sleep prevented, hours a day ",
        "a drive's start is seen after ",
        "a charge's start is seen after ",
        "dollars: Tesla's published prices of February 2025, 0.002 a data call",
    ] {
        let n = stdout.lines().filter(|line| line.starts_with(row)).count();
        assert_eq!(n, 1, "{row}\n{stdout}");
    }
}

#[test]
fn a_picture_is_written() {
    let directory = directory();
    let arguments = [
        "--life",
        "taxi",
        "--days",
        "2",
        "--plot",
        "day.svg",
        "--plot-day",
        "2",
    ];
    let (code, _, stderr) = estimate(&directory, &arguments);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let svg = fs::read_to_string(directory.path().join("day.svg")).expect("a picture");
    assert!(svg.starts_with("<svg "));
    assert!(svg.contains("taxi, day 2 of 2, preset metered"));
}

#[test]
fn an_owners_life_and_configuration_are_played() {
    let directory = directory();
    let write = |name, text| fs::write(directory.path().join(name), text).expect("written");
    write(
        "life.toml",
        "[car]\nheld = true\n[[segments]]\nat = \"08:00\"\nwhat = \"drive\"\nfor = \"1h\"\n",
    );
    write(
        "own.toml",
        "[mqtt]\nurl = \"mqtt://localhost\"\n\
         [[accounts]]\nname = \"home\"\napi = \"owner\"\n[[accounts]]\nname = \"work\"\napi = \"fleet\"\nclient_id = \"x\"\n",
    );
    let arguments = ["--life", "life.toml", "--config", "own.toml", "--days", "2"];
    let (code, stdout, stderr) = estimate(&directory, &arguments);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(
        stdout.starts_with(
            "life life.toml, 2 days, 1 car kept awake by data calls; \
             configured for account home, preset unmetered\n"
        ),
        "{stdout}"
    );
    assert!(stdout.contains("this account is not billed"), "{stdout}");
    let arguments = [&arguments[..], &["--account", "work", "--not-held"]].concat();
    let (_, stdout, _) = estimate(&directory, &arguments);
    assert!(
        stdout
            .contains("not kept awake by data calls; configured for account work, preset metered")
    );
}

#[test]
fn a_wrong_question_ends_with_2_and_says_what_was_expected() {
    let directory = directory();
    fs::write(
        directory.path().join("bad.toml"),
        "[[segments]]\nat = \"noon\"\nwhat = \"app\"\n",
    )
    .expect("written");
    let check = |arguments: &[&str], expected: &str| {
        let (code, stdout, stderr) = estimate(&directory, arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    };
    check(
        &["--life", "comuter"],
        "--life comuter: neither a life (commuter, weekender",
    );
    check(&["--life", "."], "--life .");
    check(
        &["--life", "bad.toml"],
        "bad.toml:2: at = \"noon\": expected a time such as",
    );
    check(&["--days", "0"], "--days");
    check(
        &["--days", "366", "--cars", "20"],
        "at most 1000 days of all cars together",
    );
    check(&["--held", "--not-held"], "cannot be used with");
    check(&["--preset", "fast"], "metered, unmetered, push");
    check(
        &["--preset", "push", "--config", "x.toml"],
        "expected one of them",
    );
    check(
        &["--config", "absent.toml"],
        "absent.toml: cannot read the configuration",
    );
    check(&["--account", "home"], "needs --config FILE");
    check(
        &["--plot", "x.svg", "--plot-day", "8", "--days", "7"],
        "expected 1 to 7",
    );
}

#[test]
fn a_picture_that_cannot_be_written_ends_with_1() {
    let arguments = [
        "--life",
        "parked",
        "--days",
        "1",
        "--plot",
        "absent/day.svg",
    ];
    let (code, stdout, stderr) = estimate(&directory(), &arguments);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("--plot absent/day.svg: "), "{stderr}");
}
