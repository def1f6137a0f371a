//! Reads the joined layers key by key: form, default, secret files. Every refusal is noted and
//! reading goes on, so that all mistakes come out together.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;

use super::layers::{Given, Layers, found, from_text, variable_of};
use super::problem::{ConfigProblem, Found, Origin, head};
use super::schema::{self, SettingKey, ValueForm};

/// MQTT has no room for a longer user name or password, and no token is longer.
pub(super) const MOST_BYTES: usize = 65_535;

/// A file as the edge read it.
#[derive(Debug, Clone, Default)]
pub struct FileContent {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Unix permission bits, where there are any.
    pub mode: Option<u32>,
}

/// Reads a file; given from outside so that loading stays a function of its input.
pub type ReadFile<'a> = dyn Fn(&Path) -> io::Result<FileContent> + 'a;

pub(super) struct SettingsReader<'a> {
    pub layers: Layers,
    /// The configuration file: where what is missing would have to be written.
    pub file: Option<String>,
    /// The directory of systemd's credentials.
    pub credentials: Option<PathBuf>,
    pub read_file: &'a ReadFile<'a>,
    pub problems: Vec<ConfigProblem>,
    pub warnings: Vec<String>,
    /// Secrets that stand in the configuration file itself.
    pub inline_secrets: Vec<String>,
    /// Secrets with any source, readable or not: they are not missing.
    pub sourced: BTreeSet<String>,
}

impl<'a> SettingsReader<'a> {
    /// With no file, no credential, and nothing noted yet.
    pub fn new(layers: Layers, read_file: &'a ReadFile<'a>) -> Self {
        Self {
            layers,
            file: None,
            credentials: None,
            read_file,
            problems: Vec::new(),
            warnings: Vec::new(),
            inline_secrets: Vec::new(),
            sourced: BTreeSet::new(),
        }
    }
}

