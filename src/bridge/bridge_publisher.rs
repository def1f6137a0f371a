//! What the bridge publishes of itself and of its accounts: `<base>/bridge/...` and its own
//! discovery message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::publishing::setup;
use super::retained::Retained;
use crate::api::Account;
use crate::catalogue::BridgeFacts;
use crate::clock;
use crate::config::{Api, Settings};
use crate::discovery::{self, AnnounceStep, Announced, Announcer};
use crate::failure::Explanation;
use crate::model::{DeviceId, Now};
use crate::mqtt::{Connection, Handle};
use crate::outbox::Publish;
use crate::policy::GovernorStatus;
use crate::retained::{Declaration, Manifest, Owner};
use crate::topics;

/// A projection moves with every second of the month; it is said anew after this, or when the
/// money that is spent changes.
const PROJECT_EVERY: Duration = Duration::from_mins(10);

/// What was last projected, when, and from which expense.
struct Projection {
    at: Duration,
    dollars: f64,
    projected: f64,
}

/// Publishes what the bridge says of itself.
pub(super) struct BridgePublisher {
    mqtt: Handle,
    retained: Retained,
    started_at: Timestamp,
    announcer: Announcer,
    projections: BTreeMap<String, Projection>,
}

/// The bridge's topics, for the manifest; `at_broker` are those that it has there.
fn declaration(
    settings: &Settings,
    at_broker: BTreeSet<String>,
    announced: &Announced,
) -> Declaration {
    let base = &settings.mqtt.base_topic;
    let is_announced = |key: &str| announced.components.contains_key(key);
    let level = topics::of_bridge(base, "");
    let dropped = dropped(at_broker, &level, is_announced);
    let keys = topics::keys_of_the_bridge();
    Declaration::Topics {
        owner: Owner::Bridge,
        topics: keys
            .map(|key| topics::of_bridge(base, key))
            .chain(dropped)
            .collect(),
    }
}

/// An account's topics, for the manifest, likewise.
fn of_account(
    base: &str,
    name: &str,
    at_broker: BTreeSet<String>,
    announced: &Announced,
) -> BTreeSet<String> {
    let component = |key: &str| format!("{name}_{key}");
    let is_announced = |key: &str| announced.components.contains_key(&component(key));
    let level = topics::of_account(base, name, "");
    let dropped = dropped(at_broker, &level, is_announced);
    topics::every_topic_of_account(base, name)
        .chain(dropped)
        .collect()
}

/// The topics of facts that a later version dropped: they stay for as long as Home Assistant has not
/// been told that they are gone.
fn dropped(
    at_broker: BTreeSet<String>,
    level: &str,
    is_announced: impl Fn(&str) -> bool,
) -> impl Iterator<Item = String> {
    let is_awaited = move |topic: &String| topic.strip_prefix(level).is_some_and(&is_announced);
    at_broker.into_iter().filter(is_awaited)
}

/// What the bridge publishes as soon as there is a broker.
pub(super) fn first_declaration(settings: &Settings, manifest: &Manifest) -> Declaration {
    let announced = manifest.announced(&discovery_topic(settings));
    let at_broker = manifest.topics_of(&Owner::Bridge).collect();
    declaration(settings, at_broker, &announced)
}

/// The topic of the bridge's discovery message.
fn discovery_topic(settings: &Settings) -> String {
    discovery::bridge_topic(&setup(settings))
}

fn discovery_message(settings: &Settings) -> discovery::Message {
    let accounts: Vec<&str> = names(settings).collect();
    discovery::bridge(&setup(settings), &accounts)
}

impl BridgePublisher {
    /// Nothing said yet in this run.
    pub(super) async fn new(mqtt: Handle, retained: Retained, settings: &Settings) -> Self {
        let announced = retained.announced(&discovery_topic(settings)).await;
        Self {
            announcer: Announcer::new(announced),
            projections: BTreeMap::new(),
            retained,
            mqtt,
            started_at: clock::now().wall,
        }
    }

    /// Home Assistant has started.
    pub(super) fn birth(&mut self) {
        self.announcer.birth();
    }

    /// Tells Home Assistant of the bridge and its accounts. Like a car's message it waits for the
    /// broker, and keeps its distances in real time; call it again and again.
    pub(super) async fn announce(&mut self, settings: &Settings) {
        let is_enabled = settings.homeassistant.enabled;
        let topic = is_enabled.then(|| discovery_topic(settings));
        self.retained
            .declare_topics(Owner::BridgeDiscovery, topic)
            .await;
        let is_up = matches!(*self.mqtt.connection().borrow(), Connection::Up(_));
        let now = Now {
            mono: clock::uptime(),
            wall: clock::now().wall,
        };
        self.announcer.connection(now, is_up);
        if !is_up || !is_enabled {
            return;
        }
        self.announcer.offer(now, discovery_message(settings));
        while let AnnounceStep::Publish {
            topic,
            payload,
            may_know,
        } = self.announcer.next(now)
        {
            let known = |announced: &Announced| Declaration::Announced {
                topic: topic.clone(),
                announced: announced.clone(),
            };
            self.retained.declare(known(&may_know)).await;
            let message = Publish::State {
                topic: topic.clone(),
                payload,
            };
            self.mqtt.publish(message).await;
            self.retained
                .declare(known(self.announcer.announced()))
                .await;
        }
    }

