//! Motion, position and route.

use serde_json::{Map, Value as Json, json};

use super::{later, or_unknown};
use crate::catalogue::value::EntityValue;
use crate::model::{Gear, Value, Vehicle};

pub(crate) const SHIFT: &[&str] = &["drive_state.shift_state"];
pub(crate) const GEARS: &[&str] = &["p", "r", "n", "d"];
/// A parked car says null or "P".
pub(crate) fn shift_state(car: &Vehicle) -> EntityValue {
    match car.value(SHIFT[0]) {
        None => EntityValue::Word(Gear::P.word()),
        Some(value) => match value.text() {
            Some(letter) => Gear::of(letter).map_or_else(
                || EntityValue::Unlisted(letter.to_owned()),
                |gear| EntityValue::Word(gear.word()),
            ),
            None => EntityValue::Unknown,
        },
    }
}
fn is_parked(car: &Vehicle) -> bool {
    shift_state(car) == EntityValue::Word(Gear::P.word())
}
pub(crate) fn parking_brake(car: &Vehicle) -> EntityValue {
    match shift_state(car) {
        EntityValue::Word(gear) => EntityValue::on(gear == "p"),
        _ => EntityValue::Unknown,
    }
}

pub(crate) const SPEED: &[&str] = &["drive_state.speed", "drive_state.shift_state"];
/// Null when parked, and then it is 0.
pub(crate) fn speed(car: &Vehicle) -> EntityValue {
    match car.number(SPEED[0]) {
        Some(mph) => EntityValue::number(mph, 0),
        None if is_parked(car) && is_null(car, SPEED[0]) => EntityValue::Number(0.0),
        None => EntityValue::Unknown,
    }
}

pub(crate) const POWER: &[&str] = &["drive_state.power"];
/// Null at rest, and then it is 0.
pub(crate) fn power(car: &Vehicle) -> EntityValue {
    if is_null(car, POWER[0]) {
        return EntityValue::Number(0.0);
    }
    let kw = car.number(POWER[0]);
    or_unknown(kw.map(|kw| EntityValue::number(kw, 0)))
}
/// Null has a meaning; what cannot be true has none.
fn is_null(car: &Vehicle, path: &str) -> bool {
    car.value(path).is_none() && !car.is_implausible(path)
}

pub(crate) const HEADING: &[&str] = &["drive_state.heading"];
/// Whole degrees; a full circle is north again.
pub(crate) fn heading(car: &Vehicle) -> EntityValue {
    let degrees = car.number(HEADING[0]);
    or_unknown(degrees.map(|degrees| EntityValue::number(degrees.round().rem_euclid(360.0), 0)))
}

pub(crate) const LOCATION: &[&str] = &[
    "drive_state.latitude",
    "drive_state.longitude",
    HEADING[0],
    "drive_state.speed",
    "drive_state.gps_as_of",
    "drive_state.shift_state",
];
/// Both coordinates or nothing: half a position clears the map.
pub(crate) fn location(car: &Vehicle) -> EntityValue {
    let Some(mut at) = position(car, LOCATION[0], LOCATION[1]) else {
        return EntityValue::Silent;
    };
    at.insert("heading".into(), heading(car).json());
    at.insert("speed".into(), speed(car).json());
    let fixed_at = car.value(LOCATION[4]).and_then(Value::epoch);
    at.insert(
        "gps_as_of".into(),
        fixed_at.map_or(Json::Null, |t| t.to_string().into()),
    );
    EntityValue::Json(at)
}

/// Tesla gives no accuracy; 0 is Home Assistant's word for "not said".
fn position(car: &Vehicle, latitude: &str, longitude: &str) -> Option<Map<String, Json>> {
    let latitude = car.number(latitude).filter(|d| d.abs() <= 90.0)?;
    let longitude = car.number(longitude).filter(|d| d.abs() <= 180.0)?;
    let degrees = |d: f64| EntityValue::number(d, 6).json();
    let mut at = Map::new();
    at.insert("latitude".into(), degrees(latitude));
    at.insert("longitude".into(), degrees(longitude));
    at.insert("gps_accuracy".into(), json!(0));
    Some(at)
}

pub(crate) const ORIGIN: &[&str] = &[
    "telemetry.OriginLocation.latitude",
    "telemetry.OriginLocation.longitude",
];
pub(crate) fn origin(car: &Vehicle) -> EntityValue {
    position(car, ORIGIN[0], ORIGIN[1]).map_or(EntityValue::Silent, EntityValue::Json)
}

pub(crate) const ROUTE_POSITION: &[&str] = &[
    ROUTE[0],
    ROUTE[1],
    ROUTE[2],
    ROUTE[3],
    ROUTE[4],
    SHIFT[0],
    LOCATION[0],
    LOCATION[1],
];
pub(crate) const ROUTE: &[&str] = &[
    "drive_state.active_route_miles_to_arrival",
    "drive_state.active_route_minutes_to_arrival",
    "drive_state.active_route_latitude",
    "drive_state.active_route_longitude",
    "drive_state.active_route_destination",
    "drive_state.active_route_energy_at_arrival",
    "drive_state.active_route_traffic_minutes_delay",
    SHIFT[0],
];
/// A parked car with less than this to go has arrived.
const ARRIVED_MI: f64 = 0.1;
const ARRIVED_MIN: f64 = 1.0;

