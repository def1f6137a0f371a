//! Scenarios 11 to 15: what keeps a parked car awake, and what does not.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tesla2mqtt::decode::vehicle_data::vehicle_data;
use tesla2mqtt::model::{CarRecord, Now, Observation, SoftwareUpdate, UpdateStatus};
use tesla2mqtt::policy::{Ask, ClassSetting, HoldReason, PolicyConfig, Preset, State};
use tesla2mqtt::sim::body::{self, Endpoints, Ids};
use tesla2mqtt::sim::{Car, CarSpec, Plan};

use super::guarantees::check;
use super::parking::{PARKED_AT, metered, one_drive};
use super::rig::{HOUR, Happening, MINUTE, Rig, SECOND, VIN, drive, held, hold, life, spec};

/// Every value that holds, each with nothing beside it.
type OneHold = (HoldReason, fn(&mut CarRecord));

const HOLDS: [OneHold; 12] = [
    (HoldReason::Power, |view| view.power_kw = Some(1.0)),
    (HoldReason::Downloading, |view| {
        view.update = Some(SoftwareUpdate {
            status: UpdateStatus::Downloading,
            version: None,
            download_percent: Some(50.0),
            install_percent: None,
        });
    }),
    (HoldReason::UserPresent, |view| view.user_present = true),
    (HoldReason::SentryMode, |view| view.sentry_mode = true),
    (HoldReason::Preconditioning, |view| {
        view.preconditioning = true;
    }),
    (HoldReason::Climate, |view| view.climate_on = true),
    (HoldReason::ClimateKeeper, |view| keeper(view, "on")),
    (HoldReason::ClimateKeeper, |view| keeper(view, "dog")),
    (HoldReason::ClimateKeeper, |view| keeper(view, "camp")),
    (HoldReason::CabinOverheat, |view| {
        view.cabin_overheat_cooling = true;
    }),
    (HoldReason::DoorOpen, |view| view.door_open = true),
    (HoldReason::TrunkOpen, |view| view.trunk_open = true),
];

fn keeper(view: &mut CarRecord, mode: &str) {
    view.climate_keeper_mode = Some(mode.to_owned());
}

/// 11
///
/// Given a held car with each hold alone; when 2 h pass: never Quiet, the reason published, data
/// each 120 s, with sentry mode each 300 s.
#[test]
fn a_held_car_is_never_left_alone_while_something_keeps_it_awake() {
    let until = PARKED_AT + 2 * HOUR;
    for (reason, set) in HOLDS {
        let mut rig = metered(ClassSetting::Held, held(one_drive()));
        rig.shows(move |at, view| {
            if (PARKED_AT..until).contains(&at) {
                set(view);
            }
        });
        rig.run_until(until);
        assert_eq!(rig.status().holds, [reason]);
        assert_eq!(
            rig.entered(State::Quiet, Duration::ZERO),
            None,
            "{reason:?}"
        );
        let interval = if reason == HoldReason::SentryMode {
            300 * SECOND
        } else {
            120 * SECOND
        };
        let asks = rig.asks_from(PARKED_AT + 10 * MINUTE, Ask::Data);
        assert!(asks.len() > 20, "{reason:?}: {}", asks.len());
        for pair in asks.windows(2) {
            let gap = pair[1] - pair[0];
            assert!(
                gap.abs_diff(interval) <= interval / 20,
                "{reason:?}: {gap:?}"
            );
        }
        rig.run_for(HOUR);
        check(&rig);
        assert_eq!(rig.state(), State::Asleep, "{reason:?}\n{}", rig.story());
    }
}

/// 12
///
/// Given a held car; when its hold clears: Quiet `settle` later.
#[test]
fn a_hold_that_clears_starts_the_countdown_to_quiet() {
    let mut rig = metered(
        ClassSetting::Held,
        held(life(&[(10, hold(HoldReason::SentryMode, 60))])),
    );
    rig.run_for(2 * HOUR);
    check(&rig);
    let clear = rig.trace.iter().find_map(|line| match &line.what {
        Happening::Served(view) if line.at > 11 * MINUTE && !view.sentry_mode => Some(line.at),
        _ => None,
    });
    let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("quiet");
    let settled = quiet - clear.expect("seen clear");
    assert!(settled.abs_diff(180 * SECOND) <= SECOND, "{settled:?}");
}

/// 13
///
/// Given a car in Quiet; when a push says that someone sits in it: Idle, no Quiet until they have
/// left.
#[test]
fn someone_in_the_car_ends_quiet_until_they_have_left() {
    let present = (38, hold(HoldReason::UserPresent, 30));
    let mut rig = metered(ClassSetting::Held, held(life(&[(10, drive(20)), present])));
    rig.run_until(38 * MINUTE);
    assert_eq!(rig.state(), State::Quiet);
    rig.push(|push| push.user_present = Some(true));
    assert_eq!(rig.state(), State::Idle);
    let status = rig.status();
    assert_eq!(status.holds, [HoldReason::UserPresent]);
    rig.run_until(68 * MINUTE);
    assert_eq!(rig.entered(State::Quiet, 38 * MINUTE), None);
    rig.push(|push| push.user_present = Some(false));
    rig.run_until(80 * MINUTE);
    check(&rig);
    assert!(rig.entered(State::Quiet, 68 * MINUTE).is_some());
}

