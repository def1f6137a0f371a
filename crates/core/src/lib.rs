//! The pure middle of tesla2mqtt: values in, values out, `now` an argument.
//!
//! This crate has neither tokio nor an HTTP or MQTT client nor a clock among its dependencies, so
//! that months of a car's life can be played in milliseconds. Modules in reading order:
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

pub mod backoff;
pub mod catalogue;
pub mod command;
pub mod compat;
pub mod decode;
pub mod device;
pub mod discovery;
pub mod failure;
pub mod hint;
pub mod model;
pub mod mqtt_client;
pub mod outbox;
pub mod policy;
pub mod publisher;
mod random;
pub mod retained;
pub mod topics;
pub mod trips;
