use pretty_assertions::assert_eq;

use super::*;
use crate::model::Vin;

mod costs;
mod detect;
mod meter;
mod watch;

/// A car whose days are told in minutes since the start of a Monday.
struct TripsRig {
    car: Vehicle,
    trips: Trips,
    tariff: Tariff,
    minute: i64,
}

const PARKED: &[(&str, &str)] = &[
    ("drive_state.shift_state", ""),
    ("charge_state.charging_state", "Disconnected"),
];
const DRIVING: &[(&str, &str)] = &[
    ("drive_state.shift_state", "D"),
    ("charge_state.charging_state", "Disconnected"),
];
const CHARGING: &[(&str, &str)] = &[
    ("drive_state.shift_state", ""),
    ("charge_state.charging_state", "Charging"),
];
const COMPLETE: &[(&str, &str)] = &[
    ("drive_state.shift_state", ""),
    ("charge_state.charging_state", "Complete"),
];
const STOPPED: &[(&str, &str)] = &[
    ("drive_state.shift_state", ""),
    ("charge_state.charging_state", "Stopped"),
];

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

impl TripsRig {
    fn new() -> Self {
        Self {
            car: Vehicle::new(Vin::new("5YJ3E7EB0KF000005").unwrap()),
            trips: Trips::default(),
            tariff: Tariff {
                currency: Some("EUR".into()),
                price: Some(0.30),
                ..Tariff::default()
            },
            minute: 0,
        }
    }

    /// What an answer `minutes` after the last one shows to have ended, or to be different.
    fn after(
        &mut self,
        minutes: i64,
        words: &[(&str, &str)],
        numbers: &[(&str, f64)],
    ) -> Vec<Finding> {
        let found = self.all_after(minutes, words, numbers);
        let is_kept = |found: &Finding| {
            matches!(
                found,
                Finding::Drive(_) | Finding::Charge(_) | Finding::Notice(_)
            )
        };
        found.into_iter().filter(is_kept).collect()
    }

    /// All that an answer `minutes` after the last one shows.
    fn all_after(
        &mut self,
        minutes: i64,
        words: &[(&str, &str)],
        numbers: &[(&str, f64)],
    ) -> Vec<Finding> {
        self.minute += minutes;
        let of_word = |word: &str| (!word.is_empty()).then(|| Value::Text(word.to_owned()));
        let words = words
            .iter()
            .map(|(path, word)| (Signal::new(path), of_word(word)));
        let numbers = numbers.iter().map(|(field, number)| {
            let group = if *field == "odometer" {
                "vehicle_state"
            } else {
                "charge_state"
            };
            (
                Signal::new(&format!("{group}.{field}")),
                Some(Value::Float(*number)),
            )
        });
        self.car.apply(&Observation {
            source: Source::Data,
            at: at(self.minute),
            whole_groups: Vec::new(),
            signals: words.chain(numbers).collect(),
        });
        let found = self.trips.note(&self.car, &self.tariff);
        // A restart after each step.
        let kept = serde_json::to_string(&self.trips).unwrap();
        self.trips = serde_json::from_str(&kept).unwrap();
        found
    }

    fn figure(&self, name: &str) -> Option<f64> {
        let name = format!("derived.{name}");
        let seen = self.trips.observation(at(self.minute));
        let value = seen
            .signals
            .into_iter()
            .find(|(signal, _)| signal.as_str() == name)?;
        value.1?.number()
    }
}

fn drive(found: Vec<Finding>) -> Drive {
    match found.into_iter().next() {
        Some(Finding::Drive(drive)) => drive,
        other => panic!("expected a drive, got {other:?}"),
    }
}

