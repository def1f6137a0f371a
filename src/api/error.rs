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
use super::transport::Reply;
use crate::decode::DecodeError;
use crate::policy::Failure;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What it means.
    pub kind: Kind,
    /// The HTTP status, if there was an answer. Below 500 the Fleet API bills it.
    pub status: Option<u16>,
    /// The server's or the library's own words, on one line, without secrets.
    pub said: Option<String>,
    /// The call went out and no answer came: Tesla may bill it all the same.
    pub unanswered: bool,
}

/// What a failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// 408: the car is asleep or out of reach. Not an error.
    Unavailable,
    /// No connection: DNS, TCP, TLS, or it broke before the answer was whole.
    Unreachable,
    /// The server's certificate is not trusted: not Tesla, a wrong clock, or a server of the
    /// owner's own without `ca_file`.
    Untrusted,
    /// No answer in time.
    TimedOut,
    /// HTML, an empty or a truncated body where JSON belongs; something in between spoke.
    Garbled,
    /// 5xx, 540: Tesla's side.
    Server,
    /// 429.
    Limited {
        /// The wait that was asked for, at most 24 h.
        retry_after: Option<Duration>,
    },
    /// 401 on a call: the access token is expired or refused; one refresh may cure it.
    TokenRejected,
    /// The refresh token is spent, expired or revoked: the owner must sign in again.
    SignedOut,
    /// 401 of a token host in words that do not end a login: as likely a fault as an end.
    Unexplained,
    /// There is no token to begin with.
    NeverSignedIn,
    /// 400 `endpoint_deprecated`: this generation of login is gone.
    LoginRetired,
    /// The 2019 login: wrong e-mail or password.
    WrongPassword,
    /// The token host does not know `client_id` (or `client_secret`).
    ClientUnknown,
    /// 401 `mobile_access_disabled`: remote access is off in this car.
    MobileAccessDisabled,
    /// 402: no plan or no credit.
    PaymentRequired,
    /// 403 `EXCEEDED_LIMIT`: the app's billing limit is reached.
    BillingLimit,
    /// 403 missing scopes.
    MissingScope,
    /// 403 "see fleet-api": the Owner API refuses this client since June 2026.
    ClientRefused,
    /// 403 with a web page: a firewall.
    Firewall,
    /// 403 unsupported vehicle.
    UnsupportedVehicle,
    /// 404, 410.
    NotFound,
    /// 405: the car is at service.
    InService,
    /// 412, and 400 `invalid_endpoint`: this endpoint does not exist for this kind of account.
    EndpointGone,
    /// 412: the app is not registered in the account's region.
    NotRegistered,
    /// 421: the account lives elsewhere.
    WrongRegion {
        /// The base URL that the server names, not checked.
        base: Option<Url>,
    },
    /// 418, and 403 in other words: this app may not.
    AppRefused,
    /// 423: the account is locked.
    Locked,
    /// 451: a privacy setting forbids it.
    Privacy,
    /// 3xx: the URL in the configuration is not the API.
    Redirected,
    /// 400, 406, 422 and other 4xx: our mistake; repeating it is no use.
    BadRequest,
    /// The token store cannot be read or written.
    Store,
    /// The client cannot be built: `ca_file`, or no certificates on this machine.
    Setup,
    /// The bridge is shutting down.
    Closed,
}

impl ApiError {
    /// A failure without an answer.
    pub fn new(kind: Kind, said: impl fmt::Display) -> Self {
        let said = presentable(&said.to_string());
        Self {
            kind,
            status: None,
            said: (!said.is_empty()).then_some(said),
            unanswered: false,
        }
    }

    /// Reads an answer of the API whose status is not 2xx.
    pub fn of_call(reply: &Reply, now: Timestamp) -> Self {
        let words = Words::of(&reply.body);
        let kind = match reply.status {
            300..=399 => Kind::Redirected,
            401 if words.has("mobile_access_disabled") => Kind::MobileAccessDisabled,
            401 => Kind::TokenRejected,
            402 => Kind::PaymentRequired,
            403 if words.html => Kind::Firewall,
            403 if words.has("EXCEEDED_LIMIT") => Kind::BillingLimit,
            403 if words.has("scope") => Kind::MissingScope,
            403 if words.has("unsupported vehicle") => Kind::UnsupportedVehicle,
            403 if words.has("fleet-api") => Kind::ClientRefused,
            403 | 418 => Kind::AppRefused,
            404 | 410 => Kind::NotFound,
            405 => Kind::InService,
            408 => Kind::Unavailable,
            400 if words.has("invalid_endpoint") => Kind::EndpointGone,
            412 if words.has("registered") => Kind::NotRegistered,
            412 => Kind::EndpointGone,
            421 => Kind::WrongRegion {
                base: base_url_in(&words.text),
            },
            423 => Kind::Locked,
            429 => Kind::Limited {
                retry_after: wait(reply, now),
            },
            451 => Kind::Privacy,
            424 | 499 | 500.. => Kind::Server,
            _ if words.html => Kind::Garbled,
            _ => Kind::BadRequest,
        };
        Self::of_reply(kind, reply, &words)
    }

