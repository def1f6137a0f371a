//! A device in virtual time: what it asks for, says and keeps.

mod deadlines;
mod orders;

use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::Value as Json;

use super::*;
use crate::command::{Reply, Verb};
use crate::compat::teslamate::TeslaMateTopics;
use crate::decode::vehicle_data::LOCATION;
use crate::discovery::{Announced, EntityPrefixes, Setup};
use crate::model::{Signal, Value};
use crate::outbox::Publish;
use crate::policy::{
    CallClass, Failure, Governor, GovernorConfig, PolicyConfig, Preset, Purpose, User, Why,
};
use crate::retained::{Declaration, Manifest, Owner};
use crate::topics::Paths;

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
        rig.become_awake();
        rig
    }

    fn become_awake(&mut self) {
        assert_eq!(self.call().class, Ask::Light);
        self.observe(&light("online"));
        assert_eq!(self.call().class, Ask::Data);
        self.observe(&data(71, "P"));
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
fn a_car_that_is_gone_leaves_nothing_in_teslamates_tree_whenever_the_bridge_is_killed() {
    let config = || {
        let mut config = config();
        let teslamate = Some(TeslaMateTopics::new(1, None));
        config.publishing = config.publishing.map(|of| Publishing { teslamate, ..of });
        config
    };
    let tree = TeslaMateTopics::new(1, None).topics();
    // The bridge declares the tree when it gives the car its number.
    let start = |saved| {
        let mut rig = DeviceRig::with(config(), saved);
        let topics = tree.iter().cloned().collect();
        let owner = Owner::TeslaMate(DeviceId::from(&vin()));
        rig.declared.take_in(Declaration::Topics { owner, topics });
        rig
    };
    let is_deleted = |rig: &DeviceRig| {
        let deletes = |topic: &String| {
            let topic = topic.clone();
            rig.published.contains(&Publish::Delete { topic })
        };
        tree.iter().all(deletes)
    };
    let mut rig = start(Saved::default());
    rig.become_awake();
    rig.next();
    assert!(!is_deleted(&rig));
    rig.device.handle(Input::Removed, rig.now);
    let killed_before_it_said_so = rig.device.saved(rig.now);
    rig.next();
    assert!(is_deleted(&rig));

    let mut next = start(killed_before_it_said_so);
    next.next();
    assert!(is_deleted(&next));
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
