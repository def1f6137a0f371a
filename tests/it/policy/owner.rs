//! Scenarios 49 to 53: what the owner asks for.

use std::time::Duration;

use tesla2mqtt::device::Input;
use tesla2mqtt::policy::{Ask, ClassSetting, Event, HoldReason, Preset, State, User};
use tesla2mqtt::sim::{CarSpec, Plan};

use super::guarantees::check;
use super::rig::{HOUR, MINUTE, Rig, SECOND, drive, held, hold, life, spec};

/// 49
///
/// Given a sleeping car; when its owner wakes it: light each 2 to 5 s, then one data call, Quiet
/// not before 60 s.
#[test]
fn a_wake_is_followed_by_quick_light_calls_and_one_look() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::Held,
        held(spec(Plan::parked())),
    );
    rig.run_for(HOUR);
    let at = rig.at;
    rig.user(User::Woken);
    assert_eq!(rig.state(), State::Waking);
    rig.run_for(30 * SECOND);
    assert_eq!(rig.state(), State::Idle, "{}", rig.story());
    let lights = rig.asks_from(at, Ask::Light);
    let online = lights.iter().filter(|light| **light < at + 21 * SECOND);
    let online: Vec<_> = online.collect();
    assert!(online.len() >= 5, "{lights:?}");
    assert!(
        online
            .windows(2)
            .all(|pair| (2 * SECOND..=5 * SECOND).contains(&(*pair[1] - *pair[0]))),
        "{lights:?}"
    );
    assert_eq!(rig.asks_from(at, Ask::Data).len(), 1);
    assert_eq!(rig.car.truth().wakes, 1);
    rig.run_for(HOUR);
    check(&rig);
    let quiet = rig.entered(State::Quiet, at).expect("left alone again");
    assert!(quiet >= at + MINUTE);
    assert_eq!(rig.state(), State::Asleep);
}

/// 50
///
/// Given a sleeping car that does not wake; when its owner wakes it: tries for a minute, the
/// failure told, Asleep.
#[test]
fn a_wake_that_fails_is_given_up_after_a_minute() {
    let car = CarSpec {
        wake_delay: 10 * MINUTE,
        ..spec(Plan::parked())
    };
    let mut rig = Rig::new(Preset::Metered, car);
    rig.run_for(HOUR);
    let at = rig.at;
    rig.user(User::Woken).run_for(65 * SECOND);
    check(&rig);
    assert_eq!(rig.state(), State::Asleep);
    assert_eq!(rig.n_events(|event| *event == Event::WakeFailed), 1);
    let given_up = rig.entered(State::Asleep, at).expect("given up");
    assert!((given_up - at).abs_diff(MINUTE) <= SECOND, "{given_up:?}");
    let n_light = rig.asks_from(at, Ask::Light).len();
    assert!((12..=30).contains(&n_light), "{n_light}");
    assert_eq!((rig.n_data(), rig.car.truth().wakes), (0, 1));
    rig.run_for(2 * MINUTE);
    let n_more = rig.asks_from(at + 65 * SECOND, Ask::Light).len();
    assert!(n_more <= 3, "back to the old interval: {n_more}");
}

/// 51
///
/// Given a sleeping car; when its owner asks for a refresh: a light call, no wake.
#[test]
fn a_refresh_of_a_sleeping_car_is_a_light_call() {
    let mut rig = Rig::new(Preset::Metered, spec(Plan::parked()));
    rig.run_for(HOUR);
    let at = rig.at;
    rig.user(User::Refresh).run_for(3 * SECOND);
    check(&rig);
    assert_eq!(rig.asks_from(at, Ask::Light).len(), 1);
    assert_eq!((rig.n_data(), rig.car.truth().wakes), (0, 0));
    assert_eq!(rig.state(), State::Asleep);
}

