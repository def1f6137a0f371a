//! The three generations of login, as requests and readings of their answers (tesla-api.md, 1).
//!
//! * password: the 2019 login, `POST /oauth/token` with e-mail and password; Tesla retired it in
//!   January 2021, compatible servers still speak it
//! * owner: refresh tokens of the mobile app's single sign-on
//! * fleet: refresh tokens of a registered app, each good for one use
//!
//! One attempt a function; whether and when to repeat it is the session's business.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tracing::debug;

use super::error::ApiError;
use super::hosts::Hosts;
use super::token::{TokenAnswer, token_answer};
use super::transport::{LONGEST_TOKEN_ANSWER, Transport};
use crate::config::{self, Api, Region};
use crate::failure::ApiFailure;
use crate::log;

/// The mobile app's public client id and secret of the 2019 login.
const CLIENT_ID_2019: &str = "81527cff06843c8634fdc09e8ac0abefb46ac849f38fe1e431c2ef2106796384";
const CLIENT_SECRET_2019: &str = "c7257eb71a564034f9419ee651c7d0e5f7aa6bfbd18bafb5c5c033b093bb2fa3";

/// Sign-on client and scopes of the mobile app.
const CLIENT_ID_OWNER: &str = "ownerapi";
const SCOPE_OWNER: &str = "openid email offline_access";

/// What is offered for a token.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Grant<'a> {
    /// A refresh token. On the Fleet API it is spent by this.
    Refresh(&'a SecretString),
    /// E-mail and password of the settings (2019 login only).
    Password,
}

/// Asks the token host of the account once.
pub(crate) async fn ask(
    transport: &Transport,
    hosts: &Hosts,
    settings: &config::AccountSettings,
    region: Option<Region>,
    grant: Grant<'_>,
) -> Result<TokenAnswer, ApiError> {
    let url = hosts.token(settings, region);
    let host = url.host_str().unwrap_or_default().to_owned();
    let request = transport
        .client()
        .post(url)
        .header("accept", "application/json");
    let request = match settings.api {
        Api::Fleet => request.form(&fleet_form(settings, grant)?),
        Api::Owner => request.json(&owner_body(settings, grant)?),
        Api::Password => request.json(&password_body(settings, grant)?),
    };
    let outcome = match transport.send(request, LONGEST_TOKEN_ANSWER).await {
        Ok(reply) => {
            debug!(
                account = settings.name,
                host,
                status = reply.status,
                txid = reply.txid(),
                "token host answered"
            );
            if reply.is_success() {
                token_answer(&reply.body)
                    .inspect(|answer| {
                        // From here on no log line can hold them, whoever writes it.
                        log::redact_rotating_secret(&answer.access);
                        answer.refresh.iter().for_each(log::redact_rotating_secret);
                    })
                    .map_err(|error| ApiError::of_body(error, reply.status))
            } else {
                let password = matches!(grant, Grant::Password);
                Err(ApiError::of_login(
                    &reply,
                    password,
                    crate::clock::now().wall,
                ))
            }
        }
        Err(error) => Err(error),
    };
    outcome.map_err(|error| error.without(secrets_of(settings, grant)))
}

fn fleet_form<'a>(
    settings: &'a config::AccountSettings,
    grant: Grant<'a>,
) -> Result<[(&'static str, &'a str); 3], ApiError> {
    let Some(client_id) = &settings.client_id else {
        return Err(ApiError::new(
            ApiFailure::ClientUnknown,
            "client_id is not set",
        ));
    };
    let Grant::Refresh(token) = grant else {
        return Err(ApiError::new(ApiFailure::NeverSignedIn, ""));
    };
    Ok([
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("refresh_token", token.expose_secret()),
    ])
}

fn owner_body(
    settings: &config::AccountSettings,
    grant: Grant<'_>,
) -> Result<serde_json::Value, ApiError> {
    let Grant::Refresh(token) = grant else {
        return Err(ApiError::new(ApiFailure::NeverSignedIn, ""));
    };
    Ok(json!({
        "grant_type": "refresh_token",
        "client_id": settings.client_id.as_deref().unwrap_or(CLIENT_ID_OWNER),
        "refresh_token": token.expose_secret(),
        "scope": SCOPE_OWNER,
    }))
}

fn password_body(
    settings: &config::AccountSettings,
    grant: Grant<'_>,
) -> Result<serde_json::Value, ApiError> {
    let client_id = settings.client_id.as_deref().unwrap_or(CLIENT_ID_2019);
    let client_secret = settings
        .client_secret
        .as_ref()
        .map_or(CLIENT_SECRET_2019, |s| s.expose_secret());
    match (grant, &settings.email, &settings.password) {
        (Grant::Refresh(token), _, _) => Ok(json!({
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": client_secret,
            "refresh_token": token.expose_secret(),
        })),
        (Grant::Password, Some(email), Some(password)) => Ok(json!({
            "grant_type": "password",
            "client_id": client_id,
            "client_secret": client_secret,
            "email": email,
            "password": password.expose_secret(),
        })),
        (Grant::Password, _, _) => Err(ApiError::new(
            ApiFailure::NeverSignedIn,
            "email and password are not set",
        )),
    }
}

fn secrets_of<'a>(settings: &'a config::AccountSettings, grant: Grant<'a>) -> Vec<&'a str> {
    let mut secrets: Vec<&str> = [&settings.password, &settings.client_secret]
        .into_iter()
        .flatten()
        .map(ExposeSecret::expose_secret)
        .collect();
    secrets.extend(settings.email.as_deref());
    if let Grant::Refresh(token) = grant {
        secrets.push(token.expose_secret());
    }
    secrets
}
