//! Calls: what is asked, what is read, and that nothing is asked twice.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tesla2mqtt::clock;
use tesla2mqtt::config::Api;
use tesla2mqtt::decode::vehicle_data::ENDPOINTS;
use tesla2mqtt::failure::ApiFailure;
use tesla2mqtt::model::{self, Signal};
use tesla2mqtt::policy::{
    Ask, Failure, Light, LightState, Policy, PolicyConfig, PolicyInput, Step,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{any, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::api_rig::*;

const LIGHT: &str = "/api/1/vehicles/5YJ3E1EA7KF000001";
const DATA: &str = "/api/1/vehicles/5YJ3E1EA7KF000001/vehicle_data";
const PRODUCTS: &str = "/api/1/products";

async fn cloud() -> MockServer {
    let server = MockServer::start().await;
    gives_tokens(&server).await;
    server
}

/// An access token that claims these scopes.
fn token_with(scopes: &[&str]) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"scp": scopes});
    format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(&claims))
}

fn vin(n: u32) -> String {
    format!("5YJ3E1EA7KF{n:06}")
}

#[tokio::test]
async fn every_page_of_the_list_is_read_and_each_car_is_listed_once() {
    let server = cloud().await;
    let page = |entries: Value, current: u32, next: Value| {
        json_answer(
            200,
            &json!({"response": entries, "pagination": {"current": current, "next": next}}),
        )
    };
    let first = json!([{"vin": vin(1)}, {"vin": vin(2)}, {"energy_site_id": 7}]);
    Mock::given(path(PRODUCTS))
        .and(query_param_is_missing("page"))
        .respond_with(page(first, 1, json!(2)))
        .mount(&server)
        .await;
    let second = json!([{"vin": vin(2)}, {"vin": vin(3)}, {"energy_site_id": 7}, {}]);
    Mock::given(path(PRODUCTS))
        .and(query_param("page", "2"))
        .respond_with(page(second, 2, json!(null)))
        .mount(&server)
        .await;
    let called = rig(Api::Fleet, &server.uri()).open().await.products().await;
    assert_eq!(called.statuses, [200, 200]);
    let list = called.outcome.unwrap();
    let vins: Vec<&str> = list.vehicles.iter().map(|car| car.vin.as_str()).collect();
    assert_eq!(vins, [vin(1), vin(2), vin(3)]);
    assert_eq!((list.energy_sites.len(), list.n_unusable), (1, 1));
}

#[tokio::test]
async fn a_list_whose_second_page_fails_is_no_list() {
    let server = cloud().await;
    let first = json!({"response": [{"vin": vin(1)}], "pagination": {"current": 1, "next": 2}});
    Mock::given(path(PRODUCTS))
        .and(query_param_is_missing("page"))
        .respond_with(json_answer(200, &first))
        .mount(&server)
        .await;
    Mock::given(path(PRODUCTS))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    let called = rig(Api::Fleet, &server.uri()).open().await.products().await;
    assert_eq!(called.outcome.unwrap_err().kind, ApiFailure::Server);
    assert_eq!((called.statuses,), (vec![200, 502],));
}

#[tokio::test]
async fn an_old_server_without_products_is_asked_for_its_vehicles() {
    for status in [404, 412] {
        let server = cloud().await;
        Mock::given(path(PRODUCTS))
            .respond_with(ResponseTemplate::new(status))
            .mount(&server)
            .await;
        let old = json!({"response": [{"vin": vin(1), "id": 5}], "count": 1});
        Mock::given(path("/api/1/vehicles"))
            .respond_with(json_answer(200, &old))
            .mount(&server)
            .await;
        let list = rig(Api::Owner, &server.uri())
            .open()
            .await
            .products()
            .await
            .outcome
            .unwrap();
        assert_eq!(list.vehicles[0].vin.as_str(), vin(1));
    }
}

