//! Scenarios 1 to 4: the start.

use std::time::Duration;

use tesla2mqtt::policy::{Ask, Failure, LightState, Preset, State};
use tesla2mqtt::sim::{CarSpec, Plan};

use super::guarantees::check;
use super::rig::{DAY, HOUR, MINUTE, PlannedFailure, Rig, SECOND, spec};

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
    assert_eq!(rig.car.truth().wakes, 0);
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
/// Given five light calls time out; when the bridge starts: light calls only, with growing gaps,
/// no data before one is answered.
#[test]
fn light_calls_that_time_out_at_the_start_come_ever_more_slowly() {
    let car = CarSpec {
        awake_at_start: true,
        ..spec(Plan::parked())
    };
    let mut rig = Rig::new(Preset::Metered, car);
    rig.faults.push(PlannedFailure {
        from: Duration::ZERO,
        to: HOUR,
        ask: Some(Ask::Light),
        failure: Failure::Transport,
    });
    while rig.n_light() < 5 {
        rig.run_for(SECOND);
    }
    rig.faults.clear();
    assert_eq!(rig.n_data(), 0);
    while rig.n_light() < 6 {
        rig.run_for(SECOND);
    }
    rig.run_for(5 * SECOND);
    check(&rig);
    let asks = rig.asks_from(Duration::ZERO, Ask::Light);
    let gaps: Vec<_> = asks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps.len(), 5, "{}", rig.story());
    assert!(gaps.windows(2).all(|pair| pair[0] < pair[1]), "{gaps:?}");
    let data = rig.asks_from(Duration::ZERO, Ask::Data);
    assert!(data.len() == 1 && data[0] > asks[5], "{data:?}");
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
    let asks = rig.asks_from(Duration::ZERO, Ask::Light);
    assert!(asks.len() > 50, "{}", asks.len());
    for pair in asks.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap.abs_diff(MINUTE) <= 3 * SECOND, "{gap:?}");
    }
    assert_eq!(rig.n_data(), 0);
}
