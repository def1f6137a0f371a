//! What a car's task knows, over restarts: `<state>/cars/<VIN>.json`.
//! Beside it [`keep`], for the small files of the bridge itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::discovery;
use crate::durable;
use crate::logbook::Logbook;
use crate::model::{ApiId, Vehicle, Vin};
use crate::policy;
use crate::topics::Paths;

const CARS: &str = "cars";

/// One car's file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    /// The policy's snapshot: state, clocks, what it learned.
    pub policy: policy::Snapshot,
    /// The newest value of each signal.
    pub vehicle: Vehicle,
    /// Its drives and charges.
    #[serde(default)]
    pub logbook: Logbook,
    /// The components that Home Assistant was told of.
    #[serde(default)]
    pub announced: discovery::Announced,
    /// The keys that are published: a later version may have less.
    #[serde(default)]
    pub published: BTreeSet<String>,
    /// The account through which the car is followed.
    #[serde(default)]
    pub account: Option<String>,
    /// The car's name at the Owner API.
    #[serde(default)]
    pub id: Option<ApiId>,
    /// Where the car was published.
    #[serde(default)]
    pub paths: Option<Paths>,
}

/// A car that an earlier run followed: it is followed again before Tesla has answered, so that
/// its last values are there even while Tesla, or the login, is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The account's name.
    pub account: String,
    /// The car.
    pub vin: Vin,
    /// The car's name at the Owner API.
    pub id: Option<ApiId>,
    /// Where it was published.
    pub paths: Option<Paths>,
}

/// Every car with a file below the state directory, and whose it was. Files that cannot be read
/// are nobody's: the car comes with its account's list.
pub fn remembered(state_directory: &Path) -> Vec<Remembered> {
    let Ok(entries) = std::fs::read_dir(state_directory.join(CARS)) else {
        return Vec::new();
    };
    let vins = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        Vin::new(name.to_str()?.strip_suffix(".json")?).ok()
    });
    vins.filter_map(|vin| {
        let memory = MemoryFile::of(&vin, state_directory).read()?;
        let account = memory.account.filter(|_| memory.vehicle.vin == vin)?;
        Some(Remembered {
            account,
            vin,
            id: memory.id,
            paths: memory.paths,
        })
    })
    .collect()
}

/// Writes something small of the bridge's own durably, off the reactor; `what` names it in the log.
pub async fn keep(path: &Path, value: &impl Serialize, what: &str) {
    let Ok(bytes) = serde_json::to_vec(value) else {
        return;
    };
    let to = path.to_owned();
    let written = tokio::task::spawn_blocking(move || durable::replace(&to, &bytes)).await;
    if let Ok(Err(error)) = written {
        tracing::warn!(file = %path.display(), %error, "{what} cannot be written; hint: is the state directory full or read-only?");
    }
}

/// Where a car's memory is kept.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    path: PathBuf,
}

impl MemoryFile {
    /// The file of a car below the state directory.
    pub fn of(vin: &Vin, state_directory: &Path) -> Self {
        let name = format!("{}.json", vin.as_str());
        Self {
            path: state_directory.join(CARS).join(name),
        }
    }

    /// Reads the memory; a missing, damaged or foreign file is an empty memory, said in the log.
    pub fn read(&self) -> Option<Memory> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "memory of a car cannot be read, starting without it");
                return None;
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(memory) => Some(memory),
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "memory of a car is damaged, starting without it");
                None
            }
        }
    }

    /// Writes the memory durably, off the reactor.
    pub async fn write(&self, memory: &Memory) {
        let bytes = match serde_json::to_vec(memory) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "memory of a car cannot be encoded");
                return;
            }
        };
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            if let Some(directory) = path.parent() {
                durable::private_directory(directory)?;
            }
            durable::replace(&path, &bytes)
        })
        .await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(file = %self.path.display(), %error, "memory of a car cannot be written; hint: is the state directory full or read-only?");
            }
            Err(error) => tracing::warn!(%error, "memory of a car was not written"),
        }
    }
}
