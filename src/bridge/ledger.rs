//! One account's governor, shared by its cars, and its file `<state>/ledger-<account>.json`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config;
use crate::durable;
use crate::model::Now;
use crate::policy::{Governor, GovernorSnapshot};

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
        let config = budget.governor(account.api);
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
        self.governor().reconfigure(budget.governor(account.api));
    }

    /// Writes the file if there is something to remember. Writers of the same account wait for
    /// each other off the reactor, so that the newest account is the last one written.
    pub async fn write_if_changed(&self, now: Now) {
        if self.governor().wants_persisting() {
            self.write(now).await;
        }
    }

    /// Writes the file; what was counted before is on the disk afterwards.
    pub async fn write(&self, now: Now) {
        let _ = self.governor().wants_persisting();
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
