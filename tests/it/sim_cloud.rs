//! The simulated cloud over real HTTP: what a client can rely on when it is tested against it.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Clock, Fault, Login};
use tesla2mqtt::sim::{CarSpec, Cloud, CloudOptions, Deed, Plan, Segment};
use tokio::time::timeout;

use crate::rig::SOON;

pub const HOME: &str = "home";
/// For what does not come: a part of an answer that hangs.
const IN_VAIN: Duration = Duration::from_millis(300);

/// A cloud whose time stands still until it is moved.
pub async fn cloud() -> Cloud {
    cloud_with(|_| {}).await
}

pub async fn cloud_with(change: impl FnOnce(&mut CloudOptions)) -> Cloud {
    let mut options = CloudOptions {
        clock: Clock::Own {
            start: monday(),
            speed: 0.0,
        },
        ..CloudOptions::default()
    };
    change(&mut options);
    Cloud::start(options)
        .await
        .expect("a free port on loopback")
}

fn monday() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().expect("a time")
}

pub fn vin(number: u32) -> Vin {
    Vin::new(&format!("5YJ3E7EB0KF{number:06}")).expect("a VIN")
}

pub fn parked(number: u32) -> CarSpec {
    CarSpec::new(vin(number), Plan::parked())
}

pub fn awake(number: u32) -> CarSpec {
    CarSpec {
        awake_at_start: true,
        ..parked(number)
    }
}

pub fn client() -> Client {
    let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().timeout(SOON).build().expect("a client")
}

/// A client that is signed in to the account `home` by the Fleet login.
pub struct Visitor {
    pub url: String,
    pub client: Client,
    pub token: String,
}

impl Visitor {
    pub fn of(cloud: &Cloud, login: Login) -> Self {
        let (_, token) = cloud.issue_tokens(HOME, login);
        Self {
            url: cloud.url(),
            client: client(),
            token,
        }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client
            .get(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    pub async fn ask(&self, path: &str) -> (u16, Value) {
        read(self.get(path).send().await.expect("an answer")).await
    }

    /// Status, or the kind of failure.
    async fn outcome(&self, path: &str) -> String {
        self.outcome_within(path, SOON, SOON).await
    }

    /// The same with so much time for the head of the answer, and then for its body.
    async fn outcome_within(&self, path: &str, head: Duration, body: Duration) -> String {
        let answer = match timeout(head, self.get(path).send()).await {
            Ok(Ok(answer)) => answer,
            Err(_) => return "timeout".to_owned(),
            Ok(Err(error)) => return format!("lost: {error:?}"),
        };
        let status = answer.status().as_u16();
        match timeout(body, answer.bytes()).await {
            Ok(Ok(body)) => match serde_json::from_slice::<Value>(&body) {
                Ok(_) => format!("{status} json"),
                Err(_) => format!("{status} {}", String::from_utf8_lossy(&body)),
            },
            Err(_) => format!("{status} timeout"),
            Ok(Err(_)) => format!("{status} broke off"),
        }
    }
}

pub async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("a JSON body"))
}

#[tokio::test]
async fn a_sleeping_car_answers_light_calls_and_refuses_data_without_waking() {
    let cloud = cloud().await;
    cloud.add_car(HOME, parked(1));
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let path = format!("/api/1/vehicles/{}", vin(1).as_str());

    let (status, light) = visitor.ask(&path).await;
    assert_eq!(
        (status, &light["response"]["state"]),
        (200, &json!("asleep"))
    );
    assert!(light["response"].get("charge_state").is_none());
    let (status, refused) = visitor.ask(&format!("{path}/vehicle_data")).await;
    assert_eq!(status, 408);
    assert_eq!(
        refused["error"],
        "vehicle unavailable: vehicle is offline or asleep"
    );
    assert_eq!(visitor.ask(&path).await.1["response"]["state"], "asleep");

    let ledger = cloud.ledger();
    assert_eq!(
        (
            ledger.count(CallKind::Light),
            ledger.answered(CallKind::Data, 408)
        ),
        (2, 1)
    );
    assert_eq!((ledger.billed(CallKind::Data), ledger.wakes()), (1, 0));
}

