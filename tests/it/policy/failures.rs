//! Scenarios 38 to 41 and 46: what fails, how long it is waited, and what goes on meanwhile.

use std::time::Duration;

use tesla2mqtt::device::{Input, Output, Saved};
use tesla2mqtt::model::{Gear, Now, Vin};
use tesla2mqtt::policy::{
    Ask, ClassSetting, Failure, LightState, PolicyConfig, Preset, Problem, State,
};
use tesla2mqtt::sim::{CarSpec, Plan};
use tesla2mqtt::trips::Finding;

use super::guarantees::check;
use super::rig::{
    DAY, HOUR, Happening, MINUTE, PlannedFailure, Rig, SECOND, TraceLine, device, drive, held,
    hold, life, spec,
};
use tesla2mqtt::policy::HoldReason;

const ZERO: Duration = Duration::ZERO;

/// Someone sits in it from 0:10 for hours: idle, and never asleep.
pub fn sat_in(hours: u64) -> CarSpec {
    life(&[(10, hold(HoldReason::UserPresent, hours * 60))])
}

pub fn metered(car: CarSpec) -> Rig {
    Rig::pinned(Preset::Metered, ClassSetting::NotHeld, car)
}

pub fn fault(
    ask: impl Into<Option<Ask>>,
    from: Duration,
    to: Duration,
    failure: Failure,
) -> PlannedFailure {
    PlannedFailure {
        from,
        to,
        ask: ask.into(),
        failure,
    }
}

/// 38
///
/// Given an idle car; when data is answered with 408: one light call, Asleep, no second data call.
#[test]
fn data_refused_in_idle_is_followed_by_one_light_call_and_sleep() {
    // Early data follows data; later data follows a light call, so the next one can wait.
    for (from, next_light) in [(31 * MINUTE + 45 * SECOND, 2), (38 * MINUTE, 60)] {
        let mut rig = metered(life(&[(10, drive(20))]));
        rig.faults
            .push(fault(Ask::Data, from, HOUR, Failure::Unavailable));
        rig.run_until(from);
        while rig.asks_from(from, Ask::Data).is_empty() {
            rig.run_for(SECOND);
        }
        rig.word = Some(LightState::Asleep);
        rig.run_for(3 * MINUTE);
        check(&rig);
        let refused = rig.asks_from(from, Ask::Data);
        assert_eq!(refused.len(), 1, "{}", rig.story());
        assert_eq!(rig.state(), State::Asleep);
        let asleep = rig.entered(State::Asleep, from).expect("asleep");
        let lights = rig.asks_from(refused[0], Ask::Light);
        let n_before = lights.iter().filter(|at| **at < asleep).count();
        assert_eq!(n_before, 1, "{}", rig.story());
        // The interval runs from the light call before the refused data.
        let waited = (lights[0] - refused[0]).as_secs();
        assert!(
            waited.abs_diff(next_light) <= 5,
            "{waited}\n{}",
            rig.story()
        );
    }
}

/// 38, and G8: a 408 is billed like an answer.
///
/// Given light calls say online; when data is answered with 408 for hours: tried less and less.
#[test]
fn data_refused_by_a_car_that_is_online_is_tried_less_and_less() {
    let mut rig = metered(life(&[(10, hold(HoldReason::UserPresent, 600))]));
    let (from, to) = (20 * MINUTE, 260 * MINUTE);
    rig.faults
        .push(fault(Ask::Data, from, to, Failure::Unavailable));
    rig.run_until(to);
    check(&rig);
    let refused = rig.asks_from(from, Ask::Data);
    let gaps: Vec<_> = refused
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs())
        .collect();
    // At once after a light call, then 30 to 60 s, doubled up to 150 to 300, each with its light.
    assert!(gaps[1] >= 30 && gaps[2] >= 60 && gaps[3] >= 120, "{gaps:?}");
    let late = &gaps[4..];
    assert!(late.iter().all(|gap| (150..=370).contains(gap)), "{gaps:?}");
    rig.run_for(10 * MINUTE);
    assert_eq!(rig.state(), State::Idle, "{}", rig.story());
    let after = rig.asks_from(to, Ask::Data);
    assert!(after.len() > 1, "{}", rig.story());
}

/// 38, and G2: nobody tells whether the car is online, so data is not tried again.
///
/// Given data was refused; when light calls fail: no data.
#[test]
fn data_refused_is_not_repeated_while_light_calls_fail() {
    let mut rig = metered(life(&[(10, drive(20))]));
    let from = 31 * MINUTE + 45 * SECOND;
    rig.faults
        .push(fault(Ask::Data, from, HOUR, Failure::Unavailable));
    rig.faults
        .push(fault(Ask::Light, from, HOUR, Failure::Transport));
    rig.run_until(HOUR);
    check(&rig);
    assert_eq!(rig.asks_from(from, Ask::Data).len(), 1, "{}", rig.story());
    assert!(rig.asks_from(from, Ask::Light).len() >= 5);
}

