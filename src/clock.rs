//! The one place that reads the clocks. Everything else takes [`Now`] as an argument, so that
//! months of a car's life can be played in milliseconds.
//!
//! The demo lets both clocks run faster than the world ([`run_at_speed`]); broker and HTTP
//! time-outs stay real.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::model::Now;

struct Epoch {
    instant: Instant,
    wall: Timestamp,
    speed: f64,
}

static EPOCH: OnceLock<Epoch> = OnceLock::new();

#[expect(clippy::disallowed_methods, reason = "the clock's own home")]
fn epoch_at(speed: f64) -> Epoch {
    Epoch {
        instant: Instant::now(),
        wall: Timestamp::now(),
        speed,
    }
}

fn epoch() -> &'static Epoch {
    EPOCH.get_or_init(|| epoch_at(1.0))
}

/// Makes both clocks of this process run `speed` times as fast as the world. Only before the
/// first [`now`]; later calls change nothing. Speeds below 1 and beyond 3600 are clamped.
pub fn run_at_speed(speed: f64) {
    run_at_speed_since(speed, real_wall());
}

/// The same, with the calendar as if it had run so fast since `since`: processes that share it live
/// in one world. A `since` in the future is taken for the present.
pub fn run_at_speed_since(speed: f64, since: Timestamp) {
    EPOCH.get_or_init(|| {
        let epoch = epoch_at(speed.clamp(1.0, 3600.0));
        let passed = epoch.wall.duration_since(since);
        let passed = Duration::try_from(passed).unwrap_or_default();
        Epoch {
            wall: since + passed.mul_f64(epoch.speed),
            ..epoch
        }
    });
}

/// The calendar of the world outside, whatever speed this process runs at.
#[expect(clippy::disallowed_methods, reason = "the clock's own home")]
pub fn real_wall() -> Timestamp {
    Timestamp::now()
}

/// Both clocks, read together. The monotonic one starts at zero with the first call.
#[expect(clippy::disallowed_methods, reason = "the clock's own home")]
pub fn now() -> Now {
    let epoch = epoch();
    let real = epoch.instant.elapsed();
    if is_real_time(epoch) {
        return Now {
            mono: real,
            wall: Timestamp::now(),
        };
    }
    let mono = real.mul_f64(epoch.speed);
    Now {
        mono,
        wall: epoch.wall + mono,
    }
}

fn is_real_time(epoch: &Epoch) -> bool {
    epoch.speed <= 1.0
}

/// Real time since the process's first look at the clock: for time-outs of sockets, which no demo
/// speeds up.
pub fn uptime() -> Duration {
    epoch().instant.elapsed()
}

/// How fast the clocks of [`now`] run, 1 being as the world's.
pub fn speed() -> f64 {
    epoch().speed
}

/// The instant of an [`uptime`], for tokio's timers.
pub fn instant_of(uptime: Duration) -> tokio::time::Instant {
    tokio::time::Instant::from_std(epoch().instant + uptime)
}

/// Longer than anything waits; a timer cannot hold `Duration::MAX`.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// Sleeps until a monotonic time of [`now`], a year at most.
pub async fn sleep_until(mono: Duration) {
    let mono = mono.min(now().mono + YEAR);
    let uptime = mono.div_f64(epoch().speed);
    tokio::time::sleep_until(instant_of(uptime)).await;
}
