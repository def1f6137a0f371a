//! The topic `snapshot`: all values of a car in one message, each with its age and its source.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::LastValues;
use crate::catalogue;
use crate::model::{Source, Vehicle};

/// What was said last of a car, as JSON.
pub(super) fn payload(said: &LastValues<&'static str>, car: &Vehicle) -> Arc<str> {
    let values = SnapshotValues { said, car };
    let all = SnapshotPayload {
        values,
        vin: car.vin.as_str(),
    };
    serde_json::to_string(&all).unwrap_or_default().into()
}

/// Written as it is read: the tree of it would weigh a hundred kilobytes for a moment.
#[derive(Serialize)]
struct SnapshotPayload<'a> {
    values: SnapshotValues<'a>,
    vin: &'a str,
}

struct SnapshotValues<'a> {
    said: &'a LastValues<&'static str>,
    car: &'a Vehicle,
}

#[derive(Serialize)]
struct SnapshotEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    value: Json,
}

impl Serialize for SnapshotValues<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let entities = self.said.iter().filter_map(|(key, entity, said)| {
            let value = said.json();
            // What tells of the look itself would be out of date at the next one.
            (!entity.is_age && !value.is_null()).then(|| {
                let seen = entity.seen_at(self.car);
                let entry = SnapshotEntry {
                    at: seen.map(|(at, _)| catalogue::seconds(at)),
                    source: seen.map(|(_, source)| source),
                    value,
                };
                (key, entry)
            })
        });
        to.collect_map(entities)
    }
}
