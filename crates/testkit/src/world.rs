//! A simulated cloud, an embedded broker and a configuration that points at both.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tesla2mqtt::broker::{self, BrokerError, Embedded};
use tesla2mqtt::config;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{CallKind, Cloud, CloudOptions, Login, Request, TeslaAccount};
use tesla2mqtt::sim::{CarSpec, Deed, Plan, Segment};

use super::ports::free_port;
use super::{SOON, deadline, eventually, left};

pub const ACCOUNT: &str = "home";

/// Both, until dropped.
pub struct World {
    pub cloud: Cloud,
    pub broker: Embedded,
}

impl World {
    pub async fn with(options: CloudOptions) -> Self {
        tesla2mqtt::api::install_provider();
        // A bridge in this process and its cloud live by the same clocks, however fast they run.
        let options = CloudOptions {
            now: tesla2mqtt::clock::now,
            ..options
        };
        let cloud = Cloud::start(options).await.expect("a cloud on loopback");
        cloud.add_account(TeslaAccount::new(ACCOUNT));
        Self {
            cloud,
            broker: broker_on(0).await,
        }
    }

    pub async fn new() -> Self {
        Self::with(CloudOptions::default()).await
    }

    /// A car that nobody uses and that never sleeps within a test.
    pub fn add_awake_car(&self, number: u32) -> Vin {
        self.add_awake_car_of(ACCOUNT, number)
    }

    /// The same on another account.
    pub fn add_awake_car_of(&self, account: &str, number: u32) -> Vin {
        let mut spec = CarSpec::new(vin(number), Plan::parked());
        spec.time_to_sleep = Duration::from_hours(24);
        spec.awake_at_start = true;
        self.cloud.add_car(account, spec);
        vin(number)
    }

    /// A car that was just parked and falls asleep after twelve minutes.
    pub fn add_parked_car(&self, number: u32) -> Vin {
        let mut spec = CarSpec::new(vin(number), Plan::parked());
        spec.awake_at_start = true;
        self.cloud.add_car(ACCOUNT, spec);
        vin(number)
    }

    /// A car that drives for longer than any test takes.
    pub fn add_driven_car(&self, number: u32) -> Vin {
        let drive = Segment {
            start: Duration::ZERO,
            deed: Deed::Drive {
                length: Duration::from_hours(1),
                km: 60.0,
            },
        };
        let spec = CarSpec::new(vin(number), Plan::once(vec![drive]));
        self.cloud.add_car(ACCOUNT, spec);
        vin(number)
    }

    /// A car that sleeps and is never used.
    pub fn add_sleeping_car(&self, number: u32) -> Vin {
        self.cloud
            .add_car(ACCOUNT, CarSpec::new(vin(number), Plan::parked()));
        vin(number)
    }

    /// The configuration of one Fleet account with this refresh token.
    pub fn fleet_config(&self, refresh_token: &str) -> String {
        self.config(&self.fleet_account(ACCOUNT, refresh_token))
    }

    pub fn fresh_fleet_config(&self) -> String {
        self.config(&self.fresh_fleet_account(ACCOUNT))
    }

    /// The `[[accounts]]` table of a Fleet account.
    pub fn fleet_account(&self, name: &str, refresh_token: &str) -> String {
        let url = self.cloud.url();
        format!(
            "[[accounts]]\nname = \"{name}\"\napi = \"fleet\"\nclient_id = \"client-of-the-test\"\n\
             refresh_token = \"{refresh_token}\"\napi_url = \"{url}\"\nauth_url = \"{url}\"\n"
        )
    }

    pub fn fresh_fleet_account(&self, name: &str) -> String {
        let (refresh_token, _) = self.cloud.issue_tokens(name, Login::Fleet);
        self.fleet_account(name, &refresh_token)
    }

    /// A configuration around `[[accounts]]` tables.
    pub fn config(&self, accounts: &str) -> String {
        config_for(self.broker.addr.port(), accounts)
    }

    /// The calls of a kind about one car.
    pub fn n_calls(&self, call: CallKind, vin: &Vin) -> usize {
        let about = |request: &&Request| request.call == call && request.vin.as_ref() == Some(vin);
        self.cloud
            .read_ledger(|ledger| ledger.requests().filter(about).count())
    }

    /// Every call about one car, oldest first.
    pub fn calls(&self, vin: &Vin) -> Vec<Request> {
        let about = |request: &&Request| request.vin.as_ref() == Some(vin);
        self.cloud
            .read_ledger(|ledger| ledger.requests().filter(about).cloned().collect())
    }

    /// Waits until there was a call of this kind.
    pub async fn until_asked(&self, call: CallKind, limit: Duration) {
        let asked = self.cloud.until_more_than(0, call);
        let in_time = tokio::time::timeout(limit, asked).await;
        assert!(in_time.is_ok(), "not within {limit:?}: a {call:?} call");
    }

    /// Waits until so much of the cloud's time has passed.
    pub async fn passes(&self, time: Duration) {
        let until = self.cloud.now() + time;
        let is_over = || self.cloud.now() >= until;
        eventually("the cloud's time", 10 * SOON, is_over).await;
    }
}

/// A configuration for a broker at this port, around `[[accounts]]` tables.
pub fn config_for(port: u16, accounts: &str) -> String {
    format!(
        "[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n\
         [polling]\nstart_spread = \"0s\"\n\
         [state]\ndirectory = \"state\"\n{accounts}"
    )
}

/// A VIN of its own for each number.
pub fn vin(number: u32) -> Vin {
    Vin::new(&format!("LRW3E7EK5PC{number:06}")).expect("a legal VIN")
}

/// An embedded broker; port 0 lets the system choose one that stays ours.
pub async fn broker_on(port: u16) -> Embedded {
    let port = if port == 0 { free_port() } else { port };
    let settings = config::BrokerSettings {
        enabled: true,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        username: None,
        password: None,
    };
    let end = deadline(SOON);
    loop {
        match broker::start(&settings).await {
            // A listener that was just closed lives on for a moment in a process that another test starts.
            Err(BrokerError::PortTaken(_)) if left(end) > Duration::ZERO => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            started => return started.expect("a broker on loopback"),
        }
    }
}