/// 38, and G2: a push proves that the car is connected, and still no data follows a 408 without a
/// light answer between.
///
/// Given data was refused; when a push comes: a light call before data.
#[test]
fn data_refused_is_not_repeated_on_the_word_of_a_push() {
    let mut rig = metered(life(&[(10, drive(20)), (34, drive(20))]));
    let from = 31 * MINUTE + 45 * SECOND;
    let refused = fault(Ask::Data, from, 33 * MINUTE, Failure::Unavailable);
    rig.faults.push(refused);
    rig.faults
        .push(fault(Ask::Light, from, 36 * MINUTE, Failure::Transport));
    rig.run_until(34 * MINUTE);
    rig.push(|push| push.gear = Some(Gear::D));
    assert_eq!(rig.state(), State::Driving);
    rig.run_until(36 * MINUTE);
    assert_eq!(rig.asks_from(from, Ask::Data).len(), 1, "{}", rig.story());
    rig.run_until(50 * MINUTE);
    check(&rig);
    assert!(rig.asks_from(from, Ask::Data).len() > 5, "{}", rig.story());
}

/// 39
///
/// Given 429 with each form of Retry-After; when time passes: data not before it, light each 900
/// s.
#[test]
fn a_limit_stops_data_for_as_long_as_tesla_asks() {
    // The HTTP date comes as seconds too (`api.rs`); garbage and absence come as `None`.
    let rows = [
        (Some(60), 60, 70),
        (Some(3000), 3000, 3400),
        (Some(86_400), 86_400, 95_100),
        (Some(5), 60, 70),
        (Some(1_000_000), 86_400, 95_100),
        (None, 300, 340),
    ];
    for (retry_after, least, most) in rows {
        let retry_after = retry_after.map(Duration::from_secs);
        let mut rig = metered(sat_in(40));
        let at = 30 * MINUTE;
        rig.faults.push(fault(
            Ask::Data,
            at,
            at + 4 * MINUTE,
            Failure::Limited { retry_after },
        ));
        rig.run_until(at);
        let limited = loop {
            rig.run_for(SECOND);
            if let Some(asked) = rig.asks_from(at, Ask::Data).first() {
                break *asked;
            }
        };
        rig.faults.clear();
        rig.run_until(limited + Duration::from_secs(most + 20));
        check(&rig);
        let next = rig.asks_from(limited + SECOND, Ask::Data)[0];
        let wait = (next - limited).as_secs();
        assert!(
            (least..=most).contains(&wait),
            "{retry_after:?}: {wait}\n{}",
            rig.story()
        );
        let until = limited + Duration::from_secs(least);
        // The light call of the same tick as the refused data is the first.
        let mut lights = rig.asks_from(limited - 10 * SECOND, Ask::Light);
        lights.retain(|at| *at < until);
        assert_eq!(lights.len() as u64, 1 + least / 900, "{}", rig.story());
        for pair in lights.windows(2) {
            let gap = pair[1] - pair[0];
            assert!(gap.abs_diff(900 * SECOND) <= 45 * SECOND, "{gap:?}");
        }
    }
}

/// 39: an account that is asked every few seconds because it costs nothing.
///
/// Given unmetered light calls; when one is answered with 429: one a minute for a day.
#[test]
fn light_calls_that_were_too_many_are_made_once_a_minute_for_a_day() {
    let mut rig = Rig::new(Preset::Unmetered, spec(Plan::parked()));
    rig.run_until(HOUR);
    assert!(rig.n_light() > 290, "{}", rig.n_light());
    let limited = Failure::Limited { retry_after: None };
    rig.faults
        .push(fault(Ask::Light, HOUR, HOUR + MINUTE, limited));
    rig.run_until(26 * HOUR);
    check(&rig);
    let in_hour = |hour: u32| {
        let asks = rig.asks_from(hour * HOUR, Ask::Light);
        asks.iter().filter(|at| **at < (hour + 1) * HOUR).count()
    };
    assert!((55..=65).contains(&in_hour(3)), "{}", in_hour(3));
    assert!((55..=65).contains(&in_hour(23)), "{}", in_hour(23));
    assert!(in_hour(25) > 250, "{}", in_hour(25));
}

