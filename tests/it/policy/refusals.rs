//! Scenarios 42 to 45: what Tesla refuses until somebody acts: no login, no money, no scope, no car.

use std::time::Duration;

use tesla2mqtt::decode::vehicle_data::LOCATION;
use tesla2mqtt::device::{Call, Input};
use tesla2mqtt::policy::{Ask, Event, Failure, GovernorConfig, LightState, Problem, State, User};
use tesla2mqtt::sim::Plan;
use tesla2mqtt::trips::Finding;

use super::failures::{fault, metered, sat_in};
use super::guarantees::check;
use super::rig::{DAY, HOUR, Happening, MINUTE, Rig, SECOND, TraceLine, drive, life, spec};

const ZERO: Duration = Duration::ZERO;

/// 42; the one refresh and its own retries are the account's business (`login_refresh.rs`).
///
/// Given a car; when the login is lost: AuthLost, tries 300 to 3600 s apart, data after the sign-
/// in.
#[test]
fn a_lost_login_stops_data_and_is_tried_ever_more_rarely() {
    let mut rig = metered(sat_in(40));
    rig.faults
        .push(fault(None, HOUR, 2 * DAY, Failure::SignedOut));
    rig.run_until(13 * HOUR);
    assert_eq!(rig.state(), State::AuthLost);
    assert_eq!(rig.status().problem, Some(Problem::SignedOut));
    let lost = rig.entered(State::AuthLost, ZERO).expect("lost");
    assert_eq!(rig.asks_from(lost, Ask::Data), Vec::<Duration>::new());
    let asks = rig.asks_from(lost, Ask::Light);
    let gaps: Vec<_> = asks
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs())
        .collect();
    assert!(
        gaps.iter().all(|gap| (150..=3600).contains(gap)),
        "{gaps:?}"
    );
    assert!((10..40).contains(&asks.len()), "{}", asks.len());
    rig.faults.clear();
    rig.hear(Input::SignedIn);
    rig.run_for(2 * MINUTE);
    check(&rig);
    assert_eq!(rig.state(), State::Idle);
    assert_eq!(rig.status().problem, None);
}

/// 43
///
/// Given 403 EXCEEDED_LIMIT on the 20th; when the month goes on: at most 12 tries a day, back on
/// the 1st.
#[test]
fn the_billing_limit_is_probed_rarely_until_the_month_ends() {
    let mut rig = metered(sat_in(24 * 40)).governed(GovernorConfig::unmetered());
    let over = 19 * DAY + 12 * HOUR;
    rig.faults
        .push(fault(None, over, 30 * DAY, Failure::BillingLimit));
    rig.run_until(30 * DAY);
    assert_eq!(rig.status().problem, Some(Problem::BillingLimit));
    for day in 19..30 {
        let tries = asks_in(&rig, day, Ask::Light, over) + asks_in(&rig, day, Ask::Data, over);
        assert!((1..=12).contains(&tries), "{tries} tries on day {day}");
    }
    rig.run_until(30 * DAY + 10 * MINUTE);
    check(&rig);
    assert!(
        rig.asks_from(30 * DAY, Ask::Data).len() >= 3,
        "{}",
        rig.story()
    );
    assert_eq!(rig.status().problem, None);
}

/// Calls of a day, from a time on.
fn asks_in(rig: &Rig, day: u32, ask: Ask, from: Duration) -> usize {
    let asks = rig.asks_from(from.max(day * DAY), ask);
    asks.iter().filter(|at| **at < (day + 1) * DAY).count()
}

/// 43: Tesla refuses data only.
///
/// Given 403 EXCEEDED_LIMIT for data on the 20th; when the month goes on: at most 12 data calls a
/// day, light calls as before, data on the 1st.
#[test]
fn a_billing_limit_of_data_leaves_the_light_calls() {
    let mut rig = metered(sat_in(24 * 40)).governed(GovernorConfig::unmetered());
    let over = 19 * DAY + 12 * HOUR;
    rig.faults
        .push(fault(Ask::Data, over, 30 * DAY, Failure::BillingLimit));
    rig.run_until(30 * DAY);
    for day in 19..30 {
        let tries = asks_in(&rig, day, Ask::Data, over);
        assert!((1..=12).contains(&tries), "{tries} tries on day {day}");
        assert!(asks_in(&rig, day, Ask::Light, over) > 600);
    }
    rig.run_until(30 * DAY + 10 * MINUTE);
    check(&rig);
    assert!(rig.asks_from(30 * DAY, Ask::Data).len() >= 3);
}

