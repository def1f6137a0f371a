//! A device as it is now, for readers such as a web page.

use std::sync::Arc;

use jiff::Timestamp;

use super::publisher::Values;
use crate::model::{DeviceId, DeviceKind};
use crate::policy::Why;
use crate::trips::{Charge, Drive};

/// A device at one moment. Made while it is published, and anew only when something changed: a
/// clone of the `Arc` around it is all that a reader costs.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Its name for life.
    pub id: DeviceId,
    /// What it is.
    pub kind: DeviceKind,
    /// The owner's name for it, once it is known.
    pub name: Option<String>,
    /// What it does, in the word of its topic `state`.
    pub state: &'static str,
    /// Why nothing is asked before the next call.
    pub why: Why,
    /// When the next call is due, by the calendar in whole seconds; `None` while none is planned.
    pub next_call_at: Option<Timestamp>,
    /// Whether the bridge can know it at all; a sleeping car is available.
    pub is_available: bool,
    /// The published values by key.
    pub values: Arc<Values>,
    /// The last drive whose end was seen.
    pub last_drive: Option<Drive>,
    /// The last charge whose end was seen.
    pub last_charge: Option<Charge>,
}

impl View {
    /// A device of which nothing is known yet.
    pub(super) fn new(id: DeviceId, kind: DeviceKind) -> Self {
        Self {
            id,
            kind,
            name: None,
            state: "starting",
            why: Why::StartSpread,
            next_call_at: None,
            is_available: false,
            values: Arc::default(),
            last_drive: None,
            last_charge: None,
        }
    }
}
