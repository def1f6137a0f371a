//! How one car's task speaks: the policy's status becomes signals of the car, the vehicle becomes
//! topics, and the discovery message follows.

use std::time::Duration;

use jiff::Timestamp;

use super::retained::Retained;
use super::silence::Silence;
use crate::catalogue;
use crate::clock;
use crate::compat::teslamate::TeslaMateTopics;
use crate::config::{HomeAssistant, Settings};
use crate::discovery::{self, AnnounceStep, Announced, Announcer, Setup};
use crate::model::{Now, Observation, Signal, Source, Value, Vehicle, Vin};
use crate::mqtt::{Connection, Handle};
use crate::outbox::Publish;
use crate::policy::{Event, Problem, State, Status};
use crate::retained::{Declaration, Owner};
use crate::topics::{CarTopics, Paths};
use crate::trips::Finding;

/// A discovery message takes longer to draw up than all values; these go out first.
const VALUES_FIRST: Duration = Duration::from_millis(50);
/// When nothing is left to say.
const NEVER: Duration = Duration::MAX;

/// One car's voice.
pub struct Voice {
    mqtt: Handle,
    retained: Retained,
    /// The topics that were declared last.
    declared: Option<Declaration>,
    topics: CarTopics,
    /// The same in TeslaMate's words, if the owner wants them.
    pub teslamate: Option<TeslaMateTopics>,
    discovery: Option<(Announcer, Setup)>,
    /// Uptime from which the discovery message is drawn up anew: something that it may hold has
    /// changed.
    redraw_at: Option<Duration>,
    last_data_at: Option<Timestamp>,
    /// Silence of Tesla's after which the car counts as unknown.
    pub unavailable_after: Duration,
    silence: Silence,
}

/// What all messages of this bridge have in common.
pub fn setup(settings: &Settings) -> Setup {
    Setup {
        prefix: settings.homeassistant.discovery_prefix.clone(),
        base: settings.mqtt.base_topic.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commands: false,
    }
}

/// The topics of a car, under its alias if it has one.
pub fn paths(settings: &Settings, vin: &Vin) -> Paths {
    let alias = settings.cars.get(vin).and_then(|car| car.alias.as_deref());
    Paths::new(&settings.mqtt.base_topic, vin, alias)
}

impl Voice {
    /// A voice that has said nothing yet; `announced` is what an earlier run told Home Assistant.
    pub fn new(
        settings: &Settings,
        vin: &Vin,
        mqtt: Handle,
        retained: Retained,
        announced: Announced,
    ) -> Self {
        let HomeAssistant { enabled, .. } = settings.homeassistant;
        let discovery = enabled.then(|| (Announcer::new(announced), setup(settings)));
        Self {
            mqtt,
            retained,
            declared: None,
            topics: CarTopics::new(paths(settings, vin)),
            teslamate: None,
            discovery,
            redraw_at: Some(Duration::ZERO),
            last_data_at: None,
            unavailable_after: settings.polling.unavailable_after,
            silence: Silence::begins(clock::now()),
        }
    }

    /// Declares the car's topics, where they are others than before.
    async fn declare(&mut self, car: &Vehicle) {
        let nothing = Announced::default();
        let announced = self.discovery.as_ref().map(|(announcer, _)| announcer);
        let announced = announced.map_or(&nothing, Announcer::announced);
        let id = car.vin.as_str();
        let topics = Declaration::Topics {
            owner: Owner::Device(id.to_owned()),
            topics: self.topics.declared(car, announced),
        };
        if self.declared.as_ref() == Some(&topics) {
            return;
        }
        if self.declared.is_none() {
            let setup = self.discovery.as_ref().map(|(_, setup)| setup);
            let topic = setup.map(|setup| discovery::car_topic(&setup.prefix, id));
            let owner = Owner::Discovery(id.to_owned());
            self.retained.declare_topics(owner, topic).await;
        }
        self.declared = Some(topics.clone());
        self.retained.declare(topics).await;
    }

