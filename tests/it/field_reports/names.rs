//! Names that are alike become ids that differ.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tesla2mqtt::model::Vin;

use super::report::{Answer, Report};
use super::rig::{Field, play, play_changed, play_report};

/// What the entity ids of a car begin with.
fn id_of(field: &Field<'_>, vin: &Vin) -> Option<String> {
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
async fn different_ids(field: &Field<'_>) -> Vec<String> {
    let ids = || field.vins.iter().filter_map(|vin| id_of(field, vin));
    field
        .until("three announcements", || ids().count() == 3)
        .await;
    let ids: Vec<String> = ids().collect();
    let different: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), 3, "{ids:?}");
    ids
}

/// Names that Home Assistant spells alike.
const ALIKE: [[&str; 2]; 3] = [["Müller", "Muller"], ["Тесла", "Tesla"], ["🚗🚗", "★"]];

#[test]
fn like_case_20_ids_once_given_stay_over_a_restart_a_reload_and_other_names() {
    let named = |name: &str| [("vehicle_state.vehicle_name", name.into())];
    // Later each car has the name of the other.
    let story = |[own, other]: [&str; 2]| {
        let mut story = vec![Answer::parked(&named(own)); 6];
        story.push(Answer::set(&named(other)));
        story
    };
    let stories = ALIKE
        .iter()
        .flat_map(|[one, other]| [story([one, other]), story([other, one])]);
    let Some(mut report) = Report::of(stories) else {
        return;
    };
    report.polling = None;
    play_report(&report, async |field| {
        let ids = || -> Vec<String> {
            let ids = field.vins.iter().filter_map(|vin| id_of(field, vin));
            ids.collect()
        };
        let n_cars = field.vins.len();
        field
            .until("all announcements", || ids().len() == n_cars)
            .await;
        let given = ids();
        let different: BTreeSet<&String> = given.iter().collect();
        assert_eq!(different.len(), n_cars, "{given:?}");
        for [first, second] in [[0, 1], [2, 3]] {
            assert!(given[second].starts_with(&given[first][..5]), "{given:?}");
        }
        field.bridge.lock().await.restart(|_| {}).await;
        let n_looks = field.answers().len();
        field.all_answered(n_looks.max(8) + 2).await;
        field.bridge.lock().await.reload(field.config);
        field.all_answered(n_looks.max(8) + 5).await;
        assert_eq!(ids(), given);
        for vin in field.vins {
            let told = field.announcements(vin);
            let of_level = |told: &Json| told["cmps"]["battery_level"]["def_ent_id"].clone();
            let all: BTreeSet<String> =
                told.iter().map(|told| of_level(told).to_string()).collect();
            assert_eq!(all.len(), 1, "{all:?}");
        }
    });
}
