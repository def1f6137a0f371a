use std::collections::BTreeMap;

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> HttpReply {
    let headers = headers
        .iter()
        .map(|(k, v)| (k.to_ascii_lowercase(), (*v).to_owned()))
        .collect();
    HttpReply {
        status,
        headers,
        body: body.as_bytes().to_vec(),
    }
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a row a recording")]
fn every_recorded_error_means_what_the_table_says() {
    let expected = BTreeMap::from([
        (
            "vehicle-unavailable-old",
            (ApiFailure::Unavailable, Failure::Unavailable),
        ),
        (
            "vehicle-unavailable-new",
            (ApiFailure::Unavailable, Failure::Unavailable),
        ),
        (
            "list-moved-to-fleet",
            (ApiFailure::EndpointGone, Failure::Region),
        ),
        (
            "owner-token-rejected",
            (ApiFailure::ClientRefused, Failure::Refused),
        ),
        (
            "billing-limit",
            (ApiFailure::BillingLimit, Failure::BillingLimit),
        ),
        (
            "missing-scopes",
            (ApiFailure::MissingScope, Failure::MissingScope),
        ),
        (
            "token-expired",
            (ApiFailure::TokenRejected, Failure::Doubted),
        ),
        (
            "token-invalid",
            (ApiFailure::TokenRejected, Failure::Doubted),
        ),
        (
            "mobile-access-disabled",
            (ApiFailure::MobileAccessDisabled, Failure::Refused),
        ),
        ("not-found", (ApiFailure::NotFound, Failure::NotFound)),
        ("in-service", (ApiFailure::InService, Failure::InService)),
        ("unregistered", (ApiFailure::NotRegistered, Failure::Region)),
        ("wrong-region", (ApiFailure::WrongRegion, Failure::Region)),
        (
            "rate-limited",
            (
                ApiFailure::Limited,
                Failure::Limited {
                    retry_after: Some(seconds(37829)),
                },
            ),
        ),
        (
            "invalid-endpoint",
            (ApiFailure::EndpointGone, Failure::Region),
        ),
        (
            "invalid-command-proxy",
            (ApiFailure::BadRequest, Failure::Refused),
        ),
        (
            "signed-unsupported",
            (ApiFailure::BadRequest, Failure::Refused),
        ),
        ("upstream-timeout", (ApiFailure::Server, Failure::Server)),
        ("operation-timedout", (ApiFailure::Server, Failure::Server)),
        ("non-json-5xx", (ApiFailure::Server, Failure::Server)),
        (
            "auth-refresh-reused",
            (ApiFailure::SignedOut, Failure::SignedOut),
        ),
        (
            "auth-bad-grant",
            (ApiFailure::SignedOut, Failure::SignedOut),
        ),
        (
            "auth-password-grant-gone",
            (ApiFailure::LoginRetired, Failure::SignedOut),
        ),
        (
            "auth-unauthorized-client",
            (ApiFailure::ClientUnknown, Failure::SignedOut),
        ),
        ("auth-waf", (ApiFailure::Firewall, Failure::Refused)),
    ]);
    let path = tesla2mqtt_testkit::ci::fixtures().join("tesla-api/errors.json");
    let Ok(text) = std::fs::read(&path) else {
        tesla2mqtt_testkit::ci::skip(&format!("no recordings at {}", path.display()));
        return;
    };
    let cases: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let mut seen = BTreeMap::new();
    for case in &cases {
        let body = match &case["body"] {
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        let headers: Vec<(&str, &str)> = case["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.as_str(), v.as_str().unwrap()))
            .collect();
        let reply = reply(
            u16::try_from(case["status"].as_u64().unwrap()).unwrap(),
            &headers,
            &body,
        );
        let is_login = case["api"].as_str().unwrap().contains("auth")
            || case["call"].as_str().unwrap().contains("token");
        let error = if is_login {
            ApiError::of_login(&reply, false, now())
        } else {
            ApiError::of_call(&reply, now())
        };
        assert_eq!(error.status, Some(reply.status));
        let failure = error.failure();
        seen.insert(case["case"].as_str().unwrap(), (error.kind, failure));
    }
    assert_eq!(seen, expected);
}

#[test]
fn calls_that_no_recording_shows() {
    let check = |status: u16, body: &str, expected: ApiFailure| {
        let error = ApiError::of_call(&reply(status, &[], body), now());
        assert_eq!(error.kind, expected, "{status} {body}");
        assert!(!error.sentence().is_empty());
    };
    check(401, "", ApiFailure::TokenRejected);
    check(401, "<html>", ApiFailure::TokenRejected);
    check(
        402,
        r#"{"error":"subscription_required"}"#,
        ApiFailure::PaymentRequired,
    );
    check(403, "", ApiFailure::AppRefused);
    check(403, "<!DOCTYPE html><html>", ApiFailure::Firewall);
    check(
        403,
        r#"{"error":"unsupported vehicle"}"#,
        ApiFailure::UnsupportedVehicle,
    );
    check(
        403,
        r#"{"error":"invalid_scope"}"#,
        ApiFailure::MissingScope,
    );
    check(
        403,
        r#"{"messages":["account disabled: exceeded_limit"]}"#,
        ApiFailure::BillingLimit,
    );
    check(
        406,
        r#"{"error":"not_a_JSON_request"}"#,
        ApiFailure::BadRequest,
    );
    check(410, "", ApiFailure::NotFound);
    check(412, "", ApiFailure::EndpointGone);
    check(418, "", ApiFailure::AppRefused);
    check(421, "<html>", ApiFailure::WrongRegion);
    check(421, "use base URL: nonsense", ApiFailure::WrongRegion);
    let moved_to = |body: &str| ApiError::of_call(&reply(421, &[], body), now()).moved_to;
    assert_eq!(moved_to("use base URL: nonsense"), None);
    let eu = "https://fleet-api.prd.eu.vn.cloud.tesla.com";
    let told = moved_to(&format!("user out of region, use base URL: {eu}, see"));
    assert_eq!(told, Url::parse(eu).ok().map(Box::new));
    check(423, "", ApiFailure::Locked);
    check(424, "", ApiFailure::Server);
    check(429, "", ApiFailure::Limited);
    check(429, "Retry in 5 seconds", ApiFailure::Limited);
    let asked = |reply: &HttpReply| ApiError::of_call(reply, now()).retry_after;
    assert_eq!(
        asked(&reply(429, &[], "Retry in 5 seconds")),
        Some(seconds(5))
    );
    check(451, "", ApiFailure::Privacy);
    check(499, "", ApiFailure::Server);
    check(502, "<html>", ApiFailure::Server);
    check(302, "", ApiFailure::Redirected);
    check(400, "<html>", ApiFailure::Garbled);
    check(
        400,
        r#"{"error":"invalid_request"}"#,
        ApiFailure::BadRequest,
    );
    let dated = reply(429, &[("Retry-After", "Fri, 02 Jan 2026 03:05:05 GMT")], "");
    assert_eq!(asked(&dated), Some(seconds(60)));
}

#[test]
fn quirk_28_an_unavailable_car_is_told_by_the_status_and_not_by_the_words() {
    for body in [
        "",
        "<html>",
        r#"{"response":null,"error":"vehicle unavailable: {:error=>\"vehicle unavailable:\"}"}"#,
        r#"{"error":"vehicle is offline or asleep"}"#,
        r#"{"error":"vehicle is currently in service"}"#,
    ] {
        let error = ApiError::of_call(&reply(408, &[], body), now());
        assert_eq!(error.kind, ApiFailure::Unavailable, "{body}");
        assert_eq!(error.failure(), Failure::Unavailable, "{body}");
    }
    let error = ApiError::of_call(&reply(500, &[], "vehicle unavailable"), now());
    assert_eq!(error.kind, ApiFailure::Server);
}

#[test]
fn quirk_29_a_wait_of_days_is_heard_and_the_billing_limit_has_none() {
    // Believed for a day: then it is asked again.
    let limited = reply(429, &[("Retry-After", "146092")], "");
    let day = Some(seconds(86_400));
    let error = ApiError::of_call(&limited, now());
    assert_eq!(error.kind, ApiFailure::Limited);
    assert_eq!(error.retry_after, day);
    assert_eq!(error.failure(), Failure::Limited { retry_after: day });
    let body = r#"{"error":"account disabled: EXCEEDED_LIMIT"}"#;
    let error = ApiError::of_call(&reply(403, &[], body), now());
    assert_eq!(error.failure(), Failure::BillingLimit);
    assert_eq!(error.retry_after, None);
}

#[test]
fn logins_that_no_recording_shows() {
    let check = |status: u16, body: &str, password: bool, expected: ApiFailure| {
        let error = ApiError::of_login(&reply(status, &[], body), password, now());
        assert_eq!(error.kind, expected, "{status} {body}");
    };
    check(
        400,
        r#"{"error":"invalid_grant"}"#,
        false,
        ApiFailure::SignedOut,
    );
    check(
        401,
        r#"{"error":"invalid_grant"}"#,
        true,
        ApiFailure::WrongPassword,
    );
    check(
        400,
        r#"{"error":"invalid_grant"}"#,
        true,
        ApiFailure::WrongPassword,
    );
    check(401, "", true, ApiFailure::WrongPassword);
    check(
        401,
        r#"{"error":"invalid_client"}"#,
        true,
        ApiFailure::ClientUnknown,
    );
    check(
        400,
        r#"{"error":"server_error"}"#,
        false,
        ApiFailure::Server,
    );
    check(
        400,
        r#"{"error":"invalid_request"}"#,
        false,
        ApiFailure::BadRequest,
    );
    check(
        400,
        r#"{"response":"endpoint_deprecated:_please_update_your_app."}"#,
        true,
        ApiFailure::LoginRetired,
    );
    check(401, "<html>", false, ApiFailure::Firewall);
    check(
        403,
        r#"{"error":"forbidden, see https://developer.tesla.com/docs/fleet-api"}"#,
        false,
        ApiFailure::ClientRefused,
    );
    check(404, "", false, ApiFailure::EndpointGone);
    check(429, "Retry in 9 seconds", false, ApiFailure::Limited);
    check(503, "<html>", false, ApiFailure::Server);
    check(301, "", false, ApiFailure::Redirected);
}

/// Every 401 of a token host was taken for the end of the login: a fault of a minute ended it for
/// ever.
#[test]
fn only_a_401_in_words_that_say_so_ends_a_login() {
    let check = |body: &str, expected: ApiFailure| {
        let error = ApiError::of_login(&reply(401, &[], body), false, now());
        assert_eq!(error.kind, expected, "{body}");
    };
    for words in [
        r#"{"error":"login_required"}"#,
        r#"{"error":"login_failed"}"#,
        r#"{"error":"password_changed"}"#,
        r#"{"error":"access_denied","error_description":"User revoked consent"}"#,
        r#"{"error":"invalid_grant"}"#,
    ] {
        check(words, ApiFailure::SignedOut);
    }
    for words in [
        "",
        "{}",
        "unauthorized",
        r#"{"message":"Unauthorized"}"#,
        r#"{"error":"token_expired"}"#,
    ] {
        check(words, ApiFailure::Unexplained);
    }
    check(r#"{"error":"invalid_client"}"#, ApiFailure::ClientUnknown);
}

#[test]
fn only_what_the_owner_alone_can_cure_ends_the_login() {
    let check = |kind: ApiFailure, expected: bool| {
        assert_eq!(ApiError::new(kind, "").ends_login(), expected, "{kind:?}");
    };
    for kind in [
        ApiFailure::SignedOut,
        ApiFailure::NeverSignedIn,
        ApiFailure::LoginRetired,
        ApiFailure::WrongPassword,
        ApiFailure::ClientUnknown,
    ] {
        check(kind, true);
    }
    for kind in [
        ApiFailure::Unreachable,
        ApiFailure::TimedOut,
        ApiFailure::Garbled,
        ApiFailure::Server,
        ApiFailure::Firewall,
        ApiFailure::BadRequest,
        ApiFailure::Unexplained,
        ApiFailure::ClientRefused,
        ApiFailure::Locked,
        ApiFailure::Store,
        ApiFailure::TokenRejected,
    ] {
        check(kind, false);
    }
}

#[test]
fn the_sentence_says_what_to_do() {
    let check = |kind: ApiFailure, words: &str| {
        let sentence = ApiError::new(kind, "").sentence();
        assert!(sentence.contains(words), "{sentence}");
    };
    check(ApiFailure::LoginRetired, "this login no longer exists");
    check(ApiFailure::LoginRetired, "fleet");
    check(ApiFailure::SignedOut, "sign in again");
    check(ApiFailure::WrongPassword, "wrong e-mail or password");
    check(ApiFailure::BillingLimit, "raise it");
    check(ApiFailure::NotRegistered, "register");
}

#[test]
fn nothing_secret_is_repeated_from_a_body() {
    let check = |said: &str, expected: &str| assert_eq!(presentable(said), expected);
    check("token expired (401)", "token expired (401)");
    check(
        "endpoint_deprecated:_please_update_your_app.",
        "endpoint_deprecated:_please_update_your_app.",
    );
    check(
        "bad token EU_0123456789abcdef0123456789abcdef!",
        "bad token …!",
    );
    check("bad eyJhbGciOiJSUzI1NiJ9.eyJzdWIi.c2ln", "bad …");
    check("car \"5YJ3E1EA7KF000001\" is gone", "car \"…\" is gone");
    check("user someone@example.com", "user …");
    check("two\nlines\u{7}", "two lines");
    assert!(presentable(&"a ".repeat(5000)).len() <= 200);
}

proptest! {
    #[test]
    fn any_answer_is_classified_and_its_text_is_one_short_line(
        status in any::<u16>(), header in ".{0,40}", body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let reply = HttpReply { status, headers: vec![("retry-after".into(), header)], body };
        for error in [ApiError::of_call(&reply, now()), ApiError::of_login(&reply, true, now())] {
            let text = error.to_string();
            prop_assert!(text.chars().count() < 500);
            prop_assert!(!text.contains(['\n', '\r', '\0']), "{:?}", text);
            if let Failure::Limited { retry_after: Some(wait) } = error.failure() {
                prop_assert!(wait <= Duration::from_hours(24));
            }
        }
    }
}