    /// Says one thing more about the car.
    pub async fn say(&self, message: Publish) {
        self.mqtt.publish(message).await;
    }

    /// Tesla answered about this car, whatever it said.
    pub fn contact(&mut self, now: Now) {
        self.silence = Silence::begins(now);
    }

    /// An earlier run had its last answer then.
    pub fn was_silent_since(&mut self, contact: Timestamp, now: Now) {
        self.silence = Silence::goes_on(contact, now);
    }

    /// When Tesla last answered about this car, to be kept over restarts.
    pub fn last_contact(&self, now: Now) -> Timestamp {
        self.silence.began_at(now)
    }

    /// `vehicle_data` arrived whole.
    pub fn data_arrived(&mut self, now: Now) {
        self.last_data_at = Some(now.wall);
    }

    /// Says everything that changed; returns the monotonic time at which there will be more to say.
    pub async fn speak(
        &mut self,
        car: &mut Vehicle,
        status: &Status,
        events: Vec<Event>,
        found: &[Finding],
        now: Now,
    ) -> Duration {
        for event in &events {
            log_event(event);
        }
        car.apply(&self.own_observation(status, now));
        if has_stopped(car, status, &events)
            && let Some(end) = car.end_of_drive()
        {
            car.apply(&end);
        }
        let available = self.silence.lasts(now) < self.unavailable_after
            && !matches!(status.problem, Some(Problem::SignedOut | Problem::Removed));
        let mut messages: Vec<Publish> = self.topics.available(available).into_iter().collect();
        self.declare(car).await;
        let mut is_news = false;
        for table in catalogue::TABLES {
            let values = self.topics.values(table, car);
            is_news |= !values.is_empty();
            messages.extend(values);
            // The broker works on them while the next are drawn up.
            self.say_at_once(std::mem::take(&mut messages)).await;
        }
        if is_news {
            let due = clock::uptime() + VALUES_FIRST;
            self.redraw_at.get_or_insert(due);
        }

        let mut messages: Vec<Publish> = self.topics.snapshot(car).into_iter().collect();
        let is_removed = status.problem == Some(Problem::Removed);
        messages.extend(match &mut self.teslamate {
            Some(tree) if is_removed => tree.withdrawn(),
            Some(tree) => tree.changes(car, now),
            None => Vec::new(),
        });
        let told = events.iter().filter_map(super::events::message);
        let found = found.iter().map(Finding::event);
        for (name, payload) in told.chain(found) {
            let topic = self.topics.paths().of(&format!("event/{name}"));
            let payload = payload.to_string().into();
            messages.push(Publish::Event { topic, payload });
        }
        self.say_at_once(messages).await;
        for word in self.topics.oddities() {
            tracing::debug!(?word, "Tesla used a word that the catalogue does not list");
        }
        let speak_again = self.announce(car).await;
        // Home Assistant may have been told of something that it knew that it is gone.
        self.declare(car).await;
        speak_again
    }

    /// Hands messages over and lets the connection's tasks take them to the socket, before more
    /// work is done on this thread.
    async fn say_at_once(&self, messages: Vec<Publish>) {
        if !messages.is_empty() {
            self.mqtt.publish_all(messages).await;
            tokio::task::yield_now().await;
        }
    }

    /// Home Assistant has started.
    pub fn birth(&mut self) {
        if let Some((announcer, _)) = &mut self.discovery {
            announcer.birth();
        }
    }

    /// Discovery keeps its distances in real time. Switched off, it takes back what it once said.
    async fn announce(&mut self, car: &Vehicle) -> Duration {
        let is_up = matches!(*self.mqtt.connection().borrow(), Connection::Up(_));
        let Some((announcer, setup)) = &mut self.discovery else {
            return NEVER;
        };
        let real = Now {
            mono: clock::uptime(),
            wall: clock::now().wall,
        };
        if self.redraw_at.take_if(|at| *at <= real.mono).is_some() {
            announcer.offer(real, discovery::car(car, self.topics.paths(), setup));
        }
        let redraw_at = self.redraw_at.map_or(NEVER, clock::mono_at);
        // The car's task speaks again when the connection changes.
        announcer.connection(real, is_up);
        loop {
            match announcer.next(real) {
                AnnounceStep::Publish {
                    topic,
                    payload,
                    may_know,
                } => {
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
                    self.retained.declare(known(announcer.announced())).await;
                }
                AnnounceStep::Wait(until) => return clock::mono_at(until).min(redraw_at),
                AnnounceStep::Idle => return redraw_at,
            }
        }
    }

