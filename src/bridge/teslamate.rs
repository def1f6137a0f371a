//! Which car has which number in TeslaMate's topics, and where they were published, over restarts:
//! `<state>/teslamate.json`.
//!
//! A number is on the disk before anything is published under it: a kill must not give it to
//! another car.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Bridge, memory};
use crate::compat::CarNumbers;
use crate::compat::teslamate::TeslaMateTopics;
use crate::config::{Compat, Settings};
use crate::model::Vin;

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    numbers: CarNumbers,
    published: BTreeMap<Vin, Place>,
}

/// Where a car is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    number: u32,
    namespace: Option<String>,
}

impl Place {
    fn tree(&self) -> TeslaMateTopics {
        TeslaMateTopics::new(self.number, self.namespace.as_deref())
    }
}

/// The keeper of the numbers.
pub struct Numbers {
    settings: Compat,
    kept: Kept,
    /// What the file holds.
    written: Kept,
    path: PathBuf,
}

/// Every topic that was published so below a state directory, to be removed.
pub fn published_topics(state_directory: &Path) -> Vec<String> {
    let kept = read(&path(state_directory));
    let places = kept.published.values();
    places.flat_map(|place| place.tree().topics()).collect()
}

impl Numbers {
    /// The numbers of an earlier run.
    pub fn open(settings: &Settings) -> Self {
        let path = path(&settings.state.directory);
        let kept = read(&path);
        Self {
            settings: settings.compat.clone(),
            written: kept.clone(),
            kept,
            path,
        }
    }

    /// Takes up settings and which cars there are, while no car speaks. Returns the topics that
    /// have no place any more: to be removed for good before [`Numbers::keep`] forgets them.
    pub fn configure(&mut self, settings: &Settings, cars: &BTreeSet<Vin>) -> Vec<String> {
        self.settings = settings.compat.clone();
        let pins = settings.cars.iter();
        let pins = pins.filter_map(|(vin, car)| Some((vin.clone(), car.teslamate_number?)));
        // The configuration refuses the only mistake there is.
        if let Err(error) = self.kept.numbers.pin(&pins.collect()) {
            tracing::error!(%error, "the cars keep their numbers");
        }
        let mut left = Vec::new();
        for (vin, place) in std::mem::take(&mut self.kept.published) {
            let stays = self.settings.teslamate && cars.contains(&vin) && place == self.place(&vin);
            if stays {
                self.kept.published.insert(vin, place);
            } else {
                left.extend(place.tree().topics());
            }
        }
        left
    }

    /// The topics of a car; `None` while they are switched off.
    pub async fn tree(&mut self, vin: &Vin) -> Option<TeslaMateTopics> {
        if !self.settings.teslamate {
            return None;
        }
        let place = self.place(vin);
        let tree = place.tree();
        self.kept.published.insert(vin.clone(), place);
        self.keep().await;
        Some(tree)
    }

    /// The topics of a car that is not followed any more, as [`Numbers::configure`] returns them.
    /// It keeps its number.
    pub fn leave(&mut self, vin: &Vin) -> Vec<String> {
        let place = self.kept.published.remove(vin);
        place.map_or_else(Vec::new, |place| place.tree().topics())
    }

    fn place(&mut self, vin: &Vin) -> Place {
        Place {
            number: self.kept.numbers.number(vin),
            namespace: self.settings.teslamate_namespace.clone(),
        }
    }

    /// Writes what has changed.
    pub async fn keep(&mut self) {
        if self.written == self.kept {
            return;
        }
        self.written = self.kept.clone();
        memory::keep(
            &self.path,
            &self.kept,
            "the cars' numbers for TeslaMate's topics",
        )
        .await;
    }
}

