//! One integration binary, a file a behaviour.

mod catalogue;
mod config;
mod decode;
mod discovery;
mod recordings;
mod sim_cloud;
