//! The file that keeps a login over restarts, and survives a kill at any instant.
//!
//! A Fleet refresh token works once; each use brings a new one, and the reply may be lost with
//! the process. So the newest is on disk before its access token is used: written beside the old
//! file (0600 from the first byte), synced, renamed over it, the directory synced. Whatever the
//! instant of a kill, the file holds either the newest token or its direct predecessor, which
//! Tesla still takes for a while (tesla-api.md, 1c.3). A lock file keeps two processes from
//! spending the same token.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use tracing::warn;

use crate::atomic_file::{self, Lock};
use crate::{clock, config, log};

/// How often a lock that another process has is tried.
const LOCK_POLL: Duration = Duration::from_millis(200);
/// As long as the longest login that we may have to keep: four tokens of the Owner API with many
/// claims each.
const REHEARSED: usize = 32 * 1024;

/// A login as it is kept.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct StoredLogin {
    /// The newest refresh token.
    #[serde(
        serialize_with = "expose",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub refresh_token: Option<SecretString>,
    /// The one that it replaced.
    #[serde(
        serialize_with = "expose",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub previous_refresh_token: Option<SecretString>,
    /// The newest access token.
    #[serde(
        serialize_with = "expose",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub access_token: Option<SecretString>,
    /// Its end of life by our calendar.
    #[serde(default)]
    pub access_expires_at: Option<Timestamp>,
    /// When these tokens arrived.
    #[serde(default)]
    pub issued_at: Option<Timestamp>,
    /// Name of the Fleet region that the server sent us to (421, `users/region`).
    #[serde(default)]
    pub region: Option<String>,
    /// The token of the configuration that has been dealt with: a different one there was pasted
    /// later and is tried first.
    #[serde(
        rename = "seed",
        serialize_with = "expose",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub configured_token: Option<SecretString>,
    /// When that token was spent, if it was.
    #[serde(
        rename = "seed_spent_at",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub configured_token_spent_at: Option<Timestamp>,
    /// A wait that the token host asked for when it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// The generation of login that these tokens belong to, as in the configuration.
    #[serde(default)]
    pub api: Option<String>,
    /// The e-mail address that these tokens belong to (2019 login): for another one they are void.
    #[serde(default)]
    pub email: Option<String>,
}

/// Who asked a token host, and where: what it wants of one it does not want of another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Asker {
    /// The generation of login, as in the configuration.
    pub api: String,
    /// The token host that the configuration names, if any.
    pub auth_url: Option<String>,
    /// The client.
    pub client_id: Option<String>,
    /// The person (2019 login).
    pub email: Option<String>,
}

/// The token host wants to be left alone.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Wait {
    /// Until then, by our calendar.
    pub until: Timestamp,
    /// The token of the configuration at the time: one that was pasted since is tried.
    #[serde(
        rename = "seed",
        serialize_with = "expose",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub configured_token: Option<SecretString>,
    /// Who was asked to wait; an earlier version did not note it.
    #[serde(default)]
    pub asker: Option<Asker>,
}

impl StoredLogin {
    /// Whether both hold the same newest tokens.
    pub fn same_tokens(&self, other: &Self) -> bool {
        let tokens = |stored: &Self| -> [Option<String>; 2] {
            let text =
                |token: &Option<SecretString>| token.as_ref().map(|t| t.expose_secret().to_owned());
            [text(&stored.refresh_token), text(&stored.access_token)]
        };
        tokens(self) == tokens(other)
    }
}

/// Keeps a pasted token that was not tried yet, where there is no login to lose: it outranks the
/// token that the configuration holds today.
pub(crate) fn keep_login(
    store: &TokenStore,
    settings: &config::AccountSettings,
    refresh_token: SecretString,
    now: Timestamp,
) -> Result<(), StoreError> {
    store.save(&StoredLogin {
        refresh_token: Some(refresh_token),
        issued_at: Some(now),
        configured_token: settings.refresh_token.clone(),
        ..StoredLogin::default()
    })
}

/// Replaces the account's login by one that Tesla has taken (`tesla2mqtt login`): it outranks the
/// token that the configuration holds today. Call with the account's lock held; a running bridge
/// takes it up when it next renews its login, or looks for one.
pub(crate) fn replace_login(
    store: &TokenStore,
    settings: &config::AccountSettings,
    proven: &StoredLogin,
) -> Result<(), StoreError> {
    let configured_token = settings.refresh_token.clone();
    let known = store
        .load()?
        .filter(|known| same(known.configured_token.as_ref(), configured_token.as_ref()));
    let configured_token_spent_at = if same(
        proven.previous_refresh_token.as_ref(),
        configured_token.as_ref(),
    ) {
        proven.issued_at
    } else {
        known.and_then(|known| known.configured_token_spent_at)
    };
    store.save(&StoredLogin {
        configured_token,
        configured_token_spent_at,
        ..proven.clone()
    })
}

/// Whether two optional secrets are both there and equal.
pub(crate) fn same(a: Option<&SecretString>, b: Option<&SecretString>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.expose_secret() == b.expose_secret())
}

/// The place of one account's login.
#[derive(Debug, Clone)]
pub struct TokenStore {
    directory: PathBuf,
    name: String,
}

/// What could not be done to which file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {doing}: {source}", path.display())]
pub struct StoreError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

