//! Which car has which number in TeslaMate's topics, over restarts; the manifest keeps them.

use std::collections::BTreeSet;

use super::{Bridge, memory};
use crate::compat::teslamate::TeslaMateTopics;
use crate::model::{DeviceId, Vin};
use crate::retained::Owner;

impl Bridge {
    /// While no car's task runs: gives the numbers that the owner wants, and takes away what stands
    /// at the place of a car that is not followed any more.
    pub(super) async fn place_teslamates_topics(&mut self) {
        let settings = &self.settings;
        let pins = settings.cars.iter();
        let pins = pins.filter_map(|(vin, car)| Some((vin.clone(), car.teslamate_number?)));
        self.retained.pin_numbers(&pins.collect()).await;

        let is_ours = |name: &String| settings.accounts.iter().any(|of| of.name == *name);
        let remembered = memory::remembered(&settings.state.directory).into_iter();
        let remembered = remembered.filter(|car| is_ours(&car.account));
        let cars: BTreeSet<DeviceId> = remembered.map(|car| DeviceId::from(&car.vin)).collect();
        for owner in self.retained.owners().await {
            if let Owner::TeslaMate(id) = &owner
                && (!settings.compat.teslamate || !cars.contains(id))
            {
                self.retained.declare_topics(owner, None).await;
            }
        }
    }

    /// The topics of a car, which it may publish now; `None` while they are switched off.
    pub(super) async fn teslamates_topics(&self, vin: &Vin) -> Option<TeslaMateTopics> {
        let settings = &self.settings.compat;
        if !settings.teslamate {
            return None;
        }
        let number = self.retained.number(vin).await;
        let namespace = settings.teslamate_namespace.as_deref();
        let tree = TeslaMateTopics::new(number, namespace);
        let owner = Owner::TeslaMate(DeviceId::from(vin));
        self.retained.declare_topics(owner, tree.topics()).await;
        Some(tree)
    }

    /// Takes away the topics of a car that is not followed any more. It keeps its number.
    pub(super) async fn leave_teslamates_topics(&self, id: &DeviceId) {
        let owner = Owner::TeslaMate(id.clone());
        self.retained.declare_topics(owner, None).await;
    }
}
