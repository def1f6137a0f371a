//! Tesla's answers about a simulated car, with the fields, types and traps of a current firmware
//! (tesla-api.md, sections 2 and 4): a light call shows light fields only, `vehicle_data` shows
//! the objects that were asked for, and a place only to who asked for it.
//!
//! `body/parked.json` is the car at rest and `body/models.json` what differs by model; the code
//! sets what lives. Recordings can be played instead ([`recorded`]), also answer by answer ([`script`]).

mod live;
pub mod recorded;
pub mod script;

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{CarSpec, CarView, Model};
use tesla2mqtt_core::policy::{Light, LightState};

/// A JSON object.
pub type Object = Map<String, Value>;

static PARKED: LazyLock<Object> = LazyLock::new(|| {
    serde_json::from_str(include_str!("body/parked.json")).expect("a JSON object, written by us")
});
static MODELS: LazyLock<Object> = LazyLock::new(|| {
    serde_json::from_str(include_str!("body/models.json")).expect("a JSON object, written by us")
});

/// The objects that `vehicle_data` has without `endpoints`.
const CLASSIC: [&str; 6] = [
    "charge_state",
    "climate_state",
    "drive_state",
    "gui_settings",
    "vehicle_config",
    "vehicle_state",
];
/// What needs `location_data` (and on the Fleet API its scope).
const PLACE_KEYS: [(&str, &[&str]); 2] = [
    (
        "drive_state",
        &[
            "active_route_destination",
            "active_route_energy_at_arrival",
            "active_route_latitude",
            "active_route_longitude",
            "active_route_miles_to_arrival",
            "active_route_minutes_to_arrival",
            "gps_as_of",
            "heading",
            "latitude",
            "longitude",
            "native_latitude",
            "native_location_supported",
            "native_longitude",
            "native_type",
        ],
    ),
    ("vehicle_state", &["homelink_nearby"]),
];

/// The numbers by which Tesla knows a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// `id`, in paths; beyond 2^53 on purpose.
    pub id: u64,
    /// `vehicle_id`, for streaming.
    pub vehicle_id: u64,
}

impl Ids {
    /// Numbers that follow from a seed.
    pub fn of(seed: u64) -> Self {
        let noise = super::spec::mix(seed);
        Self {
            id: (1 << 53) + 1 + 2 * (noise % 1_000_000_000),
            vehicle_id: 1_000_000_000 + noise % 900_000_000,
        }
    }
}

/// What a `vehicle_data` call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    groups: Vec<String>,
    /// `location_data` is among them.
    pub location: bool,
}

impl Endpoints {
    /// From the query's value, `;` between the names. A name of which a car has nothing is
    /// ignored, as Tesla does; a recording may have more than the cars that live here.
    pub fn parse(query: Option<&str>) -> Self {
        let Some(query) = query else {
            return Self {
                groups: CLASSIC.map(str::to_owned).to_vec(),
                location: false,
            };
        };
        let asked: Vec<&str> = query.split(';').map(str::trim).collect();
        let combo = asked.contains(&"vehicle_data_combo").then_some(CLASSIC);
        let location = asked.contains(&"location_data");
        let with_place = location.then_some("drive_state");
        let groups = asked
            .into_iter()
            .chain(combo.into_iter().flatten())
            .chain(with_place)
            .map(str::to_owned)
            .collect();
        Self { groups, location }
    }

    /// Keeps of a whole body what was asked for.
    fn keep(&self, body: &mut Object) {
        body.retain(|key, value| {
            !value.is_object() || key == "granular_access" || self.groups.contains(key)
        });
        if self.location {
            return;
        }
        for (group, keys) in PLACE_KEYS {
            if let Some(group) = body.get_mut(group).and_then(Value::as_object_mut) {
                group.retain(|key, _| !keys.contains(&key.as_str()));
            }
        }
    }
}

