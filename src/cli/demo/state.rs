//! What of a demo is on the disk: the folder of the bridge's state, and when the cars' lives
//! began. Their lives follow from their plan and that time, so that it is all that is kept of
//! them: with a directory for its state the next demo has the same cars, which have lived on
//! meanwhile.
//!
//! A bridge that remembers another place than its own removes there what it said, on whatever
//! broker it now is: somebody else may live there. So a world stays at its place.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bridge::{self, StartError};
use crate::{atomic_file, clock};

/// The cars' past, in the directory that was named.
const WORLD: &str = "demo.json";
/// A past is lived through anew at each start: of this one in seconds. And calendars end.
const OLDEST: Duration = Duration::from_hours(10 * 365 * 24);

/// The folder of the bridge's state; goes with the demo, unless it was named.
pub struct StateDirectory {
    folder: Folder,
    /// Nobody else runs with it.
    pub claim: bridge::Claim,
}

struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl StateDirectory {
    /// Takes the one that was named, else makes one that nobody else knows.
    pub fn prepare(named: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match named {
            Some(path) => Folder {
                path: path.to_owned(),
                is_kept: true,
            },
            None => Folder::new_in(&std::env::temp_dir())?,
        };
        let name = folder.path.display();
        let claim = bridge::Claim::to(&folder.path).map_err(|error| match error {
            StartError::InUse { .. } => anyhow::anyhow!(
                "--state {name}: another tesla2mqtt runs with it; stop that one, or name another \
                 directory"
            ),
            StartError::StateDirectory { source, .. } => {
                anyhow::anyhow!("--state {name}: {source}")
            }
            other => other.into(),
        })?;
        Ok(Self { folder, claim })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder.path
    }
}

impl Folder {
    /// A new one, private, under a name that nobody can have foreseen: the folder of temporary
    /// files is everybody's, and process ids are the same in every container.
    fn new_in(parent: &Path) -> anyhow::Result<Self> {
        let make = || {
            let path = parent.join(format!("tesla2mqtt-demo-{:016x}", getrandom::u64()?));
            DirBuilder::new().mode(0o700).create(&path)?;
            Ok(path)
        };
        let path = make().map_err(|error: io::Error| {
            anyhow::anyhow!(
                "no temporary folder can be made in {}: {error}; name a directory with --state",
                parent.display()
            )
        })?;
        Ok(Self {
            path,
            is_kept: false,
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed is in the system's own folder.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// When the cars' lives began, how fast they go, and where they are published.
#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    /// In the world's calendar, from which theirs departs then.
    pub since: Timestamp,
    /// Their seconds in one of the world's.
    pub speed: f64,
    place: Place,
}

/// Where a demo publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Somebody's; else the one inside the demo.
    pub broker: Option<String>,
    /// First level of all topics.
    pub base_topic: String,
}

impl fmt::Display for Place {
    /// The options that name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.broker {
            Some(url) => write!(f, "--broker {url}")?,
            None => f.write_str("no --broker")?,
        }
        write!(f, " and --base-topic {}", self.base_topic)
    }
}

