//! What a session decides, without doing it: which token to offer, whose a stored login is, how
//! long a token lives, how long to wait after a failure.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::error::Kind;
use super::hosts::Hosts;
use super::store::{Stored, same};
use super::token;
use crate::config::{self, Api};
use crate::decode;

/// The refresh tokens worth offering, best first: one that was pasted later, the newest, its
/// predecessor (whose successor may have been lost), and the configuration's as a last resort.
pub fn candidates(stored: &Stored, settings: &config::Account) -> Vec<SecretString> {
    let all = [
        pasted(stored, settings),
        stored.refresh_token.clone(),
        stored.previous_refresh_token.clone(),
        settings.refresh_token.clone(),
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
pub fn pasted(stored: &Stored, settings: &config::Account) -> Option<SecretString> {
    let configured = settings.refresh_token.as_ref();
    let known = [
        &stored.seed,
        &stored.refresh_token,
        &stored.previous_refresh_token,
    ];
    let is_known = known.iter().any(|token| same(token.as_ref(), configured));
    configured.filter(|_| !is_known).cloned()
}

/// Tokens belong to a generation of login, those of the 2019 login to an e-mail address as well.
pub fn belongs(stored: &Stored, settings: &config::Account) -> bool {
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

pub fn generation_name(api: Api) -> &'static str {
    match api {
        Api::Fleet => "fleet",
        Api::Owner => "owner",
        Api::Password => "password",
    }
}

/// How long the stored access token lives, if it does.
pub fn life_left(stored: &Stored, now: Timestamp) -> Option<Duration> {
    stored.access_token.as_ref()?;
    let end = stored.access_expires_at?;
    let left = Duration::try_from(end.duration_since(now)).ok()?;
    // A clock that boots in the past must not stretch the life of a token.
    let whole = Duration::try_from(end.duration_since(stored.issued_at?)).ok()?;
    (left > Duration::from_mins(1)).then_some(left.min(whole).min(token::LONGEST_LIFE))
}

/// The base URL in an answer of `users/region`.
pub fn home_of(body: &[u8], hosts: &Hosts) -> Option<Url> {
    let answer = decode::open(body).ok()?;
    let text = |key: &str| answer.response.get(key).and_then(serde_json::Value::as_str);
    let by_url = text("fleet_api_base_url").and_then(|url| Url::parse(url).ok());
    by_url.or_else(|| Some(hosts.fleet(token::region_by_name(text("region")?)?).clone()))
}

/// How long to wait after the `n`-th failed refresh in a row (from 0), doubled each time and
/// spread by `jitter` (0 to 1). A token that still lives leaves time. What the server asked for is
/// a minimum: one that asks for nothing is not to be asked for ever.
pub fn retry_wait(kind: &Kind, n: u32, has_token: bool, jitter: f64) -> Duration {
    let (first, last) = match kind {
        Kind::Unreachable if !has_token => (5, 300),
        Kind::TimedOut | Kind::Garbled | Kind::Server if !has_token => (10, 900),
        Kind::Unreachable | Kind::TimedOut | Kind::Garbled | Kind::Server => (300, 1800),
        Kind::Limited { retry_after: None } => (300, 3600),
        Kind::Limited { .. } => (30, 3600),
        Kind::Store => (10, 300),
        _ => (900, 14_400),
    };
    let doubled = first << n.min(16);
    let own = Duration::from_secs(doubled.min(last)).mul_f64(0.8 + 0.4 * jitter);
    match kind {
        Kind::Limited {
            retry_after: Some(asked),
        } => own.max(asked.mul_f64(1.0 + 0.1 * jitter)),
        _ => own,
    }
}

#[cfg(test)]
pub(super) mod tests;
