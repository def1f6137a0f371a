//! What the bridge says of itself and of its accounts: `<base>/bridge/...` and its own discovery
//! message.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{Announcement, DeclaredTopics, Publication};
use crate::catalogue::BridgeFacts;
use crate::discovery::{self, Announced, Setup};
use crate::failure::Explanation;
use crate::model::{ClockSpeed, DeviceId, Now};
use crate::outbox::Publish;
use crate::policy::GovernorStatus;
use crate::retained::{Declaration, Manifest, Owner};
use crate::topics::{self, LastValues, TopicValue};

/// A projection moves with every second of the month; it is said anew after this, or when the
/// money that is spent changes.
const PROJECT_EVERY: Duration = Duration::from_mins(10);

/// What there is to say of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountReport {
    /// Its name in the configuration.
    pub name: String,
    /// The word for the generation of Tesla's API that it uses: `fleet`.
    pub api: &'static str,
    /// The word for its login: `signed_in`.
    pub login: &'static str,
    /// What it has spent.
    pub spent: GovernorStatus,
}

/// Speaks for the bridge and its accounts. All devices' publishers have their own.
#[derive(Debug, Clone)]
pub struct BridgePublisher {
    setup: Setup,
    started_at: Timestamp,
    /// The accounts that are announced.
    accounts: Vec<String>,
    announcement: Announcement,
    declared: DeclaredTopics,
    values: LastValues<String>,
    projections: BTreeMap<String, Projection>,
    next: VecDeque<Publication>,
}

/// What was last projected, when, and from which expense.
#[derive(Debug, Clone)]
struct Projection {
    at: Duration,
    dollars: f64,
    projected: f64,
}

/// What a bridge publishes as soon as there is a broker, whatever it has to say.
pub fn first_declaration(setup: &Setup, manifest: &Manifest) -> Declaration {
    let announced = manifest.announced(&discovery::bridge_topic(setup));
    let at_broker: Vec<String> = manifest.topics_of(&Owner::Bridge).collect();
    Declaration::Topics {
        owner: Owner::Bridge,
        topics: topics_of_bridge(&setup.base, at_broker.iter(), &announced),
    }
}

impl BridgePublisher {
    /// Nothing said yet in this run. `announced` is what an earlier one told Home Assistant, which
    /// is told nothing if it is not `is_announced`; `at_broker` is what it has left there.
    pub fn new(
        setup: Setup,
        is_announced: bool,
        announced: Announced,
        at_broker: impl IntoIterator<Item = (Owner, BTreeSet<String>)>,
        started_at: Timestamp,
    ) -> Self {
        let is_own = |owner: &Owner| matches!(owner, Owner::Bridge | Owner::Account(_));
        let at_broker = at_broker.into_iter().filter(|(owner, _)| is_own(owner));
        Self {
            announcement: Announcement::new(is_announced, announced, ClockSpeed::REAL),
            setup,
            started_at,
            accounts: Vec::new(),
            declared: DeclaredTopics::of_earlier(at_broker),
            values: LastValues::default(),
            projections: BTreeMap::new(),
            next: VecDeque::new(),
        }
    }

    /// Home Assistant has started.
    pub fn birth(&mut self) {
        self.announcement.birth();
    }

    /// The broker is there, or not.
    pub fn connection(&mut self, is_up: bool) {
        self.announcement.connection(is_up);
    }

    /// Begins to say what has changed, ever anew: nothing is said twice. `configured` are the names
    /// of all accounts, `reports` are of those that are open, `cars` are those that are followed,
    /// `last_error` is what a person should see.
    pub fn begin(
        &mut self,
        configured: Vec<String>,
        reports: &[AccountReport],
        cars: &[DeviceId],
        last_error: Option<Explanation>,
        now: Now,
    ) {
        if self.accounts != configured {
            self.accounts = configured;
            self.announcement.redraw();
        }
        self.declare();
        let facts = BridgeFacts {
            version: self.setup.version.clone(),
            started_at: self.started_at,
            n_cars: cars.len(),
            last_error,
        };
        let base = self.setup.base.clone();
        let mut values: Vec<TopicValue> = topics::bridge(&base, &facts).collect();
        for report in reports {
            let spent = GovernorStatus {
                projected_dollars: self.projected(report, now),
                ..report.spent.clone()
            };
            values.extend(topics::account(&base, &report.name, &spent));
        }
        let mut messages = Vec::new();
        for (topic, entity, value) in values {
            if let Some(payload) = self.values.take(topic.clone(), entity, value) {
                messages.push(Publish::State { topic, payload });
            }
        }
        messages.push(self.info(reports, cars));
        self.next.push_back(Publication::Publish(messages));
    }

