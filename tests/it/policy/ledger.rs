//! The account's governor alone: what it counts, what it allows, what comes back from disk (G7).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tesla2mqtt::model::Now;
use tesla2mqtt::policy::{CallClass, Governor, GovernorConfig, Permit, Purpose};

use super::budget::calls;
use super::rig::{DAY, MINUTE, SECOND};

fn at(text: &str) -> Now {
    let wall: Timestamp = text.parse().expect("a time");
    Now {
        mono: Duration::from_secs(1_000_000),
        wall,
    }
}

/// Asks for a call.
pub fn go(governor: &mut Governor, now: Now, class: CallClass, purpose: Purpose) -> bool {
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
