//! What following a car costs: our figures against their acceptance, the models of other tools
//! against the day by which they were measured, and the picture.

use std::time::Duration;

use jiff::Timestamp;
use tesla2mqtt::config::{self, Api};
use tesla2mqtt::estimate::{self, Case, LIVES, Life, Played, Report, Way, busiest_day, ours, plot};
use tesla2mqtt::policy::{Ask, Preset};

fn case(life: &str, preset: Preset, held: bool, days: u32) -> Case {
    Case {
        life: Life::named(life).expect("a named life"),
        days,
        n_cars: 1,
        held,
        way: Way::preset(preset),
    }
}

fn report(case: &Case) -> Report {
    estimate::report(case).0
}

fn calls_on(played: &Played, ask: Ask, day: u64) -> usize {
    let calls = played.cars.iter().flat_map(|car| &car.calls);
    let on = calls.filter(|call| call.ask == ask && call.at.as_secs() / 86_400 == day);
    on.count()
}

#[test]
fn a_metered_month_of_model_days_keeps_to_its_acceptance() {
    for (held, hours) in [(false, 4.56), (true, 4.9)] {
        let case = case("model-day", Preset::Metered, held, 30);
        let (report, played) = estimate::report(&case);
        let figures = &report.rows[0].figures;
        for day in 0..30 {
            let (light, data) = (
                calls_on(&played, Ask::Light, day),
                calls_on(&played, Ask::Data, day),
            );
            assert!(data <= 190, "held {held}, day {day}: {data} data calls");
            assert!(light <= 1500, "held {held}, day {day}: {light} light calls");
        }
        assert!(figures.n_408 <= 30, "{figures:?}");
        assert!(figures.awake_hours_a_day <= hours, "{figures:?}");
        assert!(figures.data_calls_a_day * 30.0 <= 4000.0, "{figures:?}");
        assert!(figures.dollars_a_month <= 8.0, "{figures:?}");
        for starts in [&figures.drive_starts, &figures.charge_starts] {
            assert_eq!(starts.n_missed, 0, "{figures:?}");
            assert!(starts.worst_seconds <= Some(65.0), "{figures:?}");
        }
    }
}

#[test]
fn an_unmetered_model_day_stays_below_its_calls_and_sees_starts_within_15_s() {
    for (held, hours) in [(false, 4.56), (true, 4.9)] {
        let report = report(&case("model-day", Preset::Unmetered, held, 30));
        let figures = &report.rows[0].figures;
        assert!(figures.data_calls_a_day <= 900.0, "{figures:?}");
        assert!(figures.light_calls_a_day <= 7500.0, "{figures:?}");
        assert!(figures.awake_hours_a_day <= hours, "{figures:?}");
        for starts in [&figures.drive_starts, &figures.charge_starts] {
            assert_eq!(starts.n_missed, 0, "{figures:?}");
            assert!(starts.worst_seconds <= Some(15.0), "{figures:?}");
        }
    }
}

#[test]
fn a_parked_car_costs_light_calls_only() {
    for preset in [Preset::Metered, Preset::Unmetered, Preset::Push] {
        let report = report(&case("parked", preset, false, 3));
        let figures = &report.rows[0].figures;
        assert!(figures.data_calls_a_day < 0.1);
        assert!(figures.light_calls_a_day > 200.0);
        assert!(figures.dollars_a_month < 0.01);
        assert!(figures.awake_hours_a_day < 0.01);
        assert_eq!(figures.drive_starts.n, 0);
    }
}

#[test]
fn a_car_that_pushes_is_seen_within_seconds_at_a_fraction_of_the_calls() {
    let pushed = report(&case("commuter", Preset::Push, false, 14));
    let polled = report(&case("commuter", Preset::Metered, false, 14));
    let (pushed, polled) = (&pushed.rows[0].figures, &polled.rows[0].figures);
    assert!(pushed.drive_starts.worst_seconds <= Some(5.0), "{pushed:?}");
    assert!(
        pushed.charge_starts.worst_seconds <= Some(5.0),
        "{pushed:?}"
    );
    assert!(pushed.data_calls_a_day * 3.0 < polled.data_calls_a_day);
}

#[test]
fn every_life_is_played_by_every_preset_and_prevents_hardly_any_sleep() {
    for life in LIVES.iter().map(|life| life.name) {
        for preset in [Preset::Metered, Preset::Unmetered, Preset::Push] {
            for held in [false, preset != Preset::Push] {
                let report = report(&case(life, preset, held, 7));
                let figures = &report.rows[0].figures;
                let prevented = figures.sleep_prevented_hours_a_day;
                assert!(
                    prevented <= 0.5,
                    "{life} {preset:?} held {held}: {figures:?}"
                );
            }
        }
    }
}