#[tokio::test]
async fn data_is_asked_for_with_explicit_endpoints_and_is_read_whole() {
    let server = cloud().await;
    let body = "{\"response\": {\"vin\" :\"x\", \"charge_state\": {\"battery_level\": 77}}}";
    Mock::given(path(DATA))
        .respond_with(ResponseTemplate::new(200).set_body_string(body))
        .mount(&server)
        .await;
    let account = rig(Api::Fleet, &server.uri());
    let called = account.open().await.vehicle_data(&car(), ENDPOINTS).await;
    let read = called.outcome.unwrap();
    let level = (
        Signal::new("charge_state.battery_level"),
        Some(model::Value::Int(77)),
    );
    let mut seen = read.observations.iter().flat_map(|seen| &seen.signals);
    assert!(seen.any(|signal| *signal == level), "{read:?}");
    let requests = server.received_requests().await.unwrap();
    let query = requests[1].url.query().unwrap();
    assert_eq!(query, format!("endpoints={}", ENDPOINTS.join("%3B")));
    assert!(ENDPOINTS.contains(&"location_data"));
}

#[tokio::test]
async fn a_refusal_for_want_of_a_scope_is_told_and_leaves_the_next_call_as_it_is_asked() {
    let server = cloud().await;
    let refused = json_answer(
        403,
        &json!({"response": null, "error": "Unauthorized missing scopes"}),
    );
    Mock::given(path(DATA))
        .and(query_param("endpoints", "charge_state;location_data"))
        .respond_with(refused)
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(path(DATA))
        .and(query_param("endpoints", "charge_state"))
        .respond_with(json_answer(200, &json!({"response": {"charge_state": {}}})))
        .expect(1)
        .mount(&server)
        .await;
    let rig = rig(Api::Fleet, &server.uri());
    let account = rig.open().await;
    for endpoints in [
        &["charge_state", "location_data"][..],
        &["charge_state"],
        &["charge_state", "location_data"],
    ] {
        let called = account.vehicle_data(&car(), endpoints).await;
        match called.outcome {
            Ok(_) => assert_eq!(called.statuses, [200]),
            Err(error) => {
                assert_eq!(error.kind, ApiFailure::MissingScope);
                assert_eq!(
                    (called.statuses.as_slice(), endpoints.len()),
                    (&[403][..], 2)
                );
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_for_want_of_a_scope_that_the_token_has_is_doubted() {
    let all = &["vehicle_device_data", "vehicle_location"][..];
    for (scopes, expected) in [
        (all, ApiFailure::ScopeDenied),
        (&["openid"][..], ApiFailure::MissingScope),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/oauth2/v3/token"))
            .respond_with(json_answer(
                200,
                &token_body(&token_with(scopes), "r1-secret"),
            ))
            .mount(&server)
            .await;
        let refused = json!({"response": null, "error": "Unauthorized missing scopes"});
        Mock::given(method("GET"))
            .respond_with(json_answer(403, &refused))
            .mount(&server)
            .await;
        let rig = rig(Api::Fleet, &server.uri());
        let account = rig.open().await;
        let endpoints = ["charge_state", "location_data"];
        let of_data = account.vehicle_data(&car(), &endpoints).await;
        assert_eq!(of_data.outcome.unwrap_err().kind, expected);
        let of_list = account.products().await;
        assert_eq!(of_list.outcome.unwrap_err().kind, expected);
    }
}

/// Owners' reports: the list tells an id that leads nowhere, and the VIN is known.
#[tokio::test]
async fn a_car_that_is_not_found_by_its_id_is_asked_by_its_vin_from_then_on() {
    const BY_ID: &str = "/api/1/vehicles/1492930000000001";
    let another = json!({"response": {"vin": "5YJ3E1EA7KF000002", "id": 5, "state": "online"}});
    for by_id in [ResponseTemplate::new(404), json_answer(200, &another)] {
        let server = cloud().await;
        Mock::given(path(BY_ID))
            .respond_with(by_id)
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(path(LIGHT))
            .respond_with(light_answer("online"))
            .mount(&server)
            .await;
        Mock::given(path(DATA))
            .respond_with(ResponseTemplate::new(408))
            .mount(&server)
            .await;
        let rig = rig(Api::Owner, &server.uri());
        let account = rig.open().await;
        let first = account.vehicle(&car()).await;
        assert!(first.outcome.is_ok(), "{first:?}");
        assert_eq!(first.statuses.len(), 2);
        assert_eq!(account.vehicle(&car()).await.statuses, [200]);
        let data = account.vehicle_data(&car(), &["charge_state"]).await;
        assert_eq!(data.statuses, [408]);
    }
}

#[tokio::test]
async fn a_car_that_is_found_by_nothing_is_asked_by_its_vin_only_once() {
    let server = cloud().await;
    Mock::given(path(LIGHT))
        .respond_with(ResponseTemplate::new(404))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(404))
        .mount(&server)
        .await;
    let rig = rig(Api::Owner, &server.uri());
    let account = rig.open().await;
    for statuses in [&[404, 404][..], &[404], &[404]] {
        let called = account.vehicle(&car()).await;
        assert_eq!(called.outcome.unwrap_err().kind, ApiFailure::NotFound);
        assert_eq!(called.statuses, statuses);
    }
}

#[tokio::test]
async fn a_failed_call_is_made_once_and_typed() {
    let eu = "user out of region, use base URL: https://fleet-api.prd.eu.vn.cloud.tesla.com, see x";
    let cases: &[(u16, &str, Failure)] = &[
        (400, "invalid_request", Failure::Refused),
        (402, "", Failure::Refused),
        (
            403,
            "account disabled: EXCEEDED_LIMIT",
            Failure::BillingLimit,
        ),
        (
            403,
            "forbidden, see https://developer.tesla.com/docs/fleet-api",
            Failure::Refused,
        ),
        (403, "<html>", Failure::Refused),
        (404, "not_found", Failure::NotFound),
        (405, "vehicle is currently in service", Failure::InService),
        (408, "vehicle unavailable", Failure::Unavailable),
        (
            412,
            "must be registered in the current region",
            Failure::Region,
        ),
        (421, eu, Failure::Region),
        (423, "", Failure::Refused),
        (
            429,
            "Retry in 77 seconds",
            Failure::Limited {
                retry_after: Some(Duration::from_secs(77)),
            },
        ),
        (451, "", Failure::Refused),
        (500, "", Failure::Server),
        (503, "upstream connect error", Failure::Server),
        (540, "", Failure::Server),
        (302, "", Failure::Refused),
    ];
    let server = cloud().await;
    let rig = rig(Api::Fleet, &server.uri());
    let account = rig.open().await;
    for (status, body, expected) in cases {
        let answer = ResponseTemplate::new(*status)
            .set_body_string(*body)
            .insert_header("location", format!("{}/elsewhere", server.uri()));
        let _scope = Mock::given(path(DATA))
            .respond_with(answer)
            .expect(1)
            .mount_as_scoped(&server)
            .await;
        let called = account.vehicle_data(&car(), &["charge_state"]).await;
        assert_eq!(called.statuses, [*status], "{body}");
        assert_eq!(
            called.outcome.unwrap_err().failure(),
            *expected,
            "{status} {body}"
        );
    }
    assert_eq!(
        n_requests(&server, "/elsewhere").await,
        0,
        "a redirect would carry the token away"
    );
}

/// 39: what Tesla writes as a date reaches the policy as the time from now.
#[tokio::test]
async fn a_limit_until_a_date_is_waited_for_by_the_policy() {
    let server = cloud().await;
    let rig = rig(Api::Fleet, &server.uri());
    let account = rig.open().await;
    let limited_until = async |date: String| {
        let answer = ResponseTemplate::new(429).insert_header("retry-after", date.as_str());
        let _scope = Mock::given(path(DATA))
            .respond_with(answer)
            .mount_as_scoped(&server)
            .await;
        let called = account.vehicle_data(&car(), &["charge_state"]).await;
        called.outcome.unwrap_err().failure()
    };
    let ahead = clock::now().wall + Duration::from_mins(50);
    let date = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let failure = limited_until(date).await;
    let Failure::Limited {
        retry_after: Some(wait),
    } = failure
    else {
        panic!("{failure:?}");
    };
    let most = Duration::from_mins(50);
    assert!(wait <= most && wait > Duration::from_mins(49), "{wait:?}");

    let mut now = clock::now();
    let begun = now.mono;
    let seed = 7;
    let mut policy = Policy::new(PolicyConfig::default(), &car().vin, seed, now);
    let mut n_limited = 0;
    while n_limited < 2 {
        let online = Light {
            state: LightState::Online,
            in_service: false,
        };
        match policy.next(now) {
            Step::Ask {
                ask: Ask::Light, ..
            } => policy.handle(now, PolicyInput::Light(online)),
            Step::Ask { ask, .. } => {
                n_limited += 1;
                let waited = now.mono.saturating_sub(begun);
                assert!(n_limited < 2 || waited >= wait, "data after {waited:?}");
                policy.handle(now, PolicyInput::Failed { ask, failure });
            }
            Step::Relist => panic!("nothing was not found"),
            Step::Wait { until, .. } => now = now.later(until.saturating_sub(now.mono)),
        }
        assert!(now.mono < begun + Duration::from_hours(2), "{n_limited}");
    }
    for garbage in [
        "Someday, 99 Foo 2026",
        "Fri, 31 Feb 2026 25:00:00 GMT",
        "\u{fffd}",
    ] {
        let failure = limited_until(garbage.to_owned()).await;
        assert_eq!(failure, Failure::Limited { retry_after: None }, "{garbage}");
    }
}

#[tokio::test]
async fn a_call_about_a_car_reads_its_state_or_says_what_came_instead() {
    let server = cloud().await;
    let rig = rig(Api::Fleet, &server.uri());
    let account = rig.open().await;
    for (body, expected) in [
        (
            json!({"response": {"vin": VIN, "state": "online"}}).to_string(),
            Ok(LightState::Online),
        ),
        (
            json!({"response": null}).to_string(),
            Err(ApiFailure::Server),
        ),
        (
            json!({"response": {"vin": vin(9)}}).to_string(),
            Err(ApiFailure::AnotherCar),
        ),
        (String::new(), Err(ApiFailure::Garbled)),
        ("<html>".to_owned(), Err(ApiFailure::Garbled)),
        (
            "{\"response\":{\"vin\"".to_owned(),
            Err(ApiFailure::Garbled),
        ),
    ] {
        let answer = ResponseTemplate::new(200).set_body_string(&body);
        let _scope = Mock::given(path(LIGHT))
            .respond_with(answer.clone())
            .mount_as_scoped(&server)
            .await;
        let called = account.vehicle(&car()).await;
        assert_eq!(called.statuses, [200]);
        assert_eq!(
            called.outcome.map(|car| car.state).map_err(|e| e.kind),
            expected,
            "{body}"
        );
        let _scope = Mock::given(path(DATA))
            .respond_with(answer)
            .mount_as_scoped(&server)
            .await;
        let called = account.vehicle_data(&car(), ENDPOINTS).await;
        assert_eq!(called.statuses, [200]);
        assert_eq!(
            called.outcome.map(drop).map_err(|e| e.kind),
            expected.map(drop),
            "data: {body}"
        );
    }
}

#[tokio::test]
async fn nothing_but_reads_is_ever_sent_to_a_car() {
    let server = cloud().await;
    Mock::given(any())
        .respond_with(light_answer("asleep"))
        .mount(&server)
        .await;
    let rig = rig(Api::Fleet, &server.uri());
    let account = rig.open().await;
    let _ = account.products().await;
    let _ = account.vehicle(&car()).await;
    let _ = account.vehicle_data(&car(), ENDPOINTS).await;
    let sent = server.received_requests().await.unwrap();
    let is_read = |request: &&Request| {
        request.method.as_str() == "GET" || request.url.path() == "/oauth2/v3/token"
    };
    assert_eq!(sent.iter().filter(is_read).count(), sent.len());
    assert!(
        sent.iter()
            .all(|request| !request.url.path().contains("wake_up"))
    );
}

/// A server that writes `head`, then `drip` again and again until nobody listens.
async fn dripping(head: &'static str, drip: &'static [u8], pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                if socket.write_all(head.as_bytes()).await.is_err() || head.is_empty() {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                }
                while !drip.is_empty() && socket.write_all(drip).await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn every_answer_has_an_end() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{";
    let big: &'static [u8] = Box::leak(vec![b' '; 256 * 1024].into_boxed_slice());
    let cases = [
        (
            "silence",
            dripping("", b"", Duration::ZERO).await,
            ApiFailure::TimedOut,
        ),
        (
            "a slow drip",
            dripping(HEAD, b" ", Duration::from_millis(20)).await,
            ApiFailure::TimedOut,
        ),
        (
            "an endless body",
            dripping(HEAD, big, Duration::ZERO).await,
            ApiFailure::Garbled,
        ),
        (
            "a cut head",
            dripping("HTTP/1.1 2", b"", Duration::ZERO).await,
            ApiFailure::Unreachable,
        ),
        (
            "a cut body",
            dripping(
                "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
                b"",
                Duration::ZERO,
            )
            .await,
            ApiFailure::Unreachable,
        ),
        (
            "nobody",
            "http://127.0.0.1:1".to_owned(),
            ApiFailure::Unreachable,
        ),
    ];
    let tokens = cloud().await;
    for (name, server, expected) in cases {
        let mut rig = rig(Api::Fleet, &server);
        rig.settings.auth_url = Some(tokens.uri().parse().unwrap());
        rig.patience.read = Duration::from_millis(300);
        rig.patience.total = Duration::from_secs(2);
        let called = rig.open().await.vehicle(&car()).await;
        let error = called.outcome.unwrap_err();
        assert_eq!(error.kind, expected, "{name}: {error}");
        // Sent, so it may be billed, though no status tells.
        let unanswered = ["silence", "a cut head"].contains(&name);
        assert_eq!(error.unanswered, unanswered, "{name}");
        assert!(!error.to_string().contains(VIN), "{error}");
    }
}

/// Each of them was read up to the length of the longest `vehicle_data`: a list of 4 MB of empty
/// objects took 288 MB of memory.
#[tokio::test]
async fn an_answer_is_read_as_far_as_one_of_its_kind_can_be_long() {
    let blanks = |n: usize| ResponseTemplate::new(200).set_body_string(" ".repeat(n * 1024));
    let server = cloud().await;
    for at in [PRODUCTS, LIGHT] {
        Mock::given(path(at))
            .respond_with(blanks(1025))
            .mount(&server)
            .await;
    }
    let car_at_its_end = r#"{"response":{"charge_state":{"battery_level":77}}}"#;
    let longest = " ".repeat(4096 * 1024 - car_at_its_end.len()) + car_at_its_end;
    Mock::given(path(DATA))
        .respond_with(ResponseTemplate::new(200).set_body_string(longest))
        .mount(&server)
        .await;
    let signed_in = rig(Api::Fleet, &server.uri());
    let account = signed_in.open().await;
    let list = account.products().await.outcome.unwrap_err();
    let light = account.vehicle(&car()).await.outcome.unwrap_err();
    for error in [list, light] {
        assert_eq!(error.kind, ApiFailure::Garbled);
        assert!(error.to_string().contains("1024 KiB"), "{error}");
    }
    let data = account.vehicle_data(&car(), &[]).await.outcome.unwrap();
    assert!(!data.observations.is_empty(), "{data:?}");

    let tokens = MockServer::start().await;
    Mock::given(any())
        .respond_with(blanks(257))
        .mount(&tokens)
        .await;
    let signed_out = rig(Api::Fleet, &tokens.uri());
    let called = signed_out.open().await.products().await;
    let error = called.outcome.unwrap_err().to_string();
    assert!(error.contains("64 KiB"), "{error}");
}

/// An error page of megabytes cost its status, and as much memory.
#[tokio::test]
async fn of_a_refusal_only_the_begin_is_read_and_its_status_counts() {
    let server = cloud().await;
    let body = format!("EXCEEDED_LIMIT {}", " ".repeat(2 * 1024 * 1024));
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(403).set_body_string(body))
        .mount(&server)
        .await;
    let rig = rig(Api::Fleet, &server.uri());
    let account = rig.open().await;
    let error = account.vehicle(&car()).await.outcome.unwrap_err();
    assert_eq!(error.kind, ApiFailure::BillingLimit);
    let error = account.vehicle_data(&car(), &[]).await.outcome.unwrap_err();
    assert_eq!(error.kind, ApiFailure::BillingLimit);
}

#[tokio::test]
async fn an_answer_about_another_car_is_refused_whole_and_billed() {
    let server = cloud().await;
    let another = json!({"response": {"vin": vin(2), "id": 5, "state": "online"}});
    Mock::given(method("GET"))
        .respond_with(json_answer(200, &another))
        .mount(&server)
        .await;
    let rig = rig(Api::Fleet, &server.uri());
    let account = rig.open().await;
    let light = account.vehicle(&car()).await;
    let data = account.vehicle_data(&car(), &["charge_state"]).await;
    assert_eq!((light.billed(), data.billed()), (1, 1));
    for error in [light.outcome.unwrap_err(), data.outcome.unwrap_err()] {
        assert_eq!(error.kind, ApiFailure::AnotherCar);
        assert!(!error.to_string().contains(&vin(2)), "{error}");
    }
}

/// Each list of such a server was fifty calls.
#[tokio::test]
async fn a_list_that_claims_more_pages_and_brings_nothing_new_ends() {
    for entries in [json!([{"vin": vin(1)}]), json!([]), json!([{}])] {
        let server = cloud().await;
        let n = std::sync::atomic::AtomicU64::new(0);
        let endless = By(move |_: &Request| {
            let current = n.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            let pagination = json!({"current": current, "next": current + 1});
            json_answer(200, &json!({"response": entries, "pagination": pagination}))
        });
        Mock::given(path(PRODUCTS))
            .respond_with(endless)
            .mount(&server)
            .await;
        let rig = rig(Api::Fleet, &server.uri());
        let called = rig.open().await.products().await;
        assert!(called.billed() <= 2, "{:?}", called.statuses);
        assert!(!called.outcome.unwrap().is_whole());
    }
}

#[tokio::test]
async fn a_list_that_never_ends_and_always_brings_new_cars_is_cut() {
    let server = cloud().await;
    let n = std::sync::atomic::AtomicU32::new(0);
    let endless = By(move |_: &Request| {
        let current = n.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let pagination = json!({"current": current, "next": current + 1});
        let entries = json!([{"vin": vin(current)}]);
        json_answer(200, &json!({"response": entries, "pagination": pagination}))
    });
    Mock::given(path(PRODUCTS))
        .respond_with(endless)
        .mount(&server)
        .await;
    let rig = rig(Api::Fleet, &server.uri());
    let called = rig.open().await.products().await;
    assert_eq!(called.billed(), 10);
    let list = called.outcome.unwrap();
    assert_eq!((list.vehicles.len(), list.is_cut), (10, true));
}

/// The log called it a 200.
#[tokio::test]
async fn an_empty_answer_is_told_with_its_own_status() {
    let server = cloud().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let rig = rig(Api::Fleet, &server.uri());
    let error = rig.open().await.vehicle(&car()).await.outcome;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("HTTP 204"), "{error}");
}

#[tokio::test]
async fn after_the_end_calls_end_too() {
    let server = cloud().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let rig = rig(Api::Fleet, &server.uri());
    let account = rig.open().await;
    rig.cancel.cancel();
    account.closed().await;
    assert_eq!(
        account.vehicle(&car()).await.outcome.unwrap_err().kind,
        ApiFailure::Closed
    );
}
