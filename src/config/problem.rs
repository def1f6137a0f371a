//! What can be wrong with a configuration, as one message each: where, which key, what was found,
//! what was expected. Every problem is collected, so that a file is mended in one round.

use std::fmt;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A line of the file.
    File {
        /// Path as the owner gave it.
        path: String,
        /// Counted from 1; 0: the file as a whole.
        line: usize,
    },
    /// An environment variable.
    Env(String),
    /// A default, or nowhere.
    Nowhere,
}

/// The origin and the key: the start of every message.
pub(super) fn message_start(origin: &Origin, key: &str) -> String {
    match origin {
        Origin::File { path, line: 0 } => format!("{path}: {key}"),
        Origin::File { path, line } => format!("{path}:{line}: {key}"),
        Origin::Env(variable) => variable.clone(),
        Origin::Nowhere => key.to_owned(),
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConfigProblem {
    /// First, so that problems sort in the order of the file.
    pub origin: Origin,
    /// The key.
    pub key: String,
    /// The whole message.
    pub message: String,
}

impl ConfigProblem {
    pub(super) fn new(origin: Origin, key: &str, complaint: &str) -> Self {
        Self::of_value(origin, key, None, complaint)
    }

    /// With the value that was found, for a key that is not secret.
    pub(super) fn of_value(
        origin: Origin,
        key: &str,
        found: Option<&Found>,
        complaint: &str,
    ) -> Self {
        let start = message_start(&origin, key);
        let message = match found {
            Some(found) => format!("{start} = {found}: {complaint}"),
            None => format!("{start}: {complaint}"),
        };
        Self {
            origin,
            key: key.to_owned(),
            message,
        }
    }
}

/// Everything that is wrong with a configuration: correct it and start again (exit code 2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// One message each, in the order of the file.
    pub messages: Vec<String>,
}

impl ConfigErrors {
    pub(super) fn new(mut problems: Vec<ConfigProblem>) -> Self {
        problems.sort();
        problems.dedup();
        Self {
            messages: problems.into_iter().map(|p| p.message).collect(),
        }
    }
}

/// One message a line.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.messages.join("\n"))
    }
}

/// The values of a key as the owner wrote them, before they are understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Text(String),
    Integer(i64),
    Number(f64),
    Bool(bool),
    /// A list, a table or a date, by name.
    Other(String),
}

impl Found {
    /// The name of the form, for values that must not be shown.
    pub(super) fn form(&self) -> &str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Other(form) => form,
        }
    }
}

/// As it would stand in the file, on one line and not too long.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 60;
        match self {
            Self::Text(text) if text.chars().count() > MOST => {
                let start: String = text.chars().take(MOST).collect();
                write!(f, "{start:?}…")
            }
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Other(form) => f.write_str(form),
        }
    }
}
