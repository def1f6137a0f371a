//! Plays a report to the whole bridge: HTTP, broker, topics; and reads what came out.
//!
//! The clocks run [`SPEED`] times as fast as the world, and nothing is concluded from how much of
//! a story fits into a time: a test waits for what it looks for, or until the car has answered so
//! often that what would come has come.

use std::time::Duration;

use serde_json::Value as Json;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{CallKind, Login, Request};
use tokio::sync::Mutex;

use super::report::Report;
use crate::child;
use crate::rig::running::RunningBridge;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World};
use crate::rig::{END, eventually};

/// A minute of the cars is a second.
const SPEED: f64 = 60.0;
/// For whatever is waited for: no measure, but an end where it never comes.
const LIMIT: Duration = Duration::from_mins(1);
const LAST_ERROR: &str = "tesla2mqtt/bridge/last_error";

/// A report as it was played so far; what it tells is of one of its cars, the first unless another
/// is chosen.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    pub world: &'a World,
    pub vins: &'a [Vin],
    pub bridge: &'a Mutex<RunningBridge>,
    /// What the bridge was started with.
    pub config: &'a str,
    pub vin: &'a Vin,
    subscriber: &'a Subscriber,
}

/// Plays the report of this name; to `look` belong the waiting and the judging. What was logged
/// meanwhile, in the test that is not itself the child.
pub fn play<Look: AsyncFnOnce(&Field<'_>)>(name: &str, look: Look) -> Option<String> {
    play_changed(name, |_| {}, look)
}

/// The same with a report that is changed before it is played: what is alike must come out alike.
pub fn play_changed<Look: AsyncFnOnce(&Field<'_>)>(
    name: &str,
    change: impl FnOnce(&mut Report),
    look: Look,
) -> Option<String> {
    let mut report = Report::read(name)?;
    change(&mut report);
    play_report(&report, look)
}

/// Plays a report that no owner wrote.
pub fn play_report<Look: AsyncFnOnce(&Field<'_>)>(report: &Report, look: Look) -> Option<String> {
    child::test_at_speed(child::test_of::<Look>(), SPEED, async || {
        let world = World::new().await;
        let vins = report.fill(&world.cloud);
        let subscriber = Subscriber::to(world.broker.addr.port(), "#");
        // Events are not kept for who subscribes later.
        subscriber.publish("a/test", "listens").await;
        subscriber.wait_for("a/test", "listens", LIMIT).await;
        let config = config(report, &world);
        let bridge = Mutex::new(RunningBridge::start(&config));
        let field = Field {
            world: &world,
            vins: &vins,
            bridge: &bridge,
            config: &config,
            vin: &vins[0],
            subscriber: &subscriber,
        };
        look(&field).await;
        bridge.into_inner().stop().await;
    })
}

fn config(report: &Report, world: &World) -> String {
    let url = world.cloud.url();
    let api = report.api();
    let (login, client) = match api {
        "fleet" => (Login::Fleet, "client_id = \"of-the-test\"\n"),
        "owner" => (Login::Owner, ""),
        other => panic!("which login has {other}?"),
    };
    let (refresh_token, _) = world.cloud.issue_tokens(ACCOUNT, login);
    let port = world.broker.addr.port();
    format!(
        "[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n[state]\ndirectory = \"state\"\n{}\
         [[accounts]]\nname = \"{ACCOUNT}\"\napi = \"{api}\"\n{client}\
         refresh_token = \"{refresh_token}\"\napi_url = \"{url}\"\nauth_url = \"{url}\"\n",
        report.settings()
    )
}

impl<'a> Field<'a> {
    /// The same of another car.
    pub fn of(self, car: usize) -> Self {
        let vin = &self.vins[car];
        Self { vin, ..self }
    }