#[tokio::test]
async fn a_wake_call_is_counted_and_works_after_the_wake_delay() {
    let cloud = cloud().await;
    cloud.add_car(HOME, parked(1));
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let path = format!("/api/1/vehicles/{}", vin(1).as_str());
    let wake = visitor
        .client
        .post(format!("{}{path}/wake_up", cloud.url()));
    let (status, body) = read(
        wake.bearer_auth(&visitor.token)
            .send()
            .await
            .expect("an answer"),
    )
    .await;
    assert_eq!(
        (status, &body["response"]["state"]),
        (200, &json!("asleep"))
    );
    cloud.advance(Duration::from_secs(21));
    assert_eq!(visitor.ask(&path).await.1["response"]["state"], "online");
    assert_eq!(visitor.ask(&format!("{path}/vehicle_data")).await.0, 200);
    assert_eq!(cloud.ledger().wakes(), 1);
    assert_eq!(cloud.car(&vin(1), |car| car.truth().wakes), Some(1));
}

#[tokio::test]
async fn data_has_the_asked_objects_and_the_place_only_with_its_endpoint_and_scope() {
    let cloud = cloud().await;
    cloud.add_car(HOME, awake(1));
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let path = format!("/api/1/vehicles/{}/vehicle_data", vin(1).as_str());
    let place = |body: &Value| body["response"]["drive_state"].get("latitude").is_some();

    let (_, classic) = visitor.ask(&path).await;
    assert!(classic["response"]["charge_state"].is_object() && !place(&classic));
    let with_place = format!("{path}?endpoints=drive_state%3Blocation_data");
    let (_, asked) = visitor.ask(&with_place).await;
    assert!(asked["response"].get("charge_state").is_none() && place(&asked));

    cloud.change_account(HOME, |account| {
        account.scopes.retain(|s| s != "vehicle_location");
    });
    let (status, without) = visitor.ask(&with_place).await;
    assert!(status == 200 && !place(&without));
    cloud.change_account(HOME, |account| account.scopes.clear());
    assert_eq!(visitor.ask(&path).await.0, 403);
}

#[tokio::test]
async fn location_without_its_scope_can_be_refused() {
    let cloud = cloud_with(|options| options.refuse_location = true).await;
    cloud.add_car(HOME, awake(1));
    cloud.change_account(HOME, |account| {
        account.scopes.retain(|s| s != "vehicle_location");
    });
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let path = format!("/api/1/vehicles/{}/vehicle_data", vin(1).as_str());
    assert_eq!(visitor.ask(&path).await.0, 200);
    let (status, refused) = visitor
        .ask(&format!("{path}?endpoints=location_data"))
        .await;
    assert_eq!(
        (status, &refused["error"]),
        (403, &json!("Unauthorized missing scopes"))
    );
}

