//! Scenarios 5 to 15: a parked car falls asleep, held or not, and what keeps it awake.

use std::time::Duration;

use serde_json::{Value, json};
use tesla2mqtt::decode::vehicle_data::vehicle_data;
use tesla2mqtt::model::{CarRecord, Now, SoftwareUpdate, UpdateStatus, Vehicle};
use tesla2mqtt::policy::{
    Ask, Belief, Class, ClassSetting, HoldReason, LightState, PolicyConfig, Preset, State, User,
};
use tesla2mqtt::sim::body::{self, Endpoints, Ids};
use tesla2mqtt::sim::{Car, CarSpec, Deed, LifeEvent, Plan};

use super::guarantees::check;
use super::rig::{
    HOUR, MINUTE, Rig, SECOND, What, dead_zone, drive, held, hold, life, minutes, spec,
};

const PARKED_AT: Duration = minutes(30);

/// Drives from 0:10 to 0:30.
fn one_drive() -> CarSpec {
    life(&[(10, drive(20))])
}

fn metered(class: ClassSetting, car: CarSpec) -> Rig {
    Rig::pinned(Preset::Metered, class, car)
}

fn fell_asleep(rig: &Rig, nth: usize) -> Duration {
    rig.truly(LifeEvent::FellAsleep, nth)
        .unwrap_or_else(|| panic!("never asleep\n{}", rig.story()))
}

/// 5
///
/// Given a car that is not held; when it parks: asleep at 12 min, data all the while.
#[test]
fn a_car_that_is_not_held_is_polled_into_its_sleep() {
    let mut rig = metered(ClassSetting::NotHeld, one_drive());
    rig.run_for(HOUR);
    check(&rig);
    let parked = PARKED_AT;
    assert_eq!(fell_asleep(&rig, 0), parked + 12 * MINUTE);
    let asks = rig.asks_from(parked - MINUTE, Ask::Data);
    assert!(
        asks.windows(2)
            .all(|pair| pair[1] - pair[0] <= 130 * SECOND),
        "{asks:?}"
    );
    assert!(*asks.last().expect("asked") >= fell_asleep(&rig, 0) - 130 * SECOND);
    assert_eq!(rig.entered(State::Quiet, Duration::ZERO), None);
    assert_eq!(rig.state(), State::Asleep);
}

/// 6, and G4
///
/// Given a held car; when it parks: Quiet at 3 min, no data in Quiet, asleep by 16 min.
#[test]
fn a_held_car_is_left_alone_after_three_minutes_and_sleeps() {
    let mut rig = metered(ClassSetting::Held, held(one_drive()));
    rig.run_for(HOUR);
    check(&rig);
    let parked = PARKED_AT;
    let seen = rig.entered(State::Idle, parked).expect("seen");
    let quiet = rig.entered(State::Quiet, parked).expect("quiet");
    assert!(
        (quiet - seen).abs_diff(180 * SECOND) <= SECOND,
        "{:?}",
        quiet - seen
    );
    assert!(
        fell_asleep(&rig, 0) <= parked + 16 * MINUTE,
        "{:?}",
        fell_asleep(&rig, 0)
    );
    assert_eq!(rig.asks_from(quiet, Ask::Data), Vec::<Duration>::new());
    assert_eq!(rig.state(), State::Asleep);
}

/// G4 for every time to sleep and every moment of parking.
#[test]
fn a_held_car_sleeps_at_most_four_minutes_later_than_unpolled() {
    for t in 5..=15 {
        for second in [0, 11, 23, 37, 49] {
            let length = 20 * MINUTE + second * SECOND;
            let mut car = held(life(&[(
                10,
                tesla2mqtt::sim::Deed::Drive { length, km: 20.0 },
            )]));
            car.time_to_sleep = t * MINUTE;
            let mut rig = metered(ClassSetting::Held, car);
            rig.run_for(2 * HOUR);
            check(&rig);
            let late = fell_asleep(&rig, 0) - (10 * MINUTE + length) - t * MINUTE;
            assert!(late <= 240 * SECOND, "{t} min: {late:?} later");
        }
    }
}

