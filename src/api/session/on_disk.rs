//! What a session has in common with other processes and with its own next life: the lock, the
//! stored login, and what is written into it.

use std::time::Duration;

use tracing::{debug, info, warn};

use super::{LoginSession, SOONEST, STALE};
use crate::api::error::ApiError;
use crate::api::store::{StoreError, StoredLogin, Wait};
use crate::api::token;
use crate::api::token_selection::{asker, belongs, pasted};
use crate::atomic_file::Lock;
use crate::clock;
use crate::failure::ApiFailure;
use crate::rng;

/// How often an account that is signed out, or in trouble, looks for a new login on disk.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// How long to wait for another process that is refreshing the same account.
const LOCK_PATIENCE: Duration = Duration::from_secs(70);

impl LoginSession {
    /// `tesla2mqtt login` stores a new login while we are signed out, or wait to try again: a
    /// token host may have asked for a day.
    pub(super) async fn look_for_login(&mut self) {
        self.look_at = clock::now().mono + LOOK_EVERY.mul_f64(self.pace);
        match self.adopt_newer().await {
            Ok(true) => {
                let is_asked_to_wait = self.trouble.is_some();
                self.ended = None;
                if self.usable_access().is_some() {
                    self.trouble = None;
                } else if !is_asked_to_wait {
                    let _reported = self.renew().await;
                }
            }
            Ok(false) => {}
            Err(error) => {
                let account = &self.settings.name;
                if std::mem::replace(&mut self.told_of_store, true) {
                    debug!(account, %error, "still no look at the store");
                } else {
                    warn!(account, %error, "the stored login cannot be looked at");
                }
                return;
            }
        }
        self.told_of_store = false;
    }

    pub(super) async fn save_tokens(&mut self) -> Result<(), ApiError> {
        let Some((stored, _, _)) = &self.unsaved else {
            return Ok(());
        };
        let (store, copy) = (self.store.clone(), stored.clone());
        on_disk(move || store.save(&copy)).await?;
        if let Some((stored, life, _lock)) = self.unsaved.take() {
            self.stored = stored;
            self.n_stale = if life <= STALE.mul_f64(self.pace) {
                self.n_stale.saturating_add(1)
            } else {
                0
            };
            let now = clock::now().mono;
            self.refresh_at =
                now + token::refresh_after(life, rng::share()).max(SOONEST.mul_f64(self.pace));
            self.hand_out(now + life);
            info!(
                account = self.settings.name,
                hours = life.as_secs() / 3600,
                "signed in; the new refresh token is on disk"
            );
        }
        Ok(())
    }

    /// Waits for another process that may be spending this account's token.
    pub(super) async fn lock(&self) -> Result<Lock, ApiError> {
        let lock = self.store.lock_within(LOCK_PATIENCE).await?;
        lock.ok_or_else(|| {
            ApiError::new(
                ApiFailure::Store,
                "another process holds the lock of this account",
            )
        })
    }

    /// Another process (`login`) may have refreshed the account since we looked: its
    /// tokens are taken over instead of spending one that it already spent.
    pub(super) async fn adopt_newer(&mut self) -> Result<bool, ApiError> {
        let store = self.store.clone();
        let Some(found) = on_disk(move || store.load()).await? else {
            return Ok(false);
        };
        if found.same_tokens(&self.stored) || !belongs(&found, &self.settings) {
            return Ok(false);
        }
        self.adopt(found);
        Ok(true)
    }

    fn adopt(&mut self, found: StoredLogin) {
        info!(
            account = self.settings.name,
            "another process renewed the login; taken over"
        );
        self.stored = found;
        self.n_stale = 0;
        if pasted(&self.stored, &self.settings).is_none() {
            self.resume();
        }
    }

    /// Keeps the region with the login that it is of: another process may have replaced that one,
    /// and a token that is overwritten is lost.
    pub(super) async fn keep_region(&mut self) -> Result<(), ApiError> {
        let _lock = self.lock().await?;
        let store = self.store.clone();
        match on_disk(move || store.load()).await? {
            Some(found) if found.same_tokens(&self.stored) => {
                let (store, region) = (self.store.clone(), self.stored.region.clone());
                on_disk(move || store.save(&StoredLogin { region, ..found })).await
            }
            Some(newer) if belongs(&newer, &self.settings) => {
                // Unless its access token lives, it is tried at once.
                self.refresh_at = Duration::ZERO;
                self.adopt(newer);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What a token host asked for holds over a restart, too (tesla-api.md, 8.3). Call with the
    /// lock held.
    pub(super) async fn remember_wait(&mut self, asked: Duration) {
        let Ok(until) = clock::now().wall.checked_add(asked) else {
            return;
        };
        let wait = Wait {
            until,
            configured_token: self.settings.refresh_token.clone(),
            asker: Some(asker(&self.settings)),
        };
        let store = self.store.clone();
        let kept = on_disk(move || {
            let found = store.load()?.unwrap_or_default();
            store.save(&StoredLogin {
                wait: Some(wait),
                ..found
            })
        });
        if let Err(error) = kept.await {
            debug!(account = self.settings.name, %error, "the wait could not be kept");
        }
    }
}

/// Disks of small computers take their time; the runtime goes on meanwhile.
pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(ApiError::from),
        Err(gone) => Err(ApiError::new(ApiFailure::Closed, gone)),
    }
}
