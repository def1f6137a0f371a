//! Every way in which a call can fail, by what the caller does next (tesla-api.md, section 7).
//!
//! Status first, words second: Tesla's wording changes, and one status has several meanings only
//! where the table says so (400, 401, 403, 412). The server's own words are kept for the log
//! with anything that looks like a secret or a VIN blacked out.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::hosts::base_url_in;
use super::retry_after::asked_wait;
use super::store::StoreError;
use super::transport::HttpReply;
use crate::decode::DecodeError;
use crate::failure::{Again, ApiFailure, Explanation, Failure};

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Its row in the table of failures.
    pub kind: ApiFailure,
    /// The wait that was asked for with 429, at most 24 h.
    pub retry_after: Option<Duration>,
    /// The base URL to which 421 sends us, not checked.
    pub moved_to: Option<Box<Url>>,
    /// The HTTP status, if there was an answer. Below 500 the Fleet API bills it.
    pub status: Option<u16>,
    /// The server's or the library's own words, on one line, without secrets.
    pub said: Option<String>,
    /// The call went out and no answer came: Tesla may bill it all the same.
    pub unanswered: bool,
}

/// Our own waits after a limit are no longer.
const LONGEST_OWN_WAIT: Duration = Duration::from_mins(72);

impl ApiError {
    /// A failure without an answer.
    pub fn new(kind: ApiFailure, said: impl fmt::Display) -> Self {
        let said = presentable(&said.to_string());
        Self {
            kind,
            retry_after: None,
            moved_to: None,
            status: None,
            said: (!said.is_empty()).then_some(said),
            unanswered: false,
        }
    }

    /// A limit that was imposed before.
    pub fn limited(retry_after: Option<Duration>, said: impl fmt::Display) -> Self {
        Self {
            retry_after,
            ..Self::new(ApiFailure::Limited, said)
        }
    }

    /// Reads an answer of the API whose status is not 2xx.
    pub fn of_call(reply: &HttpReply, now: Timestamp) -> Self {
        let words = ErrorText::of(&reply.body);
        let kind = match reply.status {
            300..=399 => ApiFailure::Redirected,
            401 if words.has("mobile_access_disabled") => ApiFailure::MobileAccessDisabled,
            401 => ApiFailure::TokenRejected,
            402 => ApiFailure::PaymentRequired,
            403 if words.html => ApiFailure::Firewall,
            403 if words.has("EXCEEDED_LIMIT") => ApiFailure::BillingLimit,
            403 if words.has("scope") => ApiFailure::MissingScope,
            403 if words.has("unsupported vehicle") => ApiFailure::UnsupportedVehicle,
            403 if words.has("fleet-api") => ApiFailure::ClientRefused,
            403 | 418 => ApiFailure::AppRefused,
            404 | 410 => ApiFailure::NotFound,
            405 => ApiFailure::InService,
            408 => ApiFailure::Unavailable,
            400 if words.has("invalid_endpoint") => ApiFailure::EndpointGone,
            412 if words.has("registered") => ApiFailure::NotRegistered,
            412 => ApiFailure::EndpointGone,
            421 => ApiFailure::WrongRegion,
            423 => ApiFailure::Locked,
            429 => ApiFailure::Limited,
            451 => ApiFailure::Privacy,
            424 | 499 | 500.. => ApiFailure::Server,
            _ if words.html => ApiFailure::Garbled,
            _ => ApiFailure::BadRequest,
        };
        Self::of_reply(kind, reply, &words, now)
    }

    /// Reads an answer of a token host whose status is not 2xx. `password` is true when an e-mail
    /// and a password were sent.
    pub fn of_login(reply: &HttpReply, password: bool, now: Timestamp) -> Self {
        let words = ErrorText::of(&reply.body);
        let kind = match reply.status {
            300..=399 => ApiFailure::Redirected,
            _ if words.has("endpoint_deprecated") => ApiFailure::LoginRetired,
            429 => ApiFailure::Limited,
            500.. | 408 | 424 | 499 => ApiFailure::Server,
            403 | 401 if words.html => ApiFailure::Firewall,
            _ if words.html => ApiFailure::Garbled,
            400 if words.has("server_error") => ApiFailure::Server,
            400 | 401 if words.has("unauthorized_client") || words.has("invalid_client") => {
                ApiFailure::ClientUnknown
            }
            // A password that is offered again and again gets the account locked.
            401 if password => ApiFailure::WrongPassword,
            400 if password && words.end_a_login() => ApiFailure::WrongPassword,
            400 | 401 if words.end_a_login() => ApiFailure::SignedOut,
            401 => ApiFailure::Unexplained,
            402 => ApiFailure::PaymentRequired,
            403 if words.has("scope") => ApiFailure::MissingScope,
            403 if words.has("fleet-api") => ApiFailure::ClientRefused,
            403 | 418 => ApiFailure::AppRefused,
            404 | 405 | 410 | 412 => ApiFailure::EndpointGone,
            421 => ApiFailure::WrongRegion,
            423 => ApiFailure::Locked,
            451 => ApiFailure::Privacy,
            _ => ApiFailure::BadRequest,
        };
        Self::of_reply(kind, reply, &words, now)
    }

    fn of_reply(kind: ApiFailure, reply: &HttpReply, words: &ErrorText, now: Timestamp) -> Self {
        let said = presentable(&words.text);
        let is_limit = kind == ApiFailure::Limited;
        let is_elsewhere = kind == ApiFailure::WrongRegion;
        Self {
            kind,
            retry_after: if is_limit { wait(reply, now) } else { None },
            moved_to: if is_elsewhere {
                base_url_in(&words.text).map(Box::new)
            } else {
                None
            },
            status: Some(reply.status),
            said: (!said.is_empty()).then_some(said),
            unanswered: false,
        }
    }

