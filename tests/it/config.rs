//! Configuration: what is accepted, and what each mistake is told.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tesla2mqtt::cli::config::EXAMPLE;
use tesla2mqtt::config::{
    Api, Change, FileContent, Limit, Loaded, Preset, Protocol, Region, Settings, Source,
    differences, from_text, load, schema, variable_of,
};

const MINIMAL: &str = "[[accounts]]\nname = \"home\"\napi = \"owner\"\n";

/// A world of a configuration file, variables and other files.
#[derive(Default)]
struct World {
    file: Option<(String, u32)>,
    env: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, (Vec<u8>, u32)>,
}

impl World {
    fn file(text: &str) -> Self {
        Self {
            file: Some((text.to_owned(), 0o600)),
            ..Self::default()
        }
    }

    /// The minimal file with more before it.
    fn with(text: &str) -> Self {
        Self::file(&format!("{text}\n{MINIMAL}"))
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn secret_file(mut self, path: &str, text: &str, mode: u32) -> Self {
        self.files
            .insert(path.into(), (text.as_bytes().to_vec(), mode));
        self
    }

    fn load(&self) -> Result<Loaded, Vec<String>> {
        let read_file = |path: &Path| -> io::Result<FileContent> {
            let (bytes, mode) = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(FileContent {
                bytes: bytes.clone(),
                mode: Some(*mode),
                changed_at: Some(jiff::Timestamp::UNIX_EPOCH),
            })
        };
        let file = self.file.as_ref().map(|(text, mode)| {
            let content = FileContent {
                bytes: text.as_bytes().to_vec(),
                mode: Some(0o100_000 | mode),
                changed_at: None,
            };
            (PathBuf::from("t.toml"), content)
        });
        load(Source {
            file,
            env: self.env.clone(),
            read_file: &read_file,
        })
        .map_err(|errors| errors.messages)
    }

    #[track_caller]
    fn settings(&self) -> Settings {
        self.load()
            .expect("a configuration without mistakes")
            .settings
    }

    #[track_caller]
    fn refused(&self, expected: &[&str]) {
        let messages = self.load().expect_err("a configuration with mistakes");
        assert_eq!(messages, expected);
    }
}

#[test]
fn the_shortest_configuration_has_every_default() {
    let settings = from_text(MINIMAL).unwrap();
    assert_eq!(settings.mqtt.host, "localhost");
    assert_eq!(settings.mqtt.port, 1883);
    assert!(settings.mqtt.tls.is_none());
    assert_eq!(settings.mqtt.protocol, Protocol::V5);
    assert_eq!(settings.mqtt.base_topic, "tesla2mqtt");
    assert_eq!(settings.mqtt.keep_alive, Duration::from_secs(15));
    assert!(!settings.broker.enabled);
    assert!(settings.homeassistant.enabled);
    assert_eq!(settings.accounts[0].api, Api::Owner);
    assert_eq!(settings.polling.preset, Preset::Auto);
    assert_eq!(settings.budget.limit, Limit::Dollars(10.0));
    assert!(!settings.commands.enabled);
    assert_eq!(settings.state.directory, Path::new("/var/lib/tesla2mqtt"));
    assert_eq!(settings.log.level, "info");
}

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
    let mut world = World::file(&text.join("\n"));
    for file in ["ca.pem", "client.pem", "client.key", "proxy-ca.pem"] {
        world = world.secret_file(&format!("/etc/tesla2mqtt/{file}"), "PEM", 0o600);
    }
    let settings = world.settings();
    assert_eq!(settings.accounts[0].region, Some(Region::Eu));
    assert_eq!(settings.cars.len(), 1);
}

