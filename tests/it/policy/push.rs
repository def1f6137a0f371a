//! Scenarios 58 to 61: a car that pushes, and what must not matter.

use std::time::Duration;

use tesla2mqtt::device::Input;
use tesla2mqtt::model::{ChargingState, Gear, Now};
use tesla2mqtt::policy::{Ask, HoldReason, Preset, PushStep, Reconnect, State};
use tesla2mqtt::sim::{self, Plan};

use super::guarantees::check;
use super::rig::{DAY, HOUR, MINUTE, Rig, SECOND, charge, drive, hold, life, spec};

/// 58
///
/// Given a connected car that is online; when 10 min without a push: light calls decide, not
/// Asleep by silence.
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
///
/// Given an asleep car; when its connection comes and goes: one state, at most a light call a
/// minute.
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
    assert!(n_light >= 5, "{n_light} light calls in half an hour");
    let asks = rig.asks_from(at, Ask::Light);
    assert!(
        asks.windows(2).all(|pair| pair[1] - pair[0] >= MINUTE),
        "{asks:?}"
    );
    let changes: Vec<_> = rig.diary().into_iter().filter(|(t, _)| *t >= at).collect();
    assert_eq!(changes, []);
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
        push.gear = Some(Gear::D);
    });
    assert_eq!(rig.state(), State::Driving);
    for _ in 0..29 {
        rig.run_for(MINUTE);
        rig.push(|push| push.gear = Some(Gear::D));
    }
    rig.run_until(90 * MINUTE + SECOND);
    rig.push(|push| push.gear = Some(Gear::P));
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
            push.gear = Some(if drives { Gear::D } else { Gear::P });
            let charges = at > 75 * MINUTE;
            push.charging_state = Some(if charges {
                ChargingState::Charging
            } else {
                ChargingState::Disconnected
            });
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
            push.charging_state = Some(ChargingState::Charging);
        });
        rig.run_for(5 * SECOND);
    }
    check(&rig);
    let n_data = rig.asks_from(20 * MINUTE, Ask::Data).len();
    assert!(n_data <= 130, "{n_data} data calls in half an hour");
}

/// 60
///
/// Given a pushing source; when it refuses the token again and again: a new token each time, waits
/// up to 300 s.
#[test]
fn a_source_that_refuses_us_gets_a_new_token_and_ever_longer_waits() {
    let mut now = Now {
        mono: Duration::ZERO,
        wall: "2026-06-01T00:00:00Z".parse().expect("a time"),
    };
    let mut source = Reconnect::new(7, now);
    let (mut dials, mut n_tokens) = (Vec::new(), 0);
    while now.mono < 2 * HOUR {
        match source.next(now) {
            PushStep::Dial => {
                assert_eq!(
                    n_tokens,
                    dials.len(),
                    "each refusal wants a new token first"
                );
                dials.push(now.mono);
                source.refused(now);
            }
            PushStep::RefreshToken => n_tokens += 1,
            PushStep::Wait { until } => now = now.later(until - now.mono),
        }
    }
    let gaps: Vec<_> = dials.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] <= SECOND && gaps[..8].is_sorted(), "{gaps:?}");
    let late = &gaps[9..];
    let most = 300 * SECOND;
    assert!(
        late.iter().all(|gap| (most / 2..=most).contains(gap)),
        "{late:?}"
    );

    // A connection of a few seconds is no success; one of minutes is.
    for (lasts, least) in [(5 * SECOND, most / 2), (5 * MINUTE, Duration::ZERO)] {
        source.connected(now);
        now = now.later(lasts);
        source.lost(now);
        let lost_at = now.mono;
        while source.next(now) != PushStep::Dial {
            now = now.later(SECOND / 2);
        }
        let wait = now.mono - lost_at;
        assert!(wait >= least && wait <= least * 2 + SECOND, "{wait:?}");
    }
}

/// 60: from a minute on a drive, a charge and a park are followed as if there had never been a
/// push; once it is back they are not. When the minute ends is a row of the policy's table of
/// timers, which its own tests go through.
///
/// Given a pushing car; when its source is away for a minute: polled, until it is back.
#[test]
fn a_car_whose_source_is_away_is_polled() {
    let follow = |source_is_lost: bool| {
        let mut rig = Rig::new(Preset::Push, life(&[(60, drive(30)), (100, drive(60))]));
        rig.run_until(10 * MINUTE);
        rig.push(|push| push.connected = Some(false));
        if source_is_lost {
            rig.hear(Input::PushLost);
        }
        rig.run_until(95 * MINUTE);
        rig
    };
    let mut rig = follow(true);
    check(&rig);
    let seen = rig.delays(sim::LifeEvent::DriveStarted, State::Driving)[0];
    assert!(seen <= 65 * SECOND, "{seen:?}");
    let of_drive = rig.asks_from(60 * MINUTE, Ask::Data).len();
    assert!((28..60).contains(&of_drive), "{of_drive}");
    rig.push(|push| push.connected = Some(true));
    rig.run_until(100 * MINUTE + SECOND);
    rig.push(|push| push.gear = Some(Gear::D));
    rig.run_until(159 * MINUTE);
    check(&rig);
    let of_drive = rig.asks_from(100 * MINUTE + SECOND, Ask::Data).len();
    assert!(of_drive <= 7, "{of_drive}");

    // The source is there, but this car's wake was not pushed: the light call finds it within its
    // long interval, and then it is followed closely too.
    let rig = follow(false);
    check(&rig);
    let seen = rig.delays(sim::LifeEvent::DriveStarted, State::Driving)[0];
    assert!(seen > 65 * SECOND && seen <= 320 * SECOND, "{seen:?}");
    let of_drive = rig.asks_from(60 * MINUTE, Ask::Data).len();
    assert!((24..60).contains(&of_drive), "{of_drive}");
}

/// A car that was never heard, because nothing pushes, is a polled car.
#[test]
fn the_push_preset_without_any_push_is_the_metered_one() {
    let asks = |preset| {
        let mut rig = Rig::new(preset, spec(Plan::model_day()));
        rig.run_until(DAY);
        check(&rig);
        (rig.n_data(), rig.n_light())
    };
    assert_eq!(asks(Preset::Push), asks(Preset::Metered));
}

/// 61, and G12: the policy has no word for the broker, for files or for the network, so nothing
/// of them can influence it. `broker_trouble` compares the real program's calls.
///
/// Given the policy; when the broker is up or down: no input could tell it.
#[test]
fn the_policy_knows_no_broker_no_clock_and_no_network() {
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/policy");
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
    for path in sources_below(&room) {
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

fn sources_below(room: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(room).expect("the room");
    let below = entries.flat_map(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources_below(&path)
        } else {
            vec![path]
        }
    });
    below
        .filter(|path| path.extension().is_some_and(|of| of == "rs"))
        .collect()
}