    fn own_observation(&self, status: &Status, now: Now) -> Observation {
        let next_poll = status.next_poll_at;
        let holds: Vec<&str> = status.holds.iter().map(|hold| hold.word()).collect();
        let holds = if holds.is_empty() {
            "none".to_owned()
        } else {
            holds.join(",")
        };
        let mut signals = vec![
            text("bridge.state", published_word(status.state)),
            whole("bridge.state_since", Some(status.since.as_second())),
            whole("bridge.next_poll", next_poll.map(Timestamp::as_second)),
            whole("bridge.polling_interval", status.interval.map(seconds)),
            text("bridge.holds", &holds),
            (
                Signal::new("bridge.healthy"),
                Some(Value::Bool(status.problem.is_none() && !status.stale)),
            ),
            (
                Signal::new("bridge.class"),
                status.class.word().map(|word| Value::Text(word.to_owned())),
            ),
            text("bridge.belief", status.belief.word()),
            whole("bridge.time_to_sleep", status.time_to_sleep.map(seconds)),
            (
                Signal::new("bridge.last_sleep"),
                status.last_sleep_in_quiet.map(last_sleep),
            ),
            // In whole minutes, or the topic would never rest.
            whole("bridge.awake_today", Some(seconds(status.awake_today) / 60)),
            whole(
                "bridge.light_calls_today",
                Some(status.light_calls_today.into()),
            ),
            whole(
                "bridge.data_calls_today",
                Some(status.data_calls_today.into()),
            ),
        ];
        if let Some(at) = self.last_data_at {
            signals.push(whole("bridge.last_update", Some(at.as_second())));
        }
        Observation {
            source: Source::Bridge,
            at: now.wall,
            whole_groups: Vec::new(),
            signals,
        }
    }
}

/// A drive ends when data shows it, or without: the car sleeps, or has been out of reach for long.
fn has_stopped(car: &Vehicle, status: &Status, events: &[Event]) -> bool {
    let is_told = |event: &Event| matches!(event, Event::DriveEnded { .. });
    matches!(status.state, State::Asleep | State::Unreachable)
        || car.text("state") == Some("asleep")
        || events.iter().any(is_told)
}

fn last_sleep(in_quiet: bool) -> Value {
    let word = if in_quiet { "left_alone" } else { "by_itself" };
    Value::Text(word.to_owned())
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn text(path: &str, word: &str) -> (Signal, Option<Value>) {
    (Signal::new(path), Some(Value::Text(word.to_owned())))
}

fn whole(path: &str, number: Option<i64>) -> (Signal, Option<Value>) {
    (Signal::new(path), number.map(Value::Int))
}

/// The catalogue's words for the policy's states.
fn published_word(state: State) -> &'static str {
    match state {
        State::Boot => "starting",
        State::Asleep => "asleep",
        State::Unreachable => "offline",
        State::Waking | State::Idle => "online",
        State::Quiet => "suspended",
        State::Driving => "driving",
        State::Charging => "charging",
        State::Updating => "updating",
        State::InService => "in_service",
        State::Paused => "paused",
        State::AuthLost => "signed_out",
    }
}

fn log_event(event: &Event) {
    if let Event::StateChanged { from, to, because } = event {
        let (from, to) = (published_word(*from), published_word(*to));
        if from == to {
            tracing::debug!(state = to, because, "car state confirmed");
        } else {
            tracing::info!(from, to, because, "car state changed");
        }
    }
}
