//! What was declared last, so that the manifest hears of an owner's topics only where they are others.

use std::collections::{BTreeMap, BTreeSet};

use crate::retained::{Declaration, Owner};

/// The topics of each owner that one publisher speaks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeclaredTopics(BTreeMap<Owner, OwnTopics>);

#[derive(Debug, Clone, Default)]
struct OwnTopics {
    topics: BTreeSet<String>,
    /// By this run, and not by an earlier one.
    is_declared: bool,
}

impl DeclaredTopics {
    /// Nothing was declared yet; this is what an earlier run has left.
    pub(crate) fn of_earlier(left: impl IntoIterator<Item = (Owner, BTreeSet<String>)>) -> Self {
        let left = left.into_iter().map(|(owner, topics)| {
            let is_declared = false;
            let own = OwnTopics {
                topics,
                is_declared,
            };
            (owner, own)
        });
        Self(left.collect())
    }

    /// These are all topics of an owner from now on. The first time it is declared even that there
    /// are none: an earlier run may have left some.
    pub(crate) fn update(&mut self, owner: Owner, topics: BTreeSet<String>) -> Option<Declaration> {
        let own = self.0.entry(owner.clone()).or_default();
        if own.is_declared && own.topics == topics {
            return None;
        }
        *own = OwnTopics {
            topics: topics.clone(),
            is_declared: true,
        };
        Some(Declaration::Topics { owner, topics })
    }

    /// The topics of one of them.
    pub(crate) fn of(&self, owner: &Owner) -> impl Iterator<Item = &String> {
        self.0.get(owner).into_iter().flat_map(|own| &own.topics)
    }

    /// Whoever has declared topics, or may have some of an earlier run.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.0.keys()
    }
}
