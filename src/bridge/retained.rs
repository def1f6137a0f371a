//! The manifest of what is retained where, on the disk and towards the broker:
//! `<state>/retained.json`.
//!
//! Who publishes declares its topics first. When [`Retained::declare`] returns, the declaration is
//! on the disk and the removals that follow from it are in the outbox, ahead of whatever comes
//! next: a kill can neither leave a topic that nobody knows, nor forget what the broker, which may
//! be away, has not removed yet.

mod of_0_1_0;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

use crate::atomic_file;
use crate::config::Settings;
use crate::discovery::{Announced, EntityPrefixes};
use crate::hint::{CHECK_DISK, Hint};
use crate::model::{DeviceId, Vin};
use crate::mqtt::Handle;
use crate::outbox::{Publish, TOPICS_MAX};
use crate::retained::{Declaration, Manifest, Owner};

/// What the broker has removed is written so much later: more of it follows at once.
const GATHER: Duration = Duration::from_millis(100);

/// The manifest, for all who publish.
#[derive(Clone)]
pub(super) struct Retained(Arc<SharedManifest>);

struct SharedManifest {
    mqtt: Handle,
    path: PathBuf,
    kept: Mutex<VersionedManifest>,
    /// The version that is on the disk. Who waits for it finds, more often than not, that the
    /// one before has written its own change, too.
    written: Mutex<u64>,
    /// There is something to be removed.
    to_remove: Notify,
}

struct VersionedManifest {
    manifest: Manifest,
    /// Counts the changes.
    version: u64,
}

const CLEAR: Hint = Hint("`tesla2mqtt clear` removes what is there");

/// The manifest of a state directory, with what version 0.1.0 left there instead. A file that is
/// damaged costs what it held, and is said in the log.
pub(super) fn read(settings: &Settings) -> Manifest {
    let directory = &settings.state.directory;
    let path = path(directory);
    let file = path.display();
    let mut manifest = match std::fs::read(&path) {
        Ok(bytes) => match Manifest::decode(&bytes) {
            Ok((manifest, damaged)) => {
                for part in damaged {
                    tracing::warn!(%file, %part, "a part of the list of what is at the broker cannot be read, going on without it");
                }
                manifest
            }
            Err(error) => {
                tracing::warn!(%file, %error, "the list of what is at the broker is damaged, beginning a new one: {CLEAR}");
                Manifest::default()
            }
        },
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%file, %error, "the list of what is at the broker cannot be read, beginning a new one");
            }
            Manifest::default()
        }
    };
    if of_0_1_0::is_there(directory) {
        of_0_1_0::take_over(settings, &mut manifest);
    }
    manifest
}

fn path(state_directory: &Path) -> PathBuf {
    state_directory.join("retained.json")
}

/// Reads the manifest with what will be said before anything else, and has it on the disk. To be
/// called before there is a connection, by which the first topics are published.
pub(super) fn open(settings: &Settings, first: impl FnOnce(&Manifest) -> Declaration) -> Manifest {
    let directory = &settings.state.directory;
    let mut manifest = read(settings);
    // Its removals are said with all others that are owed.
    let first = first(&manifest);
    manifest.take_in(first);
    let written = match manifest.encode() {
        Ok(bytes) => atomic_file::replace(&path(directory), &bytes),
        Err(error) => Err(error.into()),
    };
    match written {
        Ok(()) => of_0_1_0::remove(directory),
        Err(error) => warn_of(&path(directory), &error),
    }
    manifest
}

/// What the entity ids of the devices of an earlier run begin with.
pub(super) fn entity_prefixes(manifest: &Manifest) -> EntityPrefixes {
    let prefixes = EntityPrefixes::default();
    for owner in manifest.owners() {
        let Owner::Discovery(id) = owner else {
            continue;
        };
        let mut topics = manifest.topics_of(owner);
        let slug = topics.find_map(|topic| manifest.announced(&topic).slug);
        if let Some(slug) = slug {
            prefixes.keep(id, &slug);
        }
    }
    prefixes
}

fn warn_of(path: &Path, error: &io::Error) {
    tracing::warn!(file = %path.display(), %error, "the list of what is at the broker cannot be written: {CHECK_DISK}");
}

impl Retained {
    /// Says what is still to be removed; before anything else is said, which may stand at the same
    /// place once more.
    pub(super) async fn start(manifest: Manifest, mqtt: Handle, settings: &Settings) -> Self {
        // This one the connection says itself: its value takes the place of what is to be removed.
        let state = crate::mqtt::state_topic(&settings.mqtt.base_topic);
        let to_remove = manifest.removals().filter(|topic| **topic != state);
        let to_remove = to_remove.cloned().collect();
        let retained = Self(Arc::new(SharedManifest {
            path: path(&settings.state.directory),
            kept: Mutex::new(VersionedManifest {
                manifest,
                version: 0,
            }),
            written: Mutex::new(0),
            to_remove: Notify::new(),
            mqtt,
        }));
        retained.remove(to_remove).await;
        retained
    }

