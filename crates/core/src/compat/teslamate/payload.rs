//! One row and one car → TeslaMate's payload, or none where TeslaMate has nil.
//!
//! Numbers are written as TeslaMate's language writes them: an integer stays one, a float keeps its
//! point (`400.0`), so that a reader which compares texts sees no difference.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::table::TeslaMateTopic;
use crate::model::{ChargingState, Value, Vehicle};

/// How signals become a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadRule {
    /// The number as Tesla typed it.
    Number,
    /// `true` or `false`; any number but 0 is true.
    Truth,
    /// The first text that is known, in Tesla's own words.
    Text,
    /// The text up to its first blank.
    FirstWord,
    /// The text in capitals.
    Capitals,
    /// Miles in kilometers, two decimals.
    Kilometers,
    /// Miles per hour in whole kilometers per hour.
    KilometersPerHour,
    /// Epoch seconds in ISO 8601.
    Time,
    /// True if any is, false if all are false.
    AnyOpen,
    /// TeslaMate's word for what the car is doing.
    State,
    /// Since when it is doing that.
    Since,
    /// `S`, `3`, `X`, `Y`, from the car's type or else its VIN.
    Model,
    /// Whether a cable is in.
    PluggedIn,
    /// Whether an update can be had.
    UpdateAvailable,
    /// JSON of installed and latest version.
    SoftwareUpdate,
    /// JSON of the position.
    Location,
    /// JSON of the route.
    ActiveRoute,
    /// The route's destination.
    RouteDestination,
    /// A number of the route.
    RouteNumber,
}

impl PayloadRule {
    /// For the documentation.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Number => "number, in Tesla's unit",
            Self::Truth | Self::AnyOpen | Self::PluggedIn | Self::UpdateAvailable => {
                "`true` / `false`"
            }
            Self::Text => "text, in Tesla's words",
            Self::FirstWord => "text up to the first blank",
            Self::Capitals => "text in capitals",
            Self::Kilometers => "km, two decimals",
            Self::KilometersPerHour => "km/h, whole; `0` when parked",
            Self::Time | Self::Since => "time in ISO 8601, UTC",
            Self::State => {
                "`online`, `driving`, `charging`, `updating`, `suspended`, `asleep`, `offline`, `unavailable`"
            }
            Self::Model => "`S`, `3`, `X`, `Y`, `Cybertruck`",
            Self::SoftwareUpdate => "JSON: `installed_version`, `latest_version`",
            Self::Location => "JSON: `latitude`, `longitude`",
            Self::ActiveRoute => {
                "JSON: `destination`, `energy_at_arrival`, `miles_to_arrival`, `minutes_to_arrival`, `traffic_minutes_delay`, `location`, `error`"
            }
            Self::RouteDestination => "text, `nil` without a route",
            Self::RouteNumber => "number, `nil` without a route",
        }
    }
}

/// The payload of a row, never empty.
pub(super) fn of(row: &TeslaMateTopic, car: &Vehicle) -> Option<String> {
    let first = *row.from.first()?;
    let payload = match row.said {
        PayloadRule::Number => plain_number(car.value(first)?)?,
        PayloadRule::Truth => car.truth(first)?.to_string(),
        PayloadRule::Text => first_text(row.from, car)?.to_owned(),
        PayloadRule::FirstWord => first_word(car.text(first)?)?.to_owned(),
        PayloadRule::Capitals => car.text(first)?.to_uppercase(),
        PayloadRule::Kilometers => kilometers(car.number(first)?)?,
        PayloadRule::KilometersPerHour => speed(first, car)?,
        PayloadRule::Time => time(car.number(first)?)?,
        PayloadRule::AnyOpen => any_open(row.from, car)?.to_string(),
        PayloadRule::State => state(car)?.to_owned(),
        PayloadRule::Since => state(car).and(time(car.number(first)?))?,
        PayloadRule::Model => model(car)?.to_owned(),
        PayloadRule::PluggedIn => {
            (ChargingState::of_car(car)? != ChargingState::Disconnected).to_string()
        }
        PayloadRule::UpdateAvailable => update_available(car)?.to_string(),
        PayloadRule::SoftwareUpdate => software_update(car)?,
        PayloadRule::Location => location(row.from, car)?,
        PayloadRule::ActiveRoute => active_route(car),
        PayloadRule::RouteDestination => destination(car).unwrap_or(NO_ROUTE).to_owned(),
        PayloadRule::RouteNumber => destination(car)
            .and_then(|_| plain_number(car.value(first)?))
            .unwrap_or_else(|| NO_ROUTE.to_owned()),
    };
    (!payload.is_empty()).then_some(payload)
}

fn plain_number(value: &Value) -> Option<String> {
    match value {
        Value::Bool(truth) => Some(u8::from(*truth).to_string()),
        Value::Int(integer) => Some(integer.to_string()),
        // Debug keeps the point of a whole float.
        Value::Float(float) => float.is_finite().then(|| format!("{float:?}")),
        Value::Text(_) => None,
    }
}