    /// Declares what the bridge and its accounts publish; what is there of accounts that the
    /// configuration no longer has, or of an earlier version, goes.
    pub(super) async fn declare(&self, settings: &Settings) {
        let announced = if settings.homeassistant.enabled {
            self.announcer.announced().clone()
        } else {
            Announced::default()
        };
        let at_broker = self.retained.topics_of(&Owner::Bridge).await;
        let of_bridge = declaration(settings, at_broker, &announced);
        self.retained.declare(of_bridge).await;
        let base = &settings.mqtt.base_topic;
        for name in names(settings) {
            let owner = Owner::Account(name.to_owned());
            let at_broker = self.retained.topics_of(&owner).await;
            let topics = of_account(base, name, at_broker, &announced);
            self.retained.declare_topics(owner, topics).await;
        }
        for owner in self.retained.owners().await {
            let is_gone = |name: &str| names(settings).all(|other| other != name);
            if matches!(&owner, Owner::Account(name) if is_gone(name)) {
                self.retained.declare_topics(owner, None).await;
            }
        }
    }

    /// Says what each account has spent.
    pub(super) async fn say_accounts(
        &mut self,
        settings: &Settings,
        accounts: Vec<(&str, GovernorStatus)>,
        now: Now,
    ) {
        self.declare(settings).await;
        let base = &settings.mqtt.base_topic;
        for (name, mut status) in accounts {
            status.projected_dollars = self.projected(name, &status, now);
            for message in topics::account(base, name, &status) {
                self.mqtt.publish(message).await;
            }
        }
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

    /// Says the bridge's facts; what did not change is not sent.
    pub(super) async fn say<'a>(
        &self,
        settings: &Settings,
        last_error: Option<Explanation>,
        accounts: impl Iterator<Item = &'a Account>,
        cars: impl Iterator<Item = &'a DeviceId>,
    ) {
        let cars: Vec<&str> = cars.map(DeviceId::as_str).collect();
        let base = &settings.mqtt.base_topic;
        let facts = BridgeFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            n_cars: cars.len(),
            last_error,
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

fn api_word(api: Api) -> &'static str {
    match api {
        Api::Fleet => "fleet",
        Api::Owner => "owner",
        Api::Password => "password",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    /// Those of accounts were declared as the bridge's.
    #[test]
    fn a_dropped_fact_stays_whose_it_was_until_home_assistant_knows_that_it_is_gone() {
        let settings = crate::config::from_text(
            "[mqtt]\nurl = \"mqtt://localhost\"\n[[accounts]]\nname = \"home\"\napi = \"owner\"\n\
             refresh_token = \"t\"\n",
        )
        .expect("a configuration");
        let of_bridge = set(&["tesla2mqtt/bridge/dropped", "tesla2mqtt/bridge/never_told"]);
        let at_account = "tesla2mqtt/bridge/accounts/home";
        let account_at_broker = BTreeSet::from([
            format!("{at_account}/dollars"),
            format!("{at_account}/dropped"),
        ]);
        let declared = |keys: &[&str]| {
            let components = keys
                .iter()
                .map(|key| ((*key).to_owned(), "sensor".to_owned()));
            let announced = Announced {
                components: components.collect(),
                ..Announced::default()
            };
            let Declaration::Topics { topics, .. } =
                declaration(&settings, of_bridge.clone(), &announced)
            else {
                panic!("topics")
            };
            let account_at_broker = account_at_broker.clone();
            let of_account = of_account("tesla2mqtt", "home", account_at_broker, &announced);
            let has = |topics: &BTreeSet<String>, key: &str| {
                topics.iter().any(|topic| topic.ends_with(key))
            };
            assert!(has(&topics, "/last_error") && has(&of_account, "/dollars"));
            assert!(!has(&topics, "never_told") && !has(&topics, "home_dropped"));
            (has(&topics, "/dropped"), has(&of_account, "/dropped"))
        };
        assert_eq!(declared(&["dropped", "home_dropped"]), (true, true));
        assert_eq!(declared(&["home_dropped"]), (false, true));
        assert_eq!(declared(&[]), (false, false));
    }
}
