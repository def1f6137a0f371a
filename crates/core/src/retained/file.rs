//! The manifest as text, for the disk.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Level, Manifest, Owner};
use crate::compat::CarNumbers;
use crate::discovery::Announced;

/// As it is written. Its parts are read each on its own: one that is damaged, or that another
/// version wrote differently, does not take the others with it.
#[derive(Serialize)]
struct Written<'a> {
    levels: BTreeMap<&'a str, WrittenLevel>,
    removals: BTreeSet<&'a str>,
    announced: &'a BTreeMap<String, Announced>,
    numbers: &'a CarNumbers,
}

#[derive(Serialize, Deserialize)]
struct WrittenLevel {
    owner: Owner,
    keys: BTreeSet<String>,
}

impl Manifest {
    /// The file's bytes.
    ///
    /// # Errors
    /// It cannot be encoded: a defect.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let levels = self.levels.iter().map(|(level, of)| {
            let (owner, keys) = (of.owner.clone(), of.keys.clone());
            (level.as_str(), WrittenLevel { owner, keys })
        });
        let levels = levels.collect();
        serde_json::to_vec(&Written {
            levels,
            removals: self.removals.keys().map(String::as_str).collect(),
            announced: &self.announced,
            numbers: &self.numbers,
        })
    }

    /// The manifest of a file, and the names of the parts that could not be read.
    ///
    /// # Errors
    /// The bytes are no JSON object at all.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Vec<String>), serde_json::Error> {
        let mut parts: BTreeMap<String, Json> = serde_json::from_slice(bytes)?;
        let mut damaged = Vec::new();
        let levels: BTreeMap<String, Json> = part(&mut parts, "levels", &mut damaged);
        let levels = levels.into_iter().filter_map(|(level, json)| {
            let read = serde_json::from_value(json);
            let WrittenLevel { owner, keys } = read
                .inspect_err(|_| damaged.push(format!("level {level}")))
                .ok()?;
            Some((level, Level { owner, keys }))
        });
        let levels = levels.collect();
        let removals: BTreeSet<String> = part(&mut parts, "removals", &mut damaged);
        let manifest = Self {
            levels,
            removals: removals.into_iter().map(|topic| (topic, 0)).collect(),
            announced: part(&mut parts, "announced", &mut damaged),
            numbers: part(&mut parts, "numbers", &mut damaged),
            round: 0,
        };
        Ok((manifest, damaged))
    }
}

fn part<T: DeserializeOwned + Default>(
    parts: &mut BTreeMap<String, Json>,
    name: &str,
    damaged: &mut Vec<String>,
) -> T {
    let Some(json) = parts.remove(name) else {
        return T::default();
    };
    serde_json::from_value(json).unwrap_or_else(|_| {
        damaged.push(name.to_owned());
        T::default()
    })
}
