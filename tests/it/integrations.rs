//! README.md, docs/integrations.md and docs/examples: every topic and entity that they name exists
//! and is what its reader takes it for, and the table of TeslaMate's topics is the program's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tesla2mqtt::catalogue;
use tesla2mqtt::catalogue::{ACCOUNT_ENTITIES, BRIDGE_ENTITIES, Entity, Platform};
use tesla2mqtt::command::VERBS;
use tesla2mqtt::compat::teslamate;
use tesla2mqtt::device::events::message;
use tesla2mqtt::discovery;
use tesla2mqtt::model::Reading;
use tesla2mqtt::policy::Event;
use tesla2mqtt::trips::{Charge, Drive, Finding, Missed, Notice};

const BASE: &str = "tesla2mqtt/";
const CAR: &str = "my_tesla_";
/// Topics of a car that are not rows of the catalogue.
const MORE_OF_A_CAR: &[&str] = &[
    "availability",
    "snapshot",
    "<key>",
    "...",
    "+",
    "#",
    "event/+",
    "event/...",
    "event/<name>",
];
const MORE_OF_THE_BRIDGE: &[&str] = &["state", "info", "<key>"];
const EVENTS: &[&str] = &[
    "drive_started",
    "drive_finished",
    "charge_started",
    "charge_finished",
    "missed_drive",
    "missed_charge",
    "update_started",
    "update_finished",
    "door_opened",
    "door_closed",
    "sentry_on",
    "sentry_off",
    "sentry_alarm",
];

#[test]
fn every_topic_in_the_examples_exists() {
    let mut wrong = String::new();
    let mut n_topics = 0;
    for (name, text) in pages() {
        for topic in after_each(&text, BASE) {
            n_topics += 1;
            if !is_topic(topic) {
                let _ = writeln!(wrong, "{name}: {BASE}{topic}");
            }
        }
    }
    assert_eq!(wrong, "");
    assert!(
        n_topics > 40,
        "only {n_topics} found: has the base topic changed?"
    );
}

#[test]
fn every_entity_in_the_examples_is_announced_and_enabled_for_a_bridge_that_only_reads() {
    let mut wrong = String::new();
    let mut n_entities = 0;
    for (name, text) in pages() {
        let is_example = Path::new(&name)
            .extension()
            .is_some_and(|kind| kind == "yaml");
        for line in text.lines() {
            let line = if is_example {
                without_comment(line)
            } else {
                line
            };
            for (platform, key) in mentioned(line) {
                n_entities += 1;
                let row = catalogue::entities().find(|row| row.key == key);
                let announced_as = |commands| {
                    let row = row.filter(|row| row.enabled)?;
                    discovery::platform(row, commands).map(tesla2mqtt::catalogue::Platform::word)
                };
                let reading = announced_as(false) == Some(platform);
                let commanding = !is_example && announced_as(true) == Some(platform);
                if !reading && !commanding {
                    let _ = writeln!(wrong, "{name}: {platform}.{CAR}{key}");
                }
            }
        }
    }
    assert_eq!(wrong, "");
    assert!(n_entities > 50, "only {n_entities} found");
}

#[test]
fn evcc_is_given_what_it_takes_a_topic_for() {
    // What evcc wants, the key that has it, the unit that we send, the factor to evcc's unit.
    let wanted = [
        ("soc", "usable_battery_level", "%", None),
        ("limitsoc", "charge_limit", "%", None),
        ("status", "charging_state", "", None),
        ("range", "battery_range", "mi", Some(1.609_344)),
        ("odometer", "odometer", "mi", Some(1.609_344)),
        ("climater", "climate_on", "", None),
        ("latitude", "latitude", "°", None),
        ("longitude", "longitude", "°", None),
    ];
    let text = std::fs::read_to_string(page("examples/evcc.yaml")).unwrap();
    let mut found = Vec::new();
    let mut scales = std::collections::BTreeMap::new();
    let mut what = "";
    for line in text.lines().map(|line| without_comment(line).trim()) {
        if let Some(name) = line.strip_suffix(':') {
            what = name;
        } else if let Some(topic) = line.strip_prefix("topic: tesla2mqtt/") {
            let (_car, key) = topic.split_once('/').unwrap();
            found.push((what, key));
        } else if let Some(scale) = line.strip_prefix("scale: ") {
            scales.insert(what, scale.parse::<f64>().unwrap());
        }
    }
    let listed: Vec<_> = wanted.iter().map(|(what, key, ..)| (*what, *key)).collect();
    assert_eq!(found, listed);
    for (what, key, unit, scale) in wanted {
        assert_eq!(row(key).unit, unit, "{what}");
        assert_eq!(scales.get(what).copied(), scale, "{what}");
    }
    for word in row("charging_state").words() {
        let is_explained = word == "charging" || word == "disconnected";
        let page = std::fs::read_to_string(page("integrations.md")).unwrap();
        assert!(
            is_explained || page.contains(&format!("`{word}`")),
            "{word}"
        );
        assert_eq!(
            text.contains(&format!(". == \"{word}\"")),
            is_explained,
            "{word}"
        );
    }
}

