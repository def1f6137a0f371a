//! Signing in, in each generation, and everything that can go wrong with it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};
use tesla2mqtt::api::AccountStatus;
use tesla2mqtt::config::Api;
use tesla2mqtt::failure::ApiFailure;
use tesla2mqtt::policy::Failure;
use wiremock::matchers::{any, body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::api_rig::*;

pub const TOKEN: &str = "/oauth2/v3/token";
pub const LIGHT: &str = "/api/1/vehicles/5YJ3E1EA7KF000001";

pub async fn token_answers(server: &MockServer, answer: ResponseTemplate) {
    Mock::given(method("POST"))
        .and(path(TOKEN))
        .respond_with(answer)
        .mount(server)
        .await;
}

pub async fn light_answers(server: &MockServer) {
    Mock::given(method("GET"))
        .respond_with(light_answer("asleep"))
        .mount(server)
        .await;
}

pub fn login_required() -> ResponseTemplate {
    json_answer(
        401,
        &json!({"error": "login_required", "error_description": "Login required"}),
    )
}

pub fn form(request: &Request) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect()
}

#[tokio::test]
async fn a_fleet_refresh_is_a_form_and_its_token_is_on_disk_before_it_is_used() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    Mock::given(method("POST"))
        .and(path(TOKEN))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .respond_with(json_answer(200, &token_body("a1", "r1")))
        .expect(1)
        .mount(&server)
        .await;
    let store = rig.store();
    Mock::given(path(LIGHT))
        .and(header("authorization", "Bearer a1"))
        .respond_with(By(move |_: &Request| {
            let stored: Value = serde_json::from_slice(&std::fs::read(&store).unwrap()).unwrap();
            assert_eq!(
                (&stored["refresh_token"], &stored["access_token"]),
                (&json!("r1"), &json!("a1"))
            );
            light_answer("asleep")
        }))
        .mount(&server)
        .await;

    let called = rig.open().await.vehicle(&car()).await;
    assert_eq!(
        called.outcome.unwrap().state_word.as_deref(),
        Some("asleep")
    );
    assert_eq!(called.statuses, [200]);

    let requests = server.received_requests().await.unwrap();
    let expected = [
        ("client_id", "client"),
        ("grant_type", "refresh_token"),
        ("refresh_token", "r0-secret"),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!(form(&requests[0]), expected);
    let agent = requests[0].headers["user-agent"].to_str().unwrap();
    assert_eq!(agent, concat!("tesla2mqtt/", env!("CARGO_PKG_VERSION")));
    assert_eq!(rig.stored()["previous_refresh_token"], json!("r0-secret"));
}

#[tokio::test]
async fn an_owner_refresh_is_json_and_keeps_the_old_token_where_no_new_one_comes() {
    let server = MockServer::start().await;
    let rig = rig(Api::Owner, &server.uri());
    token_answers(
        &server,
        json_answer(200, &json!({"access_token": "a1", "expires_in": 28800})),
    )
    .await;
    light_answers(&server).await;
    let account = rig.open().await;
    account.vehicle(&car()).await.outcome.unwrap();

    let requests = server.received_requests().await.unwrap();
    let expected = json!({
        "grant_type": "refresh_token", "client_id": "ownerapi", "refresh_token": "r0-secret",
        "scope": "openid email offline_access",
    });
    assert_eq!(requests[0].body_json::<Value>().unwrap(), expected);
    assert_eq!(
        requests[1].url.path(),
        "/api/1/vehicles/1492930000000001",
        "the Owner API takes the id"
    );
    assert_eq!(rig.stored()["refresh_token"], json!("r0-secret"));
}

fn password_rig(server: &MockServer) -> ApiRig {
    let mut rig = rig(Api::Password, &server.uri());
    rig.settings.refresh_token = None;
    rig.settings.email = Some("owner@example.com".into());
    rig.settings.password = Some(SecretString::from("hunter2-secret"));
    rig
}