impl SettingsReader<'_> {
    /// Notes that the value of a key is not what was expected. What is wrong with it beside that
    /// may follow from the same mistake.
    pub fn refuse(&mut self, key: &str, complaint: &str) {
        if self.problems.iter().any(|problem| problem.key == key) {
            return;
        }
        let given = self.layers.given.get(key);
        let found = given
            .map(|given| &given.found)
            .filter(|found| !is_private(key, found));
        let problem = ConfigProblem::of_value(self.origin(key), key, found, complaint);
        self.problems.push(problem);
    }

    /// Notes that a key is missing, unless it was only misspelt.
    pub fn missing(&mut self, key: &str, why: &str) {
        self.missing_or(key, why, "");
    }

    /// The same for a secret, with the other places that it may stand in.
    pub fn missing_secret(&mut self, key: &str, credential: Option<&str>, why: &str) {
        let credential =
            credential.map_or_else(String::new, |name| format!(" or the credential {name}"));
        self.missing_or(key, why, &format!(", {key}_file{credential}"));
    }

    fn missing_or(&mut self, key: &str, why: &str, others: &str) {
        if !self.layers.suggested.contains(key) {
            let expected = row(key).expected;
            self.refuse(key, &format!("missing: {why}expected {expected}{others}"));
        }
    }

    /// Notes that there is no account, unless what stands in their place was refused already.
    pub fn missing_accounts(&mut self) {
        let is_told = |key: &str| key.starts_with("accounts");
        if self.problems.iter().any(|problem| is_told(&problem.key))
            || self.layers.suggested.contains("accounts")
        {
            return;
        }
        let origin = match self.layers.tables.get("accounts") {
            Some(origin) => origin.clone(),
            None => self.origin("accounts.name"),
        };
        let complaint = "missing: expected at least one account: [[accounts]] with name and api";
        self.problems
            .push(ConfigProblem::new(origin, "accounts", complaint));
    }

    /// Notes something that works but is probably not meant.
    pub fn warn(&mut self, key: &str, text: &str) {
        let message = format!("{}: {text}", head(&self.origin(key), key));
        self.warnings.push(message);
    }

    /// Notes an account whose number in the environment is not the next one.
    pub fn refuse_accounts_beyond(&mut self, n_accounts: usize) {
        let beyond = self.layers.given.iter().find_map(|(key, given)| {
            let (index, _) = key.strip_prefix("accounts[")?.split_once(']')?;
            (index.parse::<usize>().ok()? >= n_accounts).then(|| given.origin.clone())
        });
        if let Some(origin) = beyond {
            let next = variable_of(&format!("accounts[{n_accounts}]"));
            let complaint =
                format!("accounts are counted from 0 without a gap: expected {next}__…");
            self.problems
                .push(ConfigProblem::new(origin, "accounts", &complaint));
        }
    }

    /// Where a key stands, or else the table that it belongs to, or else the file.
    pub fn origin(&self, key: &str) -> Origin {
        if let Some(given) = self.layers.given.get(key) {
            return given.origin.clone();
        }
        let table = key.rsplit_once('.').map_or(key, |(table, _)| table);
        match self.layers.tables.get(table) {
            // Nothing but the environment speaks of it.
            Some(Origin::Nowhere) => Origin::Env(variable_of(key)),
            Some(origin) => origin.clone(),
            None => self
                .file
                .as_ref()
                .map_or(Origin::Nowhere, |path| Origin::File {
                    path: path.clone(),
                    line: 0,
                }),
        }
    }

    /// Whether the owner gave the key.
    pub fn is_given(&self, key: &str) -> bool {
        self.layers.given.contains_key(key)
    }

    /// Whether a secret is given anywhere, also where it cannot be read.
    pub fn is_sourced(&self, key: &str) -> bool {
        self.sourced.contains(key)
    }

    /// The value of a key, understood by `parse`; its error text replaces "expected …" if it is
    /// not empty. `None`: neither given nor defaulted, or refused.
    pub fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&Found) -> Result<T, String>,
    ) -> Option<T> {
        let row = row(key);
        let value = match (self.layers.given.get(key), row.default) {
            (Some(given), _) => given.found.clone(),
            (None, Some(default)) => found(&from_text(row.kind, default)),
            (None, None) => return None,
        };
        match parse(&value) {
            Ok(value) => Some(value),
            Err(complaint) if complaint.is_empty() => {
                self.refuse(key, &format!("expected {}", row.expected));
                None
            }
            Err(complaint) => {
                self.refuse(key, &complaint);
                None
            }
        }
    }

    /// Text, checked by `parse`.
    pub fn text<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.parsed(key, |value| match value {
            Found::Text(text) => parse(text),
            _ => Err(String::new()),
        })
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.text(key, |text| {
            let word = words.iter().find(|(word, _)| *word == text);
            word.map(|(_, value)| *value).ok_or_else(String::new)
        })
    }

    pub fn bool(&mut self, key: &str) -> bool {
        let value = self.parsed(key, |value| match value {
            Found::Bool(value) => Ok(*value),
            _ => Err(String::new()),
        });
        value.unwrap_or_default()
    }

    pub fn integer(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.parsed(key, |value| match value {
            Found::Integer(number) if range.contains(number) => Ok(*number),
            _ => Err(String::new()),
        })
    }

    /// A finite number that is not negative.
    pub fn number(&mut self, key: &str) -> Option<f64> {
        self.parsed(key, |value| match value {
            Found::Integer(number) => {
                let number = u64::try_from(*number).map_err(|_| String::new())?;
                number.to_string().parse().map_err(|_| String::new())
            }
            Found::Number(number) if number.is_finite() && *number >= 0.0 => Ok(*number),
            _ => Err(String::new()),
        })
    }

    pub fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let (least, most) = (friendly(*range.start()), friendly(*range.end()));
        self.parsed(key, |value| match value {
            Found::Text(text) => match any_duration(text.trim()) {
                Some(duration) if range.contains(&duration) => Ok(duration),
                None if !text.trim().starts_with('-') => {
                    Err("expected a duration such as \"30s\" or \"10m\"".to_owned())
                }
                _ => Err(format!(
                    "expected a duration from \"{least}\" to \"{most}\""
                )),
            },
            _ => Err(format!(
                "expected a duration from \"{least}\" to \"{most}\""
            )),
        })
    }

    /// A path that is not empty.
    pub fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key, |text| match text {
            "" => Err(String::new()),
            text if text.contains('\0') => Err(String::new()),
            text => Ok(PathBuf::from(text)),
        })
    }

    /// A file of certificates, and a number that stands for its content.
    pub fn certificates(&mut self, key: &str) -> Option<(PathBuf, u64)> {
        let path = self.path(key)?;
        let content = self.content(key, &path, false)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content.bytes).collect();
        if found.is_ok_and(|found| !found.is_empty()) {
            let mut hasher = DefaultHasher::new();
            content.bytes.hash(&mut hasher);
            return Some((path, hasher.finish()));
        }
        let wanted = "expected one or more certificates in PEM form (\"-----BEGIN CERTIFICATE-----\") in this file";
        self.refuse(key, wanted);
        None
    }

    /// A file with a private key that nobody else can read.
    pub fn private_key(&mut self, key: &str) -> Option<PathBuf> {
        let path = self.path(key)?;
        let content = self.content(key, &path, true)?;
        if PrivateKeyDer::from_pem_slice(&content.bytes).is_ok() {
            return Some(path);
        }
        let wanted = "expected a private key in PEM form (\"-----BEGIN PRIVATE KEY-----\") without a passphrase in this file";
        self.refuse(key, wanted);
        None
    }

    fn content(&mut self, key: &str, path: &Path, secret: bool) -> Option<FileContent> {
        match (self.read_file)(path) {
            // Perhaps the secret itself, and not where it is.
            Err(error) if secret && !is_plainly_a_path(path) => {
                let complaint = format!("expected {}: {}", row(key).expected, reason(&error));
                let origin = self.origin(key);
                self.problems
                    .push(ConfigProblem::new(origin, key, &complaint));
                None
            }
            Err(error) => {
                self.refuse(key, &format!("cannot read this file: {}", reason(&error)));
                None
            }
            Ok(content) => {
                if secret && is_open(path, content.mode) {
                    let (mode, path) = (content.mode.unwrap_or_default() & 0o777, path.display());
                    self.refuse(
                        key,
                        &format!("others can read this secret (mode {mode:04o}): chmod 600 {path}"),
                    );
                }
                Some(content)
            }
        }
    }

    /// A secret: inline, from the file that `<key>_file` names, or the credential with the name
    /// `credential`. The environment replaces what the file says; two at the same level are a
    /// mistake, because only one of them can be the newest.
    pub fn secret(&mut self, key: &str, credential: Option<&str>) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        let from_env = |given: &Given| matches!(given.origin, Origin::Env(_));
        let mut sources: Vec<&str> = [key, file_key.as_str()]
            .into_iter()
            .filter(|key| self.is_given(key))
            .collect();
        let any_env = sources.iter().any(|key| from_env(&self.layers.given[*key]));
        sources.retain(|key| !any_env || from_env(&self.layers.given[*key]));
        let credential = credential
            .filter(|_| !any_env)
            .and_then(|name| Some((self.credentials.as_ref()?.join(name), name)))
            .and_then(|(path, name)| match (self.read_file)(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                read => Some((path, name, read)),
            });
        if !sources.is_empty() || credential.is_some() {
            self.sourced.insert(key.to_owned());
        }
        match (sources.as_slice(), credential) {
            ([], None) => None,
            ([], Some((path, name, read))) => {
                let read = read.map_err(|error| reason(&error));
                match read.and_then(|content| one_line(key, content)) {
                    Ok(secret) => Some(secret),
                    Err(complaint) => {
                        let credential = format!("credential {name} ({})", path.display());
                        self.problems.push(ConfigProblem::new(
                            Origin::Nowhere,
                            &credential,
                            &complaint,
                        ));
                        None
                    }
                }
            }
            ([one], None) if *one == key => self.inline_secret(key),
            ([_], None) => {
                let path = self.path(&file_key)?;
                let content = self.content(&file_key, &path, true)?;
                one_line(key, content)
                    .map_err(|complaint| self.refuse(&file_key, &complaint))
                    .ok()
            }
            ([one], Some((_, name, _))) => {
                let complaint = format!("also given as the credential {name}: keep one of them");
                self.refuse(one, &complaint);
                None
            }
            (_, _) => {
                let complaint = format!("given together with {file_key}: keep one of them");
                self.refuse(key, &complaint);
                None
            }
        }
    }

    fn inline_secret(&mut self, key: &str) -> Option<SecretString> {
        let given = &self.layers.given[key];
        let text = match &given.found {
            // A blank at the end of a password may be meant.
            Found::Text(text) if !is_token(key) => text.as_str(),
            Found::Text(text) => plain(text),
            _ => "",
        };
        let flaw = match (&given.found, flaw(key, text)) {
            (Found::Text(_), None) => {
                let text = SecretString::from(text.to_owned());
                if matches!(given.origin, Origin::File { .. }) {
                    self.inline_secrets.push(key.to_owned());
                }
                return Some(text);
            }
            (Found::Text(_), Some("nothing")) => "nothing between them",
            (Found::Text(_), Some(flaw)) => flaw,
            (other, _) => other.form(),
        };
        let complaint = format!("expected {}, found {flaw}", row(key).expected);
        self.refuse(key, &complaint);
        None
    }
}

