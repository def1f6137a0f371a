//! One integration binary, a file a behaviour.

mod catalogue;
mod config;
mod recordings;
mod sim_cloud;
