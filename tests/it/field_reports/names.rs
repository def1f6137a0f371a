//! Names that are alike become ids that differ.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tesla2mqtt::model::Vin;

use super::report::Report;
use super::rig::{Field, play, play_changed};

/// What the entity ids of a car begin with.
fn id_of(field: &Field, vin: &Vin) -> Option<String> {
    let announced = field.announcement(vin)?;
    let component: &Json = &announced["cmps"]["battery_level"];
    let id = component["def_ent_id"].as_str()?;
    let id = id.strip_prefix("sensor.")?.strip_suffix("_battery_level")?;
    Some(id.to_owned())
}

#[test]
fn case_20_names_that_are_alike_become_ids_that_differ() {
    play("20-names-alike-in-18-letters.json", async |field| {
        let ids = different_ids(field).await;
        // As Home Assistant itself would say it.
        assert_eq!(ids[2], "skoda_killer_zolw");
    });
}

#[test]
fn like_case_20_cars_of_one_name_get_ids_that_differ() {
    let all_are_called_tesla = |report: &mut Report| {
        for step in report.cars.iter_mut().flat_map(|car| &mut car.steps) {
            let name = "vehicle_state.vehicle_name".to_owned();
            step.set.insert(name, "Tesla".into());
        }
    };
    let name = "20-names-alike-in-18-letters.json";
    play_changed(name, all_are_called_tesla, async |field| {
        let ids = different_ids(field).await;
        assert!(ids.contains(&"tesla".to_owned()), "{ids:?}");
        assert!(ids.iter().all(|id| id.starts_with("tesla")), "{ids:?}");
    });
}

/// Those of three cars.
async fn different_ids(field: &Field) -> Vec<String> {
    let ids = || field.vins.iter().filter_map(|vin| id_of(field, vin));
    field
        .until("three announcements", || ids().count() == 3)
        .await;
    let ids: Vec<String> = ids().collect();
    let different: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), 3, "{ids:?}");
    ids
}
