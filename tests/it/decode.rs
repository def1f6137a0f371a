//! `vehicle_data` under attack: no bytes make the reader panic, and a wrong field costs itself.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use tesla2mqtt::catalogue::{Entity, EntityValue, Extractor, entities};
use tesla2mqtt::decode::vehicle_data::vehicle_data;
use tesla2mqtt::model::{Now, Vehicle, Vin};

use crate::recordings::{car_of, recordings};

const VIN: &str = "5YJ3E7EB0KF000005";

fn now() -> Now {
    Now {
        mono: Duration::ZERO,
        wall: "2026-11-23T12:00:00Z".parse().unwrap(),
    }
}

fn car(response: &Json) -> Option<Vehicle> {
    let body = json!({ "response": response }).to_string();
    let data = vehicle_data(body.as_bytes(), now()).ok()?;
    Some(car_of(Vin::new(VIN).unwrap(), &data.observations))
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        Just(json!("<invalid>")),
        Just(json!(1e300)),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|members| Json::from(Map::from_iter(members))),
        ]
    })
}

/// One recording with one field of one object replaced.
fn mutated(response: &Json, group: usize, field: usize, value: Json) -> (Json, String) {
    let mut response = response.clone();
    let members = response.as_object_mut().unwrap();
    let groups: Vec<String> = members
        .iter()
        .filter(|(_, value)| value.is_object())
        .map(|(name, _)| name.clone())
        .collect();
    let group = &groups[group % groups.len()];
    let fields = members[group].as_object_mut().unwrap();
    let names: Vec<String> = fields.keys().cloned().collect();
    let Some(name) = names.get(field % names.len().max(1)) else {
        return (response, String::new());
    };
    fields.insert(name.clone(), value);
    let path = format!("{group}.{name}");
    (response, path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::ci::cases(200)))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = vehicle_data(&bytes, now());
    }

    #[test]
    fn any_json_is_read_or_refused(response in any_json(), charge in any_json()) {
        let _ = vehicle_data(response.to_string().as_bytes(), now());
        car(&json!({"state": response, "charge_state": charge}));
    }

    #[test]
    fn a_cut_or_torn_recording_is_an_error_or_a_car_but_no_panic(
        which in any::<usize>(), at in any::<usize>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let all = recordings("vehicle_data");
        if all.is_empty() { return Ok(()) }
        let mut body = all[which % all.len()].1.clone();
        let at = at % body.len();
        if cut { body.truncate(at) } else { body[at] = byte }
        let _ = vehicle_data(&body, now());
    }

    #[test]
    fn a_wrong_field_costs_at_most_the_rows_that_read_it(
        which in any::<usize>(), group in any::<usize>(), field in any::<usize>(), value in any_json(),
    ) {
        let all = recordings("vehicle_data");
        if all.is_empty() { return Ok(()) }
        let body: Json = serde_json::from_slice(&all[which % all.len()].1).unwrap();
        let (torn, path) = mutated(&body["response"], group, field, value);
        // The time stamp dates its whole object, and the configuration opens gates.
        prop_assume!(!path.ends_with(".timestamp"));
        let whole = said(&car(&body["response"]).unwrap());
        let torn = said(&car(&torn).unwrap());
        prop_assert_eq!(rows_that_differ(&whole, &torn, &path), Vec::<&str>::new(), "{}", path);
    }
}

#[test]
fn every_field_missing_in_turn_costs_at_most_its_rows() {
    let mut n_checked = 0;
    for (name, body) in recordings("vehicle_data") {
        let body: Json = serde_json::from_slice(&body).unwrap();
        let response = &body["response"];
        let whole = said(&car(response).unwrap());
        for (group, object) in response.as_object().unwrap() {
            let Some(object) = object.as_object() else {
                continue;
            };
            for field in object.keys().filter(|field| *field != "timestamp") {
                let path = format!("{group}.{field}");
                let mut less = response.clone();
                less[group].as_object_mut().unwrap().remove(field);
                let less = said(&car(&less).unwrap());
                let cost = rows_that_differ(&whole, &less, &path);
                assert_eq!(cost, Vec::<&str>::new(), "{name} without {path}");
                n_checked += 1;
            }
        }
    }
    println!("{n_checked} fields removed in turn");
}

fn said(car: &Vehicle) -> Vec<(&'static Entity, EntityValue)> {
    entities().map(|row| (row, row.read(car))).collect()
}

/// The rows that say something else now although they do not read the field.
fn rows_that_differ(
    whole: &[(&'static Entity, EntityValue)],
    torn: &[(&'static Entity, EntityValue)],
    path: &str,
) -> Vec<&'static str> {
    let inner = format!("{path}.");
    whole
        .iter()
        .zip(torn)
        .filter(|((_, before), (_, after))| before != after)
        .map(|((row, _), _)| row)
        .filter(|row| {
            let of = row.extractor.signals();
            let reads = of.iter().any(|of| *of == path || of.starts_with(&inner));
            // Half a position is none, so one coordinate costs the other.
            let is_position = path.ends_with("itude") && of.iter().any(|of| of.ends_with("itude"));
            !reads && !is_position
        })
        .map(|row| row.key)
        .collect()
}

#[test]
fn the_rows_of_a_body_of_nulls_are_unknown_or_at_rest() {
    let nulls = |fields: &[&str]| -> Json {
        fields
            .iter()
            .map(|field| ((*field).to_owned(), Json::Null))
            .collect()
    };
    let of_group = |group: &str| -> Vec<&'static str> {
        entities()
            .flat_map(|row| row.extractor.signals().to_vec())
            .filter_map(|path| path.strip_prefix(group)?.strip_prefix('.'))
            .filter(|field| !field.contains('.'))
            .collect()
    };
    let mut response = json!({"state": "online"});
    for group in [
        "charge_state",
        "climate_state",
        "drive_state",
        "vehicle_state",
        "vehicle_config",
    ] {
        response[group] = nulls(&of_group(group));
        // Something must be said, or the whole object counts as absent.
        response[group]["timestamp"] = json!(1_700_000_000_000_u64);
    }
    response["charge_state"]["charge_amps"] = json!(1);
    response["climate_state"]["max_avail_temp"] = json!(28);
    response["drive_state"]["native_type"] = json!("wgs");
    response["vehicle_state"]["api_version"] = json!(1);
    response["vehicle_config"]["key_version"] = json!(1);
    let car = car(&response).unwrap();
    // The deliberate exceptions: a car at rest says null for 0 and P.
    let at_rest = [
        "speed",
        "power",
        "shift_state",
        "parking_brake",
        "route",
        "active_route",
    ];
    let by_other_means = ["online", "state", "asleep", "model", "origin"];
    for row in entities().filter(|row| !matches!(row.extractor, Extractor::Nothing)) {
        let said = row.read(&car);
        let is_unknown = matches!(said, EntityValue::Unknown | EntityValue::Silent);
        let is_exempt = at_rest.contains(&row.key) || by_other_means.contains(&row.key);
        assert!(is_unknown || is_exempt, "{}: {said:?}", row.key);
    }
}
