//! Scenarios 16 to 26: drives are seen, kept together, ended once, and reported when missed.

use std::time::Duration;

use jiff::Timestamp;
use tesla2mqtt::device::Input;
use tesla2mqtt::model::Gear;
use tesla2mqtt::policy::{Ask, ClassSetting, Preset, State};
use tesla2mqtt::sim::{self, CarSpec, Plan, Segment};
use tesla2mqtt::trips::{Finding, Missed};

use super::guarantees::check;
use super::rig::{
    HOUR, Happening, MINUTE, Rig, SECOND, TraceLine, charge, dead_zone, drive, held, life, minutes,
    spec,
};

fn not_held(car: CarSpec) -> Rig {
    Rig::pinned(Preset::Metered, ClassSetting::NotHeld, car)
}

fn held_rig(car: CarSpec) -> Rig {
    Rig::pinned(Preset::Metered, ClassSetting::Held, held(car))
}

/// From a call's time to its answer.
const ANSWER: Duration = Duration::from_millis(300);

fn n_started(rig: &Rig) -> usize {
    rig.n_found(|found| matches!(found, Finding::DriveStarted(_)))
}

fn n_ended(rig: &Rig) -> usize {
    rig.n_found(|found| matches!(found, Finding::Drive(_)))
}

fn missed_miles(rig: &Rig) -> Vec<f64> {
    let miles = |(_, found): (Duration, &Finding)| match found {
        Finding::MissedDrive(Missed { from, to }) => Some(to.odometer_mi? - from.odometer_mi?),
        _ => None,
    };
    rig.found().filter_map(miles).collect()
}

/// 16, and G5
///
/// Given an idle car; when a drive starts, at any time of its 12 min: Driving within the interval
/// that then holds.
#[test]
fn a_drive_from_idle_is_seen_within_one_interval() {
    for start in (31 * 60..42 * 60).step_by(7) {
        let start = Duration::from_secs(start);
        let second = Segment {
            start,
            deed: drive(15),
        };
        let first = Segment {
            start: 10 * MINUTE,
            deed: drive(20),
        };
        let mut rig = not_held(spec(Plan::once(vec![first, second])));
        rig.run_for(HOUR);
        check(&rig);
        let parked = rig.entered(State::Idle, 30 * MINUTE).expect("parked");
        let seen = rig.entered(State::Driving, start).expect("seen");
        let interval = match (seen - parked).as_secs() {
            0..120 => 30,
            120..300 => 60,
            _ => 120,
        };
        let most = Duration::from_secs(interval).mul_f64(1.05) + ANSWER;
        let delay = seen - start;
        assert!(delay <= most, "at {start:?}: {delay:?}\n{}", rig.story());
    }
}

/// 17
///
/// Given a car in Quiet, no push; when it drives for 8 or 40 min: seen at the look, what was driven
/// until then corrected.
#[test]
fn a_drive_missed_in_quiet_is_corrected_at_the_look() {
    for (length, under_way) in [(8, false), (40, true)] {
        let deeds = [(10, drive(20)), (36, drive(u64::from(length)))];
        let mut rig = held_rig(life(&deeds));
        rig.run_until(35 * MINUTE);
        assert_eq!(rig.state(), State::Quiet);
        let look = 33 * MINUTE + 18 * MINUTE;
        rig.run_until(2 * HOUR);
        check(&rig);
        let asks = rig.asks_from(36 * MINUTE, Ask::Data);
        let seen_at = *asks.first().expect("a look");
        assert!(
            (look..look + 2 * MINUTE).contains(&seen_at),
            "{seen_at:?}\n{}",
            rig.story()
        );
        let driving = rig.entered(State::Driving, 36 * MINUTE);
        assert_eq!(driving.is_some(), under_way);
        assert!(driving.is_none_or(|at| at <= seen_at + ANSWER));
        // A minute is a kilometre.
        let driven = (seen_at - 36 * MINUTE).min(length * MINUTE).as_secs_f64() / 60.0;
        let missed = missed_miles(&rig);
        assert_eq!(missed.len(), 1, "{missed:?}\n{}", rig.story());
        assert!((missed[0] * 1.609 - driven).abs() < 0.5, "{missed:?}");
        assert_eq!(n_started(&rig), 1 + usize::from(under_way));
        assert_eq!(n_ended(&rig), 1 + usize::from(under_way));
        let began_at = rig.found().filter_map(|(_, found)| match found {
            Finding::DriveStarted(from) => from.and_then(|from| from.odometer_mi),
            _ => None,
        });
        let told_until = rig.found().find_map(|(_, found)| match found {
            Finding::MissedDrive(Missed { to, .. }) => to.odometer_mi,
            _ => None,
        });
        if under_way {
            assert_eq!(began_at.last(), told_until, "no mile is told twice");
        }
    }
}

