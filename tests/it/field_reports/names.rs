//! Names that are alike become ids that differ.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tesla2mqtt::model::Vin;

use super::rig::{Field, play};

/// What the entity ids of a car begin with.
fn id_of(field: &Field, vin: &Vin) -> Option<String> {
    let announced = field.announcement(vin)?;
    let component: &Json = &announced["cmps"]["battery_level"];
    let id = component["def_ent_id"].as_str()?;
    let id = id.strip_prefix("sensor.")?.strip_suffix("_battery_level")?;
    Some(id.to_owned())
}

#[test]
#[ignore = "not mended yet"]
fn case_20_names_that_are_alike_become_ids_that_differ() {
    play("20-names-alike-in-18-letters.json", async |field| {
        let ids = || field.vins.iter().filter_map(|vin| id_of(field, vin));
        field
            .until("three announcements", || ids().count() == 3)
            .await;
        let ids: Vec<String> = ids().collect();
        let different: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(different.len(), 3, "{ids:?}");
        // As Home Assistant itself would say it.
        assert_eq!(ids[2], "skoda_killer_zolw");
    });
}
