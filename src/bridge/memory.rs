//! What a car's task knows, over restarts: `<state>/cars/<VIN>.json`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::discovery;
use crate::durable;
use crate::logbook::Logbook;
use crate::model::{Vehicle, Vin};
use crate::policy;

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
            path: state_directory.join("cars").join(name),
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
