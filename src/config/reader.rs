//! Reads the joined layers key by key: form, default, files and secrets. Every refusal is noted and
//! reading goes on, so that all mistakes come out together.

mod files;
mod secrets;

use std::collections::BTreeSet;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

pub(super) use self::files::reason;
use super::layers::{Layers, found, from_text, variable_of};
use super::problem::{ConfigProblem, Found, Origin, message_start};
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
    pub(super) fn new(layers: Layers, read_file: &'a ReadFile<'a>) -> Self {
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
    pub(super) fn refuse(&mut self, key: &str, complaint: &str) {
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
    pub(super) fn missing(&mut self, key: &str, why: &str) {
        self.missing_or(key, why, "");
    }

    /// The same for a secret, with the other places that it may stand in.
    pub(super) fn missing_secret(&mut self, key: &str, credential: Option<&str>, why: &str) {
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
    pub(super) fn missing_accounts(&mut self) {
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
    pub(super) fn warn(&mut self, key: &str, text: &str) {
        let message = format!("{}: {text}", message_start(&self.origin(key), key));
        self.warnings.push(message);
    }

    /// Notes an account whose number in the environment is not the next one.
    pub(super) fn refuse_accounts_beyond(&mut self, n_accounts: usize) {
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
    pub(super) fn origin(&self, key: &str) -> Origin {
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
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.layers.given.contains_key(key)
    }

    /// Whether a secret is given anywhere, also where it cannot be read.
    pub(super) fn is_sourced(&self, key: &str) -> bool {
        self.sourced.contains(key)
    }

    /// The value of a key, understood by `parse`; its error text replaces "expected …" if it is
    /// not empty. `None`: neither given nor defaulted, or refused.
    pub(super) fn parsed<T>(
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
    pub(super) fn text<T>(
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
    pub(super) fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.text(key, |text| {
            let word = words.iter().find(|(word, _)| *word == text);
            word.map(|(_, value)| *value).ok_or_else(String::new)
        })
    }

    pub(super) fn bool(&mut self, key: &str) -> bool {
        let value = self.parsed(key, |value| match value {
            Found::Bool(value) => Ok(*value),
            _ => Err(String::new()),
        });
        value.unwrap_or_default()
    }

    pub(super) fn integer(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.parsed(key, |value| match value {
            Found::Integer(number) if range.contains(number) => Ok(*number),
            _ => Err(String::new()),
        })
    }

    /// A finite number that is not negative.
    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        self.parsed(key, |value| match value {
            Found::Integer(number) => {
                let number = u64::try_from(*number).map_err(|_| String::new())?;
                number.to_string().parse().map_err(|_| String::new())
            }
            Found::Number(number) if number.is_finite() && *number >= 0.0 => Ok(*number),
            _ => Err(String::new()),
        })
    }

    pub(super) fn duration(
        &mut self,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
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
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key, |text| match text {
            "" => Err(String::new()),
            text if text.contains('\0') => Err(String::new()),
            text => Ok(PathBuf::from(text)),
        })
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
