//! A car's values as topics, look by look.

mod declared;
mod places;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use pretty_assertions::assert_eq;
use serde_json::Value as Json;

use serde_json::json;

use super::*;
use crate::compat::teslamate::TeslaMateTopics;
use crate::model::{Now, Observation, Signal, Source, Value, Vin};

const VIN: &str = "5YJ3E7EB0KF000005";

struct TopicsRig {
    car: Vehicle,
    topics: CarTopics,
    at: Timestamp,
}

impl TopicsRig {
    fn new() -> Self {
        let vin = Vin::new(VIN).unwrap();
        let paths = Paths::new("tesla2mqtt", &DeviceId::from(&vin), None);
        Self {
            car: Vehicle::new(vin),
            topics: CarTopics::new(paths),
            at: "2026-11-23T12:00:00Z".parse().unwrap(),
        }
    }

    fn later(&mut self, seconds: u64) {
        self.at += Duration::from_secs(seconds);
    }

    fn set_clock_back(&mut self, seconds: u64) {
        self.at -= Duration::from_secs(seconds);
    }

    fn now(&self) -> Now {
        Now {
            mono: Duration::ZERO,
            wall: self.at,
        }
    }

    fn of_teslamate(&self, tree: &mut TeslaMateTopics) -> Vec<(String, String)> {
        let states = tree.changes(&self.car, self.now()).into_iter();
        states
            .filter_map(|change| match change {
                Publish::State { topic, payload } => Some((topic, payload.to_string())),
                _ => None,
            })
            .collect()
    }

    /// The bridge's file read again.
    fn restart(&mut self) {
        let kept = serde_json::to_string(&self.car).unwrap();
        self.car = serde_json::from_str(&kept).unwrap();
        self.topics = CarTopics::new(self.topics.paths().clone());
        self.news();
    }

    fn see(&mut self, source: Source, signals: &[(&str, Option<Value>)]) -> Vec<(String, String)> {
        self.car.apply(&Observation {
            source,
            at: self.at,
            whole_groups: Vec::new(),
            signals: signals
                .iter()
                .map(|(path, value)| (Signal::new(path), value.clone()))
                .collect(),
        });
        self.news()
    }

    fn news(&mut self) -> Vec<(String, String)> {
        let short = |topic: String| topic.trim_start_matches("tesla2mqtt/").to_owned();
        let mut messages = Vec::new();
        for table in catalogue::TABLES {
            messages.extend(self.topics.values(table, &self.car));
        }
        messages.extend(self.topics.snapshot(&self.car));
        let messages = messages.into_iter();
        messages
            .map(|message| match message {
                Publish::State { topic, payload } => (short(topic), payload.to_string()),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn declared(&self, announced: &Announced) -> BTreeSet<String> {
        let has_answered = self.car.has_answered();
        self.topics.declared(&self.car, has_answered, announced)
    }

    fn keys(news: &[(String, String)]) -> Vec<&str> {
        news.iter()
            .map(|(topic, _)| topic.rsplit('/').next().unwrap())
            .collect()
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "null stands beside it in the tables"
)]
fn int(n: i64) -> Option<Value> {
    Some(Value::Int(n))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "null stands beside it in the tables"
)]
fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.into()))
}

#[test]
fn nothing_is_said_about_what_was_never_heard_of() {
    let mut rig = TopicsRig::new();
    assert_eq!(rig.news(), []);
    let news = rig.see(Source::Light, &[("state", text("asleep"))]);
    assert_eq!(
        TopicsRig::keys(&news),
        ["online", "state", "asleep", "model", "snapshot"]
    );
}

#[test]
fn a_value_is_said_once_and_again_only_when_it_changes() {
    let mut rig = TopicsRig::new();
    let news = rig.see(
        Source::Data,
        &[("vehicle_state.odometer", Some(Value::Float(100.004)))],
    );
    assert!(news.contains(&(format!("{VIN}/odometer"), "100".into())));
    rig.later(60);
    let news = rig.see(
        Source::Data,
        &[("vehicle_state.odometer", Some(Value::Float(100.0)))],
    );
    assert_eq!(news, [], "rounds to the same");
    let news = rig.see(Source::Data, &[("vehicle_state.odometer", int(101))]);
    assert_eq!(TopicsRig::keys(&news), ["odometer", "snapshot"]);
}

