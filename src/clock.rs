//! The one place that reads the clocks. Everything else takes [`Now`] as an argument, so that
//! months of a car's life can be played in milliseconds.

use std::sync::LazyLock;
use std::time::Instant;

use crate::model::Now;

#[expect(clippy::disallowed_methods, reason = "the clock's own home")]
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Both clocks, read together. The monotonic one starts at zero with the first call.
#[expect(clippy::disallowed_methods, reason = "the clock's own home")]
pub fn now() -> Now {
    Now {
        mono: STARTED.elapsed(),
        wall: jiff::Timestamp::now(),
    }
}

/// The tokio instant that corresponds to a monotonic time of [`now`], for sleeping until it.
pub fn instant_of(mono: std::time::Duration) -> tokio::time::Instant {
    tokio::time::Instant::from_std(*STARTED + mono)
}
