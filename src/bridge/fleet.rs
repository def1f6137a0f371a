//! Which car is followed through which account. A car on two accounts is followed once, through
//! the first that lists it and can be used; when that account loses it, or is signed out or refused
//! for long, another takes over. It stays there even when the first can be used again.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::products::ListedVehicle;
use crate::model::DeviceId;

/// What to do about one car after a list arrived.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FleetChange {
    /// Follow this car through this account.
    Follow {
        /// The car as listed.
        car: Box<ListedVehicle>,
        /// The account's index.
        account: usize,
        /// Whether the list arrived just now: an older one says nothing about the car's state.
        is_news: bool,
    },
    /// The account that follows the car listed it again.
    Seen {
        /// The car as listed.
        car: Box<ListedVehicle>,
    },
    /// No account lists the car any more.
    Gone {
        /// The car.
        id: DeviceId,
    },
}

/// Who lists what, and who follows what.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    listed: BTreeMap<usize, BTreeMap<DeviceId, ListedVehicle>>,
    unusable: BTreeSet<usize>,
    followed: BTreeMap<DeviceId, usize>,
}

impl Fleet {
    /// Takes in an account's list. Of a car that is missing in one that is not whole nothing is
    /// known: it stays where it was.
    pub(super) fn listed(
        &mut self,
        account: usize,
        cars: Vec<ListedVehicle>,
        is_whole: bool,
    ) -> Vec<FleetChange> {
        let mut cars: BTreeMap<DeviceId, ListedVehicle> = cars.into_iter().map(by_id).collect();
        self.unusable.remove(&account);
        let seen: Vec<FleetChange> = cars
            .iter()
            .filter(|(id, _)| self.followed.get(*id) == Some(&account))
            .map(|(_, car)| FleetChange::Seen {
                car: Box::new(car.clone()),
            })
            .collect();
        let arrived: BTreeSet<DeviceId> = cars.keys().cloned().collect();
        for (id, car) in self.listed.remove(&account).unwrap_or_default() {
            if !is_whole {
                cars.entry(id).or_insert(car);
            }
        }
        self.listed.insert(account, cars);
        let mut changes = self.assign(Some((account, &arrived)));
        changes.extend(seen);
        changes
    }

    /// Takes in the cars that an account had when the bridge last ran; its list, once there, wins.
    pub(super) fn remembered(
        &mut self,
        account: usize,
        cars: Vec<ListedVehicle>,
    ) -> Vec<FleetChange> {
        let cars = cars.into_iter().map(by_id);
        self.listed.entry(account).or_insert_with(|| cars.collect());
        self.assign(None)
    }

    /// The account was signed out, or has been refused for long: until its next list, its cars go to
    /// another account that lists them, if any.
    pub(super) fn unusable(&mut self, account: usize) -> Vec<FleetChange> {
        self.unusable.insert(account);
        self.assign(None)
    }

    /// The account was taken out of the configuration.
    pub(super) fn withdrawn(&mut self, account: usize) -> Vec<FleetChange> {
        self.listed.remove(&account);
        self.unusable.remove(&account);
        self.assign(None)
    }

    /// The cars that an account follows.
    pub(super) fn followed_by(&self, account: usize) -> impl Iterator<Item = &DeviceId> {
        self.followed
            .iter()
            .filter(move |(_, by)| **by == account)
            .map(|(id, _)| id)
    }

    /// Every car that an account follows.
    pub(super) fn followed(&self) -> impl Iterator<Item = &DeviceId> {
        self.followed.keys()
    }

    fn assign(&mut self, news: Option<(usize, &BTreeSet<DeviceId>)>) -> Vec<FleetChange> {
        let mut changes = Vec::new();
        let ids: BTreeSet<DeviceId> = self
            .listed
            .values()
            .flat_map(|cars| cars.keys().cloned())
            .chain(self.followed.keys().cloned())
            .collect();
        for id in ids {
            let lists_it = |account: &usize| {
                self.listed
                    .get(account)
                    .is_some_and(|cars| cars.contains_key(&id))
            };
            let present = self.followed.get(&id).copied().filter(lists_it);
            let usable = |account: &usize| lists_it(account) && !self.unusable.contains(account);
            let best = present
                .filter(usable)
                .or_else(|| self.listed.keys().copied().find(usable))
                .or(present)
                .or_else(|| self.listed.keys().copied().find(lists_it));
            match best {
                Some(account) if self.followed.get(&id) != Some(&account) => {
                    let car = Box::new(self.listed[&account][&id].clone());
                    let is_news =
                        news.is_some_and(|(by, cars)| by == account && cars.contains(&id));
                    self.followed.insert(id, account);
                    changes.push(FleetChange::Follow {
                        car,
                        account,
                        is_news,
                    });
                }
                Some(_) => {}
                None => {
                    if self.followed.remove(&id).is_some() {
                        changes.push(FleetChange::Gone { id });
                    }
                }
            }
        }
        changes
    }
}