/// Given a car in Quiet; when it is already on its way at the look, but not for long: all of it
/// belongs to the drive, and so does what it charged before the look to a charge.
#[test]
fn what_is_under_way_at_the_look_was_not_missed() {
    let mut rig = held_rig(life(&[(10, drive(20)), (48, drive(20))]));
    rig.run_until(2 * HOUR);
    check(&rig);
    assert_eq!(missed_miles(&rig), Vec::<f64>::new(), "{}", rig.story());
    assert_eq!((n_started(&rig), n_ended(&rig)), (2, 2));

    let mut rig = held_rig(life(&[(10, drive(20)), (36, charge(60, 11.0))]));
    rig.run_until(35 * MINUTE);
    assert_eq!(rig.state(), State::Quiet);
    rig.run_until(3 * HOUR);
    check(&rig);
    let charging = rig.entered(State::Charging, 36 * MINUTE).expect("seen");
    assert!(charging > 44 * MINUTE, "two percent late: {charging:?}");
    let missed = rig.n_found(|found| matches!(found, Finding::MissedCharge(_)));
    assert_eq!(missed, 0, "{}", rig.story());
}

/// 18
///
/// Given a car in Quiet; when the garage hints at a drive, at any phase of the light calls: light,
/// data and Driving within 5 s.
#[test]
fn a_hint_in_quiet_is_looked_after_within_five_seconds() {
    for second in 1..=63 {
        let mut rig = held_rig(life(&[(10, drive(20)), (36, drive(20))]));
        rig.run_until(36 * MINUTE + second * SECOND);
        assert_eq!(rig.state(), State::Quiet);
        let at = rig.at;
        rig.hear(Input::Hint);
        rig.run_for(5 * SECOND);
        check(&rig);
        assert_eq!(rig.state(), State::Driving, "{}", rig.story());
        assert!(rig.asks_from(at, Ask::Light).len() <= 1);
        assert_eq!(rig.asks_from(at, Ask::Data).len(), 1);
    }
}

/// 19
///
/// Given a car in Quiet; when a push says gear D: Driving at once, before any data call.
#[test]
fn a_pushed_gear_is_a_drive_at_once() {
    let mut rig = held_rig(life(&[(10, drive(20)), (36, drive(20))]));
    rig.run_until(36 * MINUTE + SECOND);
    rig.push(|push| push.gear = Some(Gear::D));
    assert_eq!(rig.state(), State::Driving);
    assert_eq!(
        rig.asks_from(36 * MINUTE, Ask::Data),
        Vec::<Duration>::new()
    );
    rig.run_until(56 * MINUTE + SECOND);
    rig.push(|push| push.gear = Some(Gear::P));
    assert_eq!(rig.state(), State::Idle);
    rig.run_for(HOUR);
    check(&rig);
    assert_eq!((n_started(&rig), n_ended(&rig)), (2, 2));
    assert_eq!(missed_miles(&rig), [] as [f64; 0]);
}

