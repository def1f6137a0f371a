//! One HTTP client an account: HTTP/2 over TLS 1.3 where the server can, an honest name, and an
//! end to everything.
//!
//! Since June 2026 Tesla's token host marks tokens by the connection that fetched them; what is
//! known speaks for HTTP/2 and TLS 1.3 (tesla-api.md, 1b.5). Redirects are not followed, because
//! they would carry the token away. Names are resolved for each connection, as Tesla asks.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, RequestBuilder, redirect, tls};
use url::Url;

use super::error::ApiError;
use crate::failure::ApiFailure;

/// Sent with every request.
pub(crate) const USER_AGENT: &str = concat!("tesla2mqtt/", env!("CARGO_PKG_VERSION"));

/// Longest `vehicle_data` that is read; real ones are some 30 kB.
pub(crate) const LONGEST_DATA: usize = 4 * 1024 * 1024;
/// Longest page of a list, and longest light answer: a hundred cars, many times over.
pub(crate) const LONGEST_LIST: usize = 1024 * 1024;
/// Longest answer of a token host; real ones are some 5 kB.
pub(crate) const LONGEST_TOKEN_ANSWER: usize = 64 * 1024;
/// So much is read of an answer that is none: its words stand at its begin.
pub(crate) const LONGEST_REFUSAL: usize = 16 * 1024;

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// DNS, TCP and TLS together.
    pub connect: Duration,
    /// Silence within an answer.
    pub read: Duration,
    /// The whole of it: ends a body that drips.
    pub total: Duration,
    /// Factor on every wait between two tries to sign in: 1, and next to nothing in tests.
    pub pace: f64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(30),
            total: Duration::from_mins(1),
            pace: 1.0,
        }
    }
}

/// The client.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: Client,
}

/// A whole answer.
#[derive(Clone)]
pub struct HttpReply {
    /// HTTP status.
    pub status: u16,
    /// The headers that anyone reads, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, at most as long as was asked for.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Tesla's number for this request, for its support.
    pub fn txid(&self) -> &str {
        self.header("x-txid").unwrap_or("-")
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Without the body: it may hold tokens or places.
impl std::fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpReply({}, {} bytes)", self.status, self.body.len())
    }
}

impl Transport {
    /// A client for these base URLs. With `ca_file` its certificates are trusted in addition to
    /// the system's. Where no URL is `https`, the system's certificates are not even read: the
    /// demo must run on a machine without any.
    pub(crate) fn new(
        bases: &[&Url],
        ca_file: Option<&Path>,
        patience: Patience,
    ) -> Result<Self, ApiError> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .tls_version_min(tls::Version::TLS_1_2)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(patience.connect)
            .read_timeout(patience.read)
            .timeout(patience.total)
            // A connection whose other end vanished must not swallow call after call: while one
            // waits, HTTP/2 is asked whether it still lives.
            .http2_keep_alive_interval(Duration::from_secs(15))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(2)
            .pool_idle_timeout(Duration::from_secs(90));
        let own_cas = ca_file.map(certificates).transpose()?.unwrap_or_default();
        let is_plain = bases.iter().all(|base| base.scheme() == "http");
        builder = if is_plain {
            builder.no_proxy().tls_certs_only(own_cas)
        } else {
            builder.tls_certs_merge(own_cas)
        };
        match builder.build() {
            Ok(client) => Ok(Self { client }),
            Err(e) => Err(ApiError::new(ApiFailure::Setup, causes(&e))),
        }
    }

    /// The client, to begin a request with.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and reads its answer. One of a success that is longer than `longest` bytes is
    /// none; of any other no more than its begin is read, and its status counts.
    pub(crate) async fn send(
        &self,
        request: RequestBuilder,
        longest: usize,
    ) -> Result<HttpReply, ApiError> {
        let mut response = request.send().await.map_err(|error| {
            let unanswered = !error.is_connect() && !error.is_builder();
            ApiError {
                unanswered,
                ..lost(error)
            }
        })?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter(|(name, _)| is_read_by_anyone(name.as_str()))
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        let is_success = response.status().is_success();
        let longest = if is_success { longest } else { LONGEST_REFUSAL };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => break,
                Ok(Some(chunk)) if body.len() + chunk.len() <= longest => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(chunk)) if !is_success => {
                    body.extend_from_slice(&chunk[..longest - body.len()]);
                    break;
                }
                Ok(Some(_)) => {
                    let kib = longest / 1024;
                    let error = ApiError::new(
                        ApiFailure::Garbled,
                        format!("the body is longer than {kib} KiB"),
                    );
                    return Err(ApiError {
                        status: Some(status),
                        ..error
                    });
                }
                Err(e) => {
                    return Err(ApiError {
                        status: Some(status),
                        ..lost(e)
                    });
                }
            }
        }
        Ok(HttpReply {
            status,
            headers,
            body,
        })
    }
}

fn is_read_by_anyone(name: &str) -> bool {
    matches!(name, "retry-after" | "x-txid")
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, ApiError> {
    let fail = |why: &dyn std::fmt::Display| {
        let mut error = ApiError::new(ApiFailure::Setup, "");
        error.said = Some(format!("ca_file {}: {why}", path.display()));
        error
    };
    let pem = std::fs::read(path).map_err(|e| fail(&e))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|e| fail(&causes(&e)))?;
    if found.is_empty() {
        return Err(fail(&"expected one or more PEM certificates"));
    }
    Ok(found)
}

fn lost(error: reqwest::Error) -> ApiError {
    let kind = if error.is_timeout() {
        ApiFailure::TimedOut
    } else if error.is_builder() {
        ApiFailure::BadRequest
    } else {
        ApiFailure::Unreachable
    };
    // The URL names the car; the text goes to the log.
    let text = causes(&error.without_url());
    // rustls's words: the only place where its error type survives the layers above it.
    let kind = if text.contains("invalid peer certificate") {
        ApiFailure::Untrusted
    } else {
        kind
    };
    ApiError::new(kind, text)
}

fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}
