//! The task that owns an account's tokens: one refresh at a time, ahead of time, durable first.
//!
//! Callers read the current [`AccessGrant`] without asking the task; they turn to it when there is
//! none, when the server refused it, or when the account lives in another region. Every instant
//! of a refresh may be the last one of the process:
//!
//! | killed | on disk | repaired by |
//! |---|---|---|
//! | before the request | the newest token | nothing to repair |
//! | after it, before the reply is written | the token just spent | Tesla's grace for the predecessor |
//! | between writing and renaming | both files | the store finishes the renaming |
//! | after renaming | the newest token | nothing to repair |
//!
//! A reply that is lost without a kill is the second row: the same token is offered again.

mod access_grant;
mod on_disk;
mod region;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::account::AccountStatus;
use super::error::ApiError;
use super::hosts::Hosts;
use super::store::{StoreError, StoredLogin, TokenStore};
use super::token;
use super::token_selection::{belongs, life_left, pasted, wait_left};
use super::transport::Transport;
use crate::atomic_file::Lock;
use crate::clock;
use crate::config;
use crate::failure::ApiFailure;
use crate::rng;

pub(super) use access_grant::{AccessGrant, SessionRequest};
use on_disk::on_disk;

/// A second 401 this soon after a refresh is not about the token's age.
const REFUSED_AGAIN: Duration = Duration::from_mins(5);
/// Refusals further apart than this are no row.
const REFUSED_IN_A_ROW: Duration = Duration::from_hours(6);
/// A token that lives for seconds is not replaced ahead of time, but when it is needed.
const SOONEST: Duration = Duration::from_secs(30);

/// A token that lives no longer is old when it comes: fetching another whenever one is needed would
/// be a call of the token host for each call of the API.
const STALE: Duration = Duration::from_mins(2);

/// What a session is made of.
pub(super) struct SessionParts {
    /// The account.
    pub settings: config::AccountSettings,
    /// The hosts behind the region names.
    pub hosts: Hosts,
    /// The client.
    pub transport: Transport,
    /// Where the login is kept.
    pub store: TokenStore,
    /// Factor on the waits between tries.
    pub pace: f64,
    /// Where the current access grant is shown.
    pub access: watch::Sender<Option<Arc<AccessGrant>>>,
    /// Where the account's status is shown.
    pub status: watch::Sender<AccountStatus>,
}

/// The owner of the tokens.
pub(super) struct LoginSession {
    settings: config::AccountSettings,
    hosts: Hosts,
    transport: Transport,
    store: TokenStore,
    pace: f64,
    access: watch::Sender<Option<Arc<AccessGrant>>>,
    status: watch::Sender<AccountStatus>,
    stored: StoredLogin,
    generation: u64,
    /// Monotonic time of the next refresh, while signed in.
    refresh_at: Duration,
    /// Tokens that arrived and could not be written yet; they are not used before.
    unsaved: Option<(StoredLogin, Duration, Lock)>,
    trouble: Option<Trouble>,
    /// Only the owner can cure this; nothing is asked any more.
    ended: Option<ApiError>,
    /// Monotonic time of the next look for a login that another process stored since.
    look_at: Duration,
    refused_at: Option<Duration>,
    n_refused: u32,
    moved_at: Option<Duration>,
    /// How many tokens in a row were old when they came.
    n_stale: u32,
    /// A refused token was told of since the last success: not again at every try.
    told_of_refusal: bool,
    /// The store cannot be read, and that was told.
    told_of_store: bool,
}

/// A failed refresh and when to try again.
struct Trouble {
    error: ApiError,
    n: u32,
    retry_at: Duration,
}

impl LoginSession {
    /// A session over what the store holds. No network yet. A store that cannot be read is looked
    /// at again; until then nothing is offered, for the token in it may be newer.
    pub(super) fn new(parts: SessionParts, found: Result<Option<StoredLogin>, StoreError>) -> Self {
        let (stored, unreadable) = match found {
            Ok(stored) => (stored, None),
            Err(error) => (None, Some(ApiError::from(error))),
        };
        let asked_to_wait = stored.as_ref().and_then(|stored| stored.wait.clone());
        let is_ours = |stored: &StoredLogin| belongs(stored, &parts.settings);
        let mut session = Self {
            stored: stored.filter(is_ours).unwrap_or_default(),
            settings: parts.settings,
            hosts: parts.hosts,
            transport: parts.transport,
            store: parts.store,
            pace: parts.pace,
            access: parts.access,
            status: parts.status,
            generation: 0,
            refresh_at: Duration::ZERO,
            unsaved: None,
            trouble: None,
            ended: None,
            look_at: Duration::ZERO,
            refused_at: None,
            n_refused: 0,
            moved_at: None,
            n_stale: 0,
            told_of_refusal: false,
            told_of_store: false,
        };
        if pasted(&session.stored, &session.settings).is_none() {
            session.resume();
        }
        let left = asked_to_wait
            .and_then(|wait| wait_left(&wait, &session.settings, clock::now().wall))
            .map(|left| ApiError::limited(Some(left), "asked before the restart"));
        session.told_of_store = unreadable.is_some();
        if let Some(error) = unreadable.or(left) {
            session.failed(error, 0);
        }
        session
    }

