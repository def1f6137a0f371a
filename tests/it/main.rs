//! One integration binary, a file a behaviour.

mod catalogue;
mod config;
mod sim_cloud;
