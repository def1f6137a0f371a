//! `tesla2mqtt login`: takes a refresh token, tries it, and keeps it where the bridge finds it.
//!
//! A paste goes wrong easily, and the login that it would replace may be the one that works: the
//! pasted token (of the 2019 login: the password) is tried in a place of its own and replaces the
//! account's login only when Tesla has taken it. The account's lock is held meanwhile, so that a
//! running bridge does not spend the same token, and picks up the outcome when it next renews.

mod trial;

use std::io::{BufRead, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::print;
use crate::api::store::{TokenStore, keep_login};
use crate::api::{self, AccountStatus};
use crate::atomic_file::{self, Lock};
use crate::clock;
use crate::config::{self, Api, Settings};

use trial::{Trial, tried_apart};

/// A token host answers within a second or two; the bridge itself would go on trying.
const SIGN_IN_MAX: Duration = Duration::from_mins(1);
/// An answer that is under way when that has passed.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(5);
/// Refresh tokens are shorter than this by far; a wrong file at stdin is not read whole.
const TOKEN_MAX: usize = 16 * 1024;

/// The options of `login`.
#[derive(Debug, Args)]
pub(super) struct LoginOptions {
    /// The account to sign in, by its name in the configuration; needed if there are several
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

/// Runs the subcommand.
pub(super) fn main(file: Option<&Path>, options: &LoginOptions) -> ExitCode {
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
    check_user(directory)?;
    atomic_file::state_directory(directory)
        .with_context(|| format!("state.directory {}", directory.display()))?;
    let token = if account.api == Api::Password && account.password.is_some() {
        print(
            "this account signs in with the e-mail and password of the configuration; trying them\n",
        );
        None
    } else {
        print(&format!(
            "Paste a refresh token for account {} ({}) and press Enter:\n",
            account.name,
            source(account.api)
        ));
        Some(read_token()?)
    };
    let what = token.as_ref().map_or("this password", |_| "this token");
    let store = TokenStore::new(directory, &account.name)?;
    let _lock = lock(&store).await?;
    let trial = tried_apart(account, directory, &store, token.as_ref()).await?;
    let has_login = store
        .load()?
        .is_some_and(|stored| stored.refresh_token.is_some());
    let unchanged = if has_login {
        ", and the earlier login stays as it was"
    } else {
        ""
    };
    match trial {
        Trial::Kept(listed) => listed,
        Trial::Refused(error) => Err(error.context(format!("{what} does not sign in{unchanged}"))),
        Trial::Unanswered(error) => match token {
            Some(token) if !has_login => {
                keep_login(&store, account, token, clock::now().wall)?;
                Err(error.context("the token is kept untried, and a running bridge will try it"))
            }
            _ => Err(error.context(format!("{what} could not be tried{unchanged}"))),
        },
    }
}

/// What is left in the state directory by anybody but its owner and root is closed to the bridge.
fn check_user(directory: &Path) -> anyhow::Result<()> {
    let listing = std::fs::read_dir(directory).map_err(|error| error.kind());
    let place = std::fs::metadata(directory);
    let of_bridge = std::fs::metadata(directory.join(atomic_file::LOCK)).or(place);
    // Without /proc nobody knows who we are.
    let us = std::fs::metadata("/proc/self");
    let is_anothers = match (of_bridge, us) {
        // Root's may be lent to our group: the volume of a container.
        (Ok(found), Ok(us)) => us.uid() != 0 && ![0, us.uid()].contains(&found.uid()),
        _ => false,
    };
    if is_anothers || matches!(listing, Err(std::io::ErrorKind::PermissionDenied)) {
        bail!(
            "state.directory {}: it belongs to another user; run this as root (sudo), which leaves \
             the login to that user, or as that user",
            directory.display()
        );
    }
    Ok(())
}

/// Waits for a bridge that is renewing this login at the moment.
async fn lock(store: &TokenStore) -> anyhow::Result<Lock> {
    let lock = store.lock_within(SIGN_IN_MAX).await?;
    lock.context("another process holds the lock of this account; nothing was changed")
}

fn chosen<'a>(
    settings: &'a Settings,
    name: Option<&str>,
) -> anyhow::Result<&'a config::AccountSettings> {
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
    std::io::Read::take(&mut input, TOKEN_MAX as u64)
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

/// Signs an account in and lists its cars; `once_in` comes between the two. Also says how the
/// signing in ended, if it did.
async fn signed_in(
    account: &config::AccountSettings,
    directory: &Path,
    once_in: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<(Option<AccountStatus>, anyhow::Result<()>)> {
    let cancel = CancellationToken::new();
    let opened = api::Account::open(account, directory, cancel.clone())
        .await
        .map_err(|error| anyhow::anyhow!(error.sentence()))?;
    let mut status = opened.status();
    let decided = status.wait_for(|status| !matches!(status, AccountStatus::SigningIn));
    let status = match tokio::time::timeout(SIGN_IN_MAX, decided).await {
        Ok(Ok(status)) => Some(status.clone()),
        _ => None,
    };
    let outcome = match &status {
        Some(AccountStatus::SignedIn { .. }) => match once_in() {
            Ok(()) => list(&opened).await,
            Err(error) => Err(error),
        },
        Some(AccountStatus::SignedOut { why }) => Err(anyhow::anyhow!("{why}")),
        // The bridge tries again by itself; this command does not.
        Some(AccountStatus::Unreachable { why }) => {
            Err(anyhow::anyhow!("{}", why.clone().tried_once()))
        }
        Some(AccountStatus::SigningIn) | None => Err(anyhow::anyhow!("Tesla did not answer")),
    };
    cancel.cancel();
    let _late = tokio::time::timeout(LAST_ANSWER_MAX, opened.closed()).await;
    Ok((status, outcome))
}

async fn list(account: &api::Account) -> anyhow::Result<()> {
    let list = account
        .products()
        .await
        .outcome
        .map_err(|error| anyhow::anyhow!(error.sentence()))
        .context("signed in, but the cars cannot be listed")?;
    print(
        "signed in. A running bridge that was signed out takes this up within half a minute; one \
         that is signed in, when it next renews its login: restart it to have it at once\n",
    );
    for car in &list.vehicles {
        let name = car.display_name.as_deref().unwrap_or("(no name)");
        print(&format!("  {} {name}\n", car.vin.as_str()));
    }
    if list.vehicles.is_empty() {
        print("  the account lists no car\n");
    }
    Ok(())
}
