//! A device in virtual time: what it asks for, says and keeps, and that no order of events leaves
//! it without an answer.

use std::time::Duration;

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::command::Verb;
use crate::discovery::EntityPrefixes;
use crate::model::{Signal, Value};
use crate::policy::{Budget, CallClass, Failure, Governor, GovernorConfig, Preset, Purpose, User};
use crate::retained::{Declaration, Manifest};

const VIN: &str = "5YJ3E1EA0JF000001";
const SECOND: Duration = Duration::from_secs(1);

fn vin() -> Vin {
    Vin::new(VIN).unwrap()
}

fn start() -> Now {
    Now {
        mono: Duration::ZERO,
        wall: "2026-06-01T00:00:00Z".parse().unwrap(),
    }
}

fn config() -> Config {
    let setup = Setup {
        prefix: "homeassistant".into(),
        base: "tesla2mqtt".into(),
        version: "0".into(),
        commands: false,
        entity_prefixes: EntityPrefixes::default(),
    };
    Config {
        policy: PolicyConfig::preset(Preset::Unmetered),
        tariff: Tariff::default(),
        unavailable_after: Duration::from_mins(30),
        saving: Saving::TO_DISK,
        publishing: Some(Publishing {
            paths: Paths::new("tesla2mqtt", &DeviceId::from(&vin()), None),
            setup,
            homeassistant: true,
            announced: Announced::NOTHING,
            teslamate: None,
        }),
        clock_speed: ClockSpeed::REAL,
    }
}

/// What was declared: nothing else may be retained.
#[derive(Default)]
struct Declared(Manifest);

impl Declared {
    fn take_in(&mut self, declaration: Declaration) {
        self.0.take_in(declaration);
    }

    fn check(&self, messages: &[Publish]) {
        let topics = self.0.topics();
        for message in messages {
            if let Publish::State { topic, .. } = message {
                assert!(topics.contains(topic), "{topic} is not declared");
            }
        }
    }
}

fn light(word: &str) -> Vec<Observation> {
    seen(
        Source::Light,
        &[
            ("state", Value::Text(word.to_owned())),
            ("in_service", Value::Bool(false)),
        ],
    )
}

fn data(level: i64, gear: &str) -> Vec<Observation> {
    [
        (
            "charge_state",
            vec![("charge_state.battery_level", Value::Int(level))],
        ),
        (
            "drive_state",
            vec![("drive_state.shift_state", Value::Text(gear.to_owned()))],
        ),
        (
            "vehicle_state",
            vec![
                ("vehicle_state.odometer", Value::Float(1000.0)),
                ("vehicle_state.vehicle_name", Value::Text("Rakete".into())),
            ],
        ),
    ]
    .into_iter()
    .map(|(group, values)| Observation {
        whole_groups: vec![group],
        ..seen(Source::Data, &values).remove(0)
    })
    .collect()
}

fn seen(source: Source, values: &[(&str, Value)]) -> Vec<Observation> {
    let signals = values.iter();
    vec![Observation {
        source,
        at: start().wall,
        whole_groups: Vec::new(),
        signals: signals
            .map(|(path, value)| (Signal::new(path), Some(value.clone())))
            .collect(),
    }]
}

/// A device and a clock.
struct DeviceRig {
    device: Device,
    now: Now,
    published: Vec<Publish>,
    declared: Declared,
    saved: Option<Saved>,
    n_saves: usize,
}

impl DeviceRig {
    fn new() -> Self {
        Self::with(config(), Saved::default())
    }

    fn with(config: Config, saved: Saved) -> Self {
        Self {
            device: Device::car(&vin(), config, saved, 7, start()),
            now: start(),
            published: Vec::new(),
            declared: Declared::default(),
            saved: None,
            n_saves: 0,
        }
    }

    /// The next output that is for others than broker and disk.
    fn next(&mut self) -> Output {
        loop {
            match self.device.poll(self.now) {
                Output::Declare(declaration) => self.declared.take_in(declaration),
                Output::Publish(messages) => {
                    self.declared.check(&messages);
                    self.published.extend(messages);
                }
                Output::Save => {
                    self.n_saves += 1;
                    self.saved = Some(self.device.saved(self.now));
                }
                output => return output,
            }
        }
    }

    /// Waits for the next call.
    fn call(&mut self) -> Call {
        for _ in 0..1000 {
            match self.next() {
                Output::Call(call) => return call,
                Output::Wait { until, .. } => self.at(until),
                _ => {}
            }
        }
        panic!("no call for a long time");
    }

    fn at(&mut self, mono: Duration) {
        self.now = self.now.later(mono.saturating_sub(self.now.mono));
    }

