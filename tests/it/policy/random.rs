//! Scenario 62: whatever happens in whatever order, from any state.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use tesla2mqtt::model::{CarRecord, ChargingState, Gear, Now, SoftwareUpdate, UpdateStatus, Vin};
use tesla2mqtt::policy::{
    Ask, Budget, ClassSetting, Failure, GovernorConfig, HoldReason, Light, LightState,
    MonthlyLimit, Policy, PolicyConfig, PolicyInput as Input, Preset, Push, Snapshot, State, Step,
    User, Why,
};
use tesla2mqtt::sim::{BriefWakes, CarSpec, Deed, Plan, Segment};

use super::guarantees::check;
use super::rig::{HOUR, Rig, VIN, minutes, spec};

fn word() -> impl Strategy<Value = Option<String>> {
    let words = [
        "",
        "P",
        "D",
        "R",
        "N",
        "Charging",
        "Starting",
        "Complete",
        "NoPower",
        "Disconnected",
        "Calibrating",
        "installing",
        "downloading",
        "available",
        "on",
        "dog",
        "\u{0}",
        "🚗",
    ];
    proptest::option::of(proptest::sample::select(words.to_vec()).prop_map(str::to_owned))
}

fn number() -> impl Strategy<Value = Option<f64>> {
    let odd = [
        0.0,
        -1.0,
        1e300,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        50.0,
        11.0,
        150.0,
    ];
    proptest::option::of(prop_oneof![
        proptest::sample::select(odd.to_vec()),
        any::<f64>()
    ])
}

fn wait() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        (0u64..4000).prop_map(Duration::from_secs),
        Just(Duration::MAX),
    ]
}

fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::Unavailable),
        Just(Failure::Transport),
        Just(Failure::Server),
        proptest::option::of(wait()).prop_map(|retry_after| Failure::Limited { retry_after }),
        Just(Failure::SignedOut),
        Just(Failure::BillingLimit),
        Just(Failure::Refused),
        Just(Failure::MissingScope),
        Just(Failure::Doubted),
        Just(Failure::NotFound),
        Just(Failure::InService),
        Just(Failure::Region),
        wait().prop_map(|retry_after| Failure::NotPermitted { retry_after }),
    ]
}

fn view() -> impl Strategy<Value = CarRecord> {
    let stamp = proptest::option::of(prop_oneof![
        1_780_000_000_000i64..1_790_000_000_000,
        any::<i64>(),
    ]);
    let flags = proptest::collection::vec(proptest::bool::weighted(0.1), 9);
    let start = proptest::option::of(1_780_000_000i64..1_781_000_000);
    (
        (stamp, word(), word(), word(), word(), word()),
        (number(), number(), number(), number(), number()),
        (flags, start),
    )
        .prop_map(|(words, numbers, (flags, start))| CarRecord {
            at: words.0.and_then(of_millisecond),
            drive_at: words.0.and_then(of_millisecond),
            gear: words.1.as_deref().and_then(Gear::of),
            charging_state: words.2.as_deref().map(ChargingState::of),
            update: words
                .3
                .as_deref()
                .and_then(UpdateStatus::of)
                .map(|status| SoftwareUpdate {
                    status,
                    version: words.4.clone(),
                    download_percent: numbers.4,
                    install_percent: None,
                }),
            car_version: words.4,
            climate_keeper_mode: words.5,
            power_kw: numbers.0,
            charger_power_kw: numbers.1,
            battery_level: numbers.2,
            odometer_mi: numbers.3,
            scheduled_charging_pending: flags[0],
            scheduled_charging_start: start.and_then(|s| jiff::Timestamp::from_second(s).ok()),
            user_present: flags[1],
            sentry_mode: flags[2],
            preconditioning: flags[3],
            climate_on: flags[4],
            cabin_overheat_cooling: flags[5],
            door_open: flags[6],
            trunk_open: flags[7],
            locked: Some(!flags[8]),
            in_service: flags[0] && flags[8],
            ..CarRecord::default()
        })
}

