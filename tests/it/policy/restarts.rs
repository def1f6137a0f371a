//! Scenarios 47 and 48: the process is killed and starts again.

use std::time::Duration;

use tesla2mqtt::policy::{
    Ask, ClassSetting, Failure, GovernorConfig, HoldReason, Preset, State, User,
};
use tesla2mqtt::sim::{CarSpec, Deed};
use tesla2mqtt::trips::{Finding, Missed};

use super::guarantees::check;
use super::rig::{
    DAY, HOUR, MINUTE, PlannedFailure, Rig, SECOND, charge, dead_zone, drive, held, hold, life,
};

/// A rig in each of the twelve states.
fn in_state(state: State) -> Rig {
    let sat_in = || life(&[(10, hold(HoldReason::UserPresent, 600))]);
    let (car, until) = match state {
        State::Boot => (life(&[(600, drive(1))]), Duration::ZERO),
        State::Asleep => (life(&[(600, drive(1))]), 20 * MINUTE),
        State::Unreachable => (life(&[(10, drive(10)), (15, dead_zone(300))]), 50 * MINUTE),
        State::Waking | State::Idle | State::Paused | State::AuthLost => (sat_in(), 30 * MINUTE),
        State::Quiet => (held(life(&[(10, drive(20))])), 38 * MINUTE),
        State::Driving => (life(&[(10, drive(300))]), 30 * MINUTE),
        State::Charging => (life(&[(10, charge(300, 3.0))]), 30 * MINUTE),
        State::Updating => {
            let update = Deed::Update {
                download: MINUTE,
                install: 3 * HOUR,
            };
            (life(&[(10, update)]), 30 * MINUTE)
        }
        State::InService => (life(&[(10, Deed::Service { length: DAY })]), 60 * MINUTE),
    };
    let class = if car.held {
        ClassSetting::Held
    } else {
        ClassSetting::NotHeld
    };
    let mut rig = Rig::pinned(Preset::Metered, class, car).governed(GovernorConfig::metered());
    match state {
        State::AuthLost => rig.faults.push(PlannedFailure {
            from: 15 * MINUTE,
            to: DAY,
            ask: None,
            failure: Failure::SignedOut,
        }),
        State::Waking => rig.faults.push(PlannedFailure {
            from: Duration::ZERO,
            to: DAY,
            ask: Some(Ask::Data),
            failure: Failure::Server,
        }),
        _ => {}
    }
    rig.run_until(until);
    if state == State::Paused {
        rig.user(User::Pause).run_for(SECOND);
    }
    rig
}

const STATES: [State; 12] = [
    State::Boot,
    State::Asleep,
    State::Unreachable,
    State::Waking,
    State::Idle,
    State::Quiet,
    State::Driving,
    State::Charging,
    State::Updating,
    State::InService,
    State::Paused,
    State::AuthLost,
];

/// 47, and G9
///
/// Given each of the twelve states; when the process restarts: the same state, at most one light
/// call in 12 s, no data in Quiet, the ledger as it was.
#[test]
fn a_restart_costs_one_light_call_and_forgets_nothing() {
    for state in STATES {
        let mut rig = in_state(state);
        assert_eq!(rig.state(), state, "{}", rig.story());
        let at = rig.at;
        let n_billed = rig.n_billed_data();
        rig.restart_after(2 * SECOND);
        assert_eq!(rig.state(), state, "restored");
        assert_eq!(rig.n_billed_data(), n_billed, "{state}");
        rig.run_for(12 * SECOND);
        check(&rig);
        let n_more = rig.asks_from(at, Ask::Data).len();
        assert!(n_more == 0 || state != State::Quiet, "{}", rig.story());
        let lights = rig.asks_from(at, Ask::Light);
        assert!(lights.len() <= 1, "{state}: {lights:?}");
        assert!(lights.iter().all(|light| *light <= at + 13 * SECOND));
        let expected = if state == State::Boot {
            State::Asleep
        } else {
            state
        };
        assert_eq!(rig.state(), expected, "{}", rig.story());
    }
}

/// 47
///
/// Given each of the twelve states; when 20 restarts in 10 min: at most 20 light and 2 data calls.
#[test]
fn a_crash_loop_costs_a_light_call_a_start_and_two_data_calls() {
    for state in STATES {
        let mut rig = in_state(state);
        let at = rig.at;
        for _ in 0..20 {
            rig.restart_after(SECOND);
            rig.run_for(29 * SECOND);
        }
        check(&rig);
        let (n_light, n_data) = (
            rig.asks_from(at, Ask::Light).len(),
            rig.asks_from(at, Ask::Data).len(),
        );
        assert!(n_light <= 20, "{state}: {n_light} light");
        assert!(n_data <= 2, "{state}: {n_data} data\n{}", rig.story());
    }
}

/// 47, and G3: the deadline of Quiet comes back from disk.
///
/// Given a car in Quiet; when the process restarts: the look comes at the old deadline.
#[test]
fn quiet_outlasts_restarts() {
    let car = CarSpec {
        time_to_sleep: 25 * MINUTE,
        ..held(life(&[(10, drive(20))]))
    };
    let look = |restarts: u32| {
        let mut rig = Rig::pinned(Preset::Metered, ClassSetting::Held, car.clone());
        rig.run_until(35 * MINUTE);
        assert_eq!(rig.state(), State::Quiet);
        for _ in 0..restarts {
            rig.restart_after(5 * SECOND).run_for(3 * MINUTE);
        }
        rig.run_until(HOUR);
        check(&rig);
        rig.asks_from(35 * MINUTE, Ask::Data)[0]
    };
    let (undisturbed, disturbed) = (look(0), look(2));
    assert!(
        disturbed.abs_diff(undisturbed) <= 5 * SECOND,
        "{disturbed:?} not {undisturbed:?}"
    );
}

/// 48
///
/// Given a sleeping car; when the bridge is down for 3 h, in which the car drives and parks: Waking
/// and data within 15 s, one missed drive with its distance.
#[test]
fn what_happened_while_we_were_down_is_corrected() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        life(&[(10, drive(20)), (225, drive(30))]),
    );
    rig.run_until(80 * MINUTE);
    assert_eq!(rig.state(), State::Asleep);
    rig.restart_after(3 * HOUR);
    let at = rig.at;
    rig.run_for(15 * SECOND);
    let states: Vec<_> = rig.diary().into_iter().filter(|(t, _)| *t >= at).collect();
    let states: Vec<_> = states.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [State::Waking, State::Idle], "{}", rig.story());
    assert_eq!(rig.asks_from(at, Ask::Data).len(), 1);
    rig.run_for(30 * MINUTE);
    check(&rig);
    let missed: Vec<_> = rig
        .found()
        .filter_map(|(_, found)| match found {
            Finding::MissedDrive(Missed { from, to }) => Some(to.odometer_mi? - from.odometer_mi?),
            _ => None,
        })
        .collect();
    assert_eq!(missed.len(), 1, "{}", rig.story());
    // 30 km.
    assert!((missed[0] - 18.64).abs() < 0.01, "{missed:?}");
}