fn charge(found: Vec<Finding>) -> Charge {
    match found.into_iter().next() {
        Some(Finding::Charge(charge)) => charge,
        other => panic!("expected a charge, got {other:?}"),
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[test]
fn a_drive_has_its_distance_energy_and_efficiency() {
    let mut rig = TripsRig::new();
    // A charge has shown that 66.5 rated miles are 14.54 kWh.
    rig.after(
        0,
        PARKED,
        &[
            ("odometer", 1000.0),
            ("battery_level", 80.0),
            ("battery_range", 240.0),
            ("charge_energy_added", 14.54),
            ("charge_miles_added_rated", 66.5),
        ],
    );
    assert_eq!(rig.after(5, DRIVING, &[("odometer", 1000.4)]), []);
    assert_eq!(rig.after(20, DRIVING, &[("odometer", 1015.0)]), []);
    let ended = drive(rig.after(
        5,
        PARKED,
        &[
            ("odometer", 1020.0),
            ("battery_level", 74.0),
            ("battery_range", 220.0),
        ],
    ));
    assert_eq!(
        (ended.started_at, ended.ended_at, ended.duration_s),
        (at(5), at(30), 25 * 60)
    );
    assert!(close(ended.distance_mi.unwrap(), 20.0));
    assert_eq!((ended.level_from, ended.level_to), (Some(80.0), Some(74.0)));
    assert!(close(ended.energy_kwh.unwrap(), 20.0 * 14.54 / 66.5));
    assert!(close(
        ended.wh_per_km().unwrap(),
        14.54 / 66.5 * 1000.0 / 1.609_344
    ));
    assert_eq!(rig.figure("last_drive_level_used"), Some(6.0));
    assert_eq!(rig.figure("last_drive_ended_at"), Some(1_700_001_800.0));
}

#[test]
fn a_drive_has_no_energy_until_a_charge_has_shown_what_a_rated_mile_is() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        PARKED,
        &[
            ("odometer", 1000.0),
            ("battery_range", 240.0),
            ("charge_energy_added", 0.5),
            ("charge_miles_added_rated", 2.0),
        ],
    );
    rig.after(5, DRIVING, &[("odometer", 1001.0)]);
    let ended = drive(rig.after(5, PARKED, &[("odometer", 1005.0), ("battery_range", 235.0)]));
    assert_eq!((ended.range_used_mi, ended.energy_kwh), (Some(5.0), None));
}

#[test]
fn a_car_that_slept_before_the_drive_counts_from_its_last_odometer_but_not_its_last_charge() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("odometer", 1000.0), ("battery_level", 80.0)]);
    rig.after(
        600,
        DRIVING,
        &[("odometer", 1000.7), ("battery_level", 78.0)],
    );
    let ended = drive(rig.after(10, PARKED, &[("odometer", 1006.0), ("battery_level", 76.0)]));
    assert!(close(ended.distance_mi.unwrap(), 6.0));
    assert_eq!(ended.level_from, Some(78.0));
}

#[test]
fn a_drive_that_nobody_saw_is_not_invented() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("odometer", 1000.0)]);
    assert_eq!(rig.after(600, PARKED, &[("odometer", 1050.0)]), []);
    // Nor is it added to the next.
    rig.after(600, DRIVING, &[("odometer", 1090.0)]);
    let ended = drive(rig.after(10, PARKED, &[("odometer", 1092.0)]));
    assert!(close(ended.distance_mi.unwrap(), 2.0));
}

#[test]
fn a_drive_into_an_underground_garage_ends_where_it_was_last_seen() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("odometer", 1000.0)]);
    rig.after(5, DRIVING, &[("odometer", 1001.0)]);
    rig.after(5, DRIVING, &[("odometer", 1004.0)]);
    let ended = drive(rig.after(500, PARKED, &[("odometer", 1004.3)]));
    assert_eq!(ended.ended_at, at(10));
    assert!(close(ended.distance_mi.unwrap(), 4.3));
}

#[test]
fn a_gear_change_in_the_driveway_is_no_drive() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("odometer", 1000.0)]);
    rig.after(1, DRIVING, &[("odometer", 1000.0)]);
    // Its start was told, and so is its end.
    let ended = drive(rig.after(1, PARKED, &[("odometer", 1000.01)]));
    assert!(close(ended.distance_mi.unwrap(), 0.01));
    assert_eq!(rig.figure("last_drive_distance"), None);
}

#[test]
fn quirk_26_an_odometer_that_goes_back_a_little_is_no_drive_of_less_than_nothing() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("odometer", 1000.0)]);
    rig.after(5, DRIVING, &[("odometer", 1002.0)]);
    let ended = drive(rig.after(5, PARKED, &[("odometer", 1001.98)]));
    assert!(close(ended.distance_mi.unwrap(), 1.98), "{ended:?}");
    rig.after(5, DRIVING, &[("odometer", 1001.97)]);
    let ended = drive(rig.after(5, PARKED, &[("odometer", 1001.96)]));
    assert_eq!(ended.distance_mi, Some(0.0));
    assert!(close(rig.figure("last_drive_distance").unwrap(), 1.98));
}

