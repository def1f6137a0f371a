//! The manifest of what is retained at the broker, and whose it is. Pure: the bridge owns one,
//! keeps it on the disk, and publishes the removals that it names.
//!
//! Retained messages outlive the program that published them. So every owner of topics (the
//! bridge, an account, a device, its tree in TeslaMate's words, a discovery message) declares all
//! that it has, before it publishes; what it had and has no more is to be removed, and stays here
//! until the broker has acknowledged that. A file that is written before the first message goes
//! out can never miss a topic, whenever the process is killed.
//!
//! All topics of one level (`<base>/<car>`) belong to one owner. Whoever declares a level that was
//! another's has its old topics removed first: none of their values must stand there as its own.

mod file;
mod owner;

use std::collections::{BTreeMap, BTreeSet};

pub use self::owner::{NoOwner, Owner};
use crate::compat::CarNumbers;
use crate::discovery::Announced;
use crate::outbox::TOPICS_MAX;

/// What is retained where.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifest {
    levels: BTreeMap<String, Level>,
    /// What is to be removed, and since which [`Manifest::next_round`].
    removals: BTreeMap<String, u64>,
    /// What was announced to Home Assistant, by the topic of the discovery message.
    announced: BTreeMap<String, Announced>,
    numbers: CarNumbers,
    round: u64,
}

/// Everything below one level, by the last part of the topic.
#[derive(Debug, Clone, PartialEq)]
struct Level {
    owner: Owner,
    keys: BTreeSet<String>,
}

/// What somebody is about to publish, declared to the manifest before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declaration {
    /// These are all topics of an owner from now on.
    Topics {
        /// Whose.
        owner: Owner,
        /// Full topics.
        topics: BTreeSet<String>,
    },
    /// This is announced to Home Assistant.
    Announced {
        /// The topic of the discovery message.
        topic: String,
        /// All that it may know of after that message.
        announced: Announced,
    },
}

/// What a declaration changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Topics to be removed now, before the owner publishes anything more.
    pub remove: Vec<String>,
    /// Whether the manifest is another than before: it must be on the disk before the owner says
    /// anything more.
    pub is_news: bool,
    /// Topics that are not kept in mind: there are [`TOPICS_MAX`] already.
    pub n_forgotten: usize,
}

impl Manifest {
    /// Takes in a declaration.
    pub fn take_in(&mut self, declaration: Declaration) -> Change {
        match declaration {
            Declaration::Topics { owner, topics } => self.declare(&owner, topics),
            Declaration::Announced { topic, announced } => Change {
                is_news: self.announce(&topic, &announced),
                ..Change::default()
            },
        }
    }

    /// Takes all topics that an owner has from now on, whether they hold a value yet or not. What
    /// it had and does not name is to be removed; so is everything of others at the same levels.
    pub fn declare(&mut self, owner: &Owner, topics: impl IntoIterator<Item = String>) -> Change {
        let mut change = Change::default();
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for topic in topics {
            let (level, key) = split(&topic);
            let keys = wanted.entry(level.to_owned()).or_default();
            keys.insert(key.to_owned());
        }
        let left: Vec<String> = self
            .levels
            .iter()
            .filter(|(level, of)| of.owner == *owner && !wanted.contains_key(*level))
            .map(|(level, _)| level.clone())
            .collect();
        for level in left {
            self.leave(&level, &mut change);
        }
        for (level, keys) in wanted {
            self.take(level, owner, keys, &mut change);
        }
        change.is_news |= !change.remove.is_empty();
        for topic in &change.remove {
            self.announced.remove(topic);
            if self.removals.len() < TOPICS_MAX || self.removals.contains_key(topic) {
                self.removals.insert(topic.clone(), self.round);
            }
        }
        change
    }

    fn leave(&mut self, level: &str, change: &mut Change) {
        if let Some(of) = self.levels.remove(level) {
            let topics = of.keys.iter().map(|key| join(level, key));
            change.remove.extend(topics);
        }
    }

    fn take(
        &mut self,
        level: String,
        owner: &Owner,
        mut keys: BTreeSet<String>,
        change: &mut Change,
    ) {
        let is_others = |of: &Level| of.owner != *owner;
        if self.levels.get(&level).is_some_and(is_others) {
            self.leave(&level, change);
        }
        let before = self.levels.get(&level);
        let before = before.map_or_else(BTreeSet::new, |of| of.keys.clone());
        if before == keys {
            return;
        }
        let gone = before.difference(&keys).map(|key| join(&level, key));
        change.remove.extend(gone);
        let room = TOPICS_MAX.saturating_sub(self.n_topics() - before.len());
        let n_wanted = keys.len();
        if n_wanted > room {
            keys = keys.into_iter().take(room).collect();
        }
        change.n_forgotten += n_wanted - keys.len();
        change.is_news = true;
        let owner = owner.clone();
        self.levels.insert(level, Level { owner, keys });
    }

