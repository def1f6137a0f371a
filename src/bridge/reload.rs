//! SIGHUP: reads the configuration anew and takes up what changed, touching nothing else.

use super::car::CarMessage;
use super::fleet::FleetChange;
use super::{Bridge, Reload, subscriptions};
use crate::api;
use crate::clock;
use crate::config::{self, SettingChange, Settings};
use crate::decode::products::ListedVehicle;
use crate::device::Input;
use crate::model::Vin;
use crate::service;

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
        let mut changed_cars = Vec::new();
        for change in changes {
            tracing::info!(?change, "configuration changed");
            self.take_up(&change, &old).await;
            if let SettingChange::Car(vin) = change {
                changed_cars.push(vin);
            }
        }
        // Nobody speaks meanwhile: they may have changed aliases with each other.
        let cars = self.leave_all(changed_cars).await;
        self.start_all(cars).await;
        service::ready();
        self.say_own().await;
    }

    async fn take_up(&mut self, change: &SettingChange, old: &Settings) {
        match change {
            SettingChange::AccountAdded(name) => self.open_by_name(name).await,
            SettingChange::AccountRemoved(name) => {
                let vins = self.close_by_name(name).await;
                self.leave_unfollowed(&vins).await;
            }
            SettingChange::AccountChanged(name) => {
                if self.keeps_unusable(name, old) {
                    return;
                }
                let vins = self.close_by_name(name).await;
                self.open_by_name(name).await;
                self.leave_unfollowed(&vins).await;
            }
            SettingChange::Polling => {
                let vins: Vec<(Vin, usize)> = self
                    .cars
                    .iter()
                    .map(|(vin, car)| (vin.clone(), car.account))
                    .collect();
                for (vin, account) in vins {
                    if let Some(followed) = self.accounts.get(&account) {
                        let config = self.settings.polling.policy(followed.settings.api);
                        let unavailable_after = self.settings.polling.unavailable_after;
                        for input in [
                            Input::PolicyChanged(Box::new(config)),
                            Input::UnavailableAfter(unavailable_after),
                        ] {
                            self.tell(&vin, CarMessage::Input(input));
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
                for vin in self.cars.keys() {
                    self.tell(vin, CarMessage::Input(Input::BudgetChanged));
                }
            }
            // Together, once all is taken up.
            SettingChange::Car(_) => {}
            SettingChange::Log => {
                if self.settings.log.format != old.log.format {
                    tracing::warn!("log.format takes effect at the next start");
                    self.settings.log.format = old.log.format;
                }
            }
            SettingChange::Tariff => {
                for vin in self.cars.keys() {
                    let tariff = self.settings.tariff.clone();
                    let input = Input::TariffChanged(Box::new(tariff));
                    self.tell(vin, CarMessage::Input(input));
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

    /// Cars may change places in TeslaMate's topics: nobody speaks meanwhile, so that no car says
    /// something where another is now.
    async fn renumber(&mut self) {
        let cars = self.leave_all(self.cars.keys().cloned().collect()).await;
        self.place_teslamates_topics().await;
        self.start_all(cars).await;
    }

    /// Ends these cars' tasks; returns what is needed to start them anew.
    async fn leave_all(&mut self, vins: Vec<Vin>) -> Vec<(Box<ListedVehicle>, usize)> {
        let mut cars = Vec::new();
        for vin in &vins {
            if let Some(car) = self.cars.get(vin) {
                cars.push((car.listed.clone(), car.account));
            }
            self.leave(vin).await;
        }
        cars
    }

    async fn start_all(&mut self, cars: Vec<(Box<ListedVehicle>, usize)>) {
        for (listed, account) in cars {
            self.start_car(listed, account).await;
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
    async fn leave_unfollowed(&mut self, vins: &[Vin]) {
        for vin in vins {
            if self.cars.contains_key(vin) {
                continue;
            }
            tracing::info!(%vin, "car is not followed any more");
            self.say_unavailable(vin).await;
            self.leave_teslamates_topics(vin).await;
        }
    }

    /// Ends an account; returns its cars, also those that had left its list.
    async fn close_by_name(&mut self, name: &str) -> Vec<Vin> {
        let found = self
            .accounts
            .iter()
            .find(|(_, followed)| followed.settings.name == name);
        let Some(index) = found.map(|(index, _)| *index) else {
            return Vec::new();
        };
        let own = self.cars.iter().filter(|(_, car)| car.account == index);
        let vins: Vec<Vin> = own.map(|(vin, _)| vin.clone()).collect();
        if let Some(followed) = self.accounts.remove(&index) {
            followed.cancel.cancel();
            followed.ledger.write_if_changed(clock::now()).await;
        }
        let changes = self.fleet.withdrawn(index);
        for vin in &vins {
            self.leave(vin).await;
        }
        let taken_over = |change: &FleetChange| matches!(change, FleetChange::Follow { .. });
        self.follow(changes.into_iter().filter(taken_over).collect())
            .await;
        vins
    }
}

fn named<'a>(settings: &'a Settings, name: &str) -> Option<&'a config::AccountSettings> {
    settings
        .accounts
        .iter()
        .find(|account| account.name == name)
}