    /// Takes in a declaration. When this returns, what follows from it may be published.
    pub(super) async fn declare(&self, declaration: Declaration) {
        let version = {
            let mut kept = self.0.kept.lock().await;
            let change = kept.manifest.take_in(declaration);
            if change.n_forgotten > 0 {
                let n = change.n_forgotten;
                tracing::warn!("{n} topics are not kept in mind: {TOPICS_MAX} are the limit");
            }
            // While the next declaration waits: it may be about the same topics.
            self.remove(change.remove).await;
            if !change.is_news {
                return;
            }
            kept.version += 1;
            kept.version
        };
        self.write(version).await;
    }

    /// These are all topics of an owner from now on.
    pub(super) async fn declare_topics(
        &self,
        owner: Owner,
        topics: impl IntoIterator<Item = String>,
    ) {
        let topics = topics.into_iter().collect();
        self.declare(Declaration::Topics { owner, topics }).await;
    }

    async fn remove(&self, topics: Vec<String>) {
        if topics.is_empty() {
            return;
        }
        let deletes = topics.into_iter().map(|topic| Publish::Delete { topic });
        self.0.mqtt.publish_all(deletes.collect()).await;
        self.0.to_remove.notify_one();
    }

    /// Forgets what is to be removed as the broker acknowledges it; never ends.
    pub(super) async fn forget_what_is_removed(self) {
        loop {
            let asked = {
                let mut kept = self.0.kept.lock().await;
                let is_owed = kept.manifest.removals().next().is_some();
                is_owed.then(|| kept.manifest.next_round())
            };
            let Some(asked) = asked else {
                self.0.to_remove.notified().await;
                continue;
            };
            let owed = tokio::select! {
                owed = async { self.0.mqtt.unconfirmed_deletes().await.await } => owed,
                // What is new is asked for together with what was owed before.
                () = self.0.to_remove.notified() => continue,
            };
            let Ok(owed) = owed else {
                return std::future::pending().await;
            };
            let version = {
                let mut kept = self.0.kept.lock().await;
                kept.manifest.forget_removals(asked, &owed);
                kept.version += 1;
                kept.version
            };
            self.write(version).await;
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Has this version on the disk, or a later one.
    async fn write(&self, version: u64) {
        let mut written = self.0.written.lock().await;
        if *written >= version {
            return;
        }
        let (encoded, version) = {
            let kept = self.0.kept.lock().await;
            (kept.manifest.encode(), kept.version)
        };
        let path = self.0.path.clone();
        let outcome = match encoded {
            Ok(bytes) => {
                let replaced =
                    tokio::task::spawn_blocking(move || atomic_file::replace(&path, &bytes));
                replaced.await.unwrap_or_else(|error| Err(error.into()))
            }
            Err(error) => Err(error.into()),
        };
        match outcome {
            // The next change tries again.
            Err(error) => warn_of(&self.0.path, &error),
            Ok(()) => *written = version,
        }
    }

    /// What Home Assistant was told in a discovery message.
    pub(super) async fn announced(&self, topic: &str) -> Announced {
        self.0.kept.lock().await.manifest.announced(topic)
    }

    /// Takes back what Home Assistant was told of devices that nobody follows and whose topics are
    /// another's now: it would show that one's values as theirs.
    pub(super) async fn withdraw_unfollowed(&self, is_followed: impl Fn(&DeviceId) -> bool) {
        let displaced = self.0.kept.lock().await.manifest.displaced();
        for owner in displaced {
            if matches!(&owner, Owner::Discovery(id) if !is_followed(id)) {
                self.declare_topics(owner, None).await;
            }
        }
    }

    /// Every owner of a topic.
    pub(super) async fn owners(&self) -> Vec<Owner> {
        let kept = self.0.kept.lock().await;
        kept.manifest.owners().into_iter().cloned().collect()
    }

    /// The topics of one owner.
    pub(super) async fn topics_of(&self, owner: &Owner) -> BTreeSet<String> {
        let kept = self.0.kept.lock().await;
        kept.manifest.topics_of(owner).collect()
    }

    /// The number of a car in TeslaMate's topics. One that is new is on the disk when this returns:
    /// a kill must not give it to another car.
    pub(super) async fn number(&self, vin: &Vin) -> u32 {
        let (number, version) = {
            let mut kept = self.0.kept.lock().await;
            let before = kept.manifest.numbers().clone();
            let number = kept.manifest.numbers_mut().number(vin);
            kept.version += u64::from(*kept.manifest.numbers() != before);
            (number, kept.version)
        };
        self.write(version).await;
        number
    }

    /// Gives cars the numbers that the owner wants.
    pub(super) async fn pin_numbers(&self, pins: &BTreeMap<Vin, u32>) {
        let version = {
            let mut kept = self.0.kept.lock().await;
            let before = kept.manifest.numbers().clone();
            // The configuration refuses the only mistake there is.
            if let Err(error) = kept.manifest.numbers_mut().pin(pins) {
                tracing::error!(%error, "the cars keep their numbers");
            }
            kept.version += u64::from(*kept.manifest.numbers() != before);
            kept.version
        };
        self.write(version).await;
    }
}

#[cfg(test)]
mod tests;
