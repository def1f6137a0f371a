//! Small numbers for cars, as TeslaMate has them in its topics.
//!
//! A number must never move to another car by itself, or a dashboard would show the wrong one: it
//! is kept on disk (by the caller) and given once. The owner may pin a car to the number that it
//! had in TeslaMate's database.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::Vin;

/// The number of each car ever seen. Starts empty; the serialized form is an object from VIN to
/// number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CarNumbers(BTreeMap<Vin, u32>);

/// Two cars are pinned to one number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cars {first} and {second} are both pinned to number {number}, give each its own")]
pub struct PinnedTwice {
    /// The number.
    pub number: u32,
    /// One car.
    pub first: Vin,
    /// The other.
    pub second: Vin,
}

impl CarNumbers {
    /// Applies the owner's pins, to be called once after loading. A car that is not pinned and
    /// holds a pinned number, or one that a damaged file gave twice, loses it and gets a free one
    /// when it is next asked for. Returns the numbers that changed hands: their topics hold another
    /// car's values and are to be removed.
    pub fn pin(&mut self, pins: &BTreeMap<Vin, u32>) -> Result<Vec<u32>, PinnedTwice> {
        let mut holders: BTreeMap<u32, &Vin> = BTreeMap::new();
        for (vin, number) in pins {
            if let Some(first) = holders.insert(*number, vin) {
                return Err(PinnedTwice {
                    number: *number,
                    first: first.clone(),
                    second: vin.clone(),
                });
            }
        }
        let before = std::mem::take(&mut self.0);
        self.0.clone_from(pins);
        let mut taken: BTreeSet<u32> = pins.values().copied().collect();
        let mut moved = BTreeSet::new();
        for (vin, number) in before {
            let pinned = pins.get(&vin);
            if pinned.is_none() && taken.insert(number) {
                self.0.insert(vin, number);
            } else if pinned != Some(&number) {
                moved.insert(number);
            }
        }
        Ok(moved.into_iter().collect())
    }

    /// The number of a car; a new car gets the smallest that no car ever had, from 1.
    pub fn number(&mut self, vin: &Vin) -> u32 {
        if let Some(number) = self.0.get(vin) {
            return *number;
        }
        let taken: BTreeSet<u32> = self.0.values().copied().collect();
        let mut free = 1;
        while taken.contains(&free) {
            free += 1;
        }
        self.0.insert(vin.clone(), free);
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vin(last: u32) -> Vin {
        Vin::new(&format!("5YJ3E7EB0KF{last:06}")).unwrap()
    }

    fn pins(pins: &[(u32, u32)]) -> BTreeMap<Vin, u32> {
        pins.iter()
            .map(|(car, number)| (vin(*car), *number))
            .collect()
    }

    #[test]
    fn cars_are_numbered_from_one_in_the_order_they_appear() {
        let mut numbers = CarNumbers::default();
        assert_eq!(numbers.number(&vin(9)), 1);
        assert_eq!(numbers.number(&vin(3)), 2);
        assert_eq!(numbers.number(&vin(9)), 1);
    }

    #[test]
    fn numbers_survive_the_way_through_a_file() {
        let mut numbers = CarNumbers::default();
        numbers.number(&vin(9));
        numbers.number(&vin(3));
        let text = serde_json::to_string(&numbers).unwrap();
        assert_eq!(text, r#"{"5YJ3E7EB0KF000003":2,"5YJ3E7EB0KF000009":1}"#);
        assert_eq!(serde_json::from_str::<CarNumbers>(&text).unwrap(), numbers);
    }

    #[test]
    fn a_pinned_number_is_not_given_to_another_car_that_comes_first() {
        let mut numbers = CarNumbers::default();
        assert_eq!(numbers.pin(&pins(&[(5, 1)])), Ok(vec![]));
        assert_eq!(numbers.number(&vin(3)), 2);
        assert_eq!(numbers.number(&vin(5)), 1);
    }

    #[test]
    fn a_car_that_holds_a_pinned_number_gives_way_and_the_number_is_named() {
        let mut numbers = CarNumbers::default();
        numbers.number(&vin(1));
        numbers.number(&vin(2));
        assert_eq!(numbers.pin(&pins(&[(2, 1)])), Ok(vec![1, 2]));
        assert_eq!(numbers.number(&vin(2)), 1);
        assert_eq!(numbers.number(&vin(1)), 2);
    }

    #[test]
    fn pinning_a_car_to_the_number_it_has_moves_nothing() {
        let mut numbers = CarNumbers::default();
        numbers.number(&vin(1));
        assert_eq!(numbers.pin(&pins(&[(1, 1)])), Ok(vec![]));
    }

    #[test]
    fn a_pin_that_is_taken_back_leaves_the_car_its_number() {
        let mut numbers = CarNumbers::default();
        numbers.pin(&pins(&[(1, 7)])).unwrap();
        assert_eq!(numbers.pin(&pins(&[])), Ok(vec![]));
        assert_eq!(numbers.number(&vin(1)), 7);
    }

    #[test]
    fn two_cars_pinned_to_one_number_are_an_error_that_names_both() {
        let error = CarNumbers::default()
            .pin(&pins(&[(1, 4), (2, 4)]))
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("…000001") && text.contains("…000002") && text.contains("number 4"));
    }

    #[test]
    fn a_damaged_file_with_one_number_twice_is_mended() {
        let text = r#"{"5YJ3E7EB0KF000001":1,"5YJ3E7EB0KF000002":1}"#;
        let mut numbers: CarNumbers = serde_json::from_str(text).unwrap();
        assert_eq!(numbers.pin(&pins(&[])), Ok(vec![1]));
        assert_eq!(numbers.number(&vin(1)), 1);
        assert_eq!(numbers.number(&vin(2)), 2);
    }
}
