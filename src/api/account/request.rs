//! One read of Tesla's API, authorised, with at most one cure of each kind: a fresh token, the
//! account's own region.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::sync::oneshot;
use tracing::debug;
use url::Url;

use super::Account;
use crate::api::error::ApiError;
use crate::api::hosts::joined;
use crate::api::session::{AccessGrant, SessionRequest};
use crate::api::transport::{HttpReply, LONGEST_DATA, LONGEST_LIST};
use crate::clock;
use crate::config::Api;
use crate::decode::vehicle_data::LOCATION;
use crate::failure::ApiFailure;

/// Fleet API: what every read of a car or of the list needs.
pub(super) const SCOPE_OF_DATA: &str = "vehicle_device_data";
/// Fleet API: what the position needs beside.
pub(super) const SCOPE_OF_LOCATION: &str = "vehicle_location";

impl Account {
    /// A read, with at most one cure of each kind.
    pub(super) async fn get(
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

/// Whether a token claims every scope that a read needs: then the cause of a refusal is another.
fn claims_all(claims: &[String], query: &[(&str, &str)]) -> bool {
    let claims = |scope: &str| claims.iter().any(|claimed| claimed == scope);
    let is_about_location = query.iter().any(|(_, value)| value.contains(LOCATION));
    claims(SCOPE_OF_DATA) && (!is_about_location || claims(SCOPE_OF_LOCATION))
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