impl TokenStore {
    /// The store of account `name` below the state directory. Touches nothing yet.
    pub fn new(state_directory: &Path, name: &str) -> Result<Self, StoreError> {
        let directory = state_directory.join("accounts");
        let store = Self {
            directory,
            name: name.to_owned(),
        };
        let is_plain = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !is_plain {
            let source = io::Error::new(
                io::ErrorKind::InvalidInput,
                "expected letters, digits, '-' and '_'",
            );
            return Err(store.error("account name", source));
        }
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.name))
    }

    /// Reads the login; `None` if there is none. A file that cannot be understood is moved aside
    /// with a warning, never deleted: its owner may still read the token in it.
    pub fn load(&self) -> Result<Option<StoredLogin>, StoreError> {
        let path = self.path();
        if let Some(_lock) = self.try_lock()? {
            self.finish_staged()?;
        }
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.error("read", e)),
        };
        close_to_others(&path, 0o600).map_err(|e| self.error("close to others", e))?;
        if let Some(stored) = parsed(&bytes) {
            let tokens = [
                &stored.refresh_token,
                &stored.previous_refresh_token,
                &stored.access_token,
            ];
            tokens
                .into_iter()
                .flatten()
                .for_each(log::redact_rotating_secret);
            return Ok(Some(stored));
        }
        let aside = self.directory.join(format!("{}.json.damaged", self.name));
        fs::rename(&path, &aside).map_err(|e| self.error("move aside", e))?;
        warn!(
            account = self.name,
            file = %path.display(),
            kept_as = %aside.display(),
            "the stored login is damaged and was moved aside; the token of the configuration is used"
        );
        Ok(None)
    }

    /// Replaces the file; when this returns, the login is durable.
    pub fn save(&self, stored: &StoredLogin) -> Result<(), StoreError> {
        let mut text =
            serde_json::to_vec_pretty(stored).map_err(|e| self.error("write", e.into()))?;
        text.push(b'\n');
        atomic_file::replace(&self.path(), &text).map_err(|e| self.error("write", e))
    }

    /// Writes another file in the same way, so that no token is spent on a disk that is full or
    /// read-only.
    pub fn rehearse(&self) -> Result<(), StoreError> {
        let path = self.directory.join(format!("{}.rehearsal.json", self.name));
        atomic_file::replace(&path, &vec![b'x'; REHEARSED])
            .and_then(|()| fs::remove_file(&path))
            .map_err(|e| self.error("write", e))
    }

    /// Takes the lock if no other process has it; to be held while a refresh token is spent. Makes
    /// the store's own directory, 0700.
    pub fn try_lock(&self) -> Result<Option<Lock>, StoreError> {
        atomic_file::private_directory(&self.directory)
            .map_err(|e| self.error("make the directory", e))?;
        let path = self.directory.join(format!("{}.lock", self.name));
        atomic_file::try_lock(&path).map_err(|e| self.error("lock", e))
    }

    /// Waits so long at most for another process that has the lock; `None` if it still has it then.
    pub async fn lock_within(&self, patience: Duration) -> Result<Option<Lock>, StoreError> {
        let end = clock::uptime() + patience;
        loop {
            let store = self.clone();
            // Disks of small computers take their time; the runtime goes on meanwhile.
            let tried = tokio::task::spawn_blocking(move || store.try_lock()).await;
            let tried = tried.map_err(|gone| self.error("lock", gone.into()))?;
            match tried? {
                None if clock::uptime() <= end => tokio::time::sleep(LOCK_POLL).await,
                tried => return Ok(tried),
            }
        }
    }

    /// A kill between writing and renaming leaves the successor of the stored token beside it.
    fn finish_staged(&self) -> Result<(), StoreError> {
        let staged = self.staged_path();
        let read = |path: &Path| -> Option<StoredLogin> {
            serde_json::from_slice(&fs::read(path).ok()?).ok()
        };
        let Some(newer) = read(&staged) else {
            return Ok(());
        };
        let older = read(&self.path()).unwrap_or_default();
        let is_successor = newer.refresh_token.is_some()
            && newer.issued_at > older.issued_at
            && (older.refresh_token.is_none()
                || same(
                    newer.previous_refresh_token.as_ref(),
                    older.refresh_token.as_ref(),
                ));
        if is_successor {
            fs::rename(&staged, self.path()).map_err(|e| self.error("replace", e))?;
            self.sync_directory()
                .map_err(|e| self.error("sync the directory", e))?;
        }
        Ok(())
    }

    fn staged_path(&self) -> PathBuf {
        self.path().with_extension("new")
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn error(&self, doing: &'static str, source: io::Error) -> StoreError {
        StoreError {
            path: self.path(),
            doing,
            source,
        }
    }
}

/// Only an object is a login. The parser's own message is dropped: it may quote the tokens.
fn parsed(bytes: &[u8]) -> Option<StoredLogin> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    value
        .is_object()
        .then(|| serde_json::from_value(value).ok())
        .flatten()
}

fn close_to_others(path: &Path, mode: u32) -> io::Result<()> {
    let found = fs::metadata(path)?.permissions().mode() & 0o777;
    if found & 0o077 != 0 {
        warn!(path = %path.display(), found = format!("{found:o}"), made = format!("{mode:o}"), "others could read a login; closed");
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn expose<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    secret
        .as_ref()
        .map(ExposeSecret::expose_secret)
        .serialize(to)
}

#[cfg(test)]
mod tests;
