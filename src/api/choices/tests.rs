use pretty_assertions::assert_eq;
use secrecy::ExposeSecret;

use super::*;

pub fn settings(api: Api) -> config::Account {
    config::Account {
        name: "home".into(),
        api,
        refresh_token: Some(SecretString::from("configured")),
        client_id: Some("client".into()),
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

fn stored(refresh: &str, previous: &str, seed: &str) -> Stored {
    let secret = |text: &str| (!text.is_empty()).then(|| SecretString::from(text));
    Stored {
        refresh_token: secret(refresh),
        previous_refresh_token: secret(previous),
        seed: secret(seed),
        ..Stored::default()
    }
}

#[test]
fn the_tokens_are_offered_best_first_and_each_once() {
    let check = |stored: &Stored, expected: &[&str]| {
        let offered = candidates(stored, &settings(Api::Fleet));
        let offered: Vec<&str> = offered.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(offered, expected);
    };
    // Never signed in: the configuration's.
    check(&Stored::default(), &["configured"]);
    // The store began with it: the store's are newer.
    check(
        &stored("r2", "r1", "configured"),
        &["r2", "r1", "configured"],
    );
    check(
        &stored("r2", "configured", "configured"),
        &["r2", "configured"],
    );
    check(&stored("configured", "", "configured"), &["configured"]);
    // Pasted since: first.
    check(&stored("r2", "r1", "older"), &["configured", "r2", "r1"]);
    check(&stored("r2", "", ""), &["configured", "r2"]);
    // The configuration holds what the store knows anyway.
    check(&stored("r2", "configured", "older"), &["r2", "configured"]);
    let mut without = settings(Api::Fleet);
    without.refresh_token = None;
    assert_eq!(candidates(&stored("r2", "r1", "older"), &without).len(), 2);
}

#[test]
fn tokens_of_another_generation_or_person_are_not_used() {
    let mut account = settings(Api::Password);
    account.email = Some("a@example.com".into());
    let kept = |api: Option<&str>, email: Option<&str>| Stored {
        api: api.map(str::to_owned),
        email: email.map(str::to_owned),
        ..Stored::default()
    };
    assert!(belongs(&kept(None, None), &account));
    assert!(belongs(
        &kept(Some("password"), Some("a@example.com")),
        &account
    ));
    assert!(!belongs(
        &kept(Some("password"), Some("b@example.com")),
        &account
    ));
    assert!(!belongs(&kept(Some("owner"), None), &account));
}

#[test]
fn waits_double_to_a_limit_and_are_spread() {
    let secs = |kind: &Kind, n: u32, has_token: bool| retry_wait(kind, n, has_token, 0.5).as_secs();
    let row = |kind: &Kind, has_token| [0, 1, 2, 10, 1000].map(|n| secs(kind, n, has_token));
    assert_eq!(row(&Kind::Unreachable, false), [5, 10, 20, 300, 300]);
    assert_eq!(row(&Kind::Server, false), [10, 20, 40, 900, 900]);
    assert_eq!(row(&Kind::Unreachable, true), [300, 600, 1200, 1800, 1800]);
    assert_eq!(
        row(&Kind::Firewall, false),
        [900, 1800, 3600, 14_400, 14_400]
    );
    assert_eq!(
        row(&Kind::ClientRefused, true),
        [900, 1800, 3600, 14_400, 14_400]
    );
    let limited = |wait: u64| Kind::Limited {
        retry_after: Some(Duration::from_secs(wait)),
    };
    assert_eq!(row(&limited(0), false), [30, 60, 120, 3600, 3600]);
    assert_eq!(row(&limited(1000), false), [1050, 1050, 1050, 3600, 3600]);
    assert_eq!(secs(&limited(86_400), 9, false), 90_720);
    let spread = [0.0, 1.0].map(|jitter| retry_wait(&Kind::Server, 0, false, jitter).as_secs());
    assert_eq!(spread, [8, 12]);
    let spread = [0.0, 1.0].map(|jitter| retry_wait(&limited(0), 0, false, jitter).as_secs());
    assert_eq!(spread, [24, 36]);
}

#[test]
fn a_stored_access_token_lives_as_long_as_it_was_given() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let kept = Stored {
        access_token: Some(SecretString::from("a")),
        issued_at: Some(at(1000)),
        access_expires_at: Some(at(29_800)),
        ..Stored::default()
    };
    let left = |now| life_left(&kept, at(now)).map(|left| left.as_secs());
    assert_eq!(left(1000), Some(28_800));
    assert_eq!(left(20_000), Some(9_800));
    assert_eq!(left(29_800), None);
    assert_eq!(left(29_799), None);
    // A clock that booted in 1970 does not stretch it.
    assert_eq!(left(0), Some(28_800));
    assert_eq!(life_left(&Stored::default(), at(0)), None);
}

#[test]
fn the_home_region_is_read_from_users_region() {
    let check = |body: &str, expected: Option<&str>| {
        assert_eq!(
            home_of(body.as_bytes(), &Hosts::tesla())
                .map(String::from)
                .as_deref(),
            expected
        );
    };
    let eu = Some("https://fleet-api.prd.eu.vn.cloud.tesla.com/");
    check(
        r#"{"response":{"region":"eu","fleet_api_base_url":"https://fleet-api.prd.eu.vn.cloud.tesla.com"}}"#,
        eu,
    );
    check(r#"{"response":{"region":"EU"}}"#, eu);
    check(r#"{"response":{"region":"mars"}}"#, None);
    check(r#"{"response":[]}"#, None);
    check("<html>", None);
}
