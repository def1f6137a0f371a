//! Tesla → MQTT bridge.
//!
//! Values flow one way through pure rooms and come in and go out through thin edges; the picture
//! and the invariants are in ARCHITECTURE.md. Modules in reading order:
//!
//! * [`model`]: a VIN, a signal, an observation, a vehicle with the newest value of each signal
//! * [`decode`]: Tesla's answers → observations
//! * [`logbook`]: what follows from values over time: drives, charges, energy in all
//! * [`policy`]: when to ask what, so that cars sleep and the bill stays small
//! * [`catalogue`]: the table of every fact that is published
//! * [`topics`]: vehicle + catalogue → MQTT topics and payloads
//! * [`discovery`]: vehicle + catalogue → Home Assistant's device discovery messages
//! * [`command`]: what automations may say to the bridge → words for the policy
//! * [`compat`]: vehicle → the topic trees of other bridges, for those who switch
//! * [`outbox`]: the newest payload of each topic, and what the broker has not seen yet
//! * [`config`]: file, environment and credentials → settings
//! * [`api`], [`mqtt`], [`broker`], [`service`], [`log`], [`clock`], [`chance`], [`durable`]: the
//!   edges
//! * [`bridge`]: the wiring: one task a car, two an account, two for the broker
//! * [`estimate`]: what following a car would cost, played in virtual time
//! * [`sim`]: a Tesla cloud on loopback, for the demo, the tests and the benchmarks

pub mod api;
pub mod bridge;
#[cfg(feature = "broker")]
pub mod broker;
pub mod catalogue;
pub mod chance;
#[cfg(test)]
#[path = "../tests/it/ci.rs"]
mod ci;
pub mod cli;
pub mod clock;
pub mod command;
pub mod compat;
pub mod config;
pub mod decode;
pub mod discovery;
pub mod durable;
pub mod estimate;
pub mod log;
pub mod logbook;
pub mod model;
pub mod mqtt;
pub mod outbox;
pub mod policy;
pub mod service;
pub mod sim;
pub mod topics;
