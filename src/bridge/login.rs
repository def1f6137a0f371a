//! Whether a login is still the one that a wait was imposed on: what Tesla refused to another, or
//! wanted of it, says nothing of today's.

use url::Url;

use crate::config;

/// Stands for the account as the owner configured it: its name, its generation of the API, its
/// hosts, its client and its person. A token that is pasted anew leaves it as it is.
pub(super) fn fingerprint(account: &config::AccountSettings) -> u64 {
    let config::AccountSettings {
        name,
        api,
        region,
        client_id,
        email,
        ..
    } = account;
    let [api_url, auth_url] =
        [&account.api_url, &account.auth_url].map(|url| url.as_ref().map(Url::as_str));
    let text = format!(
        "{:?}",
        (name, api, region, api_url, auth_url, client_id, email)
    );
    // FNV-1a: it is kept on the disk, and another compiler must find the same.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::config::{AccountSettings, Api, Region};

    pub(crate) fn account() -> AccountSettings {
        AccountSettings {
            name: "home".to_owned(),
            api: Api::Owner,
            refresh_token: None,
            client_id: None,
            client_secret: None,
            email: None,
            password: None,
            region: None,
            api_url: None,
            auth_url: None,
            ca_file: None,
            ca_fingerprint: None,
        }
    }

    #[test]
    fn another_api_host_client_or_person_is_another_login_and_another_token_is_not() {
        let changed = |change: fn(&mut AccountSettings)| {
            let mut account = account();
            change(&mut account);
            fingerprint(&account) != fingerprint(&self::account())
        };
        let url = || Url::parse("https://tesla.example").ok();
        assert!(!changed(|_| {}));
        assert!(!changed(
            |a| a.refresh_token = Some(SecretString::from("another"))
        ));
        assert!(changed(|a| a.name.push('2')));
        assert!(changed(|a| a.api = Api::Fleet));
        assert!(changed(|a| a.region = Some(Region::Eu)));
        assert!(changed(|a| a.client_id = Some("client".to_owned())));
        assert!(changed(|a| a.email = Some("client".to_owned())));
        let mut hosts = [account(), account()];
        (hosts[0].api_url, hosts[1].auth_url) = (url(), url());
        let [api, auth] = hosts.map(|account| fingerprint(&account));
        assert!(api != auth && api != fingerprint(&account()));
    }

    #[test]
    fn the_fingerprint_is_the_same_in_every_build() {
        assert_eq!(fingerprint(&account()), 0x282f_e921_5e57_deb6);
    }
}
