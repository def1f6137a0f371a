//! Scenario 56: two cars on one account.

use std::time::Duration;

use tesla2mqtt::model::Vin;
use tesla2mqtt::policy::{Ask, ClassSetting, GovernorConfig, HoldReason, Preset, State};
use tesla2mqtt::sim::{self, CarSpec, Plan};
use tesla2mqtt::trips::Finding;

use super::budget::calls;
use super::guarantees::check;
use super::rig::{DAY, HOUR, MINUTE, Rig, SECOND, hold, life, spec};

/// Two cars of one account from its start, its one governor going from hand to hand each `step`.
fn two_cars(
    preset: Preset,
    config: &GovernorConfig,
    plan: &Plan,
    step: Duration,
    time: Duration,
) -> [Rig; 2] {
    let mut rigs = ["5YJ3E1EA0JF000001", "5YJ3E1EA0JF000002"].map(|vin| {
        let car = CarSpec {
            vin: Vin::new(vin).expect("a VIN"),
            ..spec(plan.clone())
        };
        Rig::pinned(preset, ClassSetting::NotHeld, car).governed(config.clone())
    });
    let mut at = Duration::ZERO;
    while at < time {
        at += step;
        for turn in 0..2 {
            rigs[turn].run_until(at);
            let governor = rigs[turn].governor.clone();
            rigs[1 - turn].governor = governor;
        }
    }
    for rig in &rigs {
        check(rig);
    }
    rigs
}

/// Calls of both cars, in order.
fn asks_of_both(rigs: &[Rig; 2], ask: Ask) -> Vec<Duration> {
    let mut asks = rigs[0].asks_from(Duration::ZERO, ask);
    asks.extend(rigs[1].asks_from(Duration::ZERO, ask));
    asks.sort_unstable();
    asks
}

fn is_fair(rigs: &[Rig; 2], ask: Ask) -> bool {
    let of = |rig: &Rig| rig.asks_from(Duration::ZERO, ask).len();
    let (one, other) = (of(&rigs[0]), of(&rigs[1]));
    one.min(other) * 10 >= (one + other) * 4
}

/// 56
///
/// Given two idle cars that want more than three light and two data calls a minute and may have no
/// more; when three hours pass: the caps hold in every minute, each car has two fifths at least.
#[test]
fn two_cars_of_one_account_share_its_caps() {
    let config = GovernorConfig {
        light_per_minute: 3,
        data_per_minute: 2,
        ..GovernorConfig::unmetered()
    };
    let sat_in = life(&[(10, hold(HoldReason::UserPresent, 600))]).plan;
    let rigs = two_cars(Preset::Unmetered, &config, &sat_in, SECOND, 3 * HOUR);
    for (ask, cap) in [(Ask::Light, 3), (Ask::Data, 2)] {
        let asks = asks_of_both(&rigs, ask);
        let most = asks
            .windows(cap + 1)
            .find(|some| some[cap] - some[0] < MINUTE);
        assert_eq!(most, None, "{ask:?}");
        assert!(is_fair(&rigs, ask), "{ask:?}");
    }
    let n_data = asks_of_both(&rigs, Ask::Data).len();
    assert!(n_data >= 300, "the cap is used: {n_data}");
}

/// 56
///
/// Given two model cars and a budget for a third of their calls; when ten days pass: a third of it
/// is spent, each car has two fifths at least, each drive is seen.
#[test]
fn two_cars_of_one_account_share_its_budget() {
    let rigs = two_cars(
        Preset::Metered,
        &calls(3000),
        &Plan::model_day(),
        10 * SECOND,
        10 * DAY,
    );
    let n_data = asks_of_both(&rigs, Ask::Data).len();
    assert!(n_data <= 2400 / 3 + 100, "{n_data}");
    assert!(is_fair(&rigs, Ask::Data));
    for rig in &rigs {
        assert_eq!(
            rig.delays(sim::LifeEvent::DriveStarted, State::Driving)
                .len(),
            40
        );
        let n = rig.n_found(|found| matches!(found, Finding::Drive(_)));
        assert_eq!(n, 40);
    }
}

/// 56
///
/// Given two sleeping cars; when half a day passes: no common phase.
#[test]
fn two_cars_of_one_account_are_out_of_step() {
    let config = GovernorConfig::metered();
    let rigs = two_cars(Preset::Metered, &config, &Plan::parked(), SECOND, 12 * HOUR);
    let [one, other] = rigs.map(|rig| rig.asks_from(Duration::ZERO, Ask::Light));
    let near = |a: &&Duration| other.iter().any(|b| a.abs_diff(*b) < SECOND);
    let n_near = one.iter().filter(near).count();
    assert!(
        n_near < one.len() / 10,
        "{n_near} of {} at the same second",
        one.len()
    );
}
