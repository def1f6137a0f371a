use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config;
use crate::mqtt;
use tokio_util::sync::CancellationToken;

/// The car of the files of 0.1.0.
const VIN: &str = "LRW3E7EK5PC000031";

fn id() -> DeviceId {
    DeviceId::new(VIN).unwrap()
}

fn settings(directory: &Path) -> Settings {
    // Nothing listens there.
    let text = format!(
        "[mqtt]\nurl = \"mqtt://127.0.0.1:1\"\n[[accounts]]\nname = \"home\"\napi = \"owner\"\n\
         [state]\ndirectory = {directory:?}\n"
    );
    config::from_text(&text).unwrap()
}

fn of_0_1_0() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state-0.1.0")
}

fn copy_of_0_1_0(to: &Path) {
    fs::create_dir_all(to.join("cars")).unwrap();
    let car = format!("cars/{VIN}.json");
    for name in ["bridge.json", "teslamate.json", "removals.json", &car] {
        fs::copy(of_0_1_0().join(name), to.join(name)).unwrap();
    }
}

fn of_bridge(settings: &Settings) -> Declaration {
    let topic = crate::topics::of_bridge(&settings.mqtt.base_topic, "state");
    Declaration::Topics {
        owner: Owner::Bridge,
        topics: [topic].into(),
    }
}

async fn retained(settings: &Settings) -> Retained {
    let manifest = open(settings, |_| of_bridge(settings));
    let id = "of-a-test".to_owned();
    let cancel = CancellationToken::new();
    let (handle, _, _) = mqtt::start(&settings.mqtt, id, Vec::new(), cancel).unwrap();
    Retained::start(manifest, handle, settings).await
}

#[test]
fn the_files_of_0_1_0_are_taken_over_once() {
    let folder = tempfile::tempdir().unwrap();
    copy_of_0_1_0(folder.path());
    let settings = settings(folder.path());
    let taken = read(&settings);
    let owners = [
        Owner::Bridge,
        Owner::BridgeDiscovery,
        Owner::Account("home".to_owned()),
        Owner::Device(id()),
        Owner::Discovery(id()),
        Owner::TeslaMate(id()),
    ];
    assert_eq!(taken.owners(), owners.iter().collect());
    let topics = taken.topics();
    for topic in [
        "tesla2mqtt/bridge/state",
        "tesla2mqtt/bridge/info",
        "tesla2mqtt/bridge/version",
        "tesla2mqtt/bridge/accounts/home/dollars",
        "tesla2mqtt/one/odometer",
        "tesla2mqtt/one/snapshot",
        "tesla2mqtt/one/availability",
        "homeassistant/device/tesla2mqtt_bridge/config",
        "homeassistant/device/tesla2mqtt_LRW3E7EK5PC000031/config",
        "teslamate/one/cars/3/odometer",
        "tesla2mqtt/older/odometer",
    ] {
        assert!(topics.contains(topic), "{topic}");
    }
    let removals: Vec<&String> = taken.removals().collect();
    assert_eq!(
        removals,
        [
            "homeassistant/device/older_bridge/config",
            "tesla2mqtt/older/odometer"
        ]
    );
    for id in ["bridge", VIN] {
        let topic = format!("homeassistant/device/tesla2mqtt_{id}/config");
        let announced = taken.announced(&topic);
        assert!(announced.components.len() > 10 && announced.slug.is_some());
    }
    let car = Vin::new(VIN).unwrap();
    assert_eq!(taken.numbers().clone().number(&car), 3);

    // A kill before the old files were removed: they say nothing new.
    let opened = open(&settings, |_| of_bridge(&settings));
    copy_of_0_1_0(folder.path());
    let again = read(&settings);
    assert_eq!(again.topics(), opened.topics());
    open(&settings, |_| of_bridge(&settings));
    for name in ["bridge.json", "teslamate.json", "removals.json"] {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
    let gone = "tesla2mqtt/bridge/version".to_owned();
    assert!(opened.removals().any(|topic| *topic == gone));
    assert_eq!(read(&settings).topics(), opened.topics());
}

#[test]
fn a_car_keeps_its_entity_ids_though_another_asks_first_after_a_restart() {
    let mut manifest = Manifest::default();
    let owner = Owner::Discovery(id());
    let topic = crate::discovery::device_topic("homeassistant", &id());
    manifest.declare(&owner, [topic.clone()]);
    let announced = Announced {
        slug: Some("rakete".to_owned()),
        ..Announced::default()
    };
    manifest.announce(&topic, &announced);
    let prefixes = entity_prefixes(&manifest);
    let other = DeviceId::new("7SAXCBE52NF000032").unwrap();
    assert_eq!(prefixes.choose(&other, "Rakete"), "rakete_0032");
    assert_eq!(prefixes.choose(&id(), "Blitz"), "rakete");
}

#[test]
fn an_old_file_that_is_damaged_takes_no_other_with_it() {
    for damaged in [
        "bridge.json",
        "teslamate.json",
        "removals.json",
        "cars/LRW3E7EK5PC000031.json",
    ] {
        let folder = tempfile::tempdir().unwrap();
        copy_of_0_1_0(folder.path());
        fs::write(folder.path().join(damaged), "{").unwrap();
        let topics = read(&settings(folder.path())).topics();
        let has = |topic: &str| topics.contains(topic);
        assert_eq!(
            has("tesla2mqtt/bridge/info"),
            damaged != "bridge.json" || has("tesla2mqtt/bridge/state")
        );
        assert_eq!(
            has("teslamate/one/cars/3/odometer"),
            damaged != "teslamate.json"
        );
        assert_eq!(has("tesla2mqtt/older/odometer"), damaged != "removals.json");
        assert_eq!(
            has("tesla2mqtt/one/odometer"),
            !damaged.starts_with("cars/")
        );
    }
}

#[tokio::test]
async fn a_declaration_and_a_number_are_on_the_disk_when_they_are_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let retained = retained(&settings).await;
    let vins = [9, 3].map(|n| Vin::new(&format!("LRW3E7EK5PC{n:06}")).unwrap());
    assert_eq!(retained.number(&vins[0]).await, 1);
    assert_eq!(retained.number(&vins[1]).await, 2);
    // As after a kill, and with the cars in another order.
    let mut numbers = read(&settings).numbers().clone();
    assert_eq!((numbers.number(&vins[1]), numbers.number(&vins[0])), (2, 1));

    let owners = (0..10).map(|n| Owner::Device(DeviceId::new(&format!("{n}")).unwrap()));
    let declared = owners.map(|owner| {
        let topic = format!("tesla2mqtt/{owner}/odometer");
        let retained = retained.clone();
        async move { retained.declare_topics(owner, [topic]).await }
    });
    futures_util::future::join_all(declared).await;
    assert_eq!(read(&settings).topics().len(), 11);
    retained
        .declare_topics(Owner::Device(DeviceId::new("7").unwrap()), None)
        .await;
    let kept = read(&settings);
    let removals: Vec<&String> = kept.removals().collect();
    assert_eq!(removals, ["tesla2mqtt/device 7/odometer"]);
}

#[test]
fn a_damaged_file_costs_what_it_held_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(path(folder.path()), "{").unwrap();
    let settings = settings(folder.path());
    assert_eq!(read(&settings), Manifest::default());
    open(&settings, |_| of_bridge(&settings));
    assert_eq!(read(&settings).topics().len(), 1);
}
