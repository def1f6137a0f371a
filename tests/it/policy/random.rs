//! Scenario 62: whatever happens in whatever order, from any state.

mod values;

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use tesla2mqtt::device::{Device, Input, Output, Saved};
use tesla2mqtt::model::{CarRecord, Gear, Now, Observation, Source, Vin};
use tesla2mqtt::policy::{
    Ask, Budget, ClassSetting, Failure, GovernorConfig, HoldReason, Light, LightState,
    MonthlyLimit, PolicyConfig, Preset, Push, State, User, Why,
};
use tesla2mqtt::sim::{BriefWakes, CarSpec, Deed, Plan, Segment, observed};

use super::guarantees::check;
use super::rig::{HOUR, Rig, VIN, device, minutes, read_again, spec};
use values::{failure, light, push, view};

/// What a device hears, of whatever kind.
#[derive(Debug, Clone)]
enum RandomInput {
    Light(Light),
    OnList(Light),
    Data(Box<CarRecord>),
    Pushed(Push),
    Failed(Ask, Failure),
    Other(Input),
}

impl RandomInput {
    /// Tells the device.
    fn tell(self, device: &mut Device, now: Now) {
        let seen: Vec<Observation> = match self {
            Self::Light(light) => observed::light(light, Source::Light, now.wall),
            Self::OnList(light) => observed::light(light, Source::List, now.wall),
            Self::Data(record) => observed::data(&record, record.at.unwrap_or(now.wall)),
            Self::Pushed(push) => observed::push(&push, now.wall),
            Self::Failed(class, failure) => {
                return device.handle(failed(class, failure), now);
            }
            Self::Other(input) => return device.handle(input, now),
        };
        device.observe(&seen, now);
    }
}

fn failed(class: Ask, failure: Failure) -> Input {
    match failure {
        Failure::NotPermitted { retry_after } => Input::NotPermitted { class, retry_after },
        failure => Input::Failed {
            class,
            failure,
            is_contact: true,
        },
    }
}

#[derive(Debug, Clone)]
enum RandomTurn {
    /// Makes the calls that are wanted, if the world answers, and lets time pass.
    Pass(Duration),
    Answer,
    Hear(RandomInput),
    Jump(i64),
    Restart(u64),
}

fn news() -> impl Strategy<Value = RandomInput> {
    let ask = || proptest::sample::select(vec![Ask::Light, Ask::Data]);
    let users = [
        User::Refresh,
        User::Woken,
        User::LetSleep,
        User::Pause,
        User::Resume,
        User::CommandDone,
    ];
    let other = prop_oneof![
        Just(Input::Hint),
        Just(Input::PushLost),
        Just(Input::SignedIn),
        Just(Input::SignedOut),
        Just(Input::Listed),
        Just(Input::Removed),
        Just(Input::MonthRolled),
        Just(Input::BudgetChanged),
        any::<f64>().prop_map(|factor| Input::Budget(Budget { factor })),
        any::<bool>().prop_map(|is_up| Input::Broker { is_up }),
    ];
    prop_oneof![
        4 => light().prop_map(RandomInput::Light),
        2 => light().prop_map(RandomInput::OnList),
        4 => view().prop_map(|view| RandomInput::Data(Box::new(view))),
        3 => (ask(), failure()).prop_map(|(ask, failure)| RandomInput::Failed(ask, failure)),
        3 => push().prop_map(RandomInput::Pushed),
        2 => proptest::sample::select(users.to_vec()).prop_map(|user| RandomInput::Other(Input::Owner(user))),
        8 => other.prop_map(RandomInput::Other),
    ]
}

