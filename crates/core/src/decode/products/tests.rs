use pretty_assertions::assert_eq;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const VIN: &str = "5YJ3E1EA7KF000001";

fn recording(name: &str) -> Option<Vec<u8>> {
    let path = tesla2mqtt_testkit::ci::fixtures()
        .join("tesla-api")
        .join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        tesla2mqtt_testkit::ci::skip(&format!("no recording at {}", path.display()));
    }
    bytes
}

fn page(body: &Json) -> ProductPage {
    products(body.to_string().as_bytes()).unwrap()
}

/// VIN, id, vehicle_id, state, command_signing, whether the configuration is inline.
type ProductRow<'a> = (&'a str, u64, u64, LightState, &'a str, bool);

#[test]
fn every_recorded_list_is_read_whole() {
    use LightState::{Asleep, Online};
    let table: &[(&str, &[ProductRow], &[u64])] = &[
        (
            "products-model3-online-battery-site.json",
            &[(
                "LRW3F7EK0PC000001",
                1_492_930_000_000_001,
                1_000_000_001,
                Online,
                "required",
                true,
            )],
            &[2_240_000_000_000_001],
        ),
        (
            "products-two-models-asleep-unsigned.json",
            &[
                (
                    "5YJSA2DN0DF000002",
                    1_492_930_000_000_002,
                    415_000_001,
                    Asleep,
                    "off",
                    false,
                ),
                (
                    "5YJSA7H40FF000003",
                    1_492_930_000_000_003,
                    1_320_000_002,
                    Asleep,
                    "off",
                    false,
                ),
            ],
            &[],
        ),
        (
            "products-modely-eu-command-signing-required.json",
            &[(
                "XP7YGCES0PB000004",
                1_492_930_000_000_004,
                1_000_000_003,
                Online,
                "required",
                true,
            )],
            &[12_345_678_901_234],
        ),
        (
            "products-asleep-plus-battery-plus-empty-site.json",
            &[("LRW3F7EK4NC700000", 1234, 1234, Asleep, "allowed", true)],
            &[123_456, 98_765],
        ),
    ];
    for (name, cars, sites) in table {
        let Some(body) = recording(name) else {
            continue;
        };
        let page = products(&body).unwrap();
        let seen: Vec<ProductRow> = page
            .vehicles
            .iter()
            .map(|v| {
                (
                    v.vin.as_str(),
                    v.id.unwrap().0,
                    v.stream_id.unwrap().0,
                    v.state,
                    v.command_signing.as_deref().unwrap(),
                    v.vehicle_config.is_some(),
                )
            })
            .collect();
        assert_eq!(seen, *cars, "{name}");
        let seen: Vec<u64> = page.energy_sites.iter().map(|s| s.energy_site_id).collect();
        assert_eq!(seen, *sites, "{name}");
        assert_eq!((page.n_unusable, page.next_page), (0, None), "{name}");
    }
}

#[test]
fn quirk_1_ids_beyond_what_a_float_holds_stay_exact() {
    let page = page(&json!({"response": [
        {"vin": VIN, "id": 9_223_372_036_854_775_807_u64, "vehicle_id": 9_007_199_254_740_993_u64},
        {"vin": VIN, "id": 1, "id_s": "18446744073709551615"},
        {"vin": VIN, "id": 1.5e18, "id_s": ""},
        {"vin": VIN, "id": "77"},
        {"vin": VIN},
    ]}));
    let ids: Vec<Option<u64>> = page.vehicles.iter().map(|v| v.id.map(|id| id.0)).collect();
    let expected = [Some(i64::MAX as u64), Some(u64::MAX), None, Some(77), None];
    assert_eq!(ids, expected);
    assert_eq!(
        page.vehicles[0].stream_id,
        Some(StreamId(9_007_199_254_740_993))
    );
}

#[test]
fn quirk_24_each_car_of_a_list_has_its_own_need_of_signing() {
    let page = page(&json!({"response": [
        {"vin": VIN, "command_signing": "required"},
        {"vin": "5YJSA7H40FF000003", "command_signing": "off"},
        {"vin": "XP7YGCES0PB000004"},
    ]}));
    let seen: Vec<_> = page
        .vehicles
        .iter()
        .map(|v| v.command_signing.as_deref())
        .collect();
    assert_eq!(seen, [Some("required"), Some("off"), None]);
}

#[test]
fn quirk_19_service_and_access_are_told_by_the_list() {
    let page = page(&json!({"response": [
        {"vin": VIN, "state": "online", "in_service": true, "access_type": "DRIVER", "mobile_access_disabled": true},
        {"vin": VIN, "state": "online", "in_service": null},
    ]}));
    let [odd, plain] = &page.vehicles[..] else {
        panic!("{page:?}");
    };
    assert!(odd.in_service && odd.light().in_service);
    assert_eq!(odd.access_type.as_deref(), Some("DRIVER"));
    assert_eq!(odd.mobile_access_disabled, Some(true));
    assert!(!plain.in_service && plain.mobile_access_disabled.is_none());
}

#[test]
fn an_entry_that_is_nothing_costs_only_itself() {
    let page = page(&json!({"response": [
        {}, null, 7, "x", [], {"vin": "short"}, {"vin": 5}, {"energy_site_id": "no"},
        {"vin": null, "energy_site_id": "12"},
        {"vin": VIN.to_lowercase(), "state": 3, "in_service": "yes", "id": {}, "display_name": " ",
         "vehicle_config": [], "api_version": "new", "tokens": 1},
    ], "count": "many", "pagination": 5}));
    assert_eq!((page.n_unusable, page.n_others), (7, 1));
    assert_eq!(page.energy_sites[0].energy_site_id, 12);
    let car = &page.vehicles[0];
    assert_eq!(
        (car.vin.as_str(), car.state, car.in_service),
        (VIN, LightState::Unknown, false)
    );
    assert_eq!((&car.display_name, &car.vehicle_config), (&None, &None));
}

