//! `[[accounts]]`: whom the cars belong to, and how to sign in.

use std::collections::BTreeSet;

use crate::config::reader::SettingsReader;
use crate::config::settings::{AccountSettings, Api, Region};
use crate::config::texts::{base_url, not_empty};

pub(super) fn accounts(reader: &mut SettingsReader<'_>) -> Vec<AccountSettings> {
    let indices =
        (0..).take_while(|n| reader.layers.tables.contains_key(&format!("accounts[{n}]")));
    let n_accounts = indices.count();
    reader.refuse_accounts_beyond(n_accounts);
    if n_accounts == 0 {
        reader.missing_accounts();
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    (0..n_accounts)
        .filter_map(|index| account(reader, &format!("accounts[{index}]"), &mut seen))
        .collect()
}

fn account(
    reader: &mut SettingsReader<'_>,
    at: &str,
    seen: &mut BTreeSet<String>,
) -> Option<AccountSettings> {
    let key = |name: &str| format!("{at}.{name}");
    let name = reader.text(&key("name"), account_name);
    if !reader.is_given(&key("name")) {
        reader.missing(&key("name"), "");
    }
    let apis = [
        ("fleet", Api::Fleet),
        ("owner", Api::Owner),
        ("password", Api::Password),
    ];
    let api = reader.choice(&key("api"), &apis);
    if !reader.is_given(&key("api")) {
        reader.missing(&key("api"), "");
    }
    if let Some(name) = &name
        && !seen.insert(name.to_ascii_lowercase())
    {
        reader.refuse(
            &key("name"),
            "another account has this name: expected each name once",
        );
    }
    let credential = |what: &str| {
        let name = name.as_ref()?;
        Some(format!("accounts.{name}.{what}"))
    };
    let mut secret = |what: &str| reader.secret(&key(what), credential(what).as_deref());
    let refresh_token = secret("refresh_token");
    let client_secret = secret("client_secret");
    let password = secret("password");
    let client_id = reader.text(&key("client_id"), not_empty);
    let email = reader.text(&key("email"), |text| match text.split_once('@') {
        Some((user, host)) if !user.is_empty() && !host.is_empty() => Ok(text.to_owned()),
        _ => Err(String::new()),
    });
    let regions = [("na", Region::Na), ("eu", Region::Eu), ("cn", Region::Cn)];
    let region = reader.choice(&key("region"), &regions);
    let api_url = reader.text(&key("api_url"), base_url);
    let auth_url = reader.text(&key("auth_url"), base_url);
    let (ca_file, ca_fingerprint) = reader.certificates(&key("ca_file")).unzip();

    let has = |reader: &SettingsReader<'_>, name: &str| {
        reader.is_given(&key(name)) || reader.is_sourced(&key(name))
    };
    match api {
        Some(Api::Fleet) if !has(reader, "client_id") => {
            reader.missing(&key("client_id"), "the Fleet API needs it: ");
        }
        Some(Api::Password) if !has(reader, "refresh_token") => {
            let why = "the password login needs it: ";
            if !has(reader, "email") {
                reader.missing(&key("email"), why);
            }
            if !has(reader, "password") {
                let credential = credential("password");
                reader.missing_secret(&key("password"), credential.as_deref(), why);
            }
        }
        Some(Api::Owner | Api::Fleet) => {
            for name in ["email", "password"] {
                if has(reader, name) {
                    reader.warn(
                        &key(name),
                        "has no effect: only api = \"password\" signs in with it",
                    );
                }
            }
        }
        _ => {}
    }
    Some(AccountSettings {
        name: name?,
        api: api?,
        refresh_token,
        client_id,
        client_secret,
        email,
        password,
        region,
        api_url,
        auth_url,
        ca_file,
        ca_fingerprint,
    })
}

/// Names files, credentials and topics, hence the narrow choice of letters.
fn account_name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=32).contains(&text.len()) && text.chars().all(legal) {
        Ok(text.to_owned())
    } else {
        Err(String::new())
    }
}
