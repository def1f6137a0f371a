//! What is published about a car that has everything, when its owner allows commands and takes
//! that back: a line of JSON a message, for tests/homeassistant. The simulator has no such car,
//! and controls are announced to nobody else yet.
//!
//! `cargo run --example full_car`

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tesla2mqtt::catalogue::{Extractor, entities};
use tesla2mqtt::decode::vehicle_data::vehicle_data;
use tesla2mqtt::discovery::{self, AnnounceStep, Announced, Announcer, EntityPrefixes, Setup};
use tesla2mqtt::model::{Now, Observation, Signal, Source, Value, Vehicle, Vin};
use tesla2mqtt::outbox::Publish;
use tesla2mqtt::sim::body::{self, Endpoints, Ids};
use tesla2mqtt::sim::{Car, CarSpec};
use tesla2mqtt::topics::{CarTopics, Paths};

const VIN: &str = "7SAXCBE50NF000099";
/// Between two messages, and more than the bridge waits.
const STEP: Duration = Duration::from_mins(1);

fn main() -> anyhow::Result<()> {
    let at: Timestamp = "2026-11-23T12:00:00Z".parse()?;
    let car = full_car(at)?;
    let paths = Paths::new("tesla2mqtt", &car.id(), None);
    let mut topics = CarTopics::new(paths.clone());
    say("states", topics.available(true).into_iter());
    say("states", topics.changed(&car).into_iter());
    let mut announcer = Announcer::new(Announced::default());
    let mut now = Now {
        mono: STEP,
        wall: at,
    };
    announcer.connection(now, true);
    announcer.birth();
    let steps = [
        ("reading", false),
        ("commands allowed", true),
        ("commands taken back", false),
    ];
    for (step, commands) in steps {
        let setup = Setup {
            prefix: "homeassistant".into(),
            base: "tesla2mqtt".into(),
            version: "0".into(),
            commands,
            entity_prefixes: EntityPrefixes::default(),
        };
        announcer.offer(now, discovery::car(&car, &paths, &setup));
        loop {
            now.mono += STEP;
            match announcer.next(now) {
                AnnounceStep::Publish { topic, payload, .. } => {
                    say(step, std::iter::once(Publish::State { topic, payload }));
                }
                AnnounceStep::Wait(until) => now.mono = now.mono.max(until),
                AnnounceStep::Idle => break,
            }
        }
    }
    Ok(())
}

fn say(step: &str, messages: impl Iterator<Item = Publish>) {
    for message in messages {
        if let Publish::State { topic, payload } = message {
            println!(
                "{}",
                json!({ "step": step, "topic": topic, "payload": &*payload })
            );
        }
    }
}

/// The simulator's Model X, and a value for every signal that it does not send.
fn full_car(at: Timestamp) -> anyhow::Result<Vehicle> {
    let mut spec = CarSpec::demo_model_x();
    spec.vin = Vin::new(VIN)?;
    "Full car".clone_into(&mut spec.name);
    spec.awake_at_start = true;
    let mut living = Car::new(spec.clone(), at);
    let view = living
        .data(at)
        .ok_or_else(|| anyhow::anyhow!("the car sleeps"))?;
    let everything = Endpoints::parse(Some("vehicle_data_combo;location_data"));
    let answer = body::vehicle_data(&spec, Ids::of(1), &view, &everything);
    let answer = serde_json::to_vec(&json!({ "response": answer }))?;
    let received = Now {
        mono: Duration::ZERO,
        wall: at,
    };
    let mut car = Vehicle::new(spec.vin);
    for seen in vehicle_data(&answer, received)?.observations {
        car.apply(&seen);
    }
    let more = [
        ("vehicle_config.rear_seat_heaters", Value::Int(3)),
        ("vehicle_config.third_row_seats", text("FuturisFoldFlat")),
        ("vehicle_config.has_seat_cooling", Value::Bool(true)),
        ("vehicle_config.sun_roof_installed", Value::Int(2)),
        ("vehicle_state.sun_roof_state", text("closed")),
        ("vehicle_config.pws", Value::Bool(true)),
        ("vehicle_state.homelink_device_count", Value::Int(1)),
        ("bridge.state", text("online")),
        ("bridge.class", text("not_held")),
        ("bridge.belief", text("learned")),
        ("bridge.holds", text("none")),
    ];
    let missing = entities()
        .flat_map(|row| {
            row.extractor
                .signals()
                .iter()
                .map(move |path| (*path, row.extractor))
        })
        .filter(|(path, _)| car.value(path).is_none())
        .map(|(path, reading)| (path, typical(reading, at)));
    let signals: Vec<(Signal, Option<Value>)> = missing
        .chain(more)
        .map(|(path, value)| (Signal::new(path), Some(value)))
        .collect();
    car.apply(&Observation {
        source: Source::Data,
        at: at + STEP,
        whole_groups: Vec::new(),
        signals,
    });
    Ok(car)
}

fn typical(reading: Extractor, at: Timestamp) -> Value {
    match reading {
        Extractor::Word(_, words) => words
            .first()
            .map_or_else(|| text("?"), |(word, _)| text(word)),
        Extractor::Is(_, words) => words.first().map_or_else(|| text("?"), |word| text(word)),
        Extractor::Snake(_) | Extractor::Text(_) => text("Simulated"),
        Extractor::Time(_) => Value::Int(at.as_second()),
        Extractor::Truth(_) | Extractor::Either(..) => Value::Bool(true),
        _ => Value::Int(1),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