/// 9, and G4: two parks without reception, offline as if asleep.
///
/// Given a held car that was learned to sleep although it is polled; when it is parked: doubted
/// after two hours, then let to sleep.
#[test]
fn a_car_that_was_only_out_of_reach_is_let_to_sleep_after_all() {
    let deeds = [
        (10, drive(20)),
        (36, dead_zone(30)),
        (120, drive(20)),
        (146, dead_zone(30)),
        (300, drive(20)),
    ];
    let car = CarSpec {
        sleeps_as: LightState::Offline,
        time_to_sleep: 15 * MINUTE,
        ..held(life(&deeds))
    };
    let mut rig = Rig::new(Preset::Metered, car);
    rig.run_until(290 * MINUTE);
    assert_eq!(rig.policy.status(rig.now()).class, Class::NotHeld);
    assert_eq!(rig.state(), State::Asleep);
    rig.run_until(430 * MINUTE);
    assert_eq!(rig.state(), State::Idle, "polled in vain");
    rig.run_until(470 * MINUTE);
    check(&rig);
    assert_eq!(rig.state(), State::Asleep, "{}", rig.story());
    assert_eq!(rig.policy.status(rig.now()).class, Class::Unknown);
}

/// G5: what began before a held car is left alone is seen.
///
/// Given a held car; when it parks: a look 5 s before Quiet, no other in the 30 s before; none if
/// the owner lets it sleep.
#[test]
fn a_last_look_comes_just_before_a_car_is_left_alone() {
    for minute in [20, 21, 22, 23] {
        let mut rig = Rig::pinned(
            Preset::Metered,
            ClassSetting::Held,
            held(life(&[(10, drive(minute))])),
        );
        rig.run_until(HOUR);
        check(&rig);
        let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("parked");
        let looks: Vec<_> = rig
            .asks_from(quiet - 30 * SECOND, Ask::Data)
            .into_iter()
            .filter(|at| *at < quiet)
            .collect();
        assert_eq!(looks.len(), 1, "{looks:?} before {quiet:?}");
        assert!(quiet - looks[0] <= 30 * SECOND);

        let mut told = Rig::pinned(
            Preset::Metered,
            ClassSetting::Held,
            held(life(&[(10, drive(minute))])),
        );
        told.run_until(minutes(minute + 12));
        let at = told.at;
        told.user(User::LetSleep).run_for(MINUTE);
        assert_eq!(told.state(), State::Quiet);
        assert!(told.asks_from(at, Ask::Data).is_empty());
    }
}

/// 7
///
/// Given held cars that need 15 and 25 min; when they park: asleep without a look, and after one
/// look within the time that the car needs.
#[test]
fn a_held_car_that_needs_long_is_looked_at_once() {
    for (t, looks) in [(15, 0), (25, 1)] {
        let mut rig = metered(
            ClassSetting::Held,
            CarSpec {
                time_to_sleep: t * MINUTE,
                ..held(one_drive())
            },
        );
        rig.run_for(2 * HOUR);
        check(&rig);
        let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("quiet");
        let asks = rig.asks_from(quiet, Ask::Data);
        assert_eq!(asks.len(), looks, "T = {t} min");
        let last_disturbed = asks.last().copied().unwrap_or(quiet);
        let left_alone = fell_asleep(&rig, 0) - last_disturbed;
        assert!(left_alone <= t * MINUTE + SECOND, "{left_alone:?}");
        let states: Vec<_> = rig.diary().iter().map(|(_, state)| *state).collect();
        assert!(
            states.ends_with(&[State::Idle, State::Quiet, State::Asleep]),
            "{states:?}"
        );
    }
}

/// Drives every three hours.
fn drives(n: u64) -> CarSpec {
    let deeds: Vec<_> = (0..n).map(|i| (10 + i * 180, drive(20))).collect();
    life(&deeds)
}

fn class(rig: &Rig) -> (Class, Belief) {
    let status = rig.policy.status(rig.now());
    (status.class, status.belief)
}

