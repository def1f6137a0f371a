//! Secrets: where they may stand, and what cannot be one.

use std::io;

use secrecy::SecretString;

use super::files::reason;
use super::{FileContent, MOST_BYTES, SettingsReader, row};
use crate::config::layers::Given;
use crate::config::problem::{ConfigProblem, Found, Origin};

impl SettingsReader<'_> {
    /// A secret: inline, from the file that `<key>_file` names, or the credential with the name
    /// `credential`. The environment replaces what the file says; two at the same level are a
    /// mistake, because only one of them can be the newest.
    pub(crate) fn secret(&mut self, key: &str, credential: Option<&str>) -> Option<SecretString> {
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
