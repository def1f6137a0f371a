//! How the bridge speaks about itself: `<base>/bridge/...` and its own discovery message.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::memory;
use super::publishing::setup;
use super::removals::Removals;
use crate::api::{Account, AccountStatus};
use crate::catalogue::BridgeFacts;
use crate::clock;
use crate::config::{Api, Settings};
use crate::discovery::{self, AnnounceStep, Announced, Announcer, Setup};
use crate::model::{Now, Vin};
use crate::mqtt::{Connection, Handle};
use crate::outbox::Publish;
use crate::policy::GovernorStatus;
use crate::topics;

/// A projection moves with every second of the month; it is said anew after this, or when the
/// money that is spent changes.
const PROJECT_EVERY: Duration = Duration::from_mins(10);

/// What brokers and Home Assistant were told, over restarts: `<state>/bridge.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    base: String,
    /// Home Assistant's, where it was told.
    prefix: String,
    accounts: BTreeSet<String>,
    /// Facts of the bridge and of its accounts: a later version may have less.
    bridge_keys: BTreeSet<String>,
    account_keys: BTreeSet<String>,
    announced: Announced,
}

/// What was last projected, when, and from which expense.
struct Projection {
    at: Duration,
    dollars: f64,
    projected: f64,
}

/// The bridge's own voice.
pub struct OwnVoice {
    mqtt: Handle,
    started_at: Timestamp,
    last_error: Option<String>,
    announcer: Announcer,
    projections: BTreeMap<String, Projection>,
    told: Told,
    /// What was told below another base topic or prefix, until it is taken back.
    elsewhere: Option<Told>,
    path: PathBuf,
}

impl OwnVoice {
    /// Nothing said yet in this run.
    pub fn new(mqtt: Handle, settings: &Settings) -> Self {
        let path = path(settings);
        let here = here(settings);
        let (told, elsewhere) = match read(&path, &here) {
            Some(told) if (&told.base, &told.prefix) == (&here.base, &here.prefix) => (told, None),
            other => (here, other),
        };
        Self {
            announcer: Announcer::new(told.announced.clone()),
            projections: BTreeMap::new(),
            told,
            elsewhere,
            path,
            mqtt,
            started_at: clock::now().wall,
            last_error: None,
        }
    }

    /// What an earlier run told below another base topic or prefix; to be removed for good before
    /// anything else is told.
    pub fn left_elsewhere(&mut self, settings: &Settings) -> Vec<String> {
        let Some(old) = self.elsewhere.take() else {
            return Vec::new();
        };
        let base = &old.base;
        let mut topics = vec![discovery::bridge_topic(&Setup {
            prefix: old.prefix.clone(),
            base: base.clone(),
            ..setup(settings)
        })];
        if *base != self.told.base {
            let of_accounts = old.accounts.iter().flat_map(|name| {
                let keys = old.account_keys.iter();
                keys.map(move |key| topics::of_account(base, name, key))
            });
            let of_bridge = old.bridge_keys.iter().map(String::as_str);
            topics.extend(of_accounts);
            topics.extend(
                of_bridge
                    .chain(["info", "state"])
                    .map(|key| topics::of_bridge(base, key)),
            );
        }
        topics
    }

    /// Home Assistant has started.
    pub fn birth(&mut self) {
        self.announcer.birth();
    }

    /// Tells Home Assistant of the bridge and its accounts. Like a car's message it waits for the
    /// broker, and keeps its distances in real time; call it again and again.
    pub async fn announce(&mut self, settings: &Settings) {
        let is_up = matches!(*self.mqtt.connection().borrow(), Connection::Up(_));
        let now = Now {
            mono: clock::uptime(),
            wall: clock::now().wall,
        };
        self.announcer.connection(now, is_up);
        if !is_up {
            return;
        }
        if !settings.homeassistant.enabled {
            self.withdraw(settings).await;
            return;
        }
        let accounts: Vec<&str> = names(settings).collect();
        self.announcer
            .offer(now, discovery::bridge(&setup(settings), &accounts));
        while let AnnounceStep::Publish {
            topic,
            payload,
            gone,
        } = self.announcer.next(now)
        {
            self.mqtt.publish(Publish::State { topic, payload }).await;
            for key in gone {
                let topic = topics::of_bridge(&settings.mqtt.base_topic, &key);
                self.mqtt.publish(Publish::Delete { topic }).await;
            }
        }
        let announced = self.announcer.announced().clone();
        self.remember(|told| told.announced = announced).await;
    }

    /// Takes back what an earlier run told Home Assistant.
    async fn withdraw(&mut self, settings: &Settings) {
        if self.told.announced != Announced::default() {
            let topic = discovery::bridge_topic(&setup(settings));
            self.mqtt.publish(Publish::Delete { topic }).await;
            self.remember(|told| told.announced = Announced::default())
                .await;
        }
    }

