//! Scenarios 5 to 10: a parked car falls asleep, held or not, and it is learned which.

use std::time::Duration;

use tesla2mqtt::policy::{
    Ask, Belief, Class, ClassSetting, HoldReason, LightState, Preset, State, User,
};
use tesla2mqtt::sim::{CarSpec, Deed, LifeEvent};

use super::guarantees::check;
use super::rig::{HOUR, MINUTE, Rig, SECOND, dead_zone, drive, held, hold, life, minutes};

pub const PARKED_AT: Duration = minutes(30);

/// Drives from 0:10 to 0:30.
pub fn one_drive() -> CarSpec {
    life(&[(10, drive(20))])
}

pub fn metered(class: ClassSetting, car: CarSpec) -> Rig {
    Rig::pinned(Preset::Metered, class, car)
}

fn fell_asleep(rig: &Rig, nth: usize) -> Duration {
    rig.truly(LifeEvent::FellAsleep, nth)
        .unwrap_or_else(|| panic!("never asleep\n{}", rig.story()))
}

/// 5
///
/// Given a car that is not held; when it parks: asleep at 12 min, data all the while.
#[test]
fn a_car_that_is_not_held_is_polled_into_its_sleep() {
    let mut rig = metered(ClassSetting::NotHeld, one_drive());
    rig.run_for(HOUR);
    check(&rig);
    let parked = PARKED_AT;
    assert_eq!(fell_asleep(&rig, 0), parked + 12 * MINUTE);
    let asks = rig.asks_from(parked - MINUTE, Ask::Data);
    assert!(
        asks.windows(2)
            .all(|pair| pair[1] - pair[0] <= 130 * SECOND),
        "{asks:?}"
    );
    assert!(*asks.last().expect("asked") >= fell_asleep(&rig, 0) - 130 * SECOND);
    assert_eq!(rig.entered(State::Quiet, Duration::ZERO), None);
    assert_eq!(rig.state(), State::Asleep);
}

/// 6, and G4
///
/// Given a held car; when it parks: Quiet at 3 min, no data in Quiet, asleep by 16 min.
#[test]
fn a_held_car_is_left_alone_after_three_minutes_and_sleeps() {
    let mut rig = metered(ClassSetting::Held, held(one_drive()));
    rig.run_for(HOUR);
    check(&rig);
    let parked = PARKED_AT;
    let seen = rig.entered(State::Idle, parked).expect("seen");
    let quiet = rig.entered(State::Quiet, parked).expect("quiet");
    assert!(
        (quiet - seen).abs_diff(180 * SECOND) <= SECOND,
        "{:?}",
        quiet - seen
    );
    assert!(
        fell_asleep(&rig, 0) <= parked + 16 * MINUTE,
        "{:?}",
        fell_asleep(&rig, 0)
    );
    assert_eq!(rig.asks_from(quiet, Ask::Data), Vec::<Duration>::new());
    assert_eq!(rig.state(), State::Asleep);
}

/// G4 for every time to sleep and every moment of parking.
#[test]
fn a_held_car_sleeps_at_most_four_minutes_later_than_unpolled() {
    for t in 5..=15 {
        for second in [0, 11, 23, 37, 49] {
            let length = 20 * MINUTE + second * SECOND;
            let mut car = held(life(&[(
                10,
                tesla2mqtt::sim::Deed::Drive { length, km: 20.0 },
            )]));
            car.time_to_sleep = t * MINUTE;
            let mut rig = metered(ClassSetting::Held, car);
            rig.run_for(2 * HOUR);
            check(&rig);
            let late = fell_asleep(&rig, 0) - (10 * MINUTE + length) - t * MINUTE;
            assert!(late <= 240 * SECOND, "{t} min: {late:?} later");
        }
    }
}

