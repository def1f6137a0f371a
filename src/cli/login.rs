//! `tesla2mqtt login`: takes a refresh token, tries it, and keeps it where the bridge finds it.
//!
//! A paste goes wrong easily, and the login that it would replace may be the one that works: the
//! pasted token is tried in a place of its own and replaces the account's login only when Tesla
//! has taken it. The account's lock is held meanwhile, so that a running bridge does not spend
//! the same token, and picks up the outcome when it next renews.

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::say;
use crate::api::store::{TokenStore, keep_login, replace_login};
use crate::api::{self, AccountStatus};
use crate::clock;
use crate::config::{self, Api, Settings};
use crate::durable::{self, Lock};

/// A token host answers within a second or two; the bridge itself would go on trying.
const PATIENCE: Duration = Duration::from_mins(1);
/// An answer that is under way when patience has ended.
const LAST_ANSWER: Duration = Duration::from_secs(5);
/// Below the state directory, for the time of a trial.
const APART: &str = "login";
/// Refresh tokens are shorter than this by far; a wrong file at stdin is not read whole.
const LONGEST_TOKEN: usize = 16 * 1024;

/// What `login` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// The account to sign in, by its name in the configuration; needed if there are several
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

/// Runs the subcommand.
pub fn main(file: Option<&Path>, options: &Options) -> ExitCode {
    let settings = match config::load_from_disk(file) {
        Ok(loaded) => loaded.settings,
        Err(errors) => return super::wrong_configuration(&errors),
    };
    api::tls::install_provider();
    super::on_one_thread(async move {
        match login(&settings, options.account.as_deref()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::failed(&error),
        }
    })
}

async fn login(settings: &Settings, name: Option<&str>) -> anyhow::Result<()> {
    let account = chosen(settings, name)?;
    let directory = &settings.state.directory;
    durable::private_directory(directory)
        .with_context(|| format!("state.directory {}", directory.display()))?;
    if account.api == Api::Password {
        say(
            "this account signs in with the e-mail and password of the configuration; trying them\n",
        );
        return try_it(account, directory).await;
    }
    say(&format!(
        "Paste a refresh token for account {} ({}) and press Enter:\n",
        account.name,
        source(account.api)
    ));
    let token = read_token()?;
    let store = TokenStore::new(directory, &account.name)?;
    let has_login = store
        .load()?
        .is_some_and(|stored| stored.refresh_token.is_some());
    let _lock = lock(&store).await?;
    match tried_apart(account, directory, &store, &token).await? {
        Trial::Kept(listed) => listed,
        Trial::Refused(error) => Err(error.context(if has_login {
            "this token does not sign in, and the earlier login stays as it was"
        } else {
            "this token does not sign in"
        })),
        Trial::Unanswered(error) if has_login => {
            Err(error
                .context("this token could not be tried, and the earlier login stays as it was"))
        }
        Trial::Unanswered(error) => {
            keep_login(&store, account, token, clock::now().wall)?;
            Err(error.context("the token is kept untried, and a running bridge will try it"))
        }
    }
}

/// What became of a pasted token.
enum Trial {
    /// Tesla took it and it is the account's login now; inside, whether the cars could be listed.
    Kept(anyhow::Result<()>),
    /// Tesla does not take it.
    Refused(anyhow::Error),
    /// Nobody knows.
    Unanswered(anyhow::Error),
}

/// Tries a token in a state directory of its own, with nothing else to sign in with.
async fn tried_apart(
    account: &config::Account,
    directory: &Path,
    store: &TokenStore,
    token: &SecretString,
) -> anyhow::Result<Trial> {
    let apart = directory.join(APART);
    remove(&apart)?;
    durable::private_directory(&apart)
        .with_context(|| format!("state.directory {}", apart.display()))?;
    let only_this = config::Account {
        refresh_token: None,
        password: None,
        ..account.clone()
    };
    let trial_store = TokenStore::new(&apart, &account.name)?;
    // Makes the store's own directory.
    drop(trial_store.try_lock()?);
    keep_login(&trial_store, &only_this, token.clone(), clock::now().wall)?;

    let (settled, outcome) = signed_in(&only_this, &apart, || {
        keep_proven(&trial_store, store, account).map(|_| ())
    })
    .await?;
    // The account's region may have turned out since, or the answer have come at the last moment.
    let trial = if keep_proven(&trial_store, store, account)? {
        Trial::Kept(outcome)
    } else {
        let error = outcome
            .err()
            .unwrap_or_else(|| anyhow::anyhow!("no access token"));
        match settled {
            Some(AccountStatus::SignedOut { .. }) => Trial::Refused(error),
            _ => Trial::Unanswered(error),
        }
    };
    // Not on the way out of an error above: the only copy of a spent token's successor may be here.
    remove(&apart)?;
    Ok(trial)
}

