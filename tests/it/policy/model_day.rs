//! The day by which policies are compared (section 7).

use tesla2mqtt::policy::{ClassSetting, Preset, State};
use tesla2mqtt::sim::{LifeEvent, Plan};

use super::guarantees::check;
use super::rig::{DAY, Rig, held, spec};

struct ModelDay {
    n_light: usize,
    n_data: usize,
    n_refused: u64,
    awake_hours: f64,
    drive_delays: Vec<u64>,
    charge_delays: Vec<u64>,
}

fn live(preset: Preset, is_held: bool) -> ModelDay {
    let day = spec(Plan::model_day());
    let (class, car) = if is_held {
        (ClassSetting::Held, held(day))
    } else {
        (ClassSetting::NotHeld, day)
    };
    let mut rig = Rig::pinned(preset, class, car);
    rig.run_for(DAY);
    check(&rig);
    let seconds = |event, state| {
        rig.delays(event, state)
            .iter()
            .map(std::time::Duration::as_secs)
            .collect()
    };
    // An answer that is still awaited at midnight moves the rig past it, and the car is awake then.
    let past_midnight = (rig.at - DAY).as_secs_f64() / 3600.0;
    let day = ModelDay {
        n_light: rig.n_light(),
        n_data: rig.n_data(),
        n_refused: rig.n_refused(),
        awake_hours: rig.awake_hours() - past_midnight,
        drive_delays: seconds(LifeEvent::DriveStarted, State::Driving),
        charge_delays: seconds(LifeEvent::ChargeStarted, State::Charging),
    };
    println!(
        "{preset:?} held={is_held}: {} data, {} light, {} refused, {:.2} h awake, drives seen after {:?} s, charges after {:?} s",
        day.n_data,
        day.n_light,
        day.n_refused,
        day.awake_hours,
        day.drive_delays,
        day.charge_delays
    );
    day
}

#[test]
fn the_model_day_metered_costs_at_most_190_data_calls_and_no_sleep() {
    for (is_held, hours) in [(false, 4.55), (true, 4.9)] {
        let day = live(Preset::Metered, is_held);
        assert!(day.n_data <= 190, "{} data calls", day.n_data);
        assert!(day.n_light <= 1500, "{} light calls", day.n_light);
        assert!(day.n_refused <= 1, "{} refused", day.n_refused);
        assert!(day.awake_hours <= hours, "{} h awake", day.awake_hours);
    }
}

/// From the first day: no habit is known yet.
#[test]
fn the_model_day_unmetered_sees_starts_within_15_s() {
    for (is_held, hours) in [(false, 4.55), (true, 4.9)] {
        let day = live(Preset::Unmetered, is_held);
        let delays = day.drive_delays.iter().chain(&day.charge_delays);
        assert_eq!(delays.clone().count(), 5);
        assert!(delays.max() <= Some(&14), "{:?}", day.drive_delays);
        assert!(day.n_light <= 7000, "{} light calls", day.n_light);
        assert!(day.n_data <= 900, "{} data calls", day.n_data);
        assert!(day.awake_hours <= hours, "{} h awake", day.awake_hours);
    }
}

/// What is published as the interval does not change with every look.
#[test]
fn the_interval_of_a_state_is_the_one_of_the_table() {
    let mut rig = Rig::pinned(
        Preset::Metered,
        ClassSetting::NotHeld,
        spec(Plan::model_day()),
    );
    let mut seen = std::collections::BTreeMap::<State, std::collections::BTreeSet<u64>>::new();
    while rig.at < DAY {
        rig.run_for(std::time::Duration::from_secs(20));
        let interval = rig.status().interval.expect("asked");
        seen.entry(rig.state())
            .or_default()
            .insert(interval.as_secs());
    }
    assert_eq!(seen[&State::Asleep].iter().collect::<Vec<_>>(), [&60]);
    assert_eq!(seen[&State::Idle].iter().collect::<Vec<_>>(), [&30, &60]);
    assert_eq!(seen[&State::Driving].iter().collect::<Vec<_>>(), [&60]);
    assert_eq!(
        seen[&State::Charging].iter().collect::<Vec<_>>(),
        [&60, &300]
    );
}

/// After two days the car's habits are known, and the same starts are seen sooner at the price of
/// light calls.
#[test]
fn starts_are_seen_sooner_once_the_habits_of_the_car_are_known() {
    for (preset, most_seconds, n_light) in
        [(Preset::Metered, 25, 1500), (Preset::Unmetered, 15, 7000)]
    {
        let mut rig = Rig::pinned(preset, ClassSetting::NotHeld, spec(Plan::model_day()));
        rig.run_for(7 * DAY);
        check(&rig);
        let drives = rig.delays(LifeEvent::DriveStarted, State::Driving);
        let charges = rig.delays(LifeEvent::ChargeStarted, State::Charging);
        for (of_a_day, delays) in [(4, drives), (1, charges)] {
            let worst = delays[2 * of_a_day..]
                .iter()
                .max()
                .expect("a week of starts")
                .as_secs();
            println!(
                "{preset:?}: worst {worst} s of {} starts from the third day",
                delays.len()
            );
            assert!(worst <= most_seconds, "{preset:?}: {delays:?}");
        }
        let of_last_day = rig.asks_from(6 * DAY, tesla2mqtt::policy::Ask::Light).len();
        println!("{preset:?}: {of_last_day} light calls on the last day");
        assert!(of_last_day <= n_light);
    }
}
