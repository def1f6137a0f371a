//! The files around the program: the unit, the image, the rules for dependencies.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pretty_assertions::assert_eq;
use tesla2mqtt::config::schema::{self, ValueForm};

use crate::ci;

fn text_of(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The unit with the program where it was built, because `systemd-analyze` looks for it.
fn unit(directory: &Path) -> PathBuf {
    let text = text_of("systemd/tesla2mqtt.service");
    let installed = "ExecStart=/usr/bin/tesla2mqtt ";
    assert!(text.contains(installed));
    let built = format!("ExecStart={} ", env!("CARGO_BIN_EXE_tesla2mqtt"));
    let path = directory.join("tesla2mqtt.service");
    std::fs::write(&path, text.replace(installed, &built)).unwrap();
    path
}

/// What `systemd-analyze` says; `None`: this machine has none.
fn systemd_analyze(arguments: &[&str]) -> Option<(bool, String)> {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        ci::skip("systemd-analyze is not installed");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

#[test]
fn systemd_finds_nothing_to_complain_about_in_the_unit() {
    let directory = tempfile::tempdir().unwrap();
    let unit = unit(directory.path());
    if let Some((is_good, text)) = systemd_analyze(&["verify", unit.to_str().unwrap()]) {
        assert!(is_good, "{text}");
        let about_us: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("tesla2mqtt"))
            .collect();
        assert_eq!(about_us, [""; 0]);
    }
}

#[test]
fn the_exposure_of_the_service_is_at_most_1_5() {
    let directory = tempfile::tempdir().unwrap();
    let unit = unit(directory.path());
    let arguments = [
        "security",
        "--offline=true",
        "--no-pager",
        "--threshold=15",
        unit.to_str().unwrap(),
    ];
    if let Some((is_below, text)) = systemd_analyze(&arguments) {
        assert!(is_below, "{text}");
        assert!(text.contains("Overall exposure level"), "{text}");
    }
}

#[test]
fn each_credential_of_the_unit_is_a_secret_of_the_schema() {
    let text = text_of("systemd/tesla2mqtt.service");
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("LoadCredential="));
    let mut n_credentials = 0;
    for (name, file) in lines.map(|line| line.split_once(':').unwrap()) {
        let key = name.replace("accounts.home.", "accounts[0].");
        let row = schema::row(&key).unwrap_or_else(|| panic!("{name} is no key"));
        assert_eq!(row.kind, ValueForm::Secret, "{name}");
        assert_eq!(file, format!("tesla2mqtt.{name}"));
        n_credentials += 1;
    }
    assert!(n_credentials > 0);
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_says_whether_it_is_alive() {
    let text = text_of("Dockerfile");
    let last_stage = text.rsplit("\nFROM ").next().unwrap();
    let user = last_stage
        .lines()
        .find_map(|line| line.strip_prefix("USER "))
        .unwrap();
    assert!(
        !user.starts_with('0') && !user.starts_with("root"),
        "{user}"
    );
    assert!(last_stage.contains("\"health\""));
    assert_eq!(text.matches("\nFROM ").count(), 2);
}

#[test]
fn the_variables_of_the_compose_example_are_keys() {
    let known: Vec<String> = schema::rows()
        .iter()
        .map(|row| tesla2mqtt::config::variable_of(&row.path))
        .collect();
    let text = text_of("config/compose.yaml");
    let variables = text.lines().filter_map(|line| line.trim().split_once(": "));
    let ours = variables.filter(|(name, _)| name.starts_with("TESLA2MQTT__"));
    let unknown: Vec<_> = ours
        .filter(|(name, _)| !known.iter().any(|known| known == name))
        .collect();
    assert_eq!(unknown, []);
}