/// 9, and G4: two parks without reception, offline as if asleep.
///
/// Given a held car that was learned to sleep although it is polled; when it is parked: doubted
/// after two hours, then let to sleep.
#[test]
fn a_car_that_was_only_out_of_reach_is_let_to_sleep_after_all() {
    let deeds = [
        (10, drive(20)),
        (36, dead_zone(30)),
        (120, drive(20)),
        (146, dead_zone(30)),
        (300, drive(20)),
    ];
    let car = CarSpec {
        sleeps_as: LightState::Offline,
        time_to_sleep: 15 * MINUTE,
        ..held(life(&deeds))
    };
    let mut rig = Rig::new(Preset::Metered, car);
    rig.run_until(290 * MINUTE);
    assert_eq!(rig.status().class, Class::NotHeld);
    assert_eq!(rig.state(), State::Asleep);
    rig.run_until(430 * MINUTE);
    assert_eq!(rig.state(), State::Idle, "polled in vain");
    rig.run_until(470 * MINUTE);
    check(&rig);
    assert_eq!(rig.state(), State::Asleep, "{}", rig.story());
    assert_eq!(rig.status().class, Class::Unknown);
}

/// G5: what began before a held car is left alone is seen.
///
/// Given a held car; when it parks: a look 5 s before Quiet, no other in the 30 s before; none if
/// the owner lets it sleep.
#[test]
fn a_last_look_comes_just_before_a_car_is_left_alone() {
    for minute in [20, 21, 22, 23] {
        let mut rig = Rig::pinned(
            Preset::Metered,
            ClassSetting::Held,
            held(life(&[(10, drive(minute))])),
        );
        rig.run_until(HOUR);
        check(&rig);
        let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("parked");
        let looks: Vec<_> = rig
            .asks_from(quiet - 30 * SECOND, Ask::Data)
            .into_iter()
            .filter(|at| *at < quiet)
            .collect();
        assert_eq!(looks.len(), 1, "{looks:?} before {quiet:?}");
        assert!(quiet - looks[0] <= 30 * SECOND);

        let mut told = Rig::pinned(
            Preset::Metered,
            ClassSetting::Held,
            held(life(&[(10, drive(minute))])),
        );
        told.run_until(minutes(minute + 12));
        let at = told.at;
        told.user(User::LetSleep).run_for(MINUTE);
        assert_eq!(told.state(), State::Quiet);
        assert!(told.asks_from(at, Ask::Data).is_empty());
    }
}

/// 7
///
/// Given held cars that need 15 and 25 min; when they park: asleep without a look, and after one
/// look within the time that the car needs.
#[test]
fn a_held_car_that_needs_long_is_looked_at_once() {
    for (t, looks) in [(15, 0), (25, 1)] {
        let mut rig = metered(
            ClassSetting::Held,
            CarSpec {
                time_to_sleep: t * MINUTE,
                ..held(one_drive())
            },
        );
        rig.run_for(2 * HOUR);
        check(&rig);
        let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("quiet");
        let asks = rig.asks_from(quiet, Ask::Data);
        assert_eq!(asks.len(), looks, "T = {t} min");
        let last_disturbed = asks.last().copied().unwrap_or(quiet);
        let left_alone = fell_asleep(&rig, 0) - last_disturbed;
        assert!(left_alone <= t * MINUTE + SECOND, "{left_alone:?}");
        let states: Vec<_> = rig.diary().iter().map(|(_, state)| *state).collect();
        assert!(
            states.ends_with(&[State::Idle, State::Quiet, State::Asleep]),
            "{states:?}"
        );
    }
}

/// Drives every three hours.
fn drives(n: u64) -> CarSpec {
    let deeds: Vec<_> = (0..n).map(|i| (10 + i * 180, drive(20))).collect();
    life(&deeds)
}

fn class(rig: &Rig) -> (Class, Belief) {
    let status = rig.status();
    (status.class, status.belief)
}

/// 8
///
/// Given a held car of unknown class; when two parks of 30 min under polling: held; T is not that
/// of those parks.
#[test]
fn a_car_is_learned_to_be_held_after_two_parks() {
    let mut rig = Rig::new(Preset::Metered, held(drives(6)));
    rig.run_until(2 * HOUR);
    let idle = rig.entered(State::Idle, 25 * MINUTE).expect("parked");
    let quiet = rig.entered(State::Quiet, idle).expect("left alone");
    assert!(
        (30..=31).contains(&((quiet - idle).as_secs() / 60)),
        "{:?}",
        quiet - idle
    );
    assert_eq!(rig.state(), State::Asleep);
    assert_eq!(class(&rig), (Class::Unknown, Belief::None));
    rig.run_until(5 * HOUR);
    assert_eq!(rig.status().last_sleep_in_quiet, Some(true));
    assert_eq!(class(&rig), (Class::Held, Belief::Learned));
    rig.run_until(8 * HOUR);
    let idle = rig
        .entered(State::Idle, 6 * HOUR + 25 * MINUTE)
        .expect("parked");
    let quiet = rig.entered(State::Quiet, idle).expect("left alone");
    assert!(quiet - idle <= 181 * SECOND);
    // The half hours of polling that the first two parks resisted are no times to sleep.
    rig.run_until(18 * HOUR);
    check(&rig);
    let learned = rig.status().time_to_sleep.expect("learned");
    assert!(
        (11 * MINUTE..=17 * MINUTE).contains(&learned),
        "{learned:?}"
    );
}

