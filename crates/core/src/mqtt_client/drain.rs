//! The end of the last connection: the last values, `offline`, and time to hear that they have
//! arrived.

use std::time::Duration;

/// Time for the last values, `offline` and their acknowledgements.
pub const DRAIN_MAX: Duration = Duration::from_millis(1200);
/// When `offline` is sent even if values are left, and how long its acknowledgement may take.
const VALUES_MAX: Duration = Duration::from_millis(700);
const OFFLINE_MAX: Duration = Duration::from_secs(1);

/// How the client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainOutcome {
    /// Whether `offline` was acknowledged.
    pub offline_acknowledged: bool,
    /// Messages that the broker has not acknowledged.
    pub n_lost: usize,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// The last values are sent and acknowledged.
    Values { begun: Duration },
    /// So is `offline`.
    Offline {
        begun: Duration,
        /// Values that were not acknowledged.
        n_left: usize,
        /// The broker has not refused it.
        is_taken: bool,
    },
    /// The broker reads the rest and closes.
    Disconnecting {
        begun: Duration,
        outcome: DrainOutcome,
    },
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrainStep {
    /// Wait for acknowledgements.
    Wait,
    /// Publish `offline`.
    PublishOffline,
    /// Send the DISCONNECT, which takes the will back.
    Disconnect,
    /// The broker must publish the will: no DISCONNECT.
    LeaveWill,
    /// It is over.
    End(DrainOutcome),
}

impl Drain {
    /// It begins at `now`.
    pub(super) fn begin(now: Duration) -> Self {
        Self::Values { begun: now }
    }

    /// `offline` was acknowledged or refused.
    pub(super) fn state_answered(&mut self, is_accepted: bool) {
        if let Self::Offline { is_taken, .. } = self {
            *is_taken = is_accepted;
        }
    }

    /// Goes on at `now`; `n_left` messages are not acknowledged.
    pub(super) fn advance(&mut self, n_left: usize, now: Duration) -> DrainStep {
        match *self {
            Self::Values { begun } if n_left == 0 || now >= begun + VALUES_MAX => {
                *self = Self::Offline {
                    begun,
                    n_left,
                    is_taken: true,
                };
                DrainStep::PublishOffline
            }
            Self::Offline {
                begun,
                n_left: n_values,
                is_taken,
            } if n_left == 0 || now >= begun + OFFLINE_MAX => {
                let offline_acknowledged = n_left == 0 && is_taken;
                let outcome = DrainOutcome {
                    offline_acknowledged,
                    n_lost: if offline_acknowledged {
                        0
                    } else {
                        n_values.max(1)
                    },
                };
                *self = Self::Disconnecting { begun, outcome };
                if offline_acknowledged {
                    DrainStep::Disconnect
                } else {
                    DrainStep::LeaveWill
                }
            }
            Self::Disconnecting { begun, outcome } if now >= begun + DRAIN_MAX => {
                DrainStep::End(outcome)
            }
            _ => DrainStep::Wait,
        }
    }

    /// The connection has ended; `n_left` messages are not acknowledged.
    pub(super) fn lost(&self, n_left: usize) -> DrainOutcome {
        match self {
            Self::Disconnecting { outcome, .. } => *outcome,
            Self::Values { .. } => DrainOutcome {
                offline_acknowledged: false,
                n_lost: n_left.max(1),
            },
            Self::Offline { n_left, .. } => DrainOutcome {
                offline_acknowledged: false,
                n_lost: (*n_left).max(1),
            },
        }
    }

    /// Whether messages are still sent.
    pub(super) fn sends(&self) -> bool {
        !matches!(self, Self::Disconnecting { .. })
    }

    /// Monotonic time at which it goes on by itself.
    pub(super) fn due_at(&self) -> Duration {
        match self {
            Self::Values { begun } => *begun + VALUES_MAX,
            Self::Offline { begun, .. } => *begun + OFFLINE_MAX,
            Self::Disconnecting { begun, .. } => *begun + DRAIN_MAX,
        }
    }
}
