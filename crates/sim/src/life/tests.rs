use proptest::prelude::*;

use super::*;
use crate::{BriefWakes, CarActivity, ChargeState, Deed, Plan, Segment};
use tesla2mqtt_core::model::{UpdateStatus, Vin};

const MIN: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

fn midnight() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().expect("a Monday")
}

fn spec(plan: Plan) -> CarSpec {
    CarSpec::new(Vin::new("5YJ3E7EB0KF000001").expect("a VIN"), plan)
}

fn deed(minute: u64, deed: Deed) -> Segment {
    Segment {
        start: MIN * u32::try_from(minute).expect("small"),
        deed,
    }
}

fn charge(minutes: u64, scheduled_in: Option<Duration>) -> Deed {
    Deed::Charge {
        length: Duration::from_mins(minutes),
        kw: 11.0,
        dc: false,
        scheduled_in,
    }
}

/// The instants of the events of one kind, in minutes since midnight.
fn minutes_of(car: &Car, wanted: LifeEvent) -> Vec<i64> {
    let of = car.events().iter().filter(|(_, event)| *event == wanted);
    of.map(|(at, _)| (at.as_second() - midnight().as_second()) / 60)
        .collect()
}

#[test]
fn an_unpolled_model_day_is_awake_for_4_55_hours_every_day_for_a_month() {
    let mut car = Car::new(spec(Plan::model_day()), midnight());
    let mut before = Duration::ZERO;
    // The first night still contains the countdown after the charge of the evening before.
    for day in 1..=30 {
        car.advance(midnight() + DAY * day);
        let truth = car.truth();
        let hours = truth.awake.abs_diff(before).as_secs_f64() / 3600.0;
        assert!((hours - 4.55).abs() < 0.001, "day {day}: {hours} h");
        before = truth.awake;
    }
    let truth = car.truth();
    assert_eq!((truth.drives_started, truth.charges_started), (120, 30));
    assert!(
        (40.0..=90.0).contains(&truth.battery_level),
        "{}",
        truth.battery_level
    );
}

#[test]
fn a_car_that_is_not_held_sleeps_although_it_is_asked_every_ten_seconds_and_a_held_one_does_not() {
    for (held, asleep_after) in [(false, Some(12)), (true, None)] {
        let start = midnight();
        let mut car = Car::new(
            CarSpec {
                held,
                awake_at_start: true,
                ..spec(Plan::parked())
            },
            start,
        );
        let refused = (0..360).find(|n| car.data(start + Duration::from_secs(10 * n)).is_none());
        assert_eq!(refused.map(|n| n / 6), asleep_after, "held: {held}");
    }
}

#[test]
fn light_calls_never_change_a_life() {
    let plans = [
        Plan::model_day(),
        Plan::commuter(),
        Plan::taxi(),
        Plan::weekender(),
    ];
    for plan in plans {
        for held in [false, true] {
            let spec = CarSpec {
                held,
                brief_wakes: Some(BriefWakes::default()),
                ..spec(plan.clone())
            };
            let (mut alone, mut watched) = (
                Car::new(spec.clone(), midnight()),
                Car::new(spec, midnight()),
            );
            for minute in 0..60 * 24 * 7 {
                watched.light(midnight() + MIN * minute);
            }
            alone.advance(watched.truth().at);
            assert_eq!(alone.events(), watched.events());
            assert_eq!(alone.truth().awake, watched.truth().awake);
        }
    }
}

