//! The table of facts, read as a careful reviewer would: against the yardstick of what every
//! integration offers, and against Home Assistant's rules.

use std::collections::{BTreeMap, BTreeSet};

use tesla2mqtt::catalogue::{
    BRIDGE_SIGNALS, Capability, Category, Entity, Extractor, LEFT_OUT, Platform,
    YARDSTICK_ENTITIES, entities,
};
use tesla2mqtt::decode::vehicle_data::is_known;
use tesla2mqtt::trips::DERIVED_SIGNALS;

const YARDSTICK: &str = include_str!("../fixtures/entity-catalogue.csv");

struct WantedEntity {
    key: &'static str,
    platform: &'static str,
    unit: &'static str,
    class: &'static str,
    state_class: &'static str,
    category: &'static str,
    enabled: bool,
    icon: &'static str,
    /// By polling, by streaming, and whether it can be commanded.
    ways: [bool; 3],
}

fn yardstick() -> Vec<WantedEntity> {
    let mut wanted = Vec::new();
    for line in YARDSTICK.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), 11, "{line}");
        wanted.push(WantedEntity {
            key: cells[0],
            platform: cells[1],
            unit: cells[2],
            class: cells[3],
            state_class: cells[4],
            category: cells[5],
            enabled: cells[6] == "yes",
            icon: cells[7],
            ways: [cells[8] == "yes", cells[9] == "yes", cells[10] == "yes"],
        });
    }
    assert_eq!(wanted.len(), YARDSTICK_ENTITIES);
    wanted
}

fn by_key() -> BTreeMap<&'static str, &'static Entity> {
    entities().map(|row| (row.key, row)).collect()
}

#[test]
fn every_fact_of_the_yardstick_is_there_or_left_out_with_a_reason() {
    let ours = by_key();
    let mut done = 0;
    for wanted in yardstick() {
        if let Some((_, reason)) = LEFT_OUT.iter().find(|(key, _)| *key == wanted.key) {
            assert!(
                reason.len() > 15 && !ours.contains_key(wanted.key),
                "{}",
                wanted.key
            );
            println!("left out: {} ({reason})", wanted.key);
            continue;
        }
        assert!(ours.contains_key(wanted.key), "{} is missing", wanted.key);
        done += 1;
    }
    let more = ours.len() - done;
    println!(
        "{done} of {YARDSTICK_ENTITIES} rows done, {} left out, {more} of our own",
        LEFT_OUT.len()
    );
    assert_eq!(done + LEFT_OUT.len(), YARDSTICK_ENTITIES);
    let page = tesla2mqtt::catalogue::document();
    let said = format!("{done} are here and {} are", LEFT_OUT.len());
    assert!(page.contains(&said) && page.contains(&format!("; {more} are our own.")));
}

/// Rows that come from elsewhere than the yardstick says, with the reason.
const OTHER_SOURCES: &[(&str, &str)] = &[
    (
        "online",
        "a stream has no field for it: its connection says it",
    ),
    ("homelink", "a button, which has no state to read"),
    (
        "tpms_hard_warnings",
        "the four tires are in vehicle_data, too",
    ),
    (
        "tpms_soft_warnings",
        "the four tires are in vehicle_data, too",
    ),
];

