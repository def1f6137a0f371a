//! What is new of a car in one go; a device says it table by table.

use tesla2mqtt::catalogue;
use tesla2mqtt::model::Vehicle;
use tesla2mqtt::outbox::Publish;
use tesla2mqtt::topics::CarTopics;

/// The messages since the last call, the snapshot last.
pub fn changed(topics: &mut CarTopics, car: &Vehicle) -> Vec<Publish> {
    let mut messages = Vec::new();
    for table in catalogue::TABLES {
        messages.extend(topics.values(table, car));
    }
    messages.extend(topics.snapshot(car));
    messages
}
