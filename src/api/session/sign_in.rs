//! Signing in, once: which tokens are offered, and what becomes of the answer.

use std::time::Duration;

use secrecy::SecretString;
use tracing::{debug, warn};

use super::LoginSession;
use crate::api::auth::{self, Grant};
use crate::api::error::ApiError;
use crate::api::store::{StoredLogin, same};
use crate::api::token::{self, TokenAnswer};
use crate::api::token_selection::{candidates, generation_name, moves_on, pasted};
use crate::atomic_file::Lock;
use crate::clock;
use crate::config::{Api, Region};
use crate::failure::ApiFailure;

impl LoginSession {
    /// Offers the tokens that may work, each once; after them the password.
    pub(super) async fn sign_in(
        &mut self,
    ) -> Result<(Option<SecretString>, TokenAnswer), ApiError> {
        let mut refusal: Option<ApiError> = None;
        let pasted = pasted(&self.stored, &self.settings);
        for offered in candidates(&self.stored, &self.settings, clock::now().wall) {
            let region = self.region(Some(&offered));
            let error = match self.ask(region, Grant::Refresh(&offered)).await {
                Ok(answer) => return Ok((Some(offered), answer)),
                Err(error) => error,
            };
            let is_pasted = same(Some(&offered), pasted.as_ref());
            if !moves_on(&error, is_pasted, self.settings.api) {
                return Err(error);
            }
            self.tell_of_refusal(&error, is_pasted);
            // What may have been a fault is tried again, whatever became of the others.
            if !matches!(&refusal, Some(first) if first.kind == ApiFailure::Unexplained) {
                refusal = Some(error);
            }
        }
        if self.settings.api == Api::Password && self.settings.password.is_some() {
            let answer = self.ask(self.region(None), Grant::Password).await?;
            return Ok((None, answer));
        }
        Err(refusal.unwrap_or_else(|| ApiError::new(ApiFailure::NeverSignedIn, "")))
    }

    fn tell_of_refusal(&mut self, error: &ApiError, is_pasted: bool) {
        let account = &self.settings.name;
        if std::mem::replace(&mut self.told_of_refusal, true) {
            debug!(account, is_pasted, %error, "a refresh token was refused again");
        } else {
            warn!(account, is_pasted, %error, "a refresh token was refused");
        }
    }

    async fn ask(&self, region: Option<Region>, grant: Grant<'_>) -> Result<TokenAnswer, ApiError> {
        auth::ask(&self.transport, &self.hosts, &self.settings, region, grant).await
    }

    pub(super) fn login_of(
        &self,
        used: Option<SecretString>,
        answer: &TokenAnswer,
        lock: Lock,
    ) -> (StoredLogin, Duration, Lock) {
        let now = clock::now().wall;
        let life = token::life(answer, now);
        let is_other_login = same(used.as_ref(), pasted(&self.stored, &self.settings).as_ref());
        let refresh_token = answer.refresh.clone().or_else(|| used.clone());
        if answer.refresh.is_none() && self.settings.api == Api::Fleet {
            warn!(
                account = self.settings.name,
                "the token host gave no new refresh token; check auth_url and the scope offline_access"
            );
        }
        let spent = used.filter(|used| !same(Some(used), refresh_token.as_ref()));
        let configured_token = self.settings.refresh_token.clone();
        let is_known_token = same(
            configured_token.as_ref(),
            self.stored.configured_token.as_ref(),
        );
        let configured_token_spent_at = if same(spent.as_ref(), configured_token.as_ref()) {
            Some(now)
        } else {
            self.stored
                .configured_token_spent_at
                .filter(|_| is_known_token)
        };
        let stored = StoredLogin {
            refresh_token,
            previous_refresh_token: spent,
            access_token: Some(answer.access.clone()),
            access_expires_at: now.checked_add(life).ok(),
            issued_at: Some(now),
            region: self.stored.region.clone().filter(|_| !is_other_login),
            configured_token,
            configured_token_spent_at,
            wait: None,
            api: Some(generation_name(self.settings.api).to_owned()),
            email: self
                .settings
                .email
                .clone()
                .filter(|_| self.settings.api == Api::Password),
        };
        (stored, life, lock)
    }
}