#[test]
fn a_data_call_turns_a_brief_wake_into_a_quarter_of_an_hour() {
    let brief = CarSpec {
        brief_wakes: Some(BriefWakes::default()),
        ..spec(Plan::once(vec![deed(0, Deed::AppUse)]))
    };
    for (ask, awake_min) in [(false, 13.0 + 2.5), (true, 13.0 + 1.0 + 15.0)] {
        let mut car = Car::new(brief.clone(), midnight());
        let check = midnight() + MIN * (13 + 58);
        assert_eq!(car.light(check - MIN).state, LightState::Asleep);
        assert_eq!(car.light(check + MIN).state, LightState::Online);
        assert_eq!(car.truth().activity, CarActivity::Asleep);
        if ask {
            assert!(car.data(check + MIN).is_some());
        }
        car.advance(check + MIN * 30);
        assert!(
            (car.truth().awake.as_secs_f64() / 60.0 - awake_min).abs() < 0.01,
            "{ask}"
        );
    }
}

#[test]
fn driving_takes_charge_and_adds_way_and_unplugs() {
    let plan = Plan::once(vec![
        deed(5, charge(20, None)),
        deed(
            60,
            Deed::Drive {
                length: MIN * 30,
                km: 40.0,
            },
        ),
    ]);
    let mut car = Car::new(spec(plan), midnight());
    car.advance(midnight() + MIN * 59);
    let before = car.truth();
    assert_eq!(car.view().charge.state, ChargeState::Stopped);
    let mut odometer = before.odometer_km;
    for minute in 60..90 {
        let seen = car
            .data(midnight() + MIN * minute)
            .expect("driving is online");
        assert!(seen.odometer_km >= odometer);
        assert_eq!(seen.gear(), Some("D"));
        assert_eq!(seen.charge.state, ChargeState::Disconnected);
        odometer = seen.odometer_km;
    }
    car.advance(midnight() + MIN * 95);
    let after = car.truth();
    assert!((after.odometer_km - before.odometer_km - 40.0).abs() < 1e-6);
    assert!(after.battery_level < before.battery_level - 5.0);
    assert_eq!(car.view().gear(), None);
}

#[test]
fn charging_ends_at_the_limit_and_keeps_what_it_added() {
    let plan = Plan::once(vec![deed(0, charge(600, None))]);
    let mut car = Car::new(
        CarSpec {
            battery_level: 80.0,
            ..spec(plan)
        },
        midnight(),
    );
    let charging = car.data(midnight() + MIN * 10).expect("online");
    assert_eq!(charging.charge.state, ChargeState::Charging);
    assert!(charging.battery_level > 80.0 && charging.charge.left > MIN);
    car.advance(midnight() + DAY);
    let done = car.view().charge;
    assert_eq!(done.state, ChargeState::Complete);
    assert!(
        (done.energy_added_kwh - 7.5).abs() < 0.05,
        "{}",
        done.energy_added_kwh
    );
    assert!((car.truth().battery_level - 90.0).abs() < 0.5);
    // 7.5 kWh at 11 kW times its efficiency.
    assert_eq!(minutes_of(&car, LifeEvent::ChargeEnded), [44]);
    assert_eq!(minutes_of(&car, LifeEvent::FellAsleep), [56]);
}

#[test]
fn a_fast_charger_slows_down_as_the_battery_fills_and_unplugs_at_the_end() {
    let fast = Deed::Charge {
        length: MIN * 45,
        kw: 150.0,
        dc: true,
        scheduled_in: None,
    };
    let plan = Plan::once(vec![deed(0, fast)]);
    let mut car = Car::new(
        CarSpec {
            battery_level: 20.0,
            ..spec(plan)
        },
        midnight(),
    );
    let mut power = f64::MAX;
    let mut steps = 0;
    for minute in 1..40 {
        let charge = car.data(midnight() + MIN * minute).expect("online").charge;
        assert!(charge.kw <= power);
        steps += u32::from(charge.kw < power);
        power = charge.kw;
    }
    assert!(steps >= 3, "{steps} different powers");
    car.advance(midnight() + MIN * 46);
    assert_eq!(car.view().charge.state, ChargeState::Disconnected);
}

