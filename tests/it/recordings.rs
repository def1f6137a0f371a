//! Every recorded answer, and the topics that it becomes: one reviewed table each.
//!
//! A new recording gets its table with `INSTA_UPDATE=always cargo test recordings`; read it
//! against the JSON before it is committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use tesla2mqtt::catalogue;
use tesla2mqtt::decode::{products, vehicle_data};
use tesla2mqtt::discovery::{self, EntityPrefixes, Setup};
use tesla2mqtt::model::{CarRecord, Now, Observation, Source, Vehicle, Vin};
use tesla2mqtt::outbox::Publish;
use tesla2mqtt::topics::{CarTopics, Paths};

/// All recordings are older, so that each object keeps its own time.
fn received() -> Now {
    Now {
        mono: Duration::ZERO,
        wall: "2026-11-23T12:00:00Z".parse().unwrap(),
    }
}

/// The recordings whose name starts so.
pub fn recordings(prefix: &str) -> Vec<(String, Vec<u8>)> {
    static ALL: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(read_all);
    ALL.iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .cloned()
        .collect()
}

/// A loud note instead of silence where there are none.
fn read_all() -> Vec<(String, Vec<u8>)> {
    let folder = crate::ci::fixtures().join("tesla-api");
    let mut found: Vec<PathBuf> = [folder.clone(), folder.join("derived")]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .collect();
    found.sort();
    if found.is_empty() {
        crate::ci::skip(&format!(
            "no recordings in {}: what is tested with recorded answers is not tested. Set \
             TESLA2MQTT_FIXTURES to the folder that has tesla-api in it",
            folder.display()
        ));
    }
    found
        .into_iter()
        .map(|path| {
            let body = std::fs::read(&path).unwrap();
            (name(&path), body)
        })
        .collect()
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Every recorded file, and where it is read, or why not.
#[rustfmt::skip]
const ACCOUNTED: &[(&str, &str)] = &[
    ("README.md", "where the files come from"),
    ("command-results.json", "left out: commands to the car are a later issue"),
    ("derived/vehicle_data-driving.json", "here, decode, discovery, published"),
    ("derived/vehicle_data-update-downloading.json", "here, decode, discovery, published"),
    ("derived/vehicle_data-update-installing.json", "here, decode, discovery, published"),
    ("errors.json", "src/api/error/tests.rs"),
    ("live_status-powerwall-wallconnector-plugged.json", "left out: energy sites are a later issue"),
    ("live_status-solar-only.json", "left out: energy sites are a later issue"),
    ("products-asleep-plus-battery-plus-empty-site.json", "here, discovery, src/decode/products/tests.rs"),
    ("products-model3-online-battery-site.json", "here, discovery, src/decode/products/tests.rs"),
    ("products-modely-eu-command-signing-required.json", "here, discovery, src/decode/products/tests.rs"),
    ("products-two-models-asleep-unsigned.json", "here, discovery, src/decode/products/tests.rs"),
    ("site_info-powerwall-tariff-au.json", "left out: energy sites are a later issue"),
    ("site_info-powerwall-wallconnectors.json", "left out: energy sites are a later issue"),
    ("streaming-frames.jsonl", "left out: streaming is a later issue"),
    ("vehicle_data-model3-ac-complete-3phase-no-location.json", "here, decode, discovery, published"),
    ("vehicle_data-model3-eu-dc-supercharging.json", "here, decode, discovery, published"),
    ("vehicle_data-model3-rhd-stopped-update-available.json", "here, decode, discovery, published"),
    ("vehicle_data-models-2014-firmware-2017.json", "here, decode, discovery, published"),
    ("vehicle_data-models-2015-stopped-many-nulls.json", "here, decode, discovery, published"),
    ("vehicle_data-models-us-ac-charging-imperial.json", "here, decode, discovery, published"),
    ("vehicle_data-modelx-plaid-sentry-media-bar.json", "here, decode, discovery, published"),
];

#[test]
fn every_recorded_file_is_read_or_left_out_with_a_reason() {
    let folder = crate::ci::fixtures().join("tesla-api");
    let mut found = Vec::new();
    for (place, prefix) in [(folder.clone(), ""), (folder.join("derived"), "derived/")] {
        for entry in std::fs::read_dir(&place).into_iter().flatten() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                found.push(format!("{prefix}{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    if found.is_empty() {
        crate::ci::skip(&format!("no recordings in {}", folder.display()));
        return;
    }
    found.sort();
    let accounted: Vec<&str> = ACCOUNTED.iter().map(|(file, _)| *file).collect();
    assert_eq!(found, accounted, "in the folder, and in the list");
    let n_read = |kind: &str| {
        let is_read =
            |(file, how): &&(&str, &str)| file.contains(kind) && !how.starts_with("left out");
        ACCOUNTED.iter().filter(is_read).count()
    };
    for kind in ["vehicle_data-", "products-"] {
        assert_eq!(recordings(kind).len(), n_read(kind), "{kind}");
    }
}

#[test]
fn a_run_without_recordings_is_not_green_and_silent() {
    let test = "recordings::every_word_of_the_recordings_is_in_a_list";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("TESLA2MQTT_FIXTURES", "/nowhere")
        .env_remove("TESLA2MQTT_CI")
        .output()
        .unwrap();
    let (stdout, stderr) = crate::child::texts(&output);
    assert!(stdout.contains("1 passed"), "{stdout}");
    let said = "!!! SKIPPED: no recordings in /nowhere/tesla-api";
    assert!(stderr.contains(said), "{stderr}");
    assert!(stderr.contains("Set TESLA2MQTT_FIXTURES"), "{stderr}");
}

pub fn car_of(vin: Vin, seen: &[Observation]) -> Vehicle {
    let mut car = Vehicle::new(vin);
    for observation in seen {
        car.apply(observation);
    }
    car
}

/// One line a topic: key, payload, and what Home Assistant is told that it is.
fn table(car: &Vehicle) -> String {
    let paths = Paths::new("t", &car.id(), None);
    let setup = Setup {
        prefix: "homeassistant".into(),
        base: "t".into(),
        version: "0".into(),
        commands: false,
        entity_prefixes: EntityPrefixes::default(),
    };
    let announced = discovery::car(car, &paths, &setup).platforms();
    let mut table = String::new();
    let mut silent: Vec<String> = announced.keys().cloned().collect();
    for message in CarTopics::new(paths).changed(car) {
        let Publish::State { topic, payload } = message else {
            panic!("{message:?}");
        };
        let key = topic.rsplit('/').next().unwrap();
        if key == "snapshot" {
            continue;
        }
        silent.retain(|announced| announced != key);
        let platform = announced.get(key).map_or("-", String::as_str);
        writeln!(table, "{key:<34} {payload:<24} {platform}").unwrap();
    }
    writeln!(table, "\nannounced without a value: {}", silent.join(" ")).unwrap();
    table
}

fn check(name: &str, table: &str) {
    insta::with_settings!({
        snapshot_path => "../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, table);
    });
}

#[test]
fn each_recorded_vehicle_data_becomes_the_topics_of_its_table() {
    for (name, body) in recordings("vehicle_data") {
        let data = vehicle_data::vehicle_data(&body, received()).unwrap();
        let car = car_of(data.vin.clone().unwrap(), &data.observations);
        let mut topics = CarTopics::new(Paths::new("t", &car.id(), None));
        topics.changed(&car);
        let text = format!(
            "{}\nodd fields: {:?}\nodd words: {:?}\n\n{:#?}\n",
            table(&car),
            data.oddities,
            topics.oddities(),
            CarRecord::of(&car)
        );
        check(&name, &text);
    }
}

#[test]
fn each_car_of_a_recorded_list_becomes_the_topics_of_its_table() {
    for (name, body) in recordings("products") {
        let page = products::products(&body).unwrap();
        let mut text = String::new();
        for listed in page.vehicles {
            let seen = listed.observations(Source::Light, received().wall);
            let car = car_of(listed.vin.clone(), &seen);
            writeln!(text, "{}\n{}", car.vin, table(&car)).unwrap();
        }
        check(&name, &text);
    }
}

#[test]
fn every_word_of_the_recordings_is_in_a_list() {
    for (name, body) in recordings("vehicle_data") {
        let data = vehicle_data::vehicle_data(&body, received()).unwrap();
        let car = car_of(data.vin.clone().unwrap(), &data.observations);
        for row in catalogue::entities() {
            let said = row.read(&car);
            let is_unlisted = matches!(said, catalogue::EntityValue::Unlisted(_));
            assert!(!is_unlisted, "{name}: {}: {said:?}", row.key);
        }
    }
}
