use pretty_assertions::assert_eq;
use secrecy::ExposeSecret;

use super::*;

pub(crate) fn settings(api: Api) -> config::AccountSettings {
    config::AccountSettings {
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

fn stored(refresh: &str, previous: &str, configured_token: &str) -> StoredLogin {
    let secret = |text: &str| (!text.is_empty()).then(|| SecretString::from(text));
    StoredLogin {
        refresh_token: secret(refresh),
        previous_refresh_token: secret(previous),
        configured_token: secret(configured_token),
        issued_at: Some(at(0)),
        ..StoredLogin::default()
    }
}

/// So many hours after the stored tokens arrived.
fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + hours * 3600).unwrap()
}

#[test]
fn the_tokens_are_offered_best_first_and_each_once() {
    let check = |stored: &StoredLogin, expected: &[&str]| {
        let offered = candidates(stored, &settings(Api::Fleet), at(1));
        let offered: Vec<&str> = offered.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(offered, expected);
    };
    // Never signed in: the configuration's.
    check(&StoredLogin::default(), &["configured"]);
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
    let stored = stored("r2", "r1", "older");
    assert_eq!(candidates(&stored, &without, at(1)).len(), 2);
}

/// They were offered for ever: one that old may end the login of its successors.
#[test]
fn a_token_that_was_spent_longer_ago_than_the_grace_is_not_offered() {
    let check = |stored: &StoredLogin, hours: i64, expected: &[&str]| {
        let offered = candidates(stored, &settings(Api::Fleet), at(hours));
        let offered: Vec<&str> = offered.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(offered, expected, "after {hours} h");
    };
    let mut kept = stored("r2", "r1", "configured");
    kept.configured_token_spent_at = Some(at(-20));
    check(&kept, 3, &["r2", "r1", "configured"]);
    check(&kept, 5, &["r2", "r1"]);
    check(&kept, 25, &["r2"]);
    check(&kept, -30, &["r2", "configured"]);
    // It was never spent: `tesla2mqtt login` stored another login over it.
    kept.configured_token_spent_at = None;
    check(&kept, 25, &["r2", "configured"]);
    kept.issued_at = None;
    check(&kept, 0, &["r2", "configured"]);
}

/// A pasted token that was refused in other words shut out the stored login, and a 2019 account
/// never got to its password.
#[test]
fn what_comes_next_is_offered_after_a_no_and_not_after_a_fault() {
    let check = |kind: ApiFailure, status: u16, expected: [bool; 3]| {
        let error = ApiError {
            status: Some(status),
            ..ApiError::new(kind, "")
        };
        let seen = [
            moves_on(&error, true, Api::Fleet),
            moves_on(&error, false, Api::Fleet),
            moves_on(&error, false, Api::Password),
        ];
        assert_eq!(seen, expected, "{error:?}");
    };
    check(ApiFailure::SignedOut, 401, [true, true, true]);
    check(ApiFailure::Unexplained, 401, [true, false, true]);
    check(ApiFailure::BadRequest, 400, [true, false, true]);
    check(ApiFailure::ClientUnknown, 400, [true, false, true]);
    check(ApiFailure::AppRefused, 403, [true, false, true]);
    check(ApiFailure::EndpointGone, 404, [false, false, true]);
    check(ApiFailure::BadRequest, 422, [false, false, true]);
    check(ApiFailure::Firewall, 403, [false, false, false]);
    check(ApiFailure::Garbled, 400, [false, false, false]);
    check(ApiFailure::Server, 408, [false, false, false]);
    check(ApiFailure::Limited, 429, [false; 3]);
    check(ApiFailure::Server, 503, [false; 3]);
    assert!(!moves_on(
        &ApiError::new(ApiFailure::TimedOut, ""),
        true,
        Api::Password
    ));
}

#[test]
fn tokens_of_another_generation_or_person_are_not_used() {
    let mut account = settings(Api::Password);
    account.email = Some("a@example.com".into());
    let kept = |api: Option<&str>, email: Option<&str>| StoredLogin {
        api: api.map(str::to_owned),
        email: email.map(str::to_owned),
        ..StoredLogin::default()
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
fn a_stored_access_token_lives_as_long_as_it_was_given() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let kept = StoredLogin {
        access_token: Some(SecretString::from("a")),
        issued_at: Some(at(1000)),
        access_expires_at: Some(at(29_800)),
        ..StoredLogin::default()
    };
    let left = |now| life_left(&kept, at(now)).map(|left| left.as_secs());
    assert_eq!(left(1000), Some(28_800));
    assert_eq!(left(20_000), Some(9_800));
    assert_eq!(left(29_800), None);
    assert_eq!(left(29_799), None);
    // A clock that booted in 1970 does not stretch it.
    assert_eq!(left(0), Some(28_800));
    assert_eq!(life_left(&StoredLogin::default(), at(0)), None);
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

/// It was kept for the pasted token alone: an account that moved waited for a host that it had left.
#[test]
fn a_wait_that_a_token_host_asked_for_is_not_another_logins() {
    let before = settings(Api::Fleet);
    let wait = Wait {
        until: at(1),
        configured_token: before.refresh_token.clone(),
        asker: Some(asker(&before)),
    };
    let waits = |change: fn(&mut config::AccountSettings)| {
        let mut today = settings(Api::Fleet);
        change(&mut today);
        wait_left(&wait, &today, at(0)).is_some()
    };
    assert!(waits(|_| {}));
    assert!(waits(|a| a.client_secret = Some(SecretString::from("new"))));
    assert!(!waits(|a| a.refresh_token = Some(SecretString::from("new"))));
    assert!(!waits(|a| a.api = Api::Owner));
    assert!(!waits(|a| a.client_id = Some("another".into())));
    assert!(!waits(|a| a.email = Some("another@example.org".into())));
    assert!(!waits(
        |a| a.auth_url = Url::parse("https://auth.example").ok()
    ));
    let of_an_earlier_version = Wait {
        asker: None,
        ..wait.clone()
    };
    assert!(wait_left(&of_an_earlier_version, &before, at(0)).is_some());
}
