//! The validated configuration: every value checked, every default filled in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::log::LogSettings;
use crate::model::Vin;
use crate::policy::{
    self, ClassSetting, GovernorConfig, MonthlyLimit, PolicyConfig, Preset, Prices,
};
use crate::trips::Tariff;

/// Everything that the owner can set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker we publish to.
    pub mqtt: MqttSettings,
    /// The broker inside the bridge.
    pub broker: BrokerSettings,
    /// Home Assistant's discovery.
    pub homeassistant: HomeAssistantSettings,
    /// Tesla accounts, at least one.
    pub accounts: Vec<AccountSettings>,
    /// Per-car settings by VIN.
    pub cars: BTreeMap<Vin, CarSettings>,
    /// How often to ask.
    pub polling: PollingSettings,
    /// What asking may cost.
    pub budget: BudgetSettings,
    /// What a kilowatt-hour costs.
    pub tariff: Tariff,
    /// Commands to the cars.
    pub commands: CommandsSettings,
    /// Topic trees of other bridges.
    pub compat: CompatSettings,
    /// Reserved for a status board.
    pub web: WebSettings,
    /// Where state is kept.
    pub state: StateSettings,
    /// The log.
    pub log: LogSettings,
}

impl Settings {
    /// Every secret in it, for the log to hide.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        let accounts = self.accounts.iter();
        let of_accounts = accounts.flat_map(|a| [&a.refresh_token, &a.client_secret, &a.password]);
        of_accounts
            .chain([&self.mqtt.password, &self.broker.password])
            .flatten()
    }
}

/// The broker we publish to.
#[derive(Debug, Clone)]
pub struct MqttSettings {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Set for `mqtts://`.
    pub tls: Option<TlsSettings>,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<SecretString>,
    /// Client id; `None`: one is made and kept in the state directory.
    pub client_id: Option<String>,
    /// Protocol version.
    pub protocol: Protocol,
    /// First level(s) of every topic; no wildcard, no leading or trailing slash.
    pub base_topic: String,
    /// Keep-alive interval.
    pub keep_alive: Duration,
}

/// TLS towards a server of the owner's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file of the CA to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate (chain).
    pub client_cert_file: Option<PathBuf>,
    /// PEM file of its key.
    pub client_key_file: Option<PathBuf>,
}

pub use crate::mqtt_client::Protocol;

/// The broker inside the bridge.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// Whether to run it.
    pub enabled: bool,
    /// Address; loopback unless a password is set.
    pub listen: SocketAddr,
    /// User name asked of clients.
    pub username: Option<String>,
    /// Password asked of clients.
    pub password: Option<SecretString>,
}

/// Home Assistant's discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAssistantSettings {
    /// Whether to describe the cars to it.
    pub enabled: bool,
    /// First level of discovery topics.
    pub discovery_prefix: String,
    /// Its birth and will topic.
    pub status_topic: String,
    /// Its birth payload.
    pub status_online: String,
}

/// One Tesla account.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// The owner's name for it; unique, letters, digits, `-` and `_`.
    pub name: String,
    /// Generation of login and API.
    pub api: Api,
    /// Refresh token from the configuration (inline, file or credential).
    pub refresh_token: Option<SecretString>,
    /// OAuth client id.
    pub client_id: Option<String>,
    /// OAuth client secret (the 2019 login, and Fleet code exchange).
    pub client_secret: Option<SecretString>,
    /// The 2019 login's e-mail.
    pub email: Option<String>,
    /// The 2019 login's password.
    pub password: Option<SecretString>,
    /// Fleet region; `None`: from the token, or `users/region`.
    pub region: Option<Region>,
    /// Base URL of the API instead of Tesla's.
    pub api_url: Option<Url>,
    /// Base URL of the token host instead of Tesla's.
    pub auth_url: Option<Url>,
    /// PEM file of a CA to trust in addition, for a look-alike host.
    pub ca_file: Option<PathBuf>,
    /// Stands for that file's content: a renewed one is a change of the account.
    pub ca_fingerprint: Option<u64>,
}

/// The three generations of Tesla's cloud API (tesla-api.md, section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Official, paid per use.
    Fleet,
    /// The app's private API: free, best effort.
    Owner,
    /// The retired 2019 login, for compatible servers.
    Password,
}

/// Fleet API regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// North America, Asia-Pacific.
    Na,
    /// Europe, Middle East, Africa.
    Eu,
    /// China.
    Cn,
}

/// Settings of one car.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarSettings {
    /// Topic level instead of the VIN; unique, one legal level.
    pub alias: Option<String>,
    /// The car's number in TeslaMate's topics; unique.
    pub teslamate_number: Option<u32>,
}

/// How often to ask (sleep policy, section 5.4).
#[derive(Debug, Clone, PartialEq)]
pub struct PollingSettings {
    /// The set of intervals to start from; `None`: the one that suits the account's API.
    pub preset: Option<Preset>,
    /// Intervals that replace the preset's, by the name of their [`policy::FIELDS`] row.
    pub intervals: BTreeMap<&'static str, Duration>,
    /// Whether data calls keep the car awake.
    pub data_holds_awake: ClassSetting,
    /// Whether an unlocked car counts as held awake.
    pub unlocked_holds: bool,
    /// A car that Tesla has said nothing about for so long is published as unavailable.
    pub unavailable_after: Duration,
}

impl PollingSettings {
    /// The owner's preset, or the one that suits an account that speaks to `api`.
    pub fn preset(&self, api: Api) -> Preset {
        self.preset.unwrap_or(match api {
            Api::Fleet => Preset::Metered,
            Api::Owner | Api::Password => Preset::Unmetered,
        })
    }

    /// What the policy of a car works with whose account speaks to `api`.
    pub fn policy(&self, api: Api) -> PolicyConfig {
        let mut config = PolicyConfig::preset(self.preset(api));
        for field in policy::FIELDS {
            if let Some(interval) = self.intervals.get(field.name) {
                field.set(&mut config, *interval);
            }
        }
        config.class = self.data_holds_awake;
        config.unlocked_holds = self.unlocked_holds;
        config
    }
}

/// What asking may cost in a calendar month.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetSettings {
    /// The limit.
    pub limit: MonthlyLimit,
    /// What Tesla charges for a call, in dollars.
    pub prices: Prices,
    /// What Tesla charges for one streamed signal, in dollars.
    pub signal_price: f64,
}

impl BudgetSettings {
    /// What the governor of an account works with that speaks to `api`. Only Fleet is billed.
    pub fn governor(&self, api: Api) -> GovernorConfig {
        if api != Api::Fleet {
            return GovernorConfig::unmetered();
        }
        GovernorConfig {
            limit: Some(self.limit),
            prices: self.prices,
            ..GovernorConfig::metered()
        }
    }
}

/// Commands to the cars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandsSettings {
    /// Off until the owner says otherwise.
    pub enabled: bool,
}

/// Topic trees of other bridges, for what reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompatSettings {
    /// Whether TeslaMate's topics are published too.
    pub teslamate: bool,
    /// TeslaMate's `MQTT_NAMESPACE`: one more level in its topics.
    pub teslamate_namespace: Option<String>,
}

/// Reserved for a status board: nothing listens there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSettings {
    /// Address.
    pub listen: SocketAddr,
}

/// Where state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSettings {
    /// Directory, made 0700.
    pub directory: PathBuf,
}