/// 44
///
/// Given 403 for the location scope; when data is asked: the endpoint is dropped, the rest goes
/// on.
#[test]
fn a_missing_scope_costs_the_location_and_nothing_else() {
    let mut rig = metered(sat_in(4));
    rig.faults.push(fault(
        Ask::Data,
        30 * MINUTE,
        33 * MINUTE,
        Failure::MissingScope,
    ));
    rig.run_until(30 * MINUTE);
    assert!(asked_for_position(&rig));
    while n_failed(&rig, Failure::MissingScope) == 0 {
        rig.run_for(SECOND);
    }
    rig.faults.clear();
    let at = rig.at;
    rig.run_for(10 * MINUTE);
    check(&rig);
    assert_eq!(n_failed(&rig, Failure::MissingScope), 1);
    assert!(!asked_for_position(&rig));
    let served = |line: &&TraceLine| line.at > at && matches!(line.what, Happening::Served(_));
    assert!(rig.trace.iter().filter(served).count() >= 4);
    rig.reconfigure(rig.config.clone());
    next_data(&mut rig);
    assert!(asked_for_position(&rig));
}

/// Whether the last data call asked for the position, too.
fn asked_for_position(rig: &Rig) -> bool {
    let (_, last) = rig.calls(Ask::Data).next_back().expect("a data call");
    last.endpoints.contains(&LOCATION)
}

fn n_failed(rig: &Rig, failure: Failure) -> usize {
    let is_it = |line: &&TraceLine| matches!(line.what, Happening::Failed(_, of) if of == failure);
    rig.trace.iter().filter(is_it).count()
}

/// Runs to the next data call.
fn next_data(rig: &mut Rig) {
    let n_before = rig.n_data();
    while rig.n_data() == n_before {
        rig.run_for(SECOND);
    }
}

/// 44: it was never asked for again before a restart, and the map stood still for days.
///
/// Given one 403 for a scope; when an hour has passed: the position is asked for again. Where the
/// token itself has the scope: within a minute. While it stays refused: ever later.
#[test]
fn a_refused_position_is_asked_for_again_ever_later() {
    for (failure, soon) in [
        (Failure::MissingScope, 66 * MINUTE),
        (Failure::Doubted, MINUTE),
    ] {
        let mut rig = metered(sat_in(60));
        let fault = fault(Ask::Data, 30 * MINUTE, 33 * MINUTE, failure);
        rig.faults.push(fault);
        rig.run_until(30 * MINUTE);
        while n_failed(&rig, failure) == 0 {
            rig.run_for(SECOND);
        }
        rig.faults.clear();
        let at = rig.at;
        rig.run_for(soon);
        let is_rest =
            |(then, call): &(Duration, &Call)| *then >= at && !call.endpoints.contains(&LOCATION);
        let n_rest = rig.calls(Ask::Data).filter(is_rest).count();
        assert!(n_rest >= 1, "{failure:?}: the rest goes on meanwhile");
        next_data(&mut rig);
        assert!(asked_for_position(&rig), "{failure:?}");
        rig.run_for(HOUR);
        check(&rig);
        let stays = asked_for_position(&rig);
        assert!(stays, "{failure:?}: allowed, it stays wanted");
    }
}