#[tokio::test]
async fn the_2019_login_sends_the_password_once_and_then_its_refresh_token() {
    let server = MockServer::start().await;
    let rig = password_rig(&server);
    let answer = json!({"access_token": "qts-a1", "token_type": "bearer", "expires_in": 3_888_000, "refresh_token": "r1", "created_at": 1_700_000_000});
    Mock::given(path("/oauth/token"))
        .and(body_string_contains("\"grant_type\":\"password\""))
        .respond_with(json_answer(200, &answer))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/oauth/token"))
        .and(body_string_contains("\"grant_type\":\"refresh_token\""))
        .and(body_string_contains("\"refresh_token\":\"r1\""))
        .respond_with(json_answer(200, &token_body("qts-a2", "r2")))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(header("authorization", "Bearer qts-a1"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    light_answers(&server).await;
    let called = rig.open().await.vehicle(&car()).await;
    called.outcome.unwrap();
    assert_eq!(called.statuses, [401, 200]);

    let requests = server.received_requests().await.unwrap();
    let expected = json!({
        "grant_type": "password", "email": "owner@example.com", "password": "hunter2-secret",
        "client_id": "81527cff06843c8634fdc09e8ac0abefb46ac849f38fe1e431c2ef2106796384",
        "client_secret": "c7257eb71a564034f9419ee651c7d0e5f7aa6bfbd18bafb5c5c033b093bb2fa3",
    });
    assert_eq!(requests[0].body_json::<Value>().unwrap(), expected);
    assert_eq!(rig.stored()["refresh_token"], json!("r2"));
}

#[tokio::test]
async fn a_login_that_cannot_work_is_tried_once_and_said_in_a_sentence() {
    let gone = json!({"response": "endpoint_deprecated:_please_update_your_app."});
    let wrong =
        json!({"error": "invalid_grant", "error_description": "owner@example.com hunter2-secret"});
    for (status, body, kind, words) in [
        (
            400,
            gone,
            ApiFailure::LoginRetired,
            "this login no longer exists",
        ),
        (
            401,
            wrong,
            ApiFailure::WrongPassword,
            "wrong e-mail or password",
        ),
    ] {
        let server = MockServer::start().await;
        let rig = password_rig(&server);
        Mock::given(any())
            .respond_with(json_answer(status, &body))
            .expect(1)
            .mount(&server)
            .await;
        let account = rig.open().await;
        for _ in 0..5 {
            let called = account.vehicle(&car()).await;
            let error = called.outcome.unwrap_err();
            assert_eq!((&error.kind, error.failure()), (&kind, Failure::SignedOut));
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
            assert!(called.statuses.is_empty(), "nothing of this is billed");
        }
        let AccountStatus::SignedOut { why } = status_becomes(&account, is_signed_out).await else {
            unreachable!()
        };
        assert!(why.to_string().contains(words), "{why}");
    }
}

#[tokio::test]
async fn an_account_without_any_token_opens_and_says_how_to_sign_in() {
    let server = MockServer::start().await;
    let mut rig = rig(Api::Owner, &server.uri());
    rig.settings.refresh_token = None;
    let account = rig.open().await;
    let status = status_becomes(&account, is_signed_out).await;
    assert!(
        format!("{status:?}").contains("tesla2mqtt login"),
        "{status:?}"
    );
    let error = account.products().await.outcome.unwrap_err();
    assert_eq!(error.kind, ApiFailure::NeverSignedIn);
    assert!(server.received_requests().await.unwrap().is_empty());
}

/// 42: the refresh token is revoked.
#[tokio::test]
async fn a_revoked_token_stops_every_call_until_a_new_login_is_stored() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    Mock::given(path(TOKEN))
        .and(body_string_contains("refresh_token=fresh"))
        .respond_with(json_answer(200, &token_body("a9", "r9")))
        .mount(&server)
        .await;
    token_answers(&server, login_required()).await;
    light_answers(&server).await;
    let account = rig.open().await;
    status_becomes(&account, is_signed_out).await;
    for _ in 0..20 {
        let error = account.vehicle(&car()).await.outcome.unwrap_err();
        assert_eq!(
            (error.failure(), error.kind),
            (Failure::SignedOut, ApiFailure::SignedOut)
        );
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 1);

    // `tesla2mqtt login`, in another process.
    rig.keep(&json!({"refresh_token": "fresh", "issued_at": "2026-01-01T00:00:00Z", "seed": "r0-secret"}));
    status_becomes(&account, is_signed_in).await;
    account.vehicle(&car()).await.outcome.unwrap();
}

#[tokio::test]
async fn a_restart_uses_the_stored_access_token_and_asks_for_none() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    gives_tokens(&server).await;
    light_answers(&server).await;
    for _ in 0..3 {
        rig.open().await.vehicle(&car()).await.outcome.unwrap();
    }
    assert_eq!(n_requests(&server, TOKEN).await, 1);
}

