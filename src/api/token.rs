//! What a token says about itself, and when to replace it (tesla-api.md, 1b.4 and 1c.5).
//!
//! Access tokens are JWTs, whose claims are read without checking the signature: they only plan
//! our own work. Refresh tokens, and the access tokens of old and look-alike servers, are opaque
//! and say at most their region in a prefix.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::hosts::Hosts;
use crate::config::Region;
use crate::decode::{DecodeError, open, text};

/// Assumed where neither the token nor the answer tells: what Tesla gives.
const USUAL_LIFE: Duration = Duration::from_hours(8);

/// A life beyond this is a mistake or an attack on the timer; the longest real one is 90 days.
pub(crate) const LONGEST_LIFE: Duration = Duration::from_hours(24 * 400);

/// The claims that plan our work; whatever is missing or odd is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TokenClaims {
    /// End of life.
    pub expires_at: Option<Timestamp>,
    /// Begin of life.
    pub issued_at: Option<Timestamp>,
    /// The hosts it is for.
    pub audience: Vec<String>,
    /// Home region: `NA`, `EU`, `CN`.
    pub ou_code: Option<String>,
    /// Granted scopes; empty where the token does not tell.
    pub scopes: Vec<String>,
    /// Who issued it.
    pub issuer: Option<String>,
}

/// The claims of a JWT; `None` for an opaque token.
pub(crate) fn claims(token: &SecretString) -> Option<TokenClaims> {
    let token = token.expose_secret();
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    let members = value.as_object()?;
    let text = |key: &str| members.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(TokenClaims {
        expires_at: members.get("exp").and_then(epoch_seconds),
        issued_at: members.get("iat").and_then(epoch_seconds),
        audience: words(members.get("aud")),
        ou_code: text("ou_code"),
        scopes: words(members.get("scp").or_else(|| members.get("scope"))),
        issuer: text("iss"),
    })
}

/// The region that a token tells, by claim or by prefix.
pub(crate) fn region(token: &SecretString, hosts: &Hosts) -> Option<Region> {
    if let Some(claims) = claims(token) {
        return region_of_claims(&claims, hosts);
    }
    let token = token.expose_secret();
    let prefix = token.split(['_', '-']).next()?;
    match prefix {
        "NA" | "qts" => Some(Region::Na),
        "EU" | "eu" => Some(Region::Eu),
        "CN" | "cn" => Some(Region::Cn),
        _ => None,
    }
}

fn region_of_claims(claims: &TokenClaims, hosts: &Hosts) -> Option<Region> {
    let by_code = claims.ou_code.as_deref().and_then(region_by_name);
    let by_issuer = || {
        let issuer = claims.issuer.as_deref()?;
        let url = url::Url::parse(issuer).ok()?;
        (url.host_str()?.rsplit('.').next() == Some("cn")).then_some(Region::Cn)
    };
    // A token that lists the hosts of several regions does not tell which is home.
    let by_audience = || {
        let urls = claims
            .audience
            .iter()
            .filter_map(|text| url::Url::parse(text).ok());
        let mut regions: Vec<Region> = urls.filter_map(|url| hosts.region_of(&url)).collect();
        regions.dedup();
        (regions.len() == 1).then(|| regions[0])
    };
    by_code.or_else(by_issuer).or_else(by_audience)
}

/// `na`, `eu`, `cn`, in any case.
pub(crate) fn region_by_name(name: &str) -> Option<Region> {
    match name.trim().to_ascii_lowercase().as_str() {
        "na" => Some(Region::Na),
        "eu" => Some(Region::Eu),
        "cn" => Some(Region::Cn),
        _ => None,
    }
}

/// The name of a region, as in the configuration.
pub(crate) fn region_name(region: Region) -> &'static str {
    match region {
        Region::Na => "na",
        Region::Eu => "eu",
        Region::Cn => "cn",
    }
}

/// What a token host gave.
#[derive(Debug, Clone)]
pub(crate) struct TokenAnswer {
    /// For calls.
    pub access: SecretString,
    /// Missing: the old one stays valid.
    pub refresh: Option<SecretString>,
    /// `expires_in`.
    pub expires_in: Option<Duration>,
}

/// Reads the body of a token answer with status 2xx.
pub(crate) fn token_answer(body: &[u8]) -> Result<TokenAnswer, DecodeError> {
    let body = text(body);
    let members = open(&body)?
        .object(|within, name| {
            within.is_empty() && matches!(name, "access_token" | "expires_in" | "refresh_token")
        })
        .ok_or_else(|| DecodeError::Malformed("expected a token answer".into()))?;
    let token = |key: &str| match members.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        // It goes into a header and into a form: anything but visible ASCII was mangled.
        Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(SecretString::from(text.as_str())))
        }
        Some(_) => Err(DecodeError::Malformed(format!("{key} is not a token"))),
    };
    let access = token("access_token")?
        .ok_or_else(|| DecodeError::Malformed("a token answer without access_token".into()))?;
    let expires_in = match members.get("expires_in") {
        Some(Value::Number(n)) => n.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(TokenAnswer {
        access,
        refresh: token("refresh_token")?,
        expires_in: expires_in
            .filter(|seconds| *seconds > 0.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    })
}

/// How long a token lives that arrived at `now`. The token's own `exp` decides; a machine whose
/// clock is wrong (it may even be past `exp`) goes by the token's length of life instead.
pub(crate) fn life(answer: &TokenAnswer, now: Timestamp) -> Duration {
    let claims = claims(&answer.access).unwrap_or_default();
    let whole = claims
        .expires_at
        .zip(claims.issued_at)
        .and_then(|(end, begin)| Duration::try_from(end.duration_since(begin)).ok());
    let left = claims
        .expires_at
        .and_then(|end| Duration::try_from(end.duration_since(now)).ok())
        .filter(|left| !left.is_zero());
    let told = [whole, left, answer.expires_in];
    let told = told
        .into_iter()
        .flatten()
        .filter(|life| !life.is_zero())
        .min();
    told.unwrap_or(USUAL_LIFE).min(LONGEST_LIFE)
}

/// When in its life to replace a token: at 75 %, give or take 5 % by `jitter` (0 to 1), so that
/// many bridges do not come together.
pub(crate) fn refresh_after(life: Duration, jitter: f64) -> Duration {
    life.mul_f64(0.70 + 0.10 * jitter.clamp(0.0, 1.0))
}

fn epoch_seconds(value: &Value) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float of seconds saturates, and is checked"
    )]
    let seconds = value
        .as_i64()
        .or_else(|| value.as_f64().map(|s| s as i64))?;
    Timestamp::from_second(seconds)
        .ok()
        .filter(|at| *at > Timestamp::UNIX_EPOCH)
}

/// A list of words, or one text of words with blanks between.
fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => {
            let texts = items.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