/// One refusal is no verdict (owners' reports): it was waited for up to an hour in the middle of a
/// drive, because Tesla had once or twice said 403 to a login that had just worked.
///
/// Given a drive; when two data calls are refused: data again within a minute or so, a problem
/// meanwhile, the drive goes on.
#[test]
fn a_refusal_of_what_has_just_worked_is_tried_again_within_a_minute() {
    for failure in [
        Failure::Doubted,
        Failure::Refused,
        Failure::MissingScope,
        Failure::NotFound,
    ] {
        let mut rig = metered(life(&[(10, drive(90))]));
        rig.run_until(30 * MINUTE);
        assert_eq!(rig.state(), State::Driving);
        rig.faults.push(fault(Ask::Data, rig.at, 2 * HOUR, failure));
        while n_failed(&rig, failure) < 2 && rig.at < HOUR {
            rig.run_for(SECOND);
        }
        rig.run_for(SECOND);
        let problem = rig.status().problem;
        // A car that is not found is one from the third time on, as `last_error` says.
        let is_problem = failure != Failure::NotFound;
        assert_eq!(problem.is_some(), is_problem, "{failure:?}");
        rig.faults.clear();
        let at = rig.at;
        rig.run_for(2 * MINUTE + 10 * SECOND);
        let served = |line: &&TraceLine| line.at > at && matches!(line.what, Happening::Served(_));
        assert!(
            rig.trace.iter().any(|line| served(&line)),
            "{failure:?}\n{}",
            rig.story()
        );
        assert_eq!(rig.status().problem, None, "{failure:?}");
        rig.run_until(2 * HOUR);
        check(&rig);
        let n_drives = rig.n_found(|found| matches!(found, Finding::DriveStarted(_)));
        assert_eq!(n_drives, 1, "{failure:?}");
    }
}

/// Every call about a car was answered with 404 while the list had it: each list began it all over,
/// and there were 159 lists and 285 billed calls in a day in which a healthy car costs some forty.
///
/// Given 404 for all about a car that each list shows online; when a day passes: few lists, few
/// data calls, a problem.
#[test]
fn a_car_that_the_list_has_and_nothing_finds_is_asked_for_ever_more_rarely() {
    for ask in [None, Some(Ask::Data)] {
        let mut rig = metered(sat_in(40));
        rig.faults
            .push(fault(ask, HOUR, 3 * DAY, Failure::NotFound));
        rig.run_until(HOUR);
        let mut n_listed = 0;
        while rig.at < DAY + HOUR {
            // The list comes when it is asked for, and each hour.
            let n_due = u64::from(rig.n_relists) + rig.at.as_secs() / 3600;
            if n_due > n_listed {
                n_listed = n_due;
                rig.hear(Input::Listed);
                rig.list(LightState::Online);
            }
            rig.run_for(10 * SECOND);
        }
        check(&rig);
        let n_data = rig.asks_from(HOUR, Ask::Data).len();
        assert!(n_data <= 20, "{n_data} data calls, {ask:?}");
        assert!(n_data >= 3, "{n_data} data calls, {ask:?}");
        assert!(rig.n_relists <= 12, "{} lists", rig.n_relists);
        let problem = rig.status().problem;
        assert_eq!(problem, Some(Problem::NotFound));
        // Found again.
        rig.faults.clear();
        rig.run_for(4 * HOUR);
        assert_eq!(rig.status().problem, None);
    }
}

/// 45
///
/// Given 404 three times; when the list has the car, or lacks it: it is followed, or no call is
/// made.
#[test]
fn quirk_23_a_car_not_found_three_times_is_looked_up_in_the_list() {
    for is_still_there in [true, false] {
        let mut rig = metered(sat_in(40));
        rig.faults.push(fault(None, HOUR, DAY, Failure::NotFound));
        while rig.n_relists == 0 && rig.at < 2 * HOUR {
            rig.run_for(SECOND);
        }
        let not_found =
            |line: &&TraceLine| matches!(line.what, Happening::Failed(_, Failure::NotFound));
        let n_not_found = rig.trace.iter().filter(not_found).count();
        assert_eq!((rig.n_relists, n_not_found), (1, 3), "{}", rig.story());
        rig.faults.clear();
        let at = rig.at;
        rig.hear(if is_still_there {
            Input::Listed
        } else {
            Input::Removed
        });
        rig.run_for(DAY);
        check(&rig);
        let n_asks = rig.asks_from(at, Ask::Light).len() + rig.asks_from(at, Ask::Data).len();
        if is_still_there {
            assert!(n_asks > 100);
            assert_eq!(rig.state(), State::Idle);
        } else {
            assert_eq!(n_asks, 0);
            assert_eq!(rig.status().problem, Some(Problem::Removed));
            rig.hear(Input::Listed).run_for(MINUTE);
            assert_eq!(rig.state(), State::Idle, "it came back");
        }
    }
}

