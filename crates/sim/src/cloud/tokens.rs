//! Tokens as Tesla's three generations of login hand them out (tesla-api.md, section 1): access
//! tokens that say when they end, refresh tokens that are good for one use.
//!
//! A refresh token that was used stays good for the grace time, so that a reply lost on the way
//! can be repaired; the newest reply to it is the newest token. Any other, an earlier reply to the
//! same token too, is an offence: 401, and the whole family is revoked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::spec::mix;

/// The generations of login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Login {
    /// 2019: e-mail and password, opaque tokens for 45 days.
    Password,
    /// The mobile app's single sign-on, `client_id=ownerapi`.
    Owner,
    /// A registered app.
    Fleet,
}

/// What a refresh answers in place of the token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// A new one; the old one is spent.
    New,
    /// The same one again.
    Same,
    /// None: the old one stays good.
    Absent,
}

/// Why a refresh token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenRefusal {
    /// Never issued here.
    Unknown,
    /// Spent, out of its grace, or of a revoked family.
    Spent,
}

/// The refresh tokens of one account, and what became of them.
#[derive(Debug, Clone, Default)]
pub struct Family {
    /// The token of the last refresh, still good for the grace time from then on.
    parent: Option<(String, Timestamp)>,
    /// What came of it.
    newest: Option<String>,
    spent: BTreeSet<String>,
    /// A token other than the newest and its predecessor was used; nothing is accepted any more.
    pub revoked: bool,
    /// Refreshes granted.
    pub n_refreshed: u64,
    /// Of these, by the predecessor of the newest token.
    pub n_repaired: u64,
    /// Refreshes refused.
    pub n_refused: u64,
}

impl Family {
    /// Begins anew, as after a sign-in: everything issued before is spent.
    pub(super) fn begin(&mut self, token: String) {
        let mut spent = std::mem::take(&mut self.spent);
        spent.extend(self.newest.take());
        spent.extend(self.parent.take().map(|(token, _)| token));
        *self = Self {
            newest: Some(token),
            spent,
            ..Self::default()
        };
    }

    /// Whether this family ever issued the token.
    pub(super) fn knows(&self, token: &str) -> bool {
        self.spent.contains(token)
            || self.newest() == Some(token)
            || self
                .parent
                .as_ref()
                .is_some_and(|(known, _)| known == token)
    }

    /// The newest token, as a test would paste it.
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// Every token that this family ever had.
    pub(super) fn every_token(&self) -> impl Iterator<Item = String> {
        let parent = self.parent.iter().map(|(token, _)| token);
        let all = self.newest.iter().chain(&self.spent).chain(parent);
        all.cloned()
    }

    /// Uses a refresh token; `next` becomes the newest if the rotation wants a new one.
    pub(super) fn refresh(
        &mut self,
        token: &str,
        next: String,
        rotation: Rotation,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Option<String>, TokenRefusal> {
        let refusal = if !self.knows(token) {
            Some(TokenRefusal::Unknown)
        } else if self.revoked {
            Some(TokenRefusal::Spent)
        } else {
            self.offence(token, now, grace)
        };
        if let Some(refusal) = refusal {
            self.n_refused += 1;
            return Err(refusal);
        }
        self.n_refreshed += 1;
        match rotation {
            Rotation::Absent => return Ok(None),
            Rotation::Same => return Ok(Some(token.to_owned())),
            Rotation::New => {}
        }
        let newest = self.newest.replace(next.clone());
        if newest.as_deref() == Some(token) {
            let parent = self.parent.replace((token.to_owned(), now));
            self.spent.extend(parent.map(|(token, _)| token));
        } else {
            self.n_repaired += 1;
            self.spent.extend(newest);
        }
        Ok(Some(next))
    }

    /// Judges a token that was issued here once; an old one revokes the family.
    fn offence(&mut self, token: &str, now: Timestamp, grace: Duration) -> Option<TokenRefusal> {
        let in_grace = |(parent, used_at): &(String, Timestamp)| {
            parent == token && now.duration_since(*used_at).unsigned_abs() <= grace
        };
        let good = self.newest() == Some(token) || self.parent.as_ref().is_some_and(in_grace);
        if good {
            return None;
        }
        self.revoked = true;
        Some(TokenRefusal::Spent)
    }
}

/// What an access token stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Access {
    pub account: String,
    pub login: Login,
    /// Counted from 1 for each account.
    pub generation: u64,
    pub ends: Timestamp,
}

/// All access tokens in use.
#[derive(Debug, Default)]
pub(super) struct AccessTokens(BTreeMap<String, Access>);

impl AccessTokens {
    pub(super) fn add(&mut self, token: String, access: Access) {
        // The demo refreshes for days: forget what ended long ago.
        if self.0.len() > 200 {
            let old = access.ends - Duration::from_hours(24 * 100);
            self.0.retain(|_, known| known.ends > old);
        }
        self.0.insert(token, access);
    }

    pub(super) fn every_token(&self) -> impl Iterator<Item = String> {
        self.0.keys().cloned()
    }

    pub(super) fn get(&self, token: &str) -> Option<&Access> {
        self.0.get(token)
    }

