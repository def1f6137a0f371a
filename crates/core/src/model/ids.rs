//! The three names Tesla has for one car, kept apart by type (tesla-api.md, section 2), and the one
//! name that every device has, whatever it is.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A vehicle identification number: the only name that is stable, and so the one in topics and
/// unique ids. 17 upper-case letters and digits, hence always one legal MQTT topic level.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Vin(String);

/// Why a text is not a VIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a VIN has 17 letters and digits, this has {len} characters or others among them")]
pub struct VinError {
    len: usize,
}

impl Vin {
    /// Accepts 17 ASCII letters and digits; lower case is raised.
    pub fn new(text: &str) -> Result<Self, VinError> {
        let legal = text.len() == 17 && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if legal {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err(VinError {
                len: text.chars().count(),
            })
        }
    }

    /// The full text, for topics, ids and requests; logs use `Display`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Masked, because logs are shared in bug reports: `5YJ3…000001`.
impl fmt::Display for Vin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…{}", &self.0[..3], &self.0[11..])
    }
}

impl fmt::Debug for Vin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Vin {
    type Error = VinError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<Vin> for String {
    fn from(vin: Vin) -> Self {
        vin.0
    }
}

/// A device's name for life, whatever kind of device it is; for a car, its VIN. Letters, digits, `-`
/// and `_`, hence always one legal MQTT topic level and the name of a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId(Arc<str>);

/// Why a text is no id of a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the id of a device has letters, digits, - and _ only, and at least one of them")]
pub struct DeviceIdError;

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A car.
    Car,
    /// A home's battery, solar panels and meter.
    EnergySite,
}

impl DeviceId {
    /// Accepts ASCII letters and digits, `-` and `_`.
    pub fn new(text: &str) -> Result<Self, DeviceIdError> {
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !text.is_empty() && text.bytes().all(is_legal) {
            Ok(Self(text.into()))
        } else {
            Err(DeviceIdError)
        }
    }

    /// The full text, for topics, ids and file names; logs use `Display`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Vin> for DeviceId {
    fn from(vin: &Vin) -> Self {
        Self(vin.as_str().into())
    }
}

impl TryFrom<String> for DeviceId {
    type Error = DeviceIdError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.as_str().to_owned()
    }
}

/// Masked like a VIN.
impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.get(..3), self.0.get(11..)) {
            (Some(first), Some(last)) => write!(f, "{first}…{last}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Tesla's `id`: stands in the path of the Owner API's requests. Up to 19 digits, so beyond what
/// a float can hold, and not stable when a car is added to the account again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiId(pub u64);

/// Tesla's `vehicle_id`: names the car in the streaming service only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub u64);

impl fmt::Display for ApiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