    fn observe(&mut self, seen: &[Observation]) {
        self.now = self.now.later(Duration::from_millis(300));
        let seen: Vec<Observation> = seen
            .iter()
            .map(|seen| Observation {
                at: self.now.wall,
                ..seen.clone()
            })
            .collect();
        self.device.observe(&seen, self.now);
    }

    /// An online, parked car whose first data has just come.
    fn awake() -> Self {
        let mut rig = Self::new();
        assert_eq!(rig.call().class, Ask::Light);
        rig.observe(&light("online"));
        assert_eq!(rig.call().class, Ask::Data);
        rig.observe(&data(71, "P"));
        rig
    }

    fn payload(&self, key: &str) -> Option<&str> {
        let wanted = format!("tesla2mqtt/{VIN}/{key}");
        self.published
            .iter()
            .rev()
            .find_map(|message| match message {
                Publish::State { topic, payload } | Publish::Event { topic, payload }
                    if *topic == wanted =>
                {
                    Some(&**payload)
                }
                _ => None,
            })
    }

    fn command(&mut self, verb: Verb) {
        let reply = Reply {
            topic: format!("tesla2mqtt/{VIN}/result"),
            id: None,
        };
        let came_at = self.now.mono;
        let command = Command {
            verb,
            reply,
            came_at,
        };
        self.device.handle(Input::Command(command), self.now);
    }

    fn result(&self) -> Json {
        serde_json::from_str(self.payload("result").expect("an answer")).unwrap()
    }
}

#[test]
fn a_new_car_is_asked_for_its_state_and_then_for_everything() {
    let mut rig = DeviceRig::new();
    let call = rig.call();
    assert_eq!((call.class, call.endpoints.len()), (Ask::Light, 0));
    assert!(matches!(
        rig.next(),
        Output::Wait {
            why: Why::InFlight,
            ..
        }
    ));
    rig.observe(&light("online"));
    let call = rig.call();
    assert_eq!((call.class, call.purpose), (Ask::Data, Purpose::Change));
    assert!(call.endpoints.contains(&LOCATION));
}

#[test]
fn an_answer_becomes_topics_in_the_order_in_which_a_reader_wants_them() {
    let mut rig = DeviceRig::awake();
    rig.device.handle(Input::Broker { is_up: true }, rig.now);
    rig.published.clear();
    let wait = rig.next();
    assert!(matches!(wait, Output::Wait { .. }), "{wait:?}");
    assert_eq!(rig.payload("battery_level"), Some("71"));
    let place = |end: &str| {
        let has = |message: &Publish| matches!(message, Publish::State { topic, .. } if topic.ends_with(end));
        rig.published.iter().position(has)
    };
    let (level, snapshot) = (place("battery_level").unwrap(), place("snapshot").unwrap());
    assert!(level < snapshot);
    assert_eq!(place("/config"), None, "it waits for the values");
    rig.at(rig.now.mono + Duration::from_millis(60));
    rig.published.clear();
    rig.next();
    assert!(matches!(
        rig.published.as_slice(),
        [Publish::State { topic, .. }] if topic.ends_with("/config")
    ));
}

#[test]
fn what_a_data_call_stands_on_is_saved_before_it_is_made() {
    let mut rig = DeviceRig::new();
    rig.call();
    rig.observe(&light("online"));
    while !matches!(rig.device.poll(rig.now), Output::Wait { .. }) {}
    let before = rig.n_saves;
    assert_eq!(rig.call().class, Ask::Data);
    assert!(rig.n_saves > before);
    let saved = rig.saved.take().unwrap();
    // Killed while the call was under way, it is not made again at once.
    let mut next = DeviceRig::with(config(), saved);
    assert_eq!(next.call().class, Ask::Light);
    assert!(next.now.mono > Duration::ZERO);
}

#[test]
fn a_restart_says_what_was_known_before_anything_is_asked() {
    let mut rig = DeviceRig::awake();
    rig.next();
    rig.device.handle(Input::Owner(User::Pause), rig.now);
    rig.next();
    let saved = rig.device.saved(rig.now);
    let bytes = serde_json::to_vec(&saved).unwrap();
    let mut parts = Parts::of(&bytes).unwrap();
    let read = Saved::take(&mut parts);
    assert_eq!(parts.damage(), Vec::<String>::new());
    let mut next = DeviceRig::with(config(), read);
    assert!(matches!(next.next(), Output::Wait { .. }));
    assert_eq!(next.payload("battery_level"), Some("71"));
    assert_eq!(next.payload("state"), Some("paused"));
    assert_eq!(
        next.payload("polling_reason"),
        Some(next.device.view().why.word())
    );
}

