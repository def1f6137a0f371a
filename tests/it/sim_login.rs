//! The simulated token hosts over real HTTP: each generation of login, and what becomes of tokens.

use std::time::Duration;

use serde_json::{Value, json};
use tesla2mqtt::sim::Cloud;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault, Login, Rotation, TeslaAccount};

use crate::sim_cloud::{HOME, Visitor, awake, client, cloud, cloud_with, read};

async fn post_token(cloud: &Cloud, path: &str, fields: Value, as_form: bool) -> (u16, Value) {
    let request = client().post(format!("{}{path}", cloud.url()));
    let request = if as_form {
        request.form(&fields)
    } else {
        request.json(&fields)
    };
    read(request.send().await.expect("an answer")).await
}

fn fleet_refresh(token: &str) -> Value {
    json!({ "grant_type": "refresh_token", "client_id": "app", "refresh_token": token })
}

#[tokio::test]
async fn a_fleet_refresh_token_is_good_once_and_its_predecessor_for_the_grace_time() {
    let cloud = cloud().await;
    let (first, _) = cloud.issue_tokens(HOME, Login::Fleet);
    let token = |body: &Value| {
        body["refresh_token"]
            .as_str()
            .expect("a new one")
            .to_owned()
    };
    let (status, second) =
        post_token(&cloud, "/oauth2/v3/token", fleet_refresh(&first), true).await;
    assert_eq!((status, &second["expires_in"]), (200, &json!(28_800)));
    assert!(token(&second).starts_with("EU_") && token(&second) != first);

    // The reply to the next refresh is lost; the predecessor repairs it.
    cloud.fail_next(1, &Aim::at(&[CallKind::Token]), &Fault::LoseReply);
    let lost = client().post(format!("{}/oauth2/v3/token", cloud.url()));
    assert!(
        lost.form(&fleet_refresh(&token(&second)))
            .send()
            .await
            .is_err()
    );
    let (status, repaired) = post_token(
        &cloud,
        "/oauth2/v3/token",
        fleet_refresh(&token(&second)),
        true,
    )
    .await;
    assert_eq!(status, 200);
    let family = cloud.family(HOME, Login::Fleet);
    assert_eq!(
        (family.n_refreshed, family.n_repaired, family.revoked),
        (3, 1, false)
    );
    assert_eq!(family.newest(), Some(token(&repaired).as_str()));

    let (status, refused) =
        post_token(&cloud, "/oauth2/v3/token", fleet_refresh(&first), true).await;
    assert_eq!((status, &refused["error"]), (401, &json!("login_required")));
    assert!(cloud.family(HOME, Login::Fleet).revoked);
    let newest = fleet_refresh(&token(&repaired));
    assert_eq!(
        post_token(&cloud, "/oauth2/v3/token", newest, true).await.0,
        401
    );
    let (again, _) = cloud.issue_tokens(HOME, Login::Fleet);
    assert_eq!(
        post_token(&cloud, "/oauth2/v3/token", fleet_refresh(&again), true)
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn the_owner_login_takes_json_and_form_and_may_keep_its_refresh_token() {
    let cloud = cloud().await;
    let (token, _) = cloud.issue_tokens(HOME, Login::Owner);
    let fields =
        json!({ "grant_type": "refresh_token", "client_id": "ownerapi", "refresh_token": token });
    for (rotation, answered) in [
        (Rotation::Absent, Value::Null),
        (Rotation::Same, json!(token)),
    ] {
        cloud.change_account(HOME, |account| account.rotation = rotation);
        for as_form in [true, false] {
            let (status, body) =
                post_token(&cloud, "/oauth2/v3/token", fields.clone(), as_form).await;
            assert_eq!(
                (status, &body["refresh_token"]),
                (200, &answered),
                "{rotation:?}"
            );
        }
    }
    // A Fleet app cannot use it.
    assert_eq!(
        post_token(&cloud, "/oauth2/v3/token", fleet_refresh(&token), true)
            .await
            .0,
        401
    );
}

#[tokio::test]
async fn a_fleet_token_is_refused_to_another_app_without_being_spent() {
    let cloud = cloud().await;
    let account = TeslaAccount {
        client_id: Some("the-app".to_owned()),
        ..TeslaAccount::new(HOME)
    };
    cloud.add_account(account);
    let (token, _) = cloud.issue_tokens(HOME, Login::Fleet);
    let (status, refused) =
        post_token(&cloud, "/oauth2/v3/token", fleet_refresh(&token), true).await;
    assert_eq!(
        (status, &refused["error"]),
        (400, &json!("unauthorized_client"))
    );
    assert_eq!(
        cloud.family(HOME, Login::Fleet).newest(),
        Some(token.as_str())
    );
}

#[tokio::test]
async fn the_login_of_2019_takes_a_password_unless_it_is_retired() {
    let fields = |password: &str| {
        json!({
            "grant_type": "password", "client_id": "id", "client_secret": "secret",
            "email": "home@example.com", "password": password,
        })
    };
    let old = cloud().await;
    old.add_car(HOME, awake(1));
    let (status, granted) =
        post_token(&old, "/oauth/token", fields("password-of-home"), false).await;
    assert_eq!((status, &granted["expires_in"]), (200, &json!(45 * 86_400)));
    let refresh = json!({
        "grant_type": "refresh_token", "client_id": "id", "client_secret": "secret",
        "refresh_token": granted["refresh_token"],
    });
    let (status, refreshed) = post_token(&old, "/oauth/token", refresh, false).await;
    assert_eq!(status, 200);
    let token = refreshed["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let visitor = Visitor {
        token,
        ..Visitor::of(&old, Login::Password)
    };
    assert_eq!(visitor.ask("/api/1/vehicles").await.1["count"], 1);

    let (status, refused) = post_token(&old, "/oauth/token", fields("wrong"), false).await;
    assert_eq!((status, &refused["error"]), (401, &json!("invalid_grant")));
    let retired = cloud_with(|options| options.password_login_deprecated = true).await;
    let (status, gone) = post_token(&retired, "/oauth/token", fields("any"), false).await;
    assert_eq!(status, 400);
    assert_eq!(
        gone["response"],
        "endpoint_deprecated:_please_update_your_app."
    );
}

#[tokio::test]
async fn access_tokens_end_and_unknown_ones_are_refused() {
    let cloud = cloud().await;
    let visitor = Visitor::of(&cloud, Login::Fleet);
    assert_eq!(visitor.token.split('.').count(), 3, "the shape of a JWT");
    let (_, region) = visitor.ask("/api/1/users/region").await;
    assert_eq!(region["response"]["fleet_api_base_url"], cloud.url());
    let stranger = Visitor {
        token: "a.b.c".to_owned(),
        ..Visitor::of(&cloud, Login::Fleet)
    };
    assert_eq!(
        stranger.ask("/api/1/products").await.1["error"],
        "invalid bearer token"
    );
    cloud.advance(Duration::from_hours(8));
    let (status, ended) = visitor.ask("/api/1/products").await;
    assert_eq!(
        (status, &ended["error"]),
        (401, &json!("token expired (401)"))
    );
}
