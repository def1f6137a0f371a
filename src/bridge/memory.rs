//! What a car's task knows, over restarts: `<state>/cars/<VIN>.json`. What stands in it is the
//! device's affair ([`Saved`]), but for who follows it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::device_troubles::StandingFailure;
use crate::atomic_file;
use crate::device::{Parts, Saved};
use crate::hint::CHECK_DISK;
use crate::model::{ApiId, DeviceId, Vehicle, Vin};

const CARS: &str = "cars";

/// One car's file; what is missing in it, or cannot be read, is as if it had never been known.
#[derive(Debug, Default, Serialize)]
pub(super) struct SavedCar {
    /// The car itself.
    #[serde(flatten)]
    pub device: Saved,
    /// The account through which the car is followed.
    pub account: Option<String>,
    /// Stands for that account's login.
    pub login: Option<u64>,
    /// The car's name at the Owner API.
    pub id: Option<ApiId>,
    /// Why Tesla refuses to tell of the car, as the owner was told.
    pub troubles: Vec<StandingFailure>,
}

impl SavedCar {
    /// The file's bytes as a memory, and a line on each part that could not be read. An error is
    /// a file that is no JSON object at all.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, Vec<String>), serde_json::Error> {
        let mut parts = Parts::of(bytes)?;
        let memory = Self {
            device: Saved::take(&mut parts),
            account: parts.take("account"),
            login: parts.take("login"),
            id: parts.take("id"),
            troubles: parts.take("troubles"),
        };
        Ok((memory, parts.damage()))
    }
}

/// A car that an earlier run followed: it is followed again before Tesla has answered, so that
/// its last values are there even while Tesla, or the login, is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    /// The account's name.
    pub account: String,
    /// The car.
    pub vin: Vin,
    /// The car's name at the Owner API.
    pub id: Option<ApiId>,
}

/// Every car with a file below the state directory, and whose it was. Files that cannot be read
/// are nobody's: the car comes with its account's list.
pub(super) fn remembered(state_directory: &Path) -> Vec<Remembered> {
    let cars = all(state_directory).filter_map(|(vin, memory)| {
        Some(Remembered {
            account: memory.account?,
            vin,
            id: memory.id,
        })
    });
    cars.collect()
}

/// The memory of every car with a file below the state directory that can be read.
pub(super) fn all(state_directory: &Path) -> impl Iterator<Item = (Vin, SavedCar)> {
    let entries = std::fs::read_dir(state_directory.join(CARS));
    entries.into_iter().flatten().flatten().filter_map(|entry| {
        let name = entry.file_name();
        let vin = Vin::new(name.to_str()?.strip_suffix(".json")?).ok()?;
        let memory = MemoryFile::of(&DeviceId::from(&vin), state_directory).read()?;
        Some((vin, memory))
    })
}

/// Where a device's memory is kept.
#[derive(Debug, Clone)]
pub(super) struct MemoryFile {
    id: DeviceId,
    path: PathBuf,
}

impl MemoryFile {
    /// The file of a device below the state directory.
    pub(super) fn of(id: &DeviceId, state_directory: &Path) -> Self {
        let name = format!("{}.json", id.as_str());
        Self {
            id: id.clone(),
            path: state_directory.join(CARS).join(name),
        }
    }

