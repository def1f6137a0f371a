//! The memory as it is written down. Each part of it is read on its own: one that another version
//! wrote differently, or that a broken disk garbled, is lost alone and begins anew.

mod release_0_1_0;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::interface::State;
use super::learning::Learning;
use super::memory::{At, Memory, ShownState};
use crate::model::{DeviceId, Now, Vin};
use crate::random::Random;

/// A snapshot that claims to be older was written by a wrong clock.
const OLDEST: Duration = Duration::from_hours(24 * 400);

/// Everything that must survive a restart. Opaque; a later version reads what an earlier one
/// wrote, from release 0.1.0 on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    saved_at: At,
    saved_wall: Timestamp,
    memory: Memory,
    #[serde(skip)]
    lost: Vec<&'static str>,
}

impl Snapshot {
    pub(super) fn new(memory: Memory, saved_at: At, saved_wall: Timestamp) -> Self {
        Self {
            saved_at,
            saved_wall,
            memory,
            lost: Vec::new(),
        }
    }

    /// The parts that could not be read and begin anew, for the log.
    pub fn lost_parts(&self) -> &[&'static str] {
        &self.lost
    }

    /// The memory to go on with, and what the policy's clock shows now. The time in between has
    /// passed, unless the calendar says something impossible; then it has not.
    pub(super) fn resume(self, vin: &Vin, now: Now) -> (Memory, At) {
        let gone = now.wall.duration_since(self.saved_wall);
        let gone = Duration::try_from(gone).unwrap_or_default();
        let gone = if gone > OLDEST { Duration::ZERO } else { gone };
        let mut memory = self.memory;
        if self.lost.contains(&LEARNING) {
            memory.learning = Learning::new(vin);
        }
        if self.lost.contains(&RANDOM) {
            // Any number will do that is not the same for every car.
            let seed = now.wall.as_second().unsigned_abs();
            memory.random = Random::of_device(&DeviceId::from(vin), seed);
        }
        // A new process has no connection to what pushes.
        memory.push.lose();
        (memory, self.saved_at.saturating_add(gone))
    }
}

const RANDOM: &str = "random";
const LEARNING: &str = "learning";

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut written = Map::deserialize(deserializer)?;
        let Some(Value::Object(memory)) = written.remove("memory") else {
            return Err(D::Error::custom("a snapshot without a memory"));
        };
        let memory = if release_0_1_0::wrote(&memory) {
            release_0_1_0::parts_of(memory)
        } else {
            memory
        };
        let mut parts = UnreadParts {
            written,
            lost: Vec::new(),
        };
        let saved_wall = parts.take("saved_wall");
        let saved_at: Option<At> = parts.take("saved_at");
        parts.written = memory;
        let memory = parts.memory(saved_wall.unwrap_or_default());
        Ok(Self {
            // The newest time that the memory itself knows of.
            saved_at: saved_at.unwrap_or_else(|| memory.day.counted_at()),
            saved_wall: saved_wall.unwrap_or(Timestamp::MAX),
            memory,
            lost: parts.lost,
        })
    }
}

/// The members of a written object that have not been read yet.
struct UnreadParts {
    written: Map<String, Value>,
    lost: Vec<&'static str>,
}

impl UnreadParts {
    /// A part; `None` where it is missing or cannot be read.
    fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        let part = self.written.remove(name).map(serde_json::from_value);
        let part = part.and_then(Result::ok);
        if part.is_none() {
            self.lost.push(name);
        }
        part
    }

    /// The same, which begins anew; an earlier version may not have had it.
    fn part<T: DeserializeOwned + Default>(&mut self, name: &'static str) -> T {
        if self.written.contains_key(name) {
            self.take(name).unwrap_or_default()
        } else {
            T::default()
        }
    }

    fn memory(&mut self, wall: Timestamp) -> Memory {
        Memory {
            random: self.take(RANDOM).unwrap_or_else(|| Random::new(0)),
            learning: self.take(LEARNING).unwrap_or_default(),
            habits: self.part("habits"),
            budget: self.part("budget"),
            backoffs: self.part("backoffs"),
            machine: self.part("machine"),
            shown: self.take("shown").unwrap_or(ShownState {
                state: State::Boot,
                since: wall,
            }),
            standing: self.part("standing"),
            location: self.part("location"),
            starts: self.part("starts"),
            calls: self.part("calls"),
            wanted: self.part("wanted"),
            hints: self.part("hints"),
            contact: self.part("contact"),
            push: self.part("push"),
            sessions: self.part("sessions"),
            charging: self.part("charging"),
            parking: self.part("parking"),
            self_checks: self.part("self_checks"),
            day: self.part("day"),
        }
    }
}
