//! What Home Assistant 2026.11 accepts of a discovery message (home-assistant-mqtt.md, sections 2, 6
//! and 7), key by key.

use std::collections::BTreeSet;

use pretty_assertions::assert_eq;
use serde_json::{Value as Json, json};
use tesla2mqtt::discovery::Message;

use crate::discovery::parsed;

/// 95 KB: Home Assistant has no limit, but brokers and clients have some.
const PAYLOAD_AT_MOST: usize = 95_000;

const COMMON: &[&str] = &[
    "p",
    "uniq_id",
    "def_ent_id",
    "name",
    "ent_cat",
    "en",
    "ic",
    "qos",
    "~",
];

/// Keys of each platform beside the common ones, and which of them must be there.
fn keys(platform: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match platform {
        "sensor" => (
            &[
                "stat_t",
                "dev_cla",
                "stat_cla",
                "unit_of_meas",
                "ops",
                "sug_dsp_prc",
                "val_tpl",
                "json_attr_t",
                "avty_t",
            ],
            &["stat_t"],
        ),
        "binary_sensor" => (
            &["stat_t", "dev_cla", "pl_on", "pl_off"],
            &["stat_t", "pl_on", "pl_off"],
        ),
        "device_tracker" => (&["json_attr_t"], &["json_attr_t"]),
        "update" => (&["stat_t", "dev_cla", "cmd_t", "pl_inst"], &["stat_t"]),
        "switch" => (
            &["stat_t", "cmd_t", "pl_on", "pl_off"],
            &["cmd_t", "pl_on", "pl_off"],
        ),
        "select" => (&["stat_t", "cmd_t", "ops"], &["cmd_t", "ops"]),
        "number" => (
            &[
                "stat_t",
                "cmd_t",
                "dev_cla",
                "unit_of_meas",
                "min",
                "max",
                "step",
            ],
            &["cmd_t"],
        ),
        "cover" => (
            &["stat_t", "cmd_t", "dev_cla", "pl_open", "pl_cls", "pl_stop"],
            &["cmd_t"],
        ),
        "lock" => (
            &[
                "stat_t",
                "cmd_t",
                "pl_lock",
                "pl_unlk",
                "stat_locked",
                "stat_unlocked",
            ],
            &["cmd_t", "stat_locked", "stat_unlocked"],
        ),
        "button" => (&["cmd_t"], &["cmd_t"]),
        "text" => (&["cmd_t", "min"], &["cmd_t"]),
        "climate" => (
            &[
                "mode_stat_t",
                "mode_cmd_t",
                "modes",
                "curr_temp_t",
                "temp_unit",
            ],
            &["modes", "temp_unit"],
        ),
        "event" => (&["stat_t", "evt_typ"], &["stat_t", "evt_typ"]),
        other => panic!("no platform {other}"),
    }
}

/// What Home Assistant checks, and what it would swallow silently.
pub fn lint(message: &Message) {
    let root = parsed(message);
    let root_keys: BTreeSet<&str> = root
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let known = BTreeSet::from(["dev", "o", "cmps", "avty", "avty_mode"]);
    assert!(root_keys.is_subset(&known), "{root_keys:?}");
    let topic: Vec<&str> = message.topic.split('/').collect();
    assert_eq!(topic.len(), 4, "{}", message.topic);
    assert!(is_id(topic[2]), "{}", message.topic);
    assert!(!root["dev"]["ids"][0].as_str().unwrap().is_empty());
    assert!(!root["dev"]["name"].as_str().unwrap().is_empty());
    assert_eq!(root["o"]["name"], json!("tesla2mqtt"));
    let mut unique_ids = BTreeSet::new();
    let mut entity_ids = BTreeSet::new();
    for (key, component) in root["cmps"].as_object().unwrap() {
        let platform = component["p"].as_str().unwrap();
        let (may, must) = keys(platform);
        for (name, value) in component.as_object().unwrap() {
            let is_known = COMMON.contains(&name.as_str()) || may.contains(&name.as_str());
            assert!(is_known, "{key}: {name} in a {platform}");
            let is_empty = value == &json!("") || value == &json!([]);
            assert!(!is_empty, "{key}: {name} is empty");
            if name.ends_with("_t") {
                let base = component.get("~").and_then(Json::as_str).unwrap_or("~");
                let topic = value.as_str().unwrap().replace('~', base);
                assert!(
                    is_topic(topic.trim_end_matches("/event/+")),
                    "{key}: {value}"
                );
            }
        }
        for name in must {
            assert!(
                component.get(*name).is_some(),
                "{key}: no {name} in a {platform}"
            );
        }
        assert!(
            unique_ids.insert(component["uniq_id"].as_str().unwrap().to_owned()),
            "{key}"
        );
        let entity_id = component["def_ent_id"].as_str().unwrap();
        let (domain, object) = entity_id.split_once('.').unwrap();
        assert_eq!(domain, platform, "{entity_id}");
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(
            !object.is_empty() && object.chars().all(legal),
            "{entity_id}"
        );
        assert!(entity_ids.insert(entity_id.to_owned()), "{entity_id}");
        let is_enum = component.get("dev_cla") == Some(&json!("enum"));
        if platform == "sensor" {
            assert_eq!(component.get("ops").is_some(), is_enum, "{key}");
            assert_ne!(component.get("ent_cat"), Some(&json!("config")), "{key}");
        }
        if is_enum || component.get("dev_cla") == Some(&json!("timestamp")) {
            assert_eq!(component.get("unit_of_meas"), None, "{key}");
            assert_eq!(component.get("stat_cla"), None, "{key}");
        }
    }
    let payload = message.payload(&std::collections::BTreeMap::new());
    assert!(payload.len() <= PAYLOAD_AT_MOST, "{} bytes", payload.len());
}

fn is_id(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.chars().all(legal)
}

pub fn is_topic(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() < 200
        && !topic.starts_with('/')
        && topic
            .chars()
            .all(|c| !c.is_control() && !"#+ ~".contains(c))
}
