//! Scenarios 58 to 61: a car that pushes, and what must not matter.

use tesla2mqtt::policy::{Ask, HoldReason, Preset, State};
use tesla2mqtt::sim::Plan;

use super::guarantees::check;
use super::rig::{HOUR, MINUTE, Rig, SECOND, charge, drive, hold, life, spec};

/// 58
#[test]
fn silence_of_a_connected_car_is_not_sleep() {
    let mut rig = Rig::new(
        Preset::Push,
        life(&[(10, hold(HoldReason::UserPresent, 90))]),
    );
    rig.run_until(12 * MINUTE);
    rig.push(|push| push.connected = Some(true));
    rig.run_until(15 * MINUTE);
    assert_eq!(rig.state(), State::Idle);
    rig.run_until(60 * MINUTE);
    check(&rig);
    assert_eq!(rig.state(), State::Idle);
    assert!(rig.entered(State::Asleep, 12 * MINUTE).is_none());
    assert!(
        rig.asks_from(20 * MINUTE, Ask::Light).len() >= 5,
        "light decides"
    );
}

/// 59
#[test]
fn a_flapping_connection_is_neither_a_storm_nor_a_change_of_state() {
    let mut rig = Rig::new(Preset::Push, spec(Plan::parked()));
    rig.run_until(30 * MINUTE);
    let at = rig.at;
    for turn in 0..180 {
        rig.push(|push| push.connected = Some(turn % 2 == 0))
            .run_for(10 * SECOND);
    }
    check(&rig);
    let n_light = rig.asks_from(at, Ask::Light).len();
    assert!(n_light <= 31, "{n_light} light calls in half an hour");
    assert_eq!(rig.entered(State::Waking, at), None);
    assert_eq!(rig.state(), State::Asleep);
}

/// While the car pushes, a drive costs no polling worth mentioning.
#[test]
fn a_pushed_drive_from_asleep_is_seen_at_once_and_ends_by_push() {
    let mut rig = Rig::new(Preset::Push, life(&[(60, drive(30))]));
    rig.run_until(60 * MINUTE + SECOND);
    assert_eq!(rig.state(), State::Asleep);
    rig.push(|push| {
        push.connected = Some(true);
        push.gear = Some("D".into());
    });
    assert_eq!(rig.state(), State::Driving);
    for _ in 0..29 {
        rig.run_for(MINUTE);
        rig.push(|push| push.gear = Some("D".into()));
    }
    rig.run_until(90 * MINUTE + SECOND);
    rig.push(|push| push.gear = Some("P".into()));
    assert_eq!(rig.state(), State::Idle);
    rig.run_for(HOUR);
    check(&rig);
    assert!(rig.n_data() <= 12, "{}", rig.n_data());
    assert_eq!(rig.state(), State::Asleep);
}

/// A push repeats what it knows; only news are looked after.
#[test]
fn pushes_that_repeat_themselves_are_not_a_storm_of_calls() {
    let mut rig = Rig::new(
        Preset::Push,
        life(&[(10, drive(50)), (75, charge(60, 11.0))]),
    );
    rig.run_until(10 * MINUTE);
    while rig.at < 130 * MINUTE {
        let at = rig.at;
        rig.push(|push| {
            let drives = at < 60 * MINUTE;
            push.connected = Some(true);
            push.user_present = Some(drives);
            push.gear = Some(if drives { "D" } else { "P" }.to_owned());
            let charges = at > 75 * MINUTE;
            push.charging_state =
                Some(if charges { "Charging" } else { "Disconnected" }.to_owned());
        });
        rig.run_for(5 * SECOND);
    }
    check(&rig);
    assert!(rig.n_data() <= 30, "{} data calls", rig.n_data());
}

/// A source that contradicts the car itself.
#[test]
fn pushes_that_are_wrong_are_not_a_storm_of_calls() {
    let mut rig = Rig::new(
        Preset::Push,
        life(&[(10, hold(HoldReason::SentryMode, 120))]),
    );
    rig.run_until(20 * MINUTE);
    for turn in 0..360 {
        rig.push(|push| {
            push.user_present = Some(turn % 2 == 0);
            push.charging_state = Some("Charging".to_owned());
        });
        rig.run_for(5 * SECOND);
    }
    check(&rig);
    let n_data = rig.asks_from(20 * MINUTE, Ask::Data).len();
    assert!(n_data <= 130, "{n_data} data calls in half an hour");
}

/// 61, and G12: the policy has no word for the broker, for files or for the network, so nothing
/// of them can influence it.
#[test]
fn the_policy_knows_no_broker_no_clock_and_no_network() {
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy");
    let banned = [
        "mqtt::",
        "broker::",
        "tokio",
        "reqwest",
        "rumqttc",
        "std::fs",
        "std::net",
        "crate::clock",
    ];
    let mut n_files = 0;
    let files_of = |room: &std::path::Path| {
        let entries = std::fs::read_dir(room).expect("the room");
        entries.map(|entry| entry.expect("an entry").path())
    };
    let (rooms, files): (Vec<_>, Vec<_>) = files_of(&room).partition(|path| path.is_dir());
    let inner = rooms.iter().flat_map(|room| files_of(room));
    for path in files.into_iter().chain(inner) {
        let text = std::fs::read_to_string(&path).expect("a source file");
        n_files += 1;
        for word in banned {
            let uses = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            assert!(
                uses.into_iter().all(|line| !line.contains(word)),
                "{word} in {}",
                path.display()
            );
        }
    }
    assert!(n_files > 10);
}