/// 20, and G5
///
/// Given a sleeping car; when a drive starts, at any phase of the light calls: Driving within the
/// light interval and 5 s.
#[test]
fn a_drive_from_asleep_is_seen_within_the_light_interval() {
    let deeds: Vec<_> = (0..120).map(|n| (61 + n * 97, drive(20))).collect();
    for (preset, interval) in [(Preset::Metered, 60), (Preset::Unmetered, 11)] {
        let mut rig = Rig::pinned(preset, ClassSetting::NotHeld, life(&deeds));
        rig.run_for(minutes(61 + 120 * 97));
        check(&rig);
        let delays = rig.delays(sim::LifeEvent::DriveStarted, State::Driving);
        assert_eq!(delays.len(), 120);
        let most = (interval + 5) * SECOND;
        assert!(delays.iter().all(|delay| *delay <= most), "{delays:?}");
        // Some start comes just after a light call.
        let worst = delays.iter().max().expect("drives");
        assert!(*worst >= interval * SECOND / 2, "{delays:?}");
    }
}

/// 20, at every phase of the light calls: unmetered within 15 s, from the first day.
///
/// Given a sleeping car, unmetered; when a drive starts at any phase: Driving within 15 s.
#[test]
fn an_unmetered_start_from_asleep_is_seen_within_fifteen_seconds() {
    let deeds: Vec<_> = (0..40).map(|n| (90 + n * 121, drive(20))).collect();
    let mut rig = Rig::pinned(Preset::Unmetered, ClassSetting::NotHeld, life(&deeds));
    rig.run_for(84 * HOUR);
    check(&rig);
    let delays = rig.delays(sim::LifeEvent::DriveStarted, State::Driving);
    assert_eq!(delays.len(), 40);
    assert!(delays.iter().all(|d| *d <= 15 * SECOND), "{delays:?}");
}

/// 21
///
/// Given a held car parked for 4 min; when it drives again: a push ends Quiet; without one the
/// look finds it.
#[test]
fn a_held_car_that_drives_again_after_four_minutes() {
    let deeds = [(10, drive(20)), (34, drive(30))];
    let mut pushed = held_rig(life(&deeds));
    pushed.run_until(34 * MINUTE);
    assert_eq!(pushed.state(), State::Quiet);
    pushed.push(|push| push.gear = Some(Gear::R));
    assert_eq!(pushed.state(), State::Driving);
    pushed.run_until(HOUR);
    check(&pushed);
    let mut alone = held_rig(life(&deeds));
    alone.run_until(2 * HOUR);
    check(&alone);
    assert_eq!(missed_miles(&alone).len(), 1);
    assert_eq!(n_started(&alone), 2);
    let look = alone.asks_from(34 * MINUTE, Ask::Data)[0];
    let driving = alone.entered(State::Driving, 34 * MINUTE).expect("seen");
    assert!(driving - look <= ANSWER, "{}", alone.story());
}

/// 17 and 21: once the car's own time to sleep is known, a start while it is left alone is seen when
/// the car is overdue. Nothing shorter keeps G3, and nothing that a light call says tells of it.
///
/// Given a held car whose time to sleep is known; when it drives in Quiet: seen once it is
/// overdue.
#[test]
fn a_start_in_quiet_is_seen_a_quarter_of_an_hour_after_its_beginning() {
    let day = 24 * 60;
    let mut deeds: Vec<_> = (0..4).map(|n| (n * day + 60, drive(20))).collect();
    deeds.extend([(4 * day + 60, drive(20)), (4 * day + 84, drive(40))]);
    let mut rig = held_rig(life(&deeds));
    rig.run_until(minutes(4 * day + 84));
    assert_eq!(rig.state(), State::Quiet);
    let learned = rig.status().time_to_sleep;
    assert!(learned.is_some_and(|t| t <= 16 * MINUTE), "{learned:?}");
    rig.run_for(HOUR);
    check(&rig);
    let delay = rig.delays(sim::LifeEvent::DriveStarted, State::Driving)[5];
    assert!(delay <= 15 * MINUTE + 30 * SECOND, "{delay:?}");
}