#[test]
fn a_row_comes_from_where_the_yardstick_says() {
    let ours = by_key();
    let mut wrong = Vec::new();
    for wanted in yardstick() {
        let Some(row) = ours.get(wanted.key) else {
            continue;
        };
        let signals = row.extractor.signals();
        let is_polled = signals.iter().any(|path| !path.starts_with("telemetry."));
        let is_streamed = !row.stream.is_empty();
        let is_commanded = !row.command.is_empty();
        let found = [is_polled, is_streamed, is_commanded];
        let expected = wanted.ways;
        let is_other = OTHER_SOURCES.iter().any(|(key, _)| *key == row.key);
        if (found != expected) != is_other {
            wrong.push(format!("{}: {found:?}, expected {expected:?}", row.key));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Every field of Fleet Telemetry that a row may name: `Field` or `Field.part`.
const STREAM_FIELDS: &str = include_str!("../fixtures/fleet-telemetry-fields.txt");
/// What its messages about the connection itself name.
const CONNECTIONS: [&str; 2] = ["cellular", "wifi"];

#[test]
fn a_stream_is_a_field_that_tesla_has() {
    let fields: BTreeSet<&str> = STREAM_FIELDS.lines().collect();
    for row in entities().filter(|row| !row.stream.is_empty()) {
        for name in row.stream.split(", ") {
            let field = name.split('.').next().unwrap();
            let is_known = fields.contains(field) || CONNECTIONS.contains(&name);
            assert!(is_known, "{}: {name}", row.key);
        }
    }
}

/// State classes of the yardstick that we do not send, with the reason.
const OTHER_STATE_CLASSES: &[(&str, &str)] = &[(
    "heading",
    "measurement_angle came with a Home Assistant of 2025; 2024.11, which is supported, refuses the entity for it",
)];

#[test]
fn a_row_is_what_the_yardstick_says() {
    let ours = by_key();
    for wanted in yardstick() {
        let Some(row) = ours.get(wanted.key) else {
            continue;
        };
        let category = match row.category {
            Category::Main => "",
            Category::Diagnostic => "diagnostic",
            Category::Config => "config",
        };
        assert_eq!(row.platform.word(), wanted.platform, "{}", row.key);
        assert_eq!(row.class, wanted.class, "{}", row.key);
        let is_other = OTHER_STATE_CLASSES.iter().any(|(key, _)| *key == row.key);
        assert_eq!(
            row.state_class == wanted.state_class,
            !is_other,
            "{}",
            row.key
        );
        if is_other {
            assert_eq!(row.state_class, "", "{}", row.key);
        }
        assert_eq!(category, wanted.category, "{}", row.key);
        assert_eq!(row.enabled, wanted.enabled, "{}", row.key);
        assert_eq!(row.icon, wanted.icon, "{}", row.key);
        // Thermostats and positions have their units by their platform.
        if !matches!(row.platform, Platform::Climate | Platform::DeviceTracker) {
            assert_eq!(row.unit, wanted.unit, "{}", row.key);
        }
    }
}

#[test]
fn keys_are_unique_and_legal_topic_levels_and_ids() {
    let mut seen = BTreeSet::new();
    for row in entities() {
        assert!(seen.insert(row.key), "{} is there twice", row.key);
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(row.key.chars().all(legal), "{}", row.key);
        assert!(
            row.key.len() <= 40 && !row.key.starts_with('_'),
            "{}",
            row.key
        );
        // Taken by the contract.
        let reserved = ["availability", "snapshot", "event", "command"];
        assert!(!reserved.contains(&row.key), "{}", row.key);
    }
}

#[test]
fn names_are_in_sentence_case_without_units() {
    // Words that are written so in the middle of a name too.
    let proper = ["PIN", "Drive", "HVAC", "DC", "BMS", "GPS", "Wi-Fi"];
    for row in entities() {
        let mut words = row.name.split(' ');
        let first = words.next().unwrap();
        assert!(
            first.starts_with(|c: char| c.is_uppercase()),
            "{}",
            row.name
        );
        for word in words {
            let lower = word.chars().all(|c| !c.is_uppercase());
            assert!(lower || proper.contains(&word), "{}: {}", row.key, row.name);
        }
        assert!(
            !row.name.ends_with("sensor") && !row.name.contains("Tesla"),
            "{}",
            row.name
        );
    }
}

/// Home Assistant 2026.11 (home-assistant-mqtt.md, 7.1).
const UNITS: &[(&str, &[&str], &[&str])] = &[
    ("battery", &["%"], &["measurement"]),
    (
        "distance",
        &["km", "m", "mi"],
        &["measurement", "total", "total_increasing"],
    ),
    ("speed", &["km/h", "mph", "m/s"], &["measurement"]),
    (
        "energy",
        &["Wh", "kWh", "MWh"],
        &["total", "total_increasing"],
    ),
    ("energy_storage", &["Wh", "kWh", "MWh"], &["measurement"]),
    (
        "energy_distance",
        &["kWh/100km", "Wh/km", "mi/kWh", "km/kWh"],
        &["measurement"],
    ),
    ("power", &["W", "kW", "MW"], &["measurement"]),
    ("current", &["A", "mA"], &["measurement"]),
    ("voltage", &["V", "mV"], &["measurement"]),
    ("temperature", &["°C", "°F", "K"], &["measurement"]),
    ("pressure", &["bar", "kPa", "psi"], &["measurement"]),
    (
        "duration",
        &["d", "h", "min", "s", "ms"],
        &["measurement", "total", "total_increasing"],
    ),
    ("timestamp", &[], &[]),
    ("enum", &[], &[]),
];
const BINARY_CLASSES: &[&str] = &[
    "battery",
    "battery_charging",
    "cold",
    "connectivity",
    "door",
    "heat",
    "light",
    "lock",
    "moving",
    "occupancy",
    "opening",
    "plug",
    "power",
    "presence",
    "problem",
    "running",
    "safety",
    "update",
    "window",
];

#[test]
fn units_and_classes_are_those_that_home_assistant_permits() {
    for row in entities() {
        let key = row.key;
        match row.platform {
            Platform::Sensor | Platform::Number => {
                if row.class.is_empty() {
                    continue;
                }
                let (_, units, states) = UNITS
                    .iter()
                    .find(|(class, _, _)| *class == row.class)
                    .unwrap_or_else(|| panic!("{key}: no class {}", row.class));
                if units.is_empty() {
                    assert_eq!((row.unit, row.state_class), ("", ""), "{key}");
                } else {
                    assert!(units.contains(&row.unit), "{key}: {}", row.unit);
                    assert!(
                        row.state_class.is_empty() || states.contains(&row.state_class),
                        "{key}: {}",
                        row.state_class
                    );
                }
            }
            Platform::BinarySensor => {
                assert!(
                    row.class.is_empty() || BINARY_CLASSES.contains(&row.class),
                    "{key}"
                );
                assert_eq!((row.unit, row.state_class), ("", ""), "{key}");
            }
            Platform::Switch => assert!(["", "switch"].contains(&row.class), "{key}"),
            Platform::Cover => assert!(["door", "window"].contains(&row.class), "{key}"),
            _ => assert_eq!(row.class, "", "{key}"),
        }
        // Home Assistant 2024.11 knows these and no other.
        let known = ["", "measurement", "total", "total_increasing"];
        assert!(known.contains(&row.state_class), "{key}");
    }
}

#[test]
fn words_are_lower_snake_case_and_only_where_they_belong() {
    for row in entities() {
        let words = row.words();
        let is_list = row.class == "enum"
            || row.platform == Platform::Event
            || matches!(row.platform, Platform::Select | Platform::Climate)
            || matches!(row.extractor, Extractor::Word(..));
        assert_eq!(!words.is_empty(), is_list, "{}: {words:?}", row.key);
        for word in words {
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(word.chars().all(legal), "{}: {word}", row.key);
            // Home Assistant keeps these two for itself.
            assert!(
                !["unknown", "unavailable"].contains(&word),
                "{}: {word}",
                row.key
            );
        }
    }
    for row in entities().filter(|row| row.platform == Platform::Select) {
        assert!(!row.words().contains(&"none"), "{}", row.key);
    }
}

#[test]
fn readings_and_binary_platforms_fit_each_other() {
    let on_off = ["on", "off"];
    for row in entities() {
        let fits = match (row.platform, row.extractor) {
            (_, Extractor::Derived(..)) => true,
            (Platform::BinarySensor | Platform::Switch, Extractor::Word(_, words)) => {
                words.iter().all(|(_, ours)| on_off.contains(ours))
            }
            (Platform::BinarySensor, reading) => {
                matches!(reading, Extractor::Truth(_) | Extractor::Is(..))
            }
            (Platform::Switch, reading) => {
                matches!(
                    reading,
                    Extractor::Truth(_) | Extractor::Is(..) | Extractor::Nothing
                )
            }
            (Platform::Button | Platform::Text, reading) => matches!(reading, Extractor::Nothing),
            (Platform::Sensor, Extractor::Nothing) => false,
            _ => true,
        };
        assert!(fits, "{}: {:?}", row.key, row.extractor);
        let is_numeric = !row.unit.is_empty() || !row.state_class.is_empty();
        let says_numbers = matches!(
            row.extractor,
            Extractor::Number(..)
                | Extractor::Positive(..)
                | Extractor::Scaled(..)
                | Extractor::Derived(..)
                | Extractor::Nothing
        );
        assert!(
            !is_numeric || says_numbers,
            "{}: {:?}",
            row.key,
            row.extractor
        );
    }
}

#[test]
fn a_sensor_is_never_a_configuration() {
    for row in entities() {
        let is_reading = matches!(row.platform, Platform::Sensor | Platform::BinarySensor);
        assert!(
            !is_reading || row.category != Category::Config,
            "{}",
            row.key
        );
    }
}

#[test]
fn every_row_can_be_filled_and_every_control_commanded() {
    for row in entities() {
        for path in row.extractor.signals() {
            let can_come = is_known(path)
                || BRIDGE_SIGNALS.contains(path)
                || DERIVED_SIGNALS.contains(path)
                || (path.starts_with("telemetry.") && row.capability == Capability::Mentioned);
            assert!(can_come, "{}: {path}", row.key);
        }
        if row.is_control() {
            assert!(!row.command.is_empty(), "{}", row.key);
        } else {
            let is_event = row.platform == Platform::Event;
            assert!(
                row.has_state() != is_event && row.command.is_empty(),
                "{}",
                row.key
            );
        }
        let is_limited = row.platform == Platform::Number;
        assert_eq!(row.limits.is_some(), is_limited, "{}", row.key);
        for path in row.limits.iter().flat_map(|l| [l.min_of, l.max_of]) {
            assert!(path.is_empty() || is_known(path), "{}: {path}", row.key);
        }
    }
}

#[test]
fn the_page_of_entities_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/entities.md");
    let wanted = tesla2mqtt::catalogue::document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/entities.md is stale: UPDATE_DOCS=1 cargo test entities"
    );
    for row in entities() {
        assert!(found.contains(&format!("| `{}` |", row.key)), "{}", row.key);
    }
}
