//! The policy's events as messages on `event/<name>`: not retained, one JSON object each.

use serde_json::{Value as Json, json};

use crate::policy::{Event, Reading};

/// The name and payload of an event that automations hear of; `None` for those that are topics.
pub fn message(event: &Event) -> Option<(&'static str, Json)> {
    let message = match event {
        // Without a reading before, the bridge came upon it under way: no start was seen.
        Event::DriveStarted { from } => {
            from.as_ref()?;
            ("drive_started", json!({ "from": reading(from.as_ref()) }))
        }
        Event::ChargeStarted { from } => {
            from.as_ref()?;
            ("charge_started", json!({ "from": reading(from.as_ref()) }))
        }
        Event::UpdateStarted { version } => ("update_started", updating(version.as_deref())),
        Event::UpdateEnded { version } => ("update_finished", updating(version.as_deref())),
        Event::MissedDrive { from, to } => ("missed_drive", missed(from, to)),
        Event::MissedCharge { from, to } => ("missed_charge", missed(from, to)),
        // The trips tells of these with their figures.
        Event::DriveEnded { .. } | Event::ChargeEnded { .. } => return None,
        Event::StateChanged { .. } | Event::LetSleepRefused { .. } | Event::WakeFailed => {
            return None;
        }
    };
    let (name, mut payload) = message;
    payload["event_type"] = name.into();
    Some((name, payload))
}

/// The version without its build, which is not told of the one that is being installed.
fn updating(version: Option<&str>) -> Json {
    json!({ "version": version.and_then(|version| version.split_whitespace().next()) })
}

fn missed(from: &Reading, to: &Reading) -> Json {
    let odometers = from.odometer_mi.zip(to.odometer_mi);
    json!({
        "at": to.at.to_string(),
        "duration_s": to.at.duration_since(from.at).as_secs(),
        "distance_mi": odometers.map(|(from, to)| ((to - from) * 100.0).round() / 100.0),
        "from": reading(Some(from)),
        "to": reading(Some(to)),
    })
}

fn reading(reading: Option<&Reading>) -> Json {
    match reading {
        Some(reading) => json!({
            "at": reading.at.to_string(),
            "odometer_mi": reading.odometer_mi,
            "battery_level": reading.battery_level,
        }),
        None => Json::Null,
    }
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

    #[test]
    fn a_missed_drive_says_how_far_and_between_which_looks() {
        let reading = |second, odometer_mi, level| Reading {
            at: jiff::Timestamp::from_second(second).unwrap(),
            odometer_mi: Some(odometer_mi),
            battery_level: Some(level),
        };
        let event = Event::MissedDrive {
            from: reading(100, 1000.0, 80.0),
            to: reading(1_900, 1_012.345_678, 76.0),
        };
        let (name, payload) = message(&event).unwrap();
        assert_eq!(name, "missed_drive");
        assert_eq!(payload["event_type"], "missed_drive");
        assert_eq!(payload["duration_s"], 1_800);
        assert_eq!(payload["distance_mi"], 12.35);
        assert_eq!(payload["to"]["battery_level"], 76.0);
    }
}