#[tokio::test]
async fn a_token_pasted_into_the_configuration_wins_over_the_stored_one() {
    let server = MockServer::start().await;
    let mut rig = rig(Api::Fleet, &server.uri());
    rig.keep(&json!({
        "refresh_token": "r5", "previous_refresh_token": "r4", "seed": "r0-secret", "access_token": "old",
        "issued_at": "2026-01-01T00:00:00Z", "access_expires_at": "2099-01-01T00:00:00Z", "region": "eu",
    }));
    rig.settings.refresh_token = Some(SecretString::from("pasted"));
    Mock::given(path(TOKEN))
        .and(body_string_contains("refresh_token=pasted"))
        .respond_with(json_answer(200, &token_body("a1", "r1")))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(header("authorization", "Bearer a1"))
        .respond_with(light_answer("asleep"))
        .mount(&server)
        .await;
    rig.open().await.vehicle(&car()).await.outcome.unwrap();
    let stored = rig.stored();
    assert_eq!(
        [&stored["refresh_token"], &stored["seed"], &stored["region"]],
        [&json!("r1"), &json!("pasted"), &json!(null)]
    );
    // And only once: the next start goes on with its successor.
    rig.open().await.vehicle(&car()).await.outcome.unwrap();
}

#[tokio::test]
async fn a_pasted_token_that_is_refused_costs_nothing_but_itself() {
    let server = MockServer::start().await;
    let mut rig = rig(Api::Fleet, &server.uri());
    rig.keep(
        &json!({"refresh_token": "r5", "seed": "r0-secret", "issued_at": "2026-01-01T00:00:00Z"}),
    );
    rig.settings.refresh_token = Some(SecretString::from("pasted"));
    Mock::given(path(TOKEN))
        .and(body_string_contains("refresh_token=pasted"))
        .respond_with(login_required())
        .expect(1)
        .mount(&server)
        .await;
    gives_tokens(&server).await;
    light_answers(&server).await;
    for _ in 0..2 {
        rig.open().await.vehicle(&car()).await.outcome.unwrap();
    }
    assert_eq!(n_requests(&server, TOKEN).await, 2);
}

/// Only the words of a spent token were a reason to go on with the stored login.
#[tokio::test]
async fn a_pasted_token_that_is_refused_in_any_words_does_not_shut_out_the_stored_login() {
    for (status, words) in [
        (400, "invalid_request"),
        (400, "unsupported_grant_type"),
        (400, "unauthorized_client"),
        (401, "login_failed"),
        (401, "no reason"),
        (403, "forbidden"),
    ] {
        let server = MockServer::start().await;
        let mut rig = rig(Api::Fleet, &server.uri());
        rig.keep(&json!({"refresh_token": "r5", "seed": "r0-secret", "issued_at": "2026-01-01T00:00:00Z"}));
        rig.settings.refresh_token = Some(SecretString::from("pasted"));
        Mock::given(path(TOKEN))
            .and(body_string_contains("refresh_token=pasted"))
            .respond_with(json_answer(status, &json!({"error": words})))
            .expect(1)
            .mount(&server)
            .await;
        gives_tokens(&server).await;
        light_answers(&server).await;
        rig.open().await.vehicle(&car()).await.outcome.unwrap();
    }
}

