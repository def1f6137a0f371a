//! What stands where the bridge does not speak any more, until the broker has confirmed that it is
//! gone: `<state>/removals.json`.
//!
//! A base topic, a prefix, an alias may change while the broker is away, and the bridge may end
//! before it is back: a removal that only memory holds would leave the old topics there for ever.
//! So it is on the disk before the new place is, and said at each start until it is confirmed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use super::memory;
use crate::mqtt::Handle;
use crate::outbox::{Publish, TOPICS_MAX};

/// Topics that are to be removed, by their full names: a later version may not know them.
pub struct Removals {
    topics: BTreeSet<String>,
    path: PathBuf,
    mqtt: Handle,
    /// Comes when the broker has acknowledged all that is to be removed.
    confirmation: Option<oneshot::Receiver<()>>,
}

impl Removals {
    /// Those that an earlier run has left.
    pub fn open(mqtt: Handle, state_directory: &Path) -> Self {
        Self {
            topics: left(state_directory),
            path: path(state_directory),
            mqtt,
            confirmation: None,
        }
    }

    /// Says again what an earlier run has left; before anything else is said, which may stand at
    /// the same place once more.
    pub async fn repeat(&mut self) {
        let topics = self.topics.iter().cloned().collect();
        self.say(topics).await;
    }

    /// Removes topics, however long it takes. They are on the disk when this returns; beyond the
    /// outbox's own bound they are only said.
    pub async fn remove(&mut self, topics: Vec<String>) {
        let n_before = self.topics.len();
        for topic in &topics {
            if self.topics.len() < TOPICS_MAX {
                self.topics.insert(topic.clone());
            }
        }
        if self.topics.len() > n_before {
            self.keep().await;
        }
        self.say(topics).await;
    }

    /// Waits until the broker has confirmed everything; [`Removals::forget`] comes next.
    pub async fn confirmed(&mut self) {
        if let Some(confirmation) = &mut self.confirmation {
            let outcome = confirmation.await;
            self.confirmation = None;
            if outcome.is_ok() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// All of it is gone.
    pub async fn forget(&mut self) {
        self.topics.clear();
        self.keep().await;
    }

    async fn say(&mut self, topics: Vec<String>) {
        if topics.is_empty() {
            return;
        }
        let topics = topics.into_iter();
        let deletes = topics.map(|topic| Publish::Delete { topic });
        self.mqtt.publish_all(deletes.collect()).await;
        self.confirmation = Some(self.mqtt.confirmation().await);
    }

    async fn keep(&self) {
        memory::keep(&self.path, &self.topics, "what is still to be removed").await;
    }
}

/// The topics that are still to be removed. A file that is missing or damaged holds none.
pub fn left(state_directory: &Path) -> BTreeSet<String> {
    let Ok(bytes) = std::fs::read(path(state_directory)) else {
        return BTreeSet::new();
    };
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn path(state_directory: &Path) -> PathBuf {
    state_directory.join("removals.json")
}
