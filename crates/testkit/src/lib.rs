//! What the end-to-end tests stand on: the real binary, a subscriber of our own, conditions with
//! deadlines instead of sleeps.
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    reason = "for tests: names tell, and a panic is how they fail"
)]

pub mod ci;
pub mod ports;
pub mod program;
pub mod running;
pub mod segments;
pub mod subscriber;
pub mod tls;
pub mod world;

use std::time::{Duration, Instant};

/// For whatever is waited for: no measure, but an end where it never comes. A busy machine may take
/// many times as long as an idle one.
pub const SOON: Duration = Duration::from_mins(1);

/// For a program that was told to end, as [`SOON`], but less than what it must not wait for: a call
/// that hangs is given up after half a minute. The promised two seconds are measured by
/// `benches/numbers.rs`.
pub const END: Duration = Duration::from_secs(15);

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
