//! What was declared last, so that the manifest hears of an owner's topics only where they are others.

use std::collections::{BTreeMap, BTreeSet};

use crate::retained::{Declaration, Owner};

/// The topics of each owner that one publisher speaks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeclaredTopics(BTreeMap<Owner, Option<BTreeSet<String>>>);

impl DeclaredTopics {
    /// Nothing was declared yet; an earlier run may have left something of these.
    pub fn of_earlier(owners: impl IntoIterator<Item = Owner>) -> Self {
        Self(owners.into_iter().map(|owner| (owner, None)).collect())
    }

    /// These are all topics of an owner from now on. The first time it is declared even that there
    /// are none: an earlier run may have left some.
    pub fn update(&mut self, owner: Owner, topics: BTreeSet<String>) -> Option<Declaration> {
        let last = self.0.entry(owner.clone()).or_default();
        if last.as_ref() == Some(&topics) {
            return None;
        }
        *last = Some(topics.clone());
        Some(Declaration::Topics { owner, topics })
    }

    /// Whoever has declared topics, or may have some of an earlier run.
    pub fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.0.keys()
    }
}
