//! One integration binary, a file a behaviour.

mod api;
mod api_rig;
mod api_tls;
mod login;
