//! The lists of what an account has, and the light answer about one car (tesla-api.md, 2 and 3.1).
//!
//! `/api/1/products` mixes vehicles and energy sites; `/api/1/vehicles` has vehicles only; the
//! answer of `/api/1/vehicles/{id}` is one entry of the same list. They are told apart by their
//! keys, because a site can have hardly any others. Nothing here touches a car.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{DecodeError, open};
use crate::model::{ApiId, Observation, Signal, Source, StreamId, Value, Vin};
use crate::policy::{Light, LightState};

/// One page of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProductPage {
    /// The cars, in Tesla's order.
    pub vehicles: Vec<ListedVehicle>,
    /// The energy sites, in Tesla's order.
    pub energy_sites: Vec<ListedSite>,
    /// The number of the page after this one, where Tesla says that there is one.
    pub next_page: Option<u64>,
    /// Entries that may be cars, but none with a usable VIN.
    pub n_unusable: usize,
    /// Entries that are neither cars nor energy sites.
    pub n_others: usize,
}

/// A car as the light endpoints describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVehicle {
    /// Stable name.
    pub vin: Vin,
    /// Stands in the paths of the Owner API.
    pub id: Option<ApiId>,
    /// Names the car in the streaming service.
    pub stream_id: Option<StreamId>,
    /// The policy's reading of `state`.
    pub state: LightState,
    /// Tesla's word in `state`.
    pub state_word: Option<String>,
    /// At service: data calls may answer 405.
    pub in_service: bool,
    /// Often empty; the car's name is `vehicle_state.vehicle_name`.
    pub display_name: Option<String>,
    /// `OWNER` or `DRIVER`.
    pub access_type: Option<String>,
    /// `required`, `allowed` or `off`.
    pub command_signing: Option<String>,
    /// Remote access is switched off in the car.
    pub mobile_access_disabled: Option<bool>,
    /// Version of the car's API.
    pub api_version: Option<i64>,
    /// Hardware facts; lets us know the model of a sleeping car.
    pub vehicle_config: Option<Map<String, Json>>,
}

/// An energy site in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSite {
    /// Stands in the paths; up to 16 digits.
    pub energy_site_id: u64,
    /// Text id of the site or gateway.
    pub id: Option<String>,
    /// `battery`, `solar`, `wall_connector`; may be missing.
    pub resource_type: Option<String>,
    /// The owner's name for it.
    pub site_name: Option<String>,
}

/// Reads a page of `/api/1/products` or `/api/1/vehicles`.
pub fn products(body: &[u8]) -> Result<ProductPage, DecodeError> {
    let answer = open(body)?;
    let Json::Array(entries) = &answer.response else {
        return Err(DecodeError::Malformed("expected a list of products".into()));
    };
    let mut page = ProductPage {
        next_page: next_page(answer.beside.get("pagination")),
        ..ProductPage::default()
    };
    for entry in entries {
        if let Some(vehicle) = entry.as_object().and_then(|e| vehicle(e, None)) {
            page.vehicles.push(vehicle);
        } else if let Some(site) = entry.as_object().and_then(site) {
            page.energy_sites.push(site);
        } else if entry.as_object().is_some_and(is_no_car) {
            page.n_others += 1;
        } else {
            page.n_unusable += 1;
        }
    }
    Ok(page)
}

/// A product of a kind that came after this program.
fn is_no_car(entry: &Map<String, Json>) -> bool {
    let of_a_car = [
        "vin",
        "vehicle_id",
        "id_s",
        "state",
        "display_name",
        "access_type",
    ];
    !entry.is_empty() && of_a_car.iter().all(|key| !entry.contains_key(*key))
}

/// Reads the answer of `/api/1/vehicles/{id}` about the car that was asked for. An answer without
/// a VIN is taken to be about it; one with another VIN is not.
pub fn light(body: &[u8], asked: &Vin) -> Result<ListedVehicle, DecodeError> {
    let answer = open(body)?;
    let vehicle = answer
        .response
        .as_object()
        .filter(|entry| entry.contains_key("state") || entry.contains_key("vin"))
        .and_then(|entry| vehicle(entry, Some(asked)))
        .ok_or_else(|| DecodeError::Malformed("expected a vehicle object".into()))?;
    if vehicle.vin == *asked {
        Ok(vehicle)
    } else {
        let text = format!("asked for {asked}, got {}", vehicle.vin);
        Err(DecodeError::Malformed(text))
    }
}

impl ListedVehicle {
    /// A car of which only the names are known.
    pub fn unseen(vin: Vin, id: Option<ApiId>) -> Self {
        Self {
            vin,
            id,
            stream_id: None,
            state: LightState::Unknown,
            state_word: None,
            in_service: false,
            display_name: None,
            access_type: None,
            command_signing: None,
            mobile_access_disabled: None,
            api_version: None,
            vehicle_config: None,
        }
    }

