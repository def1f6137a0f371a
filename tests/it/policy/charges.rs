//! Scenarios 27 to 32: charging.

use std::time::Duration;

use tesla2mqtt::device::Input;
use tesla2mqtt::model::ChargingState;
use tesla2mqtt::policy::{Ask, ClassSetting, Preset, State};
use tesla2mqtt::sim::{self, CarSpec, Deed};
use tesla2mqtt::trips::Finding;

use super::guarantees::check;
use super::rig::{HOUR, Happening, MINUTE, Rig, SECOND, charge, dead_zone, drive, held, life};

/// Between data calls.
fn gaps(rig: &Rig, from: Duration, to: Duration) -> Vec<Duration> {
    let asks = rig.asks_from(from, Ask::Data);
    let asks: Vec<_> = asks.into_iter().filter(|at| *at < to).collect();
    asks.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// All within the jitter of the interval.
fn are_each(interval: Duration, gaps: &[Duration]) -> bool {
    gaps.iter()
        .all(|gap| gap.abs_diff(interval) <= interval / 20)
}

fn n_started(rig: &Rig) -> usize {
    rig.n_found(|found| matches!(found, Finding::ChargeStarted(_)))
}

/// 27
///
/// Given an idle car; when a charge starts: seen within the interval, data each 60 s for 5 min,
/// then each 300 s.
#[test]
fn a_charge_is_seen_and_followed_closely_for_five_minutes() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        life(&[(10, drive(20)), (37, charge(100, 11.0))]),
    );
    rig.run_for(2 * HOUR);
    check(&rig);
    let delay = rig.delays(sim::LifeEvent::ChargeStarted, State::Charging)[0];
    assert!(delay <= 126 * SECOND, "{delay:?}");
    let seen = 37 * MINUTE + delay;
    let early = gaps(&rig, seen - SECOND, seen + 5 * MINUTE);
    assert!(early.len() >= 4 && are_each(MINUTE, &early), "{early:?}");
    let late = gaps(&rig, seen + 5 * MINUTE, 2 * HOUR);
    assert!(late.len() > 10 && are_each(5 * MINUTE, &late), "{late:?}");
}

/// 28
///
/// Given a charge at 150 kW; when it goes on: data each 60 s metered, each 5 to 10 s unmetered.
#[test]
fn a_fast_charge_is_followed_closely_throughout() {
    for (preset, least, most) in [(Preset::Metered, 57, 63), (Preset::Unmetered, 5, 10)] {
        let car = CarSpec {
            battery_level: 10.0,
            ..life(&[(10, charge(25, 150.0))])
        };
        let mut rig = Rig::new(preset, car);
        rig.run_for(32 * MINUTE);
        check(&rig);
        let gaps = gaps(&rig, 13 * MINUTE, 32 * MINUTE);
        assert!(gaps.len() >= 15, "{gaps:?}");
        assert!(
            gaps.iter()
                .all(|gap| (least..=most).contains(&gap.as_secs())),
            "{gaps:?}"
        );
    }
}

/// 29: the car's word flips each minute with the sun.
///
/// Given a charge that comes and goes; when each minute for hours: one session for each real start
/// that an answer shows, at most 2 calls a minute.
#[test]
fn a_charge_that_flaps_with_the_sun_is_no_storm_of_calls() {
    for (word, is_real) in [
        (ChargingState::Starting, false),
        (ChargingState::Charging, true),
    ] {
        let mut rig = Rig::pinned(
            Preset::Metered,
            ClassSetting::NotHeld,
            life(&[(10, charge(120, 3.0))]),
        );
        rig.shows(move |at, view| {
            let sunny = at.as_secs() / 60 % 2 == 0;
            view.charging_state = Some(if sunny { word } else { ChargingState::NoPower });
        });
        rig.run_for(130 * MINUTE);
        check(&rig);
        let shown: Vec<bool> = rig
            .trace
            .iter()
            .filter_map(|line| match &line.what {
                Happening::Served(view) => {
                    Some(view.charging_state == Some(ChargingState::Charging))
                }
                _ => None,
            })
            .collect();
        let shown_starts = shown.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let first = usize::from(shown.first() == Some(&true));
        assert_eq!(n_started(&rig), shown_starts + first, "{word:?}");
        assert_eq!(n_started(&rig) > 20, is_real, "{}", n_started(&rig));
        assert!(n_started(&rig) <= 60, "{}", n_started(&rig));
        let mut asks = rig.asks_from(10 * MINUTE, Ask::Light);
        asks.extend(rig.asks_from(10 * MINUTE, Ask::Data));
        asks.sort_unstable();
        // Three calls in a minute, less the jitter.
        let storm = asks
            .windows(3)
            .find(|three| three[2] - three[0] < 57 * SECOND);
        assert_eq!(storm, None, "{}", rig.story());
    }
}

