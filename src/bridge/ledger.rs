//! One account's governor, shared by its cars, and its file `<state>/ledger-<account>.json`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{self, Limit};
use crate::durable;
use crate::model::Now;
use crate::policy::{self, Governor, GovernorConfig, GovernorSnapshot};

/// A cheap handle. The lock is held for a few instructions and never across an await.
#[derive(Debug, Clone)]
pub struct Ledger {
    governor: Arc<Mutex<Governor>>,
    path: Arc<Mutex<PathBuf>>,
}

impl Ledger {
    /// Goes on with the account's file, or begins a new one.
    pub fn open(
        account: &config::Account,
        directory: &Path,
        budget: &config::Budget,
        now: Now,
    ) -> Self {
        let path = directory.join(format!("ledger-{}.json", account.name));
        let config = governor_config(account, budget);
        let governor = match read(&path) {
            Some(snapshot) => Governor::restore(config, snapshot, now),
            None => Governor::new(config, now),
        };
        Self {
            governor: Arc::new(Mutex::new(governor)),
            path: Arc::new(Mutex::new(path)),
        }
    }

    /// The governor itself.
    pub fn governor(&self) -> MutexGuard<'_, Governor> {
        self.governor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new budget; the month's account stays.
    pub fn set_budget(&self, account: &config::Account, budget: &config::Budget) {
        self.governor()
            .reconfigure(governor_config(account, budget));
    }

    /// Writes the file if there is something to remember; writers of the same account wait for
    /// each other off the reactor, so that the newest account is the last one written.
    pub async fn write_if_changed(&self, now: Now) {
        if !self.governor().wants_persisting() {
            return;
        }
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let path = this.path.lock().unwrap_or_else(PoisonError::into_inner);
            let snapshot = this.governor().snapshot(now);
            let bytes = serde_json::to_vec(&snapshot)?;
            durable::replace(&path, &bytes).map_err(|error| {
                let file = path.display();
                tracing::warn!(%file, %error, "the account of calls cannot be written; hint: is the state directory full or read-only?");
                error
            })
        })
        .await;
        if let Err(error) = written {
            tracing::warn!(%error, "the account of calls was not written");
        }
    }
}

fn governor_config(account: &config::Account, budget: &config::Budget) -> GovernorConfig {
    if account.api != config::Api::Fleet {
        return GovernorConfig::unmetered();
    }
    let mut governor = GovernorConfig::metered();
    governor.prices.data = budget.prices.data;
    governor.prices.command = budget.prices.command;
    governor.prices.wake = budget.prices.wake;
    governor.monthly_dollars = Some(match budget.limit {
        Limit::Dollars(dollars) => dollars,
        Limit::Calls(calls) => f64::from(calls) * budget.prices.data,
    });
    governor
}

fn read(path: &Path) -> Option<GovernorSnapshot> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "the account of calls cannot be read, it starts at nothing");
            return None;
        }
    };
    serde_json::from_slice(&bytes)
        .inspect_err(|error| {
            tracing::warn!(file = %path.display(), %error, "the account of calls is damaged, it starts at nothing");
        })
        .ok()
}

/// The intervals that hold for a car of this account.
pub fn policy_config(polling: &config::Polling, account: &config::Account) -> policy::PolicyConfig {
    let preset = match polling.preset {
        config::Preset::Auto => policy::Preset::of(account.api),
        config::Preset::Metered => policy::Preset::Metered,
        config::Preset::Unmetered => policy::Preset::Unmetered,
        config::Preset::Push => policy::Preset::Push,
    };
    let mut config = policy::PolicyConfig::preset(preset);
    for (name, interval) in &polling.intervals {
        if let Some(field) = policy::Field::named(name) {
            field.set(&mut config, *interval);
        }
    }
    config
}