#[test]
fn a_scheduled_charge_starts_from_sleep_at_its_time() {
    let plan = Plan::once(vec![deed(0, charge(30, Some(MIN * 120)))]);
    let mut car = Car::new(spec(plan), midnight());
    let waiting = car
        .data(midnight() + MIN)
        .expect("just plugged in")
        .policy_view();
    assert!(waiting.scheduled_charging_pending);
    assert_eq!(
        waiting.scheduled_charging_start,
        Some(midnight() + MIN * 120)
    );
    assert_eq!(car.light(midnight() + MIN * 119).state, LightState::Asleep);
    assert_eq!(car.light(midnight() + MIN * 121).state, LightState::Online);
    assert_eq!(car.truth().activity, CarActivity::Charging);
}

#[test]
fn a_wake_call_works_after_the_wake_delay_and_once() {
    let mut car = Car::new(spec(Plan::parked()), midnight());
    let second = |n| midnight() + Duration::from_secs(n);
    car.wake(second(10));
    car.wake(second(20));
    assert_eq!(car.light(second(29)).state, LightState::Asleep);
    assert_eq!(car.light(second(30)).state, LightState::Online);
    assert_eq!(car.light(second(30 + 12 * 60)).state, LightState::Asleep);
    assert_eq!(car.truth().wakes, 2);
}

#[test]
fn every_hold_but_unlocked_keeps_the_car_awake_for_its_length() {
    use HoldReason as R;
    let reasons = [
        R::Power,
        R::Downloading,
        R::UserPresent,
        R::SentryMode,
        R::Preconditioning,
        R::Climate,
        R::ClimateKeeper,
        R::CabinOverheat,
        R::DoorOpen,
        R::TrunkOpen,
    ];
    for reason in reasons {
        let plan = Plan::once(vec![deed(
            0,
            Deed::Hold {
                reason,
                length: MIN * 60,
            },
        )]);
        let mut car = Car::new(spec(plan), midnight());
        assert!(car.data(midnight() + MIN * 59).is_some(), "{reason:?}");
        assert!(car.data(midnight() + MIN * 73).is_none(), "{reason:?}");
    }
    let unlocked = Deed::Hold {
        reason: R::Unlocked,
        length: MIN * 60,
    };
    let mut car = Car::new(spec(Plan::once(vec![deed(0, unlocked)])), midnight());
    assert!(car.data(midnight() + MIN).is_none());
}

#[test]
fn an_update_goes_out_of_reach_and_comes_back_with_new_firmware() {
    let update = Deed::Update {
        download: MIN * 10,
        install: MIN * 25,
    };
    let mut car = Car::new(spec(Plan::once(vec![deed(0, update)])), midnight());
    let status = |car: &mut Car, minute: u32| {
        let seen = car.data(midnight() + MIN * minute);
        seen.map(|v| v.policy_view())
            .and_then(|v| v.update)
            .map(|update| update.status)
    };
    assert_eq!(status(&mut car, 5), Some(UpdateStatus::Downloading));
    assert_eq!(status(&mut car, 11), Some(UpdateStatus::Installing));
    assert_eq!(status(&mut car, 20), None);
    assert_eq!(car.light(midnight() + MIN * 20).state, LightState::Offline);
    assert_eq!(status(&mut car, 33), Some(UpdateStatus::Installing));
    assert_eq!(status(&mut car, 36), None);
    assert_ne!(car.view().firmware, car.spec().firmware);
}

#[test]
fn a_dead_zone_and_service_are_seen_by_the_light_call_only() {
    let plan = Plan::once(vec![
        deed(
            0,
            Deed::Drive {
                length: MIN * 30,
                km: 20.0,
            },
        ),
        deed(10, Deed::DeadZone { length: MIN * 3 }),
        deed(40, Deed::Service { length: MIN * 60 }),
    ]);
    let mut car = Car::new(spec(plan), midnight());
    assert_eq!(car.light(midnight() + MIN * 11).state, LightState::Offline);
    assert!(car.data(midnight() + MIN * 11).is_none());
    assert_eq!(car.truth().activity, CarActivity::Driving);
    assert!(car.data(midnight() + MIN * 14).is_some());
    assert!(car.light(midnight() + MIN * 41).in_service);
    assert!(!car.light(midnight() + MIN * 101).in_service);
}

