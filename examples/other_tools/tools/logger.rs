//! The loggers: TeslaMate in both modes and TeslaLogger. All three poll while the car is in use,
//! stop once it has been idle for a while, and look whether it fell asleep.

use std::time::Duration;

use super::{due, in_gear, is_charging, is_installing};
use tesla2mqtt::estimate::{Follower, Turn};
use tesla2mqtt::model::{CarRecord, ChargingState, Gear, Now, UpdateStatus};
use tesla2mqtt::policy::{Ask, Failure, LightState, PolicyInput, Push, State};

/// One logger's numbers.
pub(super) struct Numbers {
    asleep_light: Duration,
    /// From online to the first data.
    first_data: Duration,
    idle_data: Duration,
    /// Someone is in the car.
    present_data: Duration,
    /// Something else keeps it awake.
    blocked_data: Duration,
    driving_data: Duration,
    charging_data: fn(f64) -> Duration,
    updating_data: Duration,
    /// Idle for so long, and it is left alone.
    idle_before_pause: Duration,
    pause: Pause,
    has_stream: bool,
    blocks: fn(&CarRecord) -> bool,
}

struct Pause {
    first: Duration,
    then: Duration,
    /// Looks with a data call when the light call says online.
    probes: bool,
    /// Back to polling after that.
    ends: Option<Duration>,
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) const TESLAMATE_STREAM: Numbers = Numbers {
    asleep_light: seconds(30),
    first_data: seconds(5),
    idle_data: seconds(30),
    present_data: seconds(15),
    blocked_data: seconds(60),
    driving_data: seconds(15),
    charging_data: by_power,
    updating_data: seconds(15),
    idle_before_pause: seconds(180),
    pause: Pause {
        first: seconds(600),
        then: seconds(30),
        probes: false,
        ends: None,
    },
    has_stream: true,
    blocks: blocks_teslamate,
};

pub(super) const TESLAMATE: Numbers = Numbers {
    first_data: seconds(0),
    idle_data: seconds(15),
    // 2.5 s and the answer's own time, about 3 s together.
    driving_data: Duration::from_millis(2700),
    idle_before_pause: seconds(900),
    pause: Pause {
        first: seconds(720),
        then: seconds(720),
        probes: true,
        ends: None,
    },
    has_stream: false,
    ..TESLAMATE_STREAM
};

pub(super) const TESLALOGGER: Numbers = Numbers {
    asleep_light: seconds(20),
    first_data: seconds(0),
    idle_data: seconds(30),
    present_data: seconds(30),
    blocked_data: seconds(30),
    driving_data: seconds(20),
    charging_data: |kw| if kw < 12.0 { seconds(60) } else { seconds(30) },
    updating_data: seconds(30),
    idle_before_pause: seconds(900),
    pause: Pause {
        first: seconds(20),
        then: seconds(20),
        probes: false,
        ends: Some(seconds(1260)),
    },
    has_stream: true,
    blocks: blocks_teslalogger,
};

/// 250 s a kW, between 5 and 20 s.
fn by_power(kw: f64) -> Duration {
    Duration::from_secs_f64((250.0 / kw.max(1.0)).clamp(5.0, 20.0))
}

fn blocks_teslalogger(view: &CarRecord) -> bool {
    view.user_present
        || view.preconditioning
        || view.sentry_mode
        || view.door_open
        || view.trunk_open
        || view.in_service
}

fn blocks_teslamate(view: &CarRecord) -> bool {
    blocks_teslalogger(view)
        || view.power_kw.is_some_and(|kw| kw > 0.0)
        || view.climate_keeper_mode.as_deref() == Some("dog")
        || is_downloading(view)
}

fn is_downloading(view: &CarRecord) -> bool {
    let update = view.update.as_ref();
    update.is_some_and(|update| update.status == UpdateStatus::Downloading)
}

/// A logger at work.
pub(super) struct Logger {
    numbers: &'static Numbers,
    state: State,
    next: (Duration, Ask),
    idle_since: Duration,
    paused_at: Duration,
}

