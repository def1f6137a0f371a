//! What the tests of the door to Tesla stand on: an account against servers on loopback, impatient
//! but otherwise real.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tesla2mqtt::api::Hosts;
use tesla2mqtt::api::Patience;
use tesla2mqtt::api::{Account, AccountStatus, ApiError, CarRef};
use tesla2mqtt::clock;
use tesla2mqtt::config::{self, Api, Region};
use tesla2mqtt::model::{ApiId, Vin};
use tokio_util::sync::CancellationToken;
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::rig::SOON;

pub const VIN: &str = "5YJ3E1EA7KF000001";

pub struct ApiRig {
    pub state: tempfile::TempDir,
    pub settings: config::AccountSettings,
    pub hosts: Hosts,
    pub patience: Patience,
    pub cancel: CancellationToken,
}

/// An account all of whose hosts are `server`.
pub fn rig(api: Api, server: &str) -> ApiRig {
    let url = Url::parse(server).unwrap();
    ApiRig {
        state: tempfile::tempdir().unwrap(),
        settings: config::AccountSettings {
            name: "home".into(),
            api,
            refresh_token: Some(SecretString::from("r0-secret")),
            client_id: (api == Api::Fleet).then(|| "client".into()),
            client_secret: None,
            email: None,
            password: None,
            region: None,
            api_url: Some(url.clone()),
            auth_url: Some(url),
            ca_file: None,
            ca_fingerprint: None,
        },
        hosts: Hosts::tesla(),
        patience: Patience {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(5),
            total: Duration::from_secs(10),
            pace: 0.001,
        },
        cancel: CancellationToken::new(),
    }
}

impl ApiRig {
    pub async fn open(&self) -> Account {
        self.try_open().await.unwrap()
    }

    pub async fn try_open(&self) -> Result<Account, ApiError> {
        let (directory, cancel) = (self.state.path(), self.cancel.clone());
        Account::open_at(
            &self.settings,
            directory,
            cancel,
            self.hosts.clone(),
            self.patience,
        )
        .await
    }

    pub fn store(&self) -> PathBuf {
        self.state.path().join("accounts/home.json")
    }

    pub fn stored(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.store()).unwrap()).unwrap()
    }

    /// Puts a login into the store, as an earlier run would have left it.
    pub fn keep(&self, login: &Value) {
        std::fs::create_dir_all(self.state.path().join("accounts")).unwrap();
        std::fs::write(self.store(), login.to_string()).unwrap();
    }
}

/// What `tesla2mqtt login` does to a state directory; whole at once, or it would be taken for damaged.
pub fn keep_living_login(state: &Path) {
    let now = clock::now().wall;
    let login = json!({
        "refresh_token": "r9", "access_token": "a9", "seed": "r0-secret",
        "issued_at": now.to_string(),
        "access_expires_at": (now + Duration::from_hours(8)).to_string(),
    });
    let beside = state.join("login.json");
    std::fs::write(&beside, login.to_string()).unwrap();
    std::fs::rename(&beside, state.join("accounts/home.json")).unwrap();
}

impl Drop for ApiRig {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Three regions, each a server of its own; the token host is the first.
pub fn regions(servers: [&MockServer; 3]) -> Hosts {
    let url = |server: &MockServer| Url::parse(&server.uri()).unwrap();
    Hosts {
        fleet: [
            (Region::Na, url(servers[0])),
            (Region::Eu, url(servers[1])),
            (Region::Cn, url(servers[2])),
        ],
        fleet_auth: [url(servers[0]), url(servers[0])],
        ..Hosts::tesla()
    }
}

pub fn car() -> CarRef {
    CarRef {
        vin: Vin::new(VIN).unwrap(),
        id: Some(ApiId(1_492_930_000_000_001)),
    }
}

pub fn token_body(access: &str, refresh: &str) -> Value {
    json!({"access_token": access, "refresh_token": refresh, "expires_in": 28800, "token_type": "Bearer"})
}

pub fn json_answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

pub fn light_answer(state: &str) -> ResponseTemplate {
    json_answer(
        200,
        &json!({"response": {"vin": VIN, "id": 5, "state": state}}),
    )
}

/// Tokens for everyone, calls as the test wants.
pub async fn gives_tokens(server: &MockServer) {
    Mock::given(method("POST"))
        .and(path("/oauth2/v3/token"))
        .respond_with(json_answer(200, &token_body("a1-secret", "r1-secret")))
        .mount(server)
        .await;
}

/// How many requests a server has had at a path.
pub async fn n_requests(server: &MockServer, at: &str) -> usize {
    let all = server.received_requests().await.unwrap();
    all.iter()
        .filter(|request| request.url.path() == at)
        .count()
}

/// Waits until the account's status is as wanted.
pub async fn status_becomes(
    account: &Account,
    wanted: impl Fn(&AccountStatus) -> bool,
) -> AccountStatus {
    let mut status = account.status();
    let found = tokio::time::timeout(SOON, status.wait_for(|now| wanted(now))).await;
    found
        .expect("the status was not reached in time")
        .expect("the account's task ended")
        .clone()
}

pub fn is_signed_in(status: &AccountStatus) -> bool {
    matches!(status, AccountStatus::SignedIn { .. })
}

pub fn is_signed_out(status: &AccountStatus) -> bool {
    matches!(status, AccountStatus::SignedOut { .. })
}

/// Answers by a function of the request.
pub struct By<F>(pub F);

impl<F: Fn(&Request) -> ResponseTemplate + Send + Sync> Respond for By<F> {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        (self.0)(request)
    }
}

/// Runs a test in a process of its own: what is logged there is logged by nobody else.
pub fn passes(child_test: &str) {
    let output = crate::child::command(child_test).output().unwrap();
    let (stdout, stderr) = crate::child::texts(&output);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}{stderr}"
    );
}

/// Everything that is logged while it is installed, at every level.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    pub fn subscriber(&self) -> impl tracing::Subscriber + use<> {
        let sink = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || sink.clone())
            .finish()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