#[test]
fn paging_only_leads_forward() {
    let check = |pagination: Json, expected: Option<u64>| {
        let body = json!({"response": [], "pagination": pagination});
        assert_eq!(page(&body).next_page, expected, "{body}");
    };
    check(
        json!({"previous": null, "next": 2, "current": 1, "pages": 2}),
        Some(2),
    );
    check(json!({"previous": 1, "next": null, "current": 2}), None);
    check(json!({"next": 3}), Some(3));
    check(json!({"next": 2, "current": 2}), None);
    check(json!({"next": 1, "current": 2}), None);
    check(json!({"next": "/api/1/products?page=2"}), None);
    check(json!(null), None);
}

#[test]
fn a_body_that_is_no_list_is_an_error() {
    for body in [
        "",
        "{}",
        "[",
        "<html>",
        r#"{"response":{"vin":1}}"#,
        r#"{"response":true}"#,
    ] {
        let seen = products(body.as_bytes());
        assert!(
            matches!(seen, Err(DecodeError::Malformed(_))),
            "{body}: {seen:?}"
        );
    }
    for body in [r#"{"response":null}"#, r#"{"response":[],"error":"x"}"#] {
        let seen = products(body.as_bytes());
        assert!(
            matches!(seen, Err(DecodeError::Refused(_))),
            "{body}: {seen:?}"
        );
    }
    assert_eq!(
        products(b"[]").unwrap(),
        ProductPage::default(),
        "bare list of a reseller"
    );
}

#[test]
fn the_light_answer_is_about_the_car_that_was_asked_for() {
    let asked = Vin::new(VIN).unwrap();
    let read = |body: Json| light(body.to_string().as_bytes(), &asked, None);
    let states = [
        (json!("online"), LightState::Online),
        (json!("asleep"), LightState::Asleep),
        (json!("offline"), LightState::Offline),
        (json!("waking"), LightState::Unknown),
        (json!(null), LightState::Unknown),
    ];
    for (word, expected) in states {
        let car =
            read(json!({"response": {"vin": VIN, "state": word, "in_service": true}})).unwrap();
        assert_eq!(
            car.light(),
            Light {
                state: expected,
                in_service: true
            }
        );
    }
    assert_eq!(
        read(json!({"state": "online"})).unwrap().state,
        LightState::Online
    );
    let other = read(json!({"response": {"vin": "5YJ3E1EA7KF000002", "state": "online"}}));
    let text = other.unwrap_err().to_string();
    assert!(text.contains("5YJ…000001") && !text.contains(VIN), "{text}");
    assert!(read(json!({})).is_err());
    assert!(read(json!({"response": true})).is_err());
}

#[test]
fn a_listed_car_becomes_observations_with_the_configuration_at_its_own_time() {
    let arrived_at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let cases = [
        (json!(1_705_701_487_912_i64), "2024-01-19T21:58:07.912Z"),
        (json!(1), "2026-01-02T03:04:05Z"),
        (json!(null), "2026-01-02T03:04:05Z"),
        (json!(4_000_000_000_000_i64), "2026-01-02T03:04:05Z"),
    ];
    for (stamp, expected) in cases {
        let page = page(&json!({"response": [{
            "vin": VIN, "state": "asleep", "display_name": "", "access_type": "OWNER",
            "vehicle_config": {"timestamp": stamp, "car_type": "model3", "seat_type": null, "x": {}},
        }]}));
        let seen = page.vehicles[0].observations(Source::Light, arrived_at);
        let mut car = crate::model::Vehicle::new(Vin::new(VIN).unwrap());
        for one in &seen {
            car.apply(one);
        }
        assert_eq!(car.text("state"), Some("asleep"));
        assert_eq!(car.truth("in_service"), Some(false));
        assert_eq!(car.text("access_type"), Some("OWNER"));
        assert!(car.known("display_name").is_none());
        assert!(car.known("vehicle_config.x").is_none());
        let known = car.known("vehicle_config.car_type").unwrap();
        assert_eq!(known.at, expected.parse().unwrap());
        assert_eq!(car.known("state").unwrap().at, arrived_at);
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,20}".prop_map(Json::from),
        Just(json!(VIN)),
    ];
    let key = prop_oneof![
        4 => prop::sample::select(vec![
            "response", "error", "vin", "id", "id_s", "vehicle_id", "state", "energy_site_id",
            "vehicle_config", "timestamp", "pagination", "next", "current", "in_service",
        ]).prop_map(str::to_owned),
        1 => ".{0,8}",
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map(key.clone(), inner, 0..8)
                .prop_map(|m| Json::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = products(&body);
        let _ = light(&body, &Vin::new(VIN).unwrap(), None);
    }

    #[test]
    fn any_json_is_read_or_refused_and_every_entry_is_accounted_for(body in any_json()) {
        let arrived_at = Timestamp::UNIX_EPOCH;
        if let Ok(page) = products(body.to_string().as_bytes()) {
            let entries = body.get("response").unwrap_or(&body).as_array().unwrap().len();
            prop_assert_eq!(entries, page.vehicles.len() + page.energy_sites.len() + page.n_unusable + page.n_others);
            for car in &page.vehicles {
                for seen in car.observations(Source::Light, arrived_at) {
                    prop_assert!(seen.at <= arrived_at);
                }
            }
        }
        let _ = light(body.to_string().as_bytes(), &Vin::new(VIN).unwrap(), None);
    }
}
