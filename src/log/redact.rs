//! Replaces every known secret in a line, in each form in which a library might print it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// Shorter texts stand in too many words; replacing them would tell where they are.
const LENGTH_MIN: usize = 4;

/// Tokens that are replaced every few hours; the oldest have expired long since.
const ROTATING_MAX: usize = 64;

#[derive(Default)]
struct KnownSecrets {
    configured: Vec<Forms>,
    rotating: VecDeque<Forms>,
}

/// One secret as it may be printed: plain, escaped, percent-encoded. Longest first.
#[derive(PartialEq)]
struct Forms(Vec<Zeroized>);

/// A text that is wiped from memory when dropped.
struct Zeroized(SecretString);

impl PartialEq for Zeroized {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

static KNOWN: RwLock<KnownSecrets> = RwLock::new(KnownSecrets {
    configured: Vec::new(),
    rotating: VecDeque::new(),
});

/// Hides a secret of the configuration in every line from here on.
pub fn redact_secret(secret: &SecretString) {
    let Some(forms) = Forms::of(secret) else {
        return;
    };
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.configured.contains(&forms) {
        known.configured.push(forms);
    }
}

/// Hides a token that will be replaced by another; the newest few dozen are remembered.
pub fn redact_rotating_secret(secret: &SecretString) {
    let Some(forms) = Forms::of(secret) else {
        return;
    };
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.rotating.contains(&forms) {
        return;
    }
    if known.rotating.len() == ROTATING_MAX {
        known.rotating.pop_front();
    }
    known.rotating.push_back(forms);
}

/// The text without any hidden secret.
pub fn redact(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = Cow::Borrowed(text);
    for form in known
        .configured
        .iter()
        .chain(&known.rotating)
        .flat_map(|forms| &forms.0)
    {
        let form = form.0.expose_secret();
        if text.contains(form) {
            text = Cow::Owned(text.replace(form, REDACTED));
        }
    }
    text
}

impl Forms {
    fn of(secret: &SecretString) -> Option<Self> {
        let plain = secret.expose_secret();
        if plain.len() < LENGTH_MIN {
            return None;
        }
        let inside_quotes = |quoted: String| quoted[1..quoted.len() - 1].to_owned();
        let debug = |text: &str| inside_quotes(format!("{text:?}"));
        let json = |text: &str| inside_quotes(serde_json::Value::from(text).to_string());
        let mut forms = vec![
            plain.to_owned(),
            debug(plain),
            json(plain),
            json(&debug(plain)),
            plain.as_bytes().escape_ascii().to_string(),
            url::form_urlencoded::byte_serialize(plain.as_bytes()).collect(),
        ];
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        let forms = forms.into_iter().map(|form| Zeroized(form.into()));
        Some(Self(forms.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_secret_is_replaced_in_every_form() {
        redact_secret(&"p\"ss w&rd/ü".into());
        for line in [
            "login with p\"ss w&rd/ü failed",
            "password: \"p\\\"ss w&rd/ü\"",
            "{\"password\":\"p\\\"ss w&rd/ü\"}",
            "b\"p\\\"ss w&rd/\\xc3\\xbc\"",
            "grant_type=password&password=p%22ss+w%26rd%2F%C3%BC",
        ] {
            let redacted = redact(line);
            assert!(redacted.contains(REDACTED), "{redacted}");
            assert!(
                !redacted.contains("ss w&rd") && !redacted.contains("ss+w"),
                "{redacted}"
            );
        }
    }

    #[test]
    fn old_tokens_are_forgotten_and_the_secrets_of_the_configuration_are_not() {
        redact_secret(&"kept-for-ever".into());
        for n in 0..=ROTATING_MAX {
            redact_rotating_secret(&format!("rotating-token-{n:03}.").into());
        }
        assert_eq!(redact("kept-for-ever"), REDACTED);
        assert_eq!(
            redact(&format!("rotating-token-{ROTATING_MAX:03}.")),
            REDACTED
        );
    }

    #[test]
    fn a_text_of_three_letters_is_not_worth_the_noise() {
        redact_secret(&"abc".into());
        assert_eq!(redact("abcdef"), "abcdef");
    }
}
