//! The current view of every device that is followed, for readers such as a web page.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::device::View;
use crate::model::DeviceId;

/// The views by device; a cheap clone. The lock is held for a few instructions and never across an
/// await.
#[derive(Debug, Clone, Default)]
pub struct Views {
    devices: Arc<RwLock<BTreeMap<DeviceId, watch::Receiver<Arc<View>>>>>,
}

impl Views {
    /// A device is followed from now on, perhaps by another task than before.
    pub fn insert(&self, view: watch::Receiver<Arc<View>>) {
        let id = view.borrow().id.clone();
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        devices.insert(id, view);
    }

    /// A device is not followed any more.
    pub fn remove(&self, id: &DeviceId) {
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        devices.remove(id);
    }

    /// Every device that is followed: each receiver shows the newest view, and wakes its reader when
    /// there is a newer one.
    pub fn all(&self) -> Vec<watch::Receiver<Arc<View>>> {
        let devices = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        devices.values().cloned().collect()
    }
}