    /// Reads an answer of a token host whose status is not 2xx. `password` is true when an e-mail
    /// and a password were sent.
    pub fn of_login(reply: &Reply, password: bool, now: Timestamp) -> Self {
        let words = Words::of(&reply.body);
        let kind = match reply.status {
            300..=399 => Kind::Redirected,
            _ if words.has("endpoint_deprecated") => Kind::LoginRetired,
            429 => Kind::Limited {
                retry_after: wait(reply, now),
            },
            500.. | 408 | 424 | 499 => Kind::Server,
            403 | 401 if words.html => Kind::Firewall,
            _ if words.html => Kind::Garbled,
            400 if words.has("server_error") => Kind::Server,
            400 | 401 if words.has("unauthorized_client") || words.has("invalid_client") => {
                Kind::ClientUnknown
            }
            // A password that is offered again and again gets the account locked.
            401 if password => Kind::WrongPassword,
            400 if password && words.end_a_login() => Kind::WrongPassword,
            400 | 401 if words.end_a_login() => Kind::SignedOut,
            401 => Kind::Unexplained,
            402 => Kind::PaymentRequired,
            403 if words.has("scope") => Kind::MissingScope,
            403 if words.has("fleet-api") => Kind::ClientRefused,
            403 | 418 => Kind::AppRefused,
            404 | 405 | 410 | 412 => Kind::EndpointGone,
            421 => Kind::WrongRegion {
                base: base_url_in(&words.text),
            },
            423 => Kind::Locked,
            451 => Kind::Privacy,
            _ => Kind::BadRequest,
        };
        Self::of_reply(kind, reply, &words)
    }

    fn of_reply(kind: Kind, reply: &Reply, words: &Words) -> Self {
        let said = presentable(&words.text);
        Self {
            kind,
            status: Some(reply.status),
            said: (!said.is_empty()).then_some(said),
            unanswered: false,
        }
    }

