//! One refresh at a time, whatever is killed, lost, refused or asked at once meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tesla2mqtt::api::{Account, AccountStatus};
use tesla2mqtt::clock;
use tesla2mqtt::config::Api;
use tesla2mqtt::failure::ApiFailure;
use tesla2mqtt::policy::Failure;
use wiremock::matchers::{any, body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::api_rig::*;
use crate::login::{LIGHT, TOKEN, form, light_answers, login_required, token_answers};
use crate::rig::SOON;

#[tokio::test]
async fn a_refused_newest_token_is_followed_by_its_predecessor_once() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    let issued_at = clock::now().wall - Duration::from_hours(1);
    rig.keep(&json!({"refresh_token": "r5", "previous_refresh_token": "r4", "seed": "r0-secret", "issued_at": issued_at.to_string()}));
    Mock::given(path(TOKEN))
        .and(body_string_contains("refresh_token=r4"))
        .respond_with(json_answer(200, &token_body("a6", "r6")))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(TOKEN))
        .respond_with(login_required())
        .expect(1)
        .mount(&server)
        .await;
    light_answers(&server).await;
    rig.open().await.vehicle(&car()).await.outcome.unwrap();
    assert_eq!(rig.stored()["refresh_token"], json!("r6"));
}

/// The reply is lost on its way: the server has spent the token, we have not its successor.
#[tokio::test]
async fn after_a_lost_reply_the_same_token_is_offered_again() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    let whole = token_body("a1", "r1").to_string();
    let cut = ResponseTemplate::new(200).set_body_string(&whole[..whole.len() / 2]);
    Mock::given(path(TOKEN))
        .respond_with(cut)
        .up_to_n_times(2)
        .mount(&server)
        .await;
    token_answers(&server, json_answer(200, &token_body("a2", "r2"))).await;
    let account = rig.open().await;
    status_becomes(&account, is_signed_in).await;
    let requests = server.received_requests().await.unwrap();
    let offered: Vec<String> = requests
        .iter()
        .map(|r| form(r)["refresh_token"].clone())
        .collect();
    assert_eq!(offered, ["r0-secret"; 3]);
    assert_eq!(rig.stored()["refresh_token"], json!("r2"));
}

/// The first unspecific 401 ended the login for ever, and had the predecessor and the seed offered,
/// days after they were spent.
#[tokio::test]
async fn a_401_without_a_reason_is_a_fault_and_the_same_token_is_offered_again() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    rig.keep(&json!({
        "refresh_token": "r5", "previous_refresh_token": "r4", "seed": "r0-secret",
        "issued_at": "2026-01-01T00:00:00Z",
    }));
    for answer in [
        ResponseTemplate::new(401),
        json_answer(401, &json!({"message": "Unauthorized"})),
    ] {
        Mock::given(path(TOKEN))
            .respond_with(answer)
            .up_to_n_times(2)
            .mount(&server)
            .await;
    }
    token_answers(&server, json_answer(200, &token_body("a6", "r6"))).await;
    light_answers(&server).await;
    let account = rig.open().await;
    let sentence = why_unreachable(&account).await;
    assert!(sentence.contains("tesla2mqtt login"), "{sentence}");
    status_becomes(&account, is_signed_in).await;
    account.vehicle(&car()).await.outcome.unwrap();
    let requests = server.received_requests().await.unwrap();
    let offered: Vec<String> = requests
        .iter()
        .filter(|request| request.url.path() == TOKEN)
        .map(|request| form(request)["refresh_token"].clone())
        .collect();
    assert_eq!(offered, ["r5"; 5]);
}

/// What Tesla documents: a refresh token is good once; its direct predecessor stays good for a
/// while, as often as replies get lost; an older one ends the login.
struct SingleUse {
    newest: u32,
    last_used: Option<u32>,
}

impl SingleUse {
    fn answer(&mut self, offered: &str) -> ResponseTemplate {
        let offered: u32 = offered
            .trim_start_matches('r')
            .trim_end_matches("-secret")
            .parse()
            .unwrap();
        if offered != self.newest && Some(offered) != self.last_used {
            self.newest = u32::MAX;
            self.last_used = None;
            return login_required();
        }
        self.last_used = Some(offered);
        self.newest += 1;
        let mut body = token_body("a", &format!("r{}", self.newest));
        body["expires_in"] = json!(5);
        json_answer(200, &body)
    }
}

