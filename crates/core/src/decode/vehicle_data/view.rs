//! The few facts of an answer that the policy decides by (sleep policy, section 3). A field that
//! is missing or of another kind is unknown, and unknown never blocks.

use crate::model::{Observation, Value};
use crate::policy::DataView;

/// Reads them from the observations of one answer.
pub fn of(observations: &[Observation]) -> DataView {
    let seen = Seen(observations);
    DataView {
        timestamp_ms: seen
            .number("drive_state.timestamp")
            .and_then(whole_milliseconds),
        shift_state: seen.text("drive_state.shift_state"),
        power_kw: seen.number("drive_state.power"),
        charging_state: seen.text("charge_state.charging_state"),
        charger_power_kw: seen.number("charge_state.charger_power"),
        battery_level: seen.number("charge_state.battery_level"),
        scheduled_charging_pending: seen.truth("charge_state.scheduled_charging_pending"),
        scheduled_charging_start: seen
            .value("charge_state.scheduled_charging_start_time")
            .and_then(Value::epoch),
        update_status: seen.text("vehicle_state.software_update.status"),
        update_version: seen.text("vehicle_state.software_update.version"),
        update_download_percent: seen.number("vehicle_state.software_update.download_perc"),
        car_version: seen.text("vehicle_state.car_version"),
        odometer_mi: seen.number("vehicle_state.odometer"),
        user_present: seen.truth("vehicle_state.is_user_present"),
        sentry_mode: seen.truth("vehicle_state.sentry_mode"),
        preconditioning: seen.truth("climate_state.is_preconditioning"),
        climate_on: seen.truth("climate_state.is_climate_on"),
        climate_keeper_mode: seen.text("climate_state.climate_keeper_mode"),
        cabin_overheat_cooling: seen
            .truth("climate_state.cabin_overheat_protection_actively_cooling"),
        door_open: ["df", "pf", "dr", "pr"]
            .iter()
            .any(|door| seen.truth(&format!("vehicle_state.{door}"))),
        trunk_open: seen.truth("vehicle_state.ft") || seen.truth("vehicle_state.rt"),
        locked: seen.value("vehicle_state.locked").and_then(Value::truth),
        in_service: seen.truth("vehicle_state.service_mode") || seen.truth("in_service"),
    }
}

struct Seen<'a>(&'a [Observation]);

impl Seen<'_> {
    fn value(&self, path: &str) -> Option<&Value> {
        let group = path.split_once('.').map(|(group, _)| group);
        self.0
            .iter()
            .filter(|seen| seen.whole_groups.first().copied() == group)
            .flat_map(|seen| &seen.signals)
            .find(|(signal, _)| signal.as_str() == path)
            .and_then(|(_, value)| value.as_ref())
    }

    fn number(&self, path: &str) -> Option<f64> {
        self.value(path)?.number()
    }

    fn text(&self, path: &str) -> Option<String> {
        self.value(path)?.text().map(str::to_owned)
    }

    fn truth(&self, path: &str) -> bool {
        self.value(path).and_then(Value::truth).unwrap_or(false)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole_milliseconds(ms: f64) -> Option<i64> {
    (ms.abs() < 1e15).then_some(ms as i64)
}