    /// What to declare or to say next; `None` when all is said.
    pub fn next(&mut self, now: Now) -> Option<Publication> {
        if let Some(publication) = self.next.pop_front() {
            return Some(publication);
        }
        let (setup, accounts) = (&self.setup, &self.accounts);
        let draw = |_: &Announced| {
            let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
            Some(discovery::bridge(setup, &accounts))
        };
        if let Some(announcing) = self.announcement.next(now, draw) {
            return Some(announcing);
        }
        // Home Assistant may have been told that something which it knew is gone.
        self.declare();
        self.next.pop_front()
    }

    /// Declares what the bridge and its accounts publish; what is there of accounts that the
    /// configuration no longer has, or of an earlier version, goes.
    fn declare(&mut self) {
        let base = &self.setup.base;
        let is_announced = self.announcement.is_enabled();
        let discovery = is_announced.then(|| discovery::bridge_topic(&self.setup));
        let announced = self.announcement.announced();
        let at_broker = self.declared.of(&Owner::Bridge);
        let of_bridge = topics_of_bridge(base, at_broker, announced);
        let mut declarations = vec![
            (Owner::BridgeDiscovery, discovery.into_iter().collect()),
            (Owner::Bridge, of_bridge),
        ];
        for name in &self.accounts {
            let owner = Owner::Account(name.clone());
            let topics = topics_of_account(base, name, self.declared.of(&owner), announced);
            declarations.push((owner, topics));
        }
        let is_gone = |owner: &&Owner| match owner {
            Owner::Account(name) => !self.accounts.contains(name),
            _ => false,
        };
        let gone: Vec<Owner> = self.declared.owners().filter(is_gone).cloned().collect();
        declarations.extend(gone.into_iter().map(|owner| (owner, BTreeSet::new())));
        for (owner, topics) in declarations {
            let Some(declaration) = self.declared.update(owner.clone(), topics.clone()) else {
                continue;
            };
            // What an account had said is removed with its topics: if it comes back, all is said again.
            if topics.is_empty()
                && let Owner::Account(name) = &owner
            {
                let gone: BTreeSet<String> = topics::every_topic_of_account(base, name).collect();
                self.values.retain(|topic| !gone.contains(topic));
            }
            self.next.push_back(Publication::Declare(declaration));
        }
    }

    fn projected(&mut self, report: &AccountReport, now: Now) -> f64 {
        let spent = &report.spent;
        let last = self.projections.get(&report.name).filter(|last| {
            last.dollars.total_cmp(&spent.dollars).is_eq()
                && now.mono.saturating_sub(last.at) < PROJECT_EVERY
        });
        if let Some(last) = last {
            return last.projected;
        }
        let projection = Projection {
            at: now.mono,
            dollars: spent.dollars,
            projected: spent.projected_dollars,
        };
        self.projections.insert(report.name.clone(), projection);
        spent.projected_dollars
    }

    fn info(&self, reports: &[AccountReport], cars: &[DeviceId]) -> Publish {
        let accounts = reports.iter().map(|report| {
            json!({
                "name": report.name,
                "api": report.api,
                "status": report.login,
            })
        });
        let info = json!({
            "version": self.setup.version,
            "started_at": self.started_at.to_string(),
            "accounts": accounts.collect::<Vec<_>>(),
            "cars": cars.iter().map(DeviceId::as_str).collect::<Vec<_>>(),
            "doors": ["polling"],
        });
        Publish::State {
            topic: topics::of_bridge(&self.setup.base, "info"),
            payload: info.to_string().into(),
        }
    }
}

/// The bridge's topics, for the manifest; `at_broker` are those that it has there.
fn topics_of_bridge<'a>(
    base: &str,
    at_broker: impl Iterator<Item = &'a String>,
    announced: &Announced,
) -> BTreeSet<String> {
    let is_known = |key: &str| announced.components.contains_key(key);
    let dropped = dropped(at_broker, &topics::of_bridge(base, ""), is_known);
    let facts = topics::keys_of_the_bridge().map(|key| topics::of_bridge(base, key));
    facts.chain(dropped).collect()
}

/// An account's topics, for the manifest, likewise.
fn topics_of_account<'a>(
    base: &str,
    name: &str,
    at_broker: impl Iterator<Item = &'a String>,
    announced: &Announced,
) -> BTreeSet<String> {
    let is_known = |key: &str| announced.components.contains_key(&format!("{name}_{key}"));
    let dropped = dropped(at_broker, &topics::of_account(base, name, ""), is_known);
    topics::every_topic_of_account(base, name)
        .chain(dropped)
        .collect()
}

/// The topics of facts that a later version dropped: they stay for as long as Home Assistant, which
/// knows them, has not been told that they are gone.
fn dropped<'a>(
    at_broker: impl Iterator<Item = &'a String>,
    level: &str,
    is_known: impl Fn(&str) -> bool,
) -> Vec<String> {
    let is_kept = |topic: &&String| topic.strip_prefix(level).is_some_and(&is_known);
    at_broker.filter(is_kept).cloned().collect()
}

#[cfg(test)]
mod tests;
