//! One policy in virtual time, with its inputs given by hand. The scenarios with a simulated car are
//! in `tests/it/policy`.

mod events;
mod timers;

use std::time::Duration;

use super::*;
use crate::model::{CarRecord, ChargingState, Gear, SoftwareUpdate, UpdateStatus};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A policy and its clocks.
#[derive(Clone)]
struct Rig {
    policy: Policy,
    now: Now,
}

impl Rig {
    fn new(config: PolicyConfig) -> Self {
        let vin = Vin::new("5YJ3E1EA0JF000001").expect("a VIN");
        let now = Now {
            mono: Duration::ZERO,
            wall: "2026-06-01T00:00:00Z".parse().expect("a time"),
        };
        Self {
            policy: Policy::new(config, &vin, 7, now),
            now,
        }
    }

    /// A car whose first light answer and, if it is online, first data have just come.
    fn seen(config: PolicyConfig, word: LightState, record: CarRecord) -> Self {
        let mut rig = Self::new(config);
        rig.light(word);
        if word == LightState::Online {
            rig.data(record);
        }
        rig
    }

    fn at(&mut self, mono: Duration) {
        self.now = self.now.later(mono.saturating_sub(self.now.mono));
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.later(time);
    }

    fn hear(&mut self, input: PolicyInput) {
        self.policy.handle(self.now, input);
    }

    fn next(&mut self) -> Step {
        self.policy.next(self.now)
    }

    /// Waits for the next call.
    fn call(&mut self) -> Ask {
        for _ in 0..1000 {
            match self.next() {
                Step::Ask { ask, .. } => return ask,
                Step::Wait { until, .. } => self.at(until),
                Step::Relist => {}
            }
        }
        panic!("no call for a long time");
    }

    /// The answer of a light call, asked for or not.
    fn light(&mut self, word: LightState) {
        self.service_light(word, false);
    }

    fn service_light(&mut self, word: LightState, in_service: bool) {
        let state = word;
        self.hear(PolicyInput::Light(Light { state, in_service }));
    }

    fn data(&mut self, record: CarRecord) {
        self.hear(PolicyInput::Data(Box::new(record)));
    }

    fn push(&mut self, push: Push) {
        self.hear(PolicyInput::Push(push));
    }

    fn status(&self) -> Status {
        self.policy.status(self.now)
    }

    /// Killed with what it has, and started again.
    fn restart(&mut self, config: PolicyConfig) {
        let json = serde_json::to_string(&self.policy.snapshot(self.now)).expect("plain data");
        let snapshot: Snapshot = serde_json::from_str(&json).expect("a snapshot");
        let vin = Vin::new("5YJ3E1EA0JF000001").expect("a VIN");
        self.now.mono = Duration::ZERO;
        self.policy = Policy::restore(config, &vin, snapshot, self.now);
    }
}

fn parked() -> CarRecord {
    CarRecord {
        gear: Some(Gear::P),
        car_version: Some("2026.8.1 abc".to_owned()),
        ..CarRecord::default()
    }
}

fn driving() -> CarRecord {
    CarRecord {
        gear: Some(Gear::D),
        ..parked()
    }
}

fn charging() -> CarRecord {
    CarRecord {
        charging_state: Some(ChargingState::Charging),
        ..parked()
    }
}

fn updating() -> CarRecord {
    CarRecord {
        update: Some(SoftwareUpdate {
            status: UpdateStatus::Installing,
            version: Some("2026.14".to_owned()),
            download_percent: None,
            install_percent: None,
        }),
        ..parked()
    }
}

fn at_service() -> CarRecord {
    CarRecord {
        in_service: true,
        ..parked()
    }
}

/// No call by the state's own interval for a day.
fn never() -> PolicyConfig {
    let mut config = PolicyConfig::default();
    for field in FIELDS {
        let is_of_calls = field.name.ends_with("_light") || field.name.ends_with("_data");
        if is_of_calls {
            field.set(&mut config, CEILING);
        }
    }
    config
}

/// It said `min_gap` for two seconds after each look, and nobody knew why the car is left alone.
#[test]
fn the_gap_between_two_requests_hides_no_reason() {
    let mut rig = Rig::new(PolicyConfig {
        class: ClassSetting::Held,
        ..PolicyConfig::default()
    });
    let mut reasons = Vec::new();
    while rig.now.mono < HOUR {
        match rig.next() {
            Step::Ask {
                ask: Ask::Light, ..
            } => rig.light(LightState::Online),
            Step::Ask { ask: Ask::Data, .. } => rig.data(parked()),
            Step::Relist => {}
            Step::Wait { until, why } => {
                assert_eq!(rig.status().why, why);
                if until == rig.now.mono + Duration::from_secs(2) {
                    reasons.push((rig.policy.state(), why));
                }
                rig.at(until);
            }
        }
    }
    assert!(
        reasons.contains(&(State::Waking, Why::Interval)),
        "{reasons:?}"
    );
    assert!(reasons.contains(&(State::Quiet, Why::Quiet)), "{reasons:?}");
}
