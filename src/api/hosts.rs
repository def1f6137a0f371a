//! Where each generation and region of Tesla's cloud lives (tesla-api.md, section 0, "Hosts").
//!
//! Every host can be overridden by `api_url` and `auth_url`; a server's hint to go elsewhere
//! (421, `users/region`) is followed only to a host of this table, because it takes the access
//! token along.

use url::Url;

use crate::config::{self, Api, Region};

/// Tesla's hosts, or a test's stand-ins.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Fleet API: North America and Asia-Pacific; Europe, Middle East and Africa; China.
    pub fleet: [(Region, Url); 3],
    /// Fleet token host, and the one for China.
    pub fleet_auth: [Url; 2],
    /// Owner API, and the one for China.
    pub owner: [Url; 2],
    /// Single sign-on of the Owner API, and the one for China.
    pub sso: [Url; 2],
}

impl Hosts {
    /// The real ones.
    pub fn tesla() -> Self {
        let url =
            |text| Url::parse(text).unwrap_or_else(|_| unreachable!("a literal of this table"));
        Self {
            fleet: [
                (
                    Region::Na,
                    url("https://fleet-api.prd.na.vn.cloud.tesla.com"),
                ),
                (
                    Region::Eu,
                    url("https://fleet-api.prd.eu.vn.cloud.tesla.com"),
                ),
                (
                    Region::Cn,
                    url("https://fleet-api.prd.cn.vn.cloud.tesla.cn"),
                ),
            ],
            fleet_auth: [
                url("https://fleet-auth.prd.vn.cloud.tesla.com"),
                url("https://auth.tesla.cn"),
            ],
            owner: [
                url("https://owner-api.teslamotors.com"),
                url("https://owner-api.vn.cloud.tesla.cn"),
            ],
            sso: [url("https://auth.tesla.com"), url("https://auth.tesla.cn")],
        }
    }

    /// The Fleet API of a region.
    pub fn fleet(&self, region: Region) -> &Url {
        let found = self.fleet.iter().find(|(known, _)| *known == region);
        &found.unwrap_or(&self.fleet[0]).1
    }

    /// The region whose Fleet API has the same scheme, host and port as `url`.
    pub fn region_of(&self, url: &Url) -> Option<Region> {
        let known = self
            .fleet
            .iter()
            .find(|(_, base)| base.origin() == url.origin());
        known.map(|(region, _)| *region)
    }

    /// Base URL for the calls of an account whose region is known, guessed, or neither.
    pub fn api(&self, settings: &config::AccountSettings, region: Option<Region>) -> Url {
        if let Some(url) = &settings.api_url {
            return url.clone();
        }
        match settings.api {
            Api::Fleet => self.fleet(region.unwrap_or(Region::Na)).clone(),
            Api::Owner | Api::Password => self.owner[china(region)].clone(),
        }
    }

    /// The URL that gives tokens.
    pub fn token(&self, settings: &config::AccountSettings, region: Option<Region>) -> Url {
        match settings.api {
            Api::Fleet => {
                let base = settings
                    .auth_url
                    .as_ref()
                    .unwrap_or(&self.fleet_auth[china(region)]);
                token_path(base)
            }
            Api::Owner => {
                let base = settings
                    .auth_url
                    .as_ref()
                    .unwrap_or(&self.sso[china(region)]);
                token_path(base)
            }
            Api::Password => {
                let base = settings
                    .auth_url
                    .clone()
                    .unwrap_or_else(|| self.api(settings, region));
                joined(&base, "/oauth/token")
            }
        }
    }
}

/// `base` plus an absolute path, keeping a path that the base brings along (a proxy's prefix).
pub(crate) fn joined(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let whole = format!("{}{path}", base.path().trim_end_matches('/'));
    url.set_path(&whole);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// People paste the issuer (`…/oauth2/v3`) or the whole token URL as often as the bare host.
fn token_path(base: &Url) -> Url {
    let path = base.path().trim_end_matches('/');
    if path.ends_with("/token") {
        base.clone()
    } else if path.ends_with("/oauth2/v3") {
        joined(base, "/token")
    } else {
        joined(base, "/oauth2/v3/token")
    }
}

fn china(region: Option<Region>) -> usize {
    usize::from(region == Some(Region::Cn))
}

/// The base URL in a 421 body: `user out of region, use base URL: https://…, see https://…`.
pub(crate) fn base_url_in(text: &str) -> Option<Url> {
    let at = text.find("base URL")?;
    let rest = &text[at..];
    let start = rest.find("http")?;
    let end = rest[start..]
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | '"' | '\'' | '<' | '>' | ')' | '\\'))
        .map_or(rest.len(), |n| start + n);
    Url::parse(rest[start..end].trim_end_matches('.')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn only_tesla_s_own_regional_hosts_are_known() {
        let hosts = Hosts::tesla();
        let check = |text: &str, expected: Option<Region>| {
            assert_eq!(hosts.region_of(&url(text)), expected, "{text}");
        };
        check(
            "https://fleet-api.prd.eu.vn.cloud.tesla.com",
            Some(Region::Eu),
        );
        check(
            "https://fleet-api.prd.na.vn.cloud.tesla.com/",
            Some(Region::Na),
        );
        check(
            "https://fleet-api.prd.cn.vn.cloud.tesla.cn/x",
            Some(Region::Cn),
        );
        check("http://fleet-api.prd.eu.vn.cloud.tesla.com", None);
        check("https://fleet-api.prd.eu.vn.cloud.tesla.com:444", None);
        check(
            "https://fleet-api.prd.eu.vn.cloud.tesla.com.evil.example",
            None,
        );
        check(
            "https://evil.example/fleet-api.prd.eu.vn.cloud.tesla.com",
            None,
        );
        check(
            "https://fleet-api.prd.eu.vn.cloud.tesla.com@evil.example",
            None,
        );
        check("https://tesla.com", None);
    }

    #[test]
    fn the_base_url_is_found_in_the_text_of_a_421() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                base_url_in(text).map(String::from).as_deref(),
                expected,
                "{text}"
            );
        };
        let eu = Some("https://fleet-api.prd.eu.vn.cloud.tesla.com/");
        check(
            "user out of region, use base URL: https://fleet-api.prd.eu.vn.cloud.tesla.com, see https://developer.tesla.com/docs",
            eu,
        );
        check(
            "use base URL: https://fleet-api.prd.eu.vn.cloud.tesla.com",
            eu,
        );
        check(
            "use base URL: https://fleet-api.prd.eu.vn.cloud.tesla.com. Bye",
            eu,
        );
        check(
            r#"{"error":"use base URL: https://fleet-api.prd.eu.vn.cloud.tesla.com"}"#,
            eu,
        );
        check("see https://developer.tesla.com", None);
        check("use base URL: nowhere", None);
        check("base URL: http", None);
        check("", None);
    }

    #[test]
    fn the_token_url_is_found_from_whatever_base_people_paste() {
        let check =
            |base: &str, expected: &str| assert_eq!(token_path(&url(base)).as_str(), expected);
        check("http://h:1", "http://h:1/oauth2/v3/token");
        check("http://h:1/", "http://h:1/oauth2/v3/token");
        check("http://h/tesla/", "http://h/tesla/oauth2/v3/token");
        check("http://h/oauth2/v3", "http://h/oauth2/v3/token");
        check("http://h/oauth2/v3/token", "http://h/oauth2/v3/token");
        check("http://h/x?y#z", "http://h/x/oauth2/v3/token");
    }
}
