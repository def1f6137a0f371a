//! The handle of an account, and the calls of a bridge that only reads.
//!
//! Calls run in the caller's task, at most two tries each: one more after a refreshed token or a
//! corrected region. Nothing else is repeated here; when to ask again is the policy's decision.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::ExposeSecret;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use url::Url;

use super::error::ApiError;
use super::hosts::{Hosts, joined};
use super::session::{AccessGrant, LoginSession, SessionParts, SessionRequest};
use super::store::{StoreError, TokenStore};
use super::tls;
use super::transport::{HttpReply, LONGEST_DATA, LONGEST_LIST, Patience, Transport};
use crate::clock;
use crate::config::{self, Api, Region};
use crate::decode;
use crate::decode::products;
use crate::decode::products::{ListedSite, ListedVehicle, ProductPage};
use crate::decode::vehicle_data::LOCATION;
use crate::failure::ApiFailure;
use crate::model::{ApiId, Vin};

/// Fleet API: what every read of a car or of the list needs.
const SCOPE_OF_DATA: &str = "vehicle_device_data";
/// Fleet API: what the position needs beside.
const SCOPE_OF_LOCATION: &str = "vehicle_location";
/// The list of an account that never ends is cut here; a page has a hundred products.
const MOST_PAGES: usize = 10;

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
        /// What to do.
        sentence: String,
    },
    /// The login cannot be renewed at the moment; it is tried again by itself.
    Unreachable {
        /// What is wrong.
        sentence: String,
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

/// The outcome of a call, and every answer that it took.
#[derive(Debug)]
pub struct Called<T> {
    /// What the caller wanted, or why not.
    pub outcome: Result<T, ApiError>,
    /// HTTP statuses of all answers, in order; empty when nothing was sent or nothing came back.
    pub statuses: Vec<u16>,
}

impl<T> Called<T> {
    /// How many of the answers the Fleet API bills: every one below 500.
    pub fn billed(&self) -> u32 {
        let billed = self.statuses.iter().filter(|status| **status < 500).count();
        u32::try_from(billed).unwrap_or(u32::MAX)
    }
}

/// The names by which an account's door knows a car.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarRef {
    /// For the Fleet API.
    pub vin: Vin,
    /// For the Owner API, from the newest list.
    pub id: Option<ApiId>,
}

impl CarRef {
    /// The names on the newest list.
    pub fn of(listed: &ListedVehicle) -> Self {
        Self {
            vin: listed.vin.clone(),
            id: listed.id,
        }
    }
}

/// What an account has, all pages together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProductList {
    /// The cars, each VIN once.
    pub vehicles: Vec<ListedVehicle>,
    /// The energy sites, each once.
    pub energy_sites: Vec<ListedSite>,
    /// Entries that may be cars and could not be read.
    pub n_unusable: usize,
    /// Tesla named more pages than anyone has cars.
    pub is_cut: bool,
}

