//! What is published is what the reviewed tables say: each recording is played as a car, the real
//! binary follows it, and a fresh subscriber's retained values are held against the table of that
//! recording, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tesla2mqtt::catalogue;
use tesla2mqtt::model::Vin;

use crate::recordings::recordings;
use crate::rig::program::Program;
use crate::rig::subscriber::{Subscriber, Topics};
use crate::rig::world::{ACCOUNT, World, vin};
use crate::rig::{SOON, deadline, eventually, left};

/// Lines of a table that a running bridge does not repeat: key, reason.
const NOT_REPEATED: &[(&str, &str)] = &[(
    "state",
    "the table has no policy, whose word it is: driving, charging, updating",
)];

/// Topics of a car that no table has: key, reason.
const NOT_IN_A_TABLE: &[(&str, &str)] = &[
    ("availability", "of the bridge, not of the car's facts"),
    ("snapshot", "every value once more, with its time"),
];

/// A reviewed table.
struct ReviewedTable {
    /// Payload of each key.
    values: BTreeMap<String, String>,
    /// Keys of the bridge's own, which no answer tells.
    silent: BTreeSet<String>,
}

impl ReviewedTable {
    fn of(recording: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
        let file = folder.join(format!("{recording}.snap"));
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut parts = text.splitn(3, "---\n");
        let body = parts.nth(2).expect("a header before the table");
        let (lines, rest) = body.split_once("\n\n").expect("the table's end");
        let row = |line: &str| {
            let (key, rest) = line.split_once(' ')?;
            let (payload, _platform) = rest.rsplit_once(' ')?;
            Some((key.to_owned(), payload.trim().to_owned()))
        };
        let values: BTreeMap<_, _> = lines.lines().filter_map(row).collect();
        let silent = rest
            .lines()
            .find_map(|line| line.strip_prefix("announced without a value: "))
            .expect("the silent ones");
        assert!(values.len() > 80, "{recording}: only {values:?}");
        Self {
            values,
            silent: silent.split_whitespace().map(str::to_owned).collect(),
        }
    }

    fn differences(&self, found: &Topics, prefix: &str) -> Vec<String> {
        let has = |list: &[(&str, &str)], key: &str| list.iter().any(|(listed, _)| *listed == key);
        let mut wrong = Vec::new();
        for (key, payload) in self
            .values
            .iter()
            .filter(|(key, _)| !has(NOT_REPEATED, key))
        {
            let there = found.get(&format!("{prefix}{key}"));
            if there.map(|there| there.trim()) != Some(payload) {
                wrong.push(format!("{key}: {there:?}, expected {payload:?}"));
            }
        }
        for key in found.keys().filter_map(|topic| topic.strip_prefix(prefix)) {
            let is_known = self.values.contains_key(key)
                || self.silent.contains(key)
                || is_of_the_logbook(key);
            if !is_known && !has(NOT_IN_A_TABLE, key) && !key.starts_with("event/") {
                wrong.push(format!("{key}: in no table"));
            }
        }
        wrong
    }
}

/// What follows from values over time begins with the bridge's first look, as a charge's energy does.
fn is_of_the_logbook(key: &str) -> bool {
    let signals = catalogue::find(key).map_or(&[][..], |row| row.extractor.signals());
    signals
        .first()
        .is_some_and(|signal| signal.starts_with("derived."))
}