#[test]
fn each_mistake_in_a_file_is_one_message_with_line_key_and_expectation() {
    let cases: &[(&str, &str)] = &[
        // Unknown keys.
        (
            "[mqtt]\nurll = \"mqtt://h\"",
            "t.toml:2: mqtt.urll: unknown key, did you mean mqtt.url?",
        ),
        (
            "[mqqt]\nurl = \"mqtt://h\"",
            "t.toml:1: mqqt: unknown key, did you mean mqtt?",
        ),
        (
            "[mqtt]\npreset = \"auto\"",
            "t.toml:2: mqtt.preset: unknown key, did you mean polling.preset?",
        ),
        (
            "whatever = 1",
            "t.toml:1: whatever: unknown key; `tesla2mqtt config example` shows every key",
        ),
        // Wrong types.
        (
            "[mqtt]\nprotocol = \"5\"",
            "t.toml:2: mqtt.protocol = \"5\": expected 5, or 4 for MQTT 3.1.1",
        ),
        (
            "[mqtt]\nprotocol = 3",
            "t.toml:2: mqtt.protocol = 3: expected 5, or 4 for MQTT 3.1.1",
        ),
        (
            "[mqtt]\nprotocol = 99999999999999999999",
            "t.toml:2: mqtt.protocol = a number that is too large: expected 5, or 4 for MQTT 3.1.1",
        ),
        (
            "[commands]\nenabled = \"yes\"",
            "t.toml:2: commands.enabled = \"yes\": expected true or false",
        ),
        (
            "[commands]\nenabled = [true]",
            "t.toml:2: commands.enabled = a list: expected true or false",
        ),
        (
            "[mqtt]\nurl = 1883",
            "t.toml:2: mqtt.url = 1883: expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\"",
        ),
        (
            "mqtt = \"mqtt://h\"",
            "t.toml:1: mqtt: expected a section [mqtt], found string",
        ),
        (
            "[mqtt]\nurl.host = 1",
            "t.toml:2: mqtt.url = a table: expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\"",
        ),
        // Durations.
        (
            "[mqtt]\nkeep_alive = \"fast\"",
            "t.toml:2: mqtt.keep_alive = \"fast\": expected a duration such as \"30s\" or \"10m\"",
        ),
        (
            "[mqtt]\nkeep_alive = \"-20s\"",
            "t.toml:2: mqtt.keep_alive = \"-20s\": expected a duration from \"5s\" to \"20m\"",
        ),
        (
            "[mqtt]\nkeep_alive = \"1s\"",
            "t.toml:2: mqtt.keep_alive = \"1s\": expected a duration from \"5s\" to \"20m\"",
        ),
        (
            "[mqtt]\nkeep_alive = 15",
            "t.toml:2: mqtt.keep_alive = 15: expected a duration from \"5s\" to \"20m\"",
        ),
        // Addresses.
        (
            "[mqtt]\nurl = \"\"",
            "t.toml:2: mqtt.url = \"\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\"",
        ),
        (
            "[mqtt]\nurl = \"localhost:1883\"",
            "t.toml:2: mqtt.url = \"localhost:1883\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\"",
        ),
        (
            "[mqtt]\nurl = \"http://h\"",
            "t.toml:2: mqtt.url = \"http://h\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\"",
        ),
        (
            "[mqtt]\nurl = \"mqtt://\"",
            "t.toml:2: mqtt.url = \"mqtt://\": expected a host name or address after \"://\"",
        ),
        (
            "[mqtt]\nurl = \"mqtt://h:0\"",
            "t.toml:2: mqtt.url = \"mqtt://h:0\": expected a port from 1 to 65535",
        ),
        (
            "[mqtt]\nurl = \"mqtt://h/x\"",
            "t.toml:2: mqtt.url = \"mqtt://h/x\": expected nothing after the host and port",
        ),
        (
            "[mqtt]\nurl = \"mqtt://u:hunter2@h\"",
            "t.toml:2: mqtt.url: expected no user or password in the address; they have the keys mqtt.username and mqtt.password",
        ),
        (
            "[web]\nlisten = \"8321\"",
            "t.toml:2: web.listen = \"8321\": expected an address and port such as \"127.0.0.1:8321\"",
        ),
        // Topics.
        (
            "[mqtt]\nbase_topic = \"\"",
            "t.toml:2: mqtt.base_topic = \"\": expected at least one level, as in \"tesla2mqtt\" or \"home/tesla\"",
        ),
        (
            "[mqtt]\nbase_topic = \"/t\"",
            "t.toml:2: mqtt.base_topic = \"/t\": expected no slash at either end and no empty level, as in \"tesla2mqtt\" or \"home/tesla\"",
        ),
        (
            "[mqtt]\nbase_topic = \"t/#\"",
            "t.toml:2: mqtt.base_topic = \"t/#\": expected no wildcard (+ or #), as in \"tesla2mqtt\" or \"home/tesla\"",
        ),
        (
            "[mqtt]\nbase_topic = \"t\\u0000\"",
            "t.toml:2: mqtt.base_topic = \"t\\0\": expected no control character, as in \"tesla2mqtt\" or \"home/tesla\"",
        ),
        (
            "[homeassistant]\ndiscovery_prefix = \"$SYS\"",
            "t.toml:2: homeassistant.discovery_prefix = \"$SYS\": expected a topic outside of the broker's own ($…), as in \"tesla2mqtt\" or \"home/tesla\"",
        ),
        (
            "[homeassistant]\nstatus_topic = \"a//b\"",
            "t.toml:2: homeassistant.status_topic = \"a//b\": expected no slash at either end and no empty level, as in \"tesla2mqtt\" or \"home/tesla\"",
        ),
        // TLS.
        (
            "[mqtt]\nurl = \"mqtts://h\"\nca_file = \"/ca\"",
            "t.toml:3: mqtt.ca_file = \"/ca\": cannot read this file: there is none at this path",
        ),
        // The own broker.
        (
            "[broker]\nlisten = \"0.0.0.0:1883\"",
            "t.toml:2: broker.listen = \"0.0.0.0:1883\": whoever reaches this address could command your cars: expected broker.username and broker.password, or a loopback address",
        ),
        (
            "[broker]\npassword = \"p\"",
            "t.toml:1: broker.username: missing: broker.password is set: expected text that is not empty",
        ),
        // Cars.
        (
            "[cars.5YJ3E1EA7KF000001]\nalias = \"a/b\"",
            "t.toml:2: cars.5YJ3E1EA7KF000001.alias = \"a/b\": expected no /, +, # and no control character: one topic level, such as \"model-3\"",
        ),
        (
            "[cars.5YJ3E1EA7KF000001]\nalias = \"bridge\"",
            "t.toml:2: cars.5YJ3E1EA7KF000001.alias = \"bridge\": this level is the bridge's own: expected another name: one topic level, such as \"model-3\"",
        ),
        (
            "[cars.5YJ3E1EA7KF000001]\nalias = \"a\"\n[cars.5YJ3E1EA7KF000002]\nalias = \"a\"",
            "t.toml:4: cars.5YJ3E1EA7KF000002.alias = \"a\": another car has this alias: expected each alias once",
        ),
        (
            "[cars.5yj3e1ea7kf000001]\nalias = \"a\"\n[cars.5YJ3E1EA7KF000001]\nalias = \"b\"",
            "t.toml:1: cars.5YJ3E1EA7KF000001: this car is here twice",
        ),
        (
            "[cars.KITT]\nalias = \"a\"",
            "t.toml:1: cars.KITT: expected the VIN of a car: a VIN has 17 letters and digits, this has 4 characters or others among them",
        ),
        (
            "[cars]\nalias = \"a\"",
            "t.toml:2: cars.alias: expected the VIN of a car: a VIN has 17 letters and digits, this has 5 characters or others among them",
        ),
        // Money and words.
        (
            "[budget]\ndollars = 5\ncalls = 10",
            "t.toml:3: budget.calls = 10: given together with budget.dollars: keep one of them",
        ),
        (
            "[budget]\ndollars = -1",
            "t.toml:2: budget.dollars = -1: expected an amount of dollars a month, such as 10.0",
        ),
        (
            "[budget]\nprice_data = nan",
            "t.toml:2: budget.price_data = NaN: expected a price in dollars, such as 0.002",
        ),
        (
            "[budget]\ncalls = 1.5",
            "t.toml:2: budget.calls = 1.5: expected a number of data calls a month, such as 5000",
        ),
        (
            "[polling]\npreset = \"fast\"",
            "t.toml:2: polling.preset = \"fast\": expected \"auto\", \"metered\", \"unmetered\" or \"push\"",
        ),
        (
            "[log]\nformat = \"xml\"",
            "t.toml:2: log.format = \"xml\": expected \"text\" or \"json\"",
        ),
        (
            "[log]\nlevel = \"tesla2mqtt=loud\"",
            "t.toml:2: log.level = \"tesla2mqtt=loud\": expected levels such as \"info\" or \"info,tesla2mqtt::policy=debug\"",
        ),
        // Not TOML.
        (
            "[mqtt]\nurl = ",
            "t.toml:2: mqtt.url: not valid TOML: string values must be quoted, expected literal string",
        ),
    ];
    for (text, expected) in cases {
        let messages = World::with(text).load().map(|_| ()).expect_err(text);
        assert_eq!(messages, [*expected], "for\n{text}");
    }
}