/// 22
///
/// Given a drive; when the gear is N or R: Driving stays.
#[test]
fn neutral_and_reverse_are_driving_too() {
    let mut rig = not_held(life(&[(10, drive(20))]));
    rig.shows(|at, view| {
        if view.gear.is_some_and(Gear::is_driving) {
            view.gear = Some([Gear::D, Gear::R, Gear::N][(at.as_secs() / 60 % 3) as usize]);
        }
    });
    rig.run_for(HOUR);
    check(&rig);
    let in_gear = |gear: Gear| {
        let served = |line: &&TraceLine| matches!(&line.what, Happening::Served(view) if view.gear == Some(gear));
        rig.trace.iter().filter(served).count()
    };
    assert!(
        [Gear::D, Gear::R, Gear::N]
            .iter()
            .all(|gear| in_gear(*gear) > 2)
    );
    assert_eq!((n_started(&rig), n_ended(&rig)), (1, 1));
    let driving = rig.entered(State::Driving, Duration::ZERO).expect("seen");
    let (ended, _) = rig
        .diary()
        .into_iter()
        .find(|(at, _)| *at > driving)
        .expect("its end");
    assert!(ended >= 30 * MINUTE, "{ended:?}");
}

/// 23
///
/// Given a drive; when 3 min without network: one drive, at most 8 light calls.
#[test]
fn a_tunnel_does_not_end_a_drive() {
    for minute in 20..24 {
        let mut rig = not_held(life(&[(10, drive(40)), (minute, dead_zone(3))]));
        rig.run_until(minutes(minute + 3));
        assert_eq!(rig.state(), State::Driving);
        let n_light = rig.asks_from(minutes(minute), Ask::Light).len();
        assert!(n_light <= 8, "{n_light}");
        rig.run_until(HOUR);
        check(&rig);
        assert_eq!((n_started(&rig), n_ended(&rig)), (1, 1), "{}", rig.story());
        assert!(rig.n_refused() <= 1);
    }
}

/// 24
///
/// Given a drive; when 40 min without network: one end, at the last good data, and a new state
/// later.
#[test]
fn a_drive_into_a_dead_garage_ends_once_with_its_last_reading() {
    let mut rig = not_held(life(&[
        (10, drive(20)),
        (25, dead_zone(40)),
        (90, drive(10)),
    ]));
    rig.run_until(60 * MINUTE);
    assert_eq!(rig.state(), State::Unreachable);
    let ended: Vec<_> = rig
        .found()
        .filter_map(|(at, found)| match found {
            Finding::Drive(drive) => Some((at, drive.ended_at)),
            _ => None,
        })
        .collect();
    let [(said_at, end)] = ended[..] else {
        panic!("{ended:?}")
    };
    assert!(
        said_at >= 39 * MINUTE && said_at <= 41 * MINUTE,
        "{said_at:?}"
    );
    let last_good = rig.trace.iter().rev().find_map(|line| match &line.what {
        Happening::Served(view) => view.drive_at.map(Timestamp::as_millisecond),
        _ => None,
    });
    assert_eq!(Some(end.as_millisecond()), last_good, "{end}");
    rig.run_until(2 * HOUR);
    check(&rig);
    assert_eq!((n_started(&rig), n_ended(&rig)), (2, 2));
    assert_eq!(rig.state(), State::Asleep);
    assert_eq!(
        missed_miles(&rig).len(),
        1,
        "the rest of the way into the garage"
    );
}

/// 25
///
/// Given a car out of reach; when it comes back with more charge: a missed charge is told once,
/// with both readings.
#[test]
fn a_charge_out_of_reach_is_corrected_later() {
    let car = life(&[
        (10, drive(10)),
        (22, dead_zone(120)),
        (30, charge(60, 11.0)),
        (200, drive(5)),
    ]);
    let mut rig = not_held(car);
    rig.run_for(4 * HOUR);
    check(&rig);
    let percent = |(_, found): (Duration, &Finding)| match found {
        Finding::MissedCharge(Missed { from, to }) => Some(to.battery_level? - from.battery_level?),
        _ => None,
    };
    let missed: Vec<f64> = rig.found().filter_map(percent).collect();
    assert_eq!(missed.len(), 1, "{}", rig.story());
    // An hour at 11 kW into 75 kWh.
    assert!((11.0..=15.0).contains(&missed[0]), "{missed:?}");
}
