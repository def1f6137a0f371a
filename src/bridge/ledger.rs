//! One account's governor, shared by its cars, and its file `<state>/ledger-<account>.json`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::login;
use crate::atomic_file;
use crate::config;
use crate::hint::CHECK_DISK;
use crate::model::Now;
use crate::policy::{Governor, GovernorSnapshot};

/// No wait is longer, whatever a clock that was wrong makes of it.
const LONGEST_LIMIT: Duration = Duration::from_hours(27);

/// The file.
#[derive(Serialize, Deserialize)]
struct LedgerFile {
    #[serde(flatten)]
    governor: GovernorSnapshot,
    #[serde(default)]
    list_limited_until: Option<Timestamp>,
    /// Stands for the login that the limit and the governor's stops were imposed on.
    #[serde(default)]
    login: Option<u64>,
}

/// A cheap handle. The lock is held for a few instructions and never across an await.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    governor: Arc<Mutex<Governor>>,
    /// Tesla wants the account's list left alone until then.
    list_limited_until: Arc<Mutex<Option<Timestamp>>>,
    login: u64,
    path: Arc<Mutex<PathBuf>>,
}

impl Ledger {
    /// Goes on with the account's file, or begins a new one. What was counted stays counted; what
    /// Tesla forbade to another login of this name is not forbidden to this one.
    pub(super) fn open(
        account: &config::AccountSettings,
        directory: &Path,
        budget: &config::BudgetSettings,
        now: Now,
    ) -> Self {
        let path = directory.join(format!("ledger-{}.json", account.name));
        let config = budget.governor(account.api);
        let login = login::fingerprint(account);
        let (governor, list_limited_until) = match read(&path) {
            Some(kept) => {
                let is_anothers = kept.login.is_some_and(|before| before != login);
                let mut governor = Governor::restore(config, kept.governor, now);
                if is_anothers {
                    governor.forget_stops();
                }
                (governor, kept.list_limited_until.filter(|_| !is_anothers))
            }
            None => (Governor::new(config, now), None),
        };
        Self {
            login,
            list_limited_until: Arc::new(Mutex::new(list_limited_until)),
            governor: Arc::new(Mutex::new(governor)),
            path: Arc::new(Mutex::new(path)),
        }
    }

    /// The governor itself.
    pub(super) fn governor(&self) -> MutexGuard<'_, Governor> {
        self.governor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long the list must still be left alone, by the word of a run before this one.
    pub(super) fn list_limited_for(&self, now: Timestamp) -> Option<Duration> {
        let left = (*self.list_limit())?.duration_since(now);
        let left = Duration::try_from(left).ok()?;
        (!left.is_zero()).then_some(left.min(LONGEST_LIMIT))
    }

    /// Notes until when the list must be left alone, or that it need not be, durably.
    pub(super) async fn limit_list(&self, until: Option<Timestamp>, now: Now) {
        let before = std::mem::replace(&mut *self.list_limit(), until);
        if before != until {
            self.write(now).await;
        }
    }

    fn list_limit(&self) -> MutexGuard<'_, Option<Timestamp>> {
        let limit = self.list_limited_until.lock();
        limit.unwrap_or_else(PoisonError::into_inner)
    }

    /// A new budget; the month's account stays.
    pub(super) fn set_budget(
        &self,
        account: &config::AccountSettings,
        budget: &config::BudgetSettings,
    ) {
        self.governor().reconfigure(budget.governor(account.api));
    }

    /// Writes the file if there is something to remember. Writers of the same account wait for
    /// each other off the reactor, so that the newest account is the last one written.
    pub(super) async fn write_if_changed(&self, now: Now) {
        if self.governor().wants_persisting() {
            self.write(now).await;
        }
    }

    /// Writes the file; what was counted before is on the disk afterwards.
    pub(super) async fn write(&self, now: Now) {
        let _ = self.governor().wants_persisting();
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let path = this.path.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = LedgerFile {
                governor: this.governor().snapshot(now),
                list_limited_until: *this.list_limit(),
                login: Some(this.login),
            };
            let bytes = serde_json::to_vec(&kept)?;
            atomic_file::replace(&path, &bytes).map_err(|error| {
                let file = path.display();
                tracing::warn!(%file, %error, "the account of calls cannot be written: {CHECK_DISK}");
                error
            })
        })
        .await;
        if let Err(error) = written {
            tracing::warn!(%error, "the account of calls was not written");
        }
    }
}

fn read(path: &Path) -> Option<LedgerFile> {
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

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use url::Url;

    use super::*;
    use crate::clock;
    use crate::policy::{CallClass, MonthlyLimit, Permit, Prices, Purpose};

    /// They were kept by the account's name alone.
    #[tokio::test]
    async fn limits_are_kept_for_the_same_login_and_dropped_for_another_api_url() {
        let state = tempfile::tempdir().expect("a directory");
        let budget = config::BudgetSettings {
            limit: MonthlyLimit::Dollars(10.0),
            prices: Prices::FLEET,
            signal_price: 0.0,
        };
        let account = login::tests::account();
        let now = clock::now();
        let open =
            |account: &config::AccountSettings| Ledger::open(account, state.path(), &budget, now);
        let is_stopped = |ledger: &Ledger| {
            let permit = ledger
                .governor()
                .permit(now, CallClass::Light, Purpose::Parked);
            matches!(permit, Permit::NotBefore { .. })
        };

        let ledger = open(&account);
        assert!(!is_stopped(&ledger));
        let hour = Duration::from_hours(1);
        for class in [CallClass::Light, CallClass::Data] {
            ledger.governor().limited(now, class, Some(hour));
        }
        let until = now.wall.checked_add(SignedDuration::from_hours(1)).ok();
        ledger.limit_list(until, now).await;

        let counted = |ledger: &Ledger| ledger.governor().status(now).month.light;
        let same = open(&account);
        assert_eq!(counted(&same), 1);
        assert_eq!(same.list_limited_for(now.wall), Some(hour));
        assert!(is_stopped(&same));

        let mut moved = account;
        moved.api_url = Url::parse("https://tesla.example").ok();
        let moved = open(&moved);
        assert_eq!(moved.list_limited_for(now.wall), None);
        assert_eq!(counted(&moved), 1, "the month's counts stay");
        assert!(!is_stopped(&moved));
    }
}
