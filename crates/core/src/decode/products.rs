//! The lists of what an account has, and the light answer about one car (tesla-api.md, 2 and 3.1).
//!
//! `/api/1/products` mixes vehicles and energy sites; `/api/1/vehicles` has vehicles only; the
//! answer of `/api/1/vehicles/{id}` is one entry of the same list. They are told apart by their
//! keys, because a site can have hardly any others. Nothing here touches a car.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{DecodeError, open, refuse_another, text as text_of, vehicle_data};
use crate::model::{
    ApiId, DeviceId, Light, LightState, Observation, Signal, Source, StreamId, Value, Vin, clip,
};

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
    /// What `state` says.
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
    let body = text_of(body);
    let answer = open(&body)?;
    let mut page = ProductPage {
        next_page: next_page(answer.beside.get("pagination")),
        ..ProductPage::default()
    };
    let is_list = answer.each(is_read, |entry| page.take(entry.as_ref()));
    if is_list {
        Ok(page)
    } else {
        Err(DecodeError::Malformed("expected a list of products".into()))
    }
}

impl ProductPage {
    fn take(&mut self, entry: Option<&Map<String, Json>>) {
        let is_full = self.vehicles.len() + self.energy_sites.len() >= PRODUCTS_AT_MOST;
        if is_full {
            self.n_unusable += 1;
        } else if let Some(vehicle) = entry.and_then(|e| vehicle(e, None)) {
            self.vehicles.push(vehicle);
        } else if let Some(site) = entry.and_then(site) {
            self.energy_sites.push(site);
        } else if entry.is_some_and(is_no_car) {
            self.n_others += 1;
        } else {
            self.n_unusable += 1;
        }
    }
}

/// A page of Tesla's has a hundred products; what is beyond this is not kept.
const PRODUCTS_AT_MOST: usize = 1000;

/// Whether a member of an entry is kept.
fn is_read(within: &[&str], name: &str) -> bool {
    const OF_A_PRODUCT: &[&str] = &[
        "access_type",
        "api_version",
        "command_signing",
        "display_name",
        "energy_site_id",
        "id",
        "id_s",
        "in_service",
        "mobile_access_disabled",
        "resource_type",
        "site_name",
        "state",
        "vehicle_config",
        "vehicle_id",
        "vin",
    ];
    match within {
        [] => OF_A_PRODUCT.contains(&name),
        _ => is_kept(name) && *within == ["vehicle_config"],
    }
}

/// Whether a field of `vehicle_config` is kept.
fn is_kept(name: &str) -> bool {
    vehicle_data::is_known(&format!("vehicle_config.{name}"))
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

/// Reads the answer of `/api/1/vehicles/{id}`. One without a VIN is taken to be about `asked`; one
/// about another car is refused by [`super::refuse_another`].
pub fn light(body: &[u8], asked: &Vin, id: Option<ApiId>) -> Result<ListedVehicle, DecodeError> {
    refuse_another(body, asked, id)?;
    let body = text_of(body);
    open(&body)?
        .object(is_read)
        .filter(|entry| entry.contains_key("state") || entry.contains_key("vin"))
        .and_then(|entry| vehicle(&entry, Some(asked)))
        .ok_or_else(|| DecodeError::Malformed("expected a vehicle object".into()))
}

impl ListedVehicle {
    /// As what it is followed.
    pub fn device_id(&self) -> DeviceId {
        DeviceId::from(&self.vin)
    }

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

    /// Whether it is connected.
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
            .map(|config| {
                let kept = config.iter().filter(|(name, _)| is_kept(name));
                kept.map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            }),
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
pub(super) fn number(entry: &Map<String, Json>, key: &str) -> Option<u64> {
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

const TEXT_AT_MOST: usize = 1000;

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
            _ => Some(Value::Text(clip(text, TEXT_AT_MOST))),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