fn by_id(car: ListedVehicle) -> (DeviceId, ListedVehicle) {
    (car.device_id(), car)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Vin;

    /// A step, and what it changes: `follow car by account (news)`, `seen car`, `gone car`.
    type FleetStep = (Told, &'static [&'static str]);

    enum Told {
        Listed(usize, &'static [u8]),
        InPart(usize, &'static [u8]),
        Remembered(usize, &'static [u8]),
        Unusable(usize),
        Withdrawn(usize),
    }
    use Told::{InPart, Listed, Remembered, Unusable, Withdrawn};

    fn car(number: u8) -> ListedVehicle {
        let vin = format!("LRW3E7EK5PC{number:06}");
        ListedVehicle::unseen(Vin::new(&vin).unwrap(), None)
    }

    fn number(id: &DeviceId) -> &str {
        id.as_str()[11..].trim_start_matches('0')
    }

    fn text(change: &FleetChange) -> String {
        match change {
            FleetChange::Follow {
                car,
                account,
                is_news,
            } => {
                let news = if *is_news { " (news)" } else { "" };
                format!("follow {} by {account}{news}", number(&car.device_id()))
            }
            FleetChange::Seen { car } => format!("seen {}", number(&car.device_id())),
            FleetChange::Gone { id } => format!("gone {}", number(id)),
        }
    }

    fn play(steps: &[FleetStep]) {
        let mut fleet = Fleet::default();
        for (n, (told, expected)) in steps.iter().enumerate() {
            let cars = |numbers: &[u8]| numbers.iter().map(|n| car(*n)).collect();
            let changes = match told {
                Listed(account, numbers) => fleet.listed(*account, cars(numbers), true),
                InPart(account, numbers) => fleet.listed(*account, cars(numbers), false),
                Remembered(account, numbers) => fleet.remembered(*account, cars(numbers)),
                Unusable(account) => fleet.unusable(*account),
                Withdrawn(account) => fleet.withdrawn(*account),
            };
            let changes: Vec<String> = changes.iter().map(text).collect();
            assert_eq!(changes, *expected, "step {n}");
        }
    }

    #[test]
    fn cars_of_one_account_come_are_seen_go_and_come_back() {
        play(&[
            (Listed(0, &[]), &[]),
            (Listed(0, &[1]), &["follow 1 by 0 (news)"]),
            (Listed(0, &[1, 2]), &["follow 2 by 0 (news)", "seen 1"]),
            (Listed(0, &[2]), &["gone 1", "seen 2"]),
            (Listed(0, &[2]), &["seen 2"]),
            (Listed(0, &[1, 2]), &["follow 1 by 0 (news)", "seen 2"]),
            (Withdrawn(0), &["gone 1", "gone 2"]),
        ]);
    }

    #[test]
    fn a_list_that_is_not_whole_takes_no_car_away() {
        play(&[
            (Remembered(0, &[1]), &["follow 1 by 0"]),
            (InPart(0, &[]), &[]),
            (InPart(0, &[2]), &["follow 2 by 0 (news)"]),
            (InPart(0, &[1]), &["seen 1"]),
            (Listed(0, &[2]), &["gone 1", "seen 2"]),
            (InPart(0, &[]), &[]),
            (Withdrawn(0), &["gone 2"]),
        ]);
        // What such a list does not say is no news.
        play(&[
            (Listed(0, &[1]), &["follow 1 by 0 (news)"]),
            (Listed(1, &[1]), &[]),
            (Unusable(0), &["follow 1 by 1"]),
            (Unusable(1), &[]),
            (InPart(0, &[]), &["follow 1 by 0"]),
        ]);
    }

    #[test]
    fn a_shared_car_stays_with_its_account_until_that_one_loses_it() {
        play(&[
            (Listed(1, &[1]), &["follow 1 by 1 (news)"]),
            (Listed(0, &[1]), &[]),
            // An older list takes over: it says nothing about the car's state.
            (Listed(1, &[]), &["follow 1 by 0"]),
            (Listed(1, &[1]), &[]),
            (Withdrawn(0), &["follow 1 by 1"]),
            (Listed(1, &[]), &["gone 1"]),
        ]);
    }

    #[test]
    fn an_account_that_cannot_be_used_gives_its_cars_to_another_and_else_keeps_them() {
        play(&[
            (
                Listed(0, &[1, 2]),
                &["follow 1 by 0 (news)", "follow 2 by 0 (news)"],
            ),
            (Listed(1, &[1]), &[]),
            (Unusable(0), &["follow 1 by 1"]),
            (Unusable(1), &[]),
            // Signed in again: its list is news, and its cars stay where they are.
            (Listed(0, &[1, 2]), &["follow 1 by 0 (news)", "seen 2"]),
            (Listed(1, &[1]), &[]),
        ]);
    }

    #[test]
    fn a_car_does_not_stay_with_an_account_that_is_refused_for_good() {
        play(&[
            (Remembered(0, &[1, 2]), &["follow 1 by 0", "follow 2 by 0"]),
            (Listed(1, &[1]), &[]),
            (Unusable(0), &["follow 1 by 1"]),
            // Told again and again, and let in once: nothing flaps.
            (Unusable(0), &[]),
            (Listed(1, &[1]), &["seen 1"]),
            (Listed(0, &[1, 2]), &["seen 2"]),
            (Unusable(0), &[]),
            (Unusable(1), &[]),
            (Listed(0, &[1, 2]), &["follow 1 by 0 (news)", "seen 2"]),
        ]);
        // The other one's list comes later.
        play(&[
            (Remembered(0, &[1]), &["follow 1 by 0"]),
            (Unusable(0), &[]),
            (Listed(1, &[1]), &["follow 1 by 1 (news)"]),
        ]);
    }

    #[test]
    fn cars_on_no_list_are_followed_by_nobody() {
        let mut fleet = Fleet::default();
        fleet.listed(0, vec![car(1), car(2)], true);
        fleet.listed(0, vec![car(2)], true);
        let followed: Vec<&str> = fleet.followed().map(number).collect();
        assert_eq!(followed, ["2"]);
    }

    #[test]
    fn a_remembered_car_is_followed_until_the_list_decides() {
        play(&[
            (Remembered(0, &[1, 2]), &["follow 1 by 0", "follow 2 by 0"]),
            (Listed(1, &[1]), &[]),
            (Listed(0, &[1]), &["gone 2", "seen 1"]),
            // Memory does not argue with a list.
            (Remembered(0, &[2]), &[]),
        ]);
    }
}