/// Each field by which something can hold the car awake, and a value of the wrong kind for it.
fn mistyped_holds() -> Vec<(&'static str, &'static str, Value)> {
    let nonsense = || json!({ "on": "yes" });
    vec![
        ("drive_state", "power", json!("a lot")),
        ("drive_state", "shift_state", json!(["D"])),
        ("charge_state", "charging_state", json!({"Charging": true})),
        ("vehicle_state", "software_update", json!("downloading")),
        ("vehicle_state", "is_user_present", nonsense()),
        ("vehicle_state", "sentry_mode", nonsense()),
        ("climate_state", "is_preconditioning", nonsense()),
        ("climate_state", "is_climate_on", nonsense()),
        ("climate_state", "climate_keeper_mode", json!(["dog"])),
        (
            "climate_state",
            "cabin_overheat_protection_actively_cooling",
            nonsense(),
        ),
        ("vehicle_state", "df", nonsense()),
        ("vehicle_state", "pf", nonsense()),
        ("vehicle_state", "dr", nonsense()),
        ("vehicle_state", "pr", nonsense()),
        ("vehicle_state", "ft", nonsense()),
        ("vehicle_state", "rt", nonsense()),
    ]
}

/// A parked car's answer at this time in which one field is as given, or missing.
fn answer_with(
    group: &str,
    field: &str,
    value: Option<&Value>,
    wall: Timestamp,
) -> Vec<Observation> {
    let parked = CarSpec {
        awake_at_start: true,
        ..spec(Plan::parked())
    };
    let mut car = Car::new(parked, wall);
    let seen = car.data(wall).expect("awake");
    let whole = Endpoints::parse(None);
    let mut body = body::vehicle_data(car.spec(), Ids::of(1), &seen, &whole);
    let members = body[group].as_object_mut().expect("an object");
    let there = members.remove(field);
    assert!(there.is_some(), "{group}.{field} is not in the body");
    if let Some(value) = value {
        members.insert(field.to_owned(), value.clone());
    }
    let now = Now {
        mono: Duration::ZERO,
        wall,
    };
    decoded(&Value::Object(body), now)
}

fn decoded(body: &Value, now: Now) -> Vec<Observation> {
    let text = json!({ "response": body }).to_string();
    let answer = vehicle_data(text.as_bytes(), now).expect("an answer");
    answer.observations
}

/// 14
///
/// Given each field that can hold the car awake missing, null or of the wrong kind in Tesla's
/// answer; when the car parks: Quiet after `settle`, no reason published.
#[test]
fn a_field_that_is_missing_null_or_mistyped_does_not_block_sleep() {
    for (group, field, mistyped) in mistyped_holds() {
        for value in [None, Some(&Value::Null), Some(&mistyped)] {
            let odd = value.cloned();
            let mut rig = metered(ClassSetting::Held, held(one_drive()));
            rig.answers(move |at, seen| {
                if at > PARKED_AT {
                    let wall = seen.iter().map(|seen| seen.at).max().expect("a time");
                    *seen = answer_with(group, field, odd.as_ref(), wall);
                }
            });
            rig.run_for(HOUR);
            check(&rig);
            let idle = rig.entered(State::Idle, PARKED_AT).expect("parked");
            let quiet = rig.entered(State::Quiet, idle);
            assert!(
                quiet.is_some_and(|quiet| (quiet - idle).abs_diff(180 * SECOND) <= SECOND),
                "{field} = {value:?}: {quiet:?}\n{}",
                rig.story()
            );
            assert_eq!(rig.state(), State::Asleep, "{field} = {value:?}");
        }
    }
}

/// 14
///
/// Given an answer without any field; when the car parks: Quiet as without holds.
#[test]
fn an_answer_without_fields_does_not_block_sleep() {
    let mut rig = metered(ClassSetting::Held, held(one_drive()));
    rig.answers(|at, seen| {
        if at > 31 * MINUTE {
            let wall = seen.iter().map(|seen| seen.at).max().expect("a time");
            let now = Now { mono: at, wall };
            *seen = decoded(&json!({ "vin": VIN }), now);
        }
    });
    rig.run_for(HOUR);
    check(&rig);
    assert!(rig.entered(State::Quiet, Duration::ZERO).is_some());
    assert_eq!(rig.state(), State::Asleep);
}

/// 15
///
/// Given an unlocked car; when the option is off or on: a note, or a hold with its reason.
#[test]
fn an_unlocked_car_is_a_note_or_by_option_a_hold() {
    for unlocked_holds in [false, true] {
        let config = PolicyConfig {
            unlocked_holds,
            class: ClassSetting::Held,
            ..PolicyConfig::preset(Preset::Metered)
        };
        let mut rig = Rig::with(config, held(one_drive()));
        rig.shows(|_, view| view.locked = Some(false));
        rig.run_until(32 * MINUTE);
        let reasons = if unlocked_holds {
            vec![HoldReason::Unlocked]
        } else {
            vec![]
        };
        assert_eq!(rig.status().holds, reasons);
        rig.run_until(HOUR);
        check(&rig);
        let quiet = rig.entered(State::Quiet, Duration::ZERO).is_some();
        assert_eq!(quiet, !unlocked_holds);
    }
}