    /// A 2xx whose body is no answer.
    pub fn of_body(error: DecodeError, status: u16) -> Self {
        let (kind, text) = match error {
            DecodeError::Malformed(text) => (ApiFailure::Garbled, text),
            DecodeError::Refused(text) => (ApiFailure::Server, text),
            DecodeError::AnotherCar(text) => (ApiFailure::AnotherCar, text),
        };
        Self {
            status: Some(status),
            ..Self::new(kind, text)
        }
    }

    /// Blacks out what was sent along: a server may echo it, in any shape.
    #[must_use]
    pub fn without<'a>(mut self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        if let Some(said) = &mut self.said {
            for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
                *said = said.replace(secret, "…");
            }
        }
        self
    }

    /// For the policy.
    pub fn failure(&self) -> Failure {
        match self.kind.meaning().car.failure {
            Failure::Limited { .. } => Failure::Limited {
                retry_after: self.retry_after,
            },
            failure => failure,
        }
    }

    /// Whether only the owner can cure it: no more sign-in attempts until the configuration
    /// changes.
    pub fn ends_login(&self) -> bool {
        self.kind.ends_login()
    }

    /// Whether Tesla says stop, which must not be lost behind another try's failure.
    pub fn is_limit(&self) -> bool {
        matches!(self.kind, ApiFailure::Limited | ApiFailure::BillingLimit)
    }

    /// The wait that Tesla asked for, where it is longer than any of our own: then that is what is
    /// waited, and its end is known.
    pub fn imposed_wait(&self) -> Option<Duration> {
        self.retry_after.filter(|wait| *wait > LONGEST_OWN_WAIT)
    }

    /// What happened and what to do, for the owner; the same for every occurrence, but for the end of
    /// a limit that is longer than our own wait.
    pub fn explanation(&self) -> Explanation {
        let explanation = self.kind.explanation();
        Explanation {
            again: self.imposed_wait().map_or(explanation.again, Again::After),
            ..explanation
        }
    }

    /// The explanation as one sentence, so that it can be published.
    pub fn sentence(&self) -> String {
        self.explanation().to_string()
    }
}

/// The log's text: the sentence, then the evidence.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())?;
        match (self.status, &self.said) {
            (Some(status), Some(said)) => write!(f, " (HTTP {status}: {said})"),
            (Some(status), None) => write!(f, " (HTTP {status})"),
            (None, Some(said)) => write!(f, " ({said})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let mut said = Self::new(ApiFailure::Store, "");
        // A path, not a server's words: nothing to black out.
        said.said = Some(error.to_string());
        said
    }
}

fn wait(reply: &HttpReply, now: Timestamp) -> Option<Duration> {
    asked_wait(reply.header("retry-after"), &reply.body, now)
}

/// What an error body says, in whatever form it came.
struct ErrorText {
    text: String,
    html: bool,
}

impl ErrorText {
    fn of(body: &[u8]) -> Self {
        let start = &body[..body.len().min(8192)];
        let text = String::from_utf8_lossy(start);
        if text.trim_start().starts_with('<') {
            return Self {
                text: "a web page".into(),
                html: true,
            };
        }
        let text = match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(members)) => [
                "error",
                "error_description",
                "message",
                "messages",
                "response",
            ]
            .iter()
            .filter_map(|key| match members.get(*key)? {
                Value::Null | Value::Bool(_) => None,
                Value::String(text) if text.trim().is_empty() => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            })
            .collect::<Vec<_>>()
            .join(": "),
            Ok(Value::String(text)) => text,
            Ok(_) => String::new(),
            Err(_) => text.into_owned(),
        };
        Self { text, html: false }
    }

    /// Whether a token host says that the login itself is over (the auth row of 401 in
    /// tesla-api.md, section 7). Anything else that it says with 401 may be a fault of its own,
    /// and a login that was given up for it would be lost for nothing.
    fn end_a_login(&self) -> bool {
        let words = [
            "login_required",
            "login_failed",
            "password_changed",
            "revoked",
            "invalid_grant",
        ];
        words.iter().any(|word| self.has(word))
    }

    fn has(&self, word: &str) -> bool {
        self.text
            .to_ascii_lowercase()
            .contains(&word.to_ascii_lowercase())
    }
}

/// One line of bounded length in which words that may be tokens, ids or VINs are blacked out:
/// servers echo what they were sent.
fn presentable(text: &str) -> String {
    const ENOUGH: usize = 200;
    let mut line = String::new();
    for word in text.split_inclusive(|c: char| !is_word(c)) {
        let core = word.trim_end_matches(|c: char| !is_word(c));
        if looks_secret(core) {
            line.push('…');
        } else {
            line.push_str(core);
        }
        line.extend(
            word[core.len()..]
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c }),
        );
        if line.len() > ENOUGH {
            break;
        }
    }
    line.trim().chars().take(ENOUGH).collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=' | '@' | '.')
}

fn looks_secret(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_vin = word.len() == 17 && digits >= 4 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_long = word.len() >= 20 && digits >= 2;
    let is_jwt = word.starts_with("eyJ") && word.len() > 8;
    is_vin || is_long || is_jwt || word.contains('@')
}

#[cfg(test)]
mod tests;
