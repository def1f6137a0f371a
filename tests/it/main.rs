//! One integration binary, a file a behaviour.

mod catalogue;
mod config;
mod policy;
mod sim_cloud;