#[test]
fn a_charge_has_its_energy_and_power() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        PARKED,
        &[
            ("battery_level", 40.0),
            ("battery_range", 120.0),
            ("charge_energy_added", 20.86),
        ],
    );
    // The old session's counter is still there, then it falls.
    rig.after(
        10,
        CHARGING,
        &[("charge_energy_added", 20.86), ("charger_power", 11.0)],
    );
    rig.after(
        10,
        CHARGING,
        &[("charge_energy_added", 0.4), ("charger_power", 11.0)],
    );
    rig.after(
        60,
        CHARGING,
        &[("charge_energy_added", 11.2), ("charger_power", 10.0)],
    );
    let ended = charge(rig.after(
        10,
        COMPLETE,
        &[
            ("charge_energy_added", 13.0),
            ("battery_level", 60.0),
            ("battery_range", 180.0),
        ],
    ));
    assert_eq!((ended.started_at, ended.duration_s), (at(10), 80 * 60));
    assert!(close(ended.energy_kwh, 13.0));
    assert_eq!(ended.level_added(), Some(20.0));
    assert_eq!((ended.power_max_kw, ended.is_dc), (Some(11.0), false));
    assert!(close(ended.cost.unwrap(), 3.9));
    assert_eq!(rig.figure("last_charge_energy"), Some(13.0));
}

#[test]
fn a_charge_that_is_stopped_and_resumed_is_two_whose_energies_add_up() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("charge_energy_added", 5.0)]);
    rig.after(10, CHARGING, &[("charge_energy_added", 0.2)]);
    let first = charge(rig.after(60, STOPPED, &[("charge_energy_added", 8.0)]));
    rig.after(30, CHARGING, &[("charge_energy_added", 8.1)]);
    let second = charge(rig.after(60, COMPLETE, &[("charge_energy_added", 12.0)]));
    assert!(close(first.energy_kwh + second.energy_kwh, 12.0));
}

#[test]
fn quirk_8_the_meter_counts_every_session_once() {
    let mut rig = TripsRig::new();
    let total = |rig: &mut TripsRig, minutes, words, kwh: f64| {
        rig.after(minutes, words, &[("charge_energy_added", kwh)]);
        rig.figure("charge_energy_total").unwrap()
    };
    // What was charged before the bridge came is not its business.
    assert!(close(total(&mut rig, 0, PARKED, 20.86), 0.0));
    // The next session shows the old value first, then falls, then grows.
    assert!(close(total(&mut rig, 10, CHARGING, 20.86), 0.0));
    assert!(close(total(&mut rig, 10, CHARGING, 0.5), 0.5));
    assert!(close(total(&mut rig, 60, CHARGING, 10.0), 10.0));
    assert!(close(total(&mut rig, 10, COMPLETE, 12.0), 12.0));
    // Rounding does not count, and unplugging changes nothing.
    assert!(close(total(&mut rig, 10, COMPLETE, 11.99), 12.0));
    assert!(close(total(&mut rig, 10, PARKED, 12.0), 12.0));
    // A session first seen when it has passed the old value counts whole.
    assert!(close(total(&mut rig, 600, CHARGING, 15.0), 27.0));
    assert!(close(total(&mut rig, 10, CHARGING, 16.0), 28.0));
    // Falls without having been seen unplugged: a new session.
    assert!(close(total(&mut rig, 600, CHARGING, 3.0), 31.0));
}

#[test]
fn quirk_8_a_charge_has_the_energy_that_the_meter_counts() {
    // Counters of the looks, first parked and last complete; what the session was.
    let check = |counters: &[f64], expected: f64| {
        let mut rig = TripsRig::new();
        let (first, rest) = counters.split_first().unwrap();
        let (last, under_way) = rest.split_last().unwrap();
        rig.after(0, PARKED, &[("charge_energy_added", *first)]);
        for counter in under_way {
            rig.after(10, CHARGING, &[("charge_energy_added", *counter)]);
        }
        let ended = charge(rig.after(10, COMPLETE, &[("charge_energy_added", *last)]));
        let total = rig.figure("charge_energy_total").unwrap();
        assert!(close(ended.energy_kwh, expected), "{counters:?}: {ended:?}");
        assert!(close(total, expected), "{counters:?}: {total}");
        assert!(close(ended.cost.unwrap(), expected * 0.30), "{ended:?}");
    };
    // The first look shows the old session; the next has passed it, or not.
    check(&[12.0, 12.0, 15.0, 15.0], 15.0);
    check(&[12.0, 12.0, 12.0, 15.0, 18.0], 18.0);
    check(&[12.0, 12.0, 3.0, 15.0], 15.0);
    check(&[12.0, 12.0, 15.0], 15.0);
    // It shows the new one at once.
    check(&[12.0, 13.0, 18.0], 18.0);
    check(&[12.0, 0.0, 18.0], 18.0);
}