impl ProductList {
    /// Whether a car that is not on it is none of the account's.
    pub fn is_whole(&self) -> bool {
        self.n_unusable == 0 && !self.is_cut
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

    /// Lists cars and energy sites, all pages; from the old list of vehicles where the server does
    /// not have the new one. A page that fails fails the whole: half a list would make cars vanish.
    pub async fn products(&self) -> Called<ProductList> {
        let mut statuses = Vec::new();
        let mut outcome = self.list("/api/1/products", &mut statuses).await;
        if let Err(error) = &outcome
            && matches!(
                error.kind,
                ApiFailure::NotFound | ApiFailure::EndpointGone | ApiFailure::InService
            )
        {
            debug!(account = self.name(), %error, "no list of products here; asking for the old list of vehicles");
            let older = self.list("/api/1/vehicles", &mut statuses).await;
            outcome = match older {
                Err(limit) if is_limit(&limit) => Err(limit),
                older => older.or(outcome),
            };
        }
        if outcome.is_ok() {
            self.lost_ids()
                .retain(|_, is_found_by_vin| *is_found_by_vin);
        }
        Called { outcome, statuses }
    }

    /// The light call: a car's state. Does not wake it.
    pub async fn vehicle(&self, car: &CarRef) -> Called<ListedVehicle> {
        let mut statuses = Vec::new();
        let path = self.path(car, "");
        let mut outcome = self.light(&path, car, &mut statuses).await;
        if let Some(path) = self.second_path(car, "", outcome.as_ref().err()) {
            let second = self.light(&path, car, &mut statuses).await;
            let is_limited = second.as_ref().is_err_and(is_limit);
            if self.works(car, second.as_ref().err()) || is_limited {
                outcome = second;
            }
        }
        Called { outcome, statuses }
    }

    async fn light(
        &self,
        path: &str,
        car: &CarRef,
        statuses: &mut Vec<u16>,
    ) -> Result<ListedVehicle, ApiError> {
        let reply = self.get(path, &[], statuses).await?;
        products::light(&reply.body, &car.vin, car.id)
            .map_err(|error| ApiError::of_body(error, reply.status))
    }

    /// The data call: the body as Tesla sent it, of an online car. Does not wake it; 408 is
    /// [`ApiFailure::Unavailable`]. Where the token's own claims lack the scope for the position,
    /// `location_data` is left out.
    pub async fn vehicle_data(&self, car: &CarRef, endpoints: &[&str]) -> Called<Vec<u8>> {
        let mut statuses = Vec::new();
        let wanted = self.allowed(endpoints);
        let path = self.path(car, "/vehicle_data");
        let mut outcome = self.data(&path, car, &wanted, &mut statuses).await;
        if let Some(path) = self.second_path(car, "/vehicle_data", outcome.as_ref().err()) {
            let second = self.data(&path, car, &wanted, &mut statuses).await;
            let is_limited = second.as_ref().is_err_and(is_limit);
            if self.works(car, second.as_ref().err()) || is_limited {
                outcome = second;
            }
        }
        Called { outcome, statuses }
    }

    /// The Fleet API takes the VIN; the older ones their own id, which changes when a car is added
    /// to the account again.
    fn path(&self, car: &CarRef, rest: &str) -> String {
        match self.own_id(car) {
            Some(id) if self.lost_ids().get(&id) != Some(&true) => {
                format!("/api/1/vehicles/{id}{rest}")
            }
            _ => by_vin(car, rest),
        }
    }

    /// An id that is not found is tried by its VIN once; with the next list it is worth another try.
    fn second_path(&self, car: &CarRef, rest: &str, error: Option<&ApiError>) -> Option<String> {
        let id = self.own_id(car)?;
        error.filter(|error| is_lost(error))?;
        let mut lost = self.lost_ids();
        match lost.get(&id) {
            None => Some(by_vin(car, rest)),
            Some(true) => {
                // Nor by its VIN: both are tried again.
                lost.remove(&id);
                None
            }
            Some(false) => None,
        }
    }

    /// Keeps in mind whether a car whose id is not found is found by its VIN.
    fn works(&self, car: &CarRef, error: Option<&ApiError>) -> bool {
        let works = error.is_none_or(|error| error.kind.meaning().car.tells_of_it);
        if let Some(id) = self.own_id(car)
            && (works || error.is_some_and(is_lost))
        {
            self.lost_ids().insert(id, works);
        }
        if works {
            warn!(
                account = self.name(),
                vin = %car.vin,
                "Tesla does not find the car by the id on its own list, but by its VIN: the VIN is used from now on"
            );
        }
        works
    }

    fn own_id(&self, car: &CarRef) -> Option<ApiId> {
        car.id.filter(|_| self.shared.api != Api::Fleet)
    }

    fn lost_ids(&self) -> MutexGuard<'_, BTreeMap<ApiId, bool>> {
        let ids = &self.shared.lost_ids;
        ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn data(
        &self,
        path: &str,
        car: &CarRef,
        endpoints: &[&str],
        statuses: &mut Vec<u16>,
    ) -> Result<Vec<u8>, ApiError> {
        let joined = endpoints.join(";");
        let query: &[(&str, &str)] = if joined.is_empty() {
            &[]
        } else {
            &[("endpoints", &joined)]
        };
        let reply = self.get(path, query, statuses).await?;
        decode::refuse_another(&reply.body, &car.vin, car.id)
            .map_err(|error| ApiError::of_body(error, reply.status))?;
        Ok(reply.body)
    }

    fn allowed<'a>(&self, endpoints: &[&'a str]) -> Vec<&'a str> {
        let claims = self.claims();
        let is_unclaimed = self.shared.api == Api::Fleet
            && claims.iter().any(|scope| scope == SCOPE_OF_DATA)
            && !claims.iter().any(|scope| scope == SCOPE_OF_LOCATION);
        endpoints
            .iter()
            .copied()
            .filter(|name| !(is_unclaimed && *name == LOCATION))
            .collect()
    }

    /// The scopes that the current token claims; none where it does not tell.
    fn claims(&self) -> Vec<String> {
        let access = self.shared.access.borrow();
        access
            .as_ref()
            .map_or_else(Vec::new, |access| access.scopes.clone())
    }

    async fn list(&self, path: &str, statuses: &mut Vec<u16>) -> Result<ProductList, ApiError> {
        let mut list = ProductList::default();
        let mut seen = (BTreeSet::new(), BTreeSet::new());
        let mut page_number: Option<u64> = None;
        for _ in 0..MOST_PAGES {
            let number = page_number.map(|n| n.to_string());
            let query: Vec<(&str, &str)> = number.iter().map(|n| ("page", n.as_str())).collect();
            let reply = self.get(path, &query, statuses).await?;
            let page: ProductPage = products::products(&reply.body)
                .map_err(|error| ApiError::of_body(error, reply.status))?;
            let n_before = list.vehicles.len() + list.energy_sites.len();
            list.n_unusable += page.n_unusable;
            list.vehicles.extend(
                page.vehicles
                    .into_iter()
                    .filter(|car| seen.0.insert(car.vin.clone())),
            );
            list.energy_sites.extend(
                page.energy_sites
                    .into_iter()
                    .filter(|site| seen.1.insert(site.energy_site_id)),
            );
            let is_new = list.vehicles.len() + list.energy_sites.len() > n_before;
            match page.next_page {
                Some(next) if page_number.is_none_or(|this| next > this) => {
                    page_number = Some(next);
                }
                _ => return Ok(list),
            }
            if !is_new {
                break;
            }
        }
        debug!(
            account = self.name(),
            "the list of products claims more pages and brings nothing new, or does not end; cut"
        );
        list.is_cut = true;
        Ok(list)
    }

    /// A read, with at most one cure of each kind.
    async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        statuses: &mut Vec<u16>,
    ) -> Result<HttpReply, ApiError> {
        let (mut may_refresh, mut may_move) = (true, true);
        let mut access = self.access(None).await?;
        loop {
            let reply = self
                .send(&access, path, query)
                .await
                .inspect_err(|error| statuses.extend(error.status))?;
            statuses.push(reply.status);
            if reply.is_success() {
                return Ok(reply);
            }
            let error = ApiError::of_call(&reply, clock::now().wall)
                .without([access.token.expose_secret()]);
            match &error.kind {
                ApiFailure::TokenRejected if may_refresh => {
                    may_refresh = false;
                    access = self.access(Some(access.generation)).await?;
                }
                ApiFailure::TokenRejected => {
                    // Told to the session, which stops the calls; the answer is already known.
                    let _no_cure = self.access(Some(access.generation)).await;
                    return Err(error);
                }
                ApiFailure::WrongRegion
                    if may_move
                        && self.shared.api == Api::Fleet
                        && let Some(to) = error.moved_to.clone() =>
                {
                    may_move = false;
                    let moved = self.moved(access.base.clone(), *to).await;
                    access = moved.map_err(|refused| ApiError {
                        status: error.status,
                        ..refused
                    })?;
                }
                ApiFailure::MissingScope if claims_all(&access.scopes, query) => {
                    return Err(ApiError {
                        kind: ApiFailure::ScopeDenied,
                        ..error
                    });
                }
                _ => return Err(error),
            }
        }
    }

    async fn send(
        &self,
        access: &AccessGrant,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<HttpReply, ApiError> {
        let mut url = joined(&access.base, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let client = self.shared.transport.client();
        let request = client
            .get(url)
            .bearer_auth(access.token.expose_secret())
            .header("accept", "application/json");
        let begun = clock::uptime();
        let call = call_name(path);
        let longest = match call {
            "vehicle_data" => LONGEST_DATA,
            _ => LONGEST_LIST,
        };
        let reply = self.shared.transport.send(request, longest).await;
        let ms = clock::uptime().saturating_sub(begun).as_millis();
        match &reply {
            Ok(reply) => debug!(
                account = self.name(),
                call,
                status = reply.status,
                bytes = reply.body.len(),
                ms,
                txid = reply.txid(),
                "answered"
            ),
            Err(error) => debug!(account = self.name(), call, ms, %error, "no answer"),
        }
        reply
    }

    async fn access(&self, refused: Option<u64>) -> Result<Arc<AccessGrant>, ApiError> {
        let current = self.shared.access.borrow().clone();
        match current {
            Some(access) if refused != Some(access.generation) && access.is_usable() => Ok(access),
            _ => {
                self.ask(|reply| SessionRequest::Access { refused, reply })
                    .await
            }
        }
    }

    async fn moved(&self, from: Url, to: Url) -> Result<Arc<AccessGrant>, ApiError> {
        self.ask(|reply| SessionRequest::Move { from, to, reply })
            .await
    }

    async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<Arc<AccessGrant>, ApiError>>) -> SessionRequest,
    ) -> Result<Arc<AccessGrant>, ApiError> {
        let closed = || ApiError::new(ApiFailure::Closed, "");
        let (reply, answer) = oneshot::channel();
        self.shared
            .requests
            .send(request(reply))
            .await
            .map_err(|_| closed())?;
        let access = answer.await.map_err(|_| closed())?;
        // What a token host did not answer is no call of the API.
        access.map_err(|error| ApiError {
            unanswered: false,
            ..error
        })
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let mut said = Self::new(ApiFailure::Store, "");
        // A path, not a server's words: nothing to black out.
        said.said = Some(error.to_string());
        said
    }
}