    /// What the policy wants to know.
    pub fn light(&self) -> Light {
        Light {
            state: self.state,
            in_service: self.in_service,
        }
    }

    /// The entry as observations: state and identity as of the arrival, and `vehicle_config`
    /// (which Tesla serves from its memory) as of its own time stamp. The source is the light call
    /// or the list.
    pub fn observations(&self, source: Source, arrived_at: Timestamp) -> Vec<Observation> {
        let text = |t: &Option<String>| t.clone().map(Value::Text);
        let mut signals = vec![
            (Signal::new("state"), text(&self.state_word)),
            (
                Signal::new("in_service"),
                Some(Value::Bool(self.in_service)),
            ),
        ];
        let known = [
            ("display_name", text(&self.display_name)),
            ("access_type", text(&self.access_type)),
            ("command_signing", text(&self.command_signing)),
            (
                "mobile_access_disabled",
                self.mobile_access_disabled.map(Value::Bool),
            ),
            ("api_version", self.api_version.map(Value::Int)),
        ];
        signals.extend(
            known
                .into_iter()
                .filter(|(_, value)| value.is_some())
                .map(|(name, value)| (Signal::new(name), value)),
        );
        let mut seen = vec![Observation {
            source,
            at: arrived_at,
            whole_groups: Vec::new(),
            signals,
        }];
        seen.extend(self.config_observation(source, arrived_at));
        seen
    }

    fn config_observation(&self, source: Source, arrived_at: Timestamp) -> Option<Observation> {
        let config = self.vehicle_config.as_ref()?;
        let at = config
            .get("timestamp")
            .and_then(Json::as_i64)
            .filter(|ms| *ms > EARLIEST_SANE_MS)
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .filter(|at| *at <= arrived_at)
            .unwrap_or(arrived_at);
        let signals: Vec<_> = config
            .iter()
            .filter(|(_, value)| !value.is_object() && !value.is_array())
            .map(|(name, value)| {
                (
                    Signal::new(&format!("vehicle_config.{name}")),
                    scalar(value),
                )
            })
            .collect();
        (!signals.is_empty()).then_some(Observation {
            source,
            at,
            whole_groups: Vec::new(),
            signals,
        })
    }
}

/// 2012, the year of the first car that answers; junk time stamps such as 1 are before it.
const EARLIEST_SANE_MS: i64 = 1_325_376_000_000;

fn vehicle(entry: &Map<String, Json>, asked: Option<&Vin>) -> Option<ListedVehicle> {
    let vin = match entry.get("vin") {
        Some(Json::String(text)) => Vin::new(text.trim()).ok()?,
        None | Some(Json::Null) => asked?.clone(),
        Some(_) => return None,
    };
    let state_word = text(entry, "state");
    Some(ListedVehicle {
        vin,
        id: number(entry, "id_s")
            .or_else(|| number(entry, "id"))
            .map(ApiId),
        stream_id: number(entry, "vehicle_id").map(StreamId),
        state: LightState::of(state_word.as_deref()),
        state_word,
        in_service: truth(entry, "in_service").unwrap_or(false),
        display_name: text(entry, "display_name"),
        access_type: text(entry, "access_type"),
        command_signing: text(entry, "command_signing"),
        mobile_access_disabled: truth(entry, "mobile_access_disabled"),
        api_version: entry.get("api_version").and_then(Json::as_i64),
        vehicle_config: entry
            .get("vehicle_config")
            .and_then(Json::as_object)
            .cloned(),
    })
}

fn site(entry: &Map<String, Json>) -> Option<ListedSite> {
    Some(ListedSite {
        energy_site_id: number(entry, "energy_site_id")?,
        id: text(entry, "id"),
        resource_type: text(entry, "resource_type"),
        site_name: text(entry, "site_name"),
    })
}

/// `next` must lead forward: a server whose `next` names the page itself would never end.
fn next_page(pagination: Option<&Json>) -> Option<u64> {
    let pagination = pagination?.as_object()?;
    let next = number(pagination, "next")?;
    match number(pagination, "current") {
        Some(current) if next <= current => None,
        _ => Some(next),
    }
}

/// An integer, or text that is one: ids have up to 19 digits, so a float is no id.
fn number(entry: &Map<String, Json>, key: &str) -> Option<u64> {
    match entry.get(key)? {
        Json::Number(n) => n.as_u64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text(entry: &Map<String, Json>, key: &str) -> Option<String> {
    match scalar(entry.get(key)?)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn truth(entry: &Map<String, Json>, key: &str) -> Option<bool> {
    scalar(entry.get(key)?)?.truth()
}

/// A scalar; null, objects, lists and Tesla's null-like words are none.
fn scalar(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(b) => Some(Value::Bool(*b)),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Some(Value::Int(i)),
            None => n.as_f64().map(Value::Float),
        },
        Json::String(text) => match text.trim() {
            "" | "<invalid>" | "SNA" => None,
            _ => Some(Value::Text(text.clone())),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