    /// Says what each account has spent, and takes back what was said of accounts that the
    /// configuration no longer has.
    pub async fn say_accounts(
        &mut self,
        settings: &Settings,
        accounts: Vec<(&str, GovernorStatus)>,
        now: Now,
        removals: &mut Removals,
    ) {
        let base = &settings.mqtt.base_topic;
        for (name, mut status) in accounts {
            status.projected_dollars = self.projected(name, &status, now);
            for message in topics::account(base, name, &status) {
                self.mqtt.publish(message).await;
            }
        }
        let names: BTreeSet<String> = names(settings).map(str::to_owned).collect();
        let left = self.told.accounts.difference(&names);
        let left = left.flat_map(|name| topics::every_topic_of_account(base, name));
        let mut gone: Vec<String> = left.collect();
        let (bridge_keys, account_keys) = topics::keys_of_the_bridge();
        let dropped = self.told.bridge_keys.difference(&bridge_keys);
        gone.extend(dropped.map(|key| topics::of_bridge(base, key)));
        for key in self.told.account_keys.difference(&account_keys) {
            let accounts = self.told.accounts.iter();
            gone.extend(accounts.map(|name| topics::of_account(base, name, key)));
        }
        removals.remove(gone).await;
        self.remember(|told| {
            told.accounts = names;
            told.bridge_keys = bridge_keys;
            told.account_keys = account_keys;
        })
        .await;
    }

    fn projected(&mut self, name: &str, status: &GovernorStatus, now: Now) -> f64 {
        let last = self.projections.get(name).filter(|last| {
            last.dollars.total_cmp(&status.dollars).is_eq()
                && now.mono.saturating_sub(last.at) < PROJECT_EVERY
        });
        if let Some(last) = last {
            return last.projected;
        }
        let (dollars, projected) = (status.dollars, status.projected_dollars);
        let at = now.mono;
        let new = Projection {
            at,
            dollars,
            projected,
        };
        self.projections.insert(name.to_owned(), new);
        projected
    }

    async fn remember(&mut self, change: impl FnOnce(&mut Told)) {
        let mut told = self.told.clone();
        change(&mut told);
        if told == self.told {
            return;
        }
        self.told = told;
        memory::keep(&self.path, &self.told, "what the broker was told").await;
    }

    /// An account's news: the log's line, and the error that a person should see.
    pub fn heed(&mut self, account: &str, status: &AccountStatus) {
        let trouble = match status {
            AccountStatus::SignedOut { sentence } | AccountStatus::Unreachable { sentence } => {
                sentence
            }
            AccountStatus::SigningIn | AccountStatus::SignedIn { .. } => return,
        };
        self.trouble(account, trouble);
    }

    /// An error of an account's that a person should see.
    pub fn trouble(&mut self, account: &str, sentence: &str) {
        self.last_error = Some(format!("account {account}: {sentence}"));
    }

    /// Why Tesla refuses to tell of a car.
    pub fn trouble_of_car(&mut self, vin: &Vin, sentence: &str) {
        self.last_error = Some(format!("car {vin}: {sentence}"));
    }

    /// Says the bridge's facts; what did not change is not sent.
    pub async fn say<'a>(
        &self,
        settings: &Settings,
        accounts: impl Iterator<Item = &'a Account>,
        cars: impl Iterator<Item = &'a Vin>,
    ) {
        let cars: Vec<&str> = cars.map(Vin::as_str).collect();
        let base = &settings.mqtt.base_topic;
        let facts = BridgeFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            n_cars: cars.len(),
            last_error: self.last_error.clone(),
        };
        for message in topics::bridge(base, &facts) {
            self.mqtt.publish(message).await;
        }
        let accounts: Vec<_> = accounts
            .map(|account| {
                json!({
                    "name": account.name(),
                    "api": api_word(account.api()),
                    "status": account.status().borrow().word(),
                })
            })
            .collect();
        let info = json!({
            "version": facts.version,
            "started_at": self.started_at.to_string(),
            "accounts": accounts,
            "cars": cars,
            "doors": ["polling"],
        });
        let topic = format!("{base}/bridge/info");
        let payload = info.to_string().into();
        self.mqtt.publish(Publish::State { topic, payload }).await;
    }
}

fn names(settings: &Settings) -> impl Iterator<Item = &str> {
    settings
        .accounts
        .iter()
        .map(|account| account.name.as_str())
}

/// The base topic and the prefix below which an earlier run told of the bridge.
pub fn told_at(settings: &Settings) -> Option<(String, String)> {
    let told = read(&path(settings), &here(settings))?;
    Some((told.base, told.prefix))
}

fn here(settings: &Settings) -> Told {
    Told {
        base: settings.mqtt.base_topic.clone(),
        prefix: settings.homeassistant.discovery_prefix.clone(),
        ..Told::default()
    }
}

fn path(settings: &Settings) -> PathBuf {
    file(&settings.state.directory)
}

fn file(state_directory: &Path) -> PathBuf {
    state_directory.join("bridge.json")
}

/// Whether a bridge has spoken that kept its state there.
pub fn has_spoken(state_directory: &Path) -> bool {
    file(state_directory).exists()
}

/// A file that is missing or damaged costs a component that stays in Home Assistant, no more.
/// Where an older version did not say, things were told `here`.
fn read(path: &Path, here: &Told) -> Option<Told> {
    let mut told: Told = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    for (said, here) in [
        (&mut told.base, &here.base),
        (&mut told.prefix, &here.prefix),
    ] {
        if said.is_empty() {
            said.clone_from(here);
        }
    }
    Some(told)
}

fn api_word(api: Api) -> &'static str {
    match api {
        Api::Fleet => "fleet",
        Api::Owner => "owner",
        Api::Password => "password",
    }
}
