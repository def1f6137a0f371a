//! How long to wait before the next attempt to connect. Pure: the jitter comes in as a number.
//!
//! A broker on the owner's network is tried again quickly and for ever, because everything is to
//! be back within a second of its return. Who refuses us is asked rarely: some brokers (the one
//! inside the bridge's crate among them) lock a client out after five wrong passwords.

use std::time::Duration;

use super::failure::BrokerFailureKind;

/// A connection that lasted less than this does not count as a success. Longer than the longest
/// wait below: two clients with one id throw each other out in the rhythm of their waits, and
/// must not be taken for stable.
pub(super) const SHORT: Duration = Duration::from_secs(40);

/// The wait before the next attempt. `failed` counts the attempts that failed in a row, this one
/// included; `jitter` is a number from 0 to 1.
pub(super) fn before_retry(kind: BrokerFailureKind, failed: u32, jitter: f64) -> Duration {
    let (from_ms, to_ms): (u32, u32) = match kind {
        BrokerFailureKind::Unreachable => (200, 500),
        // The names and the routes of a network that is just starting.
        BrokerFailureKind::Slow => match failed {
            0..=2 => (200, 500),
            3..=5 => (500, 1_000),
            _ => (1_000, 3_000),
        },
        BrokerFailureKind::Dropped | BrokerFailureKind::HungUp => match failed {
            0..=4 => (200, 500),
            5..=7 => (500, 1_000),
            8..=10 => (1_000, 3_000),
            11..=20 => (3_000, 6_000),
            _ => (15_000, 20_000),
        },
        BrokerFailureKind::Refused
        | BrokerFailureKind::OnlyQos0
        | BrokerFailureKind::NotRetained
        | BrokerFailureKind::Tls
        | BrokerFailureKind::TakenOver
        | BrokerFailureKind::Settings => (25_000, 35_000),
    };
    let spread = f64::from(to_ms - from_ms) * jitter.clamp(0.0, 1.0);
    Duration::from_millis(from_ms.into()) + Duration::from_secs_f64(spread / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_down_is_tried_at_least_twice_a_second_for_ever() {
        for failed in [1, 10, 10_000] {
            let pause = before_retry(BrokerFailureKind::Unreachable, failed, 1.0);
            assert!(pause <= Duration::from_millis(500));
            let pause = before_retry(BrokerFailureKind::Unreachable, failed, 0.0);
            assert!(pause >= Duration::from_millis(200));
        }
    }

    #[test]
    fn who_refuses_us_is_asked_less_often_than_lockouts_count() {
        let pause = before_retry(BrokerFailureKind::Refused, 1, 0.0);
        assert!(pause * 5 > Duration::from_mins(1));
    }

    #[test]
    fn short_connections_are_repeated_more_and_more_slowly() {
        let pauses =
            [1, 6, 9, 20, 99].map(|failed| before_retry(BrokerFailureKind::Dropped, failed, 1.0));
        assert!(pauses.is_sorted());
    }

    /// Two bridges with one id, which waited for up to 35 s each time, had counted every other
    /// connection as a success, and told the log of each.
    #[test]
    fn no_wait_is_as_long_as_a_connection_must_last() {
        /// The time that the connection itself may take.
        const CONNECT: Duration = Duration::from_secs(4);
        for kind in [
            BrokerFailureKind::Unreachable,
            BrokerFailureKind::Slow,
            BrokerFailureKind::Dropped,
            BrokerFailureKind::HungUp,
            BrokerFailureKind::Refused,
            BrokerFailureKind::OnlyQos0,
            BrokerFailureKind::NotRetained,
            BrokerFailureKind::Tls,
            BrokerFailureKind::TakenOver,
            BrokerFailureKind::Settings,
        ] {
            for failed in (1..100).chain([10_000]) {
                let pause = before_retry(kind, failed, 1.0);
                assert!(pause + CONNECT < SHORT, "{kind:?} {failed}: {pause:?}");
            }
        }
    }
}
