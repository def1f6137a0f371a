//! Why there is no bridge, for the person who started it.

use std::path::PathBuf;

use crate::mqtt;

/// Why the bridge could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be made or written.
    #[error(
        "state.directory {path}: {source}; expected a directory of its own, which this user may write"
    )]
    StateDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has locked the state directory.
    #[error(
        "state.directory {path}: another tesla2mqtt runs with it, and two would throw each other \
         off the broker; stop that one, or give this one a [state] directory of its own"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The account cannot be opened.
    #[error("account {name}: {text}")]
    Account {
        /// The account's name.
        name: String,
        /// What happened and what to do.
        text: String,
    },
    /// A TLS file of the broker's cannot be used.
    #[error("{0}")]
    Tls(#[from] mqtt::TlsError),
    /// A task that everything stands on ended although nobody ended it: a bug. The supervisor
    /// (systemd, a container's) starts the process again.
    #[error("{0} broke; please report this with the lines above")]
    Broke(&'static str),
    /// The embedded broker cannot start.
    #[cfg(feature = "broker")]
    #[error("broker: {0}")]
    Broker(#[from] crate::broker::BrokerError),
}