#[test]
fn a_life_watched_from_noon_is_in_the_middle_of_its_day() {
    let noon = midnight() + MIN * (8 * 60 + 10);
    let mut car = Car::new(
        CarSpec {
            battery_level: 50.0,
            ..spec(Plan::model_day())
        },
        noon,
    );
    assert_eq!(car.truth().activity, CarActivity::Driving);
    let first = car.data(noon).expect("driving");
    assert!((first.battery_level - 50.0).abs() < 0.1);
    assert!(first.drive.is_some_and(|d| d.left == MIN * 20));
    assert!(car.events().is_empty(), "{:?}", car.events());
}

#[test]
fn the_same_seed_is_the_same_story_and_a_plan_never_stops() {
    for plan in [
        Plan::commuter(),
        Plan::demo_day(MIN * 7, 11.0, false),
        Plan::weekender(),
    ] {
        let (mut once, mut again) = (
            Car::new(spec(plan.clone()), midnight()),
            Car::new(spec(plan), midnight()),
        );
        once.advance(midnight() + DAY * 28);
        for hour in 0..=28 * 24 {
            again.advance(midnight() + MIN * 60 * hour);
        }
        assert_eq!(once.events(), again.events());
        assert!(once.truth().drives_started >= 16, "{:?}", once.truth());
        assert!(once.truth().battery_level > 10.0, "{:?}", once.truth());
    }
}

#[test]
fn in_the_demo_something_begins_or_ends_every_two_minutes() {
    let mut times: Vec<Timestamp> = Vec::new();
    for spec in [CarSpec::demo_model_3(), CarSpec::demo_model_x()] {
        let mut car = Car::new(spec, midnight());
        car.advance(midnight() + DAY);
        times.extend(car.events().iter().map(|(at, _)| *at));
        let level = car.truth().battery_level;
        assert!((30.0..=90.0).contains(&level), "{level} % after a day");
        for wanted in [
            LifeEvent::DriveStarted,
            LifeEvent::ChargeStarted,
            LifeEvent::InstallEnded,
            LifeEvent::FellAsleep,
        ] {
            let n = car
                .events()
                .iter()
                .filter(|(_, event)| *event == wanted)
                .count();
            assert!(n >= 90, "{wanted:?} {n} times");
        }
    }
    times.sort_unstable();
    for pair in times.windows(2) {
        let gap = pair[1].duration_since(pair[0]).as_secs();
        assert!(gap <= 130, "nothing for {gap} s from {}", pair[0]);
    }
}

#[test]
fn absurd_specifications_do_not_hang_or_panic() {
    let zero = Deed::Charge {
        length: MIN,
        kw: 0.0,
        dc: true,
        scheduled_in: Some(Duration::ZERO),
    };
    let plan = Plan::day(vec![
        deed(
            0,
            Deed::Drive {
                length: Duration::ZERO,
                km: 0.0,
            },
        ),
        deed(0, zero),
        deed(1439, Deed::DeadZone { length: DAY * 3 }),
    ]);
    let odd = CarSpec {
        time_to_sleep: Duration::ZERO,
        charge_limit: 200.0,
        battery_level: -5.0,
        ..spec(plan)
    };
    let mut car = Car::new(odd, midnight());
    car.advance(midnight() + DAY * 10);
    assert!(car.view().battery_level.is_finite());
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let length = (0_u64..20_000).prop_map(Duration::from_secs);
    prop_oneof![
        (length.clone(), 0.0..300.0).prop_map(|(length, km)| Deed::Drive { length, km }),
        Just(Deed::AppUse),
        (
            length.clone(),
            0.0..250.0,
            any::<bool>(),
            proptest::option::of(length.clone())
        )
            .prop_map(|(length, kw, dc, scheduled_in)| Deed::Charge {
                length,
                kw,
                dc,
                scheduled_in
            }),
        length.clone().prop_map(|length| Deed::Hold {
            reason: HoldReason::SentryMode,
            length
        }),
        length.clone().prop_map(|length| Deed::Hold {
            reason: HoldReason::Unlocked,
            length
        }),
        (length.clone(), length.clone())
            .prop_map(|(download, install)| Deed::Update { download, install }),
        length.clone().prop_map(|length| Deed::Service { length }),
        length.prop_map(|length| Deed::DeadZone { length }),
    ]
}