/// Dropping a runtime ends the account's task at whatever it waits for, as a kill would.
#[test]
fn a_kill_at_any_moment_of_a_refresh_leaves_a_login_that_works() {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let server = servers.block_on(MockServer::start());
    let rig = rig(Api::Fleet, &server.uri());
    let tokens = std::sync::Mutex::new(SingleUse {
        newest: 0,
        last_used: None,
    });
    servers.block_on(async {
        let by = By(move |request: &Request| {
            let answer = tokens
                .lock()
                .unwrap()
                .answer(&form(request)["refresh_token"]);
            answer.set_delay(Duration::from_millis(3))
        });
        Mock::given(path(TOKEN))
            .respond_with(by)
            .mount(&server)
            .await;
        light_answers(&server).await;
    });
    // How long a refresh takes on this machine, and whether it was over when its life was.
    let refresh = |life: Duration| {
        let doomed = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        doomed.block_on(async {
            let account = rig.open().await;
            let begun = clock::uptime();
            let lived = tokio::time::timeout(life, status_becomes(&account, is_signed_in)).await;
            (clock::uptime().saturating_sub(begun), lived.is_ok())
        })
    };
    let mut n_killed_midway = 0;
    for n in 0..10_u32 {
        let (whole, is_over) = refresh(SOON);
        assert!(is_over, "in {whole:?}");
        for part in 0..20 {
            let thousandths = (20 * n + part) * 7919 % 1500;
            let (_, lived) = refresh(whole * thousandths / 1000);
            n_killed_midway += u32::from(!lived);
        }
    }
    assert!(
        (5..195).contains(&n_killed_midway),
        "{n_killed_midway} of 200 say nothing"
    );
    servers.block_on(async {
        rig.open().await.vehicle(&car()).await.outcome.unwrap();
    });
}

#[tokio::test]
async fn a_token_is_replaced_ahead_of_its_end_without_any_call() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    let first = json!({"access_token": "a1", "refresh_token": "r1", "expires_in": 1});
    Mock::given(path(TOKEN))
        .respond_with(json_answer(200, &first))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    token_answers(&server, json_answer(200, &token_body("a2", "r2"))).await;
    let _account = rig.open().await;
    let replaced = async {
        while n_requests(&server, TOKEN).await < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, replaced).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    assert_eq!(form(&requests[1])["refresh_token"], "r1");
}

/// A token for each call was fetched, some fifty in a run.
#[tokio::test]
async fn a_token_that_is_old_when_it_comes_is_used_once_and_not_fetched_again_for_each_call() {
    let server = MockServer::start().await;
    let mut rig = rig(Api::Fleet, &server.uri());
    rig.patience.pace = 1.0;
    let old = json!({"access_token": "a1", "refresh_token": "r1", "expires_in": 0.000_001});
    token_answers(&server, json_answer(200, &old)).await;
    light_answers(&server).await;
    let account = rig.open().await;
    account.vehicle(&car()).await.outcome.unwrap();
    let status = status_becomes(&account, |status| {
        matches!(status, AccountStatus::Unreachable { .. })
    })
    .await;
    let AccountStatus::Unreachable { why } = status else {
        unreachable!("waited for");
    };
    assert!(
        why.to_string().contains("at their end when they come"),
        "{why}"
    );
    for _ in 0..30 {
        let light = account.vehicle(&car()).await;
        let data = account.vehicle_data(&car(), &["charge_state"]).await;
        let list = account.products().await;
        for (error, n_billed) in [
            (light.outcome.as_ref().err(), light.billed()),
            (data.outcome.as_ref().err(), data.billed()),
            (list.outcome.as_ref().err(), list.billed()),
        ] {
            assert_eq!(error.map(|error| error.kind), Some(ApiFailure::StaleToken));
            assert_eq!(n_billed, 0);
        }
    }
    assert_eq!(n_requests(&server, TOKEN).await, 1);
}

/// A life that makes no sense is no life told: the token is used until it is refused.
#[tokio::test]
async fn a_token_whose_life_is_told_wrongly_or_not_at_all_is_fetched_once() {
    for told in [
        json!(0),
        json!(-5),
        json!(1e300),
        json!("soon"),
        json!(null),
    ] {
        let server = MockServer::start().await;
        let rig = rig(Api::Fleet, &server.uri());
        let odd = json!({"access_token": "a1", "refresh_token": "r1", "expires_in": told});
        token_answers(&server, json_answer(200, &odd)).await;
        light_answers(&server).await;
        let account = rig.open().await;
        for _ in 0..20 {
            account.vehicle(&car()).await.outcome.unwrap();
        }
        assert_eq!(n_requests(&server, TOKEN).await, 1, "{told}");
    }
}