#[test]
fn openhab_is_given_what_it_takes_a_topic_for() {
    let things = std::fs::read_to_string(page("examples/openhab.things")).unwrap();
    let items = std::fs::read_to_string(page("examples/openhab.items")).unwrap();
    let mut channels = Vec::new();
    for line in things.lines().filter(|line| line.contains("stateTopic=")) {
        let mut words = line.split_whitespace();
        let kind = words.nth(1).unwrap();
        let channel = words.find(|word| *word != ":").unwrap();
        channels.push(channel);
        let said = |name: &str| {
            let (_, rest) = line.split_once(&format!(" {name}=\""))?;
            rest.split('"').next()
        };
        let key = said("stateTopic").unwrap().rsplit('/').next().unwrap();
        if line.contains("trigger=true") {
            assert!(EVENTS.contains(&key) && kind == "string", "{channel}");
            continue;
        }
        let row = row(key);
        match kind {
            "number" => assert_eq!(said("unit"), Some(row.unit), "{channel}"),
            "datetime" => assert_eq!(row.class, "timestamp", "{channel}"),
            "location" => assert_eq!(row.platform, Platform::DeviceTracker, "{channel}"),
            "contact" => {
                let wanted = match row.platform {
                    Platform::Cover => ("open", "closed"),
                    Platform::Lock => ("unlocked", "locked"),
                    _ => ("on", "off"),
                };
                assert_eq!(
                    (said("on").unwrap(), said("off").unwrap()),
                    wanted,
                    "{channel}"
                );
            }
            "string" => assert!(!row.words().is_empty(), "{channel}"),
            other => panic!("{channel}: {other}"),
        }
    }
    assert!(channels.len() > 15, "{channels:?}");
    let linked: Vec<&str> = after_each(&items, "mqtt:topic:home:tesla:").collect();
    assert!(
        linked.iter().all(|channel| channels.contains(channel)),
        "{linked:?}"
    );
    let page = std::fs::read_to_string(page("integrations.md")).unwrap();
    for channel in after_each(&page, "mqtt:topic:home:tesla:") {
        assert!(channels.contains(&channel), "{channel}");
    }
}

#[test]
fn the_examples_know_every_word_of_the_state() {
    let page = std::fs::read_to_string(page("integrations.md")).unwrap();
    for key in ["state", "charging_state"] {
        for word in row(key).words() {
            assert!(
                page.contains(&format!("`{word}`")),
                "{key}: {word} is not explained"
            );
        }
    }
}

#[test]
fn the_figures_of_each_event_are_listed() {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let drive = Drive {
        started_at: at,
        ended_at: at,
        duration_s: 60,
        distance_mi: Some(1.0),
        level_from: None,
        level_to: None,
        range_used_mi: None,
        energy_kwh: None,
    };
    let charge = Charge {
        started_at: at,
        ended_at: at,
        duration_s: 60,
        energy_kwh: 1.0,
        level_from: None,
        level_to: None,
        range_added_mi: None,
        power_max_kw: None,
        is_dc: false,
        cost: None,
        currency: None,
    };
    let notice = |door| Notice {
        name: "",
        door,
        at,
        last_look_at: at,
    };
    let page = std::fs::read_to_string(page("integrations.md")).unwrap();
    let reading = Reading {
        at,
        odometer_mi: None,
        battery_level: None,
    };
    let version = None;
    let missed = Missed {
        from: reading,
        to: reading,
    };
    let told = [
        message(&Event::UpdateStarted {
            version: version.clone(),
        }),
        message(&Event::UpdateEnded { version }),
        Finding::DriveStarted(Some(reading)).event(),
        Finding::ChargeStarted(Some(reading)).event(),
        Finding::MissedDrive(missed).event(),
        Finding::MissedCharge(missed).event(),
    ];
    let told = told.iter().map(|told| {
        let (name, message) = told.as_ref().expect("an event of its own");
        let mut figures = message.as_object().expect("an object").clone();
        assert_eq!(figures.remove("event_type"), Some((*name).into()));
        assert!(!figures.is_empty(), "{name}");
        // What is within a reading is listed beside it.
        let within: Vec<_> = ["from", "to"]
            .iter()
            .filter_map(|of| message[of].as_object().cloned())
            .flatten()
            .collect();
        figures.extend(within);
        (*name, figures)
    });
    let events = [
        ("drive_finished", drive.figures()),
        ("charge_finished", charge.figures()),
        ("door_opened", notice(Some("frunk")).figures()),
        ("sentry_alarm", notice(None).figures()),
    ];
    let mut n_named = 0;
    for (name, figures) in told.chain(events) {
        n_named += 1;
        let lines: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("  | `") && line.contains(&format!("`{name}`")))
            .collect();
        for figure in figures.keys() {
            let is_listed = lines
                .iter()
                .any(|line| line.contains(&format!("`{figure}`")));
            assert!(is_listed, "{name}: {figure}");
        }
    }
    // The other door and the two of sentry mode have the figures of their fellows.
    assert_eq!(n_named + 3, EVENTS.len());
    // What was not seen to begin is not said to have begun.
    for found in [Finding::DriveStarted(None), Finding::ChargeStarted(None)] {
        assert_eq!(found.event(), None);
    }
}

