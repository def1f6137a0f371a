//! What a failed call means for a car: what its policy is told, when its calls are made again, and
//! from when on the owner is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LONG_LIMIT;
use crate::backoff::Backoff;

/// Why a call did not succeed, by what the policy does next (sleep policy, section 5.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// 408 on data: asleep or out of reach. Not an error.
    Unavailable,
    /// No answer, a connection lost, or a body that is no answer (HTML, truncated, empty).
    Transport,
    /// 5xx, 540, 503.
    Server,
    /// 429, with the wait that Tesla asked for.
    Limited {
        /// From `Retry-After`, either form; `None` when absent or garbage.
        retry_after: Option<Duration>,
    },
    /// 401 even after the account's one refresh, or the account is signed out.
    SignedOut,
    /// 403 `EXCEEDED_LIMIT`: the billing limit of the app is reached.
    BillingLimit,
    /// 403: Tesla refuses this client, a firewall page, or 402, 418, 423, 451. Back off for long.
    Refused,
    /// 403 missing scope, for the endpoint asked.
    MissingScope,
    /// A refusal against better evidence, such as the token's own claims: as likely as not it
    /// passes.
    Doubted,
    /// 404: three in a row mean that the car may be gone.
    NotFound,
    /// 405: the car is at service.
    InService,
    /// 412 or 421 that the account could not cure. Back off for long.
    Region,
    /// The account's budget or rate cap did not allow the call; it was not sent.
    NotPermitted {
        /// Not before.
        retry_after: Duration,
    },
}

impl Failure {
    /// Whether it was this login that was refused: of another one it says nothing.
    pub const fn is_of_login(self) -> bool {
        matches!(
            self,
            Self::SignedOut
                | Self::Refused
                | Self::Region
                | Self::Doubted
                | Self::BillingLimit
                | Self::MissingScope
        )
    }
}

/// What a failure means for a car.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForCar {
    /// What the policy is told.
    pub failure: Failure,
    /// When the call is made again; `None` where that is not for this failure to say.
    pub waits: Option<CarWaits>,
    /// Whether the answer tells how the car is: one that does not leaves the bridge without
    /// knowledge of it, and for long that makes it unavailable.
    pub tells_of_it: bool,
    /// From which failure since the call last worked on the owner is told; `None` where something
    /// else tells.
    pub told_from: Option<u32>,
}

/// The waits of a car's calls, which fare differently.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarWaits {
    /// Of light calls.
    pub light: Backoff,
    /// Of data calls.
    pub data: Backoff,
}

impl ForCar {
    /// Whether the owner is told of the `n`-th such failure since the call last worked, where Tesla
    /// `asked` for a wait: the rule by which a car is unhealthy, and by which it is said why.
    pub fn is_told(&self, n: u32, asked: Option<Duration>) -> bool {
        let is_long = asked.is_some_and(|wait| wait > LONG_LIMIT);
        self.told_from.is_some_and(|from| n >= from || is_long)
    }
}
