//! The policy's events as messages on `event/<name>`: not retained, one JSON object each.

use serde_json::{Value as Json, json};

use crate::policy::Event;

/// The name and payload of an event that automations hear of; `None` for those that are topics.
/// Of drives and charges the trips tell.
pub fn message(event: &Event) -> Option<(&'static str, Json)> {
    let message = match event {
        Event::UpdateStarted { version } => ("update_started", updating(version.as_deref())),
        Event::UpdateEnded { version } => ("update_finished", updating(version.as_deref())),
        Event::StateChanged { .. }
        | Event::OutOfSight
        | Event::LetSleepRefused { .. }
        | Event::WakeFailed => return None,
    };
    let (name, mut payload) = message;
    payload["event_type"] = name.into();
    Some((name, payload))
}

/// The version without its build, which is not told of the one that is being installed.
fn updating(version: Option<&str>) -> Json {
    json!({ "version": version.and_then(|version| version.split_whitespace().next()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_ends_with_the_version_that_it_began_with() {
        let version = |event| message(&event).unwrap().1["version"].clone();
        let started = Event::UpdateStarted {
            version: Some("2026.38.7".into()),
        };
        let ended = Event::UpdateEnded {
            version: Some("2026.38.7 37f11ba64bfa".into()),
        };
        assert_eq!(version(started), "2026.38.7");
        assert_eq!(version(ended), "2026.38.7");
        assert_eq!(version(Event::UpdateEnded { version: None }), Json::Null);
    }
}
