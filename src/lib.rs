//! Tesla → MQTT bridge.
//!
//! Values flow one way through pure rooms and come in and go out through thin edges; the picture
//! and the invariants are in ARCHITECTURE.md. Modules in reading order:
//!
//! * [`backoff`]: how long to wait before what failed is tried again
//! * [`failure`]: every way in which a call can fail, and what it means for whom
//! * [`model`]: a VIN, a signal, an observation, a vehicle with the newest value of each signal
//! * [`decode`]: Tesla's answers → observations
//! * [`trips`]: what follows from values over time: drives, charges, energy in all
//! * [`policy`]: when to ask what, so that cars sleep and the bill stays small
//! * [`catalogue`]: the table of every fact that is published
//! * [`topics`]: vehicle + catalogue → MQTT topics and payloads
//! * [`discovery`]: vehicle + catalogue → Home Assistant's device discovery messages
//! * [`command`]: what automations may say to the bridge → words for the policy
//! * [`compat`]: vehicle → the topic trees of other bridges, for those who switch
//! * [`device`]: one device, whole: values in, calls and messages out
//! * [`publisher`]: what the bridge says of itself, and how it and a device say what they say
//! * [`outbox`]: the newest payload of each topic, and what the broker has not seen yet
//! * [`mqtt_client`]: the connection to the broker, without its socket
//! * [`hint`]: the part of an error that says what to do
//! * [`retained`]: what is retained at the broker, and whose it is
//! * [`config`]: file, environment and credentials → settings
//! * [`api`], [`mqtt`], [`broker`], [`service`], [`log`], [`clock`], `rng`, [`atomic_file`]: the
//!   edges
//! * [`bridge`]: the wiring: one task a car, two an account, one for the broker
//! * [`estimate`]: what following a car would cost, played in virtual time
//! * [`sim`]: a Tesla cloud on loopback, for the demo, the tests and the benchmarks

pub use tesla2mqtt_core::{
    backoff, catalogue, command, compat, decode, device, discovery, failure, hint, model,
    mqtt_client, outbox, policy, publisher, retained, topics, trips,
};
pub use tesla2mqtt_sim as sim;

pub mod api;
pub mod atomic_file;
pub mod bridge;
#[cfg(feature = "broker")]
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod estimate;
pub mod log;
pub mod mqtt;
mod rng;
pub mod service;
