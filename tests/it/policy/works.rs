//! Scenarios 33 to 37: updates, service, and the hourly self-checks of some cars.

use std::time::Duration;

use tesla2mqtt::model::{Gear, SoftwareUpdate, UpdateStatus};
use tesla2mqtt::policy::{Ask, ClassSetting, Event, LightState, Preset, State};
use tesla2mqtt::sim::{self, BriefWakes, CarSpec, Deed, Plan};

use super::guarantees::check;
use super::rig::{DAY, HOUR, Happening, MINUTE, Rig, SECOND, drive, hold, life, spec};
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
    rig.run_until(40 * MINUTE);
    let entered = rig.entered(State::Updating, Duration::ZERO).expect("seen");
    assert!(entered <= 15 * MINUTE + 130 * SECOND, "{entered:?}");
    let diary = rig.diary();
    assert_eq!(diary.last(), Some(&(entered, State::Updating)), "{diary:?}");
    assert!(
        rig.trace.iter().any(|line| line.at > entered
            && matches!(line.what, Happening::Answered(light) if light.state == LightState::Offline)),
        "no gap"
    );
    rig.run_until(HOUR);
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
/// Given an update; when it is called off: Updating ends once, with the next data.
#[test]
fn an_update_that_is_called_off_ends() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        life(&[(10, hold(HoldReason::UserPresent, 40))]),
    );
    rig.shows(|at, view| {
        let status = if at < 25 * MINUTE {
            UpdateStatus::Installing
        } else {
            UpdateStatus::Available
        };
        view.update = Some(SoftwareUpdate {
            status,
            version: None,
            download_percent: None,
            install_percent: None,
        });
    });
    rig.run_until(24 * MINUTE);
    assert_eq!(rig.state(), State::Updating);
    rig.run_until(25 * MINUTE + 315 * SECOND + SECOND);
    assert_eq!(rig.state(), State::Idle);
    rig.run_until(45 * MINUTE);
    check(&rig);
    let n_ended = rig.n_events(|event| matches!(event, Event::UpdateEnded { .. }));
    assert_eq!(n_ended, 1);
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
    let lights = rig.asks_from(2 * HOUR, Ask::Light);
    assert!(lights.len() > 250, "{}", lights.len());
    for pair in lights.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap.abs_diff(900 * SECOND) <= 45 * SECOND, "{gap:?}");
    }
    assert_eq!(rig.n_data(), 0);
    assert_eq!(rig.state(), State::InService);
    rig.run_until(3 * DAY + 130 * MINUTE);
    check(&rig);
    assert_eq!(rig.state(), State::Driving);
}

/// Report 22 from the field: the light call does not tell of service mode.
///
/// Given a car at service by the word of its data alone; when that ends and it is driven: with
/// free calls that is seen within minutes, with billed ones an hour apart at most.
#[test]
fn the_end_of_a_service_that_only_data_tells_is_seen_within_minutes_where_data_is_free() {
    for (preset, soonest, latest) in [
        (Preset::Unmetered, 5 * MINUTE, 16 * MINUTE),
        (Preset::Metered, 45 * MINUTE, 80 * MINUTE),
    ] {
        let mut rig = Rig::new(preset, life(&[(10, drive(100))]));
        rig.shows(|at, seen| {
            seen.in_service = at < 12 * MINUTE;
        });
        rig.run_until(2 * HOUR);
        check(&rig);
        let at_service = rig.entered(State::InService, Duration::ZERO);
        let at_service = at_service.expect("its data says so");
        let seen = rig.entered(State::Driving, at_service).expect("driven");
        let waited = seen - at_service;
        assert!(
            (soonest..latest).contains(&waited),
            "{preset:?}: {waited:?}"
        );
    }
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
/// Given a car that wakes each hour; when three such wakes have shown nothing: no data at the later
/// ones, and the car is awake for at most 3 min an hour.
#[test]
fn hourly_self_checks_are_left_alone_once_known() {
    let mut rig = Rig::new(Preset::Metered, self_checking(no_drive_for_days()));
    while !rig.status().wake_guard_armed {
        rig.run_for(MINUTE);
        assert!(rig.at < 8 * HOUR, "{}", rig.story());
    }
    rig.run_for(20 * MINUTE);
    assert_eq!(rig.state(), State::Asleep);
    let (armed_at, awake_before) = (rig.at, rig.awake_hours());
    rig.run_for(8 * HOUR);
    check(&rig);
    // The first is the start of its life.
    let woken = rig
        .truly(sim::LifeEvent::Woke, 3)
        .expect("three unguarded wakes");
    assert_eq!(rig.truly(sim::LifeEvent::Woke, 4), None, "no fourth");
    assert!(woken < armed_at);
    assert!(rig.status().wake_guard_armed);
    assert_eq!(rig.asks_from(armed_at, Ask::Data), Vec::<Duration>::new());
    let n_checks = (0..)
        .map_while(|nth| rig.truly(sim::LifeEvent::BriefWake, nth))
        .filter(|at| *at > armed_at)
        .count();
    assert!(n_checks >= 7, "{n_checks}");
    let hours = rig.awake_hours() - awake_before;
    assert!(hours <= 8.0 * 0.05, "{hours} h awake in eight");
}

/// 37
///
/// Given an armed guard; when the car is driven at such a wake: Driving at once by a push, else
/// within 185 s of the light answer that says online, at any phase of the light calls.
#[test]
fn a_drive_at_the_time_of_a_self_check_is_seen_at_the_end_of_the_guard() {
    let mut rig = Rig::new(Preset::Metered, self_checking(no_drive_for_days()));
    rig.run_until(8 * HOUR);
    let asleep_at = (0..)
        .map_while(|nth| rig.truly(sim::LifeEvent::FellAsleep, nth))
        .last()
        .expect("asleep");
    for second in (0..60).step_by(7) {
        let start = asleep_at + 52 * MINUTE + second * SECOND;
        let deeds = Plan::once(vec![sim::Segment {
            start,
            deed: drive(30),
        }]);

        let mut alone = Rig::new(Preset::Metered, self_checking(deeds.clone()));
        alone.run_until(start + 20 * MINUTE);
        check(&alone);
        let online = alone.trace.iter().find_map(|line| match line.what {
            Happening::Answered(light) if line.at > start && light.state == LightState::Online => {
                Some(line.at)
            }
            _ => None,
        });
        let online = online.expect("a light answer");
        assert!(online - start <= 65 * SECOND, "{:?}", online - start);
        let seen = alone.entered(State::Driving, start).expect("seen");
        let waited = seen - online;
        assert!(waited > 120 * SECOND, "the guard was not armed: {waited:?}");
        assert!(waited <= 185 * SECOND, "{waited:?}");

        let mut pushed = Rig::new(Preset::Metered, self_checking(deeds));
        pushed.run_until(start + SECOND);
        pushed.push(|push| push.gear = Some(Gear::D));
        assert_eq!(pushed.state(), State::Driving);
    }
}
