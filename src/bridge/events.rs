//! The policy's events as messages on `event/<name>`: not retained, one JSON object each.

use serde_json::{Value as Json, json};

use crate::policy::{Event, Reading};

/// The name and payload of an event that automations hear of; `None` for those that are topics.
pub fn message(event: &Event) -> Option<(&'static str, Json)> {
    let message = match event {
        Event::DriveStarted { from } => {
            ("drive_started", json!({ "from": reading(from.as_ref()) }))
        }
        Event::DriveEnded { at, from, to } => {
            ("drive_finished", finished(at, from.as_ref(), to.as_ref()))
        }
        Event::ChargeStarted { from } => {
            ("charge_started", json!({ "from": reading(from.as_ref()) }))
        }
        Event::ChargeEnded { at, from, to } => {
            ("charge_finished", finished(at, from.as_ref(), to.as_ref()))
        }
        Event::UpdateStarted => ("update_started", json!({})),
        Event::UpdateEnded { version } => ("update_finished", json!({ "version": version })),
        Event::MissedDrive { from, to } => ("missed_drive", finished(&to.at, Some(from), Some(to))),
        Event::MissedCharge { from, to } => {
            ("missed_charge", finished(&to.at, Some(from), Some(to)))
        }
        Event::StateChanged { .. } | Event::LetSleepRefused { .. } | Event::WakeFailed => {
            return None;
        }
    };
    let (name, mut payload) = message;
    payload["event_type"] = name.into();
    Some((name, payload))
}

fn finished(at: &jiff::Timestamp, from: Option<&Reading>, to: Option<&Reading>) -> Json {
    let odometers = from
        .and_then(|from| from.odometer_mi)
        .zip(to.and_then(|to| to.odometer_mi));
    let duration_s = from.map(|from| at.duration_since(from.at).as_secs());
    json!({
        "at": at.to_string(),
        "duration_s": duration_s,
        "distance_mi": odometers.map(|(from, to)| ((to - from) * 100.0).round() / 100.0),
        "from": reading(from),
        "to": reading(to),
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
    fn a_finished_drive_says_how_far_and_how_long() {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        let reading = |second, odometer_mi, level| Reading {
            at: at(second),
            odometer_mi: Some(odometer_mi),
            battery_level: Some(level),
        };
        let event = Event::DriveEnded {
            at: at(1_900),
            from: Some(reading(100, 1000.0, 80.0)),
            to: Some(reading(1_900, 1012.3456, 76.0)),
        };
        let (name, payload) = message(&event).unwrap();
        assert_eq!(name, "drive_finished");
        assert_eq!(payload["event_type"], "drive_finished");
        assert_eq!(payload["duration_s"], 1_800);
        assert_eq!(payload["distance_mi"], 12.35);
        assert_eq!(payload["to"]["battery_level"], 76.0);
    }

    #[test]
    fn a_drive_whose_start_nobody_saw_has_no_distance() {
        let event = Event::DriveEnded {
            at: jiff::Timestamp::UNIX_EPOCH,
            from: None,
            to: None,
        };
        let (_, payload) = message(&event).unwrap();
        assert_eq!(payload["distance_mi"], Json::Null);
        assert_eq!(payload["from"], Json::Null);
    }
}
