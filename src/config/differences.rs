//! What a reload changed, so that nothing else is touched.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::settings::{AccountSettings, BrokerSettings, CarSettings, MqttSettings, Settings};
use crate::model::Vin;

/// One thing that differs between two settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingChange {
    /// `[mqtt]`: connect anew.
    Mqtt,
    /// `[broker]`: start or stop it.
    Broker,
    /// `[homeassistant]`: describe the cars anew.
    HomeAssistant,
    /// An account of this name is new.
    AccountAdded(String),
    /// The account of this name is gone.
    AccountRemoved(String),
    /// The account of this name has other settings.
    AccountChanged(String),
    /// This car has another alias, or none any more.
    Car(Vin),
    /// `[polling]`: every car's intervals.
    Polling,
    /// `[budget]`.
    Budget,
    /// `[tariff]`.
    Tariff,
    /// `[commands]`.
    Commands,
    /// `[compat]`, or the number of a car in it.
    Compat,
    /// `[web]`: listen anew.
    Web,
    /// `[state]`: only a restart can move it.
    State,
    /// `[log]`.
    Log,
}

/// Everything that differs.
pub fn differences(old: &Settings, new: &Settings) -> Vec<SettingChange> {
    // Named one by one, so that a new section cannot be forgotten.
    let Settings {
        mqtt,
        broker,
        homeassistant,
        accounts,
        cars,
        polling,
        budget,
        tariff,
        commands,
        compat,
        web,
        state,
        log,
    } = old;
    let sections = [
        (*mqtt == new.mqtt, SettingChange::Mqtt),
        (*broker == new.broker, SettingChange::Broker),
        (
            *homeassistant == new.homeassistant,
            SettingChange::HomeAssistant,
        ),
        (*polling == new.polling, SettingChange::Polling),
        (*budget == new.budget, SettingChange::Budget),
        (*tariff == new.tariff, SettingChange::Tariff),
        (*commands == new.commands, SettingChange::Commands),
        (
            *compat == new.compat && numbers(cars) == numbers(&new.cars),
            SettingChange::Compat,
        ),
        (*web == new.web, SettingChange::Web),
        (*state == new.state, SettingChange::State),
        (*log == new.log, SettingChange::Log),
    ];
    let mut changes: Vec<SettingChange> = sections
        .into_iter()
        .filter_map(|(is_same, change)| (!is_same).then_some(change))
        .collect();
    for account in accounts {
        let name = account.name.clone();
        match new.accounts.iter().find(|other| other.name == account.name) {
            None => changes.push(SettingChange::AccountRemoved(name)),
            Some(other) if other != account => changes.push(SettingChange::AccountChanged(name)),
            Some(_) => {}
        }
    }
    for account in &new.accounts {
        if accounts.iter().all(|other| other.name != account.name) {
            changes.push(SettingChange::AccountAdded(account.name.clone()));
        }
    }
    let alias = |cars: &BTreeMap<Vin, CarSettings>, vin: &Vin| {
        let CarSettings {
            alias,
            // Told as a change of `[compat]`, because other cars may have to give way.
            teslamate_number: _,
        } = cars.get(vin).cloned().unwrap_or_default();
        alias
    };
    let mut vins: Vec<&Vin> = cars.keys().chain(new.cars.keys()).collect();
    vins.sort();
    vins.dedup();
    for vin in vins {
        if alias(cars, vin) != alias(&new.cars, vin) {
            changes.push(SettingChange::Car(vin.clone()));
        }
    }
    changes
}

fn numbers(cars: &BTreeMap<Vin, CarSettings>) -> BTreeMap<&Vin, u32> {
    cars.iter()
        .filter_map(|(vin, car)| Some((vin, car.teslamate_number?)))
        .collect()
}

fn expose(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(ExposeSecret::expose_secret)
}

/// Compares field by field and secrets by their text; a new field does not compile until it is
/// named here.
macro_rules! equality {
    ($type:ident { $($field:ident),* } secrets { $($secret:ident),* }) => {
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                let Self { $($field,)* $($secret,)* } = self;
                $(*$field == other.$field &&)*
                $(expose($secret.as_ref()) == expose(other.$secret.as_ref()) &&)*
                true
            }
        }
    };
}

equality!(MqttSettings { host, port, tls, username, client_id, protocol, base_topic, keep_alive }
    secrets { password });
equality!(BrokerSettings { enabled, listen, username } secrets { password });
equality!(AccountSettings { name, api, client_id, email, region, api_url, auth_url, ca_file, ca_fingerprint }
    secrets { refresh_token, client_secret, password });
