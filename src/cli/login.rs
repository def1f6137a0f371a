//! `tesla2mqtt login`: takes a refresh token, keeps it where the bridge finds it, and tries it.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::say;
use crate::api::store::{TokenStore, keep_login};
use crate::api::{self, AccountStatus};
use crate::config::{self, Api, Settings};
use crate::{clock, durable};

/// A token host answers within a second or two; the bridge itself would go on trying.
const PATIENCE: Duration = Duration::from_secs(60);
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
pub fn main(file: Option<PathBuf>, options: &Options) -> ExitCode {
    let settings = match config::load_from_disk(file.as_deref()) {
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
    } else {
        say(&format!(
            "Paste a refresh token for account {} ({}) and press Enter:\n",
            account.name,
            source(account.api)
        ));
        let token = read_token()?;
        let store = TokenStore::new(directory, &account.name)?;
        keep_login(&store, account, token, clock::now().wall)?;
    }
    try_it(account, settings).await
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

async fn try_it(account: &config::Account, settings: &Settings) -> anyhow::Result<()> {
    let cancel = CancellationToken::new();
    let opened = api::Account::open(account, &settings.state.directory, cancel.clone())
        .await
        .map_err(|error| anyhow::anyhow!(error.sentence()))?;
    let mut status = opened.status();
    let settled = status.wait_for(|status| !matches!(status, AccountStatus::SigningIn));
    let settled = match tokio::time::timeout(PATIENCE, settled).await {
        Ok(Ok(settled)) => settled.clone(),
        _ => bail!("the login is kept, but Tesla did not answer; a running bridge goes on trying"),
    };
    let outcome = match settled {
        AccountStatus::SignedOut { sentence } | AccountStatus::Unreachable { sentence } => {
            Err(anyhow::anyhow!(sentence))
        }
        AccountStatus::SigningIn | AccountStatus::SignedIn { .. } => list(&opened).await,
    };
    cancel.cancel();
    opened.closed().await;
    outcome
}

async fn list(account: &api::Account) -> anyhow::Result<()> {
    let list = account
        .products()
        .await
        .outcome
        .map_err(|error| anyhow::anyhow!(error.sentence()))
        .context("signed in, but the cars cannot be listed")?;
    say("signed in; a running bridge takes it up by itself within half a minute\n");
    for car in &list.vehicles {
        let name = car.display_name.as_deref().unwrap_or("(no name)");
        say(&format!("  {} {name}\n", car.vin.as_str()));
    }
    if list.vehicles.is_empty() {
        say("  the account lists no car\n");
    }
    Ok(())
}
