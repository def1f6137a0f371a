//! What a session hands out, and how it is asked.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;
use url::Url;

use crate::api::error::ApiError;
use crate::clock;

/// What a call needs.
#[derive(Debug)]
pub(crate) struct AccessGrant {
    /// The access token.
    pub token: SecretString,
    /// Where to call.
    pub base: Url,
    /// Counts the access grants: says which one was refused.
    pub generation: u64,
    /// Monotonic end of life.
    pub usable_until: Duration,
    /// Scopes that the token claims; empty where it does not tell.
    pub scopes: Vec<String>,
}

impl AccessGrant {
    /// Whether the token lives.
    pub(crate) fn is_usable(&self) -> bool {
        clock::now().mono < self.usable_until
    }
}

/// What callers ask of the task.
pub(crate) enum SessionRequest {
    /// A usable access grant, other than the refused one.
    Access {
        /// The grant that the server refused with 401.
        refused: Option<u64>,
        /// The answer.
        reply: AccessReply,
    },
    /// The server sent us to another base URL.
    Move {
        /// The base that was called.
        from: Url,
        /// Where it sends us; not checked.
        to: Url,
        /// The answer.
        reply: AccessReply,
    },
}

type AccessReply = oneshot::Sender<Result<Arc<AccessGrant>, ApiError>>;