    /// Takes in what an older version has left, without a word on the owner's other topics. Where
    /// two owners claim one level, nobody knows whose values stand there: all of them are to be
    /// removed before either publishes.
    pub fn adopt(&mut self, owner: &Owner, topics: impl IntoIterator<Item = String>) {
        let mut doubtful = Vec::new();
        for topic in topics {
            if self.n_topics() >= TOPICS_MAX {
                break;
            }
            let (level, key) = split(&topic);
            let of = self.levels.entry(level.to_owned());
            let of = of.or_insert_with(|| Level {
                owner: owner.clone(),
                keys: BTreeSet::new(),
            });
            if of.owner != *owner {
                of.owner = owner.clone();
                doubtful.extend(of.keys.iter().map(|key| join(level, key)));
            }
            of.keys.insert(key.to_owned());
            if doubtful.iter().any(|other| split(other).0 == level) {
                doubtful.push(topic);
            }
        }
        self.adopt_removals(doubtful);
    }

    /// Takes in what is to be removed and belongs to nobody.
    pub fn adopt_removals(&mut self, topics: impl IntoIterator<Item = String>) {
        for topic in topics {
            if self.removals.len() < TOPICS_MAX {
                self.removals.insert(topic, self.round);
            }
        }
    }

    /// What is to be removed: to be published at each start, before anything else.
    pub fn removals(&self) -> impl Iterator<Item = &String> {
        self.removals.keys()
    }

    /// Begins a new round; what is to be removed from now on is of no earlier one. To be called
    /// when the outbox is asked for its unconfirmed deletes.
    pub fn next_round(&mut self) -> u64 {
        let ending = self.round;
        self.round += 1;
        ending
    }

    /// Forgets the removals up to a round that the outbox does not owe any more. Returns whether
    /// there were any.
    pub fn forget_removals(&mut self, up_to: u64, owed: &BTreeSet<String>) -> bool {
        let n_before = self.removals.len();
        self.removals
            .retain(|topic, since| *since > up_to || owed.contains(topic));
        self.removals.len() != n_before
    }

    /// Every owner of a topic.
    pub fn owners(&self) -> BTreeSet<&Owner> {
        self.levels.values().map(|of| &of.owner).collect()
    }

    /// The topics of one owner.
    pub fn topics_of(&self, owner: &Owner) -> impl Iterator<Item = String> {
        let own = self.levels.iter().filter(move |(_, of)| of.owner == *owner);
        own.flat_map(|(level, of)| of.keys.iter().map(move |key| join(level, key)))
    }

    /// The discovery messages of devices that have no topics any more: another has their level.
    pub fn displaced(&self) -> Vec<Owner> {
        let owners = self.owners().into_iter();
        let is_displaced = |owner: &&Owner| match owner {
            Owner::Discovery(id) => self.topics_of(&Owner::Device(id.clone())).next().is_none(),
            _ => false,
        };
        owners.filter(is_displaced).cloned().collect()
    }

    /// Every topic that is at the broker, or may be.
    pub fn topics(&self) -> BTreeSet<String> {
        let levels = self.levels.iter();
        let declared =
            levels.flat_map(|(level, of)| of.keys.iter().map(move |key| join(level, key)));
        declared.chain(self.removals.keys().cloned()).collect()
    }

    /// What was announced to Home Assistant in a discovery message; nothing, if it was another's or
    /// none.
    pub fn announced(&self, topic: &str) -> Announced {
        self.announced.get(topic).cloned().unwrap_or_default()
    }

    /// This is announced to Home Assistant in a discovery message that was declared. Returns
    /// whether that is news, and must be on the disk.
    pub fn announce(&mut self, topic: &str, announced: &Announced) -> bool {
        if self.announced.get(topic) == Some(announced) {
            return false;
        }
        self.announced.insert(topic.to_owned(), announced.clone());
        true
    }

    /// The cars' numbers in TeslaMate's topics.
    pub fn numbers(&self) -> &CarNumbers {
        &self.numbers
    }

    /// The same, to give one; it must be on the disk before anything is published under it.
    pub fn numbers_mut(&mut self) -> &mut CarNumbers {
        &mut self.numbers
    }

    fn n_topics(&self) -> usize {
        self.levels.values().map(|of| of.keys.len()).sum()
    }
}

/// A topic's level, and the last part below it.
fn split(topic: &str) -> (&str, &str) {
    topic.rsplit_once('/').unwrap_or(("", topic))
}

fn join(level: &str, key: &str) -> String {
    if level.is_empty() {
        key.to_owned()
    } else {
        [level, "/", key].concat()
    }
}

#[cfg(test)]
mod tests;