#[test]
fn the_table_of_teslamates_topics_is_current() {
    const BEGIN: &str = "<!-- teslamate topics: begin -->\n";
    const END: &str = "<!-- teslamate topics: end -->";
    let path = page("integrations.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the page has a place for the table");
    let (table, after) = rest.split_once(END).expect("the place has an end");
    let current = format!("\n{}\n", teslamate::document());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{current}{END}{after}")).unwrap();
        return;
    }
    assert!(
        table == current,
        "docs/integrations.md is stale: run UPDATE_DOCS=1 cargo test --test it integrations"
    );
}

#[test]
fn the_flow_is_json_as_node_red_exports_it() {
    let flow = std::fs::read_to_string(page("examples/node-red-flow.json")).unwrap();
    let flow: Vec<serde_json::Value> = serde_json::from_str(&flow).unwrap();
    assert!(
        flow.iter()
            .all(|node| node["id"].is_string() && node["type"].is_string())
    );
}

// What the tests need.

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name)
}

/// The page and every example, by name.
fn pages() -> Vec<(String, String)> {
    let examples = std::fs::read_dir(page("examples")).unwrap();
    let mut paths: Vec<PathBuf> = examples.map(|entry| entry.unwrap().path()).collect();
    paths.push(page("integrations.md"));
    paths.push(page("../README.md"));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

fn row(key: &str) -> &'static Entity {
    catalogue::entities()
        .find(|row| row.key == key)
        .expect("a row of the catalogue")
}

/// What follows each mention of `start`, up to the end of the topic.
fn after_each<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).map(|rest| {
        let ends = |c: char| c.is_whitespace() || "\"'`,;)]\\".contains(c);
        rest.split(ends).next().unwrap_or_default()
    })
}

/// Whether `<car>/<key>` or `bridge/<key>` is published.
fn is_topic(topic: &str) -> bool {
    let Some((car, key)) = topic.split_once('/') else {
        return topic == "#";
    };
    if let Some(fact) = topic.strip_prefix("bridge/accounts/") {
        let (_name, key) = fact.split_once('/').unwrap_or_default();
        return key == "<key>" || ACCOUNT_ENTITIES.iter().any(|of| of.entity.key == key);
    }
    if car == "bridge" {
        return MORE_OF_THE_BRIDGE.contains(&key)
            || BRIDGE_ENTITIES.iter().any(|of| of.entity.key == key);
    }
    if let Some(name) = key.strip_prefix("command/") {
        return name == "<name>" || VERBS.iter().any(|(verb, _)| *verb == name);
    }
    match key.strip_prefix("event/") {
        Some(event) if EVENTS.contains(&event) => true,
        _ => {
            MORE_OF_A_CAR.contains(&key)
                || catalogue::entities().any(|row| row.has_state() && row.key == key)
        }
    }
}

/// Platform and key of each `platform.my_tesla_key` in a line.
fn mentioned(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let dotted = format!(".{CAR}");
    line.match_indices(CAR).filter_map(move |(at, _)| {
        let before = line[..at].strip_suffix('.')?;
        let platform = before.rsplit(|c| !is_word(c)).next()?;
        let key = line[at + dotted.len() - 1..]
            .split(|c| !is_word(c))
            .next()?;
        (!platform.is_empty()).then_some((platform, key))
    })
}

fn without_comment(line: &str) -> &str {
    let end = if line.trim_start().starts_with('#') {
        Some(0)
    } else {
        line.find(" #")
    };
    &line[..end.unwrap_or(line.len())]
}