/// The row of a key that this program reads.
fn row(key: &str) -> &'static SettingKey {
    schema::row(key).expect("only keys of the schema are read; every one is read in a test")
}

/// Secrets are never shown, nor addresses that may carry one, whatever key they stand at.
fn is_private(key: &str, found: &Found) -> bool {
    let is_address = |text: &str| key.ends_with("url") || text.contains("://");
    row(key).kind == ValueForm::Secret
        || matches!(found, Found::Text(text) if is_address(text) && may_carry_a_secret(text))
}

/// `//user:password@host`, `?token=`, or a password after a colon where a port is expected.
fn may_carry_a_secret(address: &str) -> bool {
    let is_port = |rest: &str| {
        let port = rest.split('/').next().unwrap_or_default();
        rest.starts_with("//") || port.parse::<u16>().is_ok()
    };
    address.contains(['@', '?', '#']) || address.split(':').skip(1).any(|rest| !is_port(rest))
}

/// Whether a text that names no file was at least meant to; a token or a password hardly begins so.
fn is_plainly_a_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    ["/", "./", "../", "~/"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Where systemd and Docker mount secrets for one service alone, with modes of their own.
const PRIVATE_MOUNTS: [&str; 2] = ["/run/credentials", "/run/secrets"];

/// Whether others than the owner may read it.
fn is_open(path: &Path, mode: Option<u32>) -> bool {
    let is_mounted = PRIVATE_MOUNTS.iter().any(|mount| path.starts_with(mount));
    mode.is_some_and(|mode| mode & 0o077 != 0) && !is_mounted
}

fn one_line(key: &str, content: FileContent) -> Result<SecretString, String> {
    let text = String::from_utf8(content.bytes)
        .map_err(|_| "expected one line of text, found bytes that are not UTF-8".to_owned())?;
    let text = plain(&text);
    let flaw = match flaw(key, text) {
        None => {
            return Ok(SecretString::from(text.to_owned()));
        }
        Some("nothing") => "an empty file",
        Some(flaw) => flaw,
    };
    Err(format!("expected one line of text, found {flaw}"))
}

/// Without what an editor puts around it: blanks, line breaks, a mark of its encoding.
fn plain(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// What is found where a secret should be, if it cannot be one.
fn flaw(key: &str, text: &str) -> Option<&'static str> {
    if plain(text).is_empty() {
        Some("nothing")
    } else if text.contains(['\n', '\r']) {
        Some("several lines")
    } else if text.chars().any(char::is_control) {
        Some("a control character")
    } else if text.len() > MOST_BYTES {
        Some("more than 65535 bytes")
    } else if is_token(key) && !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("a blank or a letter that no token has")
    } else {
        None
    }
}

fn is_token(key: &str) -> bool {
    key.ends_with(".refresh_token")
}

/// The words for an I/O error that the owner can act on.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is none at this path".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// A length of time as people write it, days and weeks included; `None`: it is none, or negative.
fn any_duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(length).ok()
}

fn friendly(duration: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    let (n, unit) = match duration.as_secs() {
        s if s > DAY && s % DAY == 0 => (s / DAY, "d"),
        s if s > 0 && s % 3600 == 0 => (s / 3600, "h"),
        s if s > 0 && s % 60 == 0 => (s / 60, "m"),
        s => (s, "s"),
    };
    format!("{n}{unit}")
}
