//! What the end-to-end tests stand on: the real binary, a subscriber of our own, conditions with
//! deadlines instead of sleeps.
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    reason = "for tests: names tell, and a panic is how they fail"
)]

pub mod car_topics;
pub mod ci;
pub mod program;
pub mod running;
pub mod segments;
pub mod subscriber;
pub mod tls;
pub mod world;

use std::time::{Duration, Instant};

/// Waits until `holds` says true; panics with `what` after `limit`.
pub async fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let end = deadline(limit);
    while !holds() {
        assert!(left(end) > Duration::ZERO, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real processes are waited for in real time"
)]
pub fn deadline(limit: Duration) -> Instant {
    Instant::now() + limit
}

#[expect(
    clippy::disallowed_methods,
    reason = "real processes are waited for in real time"
)]
pub fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}
