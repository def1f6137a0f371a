//! Reads the joined layers key by key: form, default, secret files. Every refusal is noted and
//! reading goes on, so that all mistakes come out together.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;

use super::layers::{Given, Layers, found, from_text};
use super::problem::{Found, Origin, Problem, head};
use super::schema::{self, Kind, Row};

/// No secret and no certificate is longer.
const MOST_BYTES: usize = 64 * 1024;

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

pub(super) struct Reader<'a> {
    pub layers: Layers,
    /// The configuration file: where what is missing would have to be written.
    pub file: Option<String>,
    /// The directory of systemd's credentials.
    pub credentials: Option<PathBuf>,
    pub read_file: &'a ReadFile<'a>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
    /// Secrets that stand in the configuration file itself.
    pub inline_secrets: Vec<String>,
}

impl Reader<'_> {
    /// Notes that the value of a key is not what was expected.
    pub fn refuse(&mut self, key: &str, complaint: &str) {
        let given = self.layers.given.get(key);
        let found = given
            .map(|given| &given.found)
            .filter(|found| !is_private(key, found));
        let problem = Problem::of_value(self.origin(key), key, found, complaint);
        self.problems.push(problem);
    }

    /// Notes that a key is missing.
    pub fn missing(&mut self, key: &str, why: &str) {
        let expected = row(key).expected;
        self.refuse(key, &format!("missing: {why}expected {expected}"));
    }

    /// Notes that there is no account, unless what stands in their place was refused already.
    pub fn missing_accounts(&mut self) {
        if self
            .problems
            .iter()
            .any(|problem| problem.key.starts_with("accounts"))
        {
            return;
        }
        let origin = match self.layers.tables.get("accounts") {
            Some(origin) => origin.clone(),
            None => self.origin("accounts.name"),
        };
        let complaint = "missing: expected at least one account: [[accounts]] with name and api";
        self.problems
            .push(Problem::new(origin, "accounts", complaint));
    }

    /// Notes something that works but is probably not meant.
    pub fn warn(&mut self, key: &str, text: &str) {
        let message = format!("{}: {text}", head(&self.origin(key), key));
        self.warnings.push(message);
    }

    /// Where a key stands, or else the table that it belongs to, or else the file.
    pub fn origin(&self, key: &str) -> Origin {
        if let Some(given) = self.layers.given.get(key) {
            return given.origin.clone();
        }
        let table = key.rsplit_once('.').map_or(key, |(table, _)| table);
        match self.layers.tables.get(table) {
            Some(origin) if *origin != Origin::Nowhere => origin.clone(),
            _ => self
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
                let number = i32::try_from(*number).map_err(|_| String::new())?;
                if number < 0 {
                    Err(String::new())
                } else {
                    Ok(f64::from(number))
                }
            }
            Found::Number(number) if number.is_finite() && *number >= 0.0 => Ok(*number),
            _ => Err(String::new()),
        })
    }

    pub fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.text(key, |text| match text.trim().parse::<SignedDuration>() {
            Ok(duration) => Duration::try_from(duration)
                .ok()
                .filter(|duration| range.contains(duration))
                .ok_or_else(|| {
                    let (least, most) = (friendly(*range.start()), friendly(*range.end()));
                    format!("expected a duration from \"{least}\" to \"{most}\"")
                }),
            Err(_) => Err("expected a duration such as \"30s\" or \"10m\"".to_owned()),
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
        match (sources.as_slice(), credential) {
            ([], None) => None,
            ([], Some((path, name, read))) => {
                match read.map_err(|error| reason(&error)).and_then(one_line) {
                    Ok(secret) => Some(secret),
                    Err(complaint) => {
                        let credential = format!("credential {name} ({})", path.display());
                        self.problems
                            .push(Problem::new(Origin::Nowhere, &credential, &complaint));
                        None
                    }
                }
            }
            ([one], None) if *one == key => self.inline_secret(key),
            ([_], None) => {
                let path = self.path(&file_key)?;
                let content = self.content(&file_key, &path, true)?;
                one_line(content)
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
        match &given.found {
            Found::Text(text) if is_one_line(text) => {
                let text = SecretString::from(text.clone());
                if matches!(given.origin, Origin::File { .. }) {
                    self.inline_secrets.push(key.to_owned());
                }
                Some(text)
            }
            found => {
                let found = match found {
                    Found::Text(text) if text.is_empty() => "nothing between them",
                    Found::Text(_) => "several lines",
                    other => other.form(),
                };
                let complaint = format!("expected {}, found {found}", row(key).expected);
                self.refuse(key, &complaint);
                None
            }
        }
    }
}

/// The row of a key that this program reads.
fn row(key: &str) -> &'static Row {
    schema::row(key).expect("only keys of the schema are read; every one is read in a test")
}

/// Secrets are never shown, nor addresses that may carry one (`//user:password@`, `?token=`).
fn is_private(key: &str, found: &Found) -> bool {
    let may_carry = |text: &str| key.ends_with("url") && text.contains(['@', '?', '#']);
    row(key).kind == Kind::Secret || matches!(found, Found::Text(text) if may_carry(text))
}

/// Where systemd and Docker mount secrets for one service alone, with modes of their own.
const PRIVATE_MOUNTS: [&str; 2] = ["/run/credentials", "/run/secrets"];

/// Whether others than the owner may read it.
fn is_open(path: &Path, mode: Option<u32>) -> bool {
    let is_mounted = PRIVATE_MOUNTS.iter().any(|mount| path.starts_with(mount));
    mode.is_some_and(|mode| mode & 0o077 != 0) && !is_mounted
}

fn one_line(content: FileContent) -> Result<SecretString, String> {
    if content.bytes.len() > MOST_BYTES {
        return Err("expected one line of text, found a file of over 64 KiB".to_owned());
    }
    let text = String::from_utf8(content.bytes)
        .map_err(|_| "expected one line of text, found bytes that are not UTF-8".to_owned())?;
    match text.trim() {
        "" => Err("expected one line of text, found an empty file".to_owned()),
        text if is_one_line(text) => Ok(SecretString::from(text.to_owned())),
        _ => Err("expected one line of text, found several".to_owned()),
    }
}

fn is_one_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
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

fn friendly(duration: Duration) -> String {
    let (n, unit) = match duration.as_secs() {
        s if s > 0 && s % 3600 == 0 => (s / 3600, "h"),
        s if s > 0 && s % 60 == 0 => (s / 60, "m"),
        s => (s, "s"),
    };
    format!("{n}{unit}")
}