    /// Reads the memory; a missing, damaged or foreign file is an empty memory, said in the log.
    pub(super) fn read(&self) -> Option<SavedCar> {
        let file = self.path.display();
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%file, %error, "memory of a car cannot be read, starting without it");
                return None;
            }
        };
        let (memory, damage) = SavedCar::decode(&bytes)
            .inspect_err(|error| {
                tracing::warn!(%file, %error, "memory of a car is damaged, starting without it");
            })
            .ok()?;
        for part in damage {
            tracing::warn!(%file, %part, "a part of a car's memory cannot be read, starting without that part");
        }
        let is_foreign = |vehicle: &Vehicle| vehicle.id() != self.id;
        if memory.device.vehicle.as_ref().is_some_and(is_foreign) {
            tracing::warn!(%file, "memory of another car, starting without it");
            return None;
        }
        Some(memory)
    }

    /// Writes the memory durably, off the reactor.
    pub(super) async fn write(&self, memory: &SavedCar) {
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
                atomic_file::private_directory(directory)?;
            }
            atomic_file::replace(&path, &bytes)
        })
        .await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(file = %self.path.display(), %error, "memory of a car cannot be written: {CHECK_DISK}");
            }
            Err(error) => tracing::warn!(%error, "memory of a car was not written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model::{Now, Observation, Signal, Source, Value};
    use crate::policy;

    fn whole() -> SavedCar {
        let vin = Vin::new("LRW3E7EK5PC000031").expect("a VIN");
        let now = Now {
            mono: std::time::Duration::ZERO,
            wall: Timestamp::UNIX_EPOCH,
        };
        let mut vehicle = Vehicle::new(vin.clone());
        vehicle.apply(&Observation {
            at: now.wall,
            source: Source::Data,
            signals: vec![(
                Signal::new("charge_state.battery_level"),
                Some(Value::Int(71)),
            )],
            whole_groups: Vec::new(),
        });
        let policy = policy::Policy::new(policy::PolicyConfig::default(), &vin, 1, now);
        SavedCar {
            device: Saved {
                policy: Some(policy.snapshot(now)),
                vehicle: Some(vehicle),
                ..Saved::default()
            },
            account: Some("home".to_owned()),
            ..SavedCar::default()
        }
    }

    fn written(memory: &SavedCar) -> Json {
        serde_json::to_value(memory).expect("JSON")
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = written(&whole()).to_string();
        let (read, damage) = SavedCar::decode(bytes.as_bytes()).expect("a memory");
        assert_eq!(written(&read), written(&whole()));
        assert_eq!(damage, Vec::<String>::new());
    }

    #[test]
    fn a_part_that_cannot_be_read_takes_no_other_with_it() {
        for part in [
            "policy", "vehicle", "trips", "account", "login", "id", "contact", "troubles",
        ] {
            let mut file = written(&whole());
            file[part] = json!(48.137);
            let (read, damage) = SavedCar::decode(file.to_string().as_bytes()).expect("a memory");
            let (mut left, mut expected) = (written(&read), written(&whole()));
            assert!(
                damage.len() == 1 && damage[0].starts_with(part),
                "{part}: {damage:?}"
            );
            assert!(!damage[0].contains("48.137"), "{damage:?}");
            (left[part], expected[part]) = (Json::Null, Json::Null);
            assert_eq!(left, expected, "{part}");
        }
    }

    #[test]
    fn drives_and_charges_of_version_0_1_0_are_read_under_their_old_name() {
        let mut trips = json!({});
        trips["energy"] = json!({ "total_kwh": 512.5, "counter_kwh": 7.5, "is_stale": false });
        let mut file = written(&whole());
        file.as_object_mut().expect("an object").remove("trips");
        file["logbook"] = trips;
        let (read, damage) = SavedCar::decode(file.to_string().as_bytes()).expect("a memory");
        let seen = read.device.trips.observation(Timestamp::UNIX_EPOCH);
        let total = Signal::new("derived.charge_energy_total");
        assert!(seen.signals.contains(&(total, Some(Value::Float(512.5)))));
        assert_eq!(damage, Vec::<String>::new());
    }

    #[test]
    fn a_part_of_a_later_version_is_passed_over() {
        let mut file = written(&whole());
        file["of_a_later_version"] = json!([1]);
        let (read, damage) = SavedCar::decode(file.to_string().as_bytes()).expect("a memory");
        assert_eq!((written(&read), damage), (written(&whole()), Vec::new()));
    }

    #[test]
    fn another_cars_file_is_no_memory_of_this_one() {
        let state = tempfile::tempdir().expect("a directory");
        let other = DeviceId::new("7SAXCBE52NF000032").expect("an id");
        let file = MemoryFile::of(&other, state.path());
        fs::create_dir_all(file.path.parent().expect("a parent")).expect("a directory");
        fs::write(&file.path, written(&whole()).to_string()).expect("a file");
        assert!(file.read().is_none());
        assert_eq!(remembered(state.path()), Vec::new());
    }

    proptest! {
        #[test]
        fn no_file_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = SavedCar::decode(&bytes);
        }

        #[test]
        fn no_cut_file_is_half_a_memory(share in 0.0..1.0_f64) {
            let bytes = written(&whole()).to_string();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a length")]
            let cut = (bytes.len() as f64 * share) as usize;
            prop_assert!(SavedCar::decode(&bytes.as_bytes()[..cut]).is_err());
        }
    }
}
