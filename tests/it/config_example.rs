//! The commented example: valid, complete, and equal to the defaults.

use std::time::Duration;

use pretty_assertions::assert_eq;
use tesla2mqtt::cli::EXAMPLE;
use tesla2mqtt::config::{Region, differences, from_text, schema};
use tesla2mqtt::policy::{self, PolicyConfig, Preset};

use crate::config::{ConfigWorld, MINIMAL, PEM};

#[test]
fn the_example_is_valid_and_equals_the_defaults_where_it_is_not_commented_out() {
    let example = from_text(EXAMPLE).unwrap_or_else(|errors| panic!("{errors}"));
    let defaults = from_text(MINIMAL).unwrap();
    assert_eq!(differences(&defaults, &example), []);
}

#[test]
fn the_example_shows_every_key_of_the_schema() {
    let shown = keys_shown(EXAMPLE);
    let missing: Vec<&str> = schema::rows()
        .iter()
        .map(|row| row.path.as_str())
        .filter(|path| !shown.iter().any(|shown| shown == path))
        .collect();
    assert_eq!(missing, [""; 0]);
    let unknown: Vec<&String> = shown
        .iter()
        .filter(|path| schema::row(path).is_none())
        .collect();
    assert_eq!(unknown, Vec::<&String>::new());
}

#[test]
fn the_example_shows_each_interval_with_its_presets_and_floor() {
    let text = |duration: Duration| match duration.as_secs() {
        s if s > 0 && s % 3600 == 0 => format!("{}h", s / 3600),
        s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    };
    for field in policy::FIELDS {
        let of = |preset| text(field.get(&PolicyConfig::preset(preset)));
        let metered = of(Preset::Metered);
        let expected = format!(
            "# {}\n{:<32}# {metered}, {}, {}; at least {}\n",
            field.help,
            format!("# {} = \"{metered}\"", field.name),
            of(Preset::Unmetered),
            of(Preset::Push),
            text(field.floor),
        );
        assert!(
            EXAMPLE.contains(&expected),
            "expected in the example:\n{expected}"
        );
    }
}

/// Keys of the example, commented out or not, as patterns.
fn keys_shown(text: &str) -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(header) = line.strip_prefix('[') {
            let list = if header.starts_with('[') { "[]" } else { "" };
            if let Some((name, _)) = header.trim_start_matches('[').split_once(']') {
                section = schema::pattern(&format!("{name}{list}"));
            }
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            keys.push(format!("{section}.{key}"));
        }
    }
    keys
}

#[test]
fn every_key_of_the_example_is_valid_with_the_comment_sign_removed() {
    let keys_of_values = |line: &&str| {
        let uncommented = line.strip_prefix("# ").unwrap_or(line);
        uncommented.starts_with("[cars.")
            || uncommented
                .split_once(" = ")
                .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let text: Vec<String> = EXAMPLE
        .lines()
        // Either of these excludes another key.
        .filter(|line| {
            !line.contains("_file = ")
                || line.contains("ca_file")
                || line.contains("client_cert")
                || line.contains("client_key")
        })
        .filter(|line| !line.starts_with("# calls"))
        .map(|line| {
            if keys_of_values(&line) {
                line.strip_prefix("# ").unwrap_or(line)
            } else {
                line
            }
        })
        .map(|line| line.replace("mqtt://localhost", "mqtts://localhost"))
        .collect();
    let mut world = ConfigWorld::file(&text.join("\n"));
    for file in ["ca.pem", "client.pem", "client.key", "proxy-ca.pem"] {
        world = world.secret_file(&format!("/etc/tesla2mqtt/{file}"), PEM, 0o600);
    }
    let settings = world.settings();
    assert_eq!(settings.accounts[0].region, Some(Region::Eu));
    assert_eq!(settings.cars.len(), 1);
}
