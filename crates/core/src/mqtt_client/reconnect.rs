//! How long to wait before the next attempt to connect.
//!
//! A broker on the owner's network is tried again quickly and for ever, because everything is to
//! be back within a second of its return. Who refuses us is asked rarely: some brokers (the one
//! inside the bridge's crate among them) lock a client out after five wrong passwords.

use std::time::Duration;

use super::failure::BrokerFailureKind as Kind;
use crate::backoff::{Backoff, Jitter};

/// A connection that lasted less than this does not count as a success. Longer than the longest
/// wait below: two clients with one id throw each other out in the rhythm of their waits, and
/// must not be taken for stable.
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(40);

const fn schedule(first_ms: u64, cap_ms: u64) -> Backoff {
    Backoff::fixed(
        Duration::from_millis(first_ms),
        Duration::from_millis(cap_ms),
        Jitter::AROUND,
    )
}

const AWAY: Backoff = schedule(400, 400);
/// The names and the routes of a network that is just starting.
const SLOW: Backoff = schedule(400, 2_500);
const ENDED: Backoff = schedule(400, 20_000);
/// Each wait of [`ENDED`] is repeated: it takes some short connections to find out over which
/// topic they end.
const REPEATS: u32 = 3;
const REFUSED: Backoff = schedule(25_000, 25_000);

/// The wait before the next attempt. `n_in_a_row` counts the attempts that failed in a row, this
/// one included; `chance` is a number from 0 to 1.
pub(super) fn before_retry(kind: Kind, n_in_a_row: u32, chance: f64) -> Duration {
    match kind {
        Kind::Unreachable => AWAY.wait(n_in_a_row, chance),
        Kind::Slow => SLOW.wait(n_in_a_row, chance),
        Kind::Dropped | Kind::HungUp => ENDED.wait(n_in_a_row.div_ceil(REPEATS), chance),
        Kind::Refused
        | Kind::OnlyQos0
        | Kind::NotRetained
        | Kind::Tls
        | Kind::TakenOver
        | Kind::Settings => REFUSED.wait(n_in_a_row, chance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_down_is_tried_at_least_twice_a_second_for_ever() {
        for failed in [1, 10, 10_000] {
            let wait = before_retry(Kind::Unreachable, failed, 1.0);
            assert!(wait <= Duration::from_millis(500));
            let wait = before_retry(Kind::Unreachable, failed, 0.0);
            assert!(wait >= Duration::from_millis(200));
        }
    }

    #[test]
    fn who_refuses_us_is_asked_less_often_than_lockouts_count() {
        let wait = before_retry(Kind::Refused, 1, 0.0);
        assert!(wait * 5 > Duration::from_mins(1));
    }

    #[test]
    fn short_connections_are_repeated_more_and_more_slowly() {
        let waits = [1, 6, 9, 20, 99].map(|failed| before_retry(Kind::Dropped, failed, 1.0));
        assert!(waits.is_sorted());
    }

    /// Two bridges with one id, which waited for up to 35 s each time, had counted every other
    /// connection as a success, and told the log of each.
    #[test]
    fn no_wait_is_as_long_as_a_connection_must_last() {
        /// The time that the connection itself may take.
        const CONNECT: Duration = Duration::from_secs(4);
        for kind in [
            Kind::Unreachable,
            Kind::Slow,
            Kind::Dropped,
            Kind::HungUp,
            Kind::Refused,
            Kind::OnlyQos0,
            Kind::NotRetained,
            Kind::Tls,
            Kind::TakenOver,
            Kind::Settings,
        ] {
            for failed in (1..100).chain([10_000]) {
                let wait = before_retry(kind, failed, 1.0);
                assert!(wait + CONNECT < STABLE_AFTER, "{kind:?} {failed}: {wait:?}");
            }
        }
    }
}
