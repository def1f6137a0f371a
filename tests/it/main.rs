//! One integration binary, a file a behaviour.

mod catalogue;
mod sim_cloud;