/// Nor may a fault that looks like a no end what is pasted, where there is nothing else.
#[tokio::test]
async fn a_pasted_token_that_met_a_fault_is_tried_again_after_the_stored_one_has_ended() {
    let server = MockServer::start().await;
    let mut rig = rig(Api::Fleet, &server.uri());
    rig.keep(
        &json!({"refresh_token": "r5", "seed": "r0-secret", "issued_at": "2026-01-01T00:00:00Z"}),
    );
    rig.settings.refresh_token = Some(SecretString::from("pasted"));
    Mock::given(path(TOKEN))
        .and(body_string_contains("refresh_token=pasted"))
        .respond_with(ResponseTemplate::new(401))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(path(TOKEN))
        .and(body_string_contains("refresh_token=r5"))
        .respond_with(login_required())
        .expect(1)
        .mount(&server)
        .await;
    gives_tokens(&server).await;
    let account = rig.open().await;
    status_becomes(&account, is_signed_in).await;
}

/// A server that has no refresh kept its accounts waiting for ever.
#[tokio::test]
async fn the_password_is_sent_again_where_the_refresh_is_refused_in_any_words() {
    let server = MockServer::start().await;
    let rig = password_rig(&server);
    rig.keep(&json!({"refresh_token": "r1", "issued_at": "2026-01-01T00:00:00Z", "api": "password", "email": "owner@example.com"}));
    Mock::given(body_string_contains("\"grant_type\":\"refresh_token\""))
        .respond_with(json_answer(
            400,
            &json!({"error": "unsupported_grant_type"}),
        ))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(body_string_contains("\"grant_type\":\"password\""))
        .respond_with(json_answer(200, &token_body("qts-a2", "r2")))
        .expect(1)
        .mount(&server)
        .await;
    light_answers(&server).await;
    rig.open().await.vehicle(&car()).await.outcome.unwrap();
}

#[test]
fn no_secret_reaches_the_log_of_a_whole_login_at_any_level() {
    passes("login::child_a_whole_login_logged_at_trace");
}

#[tokio::test]
#[ignore = "run by no_secret_reaches_the_log_of_a_whole_login_at_any_level"]
async fn child_a_whole_login_logged_at_trace() {
    let captured = Captured::default();
    let _guard = tracing::subscriber::set_default(captured.subscriber());
    let server = MockServer::start().await;
    let mut rig = rig(Api::Fleet, &server.uri());
    let issued_at = tesla2mqtt::clock::now().wall.to_string();
    rig.keep(&json!({"refresh_token": "r5-secret", "previous_refresh_token": "r4-secret", "seed": "seed-secret", "issued_at": issued_at}));
    rig.settings.client_secret = Some(SecretString::from("client-secret"));
    rig.settings.refresh_token = Some(SecretString::from("pasted-secret"));
    let echo = By(|request: &Request| {
        let text = format!("bad {}", String::from_utf8_lossy(&request.body));
        json_answer(
            401,
            &json!({"error": "login_required", "error_description": text}),
        )
    });
    Mock::given(path(TOKEN))
        .respond_with(echo)
        .up_to_n_times(2)
        .mount(&server)
        .await;
    gives_tokens(&server).await;
    let echo = By(|request: &Request| {
        let text = format!(
            "bad {:?} {}",
            request.headers.get("authorization"),
            request.url
        );
        json_answer(500, &json!({"error": text}))
    });
    Mock::given(method("GET"))
        .respond_with(echo)
        .mount(&server)
        .await;
    let account = rig.open().await;
    let error = account.vehicle(&car()).await.outcome.unwrap_err();
    tracing::warn!(%error, debug = ?error, "as a caller would log it");
    let text = captured.text();
    assert!(
        text.contains("signed in") && text.contains("answered"),
        "{text}"
    );
    for line in text.lines() {
        let ours = line.contains("tesla2mqtt");
        assert!(!line.contains("-secret"), "{line}");
        assert!(!(ours && line.contains(VIN)), "{line}");
    }
}