    /// A 2xx whose body is no answer.
    pub fn of_body(error: DecodeError, status: u16) -> Self {
        let (kind, text) = match error {
            DecodeError::Malformed(text) => (Kind::Garbled, text),
            DecodeError::Refused(text) => (Kind::Server, text),
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
        match &self.kind {
            Kind::Unavailable => Failure::Unavailable,
            Kind::Unreachable
            | Kind::Untrusted
            | Kind::TimedOut
            | Kind::Garbled
            | Kind::Store
            | Kind::Closed => Failure::Transport,
            Kind::Server | Kind::Unexplained => Failure::Server,
            Kind::Limited { retry_after } => Failure::Limited {
                retry_after: *retry_after,
            },
            Kind::TokenRejected
            | Kind::SignedOut
            | Kind::NeverSignedIn
            | Kind::LoginRetired
            | Kind::WrongPassword
            | Kind::ClientUnknown => Failure::SignedOut,
            Kind::BillingLimit => Failure::BillingLimit,
            Kind::MissingScope => Failure::MissingScope,
            Kind::NotFound => Failure::NotFound,
            Kind::InService => Failure::InService,
            Kind::NotRegistered | Kind::WrongRegion { .. } | Kind::EndpointGone => Failure::Region,
            Kind::MobileAccessDisabled
            | Kind::PaymentRequired
            | Kind::ClientRefused
            | Kind::Firewall
            | Kind::UnsupportedVehicle
            | Kind::AppRefused
            | Kind::Locked
            | Kind::Privacy
            | Kind::Redirected
            | Kind::BadRequest
            | Kind::Setup => Failure::Refused,
        }
    }

    /// The wait that Tesla asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            Kind::Limited { retry_after } => retry_after,
            _ => None,
        }
    }

    /// Whether only the owner can cure it: no more sign-in attempts until the configuration
    /// changes.
    pub fn ends_login(&self) -> bool {
        matches!(
            self.kind,
            Kind::SignedOut
                | Kind::NeverSignedIn
                | Kind::LoginRetired
                | Kind::WrongPassword
                | Kind::ClientUnknown
        )
    }

    /// What happened and what to do, in one sentence for the owner; the same for every
    /// occurrence, so that it can be published.
    pub fn sentence(&self) -> String {
        let text = match &self.kind {
            Kind::Unavailable => "the car is asleep or out of reach",
            Kind::Unreachable => {
                "Tesla cannot be reached: check the network; it is tried again by itself"
            }
            Kind::Untrusted => {
                "the server's certificate is not trusted: check this machine's clock, and set ca_file for a server of your own"
            }
            Kind::TimedOut => "Tesla does not answer in time; it is tried again by itself",
            Kind::Garbled => {
                "something between here and Tesla answered with a page that is not Tesla's data: check proxies and api_url; it is tried again by itself"
            }
            Kind::Server => "Tesla's servers have a fault; it is tried again by itself",
            Kind::Limited {
                retry_after: Some(wait),
            } => {
                return format!(
                    "Tesla limits the rate of calls: the next one goes out in {} s",
                    wait.as_secs()
                );
            }
            Kind::Limited { retry_after: None } => {
                "Tesla limits the rate of calls; it is tried again later by itself"
            }
            Kind::TokenRejected => {
                "Tesla refuses even a fresh access token: check that api and api_url fit the token; it is tried again later by itself"
            }
            Kind::SignedOut => {
                "Tesla ended this login: sign in again with `tesla2mqtt login`, or paste a new refresh token"
            }
            Kind::Unexplained => {
                "Tesla refuses this login without saying why: if that lasts for hours, sign in again with `tesla2mqtt login`; it is tried again by itself"
            }
            Kind::NeverSignedIn => {
                "no login yet: run `tesla2mqtt login`, or put a refresh token into the configuration"
            }
            Kind::LoginRetired => {
                "this login no longer exists at Tesla: use api = \"fleet\" or api = \"owner\" with a refresh token (`tesla2mqtt login`)"
            }
            Kind::WrongPassword => "wrong e-mail or password: correct them in the configuration",
            Kind::ClientUnknown => {
                "Tesla does not know this client_id or client_secret: correct it in the configuration"
            }
            Kind::MobileAccessDisabled => {
                "mobile access is switched off in the car: allow it there under Controls > Safety"
            }
            Kind::PaymentRequired => {
                "the API provider wants a paid plan for this: see your account there"
            }
            Kind::BillingLimit => {
                "the billing limit of your Tesla app is reached: raise it at developer.tesla.com or wait for the next month"
            }
            Kind::MissingScope => {
                "the login does not allow this: sign in again and tick every permission"
            }
            Kind::ClientRefused => {
                "Tesla refuses this program at the Owner API: use api = \"fleet\"; it is tried again later by itself"
            }
            Kind::Firewall => {
                "Tesla's firewall blocks this address for now; it is tried again later by itself"
            }
            Kind::UnsupportedVehicle => "this car is too old for what was asked",
            Kind::NotFound => "Tesla does not know this car or this address any more",
            Kind::InService => "the car is at service",
            Kind::EndpointGone => {
                "this address does not exist for this kind of account: check api and api_url"
            }
            Kind::NotRegistered => {
                "your app is not registered in the account's region: register its domain there (POST /api/1/partner_accounts)"
            }
            Kind::WrongRegion { .. } => {
                "the account lives in another region: correct region or api_url in the configuration"
            }
            Kind::AppRefused => "Tesla does not allow your app to do this: see developer.tesla.com",
            Kind::Locked => "Tesla locked the account: unlock it in the Tesla app",
            Kind::Privacy => "a privacy setting of the account or the car forbids this",
            Kind::Redirected => {
                "the server sends us elsewhere: api_url or auth_url is not the API itself"
            }
            Kind::BadRequest => {
                "Tesla did not understand the request; please report this with the log"
            }
            Kind::Store => {
                "the login cannot be read or kept: check the disk, and that the state directory and all in it belong to the user that runs this; it is tried again by itself"
            }
            Kind::Setup => {
                "no secure connection can be set up: check ca_file, and that CA certificates are installed"
            }
            Kind::Closed => "shutting down",
        };
        text.to_owned()
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

fn wait(reply: &Reply, now: Timestamp) -> Option<Duration> {
    asked_wait(reply.header("retry-after"), &reply.body, now)
}

/// What an error body says, in whatever form it came.
struct Words {
    text: String,
    html: bool,
}

impl Words {
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
