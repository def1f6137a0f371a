//! Scenarios 54 and 55: the month's budget.

use std::time::Duration;

use tesla2mqtt::device::Input;
use tesla2mqtt::policy::{
    Ask, CallClass, ClassSetting, Failure, GovernorConfig, HoldReason, MonthlyLimit, Preset,
    Purpose, State, User,
};
use tesla2mqtt::sim::Plan;
use tesla2mqtt::trips::Finding;

use super::guarantees::check;
use super::ledger::go;
use super::rig::{DAY, HOUR, Happening, MINUTE, Rig, SECOND, drive, hold, life, spec};

pub fn calls(limit: u32) -> GovernorConfig {
    GovernorConfig {
        limit: Some(MonthlyLimit::DataCalls(limit)),
        ..GovernorConfig::metered()
    }
}

/// 54, and G7
///
/// Given a budget of 5000 calls or 10 $; when thirty model days pass: at most 4000 data calls,
/// every drive seen.
#[test]
fn a_month_of_model_days_stays_within_the_budget() {
    for config in [calls(5000), GovernorConfig::metered()] {
        let mut rig = Rig::pinned(
            Preset::Metered,
            ClassSetting::NotHeld,
            spec(Plan::model_day()),
        )
        .governed(config);
        rig.run_for(30 * DAY - MINUTE);
        check(&rig);
        let n_data = rig.n_data();
        println!("a month of model days under a budget: {n_data} data calls");
        assert!((3600..=4000).contains(&n_data), "{n_data}");
        // To the last day the first data after a wake and the ends of drives are seen.
        let n_driven = rig
            .diary()
            .iter()
            .filter(|(_, state)| *state == State::Driving)
            .count();
        assert_eq!(n_driven, 4 * 30);
        let ended = rig.n_found(|found| matches!(found, Finding::Drive(_)));
        assert_eq!(ended, 4 * 30);
    }
}

/// 54: the last day of a month is a day like the others, to its evening.
///
/// Given 10 $ and model days; when the 30th comes: its factor is that of the days before.
#[test]
fn the_last_evening_of_a_month_is_not_stretched_more_than_the_days_before() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        spec(Plan::model_day()),
    )
    .governed(GovernorConfig::metered());
    let mut worst = Vec::new();
    for day in 0..30 {
        let mut of_day: f64 = 1.0;
        for _ in 0..24 {
            rig.run_for(HOUR - SECOND);
            of_day = of_day.max(rig.status().budget_factor);
            rig.run_for(SECOND);
        }
        assert!(of_day < 3.0, "{of_day} on day {}", day + 1);
        worst.push(of_day);
    }
    let before = worst[20..29].iter().fold(1.0, |a: f64, b| a.max(*b));
    assert!(worst[29] <= before * 1.2, "{worst:?}");
}

/// 55, and G7
///
/// Given a budget nearly spent; when a long trip begins: longer intervals, its end seen, the
/// budget kept.
#[test]
fn a_long_trip_on_a_spent_budget_is_followed_to_its_end() {
    let mut trip = Plan::model_day();
    trip.segments.clear();
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        life(&[
            (60, drive(300)),
            (24 * 60, drive(600)),
            (48 * 60, drive(600)),
            (72 * 60, drive(420)),
        ]),
    )
    .governed(calls(1600));
    rig.run_for(4 * DAY);
    check(&rig);
    let n_data = rig.n_data();
    assert!(n_data <= 1280, "{n_data}");
    assert!(rig.status().budget_factor > 1.0);
    assert_eq!(rig.n_found(|found| matches!(found, Finding::Drive(_))), 4);
    let last = rig
        .trace
        .iter()
        .rev()
        .find(|line| line.state == State::Driving)
        .expect("driven");
    let end = 72 * HOUR + 420 * MINUTE;
    assert!(last.at < end + 30 * MINUTE, "{:?}", last.at);
}

/// 55, and G7
///
/// Given on the 25th 84 or 90 % of what data may have are spent; when a trip of 5 h begins: the
/// factor grows, the trip's end is seen, the budget kept.
#[test]
fn a_long_trip_late_in_the_month_is_followed_to_its_end() {
    let (start, length) = (24 * DAY + 8 * HOUR, 5 * HOUR);
    let trip = life(&[(10, drive(20)), (start.as_secs() / 60, drive(5 * 60))]);
    for (n_spent_a_day, most) in [(140, 630 * SECOND), (150, 630 * SECOND)] {
        let config = GovernorConfig {
            data_per_minute: u32::MAX,
            ..calls(5000)
        };
        let mut rig =
            Rig::pinned(Preset::Metered, ClassSetting::NotHeld, trip.clone()).governed(config);
        for day in 1..=24 {
            rig.run_until(day * DAY - HOUR);
            spend(&mut rig, u64::from(day) * n_spent_a_day, Purpose::Driving);
        }
        rig.run_until(start);
        assert_eq!(rig.n_billed_data(), 24 * n_spent_a_day);
        let before = rig.status().budget_factor;
        rig.run_for(length - MINUTE);
        let late = rig.status().budget_factor;
        assert!(
            before > 1.0 && (late > before || late >= 10.0),
            "{before} {late}"
        );
        rig.run_until(30 * DAY - MINUTE);
        check(&rig);
        let n_ended = rig.n_found(|found| matches!(found, Finding::Drive(_)));
        assert_eq!(n_ended, 2);
        let end = start + length;
        let mut changes = rig.diary().into_iter().map(|(at, _)| at);
        let seen = changes.find(|at| *at >= end).expect("the end of the trip");
        assert!(seen - end <= most, "{:?}", seen - end);
        assert!(rig.n_billed_data() <= 4000, "{}", rig.n_billed_data());
    }
}

