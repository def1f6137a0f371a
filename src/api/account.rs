//! The handle of an account. Its calls, those of a bridge that only reads, are in the files below.
//!
//! Calls run in the caller's task, at most two tries each: one more after a refreshed token or a
//! corrected region. Nothing else is repeated here; when to ask again is the policy's decision.

mod called;
mod car_calls;
mod product_list;
mod request;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::error::ApiError;
use super::hosts::Hosts;
use super::session::{AccessGrant, LoginSession, SessionParts, SessionRequest};
use super::store::TokenStore;
use super::tls;
use super::transport::{Patience, Transport};
use crate::config::{self, Api, Region};
use crate::failure::{ApiFailure, Explanation};
use crate::model::ApiId;
pub use called::Called;
pub use car_calls::CarRef;
pub use product_list::ProductList;

/// One Tesla account; a cheap clone. The task behind it ends with the last clone or with the
/// cancellation token.
#[derive(Debug, Clone)]
pub struct Account {
    shared: Arc<AccountShared>,
}

#[derive(Debug)]
struct AccountShared {
    name: String,
    api: Api,
    transport: Transport,
    access: watch::Receiver<Option<Arc<AccessGrant>>>,
    status: watch::Receiver<AccountStatus>,
    requests: mpsc::Sender<SessionRequest>,
    /// Ids of cars that Tesla did not find by them, and whether it found them by their VIN.
    lost_ids: Mutex<BTreeMap<ApiId, bool>>,
}

/// Whether the account can be used, for the log and for MQTT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountStatus {
    /// The first token is being fetched.
    SigningIn,
    /// There is a usable access token.
    SignedIn {
        /// Fleet region, where it is known.
        region: Option<Region>,
        /// Scopes that the token claims; empty where it does not tell.
        scopes: Vec<String>,
    },
    /// Only the owner can cure it; no calls until the account is opened again.
    SignedOut {
        /// What happened, and what to do.
        why: Explanation,
    },
    /// The login cannot be renewed at the moment; it is tried again by itself.
    Unreachable {
        /// What is wrong.
        why: Explanation,
    },
}

impl AccountStatus {
    /// The word that is published.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SigningIn => "signing_in",
            Self::SignedIn { .. } => "signed_in",
            Self::SignedOut { .. } => "signed_out",
            Self::Unreachable { .. } => "unreachable",
        }
    }
}

impl Account {
    /// Opens an account: reads its stored login and starts its task. Needs no network; an account
    /// that was never signed in opens too, and says so in its status, as does one whose login
    /// cannot be read.
    pub async fn open(
        settings: &config::AccountSettings,
        state_directory: &Path,
        cancel: CancellationToken,
    ) -> Result<Self, ApiError> {
        Self::open_at(
            settings,
            state_directory,
            cancel,
            Hosts::tesla(),
            Patience::default(),
        )
        .await
    }

    /// Whether an account with these settings could be opened, as far as that shows without
    /// touching its login: the files that it names are read once.
    pub fn check(settings: &config::AccountSettings) -> Result<(), ApiError> {
        transport(settings, &Hosts::tesla(), Patience::default()).map(drop)
    }

    /// [`Self::open`] with other hosts than Tesla's behind the region names.
    pub async fn open_at(
        settings: &config::AccountSettings,
        state_directory: &Path,
        cancel: CancellationToken,
        hosts: Hosts,
        patience: Patience,
    ) -> Result<Self, ApiError> {
        let transport = transport(settings, &hosts, patience)?;
        warn_if_open_to_eavesdroppers(settings);

        let store = TokenStore::new(state_directory, &settings.name)?;
        let to_read = store.clone();
        let found = tokio::task::spawn_blocking(move || to_read.load())
            .await
            .map_err(|gone| ApiError::new(ApiFailure::Closed, gone))?;

        let (access_in, access) = watch::channel(None);
        let (status_in, status) = watch::channel(AccountStatus::SigningIn);
        // Full means that every car waits for a token: they wait in line.
        let (requests, inbox) = mpsc::channel(32);
        let parts = SessionParts {
            settings: settings.clone(),
            hosts,
            transport: transport.clone(),
            store,
            pace: patience.pace,
            access: access_in,
            status: status_in,
        };
        let session = LoginSession::new(parts, found);
        tokio::spawn(session.run(inbox, cancel));
        Ok(Self {
            shared: Arc::new(AccountShared {
                name: settings.name.clone(),
                api: settings.api,
                transport,
                access,
                status,
                requests,
                lost_ids: Mutex::default(),
            }),
        })
    }

    /// The owner's name for the account.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Generation of login and API.
    pub fn api(&self) -> Api {
        self.shared.api
    }

    /// Whether the account can be used; changes as it happens.
    pub fn status(&self) -> watch::Receiver<AccountStatus> {
        self.shared.status.clone()
    }

    /// Ends when the account's task has ended, so that no token is being spent at the time of the
    /// process's end. A refresh under way is finished first: give it a deadline.
    pub async fn closed(&self) {
        self.shared.requests.closed().await;
    }
}

fn transport(
    settings: &config::AccountSettings,
    hosts: &Hosts,
    patience: Patience,
) -> Result<Transport, ApiError> {
    tls::install_provider();
    let (api_url, token_url) = (
        hosts.api(settings, settings.region),
        hosts.token(settings, settings.region),
    );
    let ca_file = settings.ca_file.as_deref();
    Transport::new(&[&api_url, &token_url], ca_file, patience)
}

fn warn_if_open_to_eavesdroppers(settings: &config::AccountSettings) {
    for (key, url) in [
        ("api_url", &settings.api_url),
        ("auth_url", &settings.auth_url),
    ] {
        let Some(url) = url else { continue };
        let is_local = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
            Some(url::Host::Ipv6(address)) => address.is_loopback() || address.is_unique_local(),
            Some(url::Host::Domain(name)) => name == "localhost" || !name.contains('.'),
            None => true,
        };
        if url.scheme() == "http" && !is_local {
            warn!(
                account = settings.name,
                key, "tokens travel unencrypted to this address; use https"
            );
        }
    }
}
