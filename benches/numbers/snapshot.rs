//! The work of a first full snapshot, without a socket: what `vehicle_data` showed becomes topics
//! and the discovery message, and these the packets of an outbox that has just been connected.

use std::time::Duration;

use tesla2mqtt::decode::vehicle_data::vehicle_data;
use tesla2mqtt::discovery::{self, AnnounceStep, Announced, Announcer, EntityPrefixes, Setup};
use tesla2mqtt::model::{Now, Vehicle};
use tesla2mqtt::outbox::Outbox;
use tesla2mqtt::outbox::Publish;
use tesla2mqtt::sim::body::{self, Endpoints, Ids};
use tesla2mqtt::sim::{Car, CarSpec};
use tesla2mqtt::topics::{CarTopics, Paths};

const BASE: &str = "tesla2mqtt";

/// How long it took each time, and how many packets there were to send.
pub(crate) fn first_of_a_car(times: usize) -> (Vec<Duration>, usize) {
    let now = Now {
        mono: Duration::from_secs(1),
        wall: "2026-11-23T12:00:00Z".parse().expect("a time"),
    };
    let mut spec = CarSpec::demo_model_x();
    spec.awake_at_start = true;
    let mut car = Car::new(spec.clone(), now.wall);
    let view = car.data(now.wall).expect("awake");
    let asked = Endpoints::parse(Some("vehicle_data_combo;location_data"));
    let answer = body::vehicle_data(&spec, Ids::of(1), &view, &asked);
    let answer = serde_json::json!({ "response": answer }).to_string();
    let decoded = vehicle_data(answer.as_bytes(), now).expect("an answer");
    let mut n_packets = 0;
    let mut samples = Vec::new();
    for _ in 0..times {
        let mut vehicle = Vehicle::new(spec.vin.clone());
        let seen = decoded.observations.clone();
        let begun = super::now();
        for observation in &seen {
            vehicle.apply(observation);
        }
        n_packets = packets(&vehicle, now);
        samples.push(super::now() - begun);
    }
    (samples, n_packets)
}

fn packets(car: &Vehicle, now: Now) -> usize {
    let mut outbox = Outbox::new(BASE);
    outbox.connected(1 << 20);
    let paths = Paths::new(BASE, &car.id(), None);
    let mut topics = CarTopics::new(paths.clone());
    topics
        .available(true)
        .into_iter()
        .for_each(|m| outbox.put(m));
    topics.changed(car).into_iter().for_each(|m| outbox.put(m));
    let setup = Setup {
        prefix: "homeassistant".into(),
        base: BASE.into(),
        version: "0".into(),
        commands: false,
        entity_prefixes: EntityPrefixes::default(),
    };
    let mut announcer = Announcer::new(Announced::default());
    announcer.connection(now, true);
    announcer.offer(now, discovery::car(car, &paths, &setup));
    if let AnnounceStep::Publish { topic, payload, .. } = announcer.next(now) {
        outbox.put(Publish::State { topic, payload });
    }
    let mut n_packets = 0;
    while let Some(packet) = outbox.next_packet() {
        outbox.acknowledged(packet.ticket);
        n_packets += 1;
    }
    assert!(n_packets > 100, "only {n_packets} packets");
    n_packets
}
