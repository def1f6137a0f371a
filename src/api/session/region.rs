//! In which region the account lives: told by the configuration, by a token or by `users/region`,
//! corrected by 421, kept in the store.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tracing::{debug, info, warn};
use url::Url;

use super::{AccessGrant, LoginSession};
use crate::api::error::ApiError;
use crate::api::hosts::{base_url_in, joined};
use crate::api::token;
use crate::api::token_selection::home_of;
use crate::api::transport::LONGEST_TOKEN_ANSWER;
use crate::clock;
use crate::config::{Api, Region};
use crate::failure::ApiFailure;

/// The region is switched at most this often.
const MOVED_AGAIN: Duration = Duration::from_hours(1);

impl LoginSession {
    /// What is known of the region: by the server's word, the configuration, or a token.
    pub(super) fn region(&self, offered: Option<&SecretString>) -> Option<Region> {
        let told = token::region_by_name(self.stored.region.as_deref().unwrap_or_default());
        let of = |token: Option<&SecretString>| token::region(token?, &self.hosts);
        told.or(self.settings.region)
            .or_else(|| of(offered))
            .or_else(|| of(self.stored.access_token.as_ref()))
            .or_else(|| of(self.stored.refresh_token.as_ref()))
    }

    /// Asks `users/region` where nothing else tells; without an answer it stays a guess that a
    /// 421 corrects.
    pub(super) async fn find_region(&mut self) -> Arc<AccessGrant> {
        let access = self.current();
        let is_open = self.settings.api == Api::Fleet && self.settings.api_url.is_none();
        if !is_open || self.region(None).is_some() {
            return access;
        }
        let url = joined(&access.base, "/api/1/users/region");
        let request = self
            .transport
            .client()
            .get(url)
            .bearer_auth(secrecy::ExposeSecret::expose_secret(&access.token));
        let told = match self.transport.send(request, LONGEST_TOKEN_ANSWER).await {
            Ok(reply) if reply.is_success() => home_of(&reply.body, &self.hosts),
            Ok(reply) if reply.status == 421 => base_url_in(&String::from_utf8_lossy(&reply.body)),
            Ok(reply) => {
                debug!(
                    account = self.settings.name,
                    status = reply.status,
                    "users/region did not tell"
                );
                None
            }
            Err(error) => {
                debug!(account = self.settings.name, %error, "users/region did not tell");
                None
            }
        };
        match told.and_then(|url| self.hosts.region_of(&url)) {
            Some(region) => self.use_region(region).await,
            None => access,
        }
    }

    /// A 421: follow it to a known host, once an hour at most.
    pub(super) async fn move_to(
        &mut self,
        from: &Url,
        to: &Url,
    ) -> Result<Arc<AccessGrant>, ApiError> {
        let access = self.access(None).await?;
        if access.base.origin() != from.origin() {
            return Ok(access);
        }
        let now = clock::now().mono;
        let is_again = self.moved_at.is_some_and(|at| now < at + MOVED_AGAIN);
        let refused = |why: &str| {
            let mut error = ApiError::new(ApiFailure::WrongRegion, "");
            error.moved_to = Some(Box::new(to.clone()));
            error.said = Some(format!("{why}: {}", to.origin().ascii_serialization()));
            Err(error)
        };
        if self.settings.api_url.is_some() {
            return refused("api_url is set, the server names another base URL");
        }
        let Some(region) = self.hosts.region_of(to) else {
            return refused("the server names a host that is not Tesla's");
        };
        if is_again {
            return refused("sent back and forth between regions");
        }
        self.moved_at = Some(now);
        Ok(self.use_region(region).await)
    }

    async fn use_region(&mut self, region: Region) -> Arc<AccessGrant> {
        let name = token::region_name(region);
        info!(
            account = self.settings.name,
            region = name,
            "the server told the account's region"
        );
        self.stored.region = Some(name.to_owned());
        let usable_until = self.current().usable_until;
        self.hand_out(usable_until);
        if let Some((unsaved, ..)) = &mut self.unsaved {
            // It is written with the tokens, whose lock is ours already.
            unsaved.region = Some(name.to_owned());
        } else if let Err(error) = self.keep_region().await {
            // Costs one more wrong call after the next start.
            warn!(account = self.settings.name, %error, "the region could not be kept");
        }
        self.current()
    }
}
