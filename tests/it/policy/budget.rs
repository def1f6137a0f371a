//! Scenarios 54 to 57: the month's budget, several cars on one account, and clocks that jump.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tesla2mqtt::model::Now;
use tesla2mqtt::policy::{
    Ask, CallClass, ClassSetting, Event, Failure, Governor, GovernorConfig, HoldReason, Input,
    MonthlyLimit, Permit, Preset, Purpose, State, User,
};
use tesla2mqtt::sim::{CarSpec, Plan};

use super::guarantees::check;
use super::rig::{DAY, HOUR, MINUTE, Rig, SECOND, What, drive, hold, life, spec};

fn calls(limit: u32) -> GovernorConfig {
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
        let ended = rig.n_events(|event| matches!(event, Event::DriveEnded { .. }));
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
            of_day = of_day.max(rig.policy.status(rig.now()).budget_factor);
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
    assert!(rig.policy.status(rig.now()).budget_factor > 1.0);
    assert_eq!(
        rig.n_events(|event| matches!(event, Event::DriveEnded { .. })),
        4
    );
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
    for (n_spent_a_day, most) in [(140, 630 * SECOND), (150, 30 * MINUTE)] {
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
        let before = rig.policy.status(rig.now()).budget_factor;
        rig.run_for(length - MINUTE);
        let late = rig.policy.status(rig.now()).budget_factor;
        assert!(
            before > 1.0 && (late > before || late >= 10.0),
            "{before} {late}"
        );
        rig.run_until(30 * DAY - MINUTE);
        check(&rig);
        let n_ended = rig.n_events(|event| matches!(event, Event::DriveEnded { .. }));
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
    assert!(rig.policy.status(rig.now()).budget_factor > 5.0);
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
        What::Failed(ask, failure) => Some((ask, failure)),
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
    for input in [Input::Hint, Input::User(User::Refresh)] {
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

fn at(text: &str) -> Now {
    let wall: Timestamp = text.parse().expect("a time");
    Now {
        mono: Duration::from_secs(1_000_000),
        wall,
    }
}

fn go(governor: &mut Governor, now: Now, class: CallClass, purpose: Purpose) -> bool {
    governor.permit(now, class, purpose) == Permit::Go
}

/// G7: parked data stops first, the first data after a wake last, and commands go on.
#[test]
fn the_less_a_call_tells_the_earlier_it_stops() {
    let config = GovernorConfig {
        data_per_minute: u32::MAX,
        ..GovernorConfig::metered()
    };
    let mut now = at("2026-06-25T12:00:00Z");
    let mut governor = Governor::new(config, now);
    let mut n_spent = 0;
    for (purpose, total) in [
        (Purpose::Parked, 3800),
        (Purpose::Charging, 3880),
        (Purpose::Driving, 3960),
        (Purpose::Change, 4000),
    ] {
        while go(&mut governor, now, CallClass::Data, purpose) {
            governor.billed(now, CallClass::Data, Some(408));
            n_spent += 1;
            now = now.later(SECOND);
        }
        assert_eq!(n_spent, total, "{purpose:?}");
    }
    let mut n_commands = 0;
    while go(&mut governor, now, CallClass::Command, Purpose::Change) {
        governor.billed(now, CallClass::Command, Some(200));
        n_commands += 1;
    }
    assert_eq!(n_commands, 2000, "two dollars are kept for commands");
    assert!(
        go(&mut governor, now, CallClass::Light, Purpose::Parked),
        "light calls are free"
    );
    assert!((governor.status(now).dollars - 10.0).abs() < 0.001);

    now.wall = at("2026-07-01T00:00:01Z").wall;
    assert!(governor.month_rolled(now));
    assert!(!governor.month_rolled(now), "once");
    assert!(go(&mut governor, now, CallClass::Data, Purpose::Parked));
}

#[test]
fn answers_from_500_are_given_back() {
    let now = at("2026-06-25T12:00:00Z");
    let mut governor = Governor::new(GovernorConfig::metered(), now);
    for status in [Some(200), Some(408), Some(429), Some(500), Some(503), None] {
        assert!(go(&mut governor, now, CallClass::Data, Purpose::Change));
        governor.billed(now, CallClass::Data, status);
    }
    assert_eq!(governor.status(now).month.data, 3);
}

/// G7: Tesla may bill a call whose answer was lost on its way.
#[test]
fn a_call_that_went_unanswered_stays_counted() {
    let now = at("2026-06-25T12:00:00Z");
    let mut governor = Governor::new(calls(10), now);
    for _ in 0..8 {
        assert!(go(&mut governor, now, CallClass::Data, Purpose::Change));
        governor.unanswered(now);
    }
    assert_eq!(governor.status(now).month.data, 8);
    assert!(!go(&mut governor, now, CallClass::Data, Purpose::Change));
}

/// Begun on the 20th at 0.20 $ a day: what is projected is that rate, not a rate since the first.
#[test]
fn the_projection_goes_by_the_days_that_were_seen() {
    let begun = at("2026-06-20T00:00:00Z");
    let mut governor = Governor::new(GovernorConfig::metered(), begun);
    for day in 0..3 {
        for call in 0..100 {
            let now = begun.later(day * DAY + call * MINUTE);
            assert!(go(&mut governor, now, CallClass::Data, Purpose::Change));
            governor.billed(now, CallClass::Data, Some(200));
        }
    }
    governor.budget(begun.later(3 * DAY));
    let status = governor.status(begun.later(3 * DAY));
    assert!((status.dollars - 0.6).abs() < 1e-6, "{status:?}");
    assert!((status.projected_dollars - 2.2).abs() < 0.01, "{status:?}");
    // The month after it was seen from its first day on.
    let august = begun.later(42 * DAY);
    assert_eq!(august.wall, at("2026-08-01T00:00:00Z").wall);
    for day in 0..3 {
        for call in 0..100 {
            let now = august.later(day * DAY + call * MINUTE);
            assert!(go(&mut governor, now, CallClass::Data, Purpose::Change));
            governor.billed(now, CallClass::Data, Some(200));
        }
    }
    governor.budget(august.later(3 * DAY));
    let status = governor.status(august.later(3 * DAY));
    assert!((status.projected_dollars - 6.2).abs() < 0.01, "{status:?}");
}

#[test]
fn the_ledger_comes_back_and_a_clock_that_falls_back_does_not_refill_it() {
    let now = at("2026-07-01T00:30:00Z");
    let mut governor = Governor::new(calls(10), now);
    for _ in 0..8 {
        assert!(go(&mut governor, now, CallClass::Data, Purpose::Change));
        governor.billed(now, CallClass::Data, Some(200));
    }
    let json = serde_json::to_string(&governor.snapshot(now)).expect("plain data");
    let snapshot = serde_json::from_str(&json).expect("comes back");
    // A machine without a clock chip starts in 1970, or an hour into the old month.
    for wall in [
        "1970-01-01T00:00:10Z",
        "2026-06-30T23:50:00Z",
        "2026-07-02T00:00:00Z",
    ] {
        let now = Now {
            mono: Duration::ZERO,
            wall: at(wall).wall,
        };
        let mut governor =
            Governor::restore(calls(10), serde_json::from_str(&json).expect("again"), now);
        assert!(
            !go(&mut governor, now, CallClass::Data, Purpose::Change),
            "{wall}"
        );
        assert!(!governor.month_rolled(now), "{wall}");
    }
    let now = Now {
        mono: Duration::ZERO,
        wall: at("2026-08-01T00:00:00Z").wall,
    };
    let mut governor = Governor::restore(calls(10), snapshot, now);
    assert!(governor.month_rolled(now));
    assert!(go(&mut governor, now, CallClass::Data, Purpose::Change));
}

#[test]
fn a_limit_met_by_one_car_stops_the_others_for_a_while() {
    let now = at("2026-06-25T12:00:00Z");
    let mut governor = Governor::new(GovernorConfig::metered(), now);
    governor.limited(now, CallClass::Data, Some(10 * MINUTE));
    assert!(!go(
        &mut governor,
        now.later(4 * MINUTE),
        CallClass::Data,
        Purpose::Change
    ));
    assert!(go(
        &mut governor,
        now.later(6 * MINUTE),
        CallClass::Data,
        Purpose::Change
    ));
    assert!(go(&mut governor, now, CallClass::Light, Purpose::Change));
    governor.over_limit(now, CallClass::Data);
    assert!(!go(
        &mut governor,
        now.later(50 * MINUTE),
        CallClass::Data,
        Purpose::Change
    ));
    assert!(governor.status(now).billing_limit);
    assert!(go(
        &mut governor,
        now.later(61 * MINUTE),
        CallClass::Data,
        Purpose::Change
    ));
    governor.over_limit(now.later(61 * MINUTE), CallClass::Data);
    assert!(!go(
        &mut governor,
        now.later(170 * MINUTE),
        CallClass::Data,
        Purpose::Change
    ));
    let next_month = Now {
        wall: at("2026-07-01T00:00:00Z").wall,
        ..now
    };
    assert!(go(
        &mut governor,
        next_month,
        CallClass::Data,
        Purpose::Change
    ));
}

/// 56
///
/// Given two cars and a cap of three a minute; when both ask: the cap holds, both are served, no
/// common phase.
#[test]
fn two_cars_of_one_account_keep_to_its_caps_and_out_of_step() {
    let config = GovernorConfig {
        light_per_minute: 3,
        ..GovernorConfig::unmetered()
    };
    let now = at("2026-06-25T12:00:00Z");
    let mut governor = Governor::new(config, now);
    let mut granted = [0u32; 2];
    for tick in 0..600 {
        let now = now.later(tick * SECOND);
        let car = usize::from(tick % 2 == 1);
        granted[car] += u32::from(go(&mut governor, now, CallClass::Light, Purpose::Parked));
    }
    assert!(granted.iter().sum::<u32>() <= 30, "{granted:?}");
    assert!(granted.iter().all(|n| *n >= 10), "fair: {granted:?}");

    let asks = ["5YJ3E1EA0JF000001", "5YJ3E1EA0JF000002"].map(|vin| {
        let vin = tesla2mqtt::model::Vin::new(vin).expect("a VIN");
        let mut rig = Rig::new(
            Preset::Metered,
            CarSpec {
                vin,
                ..spec(Plan::parked())
            },
        );
        rig.run_for(12 * HOUR);
        rig.asks_from(Duration::ZERO, Ask::Light)
    });
    let near = |a: &&Duration| asks[1].iter().any(|b| a.abs_diff(*b) < SECOND);
    let n_near = asks[0].iter().filter(near).count();
    assert!(
        n_near < asks[0].len() / 10,
        "{n_near} of {} at the same second",
        asks[0].len()
    );
}

/// 57, and G11
///
/// Given a model day; when the calendar jumps and jumps back: the same calls at the same times.
#[test]
fn jumps_of_the_calendar_change_no_interval() {
    let live = |jumps: &[(Duration, i64)]| {
        let mut rig = Rig::pinned(Preset::Metered, ClassSetting::Held, spec(Plan::model_day()));
        for (at, seconds) in jumps {
            rig.run_until(*at);
            rig.clock_error += SignedDuration::from_secs(*seconds);
        }
        rig.run_until(DAY);
        check(&rig);
        let asks: Vec<_> = rig.asks_from(Duration::ZERO, Ask::Data);
        (asks, rig.asks_from(Duration::ZERO, Ask::Light))
    };
    let steady = live(&[]);
    for jump in [3600, -3600, 40 * 86_400, -20 * 365 * 86_400] {
        let jumped = live(&[
            (8 * HOUR + 10 * MINUTE, jump),
            (18 * HOUR + 5 * MINUTE, -jump),
        ]);
        // Within a day only the hour at which a start is expected may move, by light calls.
        let moved = [(&jumped.0, &steady.0, 3), (&jumped.1, &steady.1, 80)];
        for (jumped, steady, most) in moved {
            assert!(
                jumped.len().abs_diff(steady.len()) <= most,
                "a jump by {jump} s"
            );
        }
        if jump.abs() > 3600 {
            assert_eq!(jumped, steady, "a jump by {jump} s");
        }
    }
}

/// 57: the clocks are put forward, so for a policy that lives by UTC the whole week comes an hour
/// earlier. What was learned holds no start back by more than the usual interval, and is learned
/// anew.
///
/// Given two drives a day; when the clocks change: each start seen within the usual interval.
#[test]
fn an_hour_of_summer_time_costs_the_usual_interval_for_some_days() {
    let changed_on = 7_u64;
    let deeds: Vec<_> = (0..14)
        .flat_map(|day| {
            let earlier = if day >= changed_on { 60 } else { 0 };
            let at = move |minute: u64| day * 24 * 60 + minute - earlier;
            [(at(8 * 60), drive(30)), (at(17 * 60 + 30), drive(30))]
        })
        .collect();
    let mut rig = Rig::pinned(Preset::Metered, ClassSetting::NotHeld, life(&deeds));
    rig.run_for(14 * DAY);
    check(&rig);
    let delays = rig.delays(tesla2mqtt::sim::Event::DriveStarted, State::Driving);
    assert_eq!(delays.len(), 28);
    assert!(delays.iter().all(|d| *d <= 66 * SECOND), "{delays:?}");
    for known in [&delays[6..14], &delays[20..]] {
        assert!(known.iter().all(|d| *d <= 25 * SECOND), "{delays:?}");
    }
    for day in 0..13 {
        let next = rig.asks_from(DAY * day, Ask::Light);
        let n = next.iter().filter(|at| **at < DAY * (day + 1)).count();
        assert!(n <= 1650, "{n} light calls on day {day}");
    }
}

/// 57: the host slept for eight hours; the process's clock did not count them.
///
/// Given an idle car; when the host sleeps for 8 h: no burst, the truth known within one interval.
#[test]
fn a_host_that_was_suspended_goes_on_within_one_interval() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        spec(Plan::model_day()),
    );
    rig.run_until(18 * HOUR + MINUTE);
    assert_eq!(rig.state(), State::Idle);
    rig.suspend_for(8 * HOUR);
    let at = rig.at;
    rig.run_for(2 * MINUTE);
    assert_eq!(rig.state(), State::Asleep, "{}", rig.story());
    let n_asks = rig.asks_from(at, Ask::Light).len() + rig.asks_from(at, Ask::Data).len();
    assert!(n_asks <= 5, "{n_asks}");
    assert!(rig.n_refused() <= 1);
}

#[test]
fn a_clock_that_was_in_the_far_future_once_does_not_stop_the_ledger() {
    let now = at("2099-01-01T00:00:00Z");
    let mut governor = Governor::new(calls(10), now);
    for _ in 0..8 {
        assert!(go(&mut governor, now, CallClass::Data, Purpose::Change));
        governor.billed(now, CallClass::Data, Some(200));
    }
    let now = at("2026-06-25T12:00:00Z");
    assert!(
        !go(&mut governor, now, CallClass::Data, Purpose::Change),
        "still spent"
    );
    let now = at("2026-07-01T00:00:00Z");
    assert!(
        go(&mut governor, now, CallClass::Data, Purpose::Change),
        "a new month"
    );
}

proptest! {
    /// G7: whatever is asked for, answered and lost, over restarts and small jumps of the clock.
    #[test]
    fn data_never_exceeds_its_part_of_the_budget(
        limit in 0u32..200,
        steps in proptest::collection::vec((0u8..4, 0u8..4, 0usize..6, 0u64..5000, -4000i64..4000), 1..400),
    ) {
        let classes = [CallClass::Light, CallClass::Data, CallClass::Data, CallClass::Command];
        let purposes = [Purpose::Change, Purpose::Driving, Purpose::Charging, Purpose::Parked];
        let statuses = [Some(200), Some(408), Some(429), Some(500), None, Some(403)];
        let mut now = at("2026-06-02T12:00:00Z");
        let mut governor = Governor::new(calls(limit), now);
        let mut n_billed = 0u32;
        for (class, purpose, status, seconds, jump) in steps {
            now = now.later(Duration::from_secs(seconds));
            let jumped = Now { wall: now.wall + SignedDuration::from_secs(jump), ..now };
            let class = classes[usize::from(class)];
            if go(&mut governor, jumped, class, purposes[usize::from(purpose)]) {
                governor.billed(jumped, class, statuses[status]);
                let billed = statuses[status].is_some_and(|status| status < 500);
                n_billed += u32::from(class == CallClass::Data && billed);
            }
            let factor = governor.budget(jumped).factor;
            prop_assert!((1.0..=10.0).contains(&factor));
            if seconds % 50 == 0 {
                governor = Governor::restore(calls(limit), governor.snapshot(jumped), jumped);
            }
        }
        // 400 steps of at most 5000 s stay within the month.
        prop_assert!(f64::from(n_billed) <= f64::from(limit) * 0.8 + 1e-6, "{n_billed} of {limit}");
    }
}
