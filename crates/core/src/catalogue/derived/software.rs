//! Software, and what the car is.

use serde_json::{Map, Value as Json};

use super::or_unknown;
use crate::catalogue::value::{EntityValue, number};
use crate::model::{SoftwareUpdate, UpdateStatus, Vehicle, installed_version};

pub(crate) const VERSION: &[&str] = &["vehicle_state.car_version"];
pub(crate) fn version(car: &Vehicle) -> EntityValue {
    or_unknown(installed_version(car).map(EntityValue::text))
}

pub(crate) const UPDATE: &[&str] = &[
    "vehicle_state.software_update.status",
    "vehicle_state.software_update.version",
    "vehicle_state.software_update.download_perc",
    "vehicle_state.software_update.install_perc",
    "vehicle_state.software_update.expected_duration_sec",
    "vehicle_state.car_version",
];
/// Tesla names the version with every update; one without is not told of.
fn update(car: &Vehicle) -> Option<SoftwareUpdate> {
    SoftwareUpdate::of_car(car).filter(|update| update.version.is_some())
}
/// Tesla leaves `status` empty, hence null-like, when there is nothing.
pub(crate) fn update_available(car: &Vehicle) -> EntityValue {
    or_unknown(
        car.known(UPDATE[0])
            .map(|_| EntityValue::on(update(car).is_some())),
    )
}
pub(crate) fn update_version(car: &Vehicle) -> EntityValue {
    let version = update(car).and_then(|update| update.version);
    or_unknown(version.map(|version| EntityValue::text(&version)))
}
pub(crate) fn update_download_percent(car: &Vehicle) -> EntityValue {
    let known = update(car).and_then(|update| update.download_percent);
    or_unknown(known.map(|percent| EntityValue::number(percent, 0)))
}
pub(crate) fn update_install_percent(car: &Vehicle) -> EntityValue {
    let installing = update(car).filter(SoftwareUpdate::is_installing);
    let known = installing.and_then(|update| update.install_percent);
    or_unknown(known.map(|percent| EntityValue::number(percent, 0)))
}
pub(crate) fn update_expected_duration(car: &Vehicle) -> EntityValue {
    let known = car.number(UPDATE[4]).filter(|_| update(car).is_some());
    or_unknown(known.map(|seconds| EntityValue::number(seconds / 60.0, 0)))
}

/// Home Assistant accepts these keys and no other, and null only for the percentage.
pub(crate) fn software_update(car: &Vehicle) -> EntityValue {
    let Some(installed) = installed_version(car) else {
        return EntityValue::Silent;
    };
    let update = update(car);
    let progress = update.as_ref().and_then(|update| match update.status {
        UpdateStatus::Installing => Some(update.install_percent),
        UpdateStatus::Downloading => Some(update.download_percent),
        _ => None,
    });
    let latest = update.as_ref().and_then(|update| update.version.as_deref());
    let mut all = Map::new();
    all.insert("installed_version".into(), installed.into());
    all.insert("latest_version".into(), latest.unwrap_or(installed).into());
    all.insert("title".into(), "Vehicle software".into());
    all.insert("in_progress".into(), progress.is_some().into());
    all.insert(
        "update_percentage".into(),
        progress.flatten().map_or(Json::Null, number),
    );
    EntityValue::Json(all)
}

/// The VIN says it too, so the first word about the car's state is enough.
pub(crate) const MODEL: &[&str] = &["vehicle_config.car_type", "vehicle_state.car_type", "state"];
pub(crate) fn model(car: &Vehicle) -> EntityValue {
    or_unknown(model_letter(car).map(EntityValue::Word))
}
/// "S", "3", "X", "Y", "Cybertruck", ...: from the configuration, else from the VIN.
pub fn model_letter(car: &Vehicle) -> Option<&'static str> {
    let of_config = MODEL.iter().find_map(|path| {
        let car_type = car.text(path)?.to_ascii_lowercase();
        CAR_TYPES
            .iter()
            .find(|(prefix, _)| car_type.starts_with(prefix))
            .map(|(_, model)| *model)
    });
    of_config.or_else(|| {
        let letter = car.vin.as_str().chars().nth(3)?;
        VIN_MODELS
            .iter()
            .find(|(of_vin, _)| *of_vin == letter)
            .map(|(_, model)| *model)
    })
}
/// Prefixes; `lychee` and `tamarind` are the S and X of 2021.
const CAR_TYPES: &[(&str, &str)] = &[
    ("models", "S"),
    ("lychee", "S"),
    ("modelx", "X"),
    ("tamarind", "X"),
    ("model3", "3"),
    ("modely", "Y"),
    ("cybertruck", "Cybertruck"),
    ("semi", "Semi"),
];
const VIN_MODELS: &[(char, &str)] = &[
    ('S', "S"),
    ('3', "3"),
    ('X', "X"),
    ('Y', "Y"),
    ('C', "Cybertruck"),
    ('T', "Semi"),
    ('R', "Roadster"),
    ('A', "Cybercab"),
];
