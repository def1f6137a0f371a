//! What the entity ids of the devices begin with: of the owner's name for the device, and different
//! for each device of a bridge, however alike the names are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::slug;
use crate::model::DeviceId;

/// So many letters at most: they stand in each of some 300 entity ids of a car's message.
const LETTERS: usize = 18;

/// The prefixes that devices of one bridge have. Its copies are one list: the first device that is to
/// be announced takes what it wants, and the others something else.
#[derive(Debug, Clone, Default)]
pub struct EntityPrefixes(Arc<Mutex<BTreeMap<DeviceId, Taken>>>);

#[derive(Debug, Clone)]
struct Taken {
    slug: String,
    is_announced: bool,
}

impl EntityPrefixes {
    /// A device was announced with this prefix, and keeps it.
    pub fn keep(&self, id: &DeviceId, slug: &str) {
        let kept = Taken {
            slug: slug.to_owned(),
            is_announced: true,
        };
        self.with(|devices| devices.insert(id.clone(), kept));
    }

    /// The prefix for a device of this name. Until it is announced the name may change, and this
    /// with it: what an earlier choice took is free again.
    pub fn choose(&self, id: &DeviceId, name: &str) -> String {
        self.with(|devices| {
            if let Some(kept) = devices.get(id).filter(|taken| taken.is_announced) {
                return kept.slug.clone();
            }
            devices.remove(id);
            let is_free = |wanted: &String| devices.values().all(|taken| taken.slug != *wanted);
            let wanted = wishes(id, name).find(is_free);
            let slug = wanted.unwrap_or_else(|| of_id(id));
            let chosen = Taken {
                slug: slug.clone(),
                is_announced: false,
            };
            devices.insert(id.clone(), chosen);
            slug
        })
    }

    /// Whoever panicked while it held the list left it whole.
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<DeviceId, Taken>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a device would like to have, best first: its name, or as much of it as fits before the end
/// of its id.
fn wishes(id: &DeviceId, name: &str) -> impl Iterator<Item = String> {
    let cut = |letters| slug::of_name(name, letters).unwrap_or_else(|| "tesla".to_owned());
    let with_end = [4, 8].map(|n| format!("{}_{}", cut(LETTERS - n - 1), id_end(id, n)));
    [cut(LETTERS)].into_iter().chain(with_end)
}

/// The last letters and digits of an id, for an entity id.
pub(super) fn id_end(id: &DeviceId, n: usize) -> String {
    let all = of_id(id);
    all[all.len().saturating_sub(n)..].to_owned()
}

/// Nobody else's, whatever the names.
fn of_id(id: &DeviceId) -> String {
    id.as_str().to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> DeviceId {
        DeviceId::new(text).expect("an id")
    }

    #[test]
    fn cars_of_names_that_are_alike_get_the_end_of_their_vins() {
        let ids = EntityPrefixes::default();
        let alike = ["Y", "3", "3", "3", "3"]
            .map(|model| format!("Familie Müller aus Berlin, Model {model}"));
        let cars = [
            ("LRW3E7EK5PC000001", alike[0].as_str(), "familie_muller_aus"),
            ("LRW3E7EK5PC000002", &alike[1], "familie_mulle_0002"),
            ("LRW3E7EK5PC000003", &alike[2], "familie_mulle_0003"),
            ("LRW3E7EK6PC000003", &alike[3], "familie_m_pc000003"),
            ("LRW3E7EK7PC000003", &alike[4], "lrw3e7ek7pc000003"),
            ("LRW3E7EK5PC000004", "Tesla", "tesla"),
            ("LRW3E7EK5PC000005", "TESLA", "tesla_0005"),
            ("LRW3E7EK5PC000006", "🚗", "tesla_0006"),
        ];
        for (car, name, slug) in cars {
            assert_eq!(ids.choose(&id(car), name), slug, "{name}");
        }
        // Asked again, each has the same.
        for (car, name, slug) in cars {
            assert_eq!(ids.choose(&id(car), name), slug, "{name}");
        }
    }

    #[test]
    fn what_a_car_was_announced_with_is_nobody_elses() {
        let ids = EntityPrefixes::default();
        let (first, second) = (id("LRW3E7EK5PC000001"), id("LRW3E7EK5PC000002"));
        ids.keep(&first, "rakete");
        assert_eq!(ids.clone().choose(&second, "Rakete"), "rakete_0002");
        // A name that was never announced is free for others once the car has another one.
        let third = id("LRW3E7EK5PC000003");
        assert_eq!(ids.choose(&third, "Blitz"), "blitz");
        assert_eq!(ids.choose(&third, "Donner"), "donner");
        assert_eq!(ids.choose(&second, "Blitz"), "blitz");
        // Renamed, a car keeps what its entities have.
        assert_eq!(ids.choose(&first, "Wolke"), "rakete");
    }

    proptest! {
        #[test]
        fn no_two_cars_ever_have_the_same(
            cars in proptest::collection::vec(("LRW3E7EK[0-2]PC00000[0-3]", "[Aaä ]{0,3}|[a-b]{22,42}"), 1..20),
        ) {
            let ids = EntityPrefixes::default();
            for (car, name) in cars {
                let slug = ids.choose(&id(&car), &name);
                let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                prop_assert!(slug.chars().all(legal) && slug.len() <= LETTERS, "{slug}");
            }
            let (n_cars, different) = ids.with(|cars| {
                let slugs = cars.values().map(|taken| taken.slug.clone());
                (cars.len(), slugs.collect::<BTreeSet<_>>())
            });
            prop_assert_eq!(different.len(), n_cars);
        }
    }
}