/// 8
///
/// Given a held car of unknown class; when two parks of 30 min under polling: held; T is not that
/// of those parks.
#[test]
fn a_car_is_learned_to_be_held_after_two_parks() {
    let mut rig = Rig::new(Preset::Metered, held(drives(6)));
    rig.run_until(2 * HOUR);
    let idle = rig.entered(State::Idle, 25 * MINUTE).expect("parked");
    let quiet = rig.entered(State::Quiet, idle).expect("left alone");
    assert!(
        (30..=31).contains(&((quiet - idle).as_secs() / 60)),
        "{:?}",
        quiet - idle
    );
    assert_eq!(rig.state(), State::Asleep);
    assert_eq!(class(&rig), (Class::Unknown, Belief::None));
    rig.run_until(5 * HOUR);
    assert_eq!(rig.policy.status(rig.now()).last_sleep_in_quiet, Some(true));
    assert_eq!(class(&rig), (Class::Held, Belief::Learned));
    rig.run_until(8 * HOUR);
    let idle = rig
        .entered(State::Idle, 6 * HOUR + 25 * MINUTE)
        .expect("parked");
    let quiet = rig.entered(State::Quiet, idle).expect("left alone");
    assert!(quiet - idle <= 181 * SECOND);
    // The half hours of polling that the first two parks resisted are no times to sleep.
    rig.run_until(18 * HOUR);
    check(&rig);
    let learned = rig.policy.status(rig.now()).time_to_sleep.expect("learned");
    assert!(
        (11 * MINUTE..=17 * MINUTE).contains(&learned),
        "{learned:?}"
    );
}

/// 9
///
/// Given a car of unknown class that is not held; when it sleeps twice: not held, never Quiet.
#[test]
fn a_car_is_learned_not_to_be_held_after_two_sleeps() {
    let mut rig = Rig::new(Preset::Metered, drives(4));
    rig.run_until(5 * HOUR);
    assert_eq!(
        rig.policy.status(rig.now()).last_sleep_in_quiet,
        Some(false)
    );
    assert_eq!(class(&rig), (Class::NotHeld, Belief::Learned));
    rig.run_until(12 * HOUR);
    check(&rig);
    assert_eq!(rig.entered(State::Quiet, Duration::ZERO), None);
    let learned = rig.policy.status(rig.now()).time_to_sleep.expect("learned");
    assert!(
        (11 * MINUTE..=14 * MINUTE).contains(&learned),
        "{learned:?}"
    );
}

/// 10
///
/// Given a learned class; when the firmware changes: unknown, and one sleep confirms it.
#[test]
fn new_firmware_is_learned_anew_with_one_confirmation() {
    for is_held in [false, true] {
        let expected = if is_held { Class::Held } else { Class::NotHeld };
        let mut rig = Rig::new(
            Preset::Metered,
            CarSpec {
                held: is_held,
                ..drives(4)
            },
        );
        rig.disguise = Some(Box::new(|at, view: &mut CarRecord| {
            let version = if at < 6 * HOUR { "2026.8" } else { "2026.12" };
            view.car_version = Some(version.to_owned());
        }));
        rig.run_until(6 * HOUR);
        assert_eq!(class(&rig), (expected, Belief::Learned));
        rig.run_until(6 * HOUR + 20 * MINUTE);
        assert_eq!(class(&rig), (Class::Unknown, Belief::None));
        rig.run_until(9 * HOUR);
        check(&rig);
        assert_eq!(class(&rig), (expected, Belief::Learned));
    }
}

/// Something that no field shows keeps the car awake, whether it is asked or not: it is polled
/// again, so that its next drive is seen at once.
#[test]
fn a_car_of_unknown_class_that_does_not_sleep_when_left_alone_is_polled_again() {
    let mut rig = Rig::new(
        Preset::Metered,
        life(&[(10, hold(HoldReason::UserPresent, 300)), (320, drive(20))]),
    );
    rig.disguise = Some(Box::new(|_, view| view.user_present = false));
    rig.run_until(2 * HOUR);
    let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("tried");
    let idle = rig.entered(State::Idle, quiet).expect("given up");
    assert!(idle - quiet <= 55 * MINUTE, "{:?}", idle - quiet);
    rig.run_until(6 * HOUR);
    let again = rig.entered(State::Quiet, idle).expect("tried once more");
    assert!(again - idle >= 3 * HOUR, "{:?}", again - idle);
    check(&rig);
    assert_eq!(rig.delays(LifeEvent::DriveStarted, State::Driving).len(), 1);
}