#[test]
fn a_poll_in_which_nothing_changed_says_nothing_but_the_age() {
    let mut rig = TopicsRig::new();
    let looks = |n: i64| {
        [
            ("bridge.last_update", int(n)),
            ("charge_state.battery_level", int(72)),
        ]
    };
    rig.see(Source::Bridge, &looks(1_700_000_000));
    rig.later(60);
    let news = rig.see(Source::Bridge, &looks(1_700_000_060));
    assert_eq!(
        news,
        [(format!("{VIN}/last_update"), "2023-11-14T22:14:20Z".into())]
    );
}

#[test]
fn topics_do_not_freeze_when_the_clock_is_set_back_nor_after_a_start_with_a_late_clock() {
    const HOURS: u64 = 7 * 3600;
    for is_restarted in [false, true] {
        let mut rig = TopicsRig::new();
        rig.see(
            Source::Bridge,
            &[
                ("bridge.state", text("online")),
                ("bridge.state_since", int(1_795_608_000)),
                ("bridge.data_calls_today", int(7)),
            ],
        );
        rig.see(Source::Light, &[("state", text("online"))]);
        rig.see(Source::Data, &[("charge_state.battery_level", int(70))]);
        rig.set_clock_back(HOURS);
        if is_restarted {
            rig.restart();
        }
        rig.car.not_after(rig.now());
        let mut news = rig.see(Source::Data, &[("charge_state.battery_level", int(69))]);
        news.extend(rig.see(Source::Light, &[("state", text("asleep"))]));
        news.extend(rig.see(
            Source::Bridge,
            &[
                ("bridge.state", text("asleep")),
                ("bridge.state_since", int(1_795_582_801)),
                ("bridge.data_calls_today", int(0)),
            ],
        ));
        news.extend(rig.of_teslamate(&mut TeslaMateTopics::new(1, None)));
        for (key, payload) in [
            ("battery_level", "69"),
            ("online", "off"),
            ("asleep", "on"),
            ("state", "asleep"),
            ("state_since", "2026-11-25T05:00:01Z"),
            ("data_calls_today", "0"),
        ] {
            let expected = (format!("{VIN}/{key}"), payload.to_owned());
            assert!(news.contains(&expected), "{expected:?} in {news:?}");
        }
        let expected = ("teslamate/cars/1/state".to_owned(), "asleep".to_owned());
        assert!(news.contains(&expected), "{news:?}");
    }
}

