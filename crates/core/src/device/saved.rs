//! What a device knows, over restarts. Its parts are read each on its own: one that another version
//! wrote differently does not take the others with it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::model::Vehicle;
use crate::policy;
use crate::trips::Trips;

/// A device's saved form; what is missing in it is as if it had never been known.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Saved {
    /// The policy's snapshot: state, clocks, what it learned.
    pub policy: Option<policy::Snapshot>,
    /// The newest value of each signal.
    pub vehicle: Option<Vehicle>,
    /// Its drives and charges.
    pub trips: Trips,
    /// When Tesla last answered about it.
    pub contact: Option<Timestamp>,
}

impl Saved {
    /// Takes a device's parts out of a file that may hold others beside them.
    pub fn take(parts: &mut Parts) -> Self {
        let policy: Option<policy::Snapshot> = parts.take("policy");
        let lost = policy.iter().flat_map(policy::Snapshot::lost_parts);
        parts
            .damage
            .extend(lost.map(|part| format!("policy, its {part}")));
        Self {
            policy,
            vehicle: parts.take("vehicle"),
            trips: parts.take_renamed("trips", "logbook"),
            contact: parts.take("contact"),
        }
    }
}

/// A file's members that have not been read yet.
#[derive(Debug)]
pub struct Parts {
    raw: BTreeMap<String, Box<RawValue>>,
    damage: Vec<String>,
}

impl Parts {
    /// A file's bytes, taken apart. An error is a file that is no JSON object at all.
    pub fn of(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self {
            raw: serde_json::from_slice(bytes)?,
            damage: Vec::new(),
        })
    }

    /// The part of this name; one that is missing or cannot be read is an empty one.
    pub fn take<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let Some(raw) = self.raw.remove(name) else {
            return T::default();
        };
        serde_json::from_str(raw.get()).unwrap_or_else(|error| {
            // The error's own text may quote a value, and that may be where the car is.
            let column = error.column();
            self.damage.push(format!("{name}, its character {column}"));
            T::default()
        })
    }

    /// The part, or what it was called by version 0.1.0, which may have written the file last.
    fn take_renamed<T: DeserializeOwned + Default>(&mut self, name: &str, before: &str) -> T {
        if self.raw.contains_key(name) {
            self.take(name)
        } else {
            self.take(before)
        }
    }

    /// A line on each part that could not be read.
    pub fn damage(self) -> Vec<String> {
        self.damage
    }
}