#[test]
fn a_refused_let_sleep_says_the_word_of_the_topic() {
    let mut rig = DeviceRig::awake();
    rig.next();
    rig.call();
    rig.observe(&data(70, "D"));
    rig.next();
    rig.command(Verb::LetSleep);
    rig.next();
    assert_eq!(rig.payload("state"), Some("driving"));
    assert_eq!(rig.result()["reason"], "the car is driving");

    let mut new = DeviceRig::new();
    new.command(Verb::LetSleep);
    new.next();
    assert_eq!(new.result()["reason"], "the car is starting");
    assert_eq!(new.payload("state"), Some("starting"));
}

#[test]
fn a_promise_is_saved_before_it_is_made() {
    let mut rig = DeviceRig::awake();
    rig.next();
    rig.command(Verb::Pause);
    assert_eq!(rig.device.poll(rig.now), Output::Save);
    assert!(matches!(rig.device.poll(rig.now), Output::Publish(_)));
}

#[test]
fn a_light_call_that_hangs_is_given_up_for_who_waits() {
    let mut rig = DeviceRig::new();
    rig.call();
    rig.at(rig.now.mono + SECOND);
    rig.device.handle(Input::Hint, rig.now);
    let Output::Wait { until, .. } = rig.next() else {
        panic!("it may still be answered");
    };
    rig.at(until);
    assert!(matches!(rig.next(), Output::Abandon(_)));
    assert_eq!(rig.call().class, Ask::Light);

    // A data call is billed, and waited for.
    let mut rig = DeviceRig::awake();
    rig.next();
    assert_eq!(rig.call().class, Ask::Data);
    rig.device.handle(Input::Hint, rig.now);
    let asked_at = rig.now.mono;
    let Output::Wait { until, .. } = rig.next() else {
        panic!("it is under way");
    };
    assert!(until > asked_at + Duration::from_mins(1));
}

#[test]
fn without_an_answer_for_long_the_car_is_unavailable() {
    let mut rig = DeviceRig::awake();
    rig.next();
    assert!(rig.device.view().is_available);
    let end = rig.now.mono + Duration::from_mins(31);
    while rig.now.mono < end {
        match rig.next() {
            Output::Call(call) => {
                rig.now = rig.now.later(SECOND);
                let failed = Input::Failed {
                    class: call.class,
                    failure: Failure::Transport,
                    is_contact: false,
                };
                rig.device.handle(failed, rig.now);
            }
            Output::Wait { until, .. } => rig.at(until),
            _ => {}
        }
    }
    while let Output::Call(call) = rig.next() {
        let failed = Input::Failed {
            class: call.class,
            failure: Failure::Transport,
            is_contact: false,
        };
        rig.device.handle(failed, rig.now);
    }
    assert_eq!(rig.payload("availability"), Some("offline"));
    assert!(!rig.device.view().is_available);
}

#[test]
fn a_view_is_made_anew_only_when_something_changed() {
    let mut rig = DeviceRig::awake();
    rig.next();
    let before = Arc::clone(rig.device.view());
    assert_eq!(before.state, "online");
    assert_eq!(
        before.values["battery_level"].payload().as_deref(),
        Some("71")
    );
    rig.now = rig.now.later(Duration::from_millis(1));
    rig.next();
    assert!(Arc::ptr_eq(&before, rig.device.view()));
}

#[test]
fn a_call_that_the_account_denies_is_asked_for_again_later() {
    let mut rig = DeviceRig::new();
    let call = rig.call();
    let account = GovernorConfig::metered();
    let mut governor = Governor::new(account, rig.now);
    governor.limited(rig.now, CallClass::Light, Some(Duration::from_mins(1)));
    let denied = call.permit(&mut governor, rig.now).unwrap_err();
    rig.device.handle(denied.into(), rig.now);
    let Output::Wait { until, why } = rig.next() else {
        panic!("it was denied");
    };
    assert!(until > rig.now.mono);
    assert_eq!(why, Why::Budget);
}

#[derive(Debug, Clone)]
enum DeviceStep {
    Input(Input),
    Observe(Vec<Observation>),
    Poll,
}

