//! One integration binary, a file a behaviour.

mod sim_cloud;
