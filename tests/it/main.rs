//! One integration binary, a file a behaviour.

mod mqtt;
mod outbox;