/// Distance or time to go are there; the other keys of a route outlive it. A car that parks at the
/// end of its route may go on telling the last yards of it for ever.
fn has_route(car: &Vehicle) -> bool {
    let (miles, minutes) = (car.number(ROUTE[0]), car.number(ROUTE[1]));
    let has_arrived = is_parked(car)
        && (miles.is_some_and(|miles| miles < ARRIVED_MI)
            || minutes.is_some_and(|minutes| minutes < ARRIVED_MIN));
    (miles.is_some() || minutes.is_some()) && !has_arrived
}
fn on_route(car: &Vehicle, said: Option<EntityValue>) -> EntityValue {
    or_unknown(said.filter(|_| has_route(car)))
}

/// Where the route leads; without one, where the car is. Home Assistant keeps a position until it
/// is told another, and some cars name their own as the end of no route too.
pub(crate) fn route(car: &Vehicle) -> EntityValue {
    let active = has_route(car);
    let there = if active {
        position(car, ROUTE[2], ROUTE[3])
    } else {
        position(car, LOCATION[0], LOCATION[1])
    };
    let Some(mut at) = there else {
        return EntityValue::Silent;
    };
    if active {
        let destination = car.text(ROUTE[4]).map_or(Json::Null, Json::from);
        at.insert("destination".into(), destination);
    }
    at.insert("active".into(), active.into());
    EntityValue::Json(at)
}

/// One message with the whole route, as TeslaMate's readers know it.
pub(crate) fn active_route(car: &Vehicle) -> EntityValue {
    let mut all = Map::new();
    if !has_route(car) {
        all.insert("error".into(), "No active route available".into());
        return EntityValue::Json(all);
    }
    let rounded = |path: &str, digits| {
        car.number(path)
            .map_or(Json::Null, |n| EntityValue::number(n, digits).json())
    };
    let there = position(car, ROUTE[2], ROUTE[3]).map_or(Json::Null, |mut at| {
        at.remove("gps_accuracy");
        at.into()
    });
    all.insert(
        "destination".into(),
        car.text(ROUTE[4]).map_or(Json::Null, Json::from),
    );
    all.insert("energy_at_arrival".into(), rounded(ROUTE[5], 0));
    all.insert("miles_to_arrival".into(), rounded(ROUTE[0], 2));
    all.insert("minutes_to_arrival".into(), rounded(ROUTE[1], 1));
    all.insert("traffic_minutes_delay".into(), rounded(ROUTE[6], 1));
    all.insert("location".into(), there);
    all.insert("error".into(), Json::Null);
    EntityValue::Json(all)
}
pub(crate) fn destination(car: &Vehicle) -> EntityValue {
    on_route(car, car.text(ROUTE[4]).map(EntityValue::text))
}
pub(crate) fn energy_at_arrival(car: &Vehicle) -> EntityValue {
    on_route(
        car,
        car.number(ROUTE[5])
            .map(|percent| EntityValue::number(percent, 0)),
    )
}
pub(crate) fn distance_to_arrival(car: &Vehicle) -> EntityValue {
    on_route(
        car,
        car.number(ROUTE[0])
            .map(|miles| EntityValue::number(miles, 2)),
    )
}
pub(crate) fn traffic_delay(car: &Vehicle) -> EntityValue {
    on_route(
        car,
        car.number(ROUTE[6])
            .map(|minutes| EntityValue::number(minutes, 1)),
    )
}
pub(crate) fn time_to_arrival(car: &Vehicle) -> EntityValue {
    on_route(car, later(car, ROUTE[1], 60.0).map(EntityValue::Time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Observation, Signal, Source, Vin};

    #[test]
    fn a_full_circle_is_north_and_both_topics_say_the_same_heading() {
        for (degrees, expected) in [(359.7, 0.0), (359.4, 359.0), (0.2, 0.0), (-90.0, 270.0)] {
            let mut car = Vehicle::new(Vin::new("5YJ3E7EB0KF000005").unwrap());
            let signal = |path, degrees| (Signal::new(path), Some(Value::Float(degrees)));
            car.apply(&Observation {
                source: Source::Data,
                at: jiff::Timestamp::UNIX_EPOCH,
                whole_groups: Vec::new(),
                signals: vec![
                    signal(LOCATION[0], 52.0),
                    signal(LOCATION[1], 5.0),
                    signal(HEADING[0], degrees),
                ],
            });
            assert_eq!(heading(&car), EntityValue::Number(expected), "{degrees}");
            let EntityValue::Json(at) = location(&car) else {
                panic!("no position");
            };
            assert_eq!(
                at["heading"],
                EntityValue::Number(expected).json(),
                "{degrees}"
            );
        }
    }
}