#[tokio::test]
async fn many_calls_at_once_cause_one_refresh() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    let slow = json_answer(200, &token_body("a1", "r1")).set_delay(Duration::from_millis(50));
    Mock::given(path(TOKEN))
        .respond_with(slow)
        .expect(1)
        .mount(&server)
        .await;
    light_answers(&server).await;
    let account = rig.open().await;
    let calls = (0..20).map(|_| {
        let account = account.clone();
        tokio::spawn(async move { account.vehicle(&car()).await.outcome.map(drop) })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
}

/// Answers `a0` and `r0`, then `a1` and `r1`, and so on, after `delay`; it is asked `n_expected` times.
async fn rotating_token_answers(server: &MockServer, delay: Duration, n_expected: u64) {
    let n = AtomicUsize::new(0);
    Mock::given(path(TOKEN))
        .respond_with(By(move |_: &Request| {
            let n = n.fetch_add(1, Ordering::Relaxed);
            json_answer(200, &token_body(&format!("a{n}"), &format!("r{n}"))).set_delay(delay)
        }))
        .expect(n_expected)
        .mount(server)
        .await;
}

/// A whole fleet meets a 401 at the same time.
///
/// 42: 401 once.
#[tokio::test]
async fn a_refused_access_token_is_refreshed_once_for_all() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    rotating_token_answers(&server, Duration::ZERO, 2).await;
    Mock::given(header("authorization", "Bearer a0"))
        .respond_with(
            json_answer(401, &json!({"error": "token expired (401)"}))
                .set_delay(Duration::from_millis(30)),
        )
        .mount(&server)
        .await;
    light_answers(&server).await;
    let account = rig.open().await;
    status_becomes(&account, is_signed_in).await;
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let account = account.clone();
            tokio::spawn(async move { account.vehicle(&car()).await })
        })
        .collect();
    for call in calls {
        let called = call.await.unwrap();
        assert_eq!(called.billed(), 2);
        called.outcome.unwrap();
    }
}

/// 42: 401 again after the refresh.
#[tokio::test]
async fn a_server_that_refuses_every_access_token_is_left_alone() {
    let server = MockServer::start().await;
    let mut rig = rig(Api::Fleet, &server.uri());
    rig.patience.pace = 1.0;
    gives_tokens(&server).await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let account = rig.open().await;
    for _ in 0..30 {
        let error = account.vehicle(&car()).await.outcome.unwrap_err();
        assert_eq!(
            (error.failure(), error.kind),
            (Failure::Doubted, ApiFailure::TokenRejected)
        );
    }
    assert_eq!(n_requests(&server, TOKEN).await, 2);
    assert_eq!(n_requests(&server, LIGHT).await, 2);
    status_becomes(&account, |status| {
        matches!(status, AccountStatus::Unreachable { .. })
    })
    .await;
}

/// 42: the refresh itself fails.
#[tokio::test]
async fn a_token_host_in_trouble_is_not_stormed_and_the_calls_know_why() {
    let html = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>";
    for (answer, kind) in [
        (
            ResponseTemplate::new(403).set_body_string(html),
            ApiFailure::Firewall,
        ),
        (ResponseTemplate::new(503), ApiFailure::Server),
        (
            ResponseTemplate::new(200).set_body_string(html),
            ApiFailure::Garbled,
        ),
        (
            ResponseTemplate::new(429).insert_header("Retry-After", "60"),
            ApiFailure::Limited,
        ),
    ] {
        let server = MockServer::start().await;
        let mut rig = rig(Api::Owner, &server.uri());
        rig.patience.pace = 1.0;
        Mock::given(any())
            .respond_with(answer)
            .expect(1)
            .mount(&server)
            .await;
        let account = rig.open().await;
        for _ in 0..20 {
            assert_eq!(
                account.vehicle(&car()).await.outcome.unwrap_err().kind,
                kind
            );
        }
        assert!(matches!(
            *account.status().borrow(),
            AccountStatus::Unreachable { .. }
        ));
    }
}

