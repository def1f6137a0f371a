//! Scenarios 1 to 4: the start.

use std::time::Duration;

use tesla2mqtt::policy::{Ask, Failure, LightState, Preset, State};
use tesla2mqtt::sim::{CarSpec, Plan};

use super::guarantees::check;
use super::rig::{DAY, Fault, HOUR, MINUTE, Rig, SECOND, spec};

/// 1
///
/// Given a sleeping car; when the bridge starts and a day passes: 1440 light calls within 5 %, no
/// data, no wake.
#[test]
fn a_day_of_a_sleeping_car_costs_a_light_call_a_minute() {
    let mut rig = Rig::new(Preset::Metered, spec(Plan::parked()));
    rig.run_for(DAY);
    check(&rig);
    assert!((1368..=1512).contains(&rig.n_light()), "{}", rig.n_light());
    assert_eq!(rig.n_data(), 0);
}

/// 2
///
/// Given a car that is online and idle; when the bridge starts: one light call, then one data call
/// within 15 s.
#[test]
fn an_idle_car_is_asked_once_light_once_data_within_fifteen_seconds() {
    let car = CarSpec {
        awake_at_start: true,
        ..spec(Plan::parked())
    };
    let mut rig = Rig::new(Preset::Metered, car);
    rig.run_for(15 * SECOND);
    check(&rig);
    assert_eq!((rig.n_light(), rig.n_data()), (1, 1), "{}", rig.story());
    assert_eq!(rig.state(), State::Idle);
}

/// 3
///
/// Given light calls time out; when the bridge starts: light calls only, with growing gaps.
#[test]
fn light_calls_that_time_out_at_the_start_come_ever_more_slowly() {
    let car = CarSpec {
        awake_at_start: true,
        ..spec(Plan::parked())
    };
    let mut rig = Rig::new(Preset::Metered, car);
    rig.faults.push(Fault {
        from: Duration::ZERO,
        to: 5 * MINUTE,
        ask: Some(Ask::Light),
        failure: Failure::Transport,
    });
    rig.run_for(5 * MINUTE);
    check(&rig);
    assert_eq!(rig.n_data(), 0);
    let asks = rig.asks_from(Duration::ZERO, Ask::Light);
    let gaps: Vec<_> = asks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() >= 4, "{gaps:?}");
    assert!(gaps.is_sorted(), "{gaps:?}");
}

/// 4
///
/// Given a state word that nobody knows; when the bridge starts: unreachable, asked about each
/// minute.
#[test]
fn a_new_state_word_is_unreachable_and_asked_about_each_minute() {
    let mut rig = Rig::new(Preset::Metered, spec(Plan::parked()));
    rig.word = Some(LightState::Unknown);
    rig.run_for(HOUR);
    check(&rig);
    assert_eq!(rig.state(), State::Unreachable);
    assert!((57..=64).contains(&rig.n_light()), "{}", rig.n_light());
    assert_eq!(rig.n_data(), 0);
}