impl Logger {
    pub(super) fn new(numbers: &'static Numbers) -> Self {
        Self {
            numbers,
            state: State::Asleep,
            next: (Duration::ZERO, Ask::Light),
            idle_since: Duration::ZERO,
            paused_at: Duration::ZERO,
        }
    }

    fn light(&mut self, state: LightState, t: Duration) {
        let numbers = self.numbers;
        if state != LightState::Online {
            let is_gone_for_a_while = matches!(self.state, State::Driving | State::Updating)
                && state == LightState::Offline;
            if !is_gone_for_a_while {
                self.state = State::Asleep;
            }
            self.next = (t + numbers.asleep_light, Ask::Light);
            return;
        }
        self.next = match self.state {
            State::Asleep => (t + numbers.first_data, Ask::Data),
            State::Quiet if numbers.pause.probes => (t, Ask::Data),
            State::Quiet => {
                let ends = numbers.pause.ends;
                if ends.is_some_and(|after| t.saturating_sub(self.paused_at) >= after) {
                    self.state = State::Idle;
                    self.idle_since = t;
                    (t, Ask::Data)
                } else {
                    (t + numbers.pause.then, Ask::Light)
                }
            }
            _ => (t, Ask::Data),
        };
    }

    fn data(&mut self, view: &CarRecord, t: Duration) {
        let numbers = self.numbers;
        let (state, wait) = if is_installing(view) {
            (State::Updating, numbers.updating_data)
        } else if in_gear(view) {
            (State::Driving, numbers.driving_data)
        } else if is_charging(view) {
            let kw = view.charger_power_kw.unwrap_or_default();
            (State::Charging, (numbers.charging_data)(kw))
        } else {
            return self.parked(view, t);
        };
        self.state = state;
        self.next = (t + wait, Ask::Data);
    }

    fn parked(&mut self, view: &CarRecord, t: Duration) {
        let numbers = self.numbers;
        let blocked = (numbers.blocks)(view);
        if self.state == State::Quiet && !blocked {
            self.next = (t + numbers.pause.then, Ask::Light);
            return;
        }
        if self.state != State::Idle || blocked {
            self.state = State::Idle;
            self.idle_since = t;
        }
        if t.saturating_sub(self.idle_since) >= numbers.idle_before_pause {
            self.state = State::Quiet;
            self.paused_at = t;
            self.next = (t + numbers.pause.first, Ask::Light);
            return;
        }
        let wait = match blocked {
            true if view.user_present => numbers.present_data,
            true => numbers.blocked_data,
            false => numbers.idle_data,
        };
        self.next = (t + wait, Ask::Data);
    }

    /// The stream is open while the car is online; gear and power bring a look at once.
    fn streamed(&mut self, push: &Push, t: Duration) {
        let drives = push.gear == Some(Gear::D) && self.state != State::Driving;
        let charges = push.charging_state == Some(ChargingState::Charging)
            && !matches!(self.state, State::Charging | State::Driving);
        if self.state != State::Asleep && (drives || charges) {
            self.next = (t, Ask::Data);
        }
    }
}

impl Follower for Logger {
    fn next(&mut self, now: Now) -> Turn {
        due(self.next, now)
    }

    fn hear(&mut self, now: Now, input: PolicyInput) {
        match input {
            PolicyInput::Light(light) => self.light(light.state, now.mono),
            PolicyInput::Data(view) => self.data(&view, now.mono),
            PolicyInput::Failed {
                failure: Failure::InService,
                ..
            } => self.next = (now.mono + self.numbers.blocked_data, Ask::Data),
            PolicyInput::Failed { .. } => self.next = (now.mono, Ask::Light),
            PolicyInput::Push(push) => self.streamed(&push, now.mono),
            _ => {}
        }
    }

    fn belief(&self) -> State {
        self.state
    }

    fn listens(&self) -> bool {
        self.numbers.has_stream
    }
}