    /// Each of its cars.
    pub fn cars(self) -> impl Iterator<Item = Field<'a>> {
        (0..self.vins.len()).map(move |car| self.of(car))
    }

    /// Waits until `n` looks at each of the cars were answered, and what they said is at the broker.
    pub async fn all_answered(self, n: usize) {
        for car in self.cars() {
            car.answered(n).await;
        }
    }

    /// Waits until `n` looks at the car were answered, and until what they said is at the
    /// broker: it comes in order, and the next look has been heard of.
    pub async fn answered(&self, n: usize) {
        let n_answers = || self.answers().len();
        eventually(&format!("{n} answers"), LIMIT, || n_answers() > n).await;
        let next = self.answers()[n].at;
        eventually("what they said", LIMIT, || {
            let newest = self.newest("last_update");
            newest.is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok_and(|at| at >= next))
        })
        .await;
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, holds: impl FnMut() -> bool) {
        eventually(what, LIMIT, holds).await;
    }

    /// Asserts that nothing is wrong of what was said. While the broker is behind, a topic's newest
    /// value may reach it before another topic's first, or before the event that speaks of it: what
    /// is missing is waited for.
    pub async fn nothing_is_wrong(&self, wrong: impl Fn() -> Vec<String>) {
        let right = self.until("all that was said", || wrong().is_empty());
        // What is wrong then says more than that it took too long.
        let _ = tokio::time::timeout(END, right).await;
        let wrong = wrong();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// The data calls about the car that were answered well.
    pub fn answers(&self) -> Vec<Request> {
        let calls = self.world.calls(self.vin).into_iter();
        let is_answer = |request: &Request| request.call == CallKind::Data && request.status == 200;
        calls.filter(is_answer).collect()
    }

    /// Everything that a topic of the car ever said, in order.
    pub fn said(&self, key: &str) -> Vec<String> {
        let topic = self.topic(key);
        let messages = self.subscriber.messages().into_iter();
        let of_topic = messages.filter(|(of, _, _)| *of == topic);
        of_topic.map(|(_, payload, _)| payload).collect()
    }

    /// The numbers among it.
    pub fn numbers(&self, key: &str) -> Vec<f64> {
        let said = self.said(key);
        said.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// What a topic of the car says now.
    pub fn newest(&self, key: &str) -> Option<String> {
        self.subscriber.get(&self.topic(key))
    }

    /// Whether that is what a topic of the car says now.
    pub fn is(&self, key: &str, text: &str) -> bool {
        self.newest(key).as_deref() == Some(text)
    }

    /// The names of the car's events, in order.
    pub fn event_names(&self) -> Vec<String> {
        let name = |event: &Json| event["event_type"].as_str().map(str::to_owned);
        self.events().iter().filter_map(name).collect()
    }

    /// The car's events, in order.
    pub fn events(&self) -> Vec<Json> {
        let prefix = self.topic("event/");
        let messages = self.subscriber.messages().into_iter();
        messages
            .filter(|(topic, _, _)| topic.starts_with(&prefix))
            .filter_map(|(_, payload, _)| serde_json::from_str(&payload).ok())
            .collect()
    }

    /// The newest discovery message of a car.
    pub fn announcement(&self, vin: &Vin) -> Option<Json> {
        let topic = format!("homeassistant/device/tesla2mqtt_{}/config", vin.as_str());
        serde_json::from_str(&self.subscriber.get(&topic)?).ok()
    }

    /// Every discovery message of a car, in order.
    pub fn announcements(&self, vin: &Vin) -> Vec<Json> {
        let topic = format!("homeassistant/device/tesla2mqtt_{}/config", vin.as_str());
        let messages = self.subscriber.messages().into_iter();
        messages
            .filter(|(of, _, _)| *of == topic)
            .filter_map(|(_, payload, _)| serde_json::from_str(&payload).ok())
            .collect()
    }

    /// Every trouble that the bridge ever told of, in order.
    pub fn errors(&self) -> Vec<String> {
        let messages = self.subscriber.messages().into_iter();
        messages
            .filter(|(of, _, _)| of == LAST_ERROR)
            .map(|(_, payload, _)| payload)
            .collect()
    }

    /// The trouble that the bridge tells of.
    pub fn last_error(&self) -> Option<String> {
        self.subscriber.get(LAST_ERROR)
    }

    fn topic(&self, key: &str) -> String {
        format!("tesla2mqtt/{}/{key}", self.vin.as_str())
    }
}