/// The token host wants a day of peace; its owner has another login.
#[tokio::test]
async fn a_new_login_is_taken_up_while_the_token_host_is_left_alone() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    Mock::given(path(TOKEN))
        .respond_with(ResponseTemplate::new(429).insert_header("Retry-After", "86400"))
        .expect(1)
        .mount(&server)
        .await;
    light_answers(&server).await;
    let account = rig.open().await;
    status_becomes(&account, |status| {
        matches!(status, AccountStatus::Unreachable { .. })
    })
    .await;
    keep_living_login(rig.state.path());
    status_becomes(&account, is_signed_in).await;
    account.vehicle(&car()).await.outcome.unwrap();
}

#[tokio::test]
async fn a_disk_that_cannot_keep_the_new_token_spends_none() {
    let server = MockServer::start().await;
    let mut rig = rig(Api::Fleet, &server.uri());
    gives_tokens(&server).await;
    light_answers(&server).await;
    // The account's directory is a file: even root cannot write into it.
    let account = rig.open().await;
    status_becomes(&account, is_signed_in).await;
    rig.cancel.cancel();
    account.closed().await;
    let directory = rig.state.path().join("accounts");
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::write(&directory, "").unwrap();
    rig.cancel = tokio_util::sync::CancellationToken::new();
    let error = rig.open().await.vehicle(&car()).await.outcome.unwrap_err();
    assert_eq!(error.kind, ApiFailure::Store);
    assert!(error.to_string().contains("accounts"), "{error}");
    assert_eq!(n_requests(&server, TOKEN).await, 1);
}

/// What the owner is told once the account cannot be used for the time being.
async fn why_unreachable(account: &Account) -> String {
    let is_unreachable =
        |status: &AccountStatus| matches!(status, AccountStatus::Unreachable { .. });
    match status_becomes(account, is_unreachable).await {
        AccountStatus::Unreachable { why } => why.to_string(),
        other => panic!("{other:?}"),
    }
}

/// It ended the whole bridge, at every start, with all other accounts.
#[tokio::test]
async fn a_login_that_cannot_be_read_is_waited_for_and_no_token_is_spent_meanwhile() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    light_answers(&server).await;
    // Root can read every file, but no directory as one.
    std::fs::create_dir_all(rig.store()).unwrap();
    let account = rig.open().await;
    let sentence = why_unreachable(&account).await;
    assert!(sentence.contains("belong to the user"), "{sentence}");
    let error = account.vehicle(&car()).await.outcome.unwrap_err();
    assert_eq!(error.kind, ApiFailure::Store);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(n_requests(&server, TOKEN).await, 0);

    std::fs::remove_dir(rig.store()).unwrap();
    keep_living_login(rig.state.path());
    status_becomes(&account, is_signed_in).await;
    account.vehicle(&car()).await.outcome.unwrap();
}

/// Every restart asked a token host again that had asked for ten hours of peace.
#[tokio::test]
async fn a_wait_that_the_token_host_asked_for_outlives_a_restart() {
    let server = MockServer::start().await;
    let mut rig = rig(Api::Fleet, &server.uri());
    Mock::given(path(TOKEN))
        .and(body_string_contains("refresh_token=pasted"))
        .respond_with(json_answer(200, &token_body("a1", "r1")))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(TOKEN))
        .respond_with(ResponseTemplate::new(429).insert_header("Retry-After", "37829"))
        .expect(1)
        .mount(&server)
        .await;
    for _ in 0..3 {
        let account = rig.open().await;
        let sentence = why_unreachable(&account).await;
        assert!(sentence.contains("limits the rate"), "{sentence}");
        let error = account.vehicle(&car()).await.outcome.unwrap_err();
        let left = error.retry_after.unwrap();
        assert!(left > Duration::from_mins(630), "{left:?}");
        rig.cancel.cancel();
        account.closed().await;
        rig.cancel = tokio_util::sync::CancellationToken::new();
    }
    // The owner has another token: it is tried at once.
    rig.settings.refresh_token = Some(secrecy::SecretString::from("pasted"));
    let account = rig.open().await;
    status_becomes(&account, is_signed_in).await;
    assert_eq!(rig.stored()["wait"], json!(null));
}

#[tokio::test]
async fn two_processes_do_not_spend_the_same_token() {
    let server = MockServer::start().await;
    let rig = rig(Api::Fleet, &server.uri());
    rotating_token_answers(&server, Duration::from_millis(100), 1).await;
    light_answers(&server).await;
    let (one, other) = (rig.open().await, rig.open().await);
    let (car_one, car_other) = (car(), car());
    let (a, b) = tokio::join!(one.vehicle(&car_one), other.vehicle(&car_other));
    a.outcome.unwrap();
    b.outcome.unwrap();
}