impl World {
    /// The one of the directory that was named, else a new one.
    pub fn of(named: Option<&Path>, speed: f64, place: Place) -> anyhow::Result<Self> {
        let now = clock::real_wall();
        let begun = Self {
            since: now,
            speed,
            place,
        };
        let Some(directory) = named else {
            return Ok(begun);
        };
        let file = directory.join(WORLD);
        let said =
            |error: &dyn std::fmt::Display| anyhow::anyhow!("--state {}: {error}", file.display());
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if bridge::has_spoken(directory) {
                    anyhow::bail!(
                        "--state {}: it belongs to a bridge, and what that published would be \
                         removed; name another directory",
                        directory.display()
                    );
                }
                atomic_file::replace(&file, serde_json::to_string(&begun)?.as_bytes())
                    .map_err(|error| said(&error))?;
                return Ok(begun);
            }
            Err(error) => return Err(said(&error)),
        };
        let kept = Self::read(&bytes).map_err(|error| said(&error))?;
        kept.check(&begun).map_err(|error| said(&error))?;
        Ok(kept)
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map_err(|error| format!("{error}; remove the directory to begin anew"))
    }

    /// Whether it can go on as what would begin now.
    fn check(&self, now: &Self) -> Result<(), String> {
        let kept = self.speed;
        if kept.total_cmp(&now.speed).is_ne() {
            return Err(format!(
                "its cars live {kept} times as fast as the world; expected --speed {kept}"
            ));
        }
        if self.place != now.place {
            return Err(format!(
                "its cars are published at another place; expected {}, or another directory",
                self.place
            ));
        }
        let passed = Duration::try_from(now.since.duration_since(self.since)).unwrap_or_default();
        if passed > OLDEST.div_f64(kept) {
            return Err(
                "its cars would be more than 10 years old; remove the directory to begin anew"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn place() -> Place {
        Place {
            broker: None,
            base_topic: "tesla2mqtt".into(),
        }
    }

    #[test]
    fn a_world_that_cannot_go_on_says_why_and_is_not_replaced() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let check_at = |place, text: &[u8], speed: f64, expected: &str| {
            let now = World {
                since: now,
                speed,
                place,
            };
            let outcome = World::read(text).and_then(|world| world.check(&now));
            let said = outcome.err().unwrap_or_default();
            assert!(
                said.starts_with(expected) && said.is_empty() == expected.is_empty(),
                "{said}"
            );
        };
        let check = |since_and_speed: &str, speed, expected: &str| {
            let at = r#""place":{"broker":null,"base_topic":"tesla2mqtt"}"#;
            let text = format!("{{{since_and_speed},{at}}}");
            check_at(place(), text.as_bytes(), speed, expected);
        };
        let year = r#""since":"2025-11-26T12:00:00Z","speed":9.0"#;
        check(year, 9.0, "");
        check(year, 60.0, "its cars live 9 times as fast");
        let old = "its cars would be more than 10 years old";
        check(r#""since":"2025-11-26T12:00:00Z","speed":11.0"#, 11.0, old);
        let first = r#""since":"-009999-01-02T01:59:59Z","speed":3600"#;
        check(first, 3600.0, old);
        check(r#""since":"2099-01-01T00:00:00Z","speed":10"#, 10.0, "");
        let unread = |text: &[u8], expected| check_at(place(), text, 10.0, expected);
        unread(b"\xff\xfe", "expected value");
        unread(b"", "EOF");
        let slow = br#"{"since":"2025-11-26T12:00:00Z"}"#;
        unread(slow, "missing field `speed`");

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(WORLD);
        fs::write(&file, b"\xff\xfe").unwrap();
        let said = World::of(Some(folder.path()), 10.0, place())
            .unwrap_err()
            .to_string();
        assert!(said.contains("demo.json: expected value"), "{said}");
        assert_eq!(fs::read(&file).unwrap(), b"\xff\xfe");
        fs::remove_file(&file).unwrap();
        let begun = World::of(Some(folder.path()), 10.0, place()).unwrap();
        let kept = World::of(Some(folder.path()), 10.0, place()).unwrap();
        assert_eq!(kept.since, begun.since);
    }

    #[test]
    fn a_temporary_folder_is_new_private_and_removed_by_its_maker_alone() {
        let parent = tempfile::tempdir().unwrap();
        let ours = Folder::new_in(parent.path()).unwrap();
        let other = Folder::new_in(parent.path()).unwrap();
        assert_ne!(ours.path, other.path);
        let mode = fs::metadata(&ours.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(ours);
        let left = fs::read_dir(parent.path()).unwrap();
        assert_eq!(left.count(), 1);
        drop(other);
        assert!(Folder::new_in(&parent.path().join("absent")).is_err());
    }
}
