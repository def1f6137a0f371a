//! In which region an account lives: asked for once, corrected by 421.

use serde_json::json;
use tesla2mqtt::api::AccountStatus;
use tesla2mqtt::config::{Api, Region};
use tesla2mqtt::policy::Failure;
use wiremock::matchers::{any, header, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::api_rig::*;
use crate::login::{LIGHT, TOKEN, light_answers};

fn region_rig(servers: [&MockServer; 3]) -> ApiRig {
    let mut rig = rig(Api::Fleet, &servers[0].uri());
    rig.settings.api_url = None;
    rig.settings.auth_url = None;
    rig.hosts = regions(servers);
    rig
}

#[tokio::test]
async fn the_region_is_asked_for_once_where_nothing_tells_it() {
    let (na, eu, cn) = (
        MockServer::start().await,
        MockServer::start().await,
        MockServer::start().await,
    );
    let rig = region_rig([&na, &eu, &cn]);
    gives_tokens(&na).await;
    let home = json!({"response": {"region": "eu", "fleet_api_base_url": eu.uri()}});
    Mock::given(path("/api/1/users/region"))
        .respond_with(json_answer(200, &home))
        .expect(1)
        .mount(&na)
        .await;
    light_answers(&eu).await;
    for _ in 0..2 {
        let account = rig.open().await;
        account.vehicle(&car()).await.outcome.unwrap();
        let status = status_becomes(&account, is_signed_in).await;
        assert_eq!(
            status,
            AccountStatus::SignedIn {
                region: Some(Region::Eu),
                scopes: vec![]
            }
        );
    }
    assert_eq!(rig.stored()["region"], json!("eu"));
}

/// The bridge wrote the login that it held over the one that `tesla2mqtt login` had stored while the
/// server was asked, and with it a token that works once was lost.
#[tokio::test]
async fn a_region_that_turns_out_late_does_not_overwrite_a_login_stored_meanwhile() {
    let (na, eu, cn) = (
        MockServer::start().await,
        MockServer::start().await,
        MockServer::start().await,
    );
    for is_moved in [false, true] {
        let mut rig = region_rig([&na, &eu, &cn]);
        if is_moved {
            rig.settings.region = Some(Region::Na);
        }
        let _tokens = Mock::given(path(TOKEN))
            .respond_with(json_answer(200, &token_body("a1-secret", "r1-secret")))
            .mount_as_scoped(&na)
            .await;
        let state = rig.state.path().to_owned();
        let home = eu.uri();
        let told_late = By(move |request: &Request| {
            keep_living_login(&state);
            if request.url.path() == LIGHT {
                let error = format!("use base URL: {home}");
                return json_answer(421, &json!({"error": error}));
            }
            json_answer(200, &json!({"response": {"region": "eu"}}))
        });
        let _late = Mock::given(header("authorization", "Bearer a1-secret"))
            .respond_with(told_late)
            .up_to_n_times(1)
            .mount_as_scoped(&na)
            .await;
        let _rest = Mock::given(any())
            .respond_with(light_answer("asleep"))
            .mount_as_scoped(&na)
            .await;
        let _there = Mock::given(any())
            .respond_with(light_answer("asleep"))
            .mount_as_scoped(&eu)
            .await;
        let called = rig.open().await.vehicle(&car()).await;
        called.outcome.unwrap();
        assert_eq!(rig.stored()["refresh_token"], json!("r9"), "{is_moved}");
    }
}

#[tokio::test]
async fn a_421_moves_the_account_once_and_for_good() {
    let (na, eu, cn) = (
        MockServer::start().await,
        MockServer::start().await,
        MockServer::start().await,
    );
    let mut rig = region_rig([&na, &eu, &cn]);
    rig.settings.region = Some(Region::Na);
    gives_tokens(&na).await;
    let text = format!(
        "user out of region, use base URL: {}, see https://developer.tesla.com/docs",
        eu.uri()
    );
    let moved = json_answer(421, &json!({"response": null, "error": text}));
    Mock::given(path(LIGHT))
        .respond_with(moved)
        .expect(1)
        .mount(&na)
        .await;
    light_answers(&eu).await;
    let called = rig.open().await.vehicle(&car()).await;
    called.outcome.unwrap();
    assert_eq!(called.statuses, [421, 200]);
    // After a restart it is known.
    rig.open().await.vehicle(&car()).await.outcome.unwrap();
}

#[tokio::test]
async fn a_421_is_not_followed_to_a_stranger_nor_back_and_forth_nor_past_api_url() {
    let (na, eu, stranger) = (
        MockServer::start().await,
        MockServer::start().await,
        MockServer::start().await,
    );
    let to = |server: &MockServer| {
        let text = format!("user out of region, use base URL: {}", server.uri());
        json_answer(421, &json!({"error": text}))
    };
    gives_tokens(&na).await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(500))
        .expect(0)
        .mount(&stranger)
        .await;
    {
        let mut rig = region_rig([&na, &eu, &na]);
        rig.settings.region = Some(Region::Na);
        let _scope = Mock::given(path(LIGHT))
            .respond_with(to(&stranger))
            .mount_as_scoped(&na)
            .await;
        let called = rig.open().await.vehicle(&car()).await;
        assert_eq!(called.statuses, [421]);
        assert_eq!(called.outcome.unwrap_err().failure(), Failure::Region);
    }
    {
        let mut rig = region_rig([&na, &eu, &stranger]);
        rig.settings.region = Some(Region::Na);
        let _there = Mock::given(path(LIGHT))
            .respond_with(to(&eu))
            .mount_as_scoped(&na)
            .await;
        let _back = Mock::given(path(LIGHT))
            .respond_with(to(&na))
            .mount_as_scoped(&eu)
            .await;
        let account = rig.open().await;
        for _ in 0..5 {
            let called = account.vehicle(&car()).await;
            assert!(called.statuses.len() <= 2, "{:?}", called.statuses);
            assert_eq!(called.outcome.unwrap_err().failure(), Failure::Region);
        }
    }
    {
        let rig = rig(Api::Fleet, &na.uri());
        let _scope = Mock::given(path(LIGHT))
            .respond_with(to(&eu))
            .mount_as_scoped(&na)
            .await;
        let error = rig.open().await.vehicle(&car()).await.outcome.unwrap_err();
        assert!(error.to_string().contains("api_url"), "{error}");
    }
}