fn turn() -> impl Strategy<Value = RandomTurn> {
    prop_oneof![
        6 => (0u64..2000).prop_map(|s| RandomTurn::Pass(Duration::from_secs(s))),
        4 => Just(RandomTurn::Answer),
        6 => news().prop_map(RandomTurn::Hear),
        1 => any::<i32>().prop_map(|s| RandomTurn::Jump(i64::from(s))),
        1 => (0u64..100_000).prop_map(RandomTurn::Restart),
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
fn drain(device: &mut Device, now: Now, longest: Duration) -> Result<Option<Ask>, TestCaseError> {
    let mut n_lists = 0;
    loop {
        match device.poll(now) {
            Output::Call(call) => {
                let waits = matches!(
                    device.poll(now),
                    Output::Wait {
                        why: Why::InFlight,
                        ..
                    }
                );
                prop_assert!(waits, "G6: a second call while one is under way");
                return Ok(Some(call.class));
            }
            Output::Relist => {
                n_lists += 1;
                prop_assert!(n_lists < 3, "no end of relisting");
            }
            Output::Save | Output::Abandon(_) => {}
            Output::Wait { until, .. } => {
                prop_assert!(until > now.mono, "waits for the past");
                prop_assert!(until - now.mono <= longest, "waits {:?}", until - now.mono);
                return Ok(None);
            }
            output @ (Output::Declare(_) | Output::Publish(_)) => {
                return Err(TestCaseError::fail(format!("{output:?} for nobody")));
            }
        }
    }
}

/// What the device was told so far, as the guarantees want to know it.
#[derive(Default)]
struct Knowledge {
    light: Option<LightState>,
    is_at_service: bool,
    data_refused: bool,
}

impl Knowledge {
    fn hear(&mut self, news: &RandomInput) {
        match news {
            RandomInput::Light(light) | RandomInput::OnList(light) => {
                self.light = Some(light.state);
                self.is_at_service = light.in_service;
            }
            RandomInput::Pushed(push) if push.asleep == Some(true) => {
                self.light = Some(LightState::Asleep);
            }
            RandomInput::Failed(Ask::Data, Failure::Unavailable) => self.data_refused = true,
            _ => {}
        }
        if matches!(
            news,
            RandomInput::Light(_) | RandomInput::OnList(_) | RandomInput::Data(_)
        ) {
            self.data_refused = false;
        }
    }
}

proptest! {

    /// 62
    ///
    /// G1 to G3, G6, G8 to G11 on inputs that no real world would send. 256 cases of up to 300
    /// turns are some 38,000 inputs; `PROPTEST_CASES` raises the number.
    ///
    /// Given any device; when any inputs come in any order: no panic, a next step within the
    /// longest interval.
    #[test]
    fn whatever_is_heard_the_device_has_a_valid_next_step(
        config in config(),
        seed in any::<u64>(),
        turns in proptest::collection::vec(turn(), 1..300),
        answers in proptest::collection::vec((light(), view(), failure(), 0u8..4), 1..40),
    ) {
        let vin = Vin::new(VIN).expect("a VIN");
        let mut now = Now { mono: Duration::ZERO, wall: "2026-06-01T00:00:00Z".parse().expect("a time") };
        let longest = config.longest_wait();
        let mut followed = device(&vin, config.clone(), Saved::default(), seed, now);
        let mut answers = answers.iter().cycle();
        let mut wanted: Option<Ask> = None;
        let mut known = Knowledge::default();
        let mut last_ask: Option<Duration> = None;
        for turn in turns {
            let mut news = None;
            match turn {
                RandomTurn::Pass(time) => now = Now { mono: now.mono + time, wall: now.wall + time },
                RandomTurn::Jump(seconds) => {
                    now.wall = now.wall.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now.wall);
                }
                RandomTurn::Answer => {
                    if let Some(ask) = wanted.take() {
                        let (light, view, failure, kind) = answers.next().expect("endless");
                        news = Some(match (kind, ask) {
                            (0, ask) => RandomInput::Failed(ask, *failure),
                            (_, Ask::Light) => RandomInput::Light(*light),
                            (_, Ask::Data) => RandomInput::Data(Box::new(view.clone())),
                        });
                    }
                }
                RandomTurn::Hear(heard) => news = Some(heard),
                RandomTurn::Restart(seconds) => {
                    let saved = read_again(&followed.saved(now));
                    now = Now { mono: Duration::ZERO, wall: now.wall + Duration::from_secs(seconds) };
                    followed = device(&vin, config.clone(), saved, seed, now);
                    (wanted, last_ask) = (None, None);
                }
            }
            if let Some(news) = news {
                known.hear(&news);
                news.tell(&mut followed, now);
            }
            if let Some(ask) = drain(&mut followed, now, longest)? {
                if let Some(last) = last_ask {
                    prop_assert!(now.mono - last >= Duration::from_secs(2), "G6: too close");
                }
                last_ask = Some(now.mono);
                wanted = Some(ask);
                if ask == Ask::Data {
                    prop_assert_eq!(known.light, Some(LightState::Online), "G2");
                    prop_assert!(!known.data_refused, "G2: after 408");
                    let state = followed.state();
                    let barred = [State::Boot, State::Asleep, State::Unreachable, State::Paused, State::AuthLost];
                    prop_assert!(!barred.contains(&state), "data in {}", state);
                    // Where only data tells of a service, only data tells of its end.
                    prop_assert!(state != State::InService || !known.is_at_service, "data at service");
                }
            }
            let status = followed.status(now);
            prop_assert!(status.budget_factor >= 1.0 && status.budget_factor <= 10.0);
            followed.take_notes();
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
