//! SIGHUP: reads the configuration anew and takes up what changed, touching nothing else.

use super::device_task::DeviceMessage;
use super::devices::FollowedDevice;
use super::fleet::FleetChange;
use super::troubles::Troubled;
use super::{Bridge, Reload, subscriptions};
use crate::api;
use crate::clock;
use crate::config::{self, SettingChange, Settings};
use crate::decode::products::ListedVehicle;
use crate::device::Input;
use crate::model::DeviceId;
use crate::service;

/// A car whose task was ended so that it starts anew.
struct LeftCar {
    listed: Box<ListedVehicle>,
    account: usize,
}

impl Bridge {
    /// A configuration with errors changes nothing.
    pub(super) async fn reload(&mut self, reload: &Reload) {
        let new = match reload() {
            Ok(new) => new,
            Err(errors) => {
                for message in &errors.messages {
                    tracing::error!("{message}");
                }
                tracing::error!("the configuration has errors, going on with the old one");
                return;
            }
        };
        service::reloading();
        let changes = config::differences(&self.settings, &new);
        let old = std::mem::replace(&mut self.settings, new);
        self.keep_until_the_next_start(&old);
        if changes.is_empty() {
            tracing::info!("configuration read again, nothing changed");
        }
        // Nobody is published meanwhile: they may have changed aliases with each other, also with a
        // car of an account that is opened anew.
        let renamed = changes.iter().filter_map(|change| match change {
            SettingChange::Car(vin) => Some(DeviceId::from(vin)),
            _ => None,
        });
        let renamed = self.leave_all(renamed.collect()).await;
        let (for_devices, others): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_for_devices);
        for change in others {
            tracing::info!(?change, "configuration changed");
            self.take_up(&change, &old, &renamed).await;
        }
        self.start_all(renamed).await;
        // Once all are there to hear it: one that starts goes on with its waits of before.
        for change in for_devices {
            tracing::info!(?change, "configuration changed");
            self.take_up(&change, &old, &[]).await;
        }
        service::ready();
        self.publish_bridge().await;
    }

    /// Takes up one change, while the `renamed` cars are left.
    async fn take_up(&mut self, change: &SettingChange, old: &Settings, renamed: &[LeftCar]) {
        match change {
            SettingChange::AccountAdded(name) => self.open_by_name(name).await,
            SettingChange::AccountRemoved(name) => {
                let ids = self.close_by_name(name, renamed).await;
                self.leave_unfollowed(&ids).await;
            }
            SettingChange::AccountChanged(name) => {
                if self.keeps_unusable(name, old) {
                    return;
                }
                let ids = self.close_by_name(name, renamed).await;
                self.open_by_name(name).await;
                self.leave_unfollowed(&ids).await;
            }
            SettingChange::Polling => {
                let devices: Vec<(DeviceId, usize)> = self
                    .devices
                    .iter()
                    .map(|(id, device)| (id.clone(), device.account))
                    .collect();
                for (id, account) in devices {
                    if let Some(followed) = self.accounts.get(&account) {
                        let config = self.settings.polling.policy(followed.settings.api);
                        let unavailable_after = self.settings.polling.unavailable_after;
                        for input in [
                            Input::PolicyChanged(Box::new(config)),
                            Input::UnavailableAfter(unavailable_after),
                        ] {
                            self.send(&id, DeviceMessage::Input(input));
                        }
                    }
                }
            }
            SettingChange::Budget => {
                for followed in self.accounts.values() {
                    followed
                        .ledger
                        .set_budget(&followed.settings, &self.settings.budget);
                }
                for id in self.devices.keys() {
                    self.send(id, DeviceMessage::Input(Input::BudgetChanged));
                }
            }
            // Together, before and after all else.
            SettingChange::Car(_) => {}
            SettingChange::Log => {
                if self.settings.log.format != old.log.format {
                    tracing::warn!("log.format takes effect at the next start");
                    self.settings.log.format = old.log.format;
                }
            }
            SettingChange::Tariff => {
                for id in self.devices.keys() {
                    let tariff = self.settings.tariff.clone();
                    let input = Input::TariffChanged(Box::new(tariff));
                    self.send(id, DeviceMessage::Input(input));
                }
            }
            SettingChange::Compat => self.renumber().await,
            SettingChange::Commands => self.mqtt.listen(subscriptions(&self.settings)),
            SettingChange::HomeAssistant
            | SettingChange::Mqtt
            | SettingChange::Broker
            | SettingChange::State
            | SettingChange::Web => {
                tracing::warn!(?change, "this takes effect at the next start");
            }
        }
    }

    /// Before anything is taken up that stands on these.
    fn keep_until_the_next_start(&mut self, old: &Settings) {
        let new = &mut self.settings;
        new.mqtt = old.mqtt.clone();
        new.broker = old.broker.clone();
        new.homeassistant = old.homeassistant.clone();
        new.state = old.state.clone();
        new.web = old.web.clone();
    }

    /// Cars may change places in TeslaMate's topics: no task runs meanwhile, so that no car is
    /// published where another is now.
    async fn renumber(&mut self) {
        let cars = self.leave_all(self.devices.keys().cloned().collect()).await;
        self.place_teslamates_topics().await;
        self.start_all(cars).await;
    }

    /// Ends these cars' tasks; returns what is needed to start them anew.
    async fn leave_all(&mut self, ids: Vec<DeviceId>) -> Vec<LeftCar> {
        let mut left = Vec::new();
        for id in &ids {
            if let Some(FollowedDevice {
                listed, account, ..
            }) = self.devices.get(id)
            {
                left.push(LeftCar {
                    listed: listed.clone(),
                    account: *account,
                });
            }
            self.leave(id).await;
        }
        left
    }

    /// Starts cars that were left, but for those that another account, or their own one, which was
    /// opened anew, follows by now.
    async fn start_all(&mut self, left: Vec<LeftCar>) {
        for LeftCar { listed, account } in left {
            if !self.devices.contains_key(&listed.device_id()) {
                self.start_car(listed, account).await;
            }
        }
    }

    /// An account that cannot be opened is as good as not configured: the next reload tries anew.
    async fn open_by_name(&mut self, name: &str) {
        let Some(settings) = named(&self.settings, name).cloned() else {
            return;
        };
        if let Err(error) = self.open_account(settings).await {
            tracing::error!("{error}");
            self.settings
                .accounts
                .retain(|account| account.name != name);
        }
    }

    /// Whether an account goes on as it was, because it could not be opened as it is wanted now.
    /// The old settings stay ours, so that the next reload sees a change again.
    fn keeps_unusable(&mut self, name: &str, old: &Settings) -> bool {
        let wanted = self
            .settings
            .accounts
            .iter_mut()
            .find(|account| account.name == name);
        let (Some(wanted), Some(old)) = (wanted, named(old, name)) else {
            return false;
        };
        let Err(error) = api::Account::check(wanted) else {
            return false;
        };
        tracing::error!("account {name}: {error}; it goes on as it was");
        *wanted = old.clone();
        true
    }

    /// Cars that nobody follows any more keep their topics: the owner may think again.
    async fn leave_unfollowed(&mut self, ids: &[DeviceId]) {
        for id in ids {
            if self.devices.contains_key(id) {
                continue;
            }
            tracing::info!(%id, "car is not followed any more");
            self.troubles.set(Troubled::Device(id.clone()), None);
            self.publish_unavailable(id).await;
            self.leave_teslamates_topics(id).await;
        }
    }

    /// Ends an account; returns its cars, also those that had left its list and those that are left
    /// at present.
    async fn close_by_name(&mut self, name: &str, left: &[LeftCar]) -> Vec<DeviceId> {
        let found = self
            .accounts
            .iter()
            .find(|(_, followed)| followed.settings.name == name);
        let Some(index) = found.map(|(index, _)| *index) else {
            return Vec::new();
        };
        let own = self
            .devices
            .iter()
            .filter(|(_, device)| device.account == index);
        let left = left.iter().filter(|car| car.account == index);
        let ids: Vec<DeviceId> = own
            .map(|(id, _)| id.clone())
            .chain(left.map(|car| car.listed.device_id()))
            .collect();
        if let Some(followed) = self.accounts.remove(&index) {
            followed.cancel.cancel();
            followed.ledger.write_if_changed(clock::now()).await;
        }
        self.troubles.forget_account(name);
        let changes = self.fleet.withdrawn(index);
        for id in &ids {
            self.leave(id).await;
        }
        let taken_over = |change: &FleetChange| matches!(change, FleetChange::Follow { .. });
        self.follow(changes.into_iter().filter(taken_over).collect())
            .await;
        ids
    }
}

/// Whether a change is nothing but news for the devices' tasks.
fn is_for_devices(change: &SettingChange) -> bool {
    use SettingChange::{Budget, Polling, Tariff};
    matches!(change, Polling | Budget | Tariff)
}

fn named<'a>(settings: &'a Settings, name: &str) -> Option<&'a config::AccountSettings> {
    settings
        .accounts
        .iter()
        .find(|account| account.name == name)
}
