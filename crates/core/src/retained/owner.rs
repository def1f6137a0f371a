//! Who has topics at the broker.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::DeviceId;

/// Who has topics at the broker, as it stands in the file: `bridge`, `account home`, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Owner {
    /// The bridge: its state, its facts.
    Bridge,
    /// An account, by its name.
    Account(String),
    /// A device.
    Device(DeviceId),
    /// A device in TeslaMate's topics.
    TeslaMate(DeviceId),
    /// The discovery message of a device.
    Discovery(DeviceId),
    /// The bridge's own discovery message.
    BridgeDiscovery,
}

/// Such an owner is not known: of a later version perhaps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no owner of topics is called so")]
pub struct NoOwner;

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge => f.write_str("bridge"),
            Self::BridgeDiscovery => f.write_str("discovery"),
            Self::Account(name) => write!(f, "account {name}"),
            Self::Device(id) => write!(f, "device {}", id.as_str()),
            Self::TeslaMate(id) => write!(f, "teslamate {}", id.as_str()),
            Self::Discovery(id) => write!(f, "discovery {}", id.as_str()),
        }
    }
}

impl FromStr for Owner {
    type Err = NoOwner;

    fn from_str(text: &str) -> Result<Self, NoOwner> {
        // An account's name may be anything, spaces included.
        let (kind, of) = text.split_once(' ').unwrap_or((text, ""));
        let device = || DeviceId::new(of).map_err(|_| NoOwner);
        match (kind, of.is_empty()) {
            ("bridge", true) => Ok(Self::Bridge),
            ("discovery", true) => Ok(Self::BridgeDiscovery),
            ("account", false) => Ok(Self::Account(of.to_owned())),
            ("device", false) => device().map(Self::Device),
            ("teslamate", false) => device().map(Self::TeslaMate),
            ("discovery", false) => device().map(Self::Discovery),
            _ => Err(NoOwner),
        }
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.to_string()
    }
}

impl TryFrom<String> for Owner {
    type Error = NoOwner;

    fn try_from(text: String) -> Result<Self, NoOwner> {
        text.parse()
    }
}