#[test]
fn each_mistake_in_an_account_is_told() {
    let cases: &[(&str, &[&str])] = &[
        (
            "",
            &[
                "t.toml: accounts: missing: expected at least one account: [[accounts]] with name and api",
            ],
        ),
        (
            "accounts = []",
            &[
                "t.toml:1: accounts: missing: expected at least one account: [[accounts]] with name and api",
            ],
        ),
        (
            "[accounts]\nname = \"home\"",
            &["t.toml:1: accounts: expected a list of tables, each with the header [[accounts]]"],
        ),
        (
            "accounts = [1]",
            &[
                "t.toml:1: accounts[0]: expected a list of tables, each with the header [[accounts]]",
            ],
        ),
        (
            "\n[[accounts]]\nname = \"home\"",
            &["t.toml:2: accounts[0].api: missing: expected \"fleet\", \"owner\" or \"password\""],
        ),
        (
            "[[accounts]]\napi = \"owner\"",
            &[
                "t.toml:1: accounts[0].name: missing: expected a name of letters, digits, - and _, such as \"home\"",
            ],
        ),
        (
            "[[accounts]]\nname = \"a b\"\napi = \"owner\"",
            &[
                "t.toml:2: accounts[0].name = \"a b\": expected a name of letters, digits, - and _, such as \"home\"",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"owner\"\n[[accounts]]\nname = \"A\"\napi = \"owner\"",
            &[
                "t.toml:5: accounts[1].name = \"A\": another account has this name: expected each name once",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"fleet\"",
            &[
                "t.toml:1: accounts[0].client_id: missing: the Fleet API needs it: expected the client id of your app at developer.tesla.com",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"password\"",
            &[
                "t.toml:1: accounts[0].email: missing: the password login needs it: expected the e-mail address of the account",
                "t.toml:1: accounts[0].password: missing: the password login needs it: expected one line of text in quotes",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"tessie\"",
            &[
                "t.toml:3: accounts[0].api = \"tessie\": expected \"fleet\", \"owner\" or \"password\"",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"owner\"\nregion = \"us\"",
            &["t.toml:4: accounts[0].region = \"us\": expected \"na\", \"eu\" or \"cn\""],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"owner\"\napi_url = \"ftp://h\"",
            &[
                "t.toml:4: accounts[0].api_url = \"ftp://h\": expected an address such as \"https://host\"",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"owner\"\nauth_url = \"https://\"",
            &[
                "t.toml:4: accounts[0].auth_url = \"https://\": expected an address such as \"https://host\"",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"owner\"\napi_url = \"https://h/?token=hunter2\"",
            &["t.toml:4: accounts[0].api_url: expected an address without ? and #"],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = 12",
            &[
                "t.toml:4: accounts[0].refresh_token: expected one line of text in quotes, found a whole number",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = \"\"",
            &[
                "t.toml:4: accounts[0].refresh_token: expected one line of text in quotes, found nothing between them",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = \"hunter2\"\nrefresh_token_file = \"/t\"",
            &[
                "t.toml:4: accounts[0].refresh_token: given together with accounts[0].refresh_token_file: keep one of them",
            ],
        ),
    ];
    for (text, expected) in cases {
        let messages = World::file(text).load().map(|_| ()).expect_err(text);
        assert_eq!(messages, *expected, "for\n{text}");
    }
}

#[test]
fn all_mistakes_come_out_together_in_the_order_of_the_file() {
    World::file("[mqtt]\nurl = \"x\"\nprotocol = 6\n[[accounts]]\nname = \"home\"\nap = \"owner\"").refused(&[
        "t.toml:2: mqtt.url = \"x\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\"",
        "t.toml:3: mqtt.protocol = 6: expected 5, or 4 for MQTT 3.1.1",
        "t.toml:4: accounts[0].api: missing: expected \"fleet\", \"owner\" or \"password\"",
        "t.toml:6: accounts[0].ap: unknown key, did you mean accounts[0].api?",
    ]);
}

#[test]
fn a_value_of_a_secret_is_never_shown() {
    for text in [
        "[mqtt]\npassword = hunter2",
        "[mqtt]\npassword = \"hunter2",
        "[mqtt]\npassword = \"hunter2\\nhunter2\"",
        "[mqtt]\npassword = [\"hunter2\"]",
        "[mqtt]\npassword = \"hunter2\"\npassword_file = \"/p\"",
        "[mqtt]\nurl = \"mqtt://x:hunter2@h\"",
        "[mqtt]\nurl = \"nonsense hunter2@h\"",
        "[mqtt]\npassword = \"hunter2\"\npassword = \"hunter2\"",
    ] {
        let messages = World::with(text)
            .load()
            .map(|_| ())
            .expect_err(text)
            .join("\n");
        assert!(!messages.contains("hunter2"), "{messages}");
        assert!(messages.starts_with("t.toml:"), "{messages}");
    }
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    let other = |row: &schema::Row| match row.path.as_str() {
        "mqtt.url" => "mqtts://other:9999",
        "mqtt.protocol" => "4",
        "mqtt.keep_alive" => "1m",
        "broker.listen" | "web.listen" => "127.0.0.1:9",
        "accounts[].api" => "fleet",
        "accounts[].region" => "eu",
        "accounts[].email" => "other@example.com",
        "accounts[].api_url" | "accounts[].auth_url" => "http://127.0.0.1:9",
        "polling.preset" => "push",
        "log.format" => "json",
        "log.level" => "debug",
        "homeassistant.enabled" => "false",
        path if path.ends_with("_file") => "/f",
        _ => match row.kind {
            schema::Kind::Bool => "true",
            schema::Kind::Integer => "7",
            schema::Kind::Number => "0.5",
            schema::Kind::Duration => "1h",
            _ => "other",
        },
    };
    let base = World::file(&format!("[broker]\nusername = \"u\"\npassword = \"p\"\n[mqtt]\nurl = \"mqtts://h\"\nclient_cert_file = \"/c\"\nclient_key_file = \"/c\"\n[cars.5YJ3E1EA7KF000001]\n{MINIMAL}client_id = \"x\"\n"))
        .secret_file("/f", "secret", 0o600)
        .secret_file("/c", "pem", 0o600);
    let before = base.settings();
    for row in schema::rows() {
        let variable = variable_of(&row.path).replace("__VIN__", "__5YJ3E1EA7KF000001__");
        let mut world = World {
            file: base.file.clone(),
            env: base.env.clone(),
            files: base.files.clone(),
        };
        world = world.env(&variable, other(row));
        let after = world.settings();
        assert_ne!(
            differences(&before, &after),
            [],
            "{variable} changes nothing"
        );
    }
}

#[test]
fn the_environment_wins_over_the_file_and_stays_text_where_text_is_wanted() {
    let world = World::file(&format!(
        "[mqtt]\nurl = \"mqtt://file\"\nusername = \"u\"\npassword_file = \"/absent\"\n{MINIMAL}"
    ))
    .env("TESLA2MQTT__MQTT__URL", "mqtt://[::1]:1884")
    .env("TESLA2MQTT__MQTT__PASSWORD", "12345")
    .env("TESLA2MQTT__MQTT__BASE_TOPIC", "true")
    .env("TESLA2MQTT__MQTT__CLIENT_ID", "")
    .env("TESLA2MQTT__ACCOUNTS__0__NAME", "42")
    .env("TESLA2MQTT__ACCOUNTS__1__NAME", "second")
    .env("TESLA2MQTT__ACCOUNTS__1__API", "owner")
    .env("TESLA2MQTT__CARS__5YJ3E1EA7KF000001__ALIAS", "007");
    let settings = world.settings();
    assert_eq!(
        (settings.mqtt.host.as_str(), settings.mqtt.port),
        ("::1", 1884)
    );
    assert_eq!(settings.mqtt.password.unwrap().expose_secret(), "12345");
    assert_eq!(settings.mqtt.base_topic, "true");
    assert_eq!(settings.mqtt.client_id, None);
    assert_eq!(settings.accounts[0].name, "42");
    assert_eq!(settings.accounts[1].name, "second");
    assert_eq!(
        settings.cars.values().next().unwrap().alias.as_deref(),
        Some("007")
    );
}

#[test]
fn the_environment_alone_is_enough() {
    let world = World::default()
        .env("TESLA2MQTT__ACCOUNTS__0__NAME", "home")
        .env("TESLA2MQTT__ACCOUNTS__0__API", "owner");
    assert_eq!(world.settings().accounts[0].name, "home");
}

#[test]
fn each_mistake_in_the_environment_names_the_variable() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "TESLA2MQTT__POLLING__PRESET",
            "fast",
            "TESLA2MQTT__POLLING__PRESET = \"fast\": expected \"auto\", \"metered\", \"unmetered\" or \"push\"",
        ),
        (
            "TESLA2MQTT__MQTT__PROTOCOL",
            "five",
            "TESLA2MQTT__MQTT__PROTOCOL = \"five\": expected 5, or 4 for MQTT 3.1.1",
        ),
        (
            "TESLA2MQTT__MQTT__URRL",
            "x",
            "TESLA2MQTT__MQTT__URRL: unknown key, did you mean TESLA2MQTT__MQTT__URL?",
        ),
        (
            "TESLA2MQTT__MQTT",
            "x",
            "TESLA2MQTT__MQTT: a section, not a key: expected TESLA2MQTT__MQTT__KEY",
        ),
        (
            "TESLA2MQTT__mqtt__url",
            "x",
            "TESLA2MQTT__mqtt__url: keys are TESLA2MQTT__SECTION__KEY, in capitals",
        ),
        (
            "TESLA2MQTT__ACCOUNTS__X__NAME",
            "x",
            "TESLA2MQTT__ACCOUNTS__X__NAME: expected a number from 0 to 63 after ACCOUNTS",
        ),
        (
            "TESLA2MQTT__ACCOUNTS__99999999999__NAME",
            "x",
            "TESLA2MQTT__ACCOUNTS__99999999999__NAME: expected a number from 0 to 63 after ACCOUNTS",
        ),
        (
            "TESLA2MQTT__CARS__KITT__ALIAS",
            "x",
            "TESLA2MQTT__CARS__KITT__ALIAS: expected the VIN of a car after CARS: a VIN has 17 letters and digits, this has 4 characters or others among them",
        ),
        (
            "TESLA2MQTT__MQTT__ÜRL",
            "x",
            "TESLA2MQTT__MQTT__ÜRL: 'Ü' is not part of any key",
        ),
    ];
    for (variable, value, expected) in cases {
        let world = World::file(MINIMAL).env(variable, value);
        let messages = world.load().map(|_| ()).expect_err(variable);
        assert_eq!(messages, [*expected]);
    }
}

#[test]
fn an_account_that_the_environment_skips_is_missing() {
    let messages = World::file(MINIMAL)
        .env("TESLA2MQTT__ACCOUNTS__2__NAME", "third")
        .env("TESLA2MQTT__ACCOUNTS__2__API", "owner")
        .load()
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        messages,
        [
            "t.toml: accounts[1].api: missing: expected \"fleet\", \"owner\" or \"password\"",
            "t.toml: accounts[1].name: missing: expected a name of letters, digits, - and _, such as \"home\"",
        ]
    );
}

#[test]
fn a_variable_with_single_underscores_is_warned_about() {
    let loaded = World::file(MINIMAL)
        .env("TESLA2MQTT_MQTT_URL", "x")
        .load()
        .unwrap();
    assert_eq!(
        loaded.warnings,
        ["TESLA2MQTT_MQTT_URL: has no effect, did you mean TESLA2MQTT__MQTT__URL?"]
    );
}

#[test]
fn a_secret_can_come_from_a_file_of_one_line() {
    let text = format!("{MINIMAL}refresh_token_file = \"/token\"");
    let settings = World::file(&text)
        .secret_file("/token", "abc\n", 0o600)
        .settings();
    let account = &settings.accounts[0];
    assert_eq!(
        account.refresh_token.as_ref().unwrap().expose_secret(),
        "abc"
    );
    assert_eq!(
        account.refresh_token_changed_at,
        Some(jiff::Timestamp::UNIX_EPOCH)
    );
    let refusals = [
        ("", 0o600, "expected one line of text, found an empty file"),
        ("a\nb", 0o600, "expected one line of text, found several"),
        (
            "abc",
            0o644,
            "others can read this secret (mode 0644): chmod 600 /token",
        ),
        (
            "abc",
            0o640,
            "others can read this secret (mode 0640): chmod 600 /token",
        ),
        (
            "abc",
            0o604,
            "others can read this secret (mode 0604): chmod 600 /token",
        ),
    ];
    for (content, mode, expected) in refusals {
        World::file(&text)
            .secret_file("/token", content, mode)
            .refused(&[&format!(
                "t.toml:4: accounts[0].refresh_token_file = \"/token\": {expected}"
            )]);
    }
    World::file(&text).refused(&[
        "t.toml:4: accounts[0].refresh_token_file = \"/token\": cannot read this file: there is none at this path",
    ]);
}

#[test]
fn docker_secrets_may_have_dockers_mode() {
    let text = format!("{MINIMAL}refresh_token_file = \"/run/secrets/token\"");
    World::file(&text)
        .secret_file("/run/secrets/token", "abc", 0o444)
        .settings();
}

#[test]
fn a_systemd_credential_has_the_name_of_the_key() {
    let world = World::file(&format!("[mqtt]\nusername = \"u\"\n{MINIMAL}"))
        .env("CREDENTIALS_DIRECTORY", "/run/credentials/x")
        .secret_file("/run/credentials/x/mqtt.password", "one\n", 0o440)
        .secret_file(
            "/run/credentials/x/accounts.home.refresh_token",
            "two\n",
            0o440,
        );
    let settings = world.settings();
    assert_eq!(settings.mqtt.password.unwrap().expose_secret(), "one");
    assert_eq!(
        settings.accounts[0]
            .refresh_token
            .as_ref()
            .unwrap()
            .expose_secret(),
        "two"
    );
    World::file(&format!(
        "[mqtt]\nusername = \"u\"\npassword = \"hunter2\"\n{MINIMAL}"
    ))
    .env("CREDENTIALS_DIRECTORY", "/c")
    .secret_file("/c/mqtt.password", "x", 0o440)
    .refused(&[
        "t.toml:3: mqtt.password: also given as the credential mqtt.password: keep one of them",
    ]);
    World::file(MINIMAL)
        .env("CREDENTIALS_DIRECTORY", "/c")
        .secret_file("/c/mqtt.password", " \n", 0o440)
        .refused(&["credential mqtt.password (/c/mqtt.password): expected one line of text, found an empty file"]);
}

#[test]
fn systemd_names_the_state_directory_unless_the_owner_does() {
    let world = World::file(MINIMAL).env("STATE_DIRECTORY", "/var/lib/private/tesla2mqtt:/other");
    assert_eq!(
        world.settings().state.directory,
        Path::new("/var/lib/private/tesla2mqtt")
    );
    let world = World::with("[state]\ndirectory = \"/mine\"").env("STATE_DIRECTORY", "/x");
    assert_eq!(world.settings().state.directory, Path::new("/mine"));
}

#[test]
fn an_inline_secret_in_a_file_that_others_can_read_is_warned_about() {
    let mut world = World::with("[mqtt]\nusername = \"u\"\npassword = \"hunter2\"");
    assert_eq!(world.load().unwrap().warnings, [""; 0]);
    world.file.as_mut().unwrap().1 = 0o644;
    assert_eq!(
        world.load().unwrap().warnings,
        ["t.toml: others can read this file and it holds mqtt.password: chmod 600 t.toml"]
    );
}

#[test]
fn tls_files_belong_to_mqtts_and_come_in_pairs() {
    let files = |text: &str| {
        World::with(text)
            .secret_file("/ca", "pem", 0o644)
            .secret_file("/cert", "pem", 0o644)
            .secret_file("/key", "pem", 0o600)
            .secret_file("/open", "pem", 0o644)
    };
    let settings = files("[mqtt]\nurl = \"mqtts://h\"\nca_file = \"/ca\"\nclient_cert_file = \"/cert\"\nclient_key_file = \"/key\"").settings();
    assert_eq!(settings.mqtt.port, 8883);
    assert_eq!(
        settings.mqtt.tls.unwrap().ca_file.as_deref(),
        Some(Path::new("/ca"))
    );
    files("[mqtt]\nca_file = \"/ca\"").refused(&[
        "t.toml:2: mqtt.ca_file = \"/ca\": has no effect without TLS: expected mqtt.url to start with \"mqtts://\"",
    ]);
    files("[mqtt]\nurl = \"mqtts://h\"\nclient_cert_file = \"/cert\"").refused(&[
        "t.toml:3: mqtt.client_cert_file = \"/cert\": expected mqtt.client_key_file beside it",
    ]);
    files("[mqtt]\nurl = \"mqtts://h\"\nclient_cert_file = \"/cert\"\nclient_key_file = \"/open\"").refused(&[
        "t.toml:4: mqtt.client_key_file = \"/open\": others can read this secret (mode 0644): chmod 600 /open",
    ]);
}

#[test]
fn whoever_enables_the_own_broker_and_names_no_other_means_that_one() {
    let settings = World::with(
        "[broker]\nenabled = true\nlisten = \"0.0.0.0:1999\"\nusername = \"u\"\npassword = \"p\"",
    )
    .settings();
    assert_eq!(
        (settings.mqtt.host.as_str(), settings.mqtt.port),
        ("127.0.0.1", 1999)
    );
    assert_eq!(settings.mqtt.username.as_deref(), Some("u"));
    assert_eq!(settings.mqtt.password.unwrap().expose_secret(), "p");
}

#[test]
fn a_reload_knows_what_changed_down_to_one_secret() {
    let one = "[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = \"1\"\n";
    let two = "[[accounts]]\nname = \"b\"\napi = \"owner\"\n";
    let before = from_text(&format!(
        "{one}{two}[cars.5YJ3E1EA7KF000001]\nalias = \"x\"\n"
    ))
    .unwrap();
    assert_eq!(differences(&before, &before.clone()), []);
    let after = from_text(&format!(
        "[log]\nlevel = \"debug\"\n[mqtt]\nusername = \"u\"\n{}[[accounts]]\nname = \"c\"\napi = \"owner\"\n",
        one.replace("\"1\"", "\"2\"")
    ))
    .unwrap();
    let vin = tesla2mqtt::model::Vin::new("5YJ3E1EA7KF000001").unwrap();
    assert_eq!(
        differences(&before, &after),
        [
            Change::Mqtt,
            Change::Log,
            Change::AccountChanged("a".to_owned()),
            Change::AccountRemoved("b".to_owned()),
            Change::AccountAdded("c".to_owned()),
            Change::Car(vin),
        ]
    );
}

#[test]
fn settings_printed_for_debugging_show_no_secret() {
    let settings = from_text(&format!(
        "[mqtt]\nusername = \"u\"\npassword = \"hunter2\"\n{MINIMAL}refresh_token = \"hunter2\"\nclient_secret = \"hunter2\"\n"
    ))
    .unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(settings.secrets().count(), 3);
}

proptest! {
    #[test]
    fn property_no_bytes_of_a_file_and_no_variable_panic(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[\\[a-z_.=\"\\]{}0-9\n #-]{0,120}".prop_map(String::into_bytes),
            fragments().prop_map(String::into_bytes),
        ],
        name in "TESLA2MQTT__(MQTT|ACCOUNTS|CARS|POLLING|[A-Z_0-9]{0,6})(__[A-Z0-9_]{0,17}){0,3}",
        value in any::<String>(),
    ) {
        let content = FileContent { bytes, ..FileContent::default() };
        let result = load(Source {
            file: Some((PathBuf::from("t.toml"), content)),
            env: BTreeMap::from([(name, value)]),
            read_file: &|_| Err(io::ErrorKind::NotFound.into()),
        });
        if let Err(errors) = result {
            prop_assert!(!errors.messages.is_empty());
            for message in errors.messages {
                prop_assert!(!message.contains('\n'), "{message}");
            }
        }
    }
}

/// Files made of right keys with wrong values, which get further than noise.
fn fragments() -> impl Strategy<Value = String> {
    let keys: Vec<String> = schema::rows().iter().map(|row| row.path.clone()).collect();
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("true".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("inf".to_owned()),
        any::<String>().prop_map(|text| format!("{text:?}")),
    ];
    proptest::collection::vec((proptest::sample::select(keys), value), 0..8).prop_map(|lines| {
        lines
            .into_iter()
            .map(|(key, value)| {
                format!(
                    "{} = {value}\n",
                    key.replace("[]", "").replace('*', "5YJ3E1EA7KF000001")
                )
            })
            .collect()
    })
}
