//! What the entity ids of the cars begin with: of the owner's name for the car, and different for
//! each car of a bridge, however alike the names are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::slug;
use crate::model::Vin;

/// So many letters: they stand in each of some 300 entity ids of a car's message.
const LETTERS: usize = 18;

/// The beginnings that cars of one bridge have. Its copies are one list: the first car that is to be
/// announced takes what it wants, and the others something else.
#[derive(Debug, Clone, Default)]
pub struct CarIds(Arc<Mutex<BTreeMap<Vin, Taken>>>);

#[derive(Debug, Clone)]
struct Taken {
    slug: String,
    is_announced: bool,
}

impl CarIds {
    /// A car was announced with this beginning, and keeps it.
    pub fn keep(&self, vin: &Vin, slug: &str) {
        let kept = Taken {
            slug: slug.to_owned(),
            is_announced: true,
        };
        self.with(|cars| cars.insert(vin.clone(), kept));
    }

    /// The beginning for a car of this name. Until it is announced the name may change, and this
    /// with it: what an earlier choice took is free again.
    pub fn choose(&self, vin: &Vin, name: &str) -> String {
        self.with(|cars| {
            if let Some(kept) = cars.get(vin).filter(|taken| taken.is_announced) {
                return kept.slug.clone();
            }
            cars.remove(vin);
            let is_free = |wanted: &String| cars.values().all(|taken| taken.slug != *wanted);
            let wanted = wishes(vin, name).find(is_free);
            let slug = wanted.unwrap_or_else(|| of_vin(vin));
            let chosen = Taken {
                slug: slug.clone(),
                is_announced: false,
            };
            cars.insert(vin.clone(), chosen);
            slug
        })
    }

    /// Whoever panicked while it held the list left it whole.
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Vin, Taken>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a car would like to have, best first: its name, or as much of it as fits before the end of
/// the VIN.
fn wishes(vin: &Vin, name: &str) -> impl Iterator<Item = String> {
    let vin = of_vin(vin);
    let cut = |letters| slug::of_name(name, letters).unwrap_or_else(|| "tesla".to_owned());
    let with_end = [4, 8].map(|n| {
        let end = &vin[vin.len() - n..];
        format!("{}_{end}", cut(LETTERS - n - 1))
    });
    [cut(LETTERS)].into_iter().chain(with_end)
}

/// Nobody else's, whatever the names.
fn of_vin(vin: &Vin) -> String {
    vin.as_str().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn vin(text: &str) -> Vin {
        Vin::new(text).expect("a VIN")
    }

    #[test]
    fn cars_of_names_that_are_alike_get_the_end_of_their_vins() {
        let ids = CarIds::default();
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
            assert_eq!(ids.choose(&vin(car), name), slug, "{name}");
        }
        // Asked again, each has the same.
        for (car, name, slug) in cars {
            assert_eq!(ids.choose(&vin(car), name), slug, "{name}");
        }
    }

    #[test]
    fn what_a_car_was_announced_with_is_nobody_elses() {
        let ids = CarIds::default();
        let (first, second) = (vin("LRW3E7EK5PC000001"), vin("LRW3E7EK5PC000002"));
        ids.keep(&first, "rakete");
        assert_eq!(ids.clone().choose(&second, "Rakete"), "rakete_0002");
        // A name that was never announced is free for others once the car has another one.
        let third = vin("LRW3E7EK5PC000003");
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
            let ids = CarIds::default();
            for (car, name) in cars {
                let slug = ids.choose(&vin(&car), &name);
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