impl Bridge {
    /// While no car's task runs: takes away what stands at a place of TeslaMate's that is no car's
    /// any more.
    pub(super) async fn place_teslamates_topics(&mut self) {
        let settings = &self.settings;
        let is_ours = |name: &String| settings.accounts.iter().any(|of| of.name == *name);
        let remembered = memory::remembered(&settings.state.directory).into_iter();
        let remembered = remembered.filter(|car| is_ours(&car.account));
        let cars: BTreeSet<Vin> = remembered.map(|car| car.vin).collect();
        let left = self.teslamate.configure(settings, &cars);
        self.removals.remove(left).await;
        self.teslamate.keep().await;
    }
}

fn path(state_directory: &Path) -> PathBuf {
    state_directory.join("teslamate.json")
}

/// A file that is missing is an empty one; one that is damaged costs the cars their numbers.
fn read(path: &Path) -> Kept {
    let read = match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(std::io::Error::from),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error),
    };
    read.unwrap_or_else(|error| {
        tracing::warn!(file = %path.display(), %error, "the cars' numbers for TeslaMate's topics are lost, counting from 1; hint: cars.<VIN>.teslamate_number gives a car its old one");
        Kept::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn vin(last: u32) -> Vin {
        Vin::new(&format!("5YJ3E7EB0KF{last:06}")).unwrap()
    }

    fn settings(directory: &Path, compat: &str) -> Settings {
        let directory = directory.display().to_string();
        let text = format!(
            "[[accounts]]\nname = \"home\"\napi = \"owner\"\n[state]\ndirectory = {directory:?}\n[compat]\n{compat}"
        );
        config::from_text(&text).unwrap()
    }

    async fn a_topic(numbers: &mut Numbers, car: u32) -> Option<String> {
        let tree = numbers.tree(&vin(car)).await?;
        tree.topics().into_iter().next()
    }

    #[tokio::test]
    async fn a_number_is_on_the_disk_as_soon_as_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "teslamate = true");
        let mut numbers = Numbers::open(&settings);
        let first = a_topic(&mut numbers, 9).await.unwrap();
        assert!(first.starts_with("teslamate/cars/1/"), "{first}");
        // As after a kill, and with the cars in another order.
        let mut numbers = Numbers::open(&settings);
        let second = a_topic(&mut numbers, 3).await.unwrap();
        assert!(second.starts_with("teslamate/cars/2/"), "{second}");
        assert_eq!(a_topic(&mut numbers, 9).await, Some(first));
        let published = published_topics(folder.path());
        assert_eq!(
            published.len(),
            2 * numbers.tree(&vin(9)).await.unwrap().topics().len()
        );
    }

    #[tokio::test]
    async fn a_car_that_is_gone_at_the_start_is_taken_away_and_keeps_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "teslamate = true");
        let mut numbers = Numbers::open(&settings);
        a_topic(&mut numbers, 1).await;
        let second = a_topic(&mut numbers, 2).await.unwrap();
        let left = BTreeSet::from([vin(1)]);
        let topics = numbers.configure(&settings, &left);
        assert!(topics.contains(&second));
        // As after a kill before they are to be removed for good.
        let topics = Numbers::open(&settings).configure(&settings, &left);
        assert!(topics.contains(&second));
        numbers.keep().await;
        let mut numbers = Numbers::open(&settings);
        assert!(numbers.configure(&settings, &left).is_empty());
        assert_eq!(a_topic(&mut numbers, 2).await, Some(second));
    }

    #[tokio::test]
    async fn a_damaged_file_costs_the_numbers_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(folder.path()), "{").unwrap();
        let settings = settings(folder.path(), "teslamate = true");
        let mut numbers = Numbers::open(&settings);
        let first = a_topic(&mut numbers, 9).await.unwrap();
        assert!(first.starts_with("teslamate/cars/1/"), "{first}");
        assert!(!published_topics(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn switched_off_there_is_no_tree_and_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "");
        let mut numbers = Numbers::open(&settings);
        let none = BTreeSet::new();
        assert!(numbers.configure(&settings, &none).is_empty());
        numbers.keep().await;
        assert!(numbers.tree(&vin(1)).await.is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