fn device_step() -> impl Strategy<Value = DeviceStep> {
    let class = || prop_oneof![Just(Ask::Light), Just(Ask::Data)];
    let failure = prop_oneof![
        Just(Failure::Unavailable),
        Just(Failure::Transport),
        Just(Failure::Server),
        Just(Failure::Limited { retry_after: None }),
        Just(Failure::SignedOut),
        Just(Failure::MissingScope),
        Just(Failure::NotFound),
        Just(Failure::Region),
    ];
    let word = prop_oneof![
        Just("online"),
        Just("asleep"),
        Just("offline"),
        Just(""),
        Just("waking")
    ];
    let gear = prop_oneof![Just("P"), Just("D"), Just("R"), Just(""), Just("X")];
    let verb = prop_oneof![
        Just(Verb::Refresh),
        Just(Verb::Pause),
        Just(Verb::Resume),
        Just(Verb::LetSleep),
        Just(Verb::Hint)
    ];
    let input = prop_oneof![
        4 => (class(), failure, any::<bool>()).prop_map(|(class, failure, is_contact)| {
            Input::Failed { class, failure, is_contact }
        }),
        2 => (class(), 0..4000_u64).prop_map(|(class, s)| Input::NotPermitted {
            class,
            retry_after: Duration::from_secs(s),
        }),
        1 => Just(Input::Listed),
        1 => Just(Input::Removed),
        1 => Just(Input::SignedIn),
        1 => Just(Input::SignedOut),
        1 => Just(Input::MonthRolled),
        1 => Just(Input::BudgetChanged),
        1 => any::<f64>().prop_map(|factor| Input::Budget(Budget { factor })),
        1 => Just(Input::Owner(User::Woken)),
        1 => Just(Input::Hint),
        2 => (verb, any::<u32>()).prop_map(|(verb, ms)| Input::Command(Command {
            verb,
            reply: Reply { topic: "t/x/result".into(), id: None },
            came_at: Duration::from_millis(ms.into()),
        })),
        1 => Just(Input::PushLost),
        2 => any::<bool>().prop_map(|is_up| Input::Broker { is_up }),
        1 => Just(Input::HomeAssistantStarted),
        1 => Just(Input::UnavailableAfter(Duration::ZERO)),
    ];
    prop_oneof![
        3 => input.prop_map(DeviceStep::Input),
        2 => word.prop_map(|word| DeviceStep::Observe(light(word))),
        1 => Just(DeviceStep::Observe(seen(Source::List, &[("state", Value::Text("online".into()))]))),
        1 => gear.clone().prop_map(|gear| DeviceStep::Observe(seen(
            Source::Push,
            &[("drive_state.shift_state", Value::Text(gear.to_owned()))],
        ))),
        3 => (any::<i64>(), gear).prop_map(|(level, gear)| DeviceStep::Observe(data(level, gear))),
        1 => Just(DeviceStep::Observe(Vec::new())),
        6 => Just(DeviceStep::Poll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever happens, in whatever order: what is to be done ends in a wait for a later time, and
    /// no topic is deleted by an empty payload.
    #[test]
    fn every_order_of_events_ends_in_a_wait(
        deeds in proptest::collection::vec((device_step(), 0..900_000_u64, -9000..9000_i64), 1..60),
        clock_speed in prop_oneof![Just(1.0), Just(60.0)],
    ) {
        let config = Config { clock_speed: ClockSpeed::times(clock_speed), ..config() };
        let mut declared = Declared::default();
        let mut device = Device::car(&vin(), config, Saved::default(), 7, start());
        let mut now = start();
        for (device_step, ms, jump_s) in deeds {
            now = now.later(Duration::from_millis(ms));
            now.wall = now.wall.saturating_add(jiff::SignedDuration::from_secs(jump_s)).unwrap();
            match device_step {
                DeviceStep::Input(input) => device.handle(input, now),
                DeviceStep::Observe(mut seen) => {
                    for seen in &mut seen {
                        seen.at = now.wall;
                    }
                    device.observe(&seen, now);
                }
                DeviceStep::Poll => {}
            }
            let mut n_outputs = 0;
            loop {
                n_outputs += 1;
                prop_assert!(n_outputs < 200, "no wait");
                match device.poll(now) {
                    Output::Wait { until, .. } => {
                        prop_assert!(until > now.mono);
                        break;
                    }
                    Output::Declare(declaration) => declared.take_in(declaration),
                    Output::Publish(messages) => {
                        prop_assert!(!messages.is_empty());
                        declared.check(&messages);
                        for message in messages {
                            if let Publish::State { topic, payload } = message {
                                prop_assert!(!payload.is_empty(), "{topic} is empty");
                            }
                        }
                    }
                    Output::Save => {
                        let saved = device.saved(now);
                        prop_assert!(serde_json::to_vec(&saved).is_ok());
                    }
                    Output::Call(_) | Output::Abandon(_) | Output::Relist => {}
                }
            }
        }
    }
}