/// 52
///
/// Given a hold, or a drive; when the owner lets the car sleep: refused with the reason.
#[test]
fn letting_the_car_sleep_is_refused_while_something_holds_it_awake() {
    let sat_in = life(&[(10, hold(HoldReason::UserPresent, 60))]);
    for (car, state, holds) in [
        (sat_in, State::Idle, vec![HoldReason::UserPresent]),
        (life(&[(10, drive(60))]), State::Driving, vec![]),
    ] {
        let mut rig = Rig::new(Preset::Metered, car);
        rig.run_until(30 * MINUTE);
        rig.user(User::LetSleep).run_for(2 * MINUTE);
        check(&rig);
        assert_eq!(rig.state(), state);
        let refused = Event::LetSleepRefused { state, holds };
        assert_eq!(
            rig.n_events(|event| *event == refused),
            1,
            "{}",
            rig.story()
        );
    }
}

#[test]
fn letting_the_car_sleep_leaves_it_alone_at_once() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        held(life(&[(10, drive(20))])),
    );
    rig.run_until(32 * MINUTE);
    assert_eq!(rig.state(), State::Idle);
    rig.user(User::LetSleep).run_for(SECOND);
    assert_eq!(rig.state(), State::Quiet);
    rig.run_for(20 * MINUTE);
    check(&rig);
    assert_eq!(rig.state(), State::Asleep);
}

/// 53
///
/// Given an idle car; when its owner pauses, then resumes: light calls only, then Idle with data.
#[test]
fn a_pause_leaves_only_light_calls() {
    let mut rig = Rig::new(
        Preset::Metered,
        life(&[(10, hold(HoldReason::UserPresent, 600))]),
    );
    rig.run_until(30 * MINUTE);
    rig.user(User::Pause);
    assert_eq!(rig.state(), State::Paused);
    let at = rig.at;
    rig.run_for(HOUR);
    assert_eq!(rig.asks_from(at, Ask::Data), Vec::<Duration>::new());
    let n_light = rig.asks_from(at, Ask::Light).len();
    assert!((11..=13).contains(&n_light), "{n_light}");
    rig.user(User::Resume).run_for(5 * SECOND);
    check(&rig);
    assert_eq!(rig.state(), State::Idle);
    assert_eq!(rig.asks_from(at, Ask::Data).len(), 1);
}

/// After a command the result is looked at, and the car is not left alone for a minute.
#[test]
fn a_command_is_looked_after_soon() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::Held,
        held(life(&[(10, drive(20))])),
    );
    rig.run_until(38 * MINUTE);
    assert_eq!(rig.state(), State::Quiet);
    let at = rig.at;
    rig.user(User::CommandDone).run_for(10 * SECOND);
    check(&rig);
    assert_eq!(rig.state(), State::Idle);
    let asks = rig.asks_from(at, Ask::Data);
    assert!(asks.len() == 1 && asks[0] <= at + 6 * SECOND, "{asks:?}");
}

/// 18: the garage opens, and half a minute later the wallbox starts.
///
/// Given an idle car; when three hints come in 20 s: data within 5 s of two, the third waits.
#[test]
fn a_second_hint_is_as_quick_as_the_first() {
    let mut rig = Rig::new(
        Preset::Metered,
        life(&[(10, hold(HoldReason::UserPresent, 60))]),
    );
    rig.run_until(30 * MINUTE);
    for _ in 0..2 {
        let at = rig.at;
        rig.hear(Input::Hint).run_for(5 * SECOND);
        assert_eq!(rig.asks_from(at, Ask::Data).len(), 1, "{}", rig.story());
        rig.run_for(4 * SECOND);
    }
    let at = rig.at;
    rig.hear(Input::Hint).run_for(4 * SECOND);
    check(&rig);
    assert_eq!(rig.asks_from(at, Ask::Data).len(), 0, "the third waits");
}

/// An automation that never stops hinting.
#[test]
fn a_storm_of_hints_is_not_a_storm_of_calls() {
    let mut rig = Rig::new(
        Preset::Metered,
        life(&[(10, hold(HoldReason::UserPresent, 60))]),
    );
    rig.run_until(30 * MINUTE);
    let at = rig.at;
    for _ in 0..120 {
        rig.hear(Input::Hint).run_for(SECOND);
    }
    check(&rig);
    let n_data = rig.asks_from(at, Ask::Data).len();
    assert!(n_data <= 9, "{n_data} data calls in two minutes");
}