#[test]
fn cars_of_one_account_share_its_budget() {
    let mut case = case("model-day", Preset::Metered, false, 30);
    case.n_cars = 3;
    let (report, played) = estimate::report(&case);
    let figures = &report.rows[0].figures;
    assert_eq!(played.cars.len(), 3);
    assert!(figures.data_calls_a_day * 30.0 <= 4000.0, "{figures:?}");
    assert!(report.worst_budget_factor > 1.5, "{report:?}");
    let shares = played.cars.iter().map(|car| {
        let data = car.calls.iter().filter(|call| call.ask == Ask::Data);
        data.count()
    });
    let (least, most) = (shares.clone().min(), shares.max());
    assert!(least > most.map(|most| most / 2), "{least:?} of {most:?}");
}

#[test]
fn the_same_question_has_the_same_answer() {
    let case = case("commuter", Preset::Metered, true, 14);
    let (first, second) = (ours(&case), ours(&case));
    assert_eq!(first.cars[0].calls, second.cars[0].calls);
    assert_eq!(first.cars[0].beliefs, second.cars[0].beliefs);
}

#[test]
fn an_owners_intervals_prices_and_budget_are_played() {
    let settings = config::from_text(
        "[mqtt]\nurl = \"mqtt://localhost\"\n\
         [[accounts]]\nname = \"home\"\napi = \"fleet\"\nclient_id = \"x\"\n\
         [polling]\ndriving_data = \"30s\"\n\
         [budget]\ndollars = 100.0\nprice_data = 0.01\n",
    )
    .expect("a configuration");
    let mut own = case("model-day", Preset::Metered, false, 5);
    own.way = Way::configured("home", Api::Fleet, &settings.polling, &settings.budget);
    let own = report(&own);
    let usual = report(&case("model-day", Preset::Metered, false, 5));
    let (own_calls, usual_calls) = (
        own.rows[0].figures.data_calls_a_day,
        usual.rows[0].figures.data_calls_a_day,
    );
    assert!(own_calls > usual_calls + 40.0, "{own_calls} {usual_calls}");
    let dollars = own_calls * 30.0 * 0.01;
    assert!((own.rows[0].figures.dollars_a_month - dollars).abs() < 0.5);
    assert_eq!(own.prices, "configured prices");
    assert_eq!(usual.prices, "Tesla's published prices of February 2025");
}

/// The names of the elements, if each is closed where it must be.
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    let mut rest = xml;
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>'), "a loose > in {before:?}");
        let (tag, left) = after.split_once('>').expect("a tag is closed");
        rest = left;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).next().unwrap_or_default().to_owned();
        all.push(name.clone());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<String>::new());
    all
}

#[test]
fn the_picture_is_well_formed_and_has_a_tick_for_each_call_of_the_day() {
    for (life, preset, held) in [
        ("model-day", Preset::Metered, true),
        ("model-day", Preset::Unmetered, false),
        ("commuter", Preset::Metered, false),
        ("parked", Preset::Metered, false),
    ] {
        let played = ours(&case(life, preset, held, 7));
        for day in [0, busiest_day(&played), 6] {
            let svg = plot(&played.cars[0], day, "a <title> & more");
            let names = elements(&svg);
            let count = |name| names.iter().filter(|n| *n == name).count();
            assert_eq!(count("svg"), 1);
            assert!(count("rect") >= 9, "legend and both bands");
            let ticks: usize = svg
                .lines()
                .filter_map(|line| line.split_once(" d=\"")?.1.split('"').next())
                .map(|path| path.matches('M').count())
                .sum();
            let day = u64::from(day);
            let calls = calls_on(&played, Ask::Light, day) + calls_on(&played, Ask::Data, day);
            assert_eq!(ticks, calls, "{life} day {day}");
            assert!(calls > 0);
        }
    }
}

#[test]
fn the_busiest_day_has_drives() {
    let played = ours(&case("weekender", Preset::Metered, false, 14));
    let day = busiest_day(&played);
    // Weeks begin on Monday.
    assert!(day % 7 >= 5, "day {day}");
    let start: Timestamp = "2026-06-01T00:00:00Z".parse().expect("a time");
    assert_eq!(
        start.to_zoned(jiff::tz::TimeZone::UTC).weekday(),
        jiff::civil::Weekday::Monday
    );
    assert_eq!(played.length, Duration::from_hours(14 * 24));
}

/// A life that needs eight times the budget.
#[test]
fn a_taxis_month_is_followed_to_its_last_day_within_the_budget() {
    let (report, played) = estimate::report(&case("taxi", Preset::Metered, false, 30));
    let figures = &report.rows[0].figures;
    assert!(figures.data_calls_a_day * 30.0 <= 4000.0, "{figures:?}");
    assert!(figures.drive_starts.n_missed <= 9, "{figures:?}");
    assert_eq!(figures.charge_starts.n_missed, 0, "{figures:?}");
    for day in 0..30 {
        let data = calls_on(&played, Ask::Data, day);
        assert!((80..=300).contains(&data), "day {day}: {data} data calls");
    }
}
