//! Where things are published, and what the bridge and an account have.

use pretty_assertions::assert_eq;

use super::*;

#[test]
fn an_alias_stands_in_the_place_of_the_vin() {
    let vin = Vin::new(VIN).unwrap();
    let paths = Paths::new("home/cars", &DeviceId::from(&vin), Some("rakete"));
    assert_eq!(paths.of("speed"), "home/cars/rakete/speed");
    assert_eq!(paths.set("charge"), "home/cars/rakete/charge/set");
    assert_eq!(paths.bridge_state(), "home/cars/bridge/state");
}

#[test]
fn the_bridge_has_topics_of_its_own() {
    let facts = BridgeFacts {
        version: "0.1.0".into(),
        started_at: "2026-11-23T12:00:00.5Z".parse().unwrap(),
        n_cars: 2,
        last_error: None,
    };
    let said: Vec<_> = bridge("tesla2mqtt", &facts)
        .map(|(topic, _, value)| format!("{topic} {}", value.payload().unwrap()))
        .collect();
    assert_eq!(
        said,
        [
            "tesla2mqtt/bridge/version 0.1.0",
            "tesla2mqtt/bridge/started_at 2026-11-23T12:00:00Z",
            "tesla2mqtt/bridge/cars 2",
            "tesla2mqtt/bridge/last_error none",
        ]
    );
}

#[test]
fn an_account_has_topics_of_its_own_and_leaves_none_behind() {
    let now = crate::model::Now {
        mono: std::time::Duration::ZERO,
        wall: "2026-11-16T00:00:00Z".parse().unwrap(),
    };
    let config = crate::policy::GovernorConfig::metered();
    let mut governor = crate::policy::Governor::new(config, now);
    for _ in 0..7 {
        governor.permit(
            now,
            crate::policy::CallClass::Data,
            crate::policy::Purpose::Parked,
        );
        governor.billed(now, crate::policy::CallClass::Data, Some(200));
    }
    let base = "tesla2mqtt/bridge/accounts/home";
    let said: Vec<_> = account("tesla2mqtt", "home", &governor.status(now))
        .map(|(topic, _, value)| {
            let key = topic.strip_prefix(base).unwrap();
            format!("{key} {}", value.payload().unwrap())
        })
        .collect();
    assert_eq!(
        said,
        [
            "/data_calls 7",
            "/light_calls 0",
            "/commands 0",
            "/wakes 0",
            "/dollars 0.01",
            "/dollars_projected 0.03",
            "/dollars_limit 10",
            "/data_calls_limit None",
            "/budget_factor 1",
        ]
    );
    let every: Vec<String> = every_topic_of_account("tesla2mqtt", "home").collect();
    let said = said.iter().filter_map(|said| said.split_once(' '));
    let said: Vec<String> = said.map(|(key, _)| format!("{base}{key}")).collect();
    assert_eq!(every, said);
}