#[test]
fn what_a_look_at_an_unplugged_car_shows_more_is_still_the_sessions() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("charge_energy_added", 20.0)]);
    rig.after(10, CHARGING, &[("charge_energy_added", 0.5)]);
    rig.after(50, CHARGING, &[("charge_energy_added", 10.0)]);
    let ended = charge(rig.after(10, PARKED, &[("charge_energy_added", 12.0)]));
    assert!(close(ended.energy_kwh, 12.0), "{ended:?}");
    assert!(close(rig.figure("charge_energy_total").unwrap(), 12.0));
    // And what the next session shows is that one's.
    rig.after(600, CHARGING, &[("charge_energy_added", 15.0)]);
    assert!(close(rig.figure("charge_energy_total").unwrap(), 27.0));
}

#[test]
fn the_meter_knows_a_new_session_by_the_drive_before_it() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        COMPLETE,
        &[("charge_energy_added", 5.0), ("odometer", 1000.0)],
    );
    rig.after(
        600,
        CHARGING,
        &[("charge_energy_added", 7.0), ("odometer", 1100.0)],
    );
    assert_eq!(rig.figure("charge_energy_total"), Some(7.0));
}

#[test]
fn absurd_counters_do_not_spoil_the_meter() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("charge_energy_added", 5.0)]);
    for absurd in [-3.0, 1e9, 400.0] {
        rig.after(1, CHARGING, &[("charge_energy_added", absurd)]);
    }
    assert_eq!(rig.figure("charge_energy_total"), Some(0.0));
}

#[test]
fn a_parked_car_loses_by_the_hour() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        PARKED,
        &[
            ("battery_level", 80.0),
            ("battery_range", 240.0),
            ("odometer", 1000.0),
        ],
    );
    rig.after(30, PARKED, &[("battery_range", 239.7)]);
    assert_eq!(rig.figure("parked_loss"), None, "too early to tell");
    rig.after(570, PARKED, &[("battery_range", 237.0)]);
    assert!(close(rig.figure("parked_loss").unwrap(), 1.0));
    assert!(close(rig.figure("parked_loss_per_hour").unwrap(), 0.1));
    // A drive ends the stay; its figures remain until the next can say something.
    rig.after(
        10,
        DRIVING,
        &[("battery_range", 230.0), ("odometer", 1005.0)],
    );
    rig.after(
        10,
        PARKED,
        &[("battery_range", 225.0), ("odometer", 1010.0)],
    );
    assert!(close(rig.figure("parked_loss").unwrap(), 1.0));
}

#[test]
fn a_car_that_is_heated_for_somebody_does_not_lose_by_it() {
    for field in ["is_climate_on", "is_preconditioning"] {
        let mut rig = TripsRig::new();
        let mut look = |minutes, range_mi, climate| {
            rig.car.apply(&Observation {
                source: Source::Data,
                at: at(rig.minute + minutes),
                whole_groups: Vec::new(),
                signals: vec![(
                    Signal::new(&format!("climate_state.{field}")),
                    Some(Value::Bool(climate)),
                )],
            });
            let shown = [("battery_level", 80.0), ("battery_range", range_mi)];
            rig.after(minutes, PARKED, &shown);
            rig.figure("parked_loss")
        };
        look(0, 240.0, false);
        let loss = look(120, 239.7, false).unwrap();
        assert!(close(loss, 0.1), "{field}: {loss}");
        assert_eq!(look(60, 234.0, true), Some(loss), "{field}");
        assert_eq!(look(60, 228.0, true), Some(loss), "{field}");
        // The next stay counts from where the heating ended.
        assert_eq!(look(10, 226.0, false), Some(loss), "{field}");
        let loss = look(120, 225.7, false).unwrap();
        assert!(close(loss, 0.3 / 226.0 * 80.0), "{field}: {loss}");
    }
}

#[test]
fn an_answer_that_is_not_newer_changes_nothing() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        PARKED,
        &[("odometer", 1000.0), ("charge_energy_added", 1.0)],
    );
    rig.after(5, DRIVING, &[("odometer", 1001.0)]);
    let before = rig.trips.clone();
    assert_eq!(rig.trips.note(&rig.car, &rig.tariff), []);
    assert_eq!(rig.trips, before);
}