/// Whether a token claims every scope that a read needs: then the cause of a refusal is another.
fn claims_all(claims: &[String], query: &[(&str, &str)]) -> bool {
    let claims = |scope: &str| claims.iter().any(|claimed| claimed == scope);
    let is_about_location = query.iter().any(|(_, value)| value.contains(LOCATION));
    claims(SCOPE_OF_DATA) && (!is_about_location || claims(SCOPE_OF_LOCATION))
}

/// What must not be lost behind another try's failure: Tesla says stop.
fn is_limit(error: &ApiError) -> bool {
    matches!(error.kind, ApiFailure::Limited | ApiFailure::BillingLimit)
}

fn by_vin(car: &CarRef, rest: &str) -> String {
    format!("/api/1/vehicles/{}{rest}", car.vin.as_str())
}

/// Whether the address may be the cause.
fn is_lost(error: &ApiError) -> bool {
    matches!(error.kind, ApiFailure::NotFound | ApiFailure::AnotherCar)
}

/// The call for the log, without the car's number.
fn call_name(path: &str) -> &'static str {
    match path {
        "/api/1/products" => "products",
        "/api/1/vehicles" => "vehicles",
        _ if path.ends_with("/vehicle_data") => "vehicle_data",
        _ => "vehicle",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_calls_without_a_car() {
        assert_eq!(
            call_name("/api/1/vehicles/5YJ3E1EA7KF000001/vehicle_data"),
            "vehicle_data"
        );
        assert_eq!(call_name("/api/1/vehicles/5YJ3E1EA7KF000001"), "vehicle");
    }
}