#[test]
fn limits_without_a_wait_grow_to_an_hour() {
    let mut rig = metered(sat_in(40));
    rig.faults.push(fault(
        Ask::Data,
        20 * MINUTE,
        2 * DAY,
        Failure::Limited { retry_after: None },
    ));
    rig.run_for(DAY);
    check(&rig);
    let asks = rig.asks_from(20 * MINUTE, Ask::Data);
    let gaps: Vec<_> = asks
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs())
        .collect();
    assert!(
        gaps[0] >= 300 && gaps[1] >= 600 && gaps[2] >= 1200,
        "{gaps:?}"
    );
    assert!(
        gaps[4..].iter().all(|gap| (3600..4900).contains(gap)),
        "{gaps:?}"
    );
}

/// 39: Tesla named no wait at all, or one that was over, each time: the car was asked each minute,
/// and billed for it.
///
/// Given 429 with Retry-After 0 for a day; when light or data is asked: as rarely as without it.
#[test]
fn a_limit_that_names_no_time_is_waited_for_ever_longer() {
    for (asked, most) in [(0, 30), (1, 35), (59, 35)] {
        for ask in [None, Some(Ask::Data)] {
            let mut rig = metered(sat_in(40));
            let retry_after = Some(Duration::from_secs(asked));
            let limited = Failure::Limited { retry_after };
            rig.faults.push(fault(ask, 20 * MINUTE, 2 * DAY, limited));
            rig.run_for(DAY);
            check(&rig);
            let n_data = rig.asks_from(20 * MINUTE, Ask::Data).len();
            assert!(n_data <= most, "{n_data} data calls for {asked} s, {ask:?}");
            let n_light = rig.asks_from(20 * MINUTE, Ask::Light).len();
            assert!(n_light <= 130 || ask.is_some(), "{n_light} light calls");
            let problem = rig.status().problem;
            assert_eq!(problem, Some(Problem::Limited));
        }
    }
}

/// 40
///
/// Given a drive; when data is answered with 429: the drive stays, stale, and goes on.
#[test]
fn a_limit_during_a_drive_keeps_the_drive() {
    let mut rig = metered(life(&[(10, drive(90))]));
    let limited = Failure::Limited {
        retry_after: Some(3000 * SECOND),
    };
    rig.faults
        .push(fault(Ask::Data, 20 * MINUTE, 22 * MINUTE, limited));
    rig.run_until(50 * MINUTE);
    assert_eq!(rig.state(), State::Driving);
    assert!(rig.status().stale);
    rig.run_until(85 * MINUTE);
    assert_eq!(rig.state(), State::Driving);
    assert!(!rig.status().stale);
    rig.run_until(2 * HOUR);
    check(&rig);
    let n_drives = rig.n_found(|found| matches!(found, Finding::DriveStarted(_)));
    assert_eq!(n_drives, 1);
}

/// 41
///
/// Given Tesla answers 5xx for 2 h; when two cars ask: gaps grow to 900 s, spread, out of step.
#[test]
fn an_outage_of_tesla_is_waited_out_ever_more_slowly() {
    let mut asks_of_cars = Vec::new();
    for vin in ["5YJ3E1EA0JF000001", "5YJ3E1EA0JF000002"] {
        let mut rig = metered(CarSpec {
            vin: Vin::new(vin).expect("a VIN"),
            ..sat_in(6)
        });
        rig.faults
            .push(fault(None, HOUR, 3 * HOUR, Failure::Server));
        rig.run_until(3 * HOUR);
        for ask in [Ask::Light, Ask::Data] {
            let asks = rig.asks_from(HOUR, ask);
            let gaps: Vec<_> = asks.windows(2).map(|pair| pair[1] - pair[0]).collect();
            // From one failure to the next, and its answer.
            assert!(gaps.iter().all(|gap| *gap <= 901 * SECOND), "{gaps:?}");
            assert!(asks.len() <= 20, "{}", asks.len());
            if ask == Ask::Light {
                assert!(gaps.iter().any(|gap| *gap > 450 * SECOND), "{gaps:?}");
                assert!(gaps.len() >= 7, "{gaps:?}");
                assert!(gaps[..6].is_sorted(), "{gaps:?}");
            }
        }
        asks_of_cars.push(rig.asks_from(HOUR, Ask::Light));
        rig.run_until(4 * HOUR);
        check(&rig);
        assert_eq!(rig.state(), State::Idle);
        assert!(rig.asks_from(3 * HOUR + 20 * MINUTE, Ask::Data).len() > 10);
    }
    let in_step = asks_of_cars[0]
        .iter()
        .zip(&asks_of_cars[1])
        .filter(|(a, b)| a.abs_diff(**b) < SECOND);
    assert!(in_step.count() <= 2, "{asks_of_cars:?}");
}