/// Spends data calls until the ledger shows so many.
fn spend(rig: &mut Rig, total: u64, purpose: Purpose) {
    let now = rig.now();
    for _ in rig.n_billed_data()..total {
        let governor = rig.governor.as_mut().expect("governed");
        assert!(go(governor, now, CallClass::Data, purpose));
    }
}

fn driven_on(rig: &Rig, day: u32) -> usize {
    let of_day = DAY * day..DAY * (day + 1);
    let diary = rig.diary();
    let seen = |(at, state): &&(Duration, State)| *state == State::Driving && of_day.contains(at);
    diary.iter().filter(seen).count()
}

/// 55, and G7: thirty drives a day need eight times the budget.
///
/// Given ten dollars and a taxi; when the month passes: the factor grows on the first day, drives
/// are seen on every day.
#[test]
fn a_taxi_is_followed_by_long_intervals_and_not_blindly_from_the_23rd_on() {
    let mut rig = Rig::pinned(Preset::Metered, ClassSetting::NotHeld, spec(Plan::taxi()))
        .governed(GovernorConfig::metered());
    rig.run_until(DAY);
    let first_day = rig.n_data();
    assert!(first_day <= 330, "the first day is stretched: {first_day}");
    assert!(rig.status().budget_factor > 5.0);
    rig.run_until(30 * DAY - MINUTE);
    check(&rig);
    let n_data = rig.n_data();
    assert!((3600..=4000).contains(&n_data), "{n_data}");
    for day in 0..30 {
        let n = driven_on(&rig, day);
        // Two drives with eight minutes between may look like one.
        assert!(n >= 12, "{n} of 30 drives seen on day {}", day + 1);
    }
}

/// G7: four data calls a day, where even the longest intervals want more.
#[test]
fn a_budget_far_too_small_dims_every_day_and_ends_none() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        spec(Plan::model_day()),
    )
    .governed(calls(150));
    rig.run_for(30 * DAY - MINUTE);
    check(&rig);
    assert!(rig.n_data() <= 120, "{}", rig.n_data());
    let days: Vec<usize> = (0..30).map(|day| driven_on(&rig, day)).collect();
    assert!(days.iter().all(|n| *n >= 1), "{days:?}");
}

/// A sat-in car under a budget of which 770 of 800 data calls are spent: parked data has stopped.
fn parked_data_has_stopped() -> Rig {
    let config = GovernorConfig {
        data_per_minute: u32::MAX,
        ..calls(1000)
    };
    let sat_in = life(&[(10, hold(HoldReason::UserPresent, 600))]);
    let mut rig = Rig::pinned(Preset::Metered, ClassSetting::NotHeld, sat_in).governed(config);
    rig.run_until(20 * MINUTE);
    spend(&mut rig, 770, Purpose::Change);
    rig.run_for(2 * HOUR);
    let last = rig.trace.iter().rev().find_map(|line| match line.what {
        Happening::Failed(ask, failure) => Some((ask, failure)),
        _ => None,
    });
    assert!(
        matches!(last, Some((Ask::Data, Failure::NotPermitted { .. }))),
        "{}",
        rig.story()
    );
    rig
}

/// 54: what parked data may not have, a look that somebody asks for may.
///
/// Given parked data was refused by the budget; when a hint or a refresh comes: data within 5 s.
#[test]
fn a_hint_does_not_wait_for_what_was_refused_to_a_parked_car() {
    for input in [Input::Hint, Input::Owner(User::Refresh)] {
        let mut rig = parked_data_has_stopped();
        let at = rig.at;
        rig.hear(input).run_for(5 * SECOND);
        check(&rig);
        assert_eq!(rig.asks_from(at, Ask::Data).len(), 1, "{}", rig.story());
    }
}

/// 54: the wait of an hour for a refused call ends with its cause.
///
/// Given parked data was refused by the budget; when the month or the budget changes: data within
/// a minute.
#[test]
fn a_new_budget_or_month_is_spent_at_once() {
    for is_new_month in [false, true] {
        let mut rig = parked_data_has_stopped();
        let at = rig.at;
        let governor = rig.governor.as_mut().expect("governed");
        governor.reconfigure(GovernorConfig::unmetered());
        let news = if is_new_month {
            Input::MonthRolled
        } else {
            Input::BudgetChanged
        };
        rig.hear(news).run_for(MINUTE);
        check(&rig);
        assert_eq!(rig.asks_from(at, Ask::Data).len(), 1, "{}", rig.story());
    }
}

/// A budget of nothing leaves the light calls.
#[test]
fn without_a_budget_there_is_no_data() {
    let mut rig = Rig::new(Preset::Metered, spec(Plan::model_day())).governed(calls(0));
    rig.run_for(2 * DAY);
    check(&rig);
    assert_eq!(rig.n_data(), 0);
    assert!(rig.n_light() > 2000);
    assert!(rig.n_light() < 4000, "{}", rig.n_light());
}

/// A call that the budget refused was not made, and is not counted as one of today's.
#[test]
fn refused_calls_are_no_calls_of_today() {
    let sat_in = life(&[(10, hold(HoldReason::UserPresent, 600))]);
    let mut rig = Rig::pinned(Preset::Metered, ClassSetting::NotHeld, sat_in).governed(calls(0));
    rig.run_until(6 * HOUR);
    check(&rig);
    assert_eq!(rig.n_data(), 0);
    let status = rig.status();
    assert_eq!(status.data_calls_today, 0);
}