/// 30
///
/// Given a held car; when its charge is complete: Quiet after `settle`.
#[test]
fn a_held_car_whose_charge_is_complete_is_left_alone() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::Held,
        held(life(&[(10, charge(30, 11.0))])),
    );
    rig.run_for(90 * MINUTE);
    check(&rig);
    let idle = rig
        .entered(State::Idle, 35 * MINUTE)
        .expect("the end is seen");
    let quiet = rig.entered(State::Quiet, idle).expect("left alone");
    assert!(
        (quiet - idle).abs_diff(180 * SECOND) <= SECOND,
        "{:?}",
        quiet - idle
    );
    assert_eq!(rig.state(), State::Asleep);
    assert_eq!(rig.n_found(|found| matches!(found, Finding::Charge(_))), 1);
}

/// 31, with light calls so rare that only the schedule can explain one.
///
/// Given a sleeping car with a charge planned for 02:00; when it is 02:01: a light call, data only
/// if online, no wake.
#[test]
fn a_scheduled_charge_of_a_sleeping_car_is_looked_at_a_minute_after_its_start() {
    let scheduled = Deed::Charge {
        length: HOUR,
        kw: 11.0,
        dc: false,
        scheduled_in: Some(2 * HOUR),
    };
    let mut rig = Rig::pinned(
        Preset::Push,
        ClassSetting::NotHeld,
        life(&[(8, drive(2)), (10, scheduled)]),
    );
    rig.run_until(60 * MINUTE);
    rig.push(|push| push.connected = Some(false));
    rig.run_until(100 * MINUTE);
    assert_eq!(rig.state(), State::Asleep, "{}", rig.story());
    assert!(rig.asks_from(61 * MINUTE, Ask::Light).len() <= 9, "rare");
    let start = 130 * MINUTE;
    rig.run_until(start + 2 * MINUTE);
    check(&rig);
    let looks = rig.asks_from(start + MINUTE, Ask::Light);
    assert!(
        looks
            .first()
            .is_some_and(|at| *at <= start + MINUTE + SECOND),
        "{looks:?}"
    );
    assert_eq!(rig.state(), State::Charging, "{}", rig.story());
}

/// 31: the car is not there when the charge should begin.
///
/// Given a sleeping car out of reach with a charge planned; when it is a minute after its start: a
/// light call, no data.
#[test]
fn a_scheduled_charge_of_a_car_out_of_reach_costs_no_data() {
    let scheduled = Deed::Charge {
        length: HOUR,
        kw: 11.0,
        dc: false,
        scheduled_in: Some(2 * HOUR),
    };
    let deeds = [(8, drive(2)), (10, scheduled), (100, dead_zone(120))];
    let mut rig = Rig::pinned(Preset::Metered, ClassSetting::NotHeld, life(&deeds));
    rig.run_until(100 * MINUTE);
    assert_eq!(rig.state(), State::Asleep, "{}", rig.story());
    let look = 131 * MINUTE;
    rig.run_until(look + 20 * SECOND);
    let lights = rig.asks_from(look, Ask::Light);
    assert!(lights.iter().any(|at| *at <= look + SECOND), "{lights:?}");
    rig.run_until(200 * MINUTE);
    check(&rig);
    assert_eq!(
        rig.asks_from(100 * MINUTE, Ask::Data),
        Vec::<Duration>::new()
    );
}

/// 32
///
/// Given a car in Quiet; when the wallbox hints at a charge, at any phase of the light calls: data
/// and Charging within 5 s.
#[test]
fn a_wallbox_hint_in_quiet_finds_the_charge_within_five_seconds() {
    for second in (1..=63).step_by(2) {
        let mut rig = Rig::pinned(
            Preset::Metered,
            ClassSetting::Held,
            held(life(&[(10, drive(20)), (38, charge(60, 11.0))])),
        );
        rig.run_until(38 * MINUTE + second * SECOND);
        assert_eq!(rig.state(), State::Quiet);
        rig.hear(Input::Hint);
        rig.run_for(5 * SECOND);
        check(&rig);
        assert_eq!(rig.state(), State::Charging);
        assert_eq!(n_started(&rig), 1);
    }
}