/// The vehicle object of lists and light calls.
pub fn vehicle(spec: &CarSpec, ids: Ids, light: Light) -> Object {
    let signing = match spec.model() {
        Model::S => "off",
        _ => "required",
    };
    let state = match light.state {
        LightState::Online => "online",
        LightState::Asleep => "asleep",
        LightState::Offline => "offline",
        LightState::Unknown => "unknown",
    };
    object(json!({
        "access_type": "OWNER",
        "api_version": 71,
        "backseat_token": null,
        "backseat_token_updated_at": null,
        "ble_autopair_enrolled": false,
        "cached_data": null,
        "calendar_enabled": true,
        "color": null,
        "command_signing": signing,
        "display_name": spec.name,
        "granular_access": { "hide_private": false },
        "id": ids.id,
        "id_s": ids.id.to_string(),
        "in_service": light.in_service,
        "option_codes": null,
        "release_notes_supported": true,
        "state": state,
        "tokens": [],
        "user_id": 800_001,
        "vehicle_id": ids.vehicle_id,
        "vin": spec.vin.as_str(),
    }))
}

/// The vehicle object as the product list has it: with the configuration, also of a sleeping car.
pub fn product(spec: &CarSpec, ids: Ids, light: Light, at: Timestamp) -> Object {
    let mut body = vehicle(spec, ids, light);
    let mut dressed = dressed(spec);
    if let Some(Value::Object(mut config)) = dressed.remove("vehicle_config") {
        config.insert("utc_offset".to_owned(), spec.utc_offset.into());
        config.insert("timestamp".to_owned(), at.as_millisecond().into());
        body.insert("vehicle_config".to_owned(), Value::Object(config));
    }
    body
}

/// A `vehicle_data` answer of a car that is online.
pub fn vehicle_data(spec: &CarSpec, ids: Ids, view: &CarView, asked: &Endpoints) -> Object {
    let online = Light {
        state: LightState::Online,
        in_service: view.in_service,
    };
    let mut body = vehicle(spec, ids, online);
    let mut dressed = dressed(spec);
    for (group, fields) in live::groups(spec, view) {
        let Some(group) = dressed.get_mut(group).and_then(Value::as_object_mut) else {
            continue;
        };
        group.extend(
            fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value)),
        );
    }
    for group in dressed.values_mut().filter_map(Value::as_object_mut) {
        group.insert("timestamp".to_owned(), view.at.as_millisecond().into());
    }
    body.append(&mut dressed);
    asked.keep(&mut body);
    body
}

/// A battery with solar roof, for lists that hold more than cars.
pub fn energy_site(number: u64) -> Object {
    object(json!({
        "asset_site_id": format!("00000000-0000-4000-8000-{number:012}"),
        "backup_capable": true,
        "battery_power": 3520,
        "battery_type": "ac_powerwall",
        "components": {
            "battery": true, "battery_type": "ac_powerwall", "grid": true, "load_meter": true,
            "solar": true, "solar_type": "pv_panel",
        },
        "energy_left": 9_412.526_3,
        "energy_site_id": 2_240_000_000_000_000_u64 + number,
        "features": {},
        "gateway_id": format!("1232100-00-E--TG{number:012}"),
        "id": format!("STE20260101-{number:05}"),
        "percentage_charged": 69.72,
        "resource_type": "battery",
        "site_name": "Simulated roof",
        "storm_mode_enabled": null,
        "total_pack_energy": 13_500,
        "warp_site_number": format!("STE20260101-{number:05}"),
    }))
}

/// The car at rest in the dress of its model; a null in the model's part removes a field.
fn dressed(spec: &CarSpec) -> Object {
    let mut body = PARKED.clone();
    let model = format!("{:?}", spec.model());
    let differs = MODELS.get(&model).and_then(Value::as_object);
    for (group, fields) in differs.into_iter().flatten() {
        let target = body.get_mut(group).and_then(Value::as_object_mut);
        let Some((target, fields)) = target.zip(fields.as_object()) else {
            continue;
        };
        for (key, value) in fields {
            if value.is_null() {
                target.remove(key);
            } else {
                target.insert(key.clone(), value.clone());
            }
        }
    }
    body
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

#[cfg(test)]
mod tests;
