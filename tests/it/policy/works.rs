//! Scenarios 33 to 37: updates, service, and the hourly self-checks of some cars.

use std::time::Duration;

use tesla2mqtt::policy::{Ask, ClassSetting, Event, Preset, State};
use tesla2mqtt::sim::{self, BriefWakes, CarSpec, Deed, Plan};

use super::guarantees::check;
use super::rig::{DAY, HOUR, MINUTE, Rig, SECOND, drive, hold, life, minutes, spec};
use tesla2mqtt::policy::HoldReason;

/// 33
///
/// Given an idle car; when an update of 25 min is installed with a gap: one update, ended once,
/// with the new version.
#[test]
fn an_installation_with_a_gap_is_one_update() {
    let update = Deed::Update {
        download: 5 * MINUTE,
        install: 25 * MINUTE,
    };
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        life(&[(10, update)]),
    );
    rig.run_for(40 * MINUTE);
    let entered = rig.entered(State::Updating, Duration::ZERO).expect("seen");
    assert!(
        rig.diary()
            .iter()
            .all(|(at, state)| *at <= entered || *state == State::Idle)
    );
    rig.run_for(20 * MINUTE);
    check(&rig);
    let versions: Vec<_> = rig
        .events()
        .filter_map(|(_, event)| match event {
            Event::UpdateEnded { version } => Some(version.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(versions.len(), 1, "{versions:?}\n{}", rig.story());
    assert_ne!(versions[0], Some(spec(Plan::parked()).firmware));
    let started: Vec<_> = rig
        .events()
        .filter_map(|(_, event)| match event {
            Event::UpdateStarted { version } => Some(version.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(started.len(), 1, "{started:?}\n{}", rig.story());
    // The car's own version has its build beside it.
    let is_of = |ended: &String, started: &String| ended.starts_with(&format!("{started} "));
    let both = versions[0].as_ref().zip(started[0].as_ref());
    assert!(
        both.is_some_and(|(ended, started)| is_of(ended, started)),
        "{both:?}"
    );
}

/// 34
///
/// Given an update; when it is called off: Updating ends.
#[test]
fn an_update_that_is_called_off_ends() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        life(&[(10, hold(HoldReason::UserPresent, 40))]),
    );
    rig.disguise = Some(Box::new(|at, view| {
        let status = if at < 25 * MINUTE {
            "installing"
        } else {
            "available"
        };
        view.update_status = Some(status.to_owned());
    }));
    rig.run_until(24 * MINUTE);
    assert_eq!(rig.state(), State::Updating);
    rig.run_until(32 * MINUTE);
    check(&rig);
    assert_eq!(rig.state(), State::Idle);
}

/// 35
///
/// Given a car at service; when 3 days pass: light each 900 s, no data, then as before.
#[test]
fn quirk_19_a_car_at_service_is_left_in_peace() {
    let service = Deed::Service { length: 3 * DAY };
    let mut rig = Rig::new(
        Preset::Metered,
        life(&[(60, service), (3 * 24 * 60 + 120, drive(20))]),
    );
    rig.run_until(3 * DAY);
    let n_light = rig.asks_from(2 * HOUR, Ask::Light).len();
    assert!((260..=300).contains(&n_light), "{n_light}");
    assert_eq!(rig.n_data(), 0);
    assert_eq!(rig.state(), State::InService);
    rig.run_until(3 * DAY + 130 * MINUTE);
    check(&rig);
    assert_eq!(rig.state(), State::Driving);
}

fn self_checking(plan: Plan) -> CarSpec {
    CarSpec {
        brief_wakes: Some(BriefWakes::default()),
        awake_at_start: true,
        ..spec(plan)
    }
}

fn no_drive_for_days() -> Plan {
    Plan::once(vec![sim::Segment {
        start: 9 * DAY,
        deed: drive(10),
    }])
}

/// 36
///
/// Given a car that wakes each hour; when three such wakes have shown nothing: no data in the 180
/// s after one.
#[test]
fn hourly_self_checks_are_left_alone_once_known() {
    let mut rig = Rig::new(Preset::Metered, self_checking(no_drive_for_days()));
    rig.run_until(12 * HOUR);
    check(&rig);
    // The first is the start of its life.
    let woken = rig
        .truly(sim::Event::Woke, 3)
        .expect("three unguarded wakes");
    assert_eq!(rig.truly(sim::Event::Woke, 4), None, "no fourth");
    assert!(rig.policy.status(rig.now()).wake_guard_armed);
    assert_eq!(
        rig.asks_from(woken + 20 * MINUTE, Ask::Data),
        Vec::<Duration>::new()
    );
    let n_checks = (0..)
        .map_while(|nth| rig.truly(sim::Event::BriefWake, nth))
        .count();
    assert!(n_checks >= 9, "{n_checks}");
    let hours = rig.awake_hours();
    assert!(hours <= 3.0 * 0.3 + 12.0 * 0.05, "{hours} h awake");
}

/// 37
///
/// Given an armed guard; when the car is driven at such a wake: at once by a push, else within 185
/// s.
#[test]
fn a_drive_at_the_time_of_a_self_check_is_seen_at_the_end_of_the_guard() {
    let mut rig = Rig::new(Preset::Metered, self_checking(no_drive_for_days()));
    rig.run_until(8 * HOUR);
    let asleep_at = (0..)
        .map_while(|nth| rig.truly(sim::Event::FellAsleep, nth))
        .last()
        .expect("asleep");
    let minute = asleep_at.as_secs() / 60 + 52;
    let deeds = Plan::once(vec![sim::Segment {
        start: minutes(minute),
        deed: drive(30),
    }]);

    let mut alone = Rig::new(Preset::Metered, self_checking(deeds.clone()));
    alone.run_until(minutes(minute + 20));
    check(&alone);
    let delay = alone.delays(sim::Event::DriveStarted, State::Driving)[0];
    assert!(delay > 120 * SECOND, "the guard was not armed: {delay:?}");
    assert!(delay <= (185 + 65) * SECOND, "{delay:?}");

    let mut pushed = Rig::new(Preset::Metered, self_checking(deeds));
    pushed.run_until(minutes(minute) + SECOND);
    pushed.push(|push| push.gear = Some("D".into()));
    assert_eq!(pushed.state(), State::Driving);
}