#[tokio::test]
async fn lists_have_pages_on_the_fleet_api_and_the_car_list_is_gone_from_the_owner_api() {
    let cloud = cloud_with(|options| options.page_size = 2).await;
    (1..=3).for_each(|n| cloud.add_car(HOME, parked(n)));
    cloud.change_account(HOME, |account| account.n_sites = 1);
    let fleet = Visitor::of(&cloud, Login::Fleet);
    let (_, first) = fleet.ask("/api/1/products").await;
    assert_eq!(
        (&first["count"], &first["pagination"]["pages"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(first["pagination"]["next"], 2);
    let (_, second) = fleet.ask("/api/1/products?page=2").await;
    assert_eq!(second["response"][0]["vin"], vin(3).as_str());
    assert!(second["response"][1]["energy_site_id"].is_u64());
    assert!(second["pagination"]["next"].is_null());
    let (_, cars) = fleet.ask("/api/1/vehicles?page=2&per_page=1").await;
    assert_eq!(cars["response"][0]["vin"], vin(2).as_str());

    let owner = Visitor::of(&cloud, Login::Owner);
    assert_eq!(
        owner.ask("/api/1/products").await.1["response"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
    assert_eq!(owner.ask("/api/1/vehicles").await.0, 412);
}

#[tokio::test]
async fn a_car_is_known_by_vin_and_by_id_to_its_own_accounts_only() {
    let cloud = cloud().await;
    cloud.add_car(HOME, awake(1));
    cloud.add_car("parents", awake(1));
    cloud.add_car("parents", awake(2));
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let (_, listed) = visitor.ask("/api/1/products").await;
    assert_eq!(listed["count"], 1);
    let id = listed["response"][0]["id_s"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert_eq!(
        visitor.ask(&format!("/api/1/vehicles/{id}")).await.1["response"]["vin"],
        vin(1).as_str()
    );
    assert_eq!(
        visitor
            .ask(&format!("/api/1/vehicles/{}", vin(2).as_str()))
            .await
            .0,
        404
    );
    assert_eq!(visitor.ask("/api/1/vehicles/17/vehicle_data").await.0, 404);
    // The Owner API knows its number only.
    let owner = Visitor::of(&cloud, Login::Owner);
    let by_vin = format!("/api/1/vehicles/{}", vin(1).as_str());
    assert_eq!(owner.ask(&by_vin).await.0, 404);
    assert_eq!(owner.ask(&format!("/api/1/vehicles/{id}")).await.0, 200);

    cloud.remove_car(HOME, &vin(1));
    assert_eq!(visitor.ask(&format!("/api/1/vehicles/{id}")).await.0, 404);
    let seen = cloud.ledger();
    let newest = seen.requests().next_back().expect("a request");
    assert_eq!(
        (newest.call, newest.status, newest.bearer),
        (CallKind::Light, 404, Some(1))
    );
    assert_eq!(newest.vin.as_ref(), Some(&vin(1)));
}

#[tokio::test]
async fn a_car_at_service_answers_405() {
    let cloud = cloud().await;
    let service = Deed::Service {
        length: Duration::from_hours(1),
    };
    let plan = Plan::once(vec![Segment {
        start: Duration::ZERO,
        deed: service,
    }]);
    cloud.add_car(HOME, CarSpec { plan, ..awake(1) });
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let path = format!("/api/1/vehicles/{}", vin(1).as_str());
    assert_eq!(visitor.ask(&path).await.1["response"]["in_service"], true);
    assert_eq!(visitor.ask(&format!("{path}/vehicle_data")).await.0, 405);
}

#[tokio::test]
async fn each_fault_looks_to_a_client_as_it_does_on_a_bad_day() {
    let cloud = cloud().await;
    cloud.add_car(HOME, awake(1));
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let path = format!("/api/1/vehicles/{}/vehicle_data", vin(1).as_str());
    let drip = Fault::SlowDrip {
        bytes: 10,
        every: Duration::from_millis(50),
    };
    let cases = [
        (Fault::status(500, "oops"), "500 json", 500),
        (Fault::rate_limited(Some("60")), "429 Retry later", 429),
        (Fault::Hang, "timeout", 0),
        (Fault::Reset, "ConnectionReset", 0),
        (Fault::LoseReply, "ConnectionReset", 0),
        (Fault::Truncate(100), "200 broke off", 200),
        (Fault::Truncate(0), "200 broke off", 200),
        (Fault::Garbage, "200 \0", 200),
        (Fault::Html(403), "403 <HTML>", 403),
        (drip, "200 timeout", 200),
        (Fault::Empty, "200 ", 200),
        (Fault::Late(Duration::from_millis(50)), "200 json", 200),
    ];
    for (fault, expected, status) in cases {
        cloud.fail_next(1, &Aim::at(&[CallKind::Data]), &fault);
        // Other calls are not hit.
        assert_eq!(
            visitor.outcome("/api/1/products").await,
            "200 json",
            "{fault:?}"
        );
        let (head, body) = match fault {
            Fault::Hang => (IN_VAIN, SOON),
            Fault::SlowDrip { .. } => (SOON, IN_VAIN),
            _ => (SOON, SOON),
        };
        let seen = visitor.outcome_within(&path, head, body).await;
        assert!(seen.contains(expected), "{fault:?}: {seen}");
        let noted = cloud
            .ledger()
            .requests()
            .next_back()
            .map(|request| request.status);
        assert_eq!(noted, Some(status), "{fault:?}");
        assert_eq!(visitor.outcome(&path).await, "200 json", "after {fault:?}");
    }
}

#[tokio::test]
async fn a_call_whose_reply_is_lost_is_billed_and_one_without_effect_is_not() {
    let cloud = cloud().await;
    cloud.add_car(HOME, awake(1));
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let path = format!("/api/1/vehicles/{}/vehicle_data", vin(1).as_str());
    for (fault, n_billed) in [(Fault::LoseReply, 1), (Fault::Reset, 1)] {
        cloud.fail_next(1, &Aim::all(), &fault);
        assert!(
            visitor.outcome(&path).await.starts_with("lost"),
            "{fault:?}"
        );
        assert_eq!(cloud.ledger().billed(CallKind::Data), n_billed, "{fault:?}");
    }
}

#[tokio::test]
async fn anyone_may_ask_whether_the_cloud_is_up() {
    let cloud = cloud().await;
    let answer = client().get(format!("{}/status", cloud.url())).send().await;
    assert_eq!(answer.expect("an answer").text().await.expect("text"), "ok");
}

#[tokio::test]
async fn a_share_of_faults_is_the_same_story_for_the_same_seed() {
    let mut stories = Vec::new();
    for seed in [7, 7, 8] {
        let cloud = cloud().await;
        let visitor = Visitor::of(&cloud, Login::Fleet);
        let faults = vec![Fault::status(502, "upstream"), Fault::Empty];
        cloud.fail_share(0.4, Aim::all(), faults, seed);
        let mut story = Vec::new();
        for _ in 0..60 {
            story.push(visitor.outcome("/api/1/products").await);
        }
        let failed = story.iter().filter(|seen| *seen != "200 json").count();
        assert!((12..=36).contains(&failed), "{failed} of 60");
        cloud.heal();
        assert_eq!(visitor.outcome("/api/1/products").await, "200 json");
        stories.push(story);
    }
    assert_eq!(stories[0], stories[1]);
    assert_ne!(stories[0], stories[2]);
}

#[tokio::test]
async fn a_recording_is_a_car_that_is_always_online() {
    let cloud = cloud().await;
    let answer = json!({ "response": {
        "vin": "5YJSA1H20FF000006", "id": 77, "charge_state": { "battery_level": 78 },
    }});
    let vin = cloud.add_recording(HOME, answer).expect("a recording");
    assert!(
        cloud
            .add_recording(HOME, json!({ "response": [] }))
            .is_err()
    );
    let visitor = Visitor::of(&cloud, Login::Owner);
    let (_, listed) = visitor.ask("/api/1/products").await;
    assert_eq!(listed["response"][0]["vin"], vin.as_str());
    let (status, data) = visitor.ask("/api/1/vehicles/77/vehicle_data").await;
    assert_eq!(
        (status, &data["response"]["charge_state"]["battery_level"]),
        (200, &json!(78))
    );
}

#[tokio::test]
async fn shutting_down_ends_hanging_answers() {
    let cloud = cloud().await;
    let visitor = Visitor::of(&cloud, Login::Fleet);
    cloud.fail_next(1, &Aim::all(), &Fault::Hang);
    let hanging = tokio::spawn(visitor.get("/api/1/products").send());
    cloud.until_more_than(0, CallKind::Products).await;
    let url = cloud.url();
    timeout(SOON, cloud.shutdown()).await.expect("in time");
    assert!(hanging.await.expect("no panic").is_err());
    assert!(
        client().get(url).send().await.is_err(),
        "the door is closed"
    );
}

#[tokio::test]
async fn every_recorded_answer_can_be_played() {
    let folder = crate::ci::fixtures().join("tesla-api");
    let Ok(files) = std::fs::read_dir(&folder) else {
        crate::ci::skip(&format!("no recorded answers in {}", folder.display()));
        return;
    };
    let cloud = cloud().await;
    let visitor = Visitor::of(&cloud, Login::Fleet);
    let mut n_played = 0;
    for file in files {
        let path = file.expect("a file").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.starts_with("vehicle_data-") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let vin = cloud
            .add_recording(HOME, answer.clone())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let path = format!("/api/1/vehicles/{}/vehicle_data", vin.as_str());
        let all = "?endpoints=vehicle_data_combo%3Blocation_data%3Bclosures_state";
        let (status, played) = visitor.ask(&format!("{path}{all}")).await;
        assert_eq!(status, 200, "{name}");
        for (field, value) in answer["response"].as_object().expect("a vehicle") {
            assert_eq!(&played["response"][field], value, "{name}: {field}");
        }
        n_played += 1;
    }
    assert!(
        n_played >= 7,
        "{n_played} recordings in {}",
        folder.display()
    );
}