    /// Ends them all, as Tesla does now and then long before their time.
    pub(super) fn expire(&mut self, account: &str, now: Timestamp) {
        for access in self.0.values_mut().filter(|a| a.account == account) {
            access.ends = access.ends.min(now);
        }
    }
}

/// The claims of an access token that clients read.
pub(super) struct Claims<'a> {
    pub account: &'a str,
    pub login: Login,
    /// `na`, `eu`, `cn`
    pub region: &'a str,
    pub scopes: &'a [String],
    pub issued: Timestamp,
    pub ends: Timestamp,
}

/// An access token with the look of its generation.
pub(super) fn access_token(claims: &Claims<'_>, noise: u64) -> String {
    let signature = base64url(opaque(noise).as_bytes());
    let audience = match claims.login {
        Login::Password => return format!("{}-{}", claims.region, opaque(noise)),
        Login::Owner => vec!["https://owner-api.teslamotors.com/".to_owned()],
        Login::Fleet => vec![
            format!("https://fleet-api.prd.{}.vn.cloud.tesla.com", claims.region),
            "https://auth.tesla.com/oauth2/v3/userinfo".to_owned(),
        ],
    };
    let payload = json!({
        "iss": "https://auth.tesla.com/oauth2/v3",
        "azp": if claims.login == Login::Owner { "ownerapi" } else { "simulated-app" },
        "sub": claims.account,
        "aud": audience,
        "scp": claims.scopes,
        "ou_code": claims.region.to_ascii_uppercase(),
        "iat": claims.issued.as_second(),
        "exp": claims.ends.as_second(),
    });
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "simulated" });
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    format!("{}.{}.{signature}", part(&header), part(&payload))
}

/// A refresh token with the look of its generation.
pub(super) fn refresh_token(login: Login, region: &str, noise: u64) -> String {
    match login {
        Login::Password => opaque(noise),
        Login::Owner => format!("eyJhbGciOiJSUzI1NiJ9.{}", opaque(noise)),
        Login::Fleet => format!("{}_{}", region.to_ascii_uppercase(), opaque(noise)),
    }
}

fn opaque(noise: u64) -> String {
    let a = mix(noise);
    let b = mix(a);
    format!("{a:016x}{b:016x}{:016x}{:016x}", mix(b), mix(mix(b)))
}

/// Base64 for URLs, without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let three = [0, 1, 2].map(|i| u32::from(chunk.get(i).copied().unwrap_or(0)));
        let bits = three[0] << 16 | three[1] << 8 | three[2];
        for n in 0..=chunk.len() {
            let sextet = bits >> (18 - 6 * n) & 0x3F;
            text.push(char::from(ALPHABET[sextet as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_hours(24);

    /// Plays `uses` (token, hours since the start) and says what each answered.
    fn play(uses: &[(&str, i64)]) -> (Vec<Option<&'static str>>, Family) {
        const NAMES: [&str; 6] = ["r2", "r3", "r4", "r5", "r6", "r7"];
        let mut family = Family::default();
        family.begin("r1".to_owned());
        let mut names = NAMES.iter();
        let answers = uses
            .iter()
            .map(|(token, hours)| {
                let next = names.next().expect("few uses");
                let now = Timestamp::from_second(hours * 3600).expect("small");
                let answer = family.refresh(token, (*next).to_owned(), Rotation::New, now, GRACE);
                answer.is_ok().then_some(*next)
            })
            .collect();
        (answers, family)
    }

    #[test]
    fn a_refresh_token_is_good_once_and_then_for_the_grace_time() {
        type TokenCase = (
            &'static [(&'static str, i64)],
            &'static [Option<&'static str>],
            bool,
        );
        let cases: &[TokenCase] = &[
            (
                &[("r1", 0), ("r2", 1), ("r3", 2)],
                &[Some("r2"), Some("r3"), Some("r4")],
                false,
            ),
            // A lost reply: the predecessor again, as often as replies get lost.
            (
                &[("r1", 0), ("r1", 1), ("r1", 2), ("r4", 3)],
                &[Some("r2"), Some("r3"), Some("r4"), Some("r5")],
                false,
            ),
            // Of two replies to the same token only the second is the newest.
            (
                &[("r1", 0), ("r1", 1), ("r2", 2), ("r3", 2)],
                &[Some("r2"), Some("r3"), None, None],
                true,
            ),
            (&[("r1", 0), ("r1", 25)], &[Some("r2"), None], true),
            (
                &[("r1", 0), ("r2", 1), ("r1", 1), ("r3", 1)],
                &[Some("r2"), Some("r3"), None, None],
                true,
            ),
            (&[("nonsense", 0), ("r1", 0)], &[None, Some("r3")], false),
        ];
        for (uses, expected, revoked) in cases {
            let (answers, family) = play(uses);
            assert_eq!(answers, *expected, "{uses:?}");
            assert_eq!(family.revoked, *revoked, "{uses:?}");
        }
    }

    #[test]
    fn base64url_agrees_with_the_standard() {
        let cases = [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("\u{ff}~?", "w79-Pw"),
        ];
        for (plain, coded) in cases {
            assert_eq!(base64url(plain.as_bytes()), coded);
        }
    }
}
