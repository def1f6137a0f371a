//! Cars that nobody follows any more: their last values stay, and they are said to be unavailable.

use super::{Bridge, memory, publishing};
use crate::config::Settings;
use crate::model::DeviceId;
use crate::outbox::Publish;
use crate::retained::Owner;

impl Bridge {
    /// Cars of accounts that were taken out of the configuration while no bridge ran: their last
    /// values stay, but nobody knows the cars any more. Where another car is published now, it is
    /// that one's to say.
    pub(super) async fn publish_unconfigured_unavailable(&self) {
        let names: Vec<&str> = self
            .settings
            .accounts
            .iter()
            .map(|account| account.name.as_str())
            .collect();
        for car in memory::remembered(&self.settings.state.directory) {
            let id = DeviceId::from(&car.vin);
            if !names.contains(&car.account.as_str()) && !self.devices.contains_key(&id) {
                self.publish_unavailable(&id).await;
            }
        }
    }

    /// Nobody knows this device any more. It is where the manifest has it.
    pub(super) async fn publish_unavailable(&self, id: &DeviceId) {
        let owner = Owner::Device(id.clone());
        let topics = self.retained.topics_of(&owner).await.into_iter();
        let is_its_own =
            |topic: &String| !is_anothers(topic, id, &self.settings, self.devices.keys());
        for topic in topics.filter(|topic| is_availability(topic) && is_its_own(topic)) {
            let payload = "offline".into();
            self.mqtt.publish(Publish::State { topic, payload }).await;
        }
    }
}

fn is_availability(topic: &str) -> bool {
    topic.ends_with("/availability")
}

/// Whether another device, configured or followed, says there whether it is available.
fn is_anothers<'a>(
    availability: &str,
    id: &DeviceId,
    settings: &Settings,
    followed: impl Iterator<Item = &'a DeviceId>,
) -> bool {
    let configured = settings.cars.keys().map(DeviceId::from);
    let mut others = configured
        .chain(followed.cloned())
        .filter(|other| other != id);
    others.any(|other| publishing::paths(settings, &other).availability() == availability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::topics::Paths;

    /// `offline` landed on a followed car, because one that is gone had had its alias.
    #[test]
    fn a_place_that_another_car_has_taken_is_not_the_gone_cars_any_more() {
        let [gone, here] =
            [31, 32].map(|n| DeviceId::new(&format!("LRW3E7EK5PC0000{n}")).expect("an id"));
        let at_one = Paths::new("tesla2mqtt", &gone, Some("one"));
        let with_alias = |id: &DeviceId| {
            let text = format!(
                "[mqtt]\nurl = \"mqtt://localhost\"\n[[accounts]]\nname = \"home\"\napi = \"owner\"\n\
                 refresh_token = \"t\"\n[cars.{}]\nalias = \"one\"\n",
                id.as_str()
            );
            config::from_text(&text).expect("a configuration")
        };
        let is_anothers = |place: &Paths, aliased: &DeviceId| {
            is_anothers(
                &place.availability(),
                &gone,
                &with_alias(aliased),
                [&here].into_iter(),
            )
        };
        assert!(is_anothers(&at_one, &here));
        assert!(
            !is_anothers(&at_one, &gone),
            "its own section was left in the file"
        );
        let at_its_vin = Paths::new("tesla2mqtt", &gone, None);
        assert!(!is_anothers(&at_its_vin, &here));
    }
}
