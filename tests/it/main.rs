//! One integration binary, a file a behaviour.

mod catalogue;
mod config;
mod discovery;
mod recordings;
mod sim_cloud;
