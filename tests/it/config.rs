//! Configuration: what is accepted, and what each mistake is told.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tesla2mqtt::config::{
    Api, ConfigSources, FileContent, Loaded, Protocol, SettingChange, Settings, differences,
    from_text, load, schema, variable_of,
};
use tesla2mqtt::policy::{ClassSetting, GovernorConfig, MonthlyLimit, PolicyConfig, Preset};
use tesla2mqtt::trips::{Cheap, Hours, Tariff};

/// A certificate and its key, as far as a configuration looks into them.
pub const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\
    -----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

pub const MINIMAL: &str = "[[accounts]]\nname = \"home\"\napi = \"owner\"\n";

/// A world of a configuration file, variables and other files.
#[derive(Default)]
pub struct ConfigWorld {
    file: Option<(String, u32)>,
    env: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, (Vec<u8>, u32)>,
}

impl ConfigWorld {
    pub fn file(text: &str) -> Self {
        Self {
            file: Some((text.to_owned(), 0o600)),
            ..Self::default()
        }
    }

    /// The minimal file with more before it.
    pub fn with(text: &str) -> Self {
        Self::file(&format!("{text}\n{MINIMAL}"))
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn secret_file(mut self, path: &str, text: &str, mode: u32) -> Self {
        self.files
            .insert(path.into(), (text.as_bytes().to_vec(), mode));
        self
    }

    pub fn load(&self) -> Result<Loaded, Vec<String>> {
        let read_file = |path: &Path| -> io::Result<FileContent> {
            let (bytes, mode) = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(FileContent {
                bytes: bytes.clone(),
                mode: Some(*mode),
            })
        };
        let file = self.file.as_ref().map(|(text, mode)| {
            let content = FileContent {
                bytes: text.as_bytes().to_vec(),
                mode: Some(0o100_000 | mode),
            };
            (PathBuf::from("t.toml"), content)
        });
        load(&ConfigSources {
            file,
            env: self.env.clone(),
            read_file: &read_file,
        })
        .map_err(|errors| errors.messages)
    }

    #[track_caller]
    pub fn settings(&self) -> Settings {
        self.load()
            .expect("a configuration without mistakes")
            .settings
    }

    #[track_caller]
    pub fn refused(&self, expected: &[&str]) {
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
    assert_eq!(settings.polling.preset, None);
    assert_eq!(settings.budget.limit, MonthlyLimit::Dollars(10.0));
    assert!(!settings.commands.enabled);
    assert_eq!(settings.state.directory, Path::new("/var/lib/tesla2mqtt"));
    assert_eq!(settings.log.level, "info");
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    let other = |row: &schema::SettingKey| match row.path.as_str() {
        "mqtt.url" => "mqtts://other:9999",
        "mqtt.protocol" => "4",
        "mqtt.keep_alive" => "1m",
        "broker.listen" | "web.listen" => "127.0.0.1:9",
        "accounts[].api" => "fleet",
        "accounts[].region" => "eu",
        "accounts[].email" => "other@example.com",
        "accounts[].api_url" | "accounts[].auth_url" => "http://127.0.0.1:9",
        "polling.preset" => "push",
        "polling.data_holds_awake" => "no",
        "tariff.cheap_hours" => "23:30-05:30",
        "log.format" => "json",
        "log.level" => "debug",
        "homeassistant.enabled" => "false",
        "polling.unavailable_after" => "2h",
        "mqtt.ca_file"
        | "mqtt.client_cert_file"
        | "mqtt.client_key_file"
        | "accounts[].ca_file" => "/other.pem",
        path if path.ends_with("_file") => "/f",
        _ => match row.kind {
            schema::ValueForm::Bool => "true",
            schema::ValueForm::Integer => "7",
            schema::ValueForm::Number => "0.5",
            schema::ValueForm::Duration => "1h",
            _ => "other",
        },
    };
    let base = ConfigWorld::file(&format!("[broker]\nusername = \"u\"\npassword = \"p\"\n[mqtt]\nurl = \"mqtts://h\"\nclient_cert_file = \"/c\"\nclient_key_file = \"/c\"\n[tariff]\nprice = 0.3\ncheap_price = 0.2\ncheap_hours = \"22:00-06:00\"\n[cars.5YJ3E1EA7KF000001]\n{MINIMAL}client_id = \"x\"\n"))
        .secret_file("/f", "secret", 0o600)
        .secret_file("/other.pem", PEM, 0o600)
        .secret_file("/c", PEM, 0o600);
    let before = base.settings();
    for row in schema::rows() {
        let variable = variable_of(&row.path).replace("__VIN__", "__5YJ3E1EA7KF000001__");
        let mut world = ConfigWorld {
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
fn the_preset_and_the_budget_follow_the_accounts_api_unless_the_owner_sets_them() {
    let settings = from_text(MINIMAL).unwrap();
    let metered = PolicyConfig::preset(Preset::Metered);
    let unmetered = PolicyConfig::preset(Preset::Unmetered);
    assert_eq!(settings.polling.policy(Api::Fleet), metered);
    assert_eq!(settings.polling.policy(Api::Owner), unmetered);
    assert_eq!(
        settings.budget.governor(Api::Owner),
        GovernorConfig::unmetered()
    );
    assert_eq!(
        settings.budget.governor(Api::Fleet),
        GovernorConfig::metered()
    );

    let settings = ConfigWorld::with(
        "[polling]\npreset = \"push\"\nidle_data = \"7m\"\ndata_holds_awake = \"yes\"\n[budget]\ncalls = 500",
    )
    .settings();
    let expected = PolicyConfig {
        idle_data: Duration::from_mins(7),
        class: ClassSetting::Held,
        ..PolicyConfig::preset(Preset::Push)
    };
    assert_eq!(settings.polling.policy(Api::Owner), expected);
    assert_eq!(
        settings.budget.governor(Api::Fleet).limit,
        Some(MonthlyLimit::DataCalls(500))
    );
}

#[test]
fn the_environment_wins_over_the_file_and_stays_text_where_text_is_wanted() {
    let world = ConfigWorld::file(&format!(
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
fn a_tariff_is_read_with_its_hours() {
    assert_eq!(
        ConfigWorld::file(MINIMAL).settings().tariff,
        Tariff::default()
    );
    let text = "[tariff]\nprice = 0.32\ncheap_price = 0\ncheap_hours = \"23:30-05:30,12:00 - 24:00\"\n\
                fast_price = 0.59\nac_loss_percent = 8\ncurrency = \"EUR\"\n";
    let hours = |from, until| Hours { from, until };
    let expected = Tariff {
        currency: Some("EUR".to_owned()),
        price: Some(0.32),
        cheap: Some(Cheap {
            price: 0.0,
            hours: vec![hours(23 * 60 + 30, 5 * 60 + 30), hours(12 * 60, 0)],
        }),
        fast_price: Some(0.59),
        ac_loss: 0.08,
    };
    assert_eq!(ConfigWorld::with(text).settings().tariff, expected);
}

#[test]
fn the_environment_alone_is_enough() {
    let world = ConfigWorld::default()
        .env("TESLA2MQTT__ACCOUNTS__0__NAME", "home")
        .env("TESLA2MQTT__ACCOUNTS__0__API", "owner");
    assert_eq!(world.settings().accounts[0].name, "home");
}

#[test]
fn an_account_that_the_environment_skips_is_missing() {
    let messages = ConfigWorld::file(MINIMAL)
        .env("TESLA2MQTT__ACCOUNTS__2__NAME", "third")
        .env("TESLA2MQTT__ACCOUNTS__2__API", "owner")
        .load()
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        messages,
        [
            "TESLA2MQTT__ACCOUNTS__2__API: accounts are counted from 0 without a gap: expected TESLA2MQTT__ACCOUNTS__1__…"
        ]
    );
}

#[test]
fn a_variable_with_single_underscores_is_warned_about() {
    let loaded = ConfigWorld::file(MINIMAL)
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
    let settings = ConfigWorld::file(&text)
        .secret_file("/token", "abc\n", 0o600)
        .settings();
    let account = &settings.accounts[0];
    assert_eq!(
        account.refresh_token.as_ref().unwrap().expose_secret(),
        "abc"
    );
    let refusals = [
        ("", 0o600, "expected one line of text, found an empty file"),
        (
            "a\nb",
            0o600,
            "expected one line of text, found several lines",
        ),
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
        ConfigWorld::file(&text)
            .secret_file("/token", content, mode)
            .refused(&[&format!(
                "t.toml:4: accounts[0].refresh_token_file = \"/token\": {expected}"
            )]);
    }
    ConfigWorld::file(&text).refused(&["t.toml:4: accounts[0].refresh_token_file = \"/token\": cannot read this file: there is none at this path"]);
}

#[test]
fn what_an_editor_puts_around_a_token_is_no_part_of_it() {
    let token = |world: ConfigWorld| {
        let token = world.settings().accounts[0].refresh_token.clone().unwrap();
        token.expose_secret().to_owned()
    };
    for around in ["abc", "\u{feff}abc\r\n", "  abc\n\n", "\u{feff} abc\u{a0}"] {
        let file = ConfigWorld::file(&format!("{MINIMAL}refresh_token_file = \"/token\""));
        assert_eq!(token(file.secret_file("/token", around, 0o600)), "abc");
        let quoted = toml::Value::from(around);
        let inline = ConfigWorld::file(&format!("{MINIMAL}refresh_token = {quoted}"));
        assert_eq!(token(inline), "abc");
        let variable = "TESLA2MQTT__ACCOUNTS__0__REFRESH_TOKEN";
        assert_eq!(
            token(ConfigWorld::file(MINIMAL).env(variable, around)),
            "abc"
        );
    }
    // A password's own blank may be meant, where it is written down with its quotes.
    let settings = ConfigWorld::with("[mqtt]\nusername = \"u\"\npassword = \"a \"").settings();
    assert_eq!(settings.mqtt.password.unwrap().expose_secret(), "a ");
}

#[test]
fn a_bad_credential_is_one_mistake() {
    let world = |text: &str| ConfigWorld::file(text).env("CREDENTIALS_DIRECTORY", "/c");
    let text = format!("[broker]\nlisten = \"0.0.0.0:1884\"\nusername = \"u\"\n{MINIMAL}");
    world(&text)
        .secret_file("/c/broker.password", "", 0o400)
        .refused(&["credential broker.password (/c/broker.password): expected one line of text, found an empty file"]);
    world("[[accounts]]\nname = \"home\"\napi = \"password\"\nemail = \"a@b\"\n")
        .secret_file("/c/accounts.home.password", "a\nb", 0o400)
        .refused(&["credential accounts.home.password (/c/accounts.home.password): expected one line of text, found several lines"]);
}

#[test]
fn what_systemd_and_docker_mount_for_one_service_may_have_any_mode() {
    for path in [
        "/run/secrets/token",
        "/run/credentials/tesla2mqtt.service/token",
    ] {
        let text = format!("{MINIMAL}refresh_token_file = \"{path}\"");
        ConfigWorld::file(&text)
            .secret_file(path, "abc", 0o444)
            .settings();
    }
}

#[test]
fn a_systemd_credential_has_the_name_of_the_key() {
    let world = ConfigWorld::file(&format!("[mqtt]\nusername = \"u\"\n{MINIMAL}"))
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
    ConfigWorld::file(&format!(
        "[mqtt]\nusername = \"u\"\npassword = \"hunter2\"\n{MINIMAL}"
    ))
    .env("CREDENTIALS_DIRECTORY", "/c")
    .secret_file("/c/mqtt.password", "x", 0o440)
    .refused(&[
        "t.toml:3: mqtt.password: also given as the credential mqtt.password: keep one of them",
    ]);
    ConfigWorld::file(MINIMAL)
        .env("CREDENTIALS_DIRECTORY", "/c")
        .secret_file("/c/mqtt.password", " \n", 0o440)
        .refused(&["credential mqtt.password (/c/mqtt.password): expected one line of text, found an empty file"]);
}

#[test]
fn systemd_names_the_state_directory_unless_the_owner_does() {
    let world =
        ConfigWorld::file(MINIMAL).env("STATE_DIRECTORY", "/var/lib/private/tesla2mqtt:/other");
    assert_eq!(
        world.settings().state.directory,
        Path::new("/var/lib/private/tesla2mqtt")
    );
    let world = ConfigWorld::with("[state]\ndirectory = \"/mine\"").env("STATE_DIRECTORY", "/x");
    assert_eq!(world.settings().state.directory, Path::new("/mine"));
}

#[test]
fn an_address_for_a_board_that_does_not_exist_is_warned_about() {
    let warnings = |text: &str| ConfigWorld::with(text).load().unwrap().warnings;
    assert_eq!(
        warnings("[web]\nlisten = \"0.0.0.0:8321\""),
        [
            "t.toml:2: web.listen: has no effect: there is no status board in this version, nobody listens"
        ]
    );
    assert_eq!(warnings("[web]\nlisten = \"127.0.0.1:8321\""), [""; 0]);
}

#[test]
fn an_inline_secret_in_a_file_that_others_can_read_is_warned_about() {
    let mut world = ConfigWorld::with("[mqtt]\nusername = \"u\"\npassword = \"hunter2\"");
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
        ConfigWorld::with(text)
            .secret_file("/ca", PEM, 0o644)
            .secret_file("/cert", PEM, 0o644)
            .secret_file("/key", PEM, 0o600)
            .secret_file("/open", PEM, 0o644)
            .secret_file("/text", "no PEM", 0o600)
            .secret_file("/cut", &PEM[..40], 0o600)
    };
    let settings = files("[mqtt]\nurl = \"mqtts://h\"\nca_file = \"/ca\"\nclient_cert_file = \"/cert\"\nclient_key_file = \"/key\"").settings();
    assert_eq!(settings.mqtt.port, 8883);
    assert_eq!(
        settings.mqtt.tls.unwrap().ca_file.as_deref(),
        Some(Path::new("/ca"))
    );
    files("[mqtt]\nca_file = \"/ca\"").refused(&["t.toml:2: mqtt.ca_file = \"/ca\": has no effect without TLS: expected mqtt.url to start with \"mqtts://\""]);
    files("[mqtt]\nurl = \"mqtts://h\"\nclient_cert_file = \"/cert\"").refused(&[
        "t.toml:3: mqtt.client_cert_file = \"/cert\": expected mqtt.client_key_file beside it",
    ]);
    files("[mqtt]\nurl = \"mqtts://h\"\nclient_cert_file = \"/cert\"\nclient_key_file = \"/open\"").refused(&["t.toml:4: mqtt.client_key_file = \"/open\": others can read this secret (mode 0644): chmod 600 /open"]);
    for path in ["/text", "/cut"] {
        let no_pem = format!(
            "[mqtt]\nurl = \"mqtts://h\"\nca_file = \"{path}\"\nclient_cert_file = \"{path}\"\nclient_key_file = \"{path}\""
        );
        let certificates = "expected one or more certificates in PEM form (\"-----BEGIN CERTIFICATE-----\") in this file";
        files(&no_pem).refused(&[
            &format!("t.toml:3: mqtt.ca_file = \"{path}\": {certificates}"),
            &format!("t.toml:4: mqtt.client_cert_file = \"{path}\": {certificates}"),
            &format!("t.toml:5: mqtt.client_key_file = \"{path}\": expected a private key in PEM form (\"-----BEGIN PRIVATE KEY-----\") without a passphrase in this file"),
        ]);
    }
}

#[test]
fn whoever_enables_the_own_broker_and_names_no_other_means_that_one() {
    let settings = ConfigWorld::with(
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
            SettingChange::Mqtt,
            SettingChange::Log,
            SettingChange::AccountChanged("a".to_owned()),
            SettingChange::AccountRemoved("b".to_owned()),
            SettingChange::AccountAdded("c".to_owned()),
            SettingChange::Car(vin),
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
        let result = load(&ConfigSources {
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
        let place = |key: &str| key.replace("[]", "").replace('*', "5YJ3E1EA7KF000001");
        let lines = lines.into_iter();
        let lines = lines.map(|(key, value)| format!("{} = {value}", place(&key)));
        lines.collect::<Vec<_>>().join("\n")
    })
}
