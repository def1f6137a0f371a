//! Home Assistant's two integrations. Both tick, ask whether the car is online, and then ask for
//! everything at one interval whatever the car does.

use std::time::Duration;

use super::{due, in_gear, is_charging, is_installing};
use tesla2mqtt::estimate::{Follower, Turn};
use tesla2mqtt::model::{CarRecord, Gear, Now};
use tesla2mqtt::policy::{Ask, Failure, LightState, PolicyInput, State};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn belief_of(view: &CarRecord) -> State {
    if is_installing(view) {
        State::Updating
    } else if in_gear(view) {
        State::Driving
    } else if is_charging(view) {
        State::Charging
    } else {
        State::Idle
    }
}

/// `tesla_fleet`: every ten minutes; a pre-2021 S or X is to be given a pause of 15 minutes.
pub(super) struct TeslaFleet {
    is_pre_2021: bool,
    state: State,
    next: (Duration, Ask),
    last_active: Duration,
}

const FLEET_TICK: Duration = seconds(600);
/// Idle for more than the first and at most the second: the pause is tried; later, the count
/// begins again.
const FLEET_PAUSE_IDLE: (Duration, Duration) = (seconds(900), seconds(1200));
const FLEET_PAUSE: Duration = seconds(900);

impl TeslaFleet {
    pub(super) fn new(is_pre_2021: bool) -> Self {
        Self {
            is_pre_2021,
            state: State::Asleep,
            next: (Duration::ZERO, Ask::Light),
            last_active: Duration::ZERO,
        }
    }

    fn data(&mut self, view: &CarRecord, t: Duration) {
        self.state = belief_of(view);
        let mut wait = FLEET_TICK;
        if self.is_pre_2021 {
            let idle = t.saturating_sub(self.last_active);
            let is_active = is_charging(view) || view.user_present || view.sentry_mode;
            if is_active || idle > FLEET_PAUSE_IDLE.1 {
                self.last_active = t;
            } else if idle > FLEET_PAUSE_IDLE.0 {
                wait = FLEET_PAUSE;
            }
        }
        self.next = (t + wait, Ask::Data);
    }
}

impl Follower for TeslaFleet {
    fn next(&mut self, now: Now) -> Turn {
        due(self.next, now)
    }

    fn hear(&mut self, now: Now, input: PolicyInput) {
        let t = now.mono;
        match input {
            PolicyInput::Light(light) if light.state == LightState::Online => {
                self.next = (t, Ask::Data);
            }
            PolicyInput::Data(view) => self.data(&view, t),
            PolicyInput::Light(_)
            | PolicyInput::Failed {
                failure: Failure::Unavailable,
                ..
            } => {
                self.state = State::Asleep;
                self.next = (t + FLEET_TICK, Ask::Light);
            }
            PolicyInput::Failed { .. } => self.next = (t + FLEET_TICK, Ask::Data),
            _ => {}
        }
    }

    fn belief(&self) -> State {
        self.state
    }
}

/// `alandtse/tesla`: a tick of ten seconds, the list each minute, data of an online car every
/// eleven minutes, each minute in gear. A failed call is tried again at the next tick.
pub(super) struct Alandtse {
    state: State,
    is_online: bool,
    in_gear: bool,
    tick_at: Duration,
    list_at: Duration,
    data_at: Duration,
}

const TICK: Duration = seconds(10);
const LIST: Duration = seconds(60);
const DATA: Duration = seconds(660);
const DATA_IN_GEAR: Duration = seconds(60);

impl Default for Alandtse {
    fn default() -> Self {
        Self {
            state: State::Asleep,
            is_online: false,
            in_gear: false,
            tick_at: Duration::ZERO,
            list_at: Duration::ZERO,
            data_at: Duration::ZERO,
        }
    }
}

impl Follower for Alandtse {
    fn next(&mut self, now: Now) -> Turn {
        let t = now.mono;
        if t < self.tick_at {
            return Turn::Wait(self.tick_at);
        }
        if t >= self.list_at {
            self.list_at = t + LIST;
            return Turn::ask(Ask::Light);
        }
        self.tick_at = t + TICK;
        if self.is_online && t >= self.data_at {
            return Turn::ask(Ask::Data);
        }
        Turn::Wait(self.tick_at)
    }

    fn hear(&mut self, now: Now, input: PolicyInput) {
        match input {
            PolicyInput::Light(light) => {
                self.is_online = light.state == LightState::Online;
                if !self.is_online {
                    self.state = State::Asleep;
                    self.in_gear = false;
                }
            }
            PolicyInput::Data(view) => {
                self.state = belief_of(&view);
                self.in_gear = matches!(view.gear, Some(Gear::D | Gear::R));
                let wait = if self.in_gear { DATA_IN_GEAR } else { DATA };
                self.data_at = now.mono + wait;
            }
            _ => {}
        }
    }

    fn belief(&self) -> State {
        self.state
    }
}
