//! One integration binary, a file a behaviour.

mod child;
mod config;
mod config_example;
mod config_mistakes;
mod log;
mod packaging;
mod service;
