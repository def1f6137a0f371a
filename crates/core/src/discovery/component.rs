//! One row → one component of a discovery message (home-assistant-mqtt.md, sections 6 to 8).
//!
//! A control that may not be commanded shows its read-only face: a number is a sensor, a switch or
//! cover or lock a binary sensor, a select or thermostat an enum sensor; buttons are not shown.

use serde_json::{Map, Value as Json, json};

use crate::catalogue::{Category, Entity, Extractor, Limits, Platform, number};
use crate::model::Vehicle;
use crate::topics::Paths;

/// Keys and values of a component, abbreviated as Home Assistant permits.
pub(super) type Body = Map<String, Json>;

/// How a row is shown: the platform, its own device class, and for two-valued ones the words that
/// mean on and off.
struct Face {
    platform: Platform,
    class: &'static str,
    on_off: [&'static str; 2],
}

/// The face of a row without commands, `None` if it has none.
fn read_only(entity: &Entity) -> Option<Face> {
    let face = |platform, class, on_off| {
        Some(Face {
            platform,
            class,
            on_off,
        })
    };
    let on_off = if entity.inverted {
        ["off", "on"]
    } else {
        ["on", "off"]
    };
    match entity.platform {
        Platform::Event => face(entity.platform, "", on_off),
        _ if !entity.has_state() => None,
        Platform::Sensor | Platform::Number => face(Platform::Sensor, entity.class, on_off),
        Platform::Select | Platform::Climate => face(Platform::Sensor, "enum", on_off),
        Platform::BinarySensor => face(Platform::BinarySensor, entity.class, on_off),
        // The class `switch` exists for switches only.
        Platform::Switch => face(Platform::BinarySensor, "", on_off),
        Platform::Cover => face(Platform::BinarySensor, entity.class, ["open", "closed"]),
        // On means unlocked, hence unsafe, in Home Assistant.
        Platform::Lock => face(Platform::BinarySensor, "lock", ["unlocked", "locked"]),
        Platform::DeviceTracker | Platform::Update => face(entity.platform, entity.class, on_off),
        Platform::Button | Platform::Text => None,
    }
}

/// The platform that a row is announced as.
pub fn platform(entity: &Entity, commands: bool) -> Option<Platform> {
    if commands && entity.is_control() {
        Some(entity.platform)
    } else {
        read_only(entity).map(|face| face.platform)
    }
}

/// The component of a row of this car.
pub(super) fn of(entity: &Entity, car: &Vehicle, paths: &Paths, commands: bool) -> Option<Body> {
    let platform = platform(entity, commands)?;
    let mut body = identity(entity, platform, car.vin.as_str());
    if commands && entity.is_control() {
        control(&mut body, entity, car, paths);
    } else {
        let topic = match entity.platform {
            Platform::Event => paths.of("event/+"),
            _ => paths.of(entity.key),
        };
        reading(&mut body, entity, &topic)?;
    }
    Some(body)
}

/// What every component has but its entity id.
pub(super) fn identity(entity: &Entity, platform: Platform, owner: &str) -> Body {
    let mut body = Body::new();
    body.insert("p".into(), platform.word().into());
    body.insert("uniq_id".into(), format!("{owner}_{}", entity.key).into());
    body.insert("name".into(), entity.name.into());
    let is_reading = matches!(platform, Platform::Sensor | Platform::BinarySensor);
    match entity.category {
        Category::Main => {}
        // Home Assistant refuses a sensor under "Configuration".
        Category::Config if !is_reading => {
            body.insert("ent_cat".into(), "config".into());
        }
        Category::Config | Category::Diagnostic => {
            body.insert("ent_cat".into(), "diagnostic".into());
        }
    }
    if !entity.enabled {
        body.insert("en".into(), false.into());
    }
    if !entity.icon.is_empty() {
        body.insert("ic".into(), format!("mdi:{}", entity.icon).into());
    }
    body
}

/// The read-only face.
pub(super) fn reading(body: &mut Body, entity: &Entity, topic: &str) -> Option<()> {
    let face = read_only(entity)?;
    match face.platform {
        // Its source type is `gps` where nothing is said.
        Platform::DeviceTracker => pairs(body, &[("json_attr_t", topic)]),
        Platform::Update => pairs(body, &[("stat_t", topic), ("dev_cla", "firmware")]),
        Platform::BinarySensor => {
            let [on, off] = face.on_off;
            let class = face.class;
            pairs(
                body,
                &[
                    ("stat_t", topic),
                    ("dev_cla", class),
                    ("pl_on", on),
                    ("pl_off", off),
                ],
            );
        }
        Platform::Event => {
            pairs(body, &[("stat_t", topic)]);
            body.insert("evt_typ".into(), json!(entity.options));
        }
        _ => sensor(body, entity, face.class, topic),
    }
    Some(())
}

/// A sensor's keys.
pub(super) fn sensor(body: &mut Body, entity: &Entity, class: &str, topic: &str) {
    pairs(
        body,
        &[
            ("stat_t", topic),
            ("dev_cla", class),
            ("unit_of_meas", entity.unit),
            ("stat_cla", entity.state_class),
        ],
    );
    if class == "enum" {
        body.insert("ops".into(), json!(entity.words()));
    }
    if let Some(decimals) = decimals(entity) {
        body.insert("sug_dsp_prc".into(), decimals.into());
    }
    if !entity.template.is_empty() {
        body.insert("val_tpl".into(), entity.template.into());
        body.insert("json_attr_t".into(), topic.into());
    }
}

/// Decimals to show; without them Home Assistant guesses by the unit: 0 for volts and 2 for
/// kilowatts. It shows temperatures with one, and percents and what has no class as they are sent.
fn decimals(entity: &Entity) -> Option<u8> {
    let (Extractor::Number(_, sent) | Extractor::Positive(_, sent) | Extractor::Scaled(_, _, sent)) =
        entity.extractor
    else {
        return entity.precision;
    };
    let is_guessed_right =
        entity.class.is_empty() || entity.unit == "%" || entity.class == "temperature";
    entity.precision.or((!is_guessed_right).then_some(sent))
}

/// With quality of service 1, so that a command is not lost on the way; readings are subscribed to
/// with 0, because brokers drop what exceeds a client's queue, and a house has many readings.
///
/// The topic is written once, as `~`, and what Home Assistant assumes anyway is left out: a full
/// car's message is some 95 KB long.
fn control(body: &mut Body, entity: &Entity, car: &Vehicle, paths: &Paths) {
    body.insert("qos".into(), 1.into());
    match (entity.platform, entity.has_state()) {
        (Platform::Climate, _) => {
            let topic = paths.of(entity.key);
            pairs(
                body,
                &[("~", &topic), ("mode_stat_t", "~"), ("mode_cmd_t", "~/set")],
            );
        }
        (_, true) => {
            let topic = paths.of(entity.key);
            pairs(body, &[("~", &topic), ("stat_t", "~"), ("cmd_t", "~/set")]);
        }
        (_, false) => pairs(body, &[("cmd_t", &paths.set(entity.key))]),
    }
    match entity.platform {
        // Its class `switch` is the one without a class.
        Platform::Switch => pairs(body, &[("pl_on", "on"), ("pl_off", "off")]),
        Platform::Select => {
            body.insert("ops".into(), json!(entity.words()));
        }
        Platform::Number => {
            text(body, "dev_cla", entity.class);
            text(body, "unit_of_meas", entity.unit);
            limits(body, entity.limits, car);
        }
        Platform::Cover => {
            text(body, "dev_cla", entity.class);
            pairs(body, &[("pl_open", "open")]);
            let close = closes_by_itself(entity, car).then_some("close");
            body.insert("pl_cls".into(), close.into());
            body.insert("pl_stop".into(), Json::Null);
        }
        Platform::Lock => pairs(
            body,
            &[
                ("pl_lock", "lock"),
                ("pl_unlk", "unlock"),
                ("stat_locked", "locked"),
                ("stat_unlocked", "unlocked"),
            ],
        ),
        Platform::Climate => {
            body.insert("modes".into(), json!(entity.words()));
            body.insert("curr_temp_t".into(), paths.of("inside_temp").into());
            pairs(body, &[("temp_unit", "C")]);
        }
        Platform::Update => {
            pairs(body, &[("dev_cla", "firmware"), ("pl_inst", "install")]);
        }
        Platform::Text => {
            body.insert("min".into(), 1.into());
        }
        Platform::Button
        | Platform::Sensor
        | Platform::BinarySensor
        | Platform::DeviceTracker
        | Platform::Event => {}
    }
}

/// No car closes its frunk, and a trunk only with a power lift gate.
fn closes_by_itself(entity: &Entity, car: &Vehicle) -> bool {
    match entity.key {
        "frunk" => false,
        "trunk" => car.truth("vehicle_config.plg") == Some(true),
        _ => true,
    }
}

/// The car may narrow the limits, and sends 0 for "no idea" when unplugged.
fn limits(body: &mut Body, limits: Option<Limits>, car: &Vehicle) {
    let Some(limits) = limits else { return };
    let of_car = |path: &str, usual: f64| car.number(path).filter(|n| *n > 0.0).unwrap_or(usual);
    let min = of_car(limits.min_of, limits.min);
    let max = of_car(limits.max_of, limits.max);
    let (min, max) = if min < max {
        (min, max)
    } else {
        (limits.min, limits.max)
    };
    let assumed = [
        ("min", min, 1.0),
        ("max", max, 100.0),
        ("step", limits.step, 1.0),
    ];
    for (key, value, assumed) in assumed {
        if value.to_bits() != f64::to_bits(assumed) {
            body.insert(key.into(), number(value));
        }
    }
}

fn pairs(body: &mut Body, all: &[(&str, &str)]) {
    for (key, value) in all {
        text(body, key, value);
    }
}

fn text(body: &mut Body, key: &str, value: &str) {
    if !value.is_empty() {
        body.insert(key.into(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn home_assistant_guesses_no_decimals_of_a_derived_number() {
        let is_measured = |entity: &&Entity| {
            let is_shown_as_sent = entity.class.is_empty() || entity.unit == "%";
            let is_sensor = read_only(entity).is_some_and(|face| face.platform == Platform::Sensor);
            is_sensor
                && !entity.unit.is_empty()
                && !is_shown_as_sent
                && entity.class != "temperature"
        };
        let entities: Vec<&Entity> = catalogue::entities().filter(is_measured).collect();
        assert!(entities.iter().any(|entity| entity.key == "charger_power"));
        for entity in entities {
            assert!(decimals(entity).is_some(), "{}", entity.key);
        }
    }
}
