//! Whether a car that is expected to push can be relied on to do so. While it cannot, it is polled
//! like any other: a source that is away must not blind us.

use std::time::Duration;

use super::config::PolicyConfig;
use super::interface::State;
use super::memory::{At, Moment};
use super::{Policy, interface::Push};

/// A car that pushed within this time needs no light calls while it sleeps.
const PUSH_TTL: Duration = Duration::from_mins(10);
/// A connection that is gone for less changes no interval: cars in a tunnel come back.
const GONE_FOR: Duration = Duration::from_mins(1);

impl Policy {
    /// The intervals that hold at present.
    pub(super) fn intervals(&self, m: Moment) -> &PolicyConfig {
        if self.config.pushes && !self.is_pushed_to(m) {
            &self.polling
        } else {
            &self.config
        }
    }

    /// A push arrived, so its source is there.
    pub(super) fn note_push(&mut self, push: &Push, m: Moment) {
        let memory = &mut self.memory;
        memory.last_push_at = Some(m.t);
        memory.push_source_lost = false;
        memory.woke_unheard = false;
        if let Some(connected) = push.connected {
            if memory.push_connected && !connected {
                memory.disconnected_at = Some(m.t);
            }
            memory.push_connected = connected;
        }
    }

    /// The pushing source itself is gone, for every car of it.
    pub(super) fn lose_push_source(&mut self, m: Moment) {
        self.memory.push_source_lost = true;
        self.memory.push_connected = false;
        // What it said last it may have said before the car changed.
        if !self.memory.is_resting() {
            let spread = self.memory.random.up_to(self.config.start_spread);
            self.memory.want_light(m.t + spread);
        }
    }

    /// A sleeping car is not connected, and a parked one has nothing to say: silence alone is no
    /// reason for doubt. A connection that ended, or a wake that was not pushed, is one.
    fn is_pushed_to(&self, m: Moment) -> bool {
        let memory = &self.memory;
        if memory.push_source_lost || memory.last_push_at.is_none() {
            return false;
        }
        let just_gone = memory
            .disconnected_at
            .is_some_and(|at| m.since(at) < GONE_FOR);
        match memory.state {
            _ if memory.woke_unheard => false,
            State::Boot | State::Asleep | State::Unreachable => true,
            _ => memory.push_connected || just_gone,
        }
    }

    /// The source speaks of everything that a call would show.
    pub(super) fn push_suffices(&self, m: Moment) -> bool {
        self.push_suffices_until(m).is_some()
    }

    /// Until when it does, unless it speaks again.
    pub(super) fn push_suffices_until(&self, m: Moment) -> Option<At> {
        let memory = &self.memory;
        let until = memory.last_push_at? + PUSH_TTL;
        let is_there = memory.push_connected && !memory.push_source_lost;
        (is_there && m.t <= until).then_some(until)
    }
}
