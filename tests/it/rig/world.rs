//! A simulated cloud, an embedded broker and a configuration that points at both.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tesla2mqtt::broker::{self, Embedded};
use tesla2mqtt::config;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{Account, Cloud, CloudOptions, Login};
use tesla2mqtt::sim::{CarSpec, Plan};

pub const ACCOUNT: &str = "home";

/// Both, until dropped.
pub struct World {
    pub cloud: Cloud,
    pub broker: Embedded,
}

impl World {
    pub async fn with(options: CloudOptions) -> Self {
        tesla2mqtt::api::tls::install_provider();
        let cloud = Cloud::start(options).await.expect("a cloud on loopback");
        cloud.add_account(Account::new(ACCOUNT));
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
        let mut spec = CarSpec::new(vin(number), Plan::parked());
        spec.time_to_sleep = Duration::from_hours(24);
        spec.awake_at_start = true;
        self.cloud.add_car(ACCOUNT, spec);
        vin(number)
    }

    /// A car that sleeps and is never used.
    pub fn add_sleeping_car(&self, number: u32) -> Vin {
        self.cloud
            .add_car(ACCOUNT, CarSpec::new(vin(number), Plan::parked()));
        vin(number)
    }

    /// The configuration of a Fleet account with this refresh token.
    pub fn fleet_config(&self, refresh_token: &str) -> String {
        let url = self.cloud.url();
        self.config(&format!(
            "api = \"fleet\"\nclient_id = \"client-of-the-test\"\nrefresh_token = \"{refresh_token}\"\napi_url = \"{url}\"\nauth_url = \"{url}\"\n"
        ))
    }

    pub fn fresh_fleet_config(&self) -> String {
        let (refresh_token, _) = self.cloud.issue_tokens(ACCOUNT, Login::Fleet);
        self.fleet_config(&refresh_token)
    }

    /// A configuration around the lines of one account.
    pub fn config(&self, account: &str) -> String {
        format!(
            "[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n\
             [state]\ndirectory = \"state\"\n\
             [[accounts]]\nname = \"{ACCOUNT}\"\n{account}",
            port = self.broker.addr.port(),
        )
    }
}

/// A VIN of its own for each number.
pub fn vin(number: u32) -> Vin {
    Vin::new(&format!("LRW3E7EK5PC{number:06}")).expect("a legal VIN")
}

/// An embedded broker; port 0 lets the system choose.
pub async fn broker_on(port: u16) -> Embedded {
    let settings = config::Broker {
        enabled: true,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        username: None,
        password: None,
    };
    broker::start(&settings)
        .await
        .expect("a broker on loopback")
}
