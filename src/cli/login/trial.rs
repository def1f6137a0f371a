//! A login tried in a state directory of its own, with nothing else to sign in with. It becomes the
//! account's when Tesla has taken it.
//!
//! Call with the account's lock held: the place is the account's alone, because the token that is
//! tried there may be good once, and its successor is nowhere else until it is kept.

use std::path::Path;

use anyhow::Context;
use secrecy::SecretString;

use super::signed_in;
use crate::api::store::{StoredLogin, TokenStore, keep_login, replace_login, same};
use crate::api::{self, AccountStatus};
use crate::atomic_file;
use crate::cli::print;
use crate::clock;
use crate::config;

/// What became of it.
pub(super) enum Trial {
    /// Tesla took it and it is the account's login now; inside, whether the cars could be listed.
    Kept(anyhow::Result<()>),
    /// Tesla does not take it.
    Refused(anyhow::Error),
    /// Nobody knows.
    Unanswered(anyhow::Error),
}

/// Tries a pasted token, or without one the e-mail and password of the configuration.
pub(super) async fn tried_apart(
    account: &config::AccountSettings,
    directory: &Path,
    store: &TokenStore,
    token: Option<&SecretString>,
) -> anyhow::Result<Trial> {
    let apart = directory.join(format!("login-{}", account.name));
    let only_this = config::AccountSettings {
        refresh_token: None,
        password: account.password.clone().filter(|_| token.is_none()),
        ..account.clone()
    };
    let trial_store = TokenStore::new(&apart, &account.name)?;
    if !goes_on(&trial_store, store, account, token)? {
        remove(&apart)?;
        atomic_file::private_directory(&apart)
            .with_context(|| format!("state.directory {}", apart.display()))?;
        // Makes the store's own directory.
        drop(trial_store.try_lock()?);
        if let Some(token) = token {
            keep_login(&trial_store, &only_this, token.clone(), clock::now().wall)?;
        }
    }

    let (settled, outcome) = signed_in(&only_this, &apart, || {
        keep_proven(&trial_store, store, account).map(|_| ())
    })
    .await?;
    let trial = match (settled, outcome) {
        (Some(AccountStatus::SignedOut { .. }), Err(error)) => Trial::Refused(error),
        // The account's region may have turned out since, or the answer have come at the last
        // moment.
        (_, outcome) if keep_proven(&trial_store, store, account)? => Trial::Kept(outcome),
        (_, outcome) => {
            let error = outcome.err();
            Trial::Unanswered(error.unwrap_or_else(|| anyhow::anyhow!("no access token")))
        }
    };
    // Not on the way out of an error above: the only copy of a spent token's successor may be here.
    remove(&apart)?;
    Ok(trial)
}

/// What an earlier trial left, because it could not be kept or was killed: Tesla has taken it, and
/// nobody else has the successor of its token. It is kept if it is newer than the account's login.
/// True if `token` is the one that it came from: that is spent, and the trial goes on with what came
/// of it.
fn goes_on(
    trial: &TokenStore,
    store: &TokenStore,
    account: &config::AccountSettings,
    token: Option<&SecretString>,
) -> anyhow::Result<bool> {
    let Some(left) = proven(trial, account)? else {
        return Ok(false);
    };
    let came_from = [&left.previous_refresh_token, &left.refresh_token];
    if came_from.iter().any(|known| same(known.as_ref(), token)) {
        return Ok(true);
    }
    let kept_at = store.load()?.and_then(|kept| kept.issued_at);
    if left.issued_at > kept_at {
        replace_login(store, account, &left)?;
        print("a login that could not be kept when it was tried is kept now\n");
    }
    Ok(false)
}

/// The login of a trial, if Tesla has taken it.
fn proven(
    trial: &TokenStore,
    account: &config::AccountSettings,
) -> anyhow::Result<Option<StoredLogin>> {
    let login = trial.load()?;
    Ok(login.filter(|login| login.access_token.is_some() && api::belongs(login, account)))
}

/// Makes the tried login the account's, if Tesla has taken it.
fn keep_proven(
    trial: &TokenStore,
    store: &TokenStore,
    account: &config::AccountSettings,
) -> anyhow::Result<bool> {
    let proven = proven(trial, account)?;
    if let Some(proven) = &proven {
        replace_login(store, account, proven)?;
    }
    Ok(proven.is_some())
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: remove", folder.display()))
        }
        _ => Ok(()),
    }
}
