//! Scenario 57: month ends, calendars that jump, hosts that sleep.

use std::time::Duration;

use jiff::SignedDuration;
use tesla2mqtt::device::Input;
use tesla2mqtt::policy::{Ask, ClassSetting, HoldReason, Preset, State};
use tesla2mqtt::sim::{self, Plan};

use super::budget::calls;
use super::guarantees::check;
use super::rig::{DAY, HOUR, Happening, MINUTE, Rig, SECOND, TraceLine, drive, hold, life, spec};

/// 57, and G11
///
/// Given a model day; when the calendar jumps and jumps back: no burst, no longer gap between two
/// calls than without; by more than a day: the same calls at the same times.
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
        assert!(
            longest_gap(&jumped) <= longest_gap(&steady) + SECOND,
            "a jump by {jump} s: {:?}",
            longest_gap(&jumped)
        );
        if jump.abs() > 3600 {
            assert_eq!(jumped, steady, "a jump by {jump} s");
        }
    }
}

fn longest_gap((data, light): &(Vec<Duration>, Vec<Duration>)) -> Duration {
    let mut asks: Vec<_> = data.iter().chain(light).collect();
    asks.sort_unstable();
    let gaps = asks.windows(2).map(|pair| *pair[1] - *pair[0]);
    gaps.max().unwrap_or_default()
}

/// 57
///
/// Given a sleeping car, or one that someone sits in; when a month ends: a call a minute all the
/// while, no more data in the hour after than in the hour before and two.
#[test]
fn a_new_month_is_no_burst_and_no_pause() {
    let sat_in = life(&[(29 * 24 * 60, hold(HoldReason::UserPresent, 3 * 24 * 60))]);
    for car in [spec(Plan::parked()), sat_in] {
        let mut rig =
            Rig::pinned(Preset::Metered, ClassSetting::NotHeld, car).governed(calls(5000));
        let new_month = 30 * DAY;
        rig.run_until(new_month + HOUR);
        check(&rig);
        let rolled = |line: &&TraceLine| matches!(line.what, Happening::Heard(Input::MonthRolled));
        assert_eq!(rig.trace.iter().filter(rolled).count(), 1);
        let mut asks = rig.asks_from(new_month - HOUR, Ask::Light);
        let data = rig.asks_from(new_month - HOUR, Ask::Data);
        let n_after = data.iter().filter(|at| **at >= new_month).count();
        assert!(n_after <= data.len() - n_after + 2, "{data:?}");
        asks.extend(data);
        asks.sort_unstable();
        assert!(asks.len() >= 110, "{}", asks.len());
        for pair in asks.windows(2) {
            assert!(pair[1] - pair[0] <= 63 * SECOND, "{asks:?}");
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
    let delays = rig.delays(sim::LifeEvent::DriveStarted, State::Driving);
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
    // By the process's clock the last answer is new, so one data call may be refused.
    rig.run_for(2 * MINUTE);
    assert_eq!(rig.state(), State::Asleep, "{}", rig.story());
    let asleep = rig.entered(State::Asleep, at).expect("the truth");
    assert!(asleep - at <= 63 * SECOND, "{:?}", asleep - at);
    let n_asks = rig.asks_from(at, Ask::Light).len() + rig.asks_from(at, Ask::Data).len();
    assert!(n_asks <= 5, "{n_asks}");
    assert!(rig.n_refused() <= 1);
}
