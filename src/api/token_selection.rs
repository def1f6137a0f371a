//! What a session decides, without doing it: which token to offer, whose a stored login is, how
//! long a token lives, how long to wait after a failure.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::error::ApiError;
use super::hosts::Hosts;
use super::retry_after;
use super::store::{Asker, StoredLogin, Wait, same};
use super::token;
use crate::config::{self, Api};
use crate::decode;
use crate::failure::ApiFailure;

/// How long a spent refresh token stays good, so that a lost reply can be repaired. An older one
/// is an offence that may end the login of its successors too (tesla-api.md, 1c.3).
const GRACE: Duration = Duration::from_hours(24);

/// The refresh tokens worth offering, best first: one that was pasted later, the newest, its
/// predecessor (whose successor may have been lost), and the configuration's as a last resort.
/// What was spent longer ago than Tesla's grace is not among them.
pub(super) fn candidates(
    stored: &StoredLogin,
    settings: &config::AccountSettings,
    now: Timestamp,
) -> Vec<SecretString> {
    // A clock that jumps says nothing of how long ago it was, whichever way it jumps.
    let in_grace = |spent: Timestamp| now.duration_since(spent).unsigned_abs() <= GRACE;
    let previous = stored.previous_refresh_token.clone();
    let is_spent_configured_token = same(
        stored.configured_token.as_ref(),
        settings.refresh_token.as_ref(),
    ) && stored
        .configured_token_spent_at
        .is_some_and(|at| !in_grace(at));
    let all = [
        pasted(stored, settings),
        stored.refresh_token.clone(),
        previous.filter(|_| stored.issued_at.is_some_and(in_grace)),
        settings
            .refresh_token
            .clone()
            .filter(|_| !is_spent_configured_token),
    ];
    let mut distinct: Vec<SecretString> = Vec::new();
    for token in all.into_iter().flatten() {
        if !distinct.iter().any(|known| same(Some(known), Some(&token))) {
            distinct.push(token);
        }
    }
    distinct
}

/// The token of the configuration, if it is one that the store has not dealt with.
pub(super) fn pasted(
    stored: &StoredLogin,
    settings: &config::AccountSettings,
) -> Option<SecretString> {
    let configured = settings.refresh_token.as_ref();
    let known = [
        &stored.configured_token,
        &stored.refresh_token,
        &stored.previous_refresh_token,
    ];
    let is_known = known.iter().any(|token| same(token.as_ref(), configured));
    configured.filter(|_| !is_known).cloned()
}

/// Whether a token host's no to a refresh token is a reason to offer what comes next. Words that
/// end the login always are. A pasted token may be anything, and is refused in any words: the
/// stored login must not wait for it. Behind a token of the 2019 login there is the password.
pub(super) fn moves_on(no: &ApiError, is_pasted: bool, api: Api) -> bool {
    match no.kind {
        ApiFailure::SignedOut => true,
        ApiFailure::Firewall | ApiFailure::Garbled | ApiFailure::Server | ApiFailure::Limited => {
            false
        }
        _ if api == Api::Password => matches!(no.status, Some(400..=499)),
        _ => is_pasted && matches!(no.status, Some(400 | 401 | 403)),
    }
}

/// Tokens belong to a generation of login, those of the 2019 login to an e-mail address as well.
pub fn belongs(stored: &StoredLogin, settings: &config::AccountSettings) -> bool {
    let is_other_api = stored
        .api
        .as_ref()
        .is_some_and(|kept| kept != generation_name(settings.api));
    let is_other_person = match (&stored.email, &settings.email) {
        (Some(kept), Some(configured)) => settings.api == Api::Password && kept != configured,
        _ => false,
    };
    !is_other_api && !is_other_person
}

pub(super) fn asker(settings: &config::AccountSettings) -> Asker {
    Asker {
        api: generation_name(settings.api).to_owned(),
        auth_url: settings.auth_url.as_ref().map(Url::to_string),
        client_id: settings.client_id.clone(),
        email: settings.email.clone(),
    }
}

pub(super) fn generation_name(api: Api) -> &'static str {
    match api {
        Api::Fleet => "fleet",
        Api::Owner => "owner",
        Api::Password => "password",
    }
}

/// How long the stored access token lives, if it does.
pub(super) fn life_left(stored: &StoredLogin, now: Timestamp) -> Option<Duration> {
    stored.access_token.as_ref()?;
    let end = stored.access_expires_at?;
    let left = Duration::try_from(end.duration_since(now)).ok()?;
    // A clock that boots in the past must not stretch the life of a token.
    let whole = Duration::try_from(end.duration_since(stored.issued_at?)).ok()?;
    (left > Duration::from_mins(1)).then_some(left.min(whole).min(token::LONGEST_LIFE))
}

/// What is left of a wait that a token host asked for before a restart; nothing where another token
/// was pasted since, or where it is another host's, or another login's.
pub(super) fn wait_left(
    wait: &Wait,
    settings: &config::AccountSettings,
    now: Timestamp,
) -> Option<Duration> {
    let (then, today) = (&wait.configured_token, &settings.refresh_token);
    let is_same_token = same(then.as_ref(), today.as_ref()) || (then.is_none() && today.is_none());
    let is_same_asker = wait.asker.as_ref().is_none_or(|of| *of == asker(settings));
    let left = Duration::try_from(wait.until.duration_since(now)).ok()?;
    // A clock that boots in the past must not stretch it.
    (is_same_token && is_same_asker && !left.is_zero()).then_some(left.min(retry_after::LONGEST))
}

/// The base URL in an answer of `users/region`.
pub(super) fn home_of(body: &[u8], hosts: &Hosts) -> Option<Url> {
    let body = decode::text(body);
    let home = decode::open(&body).ok()?.object(|within, name| {
        within.is_empty() && matches!(name, "fleet_api_base_url" | "region")
    })?;
    let text = |key: &str| home.get(key).and_then(serde_json::Value::as_str);
    let by_url = text("fleet_api_base_url").and_then(|url| Url::parse(url).ok());
    by_url.or_else(|| Some(hosts.fleet(token::region_by_name(text("region")?)?).clone()))
}

#[cfg(test)]
pub(super) mod tests;