/// Makes the tried login the account's, if Tesla has taken it.
fn keep_proven(
    trial: &TokenStore,
    store: &TokenStore,
    account: &config::Account,
) -> anyhow::Result<bool> {
    let proven = trial.load()?.filter(|login| login.access_token.is_some());
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

/// Waits for a bridge that is renewing this login at the moment.
async fn lock(store: &TokenStore) -> anyhow::Result<Lock> {
    let begun = clock::uptime();
    loop {
        if let Some(lock) = store.try_lock()? {
            return Ok(lock);
        }
        if clock::uptime() > begun + PATIENCE {
            bail!("another process holds the lock of this account; nothing was changed");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn chosen<'a>(settings: &'a Settings, name: Option<&str>) -> anyhow::Result<&'a config::Account> {
    let names = || {
        let names: Vec<&str> = settings.accounts.iter().map(|a| a.name.as_str()).collect();
        names.join(", ")
    };
    match (name, settings.accounts.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => bail!(
            "several accounts are configured: choose one with --account ({})",
            names()
        ),
        (Some(name), all) => match all.iter().find(|account| account.name == name) {
            Some(account) => Ok(account),
            None => bail!(
                "--account {name}: not in the configuration, which has {}",
                names()
            ),
        },
    }
}

fn source(api: Api) -> &'static str {
    match api {
        Api::Fleet => "Fleet API, made for your client_id with the scope offline_access",
        Api::Owner | Api::Password => "Owner API, from any token generator for it",
    }
}

fn read_token() -> anyhow::Result<SecretString> {
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    let mut input = std::io::stdin().lock();
    std::io::Read::take(&mut input, LONGEST_TOKEN as u64)
        .read_line(&mut line)
        .context("stdin")?;
    let token = line.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!(
            "that is no refresh token: expected one line of letters, digits and punctuation without blanks"
        );
    }
    Ok(SecretString::from(token))
}

async fn try_it(account: &config::Account, directory: &Path) -> anyhow::Result<()> {
    signed_in(account, directory, || Ok(())).await?.1
}

/// Signs an account in and lists its cars; `once_in` comes between the two. Also says how the
/// signing in ended, if it did.
async fn signed_in(
    account: &config::Account,
    directory: &Path,
    once_in: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<(Option<AccountStatus>, anyhow::Result<()>)> {
    let cancel = CancellationToken::new();
    let opened = api::Account::open(account, directory, cancel.clone())
        .await
        .map_err(|error| anyhow::anyhow!(error.sentence()))?;
    let mut status = opened.status();
    let settled = status.wait_for(|status| !matches!(status, AccountStatus::SigningIn));
    let settled = match tokio::time::timeout(PATIENCE, settled).await {
        Ok(Ok(settled)) => Some(settled.clone()),
        _ => None,
    };
    let outcome = match &settled {
        Some(AccountStatus::SignedIn { .. }) => match once_in() {
            Ok(()) => list(&opened).await,
            Err(error) => Err(error),
        },
        Some(AccountStatus::SignedOut { sentence }) => Err(anyhow::anyhow!(sentence.clone())),
        Some(AccountStatus::Unreachable { sentence }) => {
            Err(anyhow::anyhow!(without_promise(sentence).to_owned()))
        }
        Some(AccountStatus::SigningIn) | None => Err(anyhow::anyhow!("Tesla did not answer")),
    };
    cancel.cancel();
    let _late = tokio::time::timeout(LAST_ANSWER, opened.closed()).await;
    Ok((settled, outcome))
}

/// The bridge tries again by itself; this command does not.
fn without_promise(sentence: &str) -> &str {
    sentence
        .split_once("; it is tried again")
        .map_or(sentence, |(fact, _)| fact)
}

async fn list(account: &api::Account) -> anyhow::Result<()> {
    let list = account
        .products()
        .await
        .outcome
        .map_err(|error| anyhow::anyhow!(error.sentence()))
        .context("signed in, but the cars cannot be listed")?;
    say(
        "signed in. A running bridge that was signed out takes this up within half a minute; one \
         that is signed in, when it next renews its login: restart it to have it at once\n",
    );
    for car in &list.vehicles {
        let name = car.display_name.as_deref().unwrap_or("(no name)");
        say(&format!("  {} {name}\n", car.vin.as_str()));
    }
    if list.vehicles.is_empty() {
        say("  the account lists no car\n");
    }
    Ok(())
}
