//! What is known of the car's connection, and since when: the word of light calls, the proof of
//! data, the doubt of a 408.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interface::{Light, LightState};
use super::memory::{At, Moment};

/// A car that was not looked at for so long may have slept and woken meanwhile.
const UNWATCHED: Duration = Duration::from_mins(30);
/// Two 408s so close are one trouble. Longer than the wait between them.
const AGAIN: Duration = Duration::from_mins(10);

/// Whether the car is connected, by the newest word of all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Contact {
    /// The raw word of the newest light answer.
    pub(super) light: Option<LightState>,
    /// The newest light answer says that the car is at service. Where only data says so, only data
    /// can say that it ended.
    pub(super) is_in_service: bool,
    /// The newest word of all says that the car is online.
    pub(super) is_online: bool,
    /// When it was last proved online, by whatever.
    pub(super) online_at: Option<At>,
    /// The same by a light answer.
    pub(super) light_online_at: Option<At>,
    /// The last good data.
    pub(super) data_at: Option<At>,
    /// The last 408, unless data came since.
    unavailable_at: Option<At>,
}

impl Contact {
    /// A light call answered, or the product list showed the car.
    pub(super) fn light_came(&mut self, light: Light, m: Moment) {
        self.light = Some(light.state);
        self.is_in_service = light.in_service;
        self.is_online = light.state == LightState::Online;
        if self.is_online {
            self.online_at = Some(m.t);
            self.light_online_at = Some(m.t);
        }
    }

    /// Data came.
    pub(super) fn data_came(&mut self, m: Moment) {
        self.unavailable_at = None;
        self.is_online = true;
        self.online_at = Some(m.t);
        self.data_at = Some(m.t);
    }

    /// Data was answered with 408. Whether that was soon after another one.
    pub(super) fn data_refused(&mut self, m: Moment) -> bool {
        self.is_online = false;
        let before = self.unavailable_at.replace(m.t);
        before.is_some_and(|at| m.since(at) < AGAIN)
    }

    /// The car itself says that it sleeps.
    pub(super) fn reported_asleep(&mut self) {
        self.is_online = false;
        self.light = Some(LightState::Asleep);
    }

    /// Data came within this time.
    pub(super) fn has_data_within(&self, time: Duration, m: Moment) -> bool {
        self.data_at.is_some_and(|at| m.since(at) <= time)
    }

    /// Nobody looked for so long that the car may have slept and woken meanwhile.
    pub(super) fn is_unwatched(&self, m: Moment) -> bool {
        !self.has_data_within(UNWATCHED, m)
    }
}
