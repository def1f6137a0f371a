//! A recorded `vehicle_data` answer, played as a car that is always online: somebody's bug
//! report becomes a car on the bench.

use serde_json::Value;

use super::{Endpoints, Ids, Object};
use tesla2mqtt_core::model::{Vin, VinError};

/// A recording that can be played.
#[derive(Debug, Clone)]
pub struct Recording {
    vin: Vin,
    ids: Ids,
    body: Object,
}

/// Why a file is no recording of a car.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Not an answer at all.
    #[error(
        "not a vehicle_data answer: expected a JSON object with the vehicle in \"response\", or the vehicle itself"
    )]
    NoVehicle,
    /// Nothing of section 4 in it.
    #[error(
        "not a vehicle_data answer: expected at least one of charge_state, climate_state, drive_state, vehicle_state; \
         a product list or a light answer cannot be played"
    )]
    NoData,
    /// No VIN.
    #[error("the recorded vehicle has no \"vin\"; add one (17 letters and digits, any will do)")]
    NoVin,
    /// A VIN that is none.
    #[error("the recorded vehicle's \"vin\" is not usable: {0}")]
    Vin(#[from] VinError),
}

impl Recording {
    /// Takes an answer with or without its `response` envelope; numbers that are missing follow
    /// from the VIN.
    pub fn new(answer: Value) -> Result<Self, RecordingError> {
        let Value::Object(mut body) = answer else {
            return Err(RecordingError::NoVehicle);
        };
        match body.remove("response") {
            Some(Value::Object(inner)) => body = inner,
            Some(_) => return Err(RecordingError::NoVehicle),
            None => {}
        }
        let has_data = [
            "charge_state",
            "climate_state",
            "drive_state",
            "vehicle_state",
        ]
        .iter()
        .any(|group| body.get(*group).is_some_and(Value::is_object));
        if !has_data {
            return Err(RecordingError::NoData);
        }
        let vin = body
            .get("vin")
            .and_then(Value::as_str)
            .ok_or(RecordingError::NoVin)?;
        let vin = Vin::new(vin)?;
        let seed = vin
            .as_str()
            .bytes()
            .fold(29, |seed, b| seed * 31 % 1_000_003 + u64::from(b));
        let made = Ids::of(seed);
        let number = |key: &str| body.get(key).and_then(Value::as_u64);
        let ids = Ids {
            id: number("id").unwrap_or(made.id),
            vehicle_id: number("vehicle_id").unwrap_or(made.vehicle_id),
        };
        body.insert("vin".to_owned(), vin.as_str().into());
        body.insert("id".to_owned(), ids.id.into());
        body.insert("id_s".to_owned(), ids.id.to_string().into());
        body.insert("vehicle_id".to_owned(), ids.vehicle_id.into());
        body.insert("state".to_owned(), "online".into());
        Ok(Self { vin, ids, body })
    }

    /// Whose recording it is.
    pub fn vin(&self) -> &Vin {
        &self.vin
    }

    /// Its numbers.
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// As it was recorded.
    pub(super) fn body(&self) -> &Object {
        &self.body
    }

    /// For changing what was recorded.
    pub(super) fn body_mut(&mut self) -> &mut Object {
        &mut self.body
    }

    /// Light fields only.
    pub fn vehicle(&self) -> Object {
        let light = |key: &str, value: &Value| !value.is_object() || key == "granular_access";
        let fields = self.body.iter().filter(|(key, value)| light(key, value));
        fields
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// The recorded objects that are asked for, as they are: their times stay those of the
    /// recording.
    pub fn vehicle_data(&self, asked: &Endpoints) -> Object {
        let mut body = self.body.clone();
        asked.keep(&mut body);
        body
    }
}
