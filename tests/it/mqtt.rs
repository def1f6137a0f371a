//! The broker connection against a real broker on loopback, through a proxy that misbehaves.

mod broker;
mod clear;
mod fake;
mod incoming;
mod log;
mod manners;
mod mosquitto;
mod outage;
mod refusal;
mod rig;
mod shutdown;
mod sizes;
mod tls;
