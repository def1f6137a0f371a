//! The values that were published last, and what counts as another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::catalogue::{Entity, EntityValue};

/// The values that were published last, by what tells them apart.
#[derive(Debug, Clone)]
pub(crate) struct LastValues<K>(BTreeMap<K, (&'static Entity, EntityValue)>);

impl<K> Default for LastValues<K> {
    /// Nothing was published yet.
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> LastValues<K> {
    /// Takes a value; returns the payload that is to be published, if there is one and it is news.
    pub(crate) fn take(
        &mut self,
        key: K,
        entity: &'static Entity,
        value: EntityValue,
    ) -> Option<Arc<str>> {
        let payload = value.payload()?;
        let before = self.0.get(&key).map(|(_, before)| before);
        if !is_new(entity, before, &value) {
            return None;
        }
        self.0.insert(key, (entity, value));
        Some(payload.into())
    }

    /// The value is not published any more. Returns whether it was.
    pub(crate) fn forget(&mut self, key: &K) -> bool {
        self.0.remove(key).is_some()
    }

    /// Forgets the values of which this does not hold.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&K) -> bool) {
        self.0.retain(|key, _| is_kept(key));
    }

    /// All of them, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &'static Entity, &EntityValue)> {
        let values = self.0.iter();
        values.map(|(key, (entity, value))| (key, *entity, value))
    }
}

/// Times move only by more than their jitter, and an object with more than its age; everything else
/// when its payload differs.
fn is_new(entity: &Entity, before: Option<&EntityValue>, value: &EntityValue) -> bool {
    match (before, value) {
        (None, _) => true,
        (Some(EntityValue::Time(before)), EntityValue::Time(at)) => {
            apart_s(*before, *at) > i64::from(entity.jitter_s)
        }
        (Some(EntityValue::Json(before)), EntityValue::Json(members)) => {
            let is_age = |key: &str| !entity.age_within.is_empty() && key == entity.age_within;
            before.len() != members.len()
                || members
                    .iter()
                    .any(|(key, value)| !is_age(key) && before.get(key) != Some(value))
        }
        (Some(before), value) => before != value,
    }
}

fn apart_s(a: Timestamp, b: Timestamp) -> i64 {
    (a.as_second() - b.as_second()).abs()
}