/// 46, and G3
///
/// Given a car in Quiet; when light calls fail: no data, the deadline unchanged.
#[test]
fn errors_in_quiet_do_not_move_its_deadline() {
    let car = CarSpec {
        time_to_sleep: 40 * MINUTE,
        ..held(life(&[(10, drive(20))]))
    };
    let look = |failure: Option<Failure>| {
        let mut rig = Rig::pinned(Preset::Metered, ClassSetting::Held, car.clone());
        if let Some(failure) = failure {
            rig.faults
                .push(fault(Ask::Light, 36 * MINUTE, 42 * MINUTE, failure));
        }
        rig.run_until(HOUR);
        check(&rig);
        let failed = |line: &&TraceLine| matches!(line.what, Happening::Failed(..));
        let n_failed = rig.trace.iter().filter(failed).count();
        assert_eq!(n_failed > 0, failure.is_some(), "{failure:?}");
        let quiet = rig.entered(State::Quiet, ZERO).expect("quiet");
        rig.asks_from(quiet, Ask::Data)[0] - quiet
    };
    let limited = Failure::Limited {
        retry_after: Some(MINUTE),
    };
    let deadline = 18 * MINUTE;
    for failure in [
        None,
        Some(Failure::Transport),
        Some(Failure::Server),
        Some(Failure::Unavailable),
        Some(limited),
    ] {
        // The light call of the look comes first.
        let look = look(failure);
        assert!(
            (deadline..=deadline + 3 * SECOND).contains(&look),
            "{failure:?}: {look:?}"
        );
    }
}

/// A data call lost in the middle of a look is not repeated at once.
#[test]
fn a_look_that_fails_is_put_off() {
    let car = CarSpec {
        time_to_sleep: 40 * MINUTE,
        ..held(life(&[(10, drive(20))]))
    };
    let mut rig = Rig::pinned(Preset::Metered, ClassSetting::Held, car);
    rig.faults
        .push(fault(Ask::Data, 36 * MINUTE, 2 * HOUR, Failure::Transport));
    rig.run_until(80 * MINUTE);
    check(&rig);
    let asks = rig.asks_from(36 * MINUTE, Ask::Data);
    assert!(asks.len() >= 3, "{asks:?}");
    assert!(
        asks.windows(2).all(|pair| pair[1] - pair[0] >= 5 * MINUTE),
        "{asks:?}"
    );
}

/// 18, and G8: our own wait after a failure is passed over, a wait that Tesla asked for is not.
///
/// Given light calls fail; when a hint comes in the middle of a wait: one try at once, none within
/// a Retry-After.
#[test]
fn a_hint_does_not_wait_for_our_own_back_off() {
    let limited = Failure::Limited {
        retry_after: Some(20 * MINUTE),
    };
    for (failure, n_expected) in [
        (Failure::Transport, 1),
        (Failure::Server, 1),
        (limited, 0),
        (Failure::Refused, 0),
    ] {
        for car in [
            spec(Plan::parked()),
            life(&[(10, hold(HoldReason::UserPresent, 600))]),
        ] {
            let mut rig = metered(car);
            rig.run_until(HOUR);
            rig.faults.push(fault(Ask::Light, HOUR, 2 * HOUR, failure));
            rig.run_until(HOUR + 19 * MINUTE);
            let failed = rig.asks_from(HOUR, Ask::Light);
            // In the middle of a long wait.
            let last = *failed.last().expect("asked");
            rig.run_until((last + 16 * SECOND).max(rig.at));
            let at = rig.at;
            rig.hear(Input::Hint).run_for(5 * SECOND);
            let asks = rig.asks_from(at, Ask::Light);
            assert_eq!(asks.len(), n_expected, "{failure:?}\n{}", rig.story());
            for _ in 0..50 {
                rig.hear(Input::Hint).run_for(SECOND);
            }
            check(&rig);
            let asks = rig.asks_from(at, Ask::Light);
            assert!(asks.len() <= n_expected * 5, "{asks:?}");
        }
    }
}

/// The runner died in the middle of a call.
#[test]
fn an_answer_that_never_comes_is_given_up() {
    let vin = Vin::new(super::rig::VIN).expect("a VIN");
    let mut now = Now {
        mono: ZERO,
        wall: "2026-06-01T00:00:00Z".parse().expect("a time"),
    };
    let mut device = device(&vin, PolicyConfig::default(), Saved::default(), 1, now);
    let mut asks = Vec::new();
    while now.mono < HOUR {
        match device.poll(now) {
            Output::Call(call) => asks.push((now.mono, call.class)),
            Output::Wait { until, .. } => now = now.later(until.saturating_sub(now.mono)),
            _ => {}
        }
    }
    assert!((3..15).contains(&asks.len()), "{asks:?}");
    assert!(asks.iter().all(|(_, ask)| *ask == Ask::Light));
}
