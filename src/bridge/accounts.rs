//! The accounts: how they are opened, whose cars were whose, and what the state of a login means
//! to its cars.

use tokio::sync::mpsc;
use tracing::Instrument;

use super::car::CarMessage;
use super::ledger::Ledger;
use super::{Bridge, FollowedAccount, StartError, account, memory, publishing};
use crate::api::{self, AccountStatus};
use crate::clock;
use crate::config::{self, Settings};
use crate::decode::products::ListedVehicle;
use crate::device::Input;
use crate::model::{DeviceId, Vin};
use crate::outbox::Publish;
use crate::retained::Owner;

impl Bridge {
    pub(super) async fn open_account(
        &mut self,
        settings: config::AccountSettings,
    ) -> Result<(), StartError> {
        let cancel = self.cancel.child_token();
        let directory = &self.settings.state.directory;
        let account = api::Account::open(&settings, directory, cancel.clone())
            .await
            .map_err(|error| StartError::Account {
                name: settings.name.clone(),
                text: error.to_string(),
            })?;
        let index = self.next_account;
        self.next_account += 1;
        let (relist, asked) = mpsc::channel(1);
        let ledger = Ledger::open(&settings, directory, &self.settings.budget, clock::now());
        let task = account::run(
            index,
            account.clone(),
            ledger.clone(),
            self.news.clone(),
            asked,
            cancel.clone(),
        );
        let span = tracing::info_span!("account", name = %settings.name);
        let task = self.tasks.spawn(task.instrument(span)).id();
        let followed = FollowedAccount {
            task,
            index,
            settings,
            account,
            ledger,
            relist,
            cancel,
            was_tried: false,
        };
        self.accounts.insert(index, followed);
        self.remember_cars(index).await;
        Ok(())
    }

    /// The cars of an earlier run, before Tesla has said anything.
    async fn remember_cars(&mut self, index: usize) {
        let Some(followed) = self.accounts.get(&index) else {
            return;
        };
        let cars = memory::remembered(&self.settings.state.directory)
            .into_iter()
            .filter(|car| car.account == followed.settings.name)
            .map(|car| ListedVehicle::unseen(car.vin, car.id))
            .collect();
        let changes = self.fleet.remembered(index, cars);
        self.follow(changes).await;
    }

    /// Cars of accounts that were taken out of the configuration while no bridge ran: their last
    /// values stay, but nobody knows the cars any more. Where another car is published now, it is
    /// that one's to say.
    pub(super) async fn say_unconfigured_unavailable(&self) {
        let names: Vec<&str> = self
            .settings
            .accounts
            .iter()
            .map(|account| account.name.as_str())
            .collect();
        for car in memory::remembered(&self.settings.state.directory) {
            if !names.contains(&car.account.as_str()) && !self.cars.contains_key(&car.vin) {
                self.say_unavailable(&car.vin).await;
            }
        }
    }

    /// Nobody knows this car any more. It is where the manifest has it.
    pub(super) async fn say_unavailable(&self, vin: &Vin) {
        let owner = Owner::Device(DeviceId::from(vin));
        let topics = self.retained.topics_of(&owner).await.into_iter();
        let is_its_own =
            |topic: &String| !is_anothers(topic, vin, &self.settings, self.cars.keys());
        for topic in topics.filter(|topic| is_availability(topic) && is_its_own(topic)) {
            let payload = "offline".into();
            self.mqtt.publish(Publish::State { topic, payload }).await;
        }
    }

    pub(super) async fn account_status(&mut self, account: usize, status: &AccountStatus) {
        let Some(followed) = self.accounts.get_mut(&account) else {
            return;
        };
        let is_first = !std::mem::replace(&mut followed.was_tried, true);
        self.own.login_changed(&followed.settings.name, status);
        let input = match status {
            AccountStatus::SignedIn { .. } if !is_first => Some(Input::SignedIn),
            AccountStatus::SignedOut { .. } => {
                let changes = self.fleet.unusable(account);
                self.follow(changes).await;
                Some(Input::SignedOut)
            }
            _ => None,
        };
        if let Some(input) = input {
            for vin in self.fleet.followed_by(account) {
                self.tell(vin, CarMessage::Input(input.clone()));
            }
        }
    }
}

fn is_availability(topic: &str) -> bool {
    topic.ends_with("/availability")
}

/// Whether another car, configured or followed, says there whether it is available.
fn is_anothers<'a>(
    availability: &str,
    vin: &Vin,
    settings: &'a Settings,
    followed: impl Iterator<Item = &'a Vin>,
) -> bool {
    let mut others = settings
        .cars
        .keys()
        .chain(followed)
        .filter(|other| *other != vin);
    others.any(|other| publishing::paths(settings, other).availability() == availability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::Paths;

    /// `offline` landed on a followed car, because one that is gone had had its alias.
    #[test]
    fn a_place_that_another_car_has_taken_is_not_the_gone_cars_any_more() {
        let [gone, here] =
            [31, 32].map(|n| Vin::new(&format!("LRW3E7EK5PC0000{n}")).expect("a VIN"));
        let at_one = Paths::new("tesla2mqtt", &DeviceId::from(&gone), Some("one"));
        let with_alias = |vin: &Vin| {
            let text = format!(
                "[mqtt]\nurl = \"mqtt://localhost\"\n[[accounts]]\nname = \"home\"\napi = \"owner\"\n\
                 refresh_token = \"t\"\n[cars.{}]\nalias = \"one\"\n",
                vin.as_str()
            );
            config::from_text(&text).expect("a configuration")
        };
        let is_anothers = |place: &Paths, aliased: &Vin| {
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
        let at_its_vin = Paths::new("tesla2mqtt", &DeviceId::from(&gone), None);
        assert!(!is_anothers(&at_its_vin, &here));
    }
}