fn first_text<'a>(from: &[&str], car: &'a Vehicle) -> Option<&'a str> {
    from.iter().find_map(|path| car.text(path))
}

fn first_word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

/// TeslaMate's factor; the last decimals of its kilometers depend on it.
const MILES_IN_A_KILOMETER: f64 = 0.621_371_192_237_33;

fn kilometers(miles: f64) -> Option<String> {
    let rounded: f64 = format!("{:.2}", miles / MILES_IN_A_KILOMETER)
        .parse()
        .ok()?;
    rounded.is_finite().then(|| format!("{:?}", rounded + 0.0))
}

/// Tesla's null means parked. TeslaMate says nothing then, and relies on its stream to have said 0
/// a second before; from polling alone the last speed of the drive would stay for the night.
fn speed(path: &str, car: &Vehicle) -> Option<String> {
    let known = car.known(path)?;
    let Some(value) = &known.value else {
        return Some("0".to_owned());
    };
    let whole = (value.number()? / MILES_IN_A_KILOMETER).round() + 0.0;
    whole.is_finite().then(|| whole.to_string())
}

fn time(epoch_seconds: f64) -> Option<String> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked by Timestamp"
    )]
    let seconds = epoch_seconds as i64;
    let time = Timestamp::from_second(seconds).ok()?;
    Some(time.to_string())
}

fn any_open(from: &[&str], car: &Vehicle) -> Option<bool> {
    let open: Vec<Option<bool>> = from.iter().map(|path| car.truth(path)).collect();
    if open.contains(&Some(true)) {
        return Some(true);
    }
    open.iter().all(Option::is_some).then_some(false)
}

/// In service TeslaMate's word stays what it was; signed out, its cars start again.
fn state(car: &Vehicle) -> Option<&'static str> {
    match car.text("bridge.state").or_else(|| car.text("state"))? {
        "online" => Some("online"),
        "driving" => Some("driving"),
        "charging" => Some("charging"),
        "updating" => Some("updating"),
        "suspended" | "paused" => Some("suspended"),
        "asleep" => Some("asleep"),
        "offline" => Some("offline"),
        "starting" | "signed_out" => Some("unavailable"),
        _ => None,
    }
}

const MODELS: &[(&str, &str)] = &[
    ("models", "S"),
    ("lychee", "S"),
    ("model3", "3"),
    ("modelx", "X"),
    ("tamarind", "X"),
    ("modely", "Y"),
    ("cybertruck", "Cybertruck"),
];

fn model(car: &Vehicle) -> Option<&'static str> {
    if let Some(car_type) = car.text("vehicle_config.car_type") {
        let car_type = car_type.to_lowercase();
        let model = MODELS.iter().find(|(name, _)| car_type.starts_with(name));
        if let Some((_, model)) = model {
            return Some(model);
        }
    }
    match car.vin.as_str().as_bytes().get(3)? {
        b'S' => Some("S"),
        b'3' => Some("3"),
        b'X' => Some("X"),
        b'Y' => Some("Y"),
        b'C' => Some("Cybertruck"),
        _ => None,
    }
}

/// Tesla's empty status means none; the decoder keeps that as "mentioned, without a value".
fn update_available(car: &Vehicle) -> Option<bool> {
    let status = car.known("vehicle_state.software_update.status")?;
    let word = status.value.as_ref().and_then(Value::text);
    Some(matches!(
        word,
        Some("available" | "downloading" | "downloading_wifi_wait")
    ))
}

fn software_update(car: &Vehicle) -> Option<String> {
    let installed = first_word(car.text("vehicle_state.car_version")?)?;
    let latest = if update_available(car)? {
        first_word(car.text("vehicle_state.software_update.version")?)?
    } else {
        installed
    };
    Some(json!({ "installed_version": installed, "latest_version": latest }).to_string())
}

fn location(from: &[&str], car: &Vehicle) -> Option<String> {
    let degrees = |index: usize| -> Option<f64> { car.number(from.get(index)?) };
    let (latitude, longitude) = (degrees(0)?, degrees(1)?);
    Some(json!({ "latitude": latitude, "longitude": longitude }).to_string())
}

const NO_ROUTE: &str = "nil";

fn destination(car: &Vehicle) -> Option<&str> {
    car.text("drive_state.active_route_destination")
}

fn active_route(car: &Vehicle) -> String {
    let Some(destination) = destination(car) else {
        return json!({ "error": "No active route available" }).to_string();
    };
    let number = |name: &str| -> Json {
        match car.value(&format!("drive_state.active_route_{name}")) {
            Some(Value::Int(integer)) => Json::from(*integer),
            Some(value) => value.number().map_or(Json::Null, Json::from),
            None => Json::Null,
        }
    };
    json!({
        "destination": destination,
        "energy_at_arrival": number("energy_at_arrival"),
        "miles_to_arrival": number("miles_to_arrival"),
        "minutes_to_arrival": number("minutes_to_arrival"),
        "traffic_minutes_delay": number("traffic_minutes_delay"),
        "location": { "latitude": number("latitude"), "longitude": number("longitude") },
        "error": null,
    })
    .to_string()
}