    /// Runs until cancelled or until every handle is gone.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<SessionRequest>,
        cancel: CancellationToken,
    ) {
        loop {
            let due = self.due();
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                request = requests.recv() => match request {
                    Some(request) => self.serve(request).await,
                    None => break,
                },
                () = clock::sleep_until(due) => if self.is_to_look() {
                    self.look_for_login().await;
                } else {
                    let _reported = self.renew().await;
                },
            }
        }
        debug!(account = self.settings.name, "session ended");
    }

    fn due(&self) -> Duration {
        match (&self.ended, &self.trouble) {
            (Some(_), _) => self.look_at,
            // What was not written yet is newer than what is on disk.
            (None, Some(trouble)) if self.unsaved.is_some() => trouble.retry_at,
            // Only a call has use for a token that is old when it comes.
            (None, Some(trouble)) if trouble.error.kind == ApiFailure::StaleToken => self.look_at,
            (None, Some(trouble)) => trouble.retry_at.min(self.look_at),
            (None, None) => self.refresh_at,
        }
    }

    /// Whether what is due is a look at the disk, not a refresh.
    fn is_to_look(&self) -> bool {
        let waits = |trouble: &Trouble| {
            trouble.error.kind == ApiFailure::StaleToken || clock::now().mono < trouble.retry_at
        };
        self.ended.is_some() || self.trouble.as_ref().is_some_and(waits)
    }

    async fn serve(&mut self, request: SessionRequest) {
        match request {
            SessionRequest::Access { refused, reply } => {
                let access = self.access(refused).await;
                let _caller_gone = reply.send(access);
            }
            SessionRequest::Move { from, to, reply } => {
                let access = self.move_to(&from, &to).await;
                let _caller_gone = reply.send(access);
            }
        }
    }

    async fn access(&mut self, refused: Option<u64>) -> Result<Arc<AccessGrant>, ApiError> {
        match self.usable_access() {
            Some(access) if refused == Some(access.generation) => self.refused().await,
            Some(access) => Ok(access),
            None => self.renew_if_allowed().await,
        }
    }

    async fn renew_if_allowed(&mut self) -> Result<Arc<AccessGrant>, ApiError> {
        if let Some(ended) = &self.ended {
            return Err(unsent(ended));
        }
        match &self.trouble {
            Some(trouble) if clock::now().mono < trouble.retry_at => Err(unsent(&trouble.error)),
            _ => self.renew().await,
        }
    }

    /// A 401: one refresh may cure it. A second one soon after says that no refresh will.
    async fn refused(&mut self) -> Result<Arc<AccessGrant>, ApiError> {
        let now = clock::now().mono;
        let last = self.refused_at.replace(now);
        self.access.send_replace(None);
        self.n_refused = match last {
            Some(last) if now < last + REFUSED_IN_A_ROW => self.n_refused + 1,
            _ => 0,
        };
        match last {
            Some(last) if now < last + REFUSED_AGAIN => {
                let error = ApiError::new(ApiFailure::TokenRejected, "401 right after a refresh");
                Err(self.failed(error, self.n_refused.saturating_sub(1)))
            }
            _ => {
                debug!(
                    account = self.settings.name,
                    "the access token was refused; refreshing it once"
                );
                if let Some(trouble) = &self.trouble {
                    self.show(AccountStatus::Unreachable {
                        why: trouble.error.explanation(),
                    });
                }
                self.renew_if_allowed().await
            }
        }
    }

    /// One refresh, from lock to access grant.
    async fn renew(&mut self) -> Result<Arc<AccessGrant>, ApiError> {
        match self.renewed().await {
            Ok(access) => {
                self.told_of_refusal = false;
                if self.n_stale > 0 {
                    // It is used once, or for the seconds that it lives.
                    let error = ApiError::new(ApiFailure::StaleToken, "");
                    self.failed(error, self.n_stale - 1);
                    return Ok(access);
                }
                if let Some(trouble) = self.trouble.take() {
                    info!(
                        account = self.settings.name,
                        tries = trouble.n + 1,
                        "signed in again after trouble"
                    );
                }
                Ok(access)
            }
            Err(error) => {
                let n = self.trouble.as_ref().map_or(0, |trouble| trouble.n + 1);
                Err(self.failed(error, n))
            }
        }
    }

    async fn renewed(&mut self) -> Result<Arc<AccessGrant>, ApiError> {
        if self.unsaved.is_none() {
            let lock = self.lock().await?;
            if self.adopt_newer().await?
                && let Some(access) = self.usable_access()
            {
                return Ok(access);
            }
            let store = self.store.clone();
            on_disk(move || store.rehearse()).await?;
            let signed_in = self.sign_in().await;
            if let Some(asked) = signed_in.as_ref().err().and_then(|error| error.retry_after) {
                self.remember_wait(asked).await;
            }
            let (used, answer) = signed_in?;
            self.unsaved = Some(self.login_of(used, &answer, lock));
        }
        self.save_tokens().await?;
        Ok(self.find_region().await)
    }

    /// Uses the access token of the store where it still lives: a restart costs no refresh.
    fn resume(&mut self) {
        let now = clock::now();
        let Some(left) = life_left(&self.stored, now.wall) else {
            return;
        };
        let due = self.stored.issued_at.and_then(|issued| {
            let lived = Duration::try_from(now.wall.duration_since(issued)).ok()?;
            Some(token::refresh_after(lived + left, rng::share()).saturating_sub(lived))
        });
        self.refresh_at = now.mono + due.unwrap_or(left / 2);
        self.hand_out(now.mono + left);
    }

    fn hand_out(&mut self, usable_until: Duration) {
        let Some(token) = self.stored.access_token.clone() else {
            return;
        };
        let claims = token::claims(&token).unwrap_or_default();
        let region = self.region(None);
        self.generation += 1;
        let access = AccessGrant {
            token,
            base: self.hosts.api(&self.settings, region),
            generation: self.generation,
            usable_until,
            scopes: claims.scopes.clone(),
        };
        self.access.send_replace(Some(Arc::new(access)));
        self.show(AccountStatus::SignedIn {
            region,
            scopes: claims.scopes,
        });
    }

    fn current(&self) -> Arc<AccessGrant> {
        let access = self.access.borrow().clone();
        access.expect("called with an access grant that was just handed out")
    }

    fn usable_access(&self) -> Option<Arc<AccessGrant>> {
        self.access
            .borrow()
            .clone()
            .filter(|access| access.is_usable())
    }

    /// Notes a failure; decides when to try again, or that there is no use.
    fn failed(&mut self, error: ApiError, n: u32) -> ApiError {
        let account = &self.settings.name;
        if error.ends_login() {
            error!(account, %error, "signed out");
            self.access.send_replace(None);
            self.trouble = None;
            self.show(AccountStatus::SignedOut {
                why: error.explanation(),
            });
            self.ended = Some(error.clone());
            return error;
        }
        let has_token = error.kind != ApiFailure::StaleToken && self.usable_access().is_some();
        let login = error.kind.meaning().login;
        let wait = login.wait(
            n.saturating_add(1),
            has_token,
            error.retry_after,
            rng::share(),
        );
        let wait = wait.mul_f64(self.pace);
        if self
            .trouble
            .as_ref()
            .is_none_or(|before| before.error.kind != error.kind)
        {
            warn!(account, %error, retry_in_seconds = wait.as_secs(), "the login cannot be renewed at the moment");
        } else {
            debug!(account, %error, retry_in_seconds = wait.as_secs(), "still no renewal");
        }
        if !has_token {
            self.show(AccountStatus::Unreachable {
                why: error.explanation(),
            });
        }
        let retry_at = clock::now().mono + wait;
        self.trouble = Some(Trouble {
            error: error.clone(),
            n,
            retry_at,
        });
        error
    }

    fn show(&self, status: AccountStatus) {
        self.status.send_if_modified(|old| {
            let is_new = *old != status;
            *old = status;
            is_new
        });
    }
}

/// A failure from memory: nothing was sent, nothing is billed.
fn unsent(error: &ApiError) -> ApiError {
    ApiError {
        status: None,
        ..error.clone()
    }
}
