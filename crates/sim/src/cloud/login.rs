//! The two token hosts: who gets a token for what.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::tokens::{self, Access, Claims, Login, TokenRefusal};
use super::world::{CloudState, Member, StatusAndBody, TeslaAccount, error};
use crate::spec::mix;

impl CloudState {
    pub(super) fn password_login(
        &mut self,
        fields: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> StatusAndBody {
        let field = |key: &str| fields.get(key).map(String::as_str).unwrap_or_default();
        if field("client_id").is_empty() || field("client_secret").is_empty() {
            return (
                401,
                json!({ "error": "invalid_client", "error_description": "" }),
            );
        }
        let invalid = (
            401,
            json!({ "error": "invalid_grant", "error_description": "The authorization grant is invalid" }),
        );
        match field("grant_type") {
            "password" if self.options.password_login_deprecated => (
                400,
                json!({ "response": "endpoint_deprecated:_please_update_your_app." }),
            ),
            "password" => {
                let knows = |m: &&Member| {
                    m.account.email == field("email") && m.account.password == field("password")
                };
                let Some(account) = self
                    .members
                    .values()
                    .find(knows)
                    .map(|m| m.account.name.clone())
                else {
                    return invalid;
                };
                let (refresh, access) = self.issue(&account, Login::Password, now);
                (
                    200,
                    self.grant(&access, Some(&refresh), Login::Password, now),
                )
            }
            "refresh_token" => self
                .refresh(Login::Password, field("refresh_token"), now)
                .unwrap_or(invalid),
            _ => error(400, "invalid_request"),
        }
    }

    pub(super) fn token(
        &mut self,
        fields: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> StatusAndBody {
        let field = |key: &str| fields.get(key).map(String::as_str).unwrap_or_default();
        let client = field("client_id");
        let login = if client == "ownerapi" {
            Login::Owner
        } else {
            Login::Fleet
        };
        if field("grant_type") != "refresh_token" {
            return (
                400,
                json!({ "error": "invalid_request", "error_description": "grant_type" }),
            );
        }
        let token = field("refresh_token");
        let owner = self
            .members
            .values()
            .find(|m| m.families.get(&login).is_some_and(|f| f.knows(token)));
        let only_app = owner.and_then(|m| m.account.client_id.as_deref());
        if client.is_empty() || (login == Login::Fleet && only_app.is_some_and(|app| app != client))
        {
            return (
                400,
                json!({ "error": "unauthorized_client", "error_description": "We don't recognize this client_id" }),
            );
        }
        self.refresh(login, token, now).unwrap_or_else(|| {
            (
                401,
                json!({ "error": "login_required", "error_description": "Login required" }),
            )
        })
    }

    fn refresh(&mut self, login: Login, token: &str, now: Timestamp) -> Option<StatusAndBody> {
        let next = self.noise();
        let grace = self.options.grace;
        let (account, answered) = self.members.values_mut().find_map(|member| {
            let account = &member.account;
            let family = member.families.get_mut(&login)?;
            let next = tokens::refresh_token(login, &account.region, next);
            match family.refresh(token, next, account.rotation, now, grace) {
                Err(TokenRefusal::Unknown) => None,
                Err(TokenRefusal::Spent) => Some((account.name.clone(), None)),
                Ok(refresh) => Some((account.name.clone(), Some(refresh))),
            }
        })?;
        let refresh = answered?;
        let access = self.access_for(&account, login, now)?;
        Some((200, self.grant(&access, refresh.as_deref(), login, now)))
    }

    fn grant(&self, access: &str, refresh: Option<&str>, login: Login, now: Timestamp) -> Value {
        let life = self.life(login).as_secs();
        let mut body = json!({
            "access_token": access,
            "token_type": if login == Login::Password { "bearer" } else { "Bearer" },
            "expires_in": life,
        });
        if let Some(refresh) = refresh {
            body["refresh_token"] = refresh.into();
        }
        match login {
            Login::Password => body["created_at"] = now.as_second().into(),
            Login::Owner | Login::Fleet => body["id_token"] = "simulated".into(),
        }
        body
    }

    fn life(&self, login: Login) -> Duration {
        match login {
            Login::Password => self.options.password_access_life,
            Login::Owner | Login::Fleet => self.options.access_life,
        }
    }

    /// A sign-in: a new family, (refresh token, access token).
    pub(super) fn issue(
        &mut self,
        account: &str,
        login: Login,
        now: Timestamp,
    ) -> (String, String) {
        self.join(TeslaAccount::new(account));
        let noise = self.noise();
        let mut refresh = String::new();
        if let Some(member) = self.members.get_mut(account) {
            refresh = tokens::refresh_token(login, &member.account.region, noise);
            member
                .families
                .entry(login)
                .or_default()
                .begin(refresh.clone());
        }
        let access = self.access_for(account, login, now).unwrap_or_default();
        (refresh, access)
    }

    fn access_for(&mut self, account: &str, login: Login, now: Timestamp) -> Option<String> {
        let noise = self.noise();
        let ends = now + self.life(login);
        let member = self.members.get_mut(account)?;
        member.n_access += 1;
        let claims = Claims {
            account,
            login,
            region: &member.account.region,
            scopes: &member.account.scopes,
            issued: now,
            ends,
        };
        let token = tokens::access_token(&claims, noise);
        let access = Access {
            account: account.to_owned(),
            login,
            generation: member.n_access,
            ends,
        };
        self.access.add(token.clone(), access);
        Some(token)
    }

    fn noise(&mut self) -> u64 {
        self.noise = mix(self.noise);
        self.noise
    }
}
