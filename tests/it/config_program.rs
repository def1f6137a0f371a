//! `config check`, `config example` and what a wrong configuration does to `run`, as the owner
//! sees them: exit code, standard output, standard error.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pretty_assertions::assert_eq;
use tempfile::TempDir;
use tesla2mqtt::cli::EXAMPLE;

/// The program in an empty directory, without variables of ours or systemd's.
fn program(directory: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tesla2mqtt"));
    command.current_dir(directory.path()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("TESLA2MQTT_") || name.ends_with("_DIRECTORY") {
            command.env_remove(&*name);
        }
    }
    command
}

fn ran(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().expect("not killed by a signal");
    (code, text(output.stdout), text(output.stderr))
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_printed_example_passes_the_check() {
    let directory = tempfile::tempdir().unwrap();
    let (code, example, _) = ran(program(&directory).args(["config", "example"]));
    assert_eq!(code, 0);
    assert_eq!(example, EXAMPLE);
    fs::create_dir(directory.path().join("config")).unwrap();
    fs::write(directory.path().join("config/tesla2mqtt.toml"), example).unwrap();
    let (code, stdout, stderr) = ran(program(&directory).args(["config", "check"]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "configuration ok\n\
         broker: mqtt://localhost:1883 without a login, topics below tesla2mqtt\n\
         home assistant: discovery below homeassistant\n\
         account home: owner, no token here: `tesla2mqtt login` must have stored one\n\
         commands: off\n\
         state: /var/lib/tesla2mqtt\n"
    );
}

#[test]
fn the_check_summarizes_without_a_secret_and_warns() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[mqtt]\nurl = \"mqtts://[::1]\"\nusername = \"u\"\npassword = \"hunter2\"\n\
        [cars.5YJ3E1EA7KF000001]\nalias = \"three\"\n\
        [[accounts]]\nname = \"home\"\napi = \"fleet\"\nclient_id = \"x\"\nrefresh_token_file = \"token\"\n";
    write(&directory.path().join("c.toml"), text, 0o644);
    write(&directory.path().join("token"), "hunter3\n", 0o600);
    let mut command = program(&directory);
    let (code, stdout, stderr) = ran(command.args(["config", "check", "--config", "c.toml"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(!stdout.contains("hunter") && !stderr.contains("hunter"));
    for part in [
        "mqtts://[::1]:8883 with a user name",
        "refresh token given",
        "5YJ…000001: published as three",
        "10.00 dollars",
    ] {
        assert!(stdout.contains(part), "{part}:\n{stdout}");
    }
    assert_eq!(
        stderr,
        "warning: c.toml: others can read this file and it holds mqtt.password: chmod 600 c.toml\n"
    );
}

#[test]
fn mistakes_end_check_and_run_with_code_2_and_one_line_each() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[mqtt]\nurl = \"http://h\"\n[[accounts]]\nname = \"home\"\napi = \"owner\"\nrefresh_token_file = \"token\"\n";
    write(&directory.path().join("c.toml"), text, 0o600);
    write(&directory.path().join("token"), "hunter2", 0o644);
    for subcommand in [
        &["config", "check"][..],
        &["run"],
        &[],
        &["clear"],
        &["health"],
    ] {
        let mut command = program(&directory);
        command.args(subcommand).args(["--config", "c.toml"]);
        command.env("TESLA2MQTT__POLLING__PRESET", "fast");
        let (code, stdout, stderr) = ran(&mut command);
        assert_eq!((code, stdout.as_str()), (2, ""), "{subcommand:?}: {stderr}");
        let lines: Vec<&str> = stderr
            .lines()
            .filter(|line| !line.starts_with("hint:"))
            .collect();
        assert_eq!(
            lines,
            [
                "c.toml:2: mqtt.url = \"http://h\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\"",
                "c.toml:6: accounts[0].refresh_token_file = \"token\": others can read this secret (mode 0644): chmod 600 token",
                "TESLA2MQTT__POLLING__PRESET = \"fast\": expected \"auto\", \"metered\", \"unmetered\" or \"push\"",
            ],
            "{subcommand:?}"
        );
    }
}

#[test]
fn without_any_configuration_both_paths_and_the_way_out_are_named() {
    let directory = tempfile::tempdir().unwrap();
    if Path::new("/etc/tesla2mqtt/tesla2mqtt.toml").exists() {
        crate::ci::skip("this machine has a configuration of its own");
        return;
    }
    let (code, _, stderr) = ran(program(&directory).arg("run"));
    assert_eq!(code, 2);
    for part in [
        "/etc/tesla2mqtt/tesla2mqtt.toml",
        "config/tesla2mqtt.toml",
        "tesla2mqtt config example",
    ] {
        assert!(stderr.contains(part), "{stderr}");
    }
    let (code, _, stderr) = ran(program(&directory).args(["run", "--config", "absent.toml"]));
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("absent.toml: cannot read the configuration: there is none"),
        "{stderr}"
    );
    let (code, _, stderr) = ran(program(&directory).args(["run", "--config", "."]));
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with(".: cannot read the configuration: it is a directory"),
        "{stderr}"
    );
    // Whoever reads such a file may wait for ever, or never come to its end.
    let (code, _, stderr) = ran(program(&directory).args(["run", "--config", "/dev/zero"]));
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("/dev/zero: cannot read the configuration: it is a pipe or a device"),
        "{stderr}"
    );
}

#[test]
fn an_example_that_nobody_reads_to_the_end_is_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program(&directory);
    command.args(["config", "example"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