fn of_millisecond(ms: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(ms).ok()
}

fn light() -> impl Strategy<Value = Light> {
    let words = [
        LightState::Online,
        LightState::Asleep,
        LightState::Offline,
        LightState::Unknown,
    ];
    (
        proptest::sample::select(words.to_vec()),
        proptest::bool::weighted(0.05),
    )
        .prop_map(|(state, in_service)| Light { state, in_service })
}

fn push() -> impl Strategy<Value = Push> {
    let flag = || proptest::option::of(any::<bool>());
    (flag(), word(), word(), flag(), flag()).prop_map(
        |(connected, gear, charging, user, asleep)| Push {
            connected,
            gear: gear.as_deref().and_then(Gear::of),
            charging_state: charging.as_deref().map(ChargingState::of),
            user_present: user,
            asleep,
        },
    )
}

#[derive(Debug, Clone)]
enum Act {
    /// Makes the calls that are wanted, if the world answers, and lets time pass.
    Pass(Duration),
    Answer,
    Hear(Input),
    Jump(i64),
    Restart(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let ask = || proptest::sample::select(vec![Ask::Light, Ask::Data]);
    let users = [
        User::Refresh,
        User::Woken,
        User::LetSleep,
        User::Pause,
        User::Resume,
        User::CommandDone,
    ];
    prop_oneof![
        4 => light().prop_map(Input::Light),
        2 => light().prop_map(Input::Seen),
        4 => view().prop_map(|view| Input::Data(Box::new(view))),
        3 => (ask(), failure()).prop_map(|(ask, failure)| Input::Failed { ask, failure }),
        3 => push().prop_map(Input::Push),
        1 => Just(Input::Hint),
        1 => Just(Input::PushLost),
        1 => ask().prop_map(Input::Abandoned),
        2 => proptest::sample::select(users.to_vec()).prop_map(Input::User),
        1 => Just(Input::SignedIn),
        1 => Just(Input::Listed),
        1 => Just(Input::Removed),
        1 => Just(Input::MonthRolled),
        1 => Just(Input::BudgetChanged),
        1 => any::<f64>().prop_map(|factor| Input::Budget(Budget { factor })),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u64..2000).prop_map(|s| Act::Pass(Duration::from_secs(s))),
        4 => Just(Act::Answer),
        6 => input().prop_map(Act::Hear),
        1 => any::<i32>().prop_map(|s| Act::Jump(i64::from(s))),
        1 => (0u64..100_000).prop_map(Act::Restart),
    ]
}

fn config() -> impl Strategy<Value = PolicyConfig> {
    let presets = proptest::sample::select(vec![Preset::Metered, Preset::Unmetered, Preset::Push]);
    let classes = [
        ClassSetting::Learn,
        ClassSetting::Held,
        ClassSetting::NotHeld,
    ];
    (presets, proptest::sample::select(classes.to_vec())).prop_map(|(preset, class)| PolicyConfig {
        class,
        ..PolicyConfig::preset(preset)
    })
}

/// Calls may be made at once, but not endlessly: each is two seconds after the one before.
fn drain(policy: &mut Policy, now: Now, longest: Duration) -> Result<Option<Ask>, TestCaseError> {
    for _ in 0..3 {
        match policy.next(now) {
            Step::Ask { ask, .. } => {
                let waits = matches!(
                    policy.next(now),
                    Step::Wait {
                        why: Why::InFlight,
                        ..
                    }
                );
                prop_assert!(waits, "G6: a second call while one is under way");
                return Ok(Some(ask));
            }
            Step::Relist => {}
            Step::Wait { until, .. } => {
                prop_assert!(until >= now.mono, "waits for the past");
                prop_assert!(until - now.mono <= longest, "waits {:?}", until - now.mono);
                return Ok(None);
            }
        }
    }
    Err(TestCaseError::fail("no end of relisting"))
}