#[test]
fn a_drive_is_not_lost_when_the_clock_is_set_back() {
    let mut rig = TripsRig::new();
    let now = |minute| Now {
        mono: std::time::Duration::ZERO,
        wall: at(minute),
    };
    let answer = |rig: &mut TripsRig, minutes, words: &[_], odometer| {
        rig.car.not_after(now(rig.minute + minutes));
        rig.trips.not_after(now(rig.minute + minutes));
        rig.after(minutes, words, &[("odometer", odometer)])
    };
    answer(&mut rig, 600, PARKED, 1000.0);
    answer(&mut rig, -300, PARKED, 1000.0);
    answer(&mut rig, 1, DRIVING, 1000.5);
    let drive = drive(answer(&mut rig, 10, PARKED, 1008.0));
    assert!(close(drive.distance_mi.unwrap(), 8.0), "{drive:?}");
    // And while it goes on.
    answer(&mut rig, 1, DRIVING, 1008.5);
    answer(&mut rig, -300, DRIVING, 1009.0);
    let found = answer(&mut rig, 1, PARKED, 1010.0);
    assert!(
        matches!(&found[..], [Finding::Drive(drive)] if drive.duration_s == 0),
        "{found:?}"
    );
}

#[test]
fn an_event_tells_the_figures_with_their_units_and_the_cost() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        PARKED,
        &[("battery_level", 40.0), ("charge_energy_added", 20.86)],
    );
    rig.after(
        10,
        CHARGING,
        &[("charge_energy_added", 0.4), ("charger_power", 11.0)],
    );
    let found = rig.after(
        60,
        COMPLETE,
        &[("charge_energy_added", 10.006), ("battery_level", 60.0)],
    );
    let (name, figures) = found[0].event().unwrap();
    assert_eq!(name, "charge_finished");
    let expected = serde_json::json!({
        "event_type": "charge_finished", "started_at": "2023-11-14T22:23:20Z", "ended_at": "2023-11-14T23:23:20Z",
        "duration_s": 3600, "energy_kwh": 10.01, "level_from": 40, "level_to": 60, "range_added_mi": null,
        "power_max_kw": 11, "charger_type": "ac", "cost": 3, "currency": "EUR",
    });
    assert_eq!(figures, expected);
    rig.after(1, DRIVING, &[("odometer", 1.0)]);
    let found = rig.after(9, PARKED, &[("odometer", 3.0)]);
    let (name, figures) = found[0].event().unwrap();
    assert_eq!(
        (name, &figures["distance_mi"]),
        ("drive_finished", &serde_json::json!(2))
    );
    assert!(crate::catalogue::EVENTS.contains(&name));
}

#[test]
fn every_figure_is_listed_as_a_signal() {
    let mut rig = TripsRig::new();
    rig.after(
        0,
        PARKED,
        &[
            ("odometer", 1000.0),
            ("battery_level", 80.0),
            ("battery_range", 240.0),
            ("charge_energy_added", 14.5),
            ("charge_miles_added_rated", 66.5),
        ],
    );
    rig.after(61, PARKED, &[("battery_range", 239.0)]);
    rig.after(5, DRIVING, &[]);
    rig.after(
        5,
        PARKED,
        &[
            ("odometer", 1005.0),
            ("battery_level", 78.0),
            ("battery_range", 234.0),
        ],
    );
    rig.after(5, CHARGING, &[("charge_energy_added", 0.1)]);
    rig.after(
        5,
        COMPLETE,
        &[("charge_energy_added", 5.0), ("battery_level", 84.0)],
    );
    let seen = rig.trips.observation(at(rig.minute));
    let mut names: Vec<&str> = seen
        .signals
        .iter()
        .map(|(signal, _)| signal.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, DERIVED_SIGNALS);
}

proptest::proptest! {
    #[test]
    fn no_story_makes_the_meter_fall_or_the_trips_panic(
        story in proptest::collection::vec(
            (0_i64..2000, 0_usize..5, proptest::num::f64::ANY, -10.0_f64..500.0, -10.0_f64..120.0), 0..60,
        ),
    ) {
        let mut rig = TripsRig::new();
        let mut meter = 0.0;
        for (minutes, state, odometer, kwh, level) in story {
            let words = [PARKED, DRIVING, CHARGING, COMPLETE, STOPPED][state];
            let odometer = if odometer.is_finite() { odometer } else { 0.0 };
            rig.after(minutes, words, &[("odometer", odometer), ("charge_energy_added", kwh),
                ("battery_level", level), ("battery_range", level * 3.0), ("charge_miles_added_rated", kwh * 4.0)]);
            let total = rig.figure("charge_energy_total").unwrap_or(0.0);
            proptest::prop_assert!(total >= meter);
            meter = total;
        }
    }
}