/// The same conclusion drawn from a use that no look showed is wrong for a car that polling holds
/// awake, and must not last.
#[test]
fn a_held_car_used_unseen_while_left_alone_sleeps_in_the_end() {
    let mut car = held(life(&[(10, drive(20)), (97, Deed::AppUse)]));
    car.time_to_sleep = 26 * MINUTE;
    let mut rig = Rig::new(Preset::Metered, car);
    rig.run_until(3 * HOUR);
    let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("tried");
    let idle = rig.entered(State::Idle, quiet).expect("given up");
    rig.run_until(6 * HOUR);
    check(&rig);
    assert!(
        rig.entered(State::Asleep, idle).is_some(),
        "{}",
        rig.story()
    );
}

/// Every value that holds, each with nothing beside it.
type Hold = (HoldReason, fn(&mut CarRecord));

const HOLDS: [Hold; 12] = [
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
        rig.disguise = Some(Box::new(move |at, view| {
            if (PARKED_AT..until).contains(&at) {
                set(view);
            }
        }));
        rig.run_until(until);
        assert_eq!(rig.policy.status(rig.now()).holds, [reason]);
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
        What::Served(view) if line.at > 11 * MINUTE && !view.sentry_mode => Some(line.at),
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
    let status = rig.policy.status(rig.now());
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

/// What the policy reads of a parked car's answer in which one field is as given, or missing.
fn decoded_with(group: &str, field: &str, value: Option<&Value>) -> CarRecord {
    let now = Now {
        mono: Duration::ZERO,
        wall: "2026-06-01T00:31:00Z".parse().expect("a time"),
    };
    let mut car = Car::new(
        CarSpec {
            awake_at_start: true,
            ..spec(Plan::parked())
        },
        now.wall,
    );
    let seen = car.data(now.wall).expect("awake");
    let whole = Endpoints::parse(None);
    let mut body = body::vehicle_data(car.spec(), Ids::of(1), &seen, &whole);
    let members = body[group].as_object_mut().expect("an object");
    let there = members.remove(field);
    assert!(there.is_some(), "{group}.{field} is not in the body");
    if let Some(value) = value {
        members.insert(field.to_owned(), value.clone());
    }
    let text = json!({ "response": body }).to_string();
    let answer = vehicle_data(text.as_bytes(), now).expect("an answer");
    let mut seen = Vehicle::new(car.spec().vin.clone());
    for observation in &answer.observations {
        seen.apply(observation);
    }
    CarRecord {
        drive_at: None,
        ..CarRecord::of(&seen)
    }
}

/// 14
///
/// Given each field that can hold the car awake missing, null or of the wrong kind in Tesla's
/// answer; when the car parks: Quiet after `settle`, no reason published.
#[test]
fn a_field_that_is_missing_null_or_mistyped_does_not_block_sleep() {
    for (group, field, mistyped) in mistyped_holds() {
        for value in [None, Some(&Value::Null), Some(&mistyped)] {
            let odd = decoded_with(group, field, value);
            let mut rig = metered(ClassSetting::Held, held(one_drive()));
            rig.disguise = Some(Box::new(move |at, view| {
                if at > PARKED_AT {
                    *view = odd.clone();
                }
            }));
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
fn a_view_without_fields_does_not_block_sleep() {
    let mut rig = metered(ClassSetting::Held, held(one_drive()));
    rig.disguise = Some(Box::new(|at, view| {
        if at > 31 * MINUTE {
            *view = CarRecord::default();
        }
    }));
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
        rig.disguise = Some(Box::new(|_, view| view.locked = Some(false)));
        rig.run_until(32 * MINUTE);
        let reasons = if unlocked_holds {
            vec![HoldReason::Unlocked]
        } else {
            vec![]
        };
        assert_eq!(rig.policy.status(rig.now()).holds, reasons);
        rig.run_until(HOUR);
        check(&rig);
        let quiet = rig.entered(State::Quiet, Duration::ZERO).is_some();
        assert_eq!(quiet, !unlocked_holds);
    }
}