/// Plays them all at the broker of a configuration, as many at once as have different VINs.
pub async fn play_each_recording(
    configure: impl Fn(String) -> String,
    subscribe: impl Fn(&World) -> Subscriber,
) {
    let mut waiting = recordings("vehicle_data");
    while !waiting.is_empty() {
        let world = World::new().await;
        let mut cars: BTreeMap<Vin, String> = BTreeMap::new();
        waiting.retain(|(name, body)| {
            let answer: Json = serde_json::from_slice(body).expect("JSON");
            let vin = answer["response"]["vin"].as_str().expect("a VIN");
            let vin = Vin::new(vin).expect("a VIN");
            if cars.contains_key(&vin) {
                return true;
            }
            let added = world.cloud.add_recording(ACCOUNT, answer);
            added.expect("a recording");
            cars.insert(vin, name.clone());
            false
        });
        let mut program = Program::prepare();
        program.start(&configure(world.fresh_fleet_config()));
        let watcher = subscribe(&world);
        for (vin, name) in &cars {
            let table = ReviewedTable::of(name);
            let prefix = format!("tesla2mqtt/{}/", vin.as_str());
            let differences = || table.differences(&watcher.topics(), &prefix);
            let end = deadline(SOON);
            while !differences().is_empty() {
                let is_over = left(end).is_zero();
                assert!(!is_over, "{name}: {:#?}", differences());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        // The watcher may have seen what was not retained.
        let fresh = subscribe(&world);
        for (vin, name) in &cars {
            let table = ReviewedTable::of(name);
            let prefix = format!("tesla2mqtt/{}/", vin.as_str());
            eventually(name, SOON, || {
                table.differences(&fresh.topics(), &prefix).is_empty()
            })
            .await;
        }
        assert!(
            fresh
                .messages()
                .iter()
                .filter(|(.., retain)| *retain)
                .count()
                > cars.len() * 80
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_recorded_car_is_published_as_its_reviewed_table_says() {
    let at_its_own = |world: &World| Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    play_each_recording(|config| config, at_its_own).await;
}

/// Bodies by hand, for what no recording shows, and what of them must stand at the broker.
fn by_hand() -> Vec<(Json, Vec<(&'static str, &'static str)>)> {
    vec![
        (
            json!({"drive_state": {"shift_state": "R", "speed": null, "power": null}}),
            vec![
                ("shift_state", "r"),
                ("parking_brake", "off"),
                ("speed", "None"),
                ("state", "driving"),
            ],
        ),
        (
            json!({"drive_state": {"shift_state": "L", "power": 0},
                "charge_state": {"battery_level": 78, "usable_battery_level": 77, "charger_phases": "three"}}),
            vec![
                ("shift_state", "None"),
                ("battery_level", "78"),
                ("usable_battery_level", "77"),
                ("charger_phases", "None"),
            ],
        ),
        (
            json!({"charge_state": {"fast_charger_present": true, "charging_state": "Charging",
                "conn_charge_cable": "IEC", "charger_phases": 2, "battery_level": 50}}),
            vec![
                ("charger_type", "dc"),
                ("charger_phases", "3"),
                ("charger_multiphase", "on"),
                ("state", "charging"),
            ],
        ),
        (
            json!({"drive_state": {"latitude": 31.2304, "longitude": 121.4737, "native_latitude": 31.2285,
                "native_longitude": 121.4782, "native_location_supported": 1, "native_type": "gcj", "shift_state": "P"}}),
            vec![("latitude", "31.2304"), ("longitude", "121.4737")],
        ),
        (
            json!({"vehicle_state": {"df": 16, "dr": 0, "pf": 0, "pr": 0, "ft": 2, "rt": 0, "fd_window": 2,
                "fp_window": 0, "rd_window": 0, "rp_window": 0, "tpms_pressure_fl": -1, "locked": true,
                "vehicle_name": "a/b+c#\u{1f697}"}}),
            vec![
                ("door_driver_front", "on"),
                ("frunk", "open"),
                ("trunk", "closed"),
                ("windows", "open"),
                ("tpms_pressure_fl", "None"),
                ("display_name", "a/b+c#\u{1f697}"),
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_recording_shows_is_published_as_it_is_written_here() {
    let world = World::new().await;
    let mut cars = Vec::new();
    for (number, (mut body, expected)) in (1..).zip(by_hand()) {
        body["vin"] = vin(number).as_str().into();
        let added = world.cloud.add_recording(ACCOUNT, body);
        cars.push((added.expect("a car"), expected));
    }
    let mut program = Program::prepare();
    program.start(&world.fresh_fleet_config());
    let port = world.broker.addr.port();
    let watcher = Subscriber::to(port, "tesla2mqtt/#");
    for (vin, expected) in &cars {
        for (key, payload) in expected {
            let topic = format!("tesla2mqtt/{}/{key}", vin.as_str());
            watcher.wait_for(&topic, payload, SOON).await;
        }
    }
    let fresh = Subscriber::to(port, "tesla2mqtt/#");
    for (vin, expected) in &cars {
        for (key, payload) in expected {
            let topic = format!("tesla2mqtt/{}/{key}", vin.as_str());
            fresh.wait_for(&topic, payload, SOON).await;
        }
    }
}
