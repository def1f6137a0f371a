//! Quirk 16: the end of a route.

use pretty_assertions::assert_eq;
use serde_json::{Value as Json, json};

use super::{car, check, say};

#[test]
fn quirk_16_a_route_ends_when_its_keys_vanish() {
    let under_way = json!({"drive_state": {"active_route_destination": "Home", "active_route_miles_to_arrival": 19.8,
        "active_route_minutes_to_arrival": 34.13, "active_route_energy_at_arrival": -3, "active_route_latitude": 52.4,
        "active_route_longitude": 4.8, "active_route_traffic_minutes_delay": 2.4, "shift_state": "D"}});
    check(
        under_way.clone(),
        &[
            ("destination", "Home"),
            ("distance_to_arrival", "19.8"),
            ("energy_at_arrival", "-3"),
            ("traffic_delay", "2.4"),
            ("time_to_arrival", "2026-11-23T12:34:07Z"),
        ],
    );
    // These three outlive a route, or are there without one.
    let ended = json!({"drive_state": {"active_route_latitude": 52.4, "active_route_longitude": 4.8,
        "active_route_traffic_minutes_delay": 0.0, "shift_state": null, "power": 0}});
    let car = car(&[under_way, ended]);
    for key in [
        "destination",
        "distance_to_arrival",
        "energy_at_arrival",
        "traffic_delay",
        "time_to_arrival",
    ] {
        assert_eq!(say(&car, key), "None", "{key}");
    }
    assert_eq!(say(&car, "route"), "(silence)", "no position either");
    assert_eq!(
        say(&car, "active_route"),
        r#"{"error":"No active route available"}"#
    );
}

#[test]
fn quirk_16_without_a_route_its_end_is_where_the_car_is() {
    let ended = json!({"drive_state": {"active_route_latitude": 52.4, "active_route_longitude": 4.8,
        "latitude": 52.1, "longitude": 5.1, "shift_state": "P"}});
    let expected = r#"{"active":false,"gps_accuracy":0,"latitude":52.1,"longitude":5.1}"#;
    check(ended, &[("route", expected)]);
}

#[test]
fn quirk_16_a_parked_car_that_still_tells_the_last_yards_of_its_route_has_none() {
    let route = |gear: Json, miles: f64, minutes: f64| {
        json!({"drive_state": {"active_route_destination": "Home", "active_route_miles_to_arrival": miles,
            "active_route_minutes_to_arrival": minutes, "shift_state": gear, "power": 0}})
    };
    let distance =
        |answer: Json, expected: &str| check(answer, &[("distance_to_arrival", expected)]);
    // As recorded from a car at home.
    let arrived = route(json!(null), 0.039_491, 0.103_577);
    check(
        arrived.clone(),
        &[
            ("destination", "None"),
            ("time_to_arrival", "None"),
            ("active_route", r#"{"error":"No active route available"}"#),
        ],
    );
    distance(arrived, "None");
    distance(route(json!("P"), 0.3, 0.9), "None");
    distance(route(json!("P"), 0.09, 2.0), "None");
    // About to arrive, and parked on the way.
    distance(route(json!("D"), 0.039_491, 0.103_577), "0.04");
    distance(route(json!("P"), 12.0, 20.0), "12");
}
