//! What a source would have seen of a simulated car, as observations: without the way through HTTP
//! and JSON, for months that are played in seconds.

use jiff::Timestamp;
use tesla2mqtt_core::model::{CarRecord, Observation, Signal, Source, UpdateStatus, Value};
use tesla2mqtt_core::policy::{Light, LightState, Push};

/// The light call's answer, or the car's entry on the list.
pub fn light(light: Light, source: Source, at: Timestamp) -> Vec<Observation> {
    let word = match light.state {
        LightState::Online => Some("online"),
        LightState::Asleep => Some("asleep"),
        LightState::Offline => Some("offline"),
        LightState::Unknown => None,
    };
    let signals = [
        ("state", word.map(text)),
        ("in_service", Some(Value::Bool(light.in_service))),
    ];
    vec![observation(source, None, at, signals)]
}

/// A data answer that is read as this record.
pub fn data(record: &CarRecord, at: Timestamp) -> Vec<Observation> {
    let update = record.update.as_ref();
    let drive = [
        (
            "drive_state.shift_state",
            record.gear.map(|gear| text(gear.word())),
        ),
        ("drive_state.power", record.power_kw.map(Value::Float)),
    ];
    let starts_at = record.scheduled_charging_start;
    let charge = [
        (
            "charge_state.charging_state",
            record.charging_state.map(|state| text(state.word())),
        ),
        (
            "charge_state.charger_power",
            record.charger_power_kw.map(Value::Float),
        ),
        (
            "charge_state.battery_level",
            record.battery_level.map(Value::Float),
        ),
        (
            "charge_state.charge_energy_added",
            record.session_kwh.map(Value::Float),
        ),
        (
            "charge_state.scheduled_charging_pending",
            Some(Value::Bool(record.scheduled_charging_pending)),
        ),
        (
            "charge_state.scheduled_charging_start_time",
            starts_at.map(|at| Value::Int(at.as_second())),
        ),
    ];
    let vehicle = [
        (
            "vehicle_state.odometer",
            record.odometer_mi.map(Value::Float),
        ),
        (
            "vehicle_state.software_update.status",
            update.map(|update| text(status(update.status))),
        ),
        (
            "vehicle_state.software_update.version",
            update.and_then(|update| update.version.as_deref().map(text)),
        ),
        (
            "vehicle_state.software_update.download_perc",
            update.and_then(|update| update.download_percent.map(Value::Float)),
        ),
        (
            "vehicle_state.car_version",
            record.car_version.as_deref().map(text),
        ),
        (
            "vehicle_state.is_user_present",
            Some(Value::Bool(record.user_present)),
        ),
        (
            "vehicle_state.sentry_mode",
            Some(Value::Bool(record.sentry_mode)),
        ),
        ("vehicle_state.df", Some(Value::Bool(record.door_open))),
        ("vehicle_state.ft", Some(Value::Bool(record.trunk_open))),
        ("vehicle_state.locked", record.locked.map(Value::Bool)),
        (
            "vehicle_state.service_mode",
            Some(Value::Bool(record.in_service)),
        ),
    ];
    let climate = [
        (
            "climate_state.is_preconditioning",
            Some(Value::Bool(record.preconditioning)),
        ),
        (
            "climate_state.is_climate_on",
            Some(Value::Bool(record.climate_on)),
        ),
        (
            "climate_state.climate_keeper_mode",
            record.climate_keeper_mode.as_deref().map(text),
        ),
        (
            "climate_state.cabin_overheat_protection_actively_cooling",
            Some(Value::Bool(record.cabin_overheat_cooling)),
        ),
    ];
    vec![
        observation(Source::Data, Some("drive_state"), at, drive),
        observation(Source::Data, Some("charge_state"), at, charge),
        observation(Source::Data, Some("vehicle_state"), at, vehicle),
        observation(Source::Data, Some("climate_state"), at, climate),
    ]
}

/// A push; what it does not know is not in it.
pub fn push(push: &Push, at: Timestamp) -> Vec<Observation> {
    let known = [
        ("push.connected", push.connected.map(Value::Bool)),
        ("push.asleep", push.asleep.map(Value::Bool)),
        (
            "drive_state.shift_state",
            push.gear.map(|gear| text(gear.word())),
        ),
        (
            "charge_state.charging_state",
            push.charging_state.map(|state| text(state.word())),
        ),
        (
            "vehicle_state.is_user_present",
            push.user_present.map(Value::Bool),
        ),
    ];
    let known = known.into_iter().filter(|(_, value)| value.is_some());
    vec![observation(Source::Push, None, at, known)]
}

fn observation(
    source: Source,
    group: Option<&'static str>,
    at: Timestamp,
    signals: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Observation {
    let signals = signals.into_iter();
    Observation {
        source,
        at,
        whole_groups: group.into_iter().collect(),
        signals: signals
            .map(|(path, value)| (Signal::new(path), value))
            .collect(),
    }
}

fn text(word: &str) -> Value {
    Value::Text(word.to_owned())
}

fn status(status: UpdateStatus) -> &'static str {
    match status {
        UpdateStatus::Available => "available",
        UpdateStatus::Scheduled => "scheduled",
        UpdateStatus::DownloadingWifiWait => "downloading_wifi_wait",
        UpdateStatus::Downloading => "downloading",
        UpdateStatus::Installing => "installing",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tesla2mqtt_core::model::{Vehicle, Vin};

    use super::*;
    use crate::{Car, CarSpec, Deed, Plan, Segment};

    /// A day with all that a car does.
    #[test]
    fn a_car_that_is_observed_is_read_as_it_shows_itself() {
        let minute = Duration::from_mins(1);
        let deeds = [
            (
                30,
                Deed::Drive {
                    length: 20 * minute,
                    km: 15.0,
                },
            ),
            (
                120,
                Deed::Charge {
                    length: 60 * minute,
                    kw: 11.0,
                    dc: false,
                    scheduled_in: None,
                },
            ),
        ];
        let segments = deeds.map(|(start, deed)| Segment {
            start: start * minute,
            deed,
        });
        let vin = Vin::new("5YJ3E1EA0JF000001").unwrap();
        let spec = CarSpec::new(vin.clone(), Plan::once(segments.to_vec()));
        let start: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let mut car = Car::new(spec, start);
        let mut vehicle = Vehicle::new(vin);
        let mut n_seen = 0;
        for nth in 0..48 {
            let at = start + 5 * nth * minute;
            let Some(view) = car.data(at) else { continue };
            let shown = view.policy_view();
            for seen in data(&shown, at) {
                vehicle.apply(&seen);
            }
            assert_eq!(CarRecord::of(&vehicle), shown, "at {at}");
            n_seen += 1;
        }
        assert!(n_seen > 10);
    }
}
