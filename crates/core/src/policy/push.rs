//! Whether a car that is expected to push can be relied on to do so. While it cannot, it is polled
//! like any other: a source that is away must not leave its cars unwatched.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Policy;
use super::config::PolicyConfig;
use super::interface::Push;
use super::memory::{At, Moment};

/// A car that pushed within this time needs no light calls while it sleeps.
const PUSH_TTL: Duration = Duration::from_mins(10);
/// A connection that is gone for less changes no interval, be it the car's or the source's: cars in
/// a tunnel come back, and so does most of what is dialled again.
const GONE_FOR: Duration = Duration::from_mins(1);

/// What came from the source that pushes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that vary independently of each other"
)]
pub(super) struct PushSource {
    /// The car's connection to it.
    pub(super) is_connected: bool,
    last_at: Option<At>,
    disconnected_at: Option<At>,
    /// The source itself is away, since.
    source_lost_at: Option<At>,
    /// It has been for so long that it does not count any more.
    is_lost: bool,
    /// A light call, and no push, has told of the car's last wake.
    #[serde(rename = "woke_unheard")]
    pub(super) missed_wake: bool,
    /// Someone holds the car awake, until a push or data says otherwise.
    pub(super) user_present: bool,
    /// What the last push said about it; the same word again is no news.
    last_user_present: bool,
}

impl PushSource {
    /// A push arrived, so its source is there.
    pub(super) fn arrived(&mut self, push: &Push, m: Moment) {
        self.last_at = Some(m.t);
        self.source_lost_at = None;
        self.is_lost = false;
        self.missed_wake = false;
        if let Some(connected) = push.connected {
            if self.is_connected && !connected {
                self.disconnected_at = Some(m.t);
            }
            self.is_connected = connected;
        }
    }

    /// A push tells whether someone is in the car. Whether that is news, and somebody is.
    pub(super) fn note_user(&mut self, present: bool) -> bool {
        let is_news = present && !self.last_user_present;
        self.last_user_present = present;
        self.user_present = present;
        is_news
    }

    /// The connection to the source ended, or did not come about.
    pub(super) fn source_lost(&mut self, m: Moment) {
        if !self.is_lost {
            self.source_lost_at.get_or_insert(m.t);
        }
    }

    /// When the source does not count any more, unless it speaks before.
    pub(super) fn source_given_up_at(&self) -> Option<At> {
        self.source_lost_at.map(|at| at + GONE_FOR)
    }

    /// When the car that is not connected any more does not count as one that is about to be.
    pub(super) fn gone_at(&self) -> Option<At> {
        let at = self.disconnected_at.filter(|_| !self.is_connected)?;
        Some(at.saturating_add(GONE_FOR))
    }

    /// The source is gone, for every car of it.
    pub(super) fn lose(&mut self) {
        self.source_lost_at = None;
        self.is_lost = true;
        self.is_connected = false;
    }

    /// A sleeping car is not connected, and a parked one has nothing to say: silence alone is no
    /// reason for doubt. A connection that ended, or a wake that was not pushed, is one.
    fn can_be_relied_on(&self, is_resting: bool, m: Moment) -> bool {
        if self.is_lost || self.last_at.is_none() || self.missed_wake {
            return false;
        }
        let just_gone = self.gone_at().is_some_and(|at| m.t < at);
        is_resting || self.is_connected || just_gone
    }

    /// Until when the source speaks of everything that a call would show, unless it speaks again.
    pub(super) fn suffices_until(&self, m: Moment) -> Option<At> {
        let until = self.last_at? + PUSH_TTL;
        let is_there = self.is_connected && !self.is_lost;
        (is_there && m.t <= until).then_some(until)
    }

    /// The source speaks of everything that a call would show.
    pub(super) fn suffices(&self, m: Moment) -> bool {
        self.suffices_until(m).is_some()
    }
}

impl Policy {
    /// The intervals that hold at present.
    pub(super) fn intervals(&self, m: Moment) -> &PolicyConfig {
        let memory = &self.memory;
        let is_resting = memory.machine.is_resting();
        if self.config.pushes && !memory.push.can_be_relied_on(is_resting, m) {
            &self.polling
        } else {
            &self.config
        }
    }

    /// The source was away for too long: its car is polled.
    pub(super) fn give_up_push_source(&mut self, m: Moment) {
        let memory = &mut self.memory;
        memory.push.lose();
        // What it said last it may have said before the car changed.
        if !memory.machine.is_resting() {
            let spread = memory.random.up_to(self.config.start_spread);
            memory.wanted.light(m.t + spread);
        }
    }
}