/// 9
///
/// Given a car of unknown class that is not held; when it sleeps twice: not held, never Quiet.
#[test]
fn a_car_is_learned_not_to_be_held_after_two_sleeps() {
    let mut rig = Rig::new(Preset::Metered, drives(4));
    rig.run_until(5 * HOUR);
    assert_eq!(rig.status().last_sleep_in_quiet, Some(false));
    assert_eq!(class(&rig), (Class::NotHeld, Belief::Learned));
    rig.run_until(12 * HOUR);
    check(&rig);
    assert_eq!(rig.entered(State::Quiet, Duration::ZERO), None);
    let learned = rig.status().time_to_sleep.expect("learned");
    assert!(
        (11 * MINUTE..=14 * MINUTE).contains(&learned),
        "{learned:?}"
    );
}

/// 10
///
/// Given a learned class; when the firmware changes: unknown, and one sleep confirms it.
#[test]
fn new_firmware_is_learned_anew_with_one_confirmation() {
    for is_held in [false, true] {
        let expected = if is_held { Class::Held } else { Class::NotHeld };
        let mut rig = Rig::new(
            Preset::Metered,
            CarSpec {
                held: is_held,
                ..drives(4)
            },
        );
        rig.shows(|at, view| {
            let version = if at < 6 * HOUR { "2026.8" } else { "2026.12" };
            view.car_version = Some(version.to_owned());
        });
        rig.run_until(6 * HOUR);
        assert_eq!(class(&rig), (expected, Belief::Learned));
        rig.run_until(6 * HOUR + 20 * MINUTE);
        assert_eq!(class(&rig), (Class::Unknown, Belief::None));
        rig.run_until(9 * HOUR);
        check(&rig);
        assert_eq!(class(&rig), (expected, Belief::Learned));
    }
}

/// Something that no field shows keeps the car awake, whether it is asked or not: it is polled
/// again, so that its next drive is seen at once.
#[test]
fn a_car_of_unknown_class_that_does_not_sleep_when_left_alone_is_polled_again() {
    let mut rig = Rig::new(
        Preset::Metered,
        life(&[(10, hold(HoldReason::UserPresent, 300)), (320, drive(20))]),
    );
    rig.shows(|_, view| view.user_present = false);
    rig.run_until(2 * HOUR);
    let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("tried");
    let idle = rig.entered(State::Idle, quiet).expect("given up");
    assert!(idle - quiet <= 55 * MINUTE, "{:?}", idle - quiet);
    rig.run_until(6 * HOUR);
    let again = rig.entered(State::Quiet, idle).expect("tried once more");
    assert!(again - idle >= 3 * HOUR, "{:?}", again - idle);
    check(&rig);
    assert_eq!(rig.delays(LifeEvent::DriveStarted, State::Driving).len(), 1);
}

/// The same conclusion drawn from a use that no look showed is wrong for a car that polling holds
/// awake, and must not last.
#[test]
fn a_held_car_used_unseen_while_left_alone_sleeps_in_the_end() {
    let mut car = held(life(&[(10, drive(20)), (97, Deed::AppUse)]));
    car.time_to_sleep = 26 * MINUTE;
    let mut rig = Rig::new(Preset::Metered, car);
    rig.run_until(3 * HOUR);
    let quiet = rig.entered(State::Quiet, Duration::ZERO).expect("tried");
    let idle = rig.entered(State::Idle, quiet).expect("given up");
    rig.run_until(6 * HOUR);
    check(&rig);
    assert!(
        rig.entered(State::Asleep, idle).is_some(),
        "{}",
        rig.story()
    );
}
