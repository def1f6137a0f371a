//! One integration binary, a file a behaviour.

mod catalogue;
mod child;
mod config;
mod config_example;
mod config_mistakes;
mod integrations;
mod log;
mod service;
mod sim_cloud;
