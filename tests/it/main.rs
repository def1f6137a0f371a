//! One integration binary, a file a behaviour.

mod api;
mod api_rig;
mod api_tls;
mod catalogue;
mod child;
mod config;
mod config_example;
mod config_mistakes;
mod config_program;
mod decode;
mod discovery;
mod integrations;
mod kills;
mod log;
mod login;
mod mqtt;
mod outbox;
mod packaging;
mod policy;
mod purity;
mod recordings;
mod rig;
mod service;
mod sim_cloud;
mod sim_login;