/// 42: the diary tells why the car is followed again, whoever noticed first.
///
/// Given a lost login; when an answer or a sign-in ends it: the diary says "signed in".
#[test]
fn the_end_of_a_lost_login_is_told_as_such() {
    for is_told in [false, true] {
        let mut rig = metered(sat_in(6));
        rig.faults
            .push(fault(None, HOUR, 61 * MINUTE, Failure::SignedOut));
        rig.run_until(61 * MINUTE);
        assert_eq!(rig.state(), State::AuthLost);
        if is_told {
            rig.hear(Input::SignedIn);
        }
        rig.run_for(HOUR);
        check(&rig);
        let reasons: Vec<_> = rig
            .events()
            .filter_map(|(_, event)| match event {
                Event::StateChanged { from, because, .. } if *from == State::AuthLost => {
                    Some(*because)
                }
                _ => None,
            })
            .collect();
        assert_eq!(reasons, ["signed in"], "{}", rig.story());
    }
}

/// 42: the list proves the sign-in that happened while no bridge ran; the owner who then asked was
/// let wait for up to an hour more.
///
/// Given a login lost for hours, then a restart; when the list shows the car asleep and the owner
/// asks: it is looked at.
#[test]
fn a_list_after_a_lost_login_ends_the_wait_for_the_login() {
    let mut rig = metered(sat_in(40));
    rig.faults
        .push(fault(None, HOUR, 2 * DAY, Failure::SignedOut));
    rig.run_until(13 * HOUR);
    let n_tries = rig.n_light();
    while rig.n_light() == n_tries {
        rig.run_for(MINUTE);
    }
    rig.faults.clear();
    rig.restart_after(5 * SECOND);
    let at = rig.at;
    rig.list(LightState::Asleep);
    rig.user(User::Refresh).run_for(2 * MINUTE);
    check(&rig);
    assert!(!rig.asks_from(at, Ask::Light).is_empty(), "{}", rig.story());
}

/// A refused client is asked about a few times a day, not each minute; and so is an account in
/// another region, which was once asked as often as if Tesla had a fault, and was billed for it.
#[test]
fn what_only_the_owner_can_mend_is_tried_a_few_times_a_day() {
    for failure in [Failure::Refused, Failure::Region] {
        let mut rig = metered(spec(Plan::parked()));
        rig.faults.push(fault(None, HOUR, 3 * DAY, failure));
        rig.run_until(DAY + HOUR);
        check(&rig);
        let n_asks = rig.asks_from(HOUR, Ask::Light).len();
        assert!((4..=10).contains(&n_asks), "{failure:?}: {n_asks}");
        assert_eq!(rig.status().problem, Some(Problem::Refused));

        let mut rig = metered(sat_in(40));
        rig.faults.push(fault(Ask::Data, HOUR, 3 * DAY, failure));
        rig.run_until(DAY + HOUR);
        check(&rig);
        let n_asks = rig.asks_from(HOUR, Ask::Data).len();
        assert!((4..=10).contains(&n_asks), "{failure:?}: {n_asks}");
    }
}

/// A car that another account has taken over is not held back by the billing limit of the first.
#[test]
fn a_billing_limit_ends_with_its_login() {
    let mut rig = metered(sat_in(40));
    rig.faults
        .push(fault(None, HOUR, 2 * HOUR, Failure::BillingLimit));
    rig.run_until(2 * HOUR);
    rig.hear(Input::SignedIn);
    let at = rig.at;
    rig.run_for(10 * MINUTE);
    check(&rig);
    assert!(rig.asks_from(at, Ask::Data).len() >= 3, "{}", rig.story());
    assert_eq!(rig.status().problem, None);
}
