//! The policy's events as messages on `event/<name>`: not retained, one JSON object each.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

use crate::logbook::{Drive, Logbook};
use crate::policy::{Event, Reading};

/// The name and payload of an event that automations hear of; `None` for those that are topics.
/// The end of a drive or a charge brings the figures that the logbook has of it.
pub fn message(event: &Event, logbook: &Logbook) -> Option<(&'static str, Json)> {
    let message = match event {
        Event::DriveStarted { from } => {
            ("drive_started", json!({ "from": reading(from.as_ref()) }))
        }
        Event::DriveEnded { at, from, to } => {
            let mut payload = finished(at, from.as_ref(), to.as_ref());
            let drive = logbook.drive_since(since(from.as_ref(), *at));
            enrich(&mut payload, drive.map(Drive::figures));
            ("drive_finished", payload)
        }
        Event::ChargeStarted { from } => {
            ("charge_started", json!({ "from": reading(from.as_ref()) }))
        }
        Event::ChargeEnded { at, from, to } => {
            let mut payload = finished(at, from.as_ref(), to.as_ref());
            let charge = logbook.charge_since(since(from.as_ref(), *at));
            enrich(&mut payload, charge.map(|charge| charge.figures(None)));
            ("charge_finished", payload)
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

/// Nothing that ended before the start is meant; without a start, nothing of long ago.
fn since(from: Option<&Reading>, at: Timestamp) -> Timestamp {
    from.map_or(at - SignedDuration::from_mins(15), |from| from.at)
}

/// What the event itself knows stays.
fn enrich(payload: &mut Json, figures: Option<Map<String, Json>>) {
    for (name, figure) in figures.into_iter().flatten() {
        if payload[&name].is_null() {
            payload[&name] = figure;
        }
    }
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
        let (name, payload) = message(&event, &Logbook::default()).unwrap();
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
        let (_, payload) = message(&event, &Logbook::default()).unwrap();
        assert_eq!(payload["distance_mi"], Json::Null);
        assert_eq!(payload["from"], Json::Null);
    }

    #[test]
    fn the_figures_of_the_logbook_add_to_an_event_and_overwrite_nothing() {
        let mut payload = json!({ "distance_mi": 12.35, "duration_s": null });
        let figures = json!({ "distance_mi": 12, "duration_s": 60, "energy_kwh": 3.1 });
        enrich(&mut payload, figures.as_object().cloned());
        let expected = json!({ "distance_mi": 12.35, "duration_s": 60, "energy_kwh": 3.1 });
        assert_eq!(payload, expected);
    }
}