#[test]
fn a_car_that_fell_out_of_reach_in_gear_and_is_asleep_does_not_drive_on() {
    let mut rig = TopicsRig::new();
    let driving = [
        ("drive_state.shift_state", text("D")),
        ("drive_state.speed", int(43)),
        ("drive_state.power", int(21)),
        ("drive_state.latitude", int(52)),
        ("drive_state.longitude", int(5)),
        ("drive_state.active_route_destination", text("Home")),
        ("drive_state.active_route_miles_to_arrival", int(9)),
        ("drive_state.active_route_minutes_to_arrival", int(12)),
        ("drive_state.timestamp", int(1_795_608_000_000)),
    ];
    rig.see(Source::Data, &driving);
    let mut tree = TeslaMateTopics::new(1, None);
    tree.changes(&rig.car, rig.now());
    let end = rig.car.end_of_drive().unwrap();
    assert!(rig.car.apply(&end));
    assert_eq!(rig.car.end_of_drive(), None);
    let mut news = rig.news();
    news.retain(|(topic, _)| !topic.ends_with("/snapshot"));
    news.extend(rig.of_teslamate(&mut tree));
    let said: BTreeMap<&str, &str> = news
        .iter()
        .map(|(topic, payload)| (topic.as_str(), payload.as_str()))
        .collect();
    let no_route = r#"{"error":"No active route available"}"#;
    for (key, payload) in [
        ("speed", "0"),
        ("power", "0"),
        ("shift_state", "p"),
        ("parking_brake", "on"),
        ("active_route", no_route),
        ("destination", "None"),
        ("distance_to_arrival", "None"),
        ("time_to_arrival", "None"),
    ] {
        assert_eq!(said.get(&*format!("{VIN}/{key}")), Some(&payload), "{key}");
    }
    assert!(said[&*format!("{VIN}/route")].contains(r#""active":false"#));
    let location = said[&*format!("{VIN}/location")];
    assert!(location.contains(r#""latitude":52,"#), "{location}");
    for (key, payload) in [
        ("speed", "0"),
        ("power", "0"),
        ("shift_state", "P"),
        ("active_route", no_route),
        ("active_route_destination", "nil"),
    ] {
        let topic = format!("teslamate/cars/1/{key}");
        assert_eq!(said.get(&*topic), Some(&payload), "{key}");
    }
    // Back in reach it may well drive on.
    rig.later(1);
    let news = rig.see(Source::Data, &driving);
    assert!(news.contains(&(format!("{VIN}/speed"), "43".into())));
}

#[test]
fn the_finish_of_a_charge_moves_only_by_more_than_its_jitter() {
    let mut rig = TopicsRig::new();
    let charging = |minutes: i64| {
        [
            ("charge_state.charging_state", text("Charging")),
            ("charge_state.minutes_to_full_charge", int(minutes)),
        ]
    };
    let news = rig.see(Source::Data, &charging(60));
    assert!(news.contains(&(
        format!("{VIN}/time_to_full_charge"),
        "2026-11-23T13:00:00Z".into()
    )));
    // A minute later, a minute less; then two minutes more than expected, then ten.
    for (minutes, moves) in [(59, false), (60, false), (67, true)] {
        rig.later(60);
        let news = rig.see(Source::Data, &charging(minutes));
        assert_eq!(
            TopicsRig::keys(&news).contains(&"time_to_full_charge"),
            moves,
            "{minutes}"
        );
    }
    rig.later(60);
    let news = rig.see(
        Source::Data,
        &[("charge_state.charging_state", text("Complete"))],
    );
    assert!(news.contains(&(format!("{VIN}/time_to_full_charge"), "None".into())));
}

#[test]
fn what_becomes_unknown_is_said_as_none_and_never_as_nothing() {
    let mut rig = TopicsRig::new();
    rig.see(
        Source::Data,
        &[("climate_state.inside_temp", Some(Value::Float(20.5)))],
    );
    rig.later(1);
    let news = rig.see(Source::Data, &[("climate_state.inside_temp", None)]);
    assert!(news.contains(&(format!("{VIN}/inside_temp"), "None".into())));
    assert!(news.iter().all(|(_, payload)| !payload.is_empty()));
}

#[test]
fn half_a_position_is_not_published() {
    let mut rig = TopicsRig::new();
    let news = rig.see(
        Source::Data,
        &[("drive_state.latitude", Some(Value::Float(52.0)))],
    );
    assert!(!TopicsRig::keys(&news).contains(&"location"));
    let news = rig.see(
        Source::Data,
        &[
            ("drive_state.longitude", int(5)),
            ("drive_state.heading", int(90)),
        ],
    );
    let location = news
        .iter()
        .find(|(topic, _)| topic.ends_with("/location"))
        .unwrap();
    assert_eq!(
        location.1,
        r#"{"gps_accuracy":0,"gps_as_of":null,"heading":90,"latitude":52,"longitude":5,"speed":0}"#
    );
    rig.later(1);
    let news = rig.see(
        Source::Data,
        &[("drive_state.latitude", Some(Value::Float(520.0)))],
    );
    assert!(!TopicsRig::keys(&news).contains(&"location"));
}

#[test]
fn a_place_that_is_only_newer_is_not_said_again() {
    let mut rig = TopicsRig::new();
    let place = |second: i64, longitude: i64| {
        [
            ("drive_state.latitude", int(52)),
            ("drive_state.longitude", int(longitude)),
            ("drive_state.gps_as_of", int(second)),
        ]
    };
    rig.see(Source::Data, &place(1_700_000_000, 5));
    rig.later(60);
    assert_eq!(rig.see(Source::Data, &place(1_700_000_060, 5)), []);
    rig.later(60);
    let news = rig.see(Source::Data, &place(1_700_000_120, 6));
    let (_, location) = news
        .iter()
        .find(|(topic, _)| topic.ends_with("/location"))
        .unwrap();
    assert!(location.contains("2023-11-14T22:15:20Z"), "{location}");
}

#[test]
fn the_snapshot_holds_every_known_value_with_its_time_and_source() {
    let mut rig = TopicsRig::new();
    let news = rig.see(
        Source::Data,
        &[
            ("charge_state.battery_level", int(72)),
            ("charge_state.charging_state", text("Complete")),
            ("charge_state.est_battery_range", None),
        ],
    );
    let (_, payload) = news.last().unwrap();
    let snapshot: Json = serde_json::from_str(payload).unwrap();
    assert_eq!(snapshot["vin"], json!(VIN));
    let expected = json!({"value": 72, "at": "2026-11-23T12:00:00Z", "source": "data"});
    assert_eq!(snapshot["values"]["battery_level"], expected);
    assert_eq!(
        snapshot["values"]["charging_state"]["value"],
        json!("complete")
    );
    assert_eq!(snapshot["values"].get("est_battery_range"), None);
}

#[test]
fn the_snapshot_never_contradicts_a_topic() {
    let mut rig = TopicsRig::new();
    let look = |n: i64, level: i64| {
        [
            ("bridge.state", text("online")),
            ("bridge.last_update", int(1_700_000_000 + n)),
            ("bridge.next_poll", int(1_700_000_600 + n)),
            ("bridge.awake_today", int(n)),
            ("bridge.light_calls_today", int(n)),
            ("bridge.data_calls_today", int(n)),
            ("charge_state.battery_level", int(level)),
            ("drive_state.latitude", int(52)),
            ("drive_state.longitude", int(5)),
            ("drive_state.gps_as_of", int(1_700_000_000 + n)),
        ]
    };
    let mut retained = BTreeMap::new();
    for (n, level) in [(0, 72), (60, 72), (120, 71), (180, 71)] {
        rig.later(60);
        retained.extend(rig.see(Source::Bridge, &look(n, level)));
        let snapshot = &retained[&format!("{VIN}/snapshot")];
        let snapshot: Json = serde_json::from_str(snapshot).unwrap();
        let values = snapshot["values"].as_object().unwrap();
        assert!(values.contains_key("battery_level") && values.contains_key("location"));
        for (key, entry) in values {
            let said = &retained[&format!("{VIN}/{key}")];
            let value = match &entry["value"] {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(&value, said, "{key} after {n} seconds");
        }
    }
}

#[test]
fn an_unlisted_word_is_unknown_and_reported_once() {
    let mut rig = TopicsRig::new();
    let news = rig.see(
        Source::Data,
        &[("charge_state.charging_state", text("Pondering"))],
    );
    assert!(news.contains(&(format!("{VIN}/charging_state"), "None".into())));
    assert_eq!(rig.topics.oddities(), ["charging_state: Pondering"]);
    rig.later(1);
    rig.see(
        Source::Data,
        &[("charge_state.charging_state", text("Charging"))],
    );
    rig.later(1);
    rig.see(
        Source::Data,
        &[("charge_state.charging_state", text("Pondering"))],
    );
    assert_eq!(rig.topics.oddities(), Vec::<String>::new());
}

#[test]
fn availability_is_said_when_it_changes() {
    let mut rig = TopicsRig::new();
    let said = |message: Option<Publish>| match message {
        Some(Publish::State { topic, payload }) => Some((topic, payload.to_string())),
        _ => None,
    };
    let topic = format!("tesla2mqtt/{VIN}/availability");
    assert_eq!(
        said(rig.topics.available(true)),
        Some((topic.clone(), "online".into()))
    );
    assert_eq!(said(rig.topics.available(true)), None);
    assert_eq!(
        said(rig.topics.available(false)),
        Some((topic, "offline".into()))
    );
}
