//! Tesla's cloud over HTTP: requests out, answers and typed failures in.
//!
//! An [`Account`] is a cheap handle. One task behind it owns the tokens, refreshes them ahead of
//! time, one at a time, and makes each new refresh token durable before its access token is
//! used; the calls themselves run in the caller's task. Nothing here decides when to ask a car,
//! and nothing here can wake one. Reading order:
//!
//! * `account`: the handle; in `account/car_calls` and `account/product_list` its calls, in
//!   `account/request` what they have in common
//! * `session`: the task that owns the tokens; in `session/sign_in` what is offered, in
//!   `session/on_disk` what other processes and the next start find, in `session/region` where the
//!   account lives
//! * `token_selection`: what it decides without doing it: which token to offer, how long to wait
//! * `auth`: the three generations of login, as requests and readings of their answers
//! * `token`: what a token says about itself, and when to replace it
//! * `store`: the file that survives a kill at any instant
//! * `hosts`: where each generation and region lives
//! * `error`: every way to fail, by what the caller does next
//! * `transport`, `tls`: one HTTP client an account

mod account;
pub(crate) mod auth;
pub(crate) mod error;
pub(crate) mod hosts;
mod retry_after;
mod session;
pub(crate) mod store;
pub(crate) mod tls;
pub(crate) mod token;
mod token_selection;
pub(crate) mod transport;

pub use account::{Account, AccountStatus, Called, CarRef, ProductList};
pub use error::ApiError;
pub use hosts::Hosts;
pub use store::TokenStore;
pub use tls::install_provider;
pub use token_selection::belongs;
pub use transport::Patience;