proptest! {

    /// 62
    ///
    /// G1 to G3, G6, G8 to G11 on inputs that no real world would send. 256 cases of up to 300
    /// acts are some 38,000 inputs; `PROPTEST_CASES` raises the number.
    ///
    /// Given any policy; when any inputs come in any order: no panic, a next step within the
    /// longest interval.
    #[test]
    fn whatever_is_heard_the_policy_has_a_valid_next_step(
        config in config(),
        seed in any::<u64>(),
        acts in proptest::collection::vec(act(), 1..300),
        answers in proptest::collection::vec((light(), view(), failure(), 0u8..4), 1..40),
    ) {
        let vin = Vin::new(VIN).expect("a VIN");
        let mut now = Now { mono: Duration::ZERO, wall: "2026-06-01T00:00:00Z".parse().expect("a time") };
        let longest = config.longest_wait();
        let mut policy = Policy::new(config.clone(), &vin, seed, now);
        let mut answers = answers.iter().cycle();
        let mut wanted: Option<Ask> = None;
        let mut light_word: Option<LightState> = None;
        let mut last_ask: Option<Duration> = None;
        let mut data_refused = false;
        for act in acts {
            let mut input = None;
            match act {
                Act::Pass(time) => now = Now { mono: now.mono + time, wall: now.wall + time },
                Act::Jump(seconds) => {
                    now.wall = now.wall.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now.wall);
                }
                Act::Answer => {
                    if let Some(ask) = wanted.take() {
                        let (light, view, failure, kind) = answers.next().expect("endless");
                        input = Some(match (kind, ask) {
                            (0, ask) => Input::Failed { ask, failure: *failure },
                            (_, Ask::Light) => Input::Light(*light),
                            (_, Ask::Data) => Input::Data(Box::new(view.clone())),
                        });
                    }
                }
                Act::Hear(heard) => input = Some(heard),
                Act::Restart(seconds) => {
                    let json = serde_json::to_string(&policy.snapshot(now)).expect("plain data");
                    let snapshot: Snapshot = serde_json::from_str(&json).expect("a snapshot comes back");
                    now = Now { mono: Duration::ZERO, wall: now.wall + Duration::from_secs(seconds) };
                    policy = Policy::restore(config.clone(), &vin, snapshot, now);
                    (wanted, last_ask) = (None, None);
                }
            }
            if let Some(input) = input {
                match &input {
                    Input::Light(light) | Input::Seen(light) => light_word = Some(light.state),
                    Input::Push(push) if push.asleep == Some(true) => light_word = Some(LightState::Asleep),
                    Input::Failed { ask: Ask::Data, failure: Failure::Unavailable } => data_refused = true,
                    _ => {}
                }
                if matches!(input, Input::Light(_) | Input::Seen(_) | Input::Data(_)) {
                    data_refused = false;
                }
                policy.handle(now, input);
            }
            if let Some(ask) = drain(&mut policy, now, longest)? {
                if let Some(last) = last_ask {
                    prop_assert!(now.mono - last >= Duration::from_secs(2), "G6: too close");
                }
                last_ask = Some(now.mono);
                wanted = Some(ask);
                if ask == Ask::Data {
                    prop_assert_eq!(light_word, Some(LightState::Online), "G2");
                    prop_assert!(!data_refused, "G2: after 408");
                    let state = policy.state();
                    let barred = [State::Boot, State::Asleep, State::Unreachable, State::Paused, State::AuthLost, State::InService];
                    prop_assert!(!barred.contains(&state), "data in {}", state);
                }
            }
            let status = policy.status(now);
            prop_assert!(status.budget_factor >= 1.0 && status.budget_factor <= 10.0);
            policy.take_events();
        }
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    let length = || (1u64..60).prop_map(minutes);
    let holds = [
        HoldReason::SentryMode,
        HoldReason::UserPresent,
        HoldReason::Climate,
        HoldReason::DoorOpen,
    ];
    prop_oneof![
        4 => length().prop_map(|length| Deed::Drive { length, km: 20.0 }),
        2 => Just(Deed::AppUse),
        3 => (length(), proptest::sample::select(vec![3.0, 11.0, 150.0])).prop_map(|(length, kw)| {
            Deed::Charge { length, kw, dc: kw > 22.0, scheduled_in: None }
        }),
        2 => (length(), proptest::sample::select(holds.to_vec()))
            .prop_map(|(length, reason)| Deed::Hold { reason, length }),
        1 => length().prop_map(|length| Deed::Update { download: minutes(3), install: length }),
        1 => length().prop_map(|length| Deed::Service { length }),
        2 => length().prop_map(|length| Deed::DeadZone { length }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(4), ..ProptestConfig::default() })]

    /// 62
    ///
    /// The guarantees over random lives of the simulated car with faults, hints, pushes, commands
    /// and restarts; in the end, left alone, the car sleeps and the policy knows it.
    ///
    /// Given a random life, configuration and world; when a day passes: the guarantees hold, then
    /// the car sleeps.
    #[test]
    fn the_guarantees_hold_over_random_lives(
        config in config(),
        deeds in proptest::collection::vec((0u64..1200, deed()), 0..12),
        sleeps in (5u64..30, any::<bool>(), any::<bool>(), any::<bool>()),
        chaos in (prop_oneof![Just(0.0), 0.0..0.5], any::<u64>()),
        mut disturbances in proptest::collection::vec((0u64..1200, 0u8..8), 0..12),
        account in (prop_oneof![2 => Just(None), 1 => (0u32..3000).prop_map(Some)], any::<bool>()),
    ) {
        let (time_to_sleep, is_held, says_offline, self_checks) = sleeps;
        let segments = deeds.iter().map(|(minute, deed)| Segment { start: minutes(*minute), deed: deed.clone() });
        let car = CarSpec {
            time_to_sleep: minutes(time_to_sleep),
            held: is_held,
            sleeps_as: if says_offline { LightState::Offline } else { LightState::Asleep },
            brief_wakes: self_checks.then(BriefWakes::default),
            ..spec(Plan::once(segments.collect()))
        };
        let mut rig = Rig::with(config, car);
        rig.chaos = chaos;
        let (limit, drives_are_pushed) = account;
        if let Some(limit) = limit {
            rig = rig.governed(GovernorConfig {
                limit: Some(MonthlyLimit::DataCalls(limit)),
                ..GovernorConfig::metered()
            });
        }
        if drives_are_pushed {
            disturbances.extend(deeds.iter().filter_map(|(minute, deed)| {
                matches!(deed, Deed::Drive { .. }).then_some((*minute, 8))
            }));
        }
        disturbances.sort_unstable();
        for (minute, kind) in disturbances {
            rig.run_until(minutes(minute));
            match kind {
                0 => rig.hear(Input::Hint),
                1 => rig.user(User::Refresh),
                2 => rig.user(User::Woken),
                3 => rig.user(User::CommandDone),
                4 => rig.user(User::LetSleep),
                5 => rig.push(|push| push.connected = Some(minute % 2 == 0)),
                6 if minute % 2 == 0 => rig.hear(Input::PushLost),
                8 => rig.push(|push| {
                    push.connected = Some(true);
                    push.gear = Some(Gear::D);
                }),
                _ => rig.restart_after(Duration::from_secs(minute % 90)),
            };
        }
        rig.run_until(24 * HOUR);
        rig.chaos.0 = 0.0;
        // The longest wait of all is a limit of an hour, then a charge that was lost or a Quiet.
        rig.run_until(30 * HOUR);
        check(&rig);
        if let Some(limit) = limit {
            prop_assert!(rig.n_billed_data() <= u64::from(limit) * 8 / 10, "G7: {} of {limit}", rig.n_billed_data());
        }
        let state = rig.state();
        // The owner may be wrong about the car.
        let misled = is_held && rig.config.class == ClassSetting::NotHeld;
        if !self_checks && !misled {
            prop_assert!(matches!(state, State::Asleep | State::Unreachable), "{state}\n{}", rig.story());
            prop_assert_eq!(rig.car.light(rig.now().wall).state != LightState::Online, true);
        }
    }
}