proptest! {
    /// Whatever a car does, asked at whatever times: the odometer never goes back, the battery
    /// stays between empty and full, and an answer comes exactly when the light call says online.
    #[test]
    fn any_life_keeps_the_laws_of_cars(
        deeds in proptest::collection::vec((0_u64..86_400, any_deed()), 0..12),
        asks in proptest::collection::vec((1_u64..7_200, any::<bool>()), 1..60),
        held in any::<bool>(),
        brief in any::<bool>(),
    ) {
        let segments = deeds.into_iter().map(|(second, deed)| Segment { start: Duration::from_secs(second), deed });
        let spec = CarSpec {
            held,
            brief_wakes: brief.then(BriefWakes::default),
            ..spec(Plan::day(segments.collect()))
        };
        let mut car = Car::new(spec, midnight());
        let (mut now, mut odometer, mut n_events) = (midnight(), 0.0, 0);
        for (seconds, data) in asks {
            now += Duration::from_secs(seconds);
            let light = car.light(now);
            if data {
                let seen = car.data(now);
                prop_assert_eq!(seen.is_some(), light.state == LightState::Online);
            }
            let truth = car.truth();
            prop_assert_eq!(truth.at, now);
            prop_assert!(truth.odometer_km >= odometer - 1e-6, "{} after {odometer}", truth.odometer_km);
            prop_assert!((2.0..=100.0).contains(&truth.battery_level));
            prop_assert!(car.next_change() >= now);
            prop_assert!(car.events().len() >= n_events);
            (odometer, n_events) = (truth.odometer_km, car.events().len());
        }
        prop_assert!(car.events().is_sorted_by_key(|(at, _)| *at));
    }
}

#[test]
fn a_car_that_lives_for_years_remembers_its_newest_events_only() {
    let all = Car::new(
        CarSpec {
            events_kept: usize::MAX,
            ..CarSpec::demo_model_3()
        },
        midnight(),
    );
    let some = Car::new(CarSpec::demo_model_3(), midnight());
    let [all, some] = [all, some].map(|mut car| {
        car.advance(midnight() + DAY * 30);
        car.events().to_vec()
    });
    assert!(all.len() > 20_000, "{}", all.len());
    assert!((1_000..=2_000).contains(&some.len()), "{}", some.len());
    assert!(all.ends_with(&some));
}

#[test]
fn the_demos_cars_use_what_a_car_uses() {
    for spec in [CarSpec::demo_model_3(), CarSpec::demo_model_x()] {
        let mut car = Car::new(spec.clone(), midnight());
        let mut n_drives = 0;
        let mut before = car.truth();
        for second in 1..=3600 {
            car.advance(midnight() + Duration::from_secs(second));
            let now = car.truth();
            let km = now.odometer_km - before.odometer_km;
            let kwh = (before.battery_level - now.battery_level) / 100.0 * spec.battery_kwh;
            if now.activity == CarActivity::Driving {
                continue;
            }
            if km > 1.0 {
                n_drives += 1;
                let wh_per_km = kwh * 1000.0 / km;
                let name = &spec.name;
                assert!((150.0..=230.0).contains(&wh_per_km), "{name}: {wh_per_km}");
            }
            before = now;
        }
        assert!(n_drives >= 3, "{n_drives}");
    }
}
