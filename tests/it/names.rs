//! Names that owners choose: whatever they write as base topic, alias or account name is refused by
//! the configuration, or gives topics that brokers take, and discovery messages that fit.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value as Json;
use tesla2mqtt::catalogue::{ACCOUNT_ENTITIES, BRIDGE_ENTITIES, entities};
use tesla2mqtt::config::{self, Settings};
use tesla2mqtt::discovery::{self, EntityPrefixes, Setup};
use tesla2mqtt::model::{DeviceId, Observation, Signal, Source, Value, Vehicle, Vin};
use tesla2mqtt::outbox::{Outbox, Publish};
use tesla2mqtt::topics::{self, CarTopics, Paths};

/// With the longest base topic and alias, which stand in each of some hundred components; a quarter
/// of what the outbox hands on.
const PACKET_AT_MOST: usize = 256 * 1024;

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]{1,8}(/[a-z]{1,8}){0,2}",
        2 => "[/+#$~ \u{0}\u{7f}\u{fffe}\u{1f697}\"\\\\a-zA-Z0-9._-]{0,12}",
        1 => "\\PC{1,140}",
        1 => any::<String>(),
    ]
}

fn any_vin() -> impl Strategy<Value = Vin> {
    "[A-HJ-NPR-Z0-9]{17}".prop_filter_map("no VIN", |text| Vin::new(&text).ok())
}

/// What the configuration makes of the names, if it takes them.
fn configured(base: &str, account: &str, vin: &Vin, alias: Option<&str>) -> Option<Settings> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let car = alias.map(|alias| format!("[cars.{}]\nalias = {}\n", vin.as_str(), quoted(alias)));
    let text = format!(
        "[mqtt]\nurl = \"mqtt://localhost\"\nbase_topic = {}\n\
         [[accounts]]\nname = {}\napi = \"owner\"\nrefresh_token = \"token\"\n{}",
        quoted(base),
        quoted(account),
        car.unwrap_or_default(),
    );
    config::from_text(&text).ok()
}

fn alias_of<'s>(settings: &'s Settings, vin: &Vin) -> Option<&'s str> {
    settings.cars.get(vin)?.alias.as_deref()
}

/// A car whose every signal is this.
fn car(vin: &Vin, value: &Value) -> Vehicle {
    let mut car = Vehicle::new(vin.clone());
    let signals = entities().flat_map(|row| row.extractor.signals());
    car.apply(&Observation {
        source: Source::Data,
        at: "2026-11-23T12:00:00Z".parse().unwrap(),
        whole_groups: Vec::new(),
        signals: signals
            .map(|path| (Signal::new(path), Some(value.clone())))
            .collect(),
    });
    car
}

#[test]
fn plain_names_are_taken() {
    let vin = Vin::new("5YJ3E7EB0KF000005").unwrap();
    let settings = configured("home/tesla", "family", &vin, Some("model-3")).expect("taken");
    assert_eq!(alias_of(&settings, &vin), Some("model-3"));
    assert!(configured("home/tesla", "family", &vin, Some("model/3")).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::ci::cases(256)))]

    #[test]
    fn any_name_is_refused_or_gives_topics_that_brokers_take(
        base in any_name(),
        account in any_name(),
        vin in any_vin(),
        alias in proptest::option::of(any_name()),
    ) {
        // One bad name does not hide the others.
        for (base, account, alias) in [
            (base.as_str(), account.as_str(), alias.as_deref()),
            (base.as_str(), "home", None),
            ("tesla2mqtt", account.as_str(), None),
            ("tesla2mqtt", "home", alias.as_deref()),
        ] {
            let Some(settings) = configured(base, account, &vin, alias) else { continue };
            let base = &settings.mqtt.base_topic;
            let name = &settings.accounts[0].name;
            let n_base = base.split('/').count();
            let paths = Paths::new(base, &DeviceId::from(&vin), alias_of(&settings, &vin));
            let mut expected = BTreeMap::new();
            for topic in CarTopics::every_topic(&paths) {
                expected.insert(topic, n_base + 2);
            }
            expected.insert(paths.availability(), n_base + 2);
            expected.insert(paths.of("snapshot"), n_base + 2);
            expected.insert(paths.of("event/drive_finished"), n_base + 3);
            for row in BRIDGE_ENTITIES {
                expected.insert(topics::of_bridge(base, row.entity.key), n_base + 2);
            }
            for row in ACCOUNT_ENTITIES {
                expected.insert(topics::of_account(base, name, row.entity.key), n_base + 4);
            }
            let mut outbox = Outbox::new(base);
            for topic in expected.keys().cloned() {
                outbox.put(Publish::State { topic, payload: "x".into() });
            }
            prop_assert_eq!(outbox.take_not_sent(), vec![]);
            prop_assert_eq!(outbox.n_topics(), expected.len());
            for (topic, n_levels) in expected {
                prop_assert_eq!(topic.split('/').count(), n_levels, "{}", topic);
                prop_assert!(topic.split('/').all(|level| !level.is_empty()), "{}", topic);
            }
        }
    }
}

proptest! {
    // Each of them is two messages of some hundred components.
    #![proptest_config(ProptestConfig::with_cases(crate::ci::cases(32).min(48)))]

    #[test]
    fn any_name_and_the_longest_texts_give_messages_that_fit(
        base in any_name(),
        vin in any_vin(),
        alias in proptest::option::of(any_name()),
        length in prop_oneof![Just(100_000_usize), 0..300_usize],
        letter in any::<char>(),
        removed in proptest::collection::btree_map("[a-z_]{1,30}", "(sensor|binary_sensor|switch)", 0..100),
    ) {
        let Some(settings) = configured(&base, "home", &vin, alias.as_deref()) else {
            return Ok(());
        };
        let text: String = std::iter::repeat_n(letter, length).collect();
        let car = car(&vin, &Value::Text(text));
        let base = settings.mqtt.base_topic.clone();
        let paths = Paths::new(&base, &DeviceId::from(&vin), alias_of(&settings, &vin));
        for commands in [false, true] {
            let setup = Setup {
                prefix: "homeassistant".to_owned(),
                base: base.clone(),
                version: "0.1.0".to_owned(),
                commands,
                entity_prefixes: EntityPrefixes::default(),
            };
            let message = discovery::car(&car, &paths, &setup);
            let payload = message.payload(&removed);
            let size = message.topic.len() + payload.len();
            prop_assert!(size <= PACKET_AT_MOST, "{} bytes", size);
            let tree: Json = serde_json::from_str(&payload).unwrap();
            let components = tree["cmps"].as_object().unwrap();
            prop_assert!(removed.keys().all(|key| components.contains_key(key)));
            for component in components.values() {
                let Some(entity_id) = component["def_ent_id"].as_str() else { continue };
                let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
                prop_assert!(entity_id.len() < 255 && entity_id.chars().all(is_legal), "{}", entity_id);
            }
        }
    }
}
