//! One car's task: it does what the policy says, keeps what the answers showed, and says what
//! changed. It decides nothing itself.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::account::FromAccount;
use super::ledger::Ledger;
use super::list::News;
use super::login;
use super::memory::{Memory, MemoryFile};
use super::orders::Order;
use super::refusals::CarWatch;
use super::voice::{Voice, paths};
use crate::api::{Account, ApiError, Called, CarRef, Kind};
use crate::clock;
use crate::command;
use crate::compat::teslamate::TeslaMateTopics;
use crate::config::{self, Settings};
use crate::decode;
use crate::decode::products::ListedVehicle;
use crate::decode::vehicle_data::ENDPOINTS;
use crate::discovery::{self, Announced};
use crate::model::{CarRecord, Now, Vehicle};
use crate::mqtt::{Connection, Handle};
use crate::policy::{
    Ask, CallClass, Event, Failure, Input, Permit, Policy, PolicyConfig, Step, User,
};
use crate::trips::{Finding, Tariff, Trips};

/// What is worth remembering is written so long after it was said: encoding and writing it must not
/// compete with the broker and its readers for the processor.
const REMEMBER_AFTER: Duration = Duration::from_millis(100);
/// Values are written to disk soon when the policy has something to remember, else this often.
const REMEMBER_EVERY: Duration = Duration::from_mins(5);

/// A light call that takes longer is not waited for when somebody wants a look.
const HUNG_AFTER: Duration = Duration::from_millis(2500);

/// What the others tell a car's task.
#[derive(Debug)]
pub enum ToCar {
    /// The account's list shows the car.
    Listed(Box<ListedVehicle>),
    /// Anything for the policy.
    Input(Input),
    /// The owner's automations want something.
    Order(Order),
    /// The configuration changed: the intervals, and `polling.unavailable_after`.
    Reconfigure(Box<PolicyConfig>, Duration),
    /// The configuration changed: what a kilowatt-hour costs.
    Tariff(Box<Tariff>),
    /// Home Assistant has started.
    Birth,
}

/// The way to one car through one account.
#[derive(Debug, Clone)]
pub struct Door {
    /// The account.
    pub account: Account,
    /// The account's calls this month.
    pub ledger: Ledger,
    /// The account's lister.
    pub relist: mpsc::Sender<()>,
    /// The bridge, which tells the owner of troubles.
    pub news: mpsc::Sender<FromAccount>,
    /// The car's names.
    pub car: CarRef,
}

/// Everything that a car's task owns.
pub struct CarTask {
    door: Door,
    /// Stands for the account's login.
    login: u64,
    vehicle: Vehicle,
    trips: Trips,
    tariff: Tariff,
    found: Vec<Finding>,
    policy: Policy,
    /// What the policy has told, and nobody has said yet.
    events: Vec<Event>,
    voice: Voice,
    watch: CarWatch,
    file: MemoryFile,
    /// Something is said and done that the file does not hold yet.
    is_unwritten: bool,
    inbox: mpsc::Receiver<ToCar>,
    connection: watch::Receiver<Connection>,
    cancel: CancellationToken,
}

impl CarTask {
    /// A task that goes on where the car's file ends, and the topics that an earlier run, or an
    /// earlier alias, left elsewhere: to be removed for good before the task forgets them.
    pub fn prepare(
        settings: &Settings,
        account: &config::Account,
        door: Door,
        mqtt: Handle,
        inbox: mpsc::Receiver<ToCar>,
        cancel: CancellationToken,
    ) -> (Self, Vec<String>) {
        let now = clock::now();
        let vin = door.car.vin.clone();
        let file = MemoryFile::of(&vin, &settings.state.directory);
        let policy_config = settings.polling.policy(account.api);
        let memory = file.read().unwrap_or_default();
        let login = login::fingerprint(account);
        let mut policy = match memory.policy {
            Some(snapshot) => Policy::restore(policy_config, &vin, snapshot, now),
            None => Policy::new(policy_config, &vin, seed(), now),
        };
        // What the login before was refused says nothing of this one.
        if memory.login.is_some_and(|before| before != login) {
            policy.handle(now, Input::SignedIn);
        }
        let connection = mqtt.connection();
        let prefix = &settings.homeassistant.discovery_prefix;
        let told_below = memory.prefix.filter(|before| before != prefix);
        let announced = match told_below {
            Some(_) => Announced::default(),
            None => memory.announced,
        };
        let mut voice = Voice::new(settings, &vin, mqtt, announced, memory.published);
        if let Some(contact) = memory.contact {
            voice.was_silent_since(contact, now);
        }
        let left_at = memory.paths.filter(|before| {
            let others = settings.cars.keys().filter(|other| **other != vin);
            let mut taken = others.map(|other| paths(settings, other));
            before != voice.paths() && taken.all(|taken| taken != *before)
        });
        let mut left = left_at.map_or_else(Vec::new, |paths| {
            tracing::info!(%vin, "the car is published elsewhere now, its old topics are removed");
            voice.topics_at(&paths)
        });
        left.extend(told_below.map(|prefix| discovery::car_topic(&prefix, vin.as_str())));
        let task = Self {
            door,
            login,
            vehicle: memory.vehicle.unwrap_or_else(|| Vehicle::new(vin.clone())),
            trips: memory.trips,
            tariff: settings.tariff.clone(),
            found: Vec::new(),
            policy,
            events: Vec::new(),
            voice,
            watch: CarWatch::default(),
            file,
            is_unwritten: false,
            inbox,
            connection,
            cancel,
        };
        (task, left)
    }

    /// Speaks TeslaMate's topics, too.
    pub fn with_teslamate(mut self, tree: Option<TeslaMateTopics>) -> Self {
        self.voice.teslamate = tree;
        self
    }

    /// Runs until cancelled, then writes the car's memory.
    pub async fn run(mut self) {
        let cancel = self.cancel.clone();
        let mut remember_at = clock::now().mono + REMEMBER_EVERY;
        // When the account of calls is written, after a call.
        let mut settle_at = Duration::MAX;
        loop {
            let now = clock::now();
            match self.policy.next(now) {
                Step::Ask { ask, .. } => {
                    // The policy may ask for a call that a kill must not repeat.
                    self.remember_if_wanted(now).await;
                    let Some(input) = self.ask(ask).await else {
                        break;
                    };
                    let now = clock::now();
                    self.policy.handle(now, input);
                    settle_at = now.mono + REMEMBER_AFTER;
                }
                Step::Relist => {
                    // Full means that a listing is due anyway.
                    let _ = self.door.relist.try_send(());
                }
                Step::Wait { until, .. } => {
                    let speak_again = self.speak(now).await;
                    if self.wants_remembering() {
                        remember_at = remember_at.min(now.mono + REMEMBER_AFTER);
                    }
                    if now.mono >= settle_at {
                        self.door.ledger.write_if_changed(now).await;
                        settle_at = Duration::MAX;
                    }
                    if now.mono >= remember_at {
                        self.remember(now).await;
                        remember_at = now.mono + REMEMBER_EVERY;
                    }
                    let wake_at = until.min(speak_again).min(remember_at).min(settle_at);
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = clock::sleep_until(wake_at) => {}
                        // What waited for the broker is due.
                        Ok(()) = self.connection.changed() => {}
                        word = self.inbox.recv() => match word {
                            Some(word) => self.listen(word).await,
                            None => break,
                        },
                    }
                }
            }
        }
        self.remember(clock::now()).await;
    }

    async fn listen(&mut self, word: ToCar) {
        let now = clock::now();
        match word {
            ToCar::Listed(listed) => {
                self.door.car = CarRef::of(&listed);
                self.policy.handle(now, Input::Listed);
                self.take_listed(&listed, now);
                self.policy.handle(now, Input::Seen(listed.light()));
            }
            ToCar::Input(input) => self.policy.handle(now, input),
            ToCar::Order(order) => self.obey(&order, now).await,
            ToCar::Reconfigure(config, unavailable_after) => {
                self.policy.reconfigure(now, *config);
                self.voice.unavailable_after = unavailable_after;
            }
            ToCar::Tariff(tariff) => self.tariff = *tariff,
            ToCar::Birth => self.voice.birth(),
        }
    }

    /// A sleeping car is looked at with a light call even where the answer is no.
    async fn obey(&mut self, order: &Order, now: Now) {
        let admitted = order.verb.admitted(&self.policy.status(now));
        self.policy.handle(now, order.verb.input());
        let events = self.policy.take_events();
        let outcome = admitted.and_then(|()| command::refusal(&events).map_or(Ok(()), Err));
        tracing::debug!(verb = ?order.verb, ?outcome, "command");
        self.events.extend(events);
        // A kill must not take back what was promised.
        self.remember_if_wanted(now).await;
        self.voice.say(order.answer(&outcome)).await;
    }

    /// Makes a call; `None` when cancelled.
    async fn ask(&mut self, ask: Ask) -> Option<Input> {
        let now = clock::now();
        let class = match ask {
            Ask::Light => CallClass::Light,
            Ask::Data => CallClass::Data,
        };
        let permit = {
            let purpose = self.policy.purpose();
            self.door.ledger.governor().permit(now, class, purpose)
        };
        if let Permit::NotBefore { at, why } = permit {
            tracing::debug!(?ask, ?why, "the account cannot spare this call now");
            let retry_after = at.saturating_sub(now.mono);
            let failure = Failure::NotPermitted { retry_after };
            return Some(Input::Failed { ask, failure });
        }
        let (account, car) = (self.door.account.clone(), self.door.car.clone());
        if class == CallClass::Data {
            // A kill must not make a billed call unknown: it is on the disk before it is made.
            self.door.ledger.write(now).await;
        }
        match ask {
            Ask::Light => {
                let called = match self.attend(ask, account.vehicle(&car)).await {
                    Attended::Answered(called) => called,
                    Attended::Abandoned => {
                        self.settle(class, &[], None);
                        return Some(Input::Abandoned(ask));
                    }
                    Attended::Cancelled => return None,
                };
                self.settle(class, &called.statuses, called.outcome.as_ref().err());
                self.watch(ask, &called);
                Some(match called.outcome {
                    Ok(listed) => {
                        self.take_listed(&listed, clock::now());
                        Input::Light(listed.light())
                    }
                    Err(error) => failed(ask, &error),
                })
            }
            Ask::Data => {
                let endpoints: Vec<&str> = ENDPOINTS
                    .iter()
                    .copied()
                    .filter(|name| self.policy.wants_location() || *name != "location_data")
                    .collect();
                let call = account.vehicle_data(&car, &endpoints);
                let Attended::Answered(called) = self.attend(ask, call).await else {
                    return None;
                };
                self.settle(class, &called.statuses, called.outcome.as_ref().err());
                self.watch(ask, &called);
                Some(match called.outcome {
                    Ok(body) => self.take_data(&body, clock::now()),
                    Err(error) => {
                        if error.kind == Kind::MissingScope && self.policy.wants_location() {
                            // It was asked for without the position, too: both are refused.
                            self.policy.handle(clock::now(), failed(ask, &error));
                        }
                        failed(ask, &error)
                    }
                })
            }
        }
    }

    /// Waits for a call, and listens meanwhile. Who wants a look now does not wait for a light
    /// call that hangs: it is given up for a new one. A data call is billed and waited for.
    async fn attend<T>(&mut self, ask: Ask, call: impl Future<Output = T>) -> Attended<T> {
        let cancel = self.cancel.clone();
        let hurry_from = clock::uptime() + HUNG_AFTER;
        let mut is_urgent = false;
        tokio::pin!(call);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return Attended::Cancelled,
                called = &mut call => return Attended::Answered(called),
                () = tokio::time::sleep_until(clock::instant_of(hurry_from)), if is_urgent => {
                    return Attended::Abandoned;
                }
                word = self.inbox.recv() => match word {
                    Some(word) => {
                        is_urgent |= ask == Ask::Light && wants_look(&word);
                        self.listen(word).await;
                    }
                    None => return Attended::Cancelled,
                },
            }
        }
    }

    fn settle(&mut self, class: CallClass, statuses: &[u16], error: Option<&ApiError>) {
        let now = clock::now();
        if !statuses.is_empty() {
            self.voice.contact(now);
        }
        let mut governor = self.door.ledger.governor();
        let unanswered = error.is_some_and(|error| error.unanswered);
        let (last, earlier) = match statuses.split_last() {
            // The permit stays with the request that was lost.
            _ if unanswered => (None, statuses),
            Some((last, earlier)) => (Some(*last), earlier),
            None => (None, [].as_slice()),
        };
        if unanswered {
            governor.unanswered(now);
        } else {
            governor.billed(now, class, last);
        }
        for status in earlier {
            governor.billed_in_addition(now, class, *status);
        }
        match error.map(|error| &error.kind) {
            Some(Kind::Limited { retry_after }) => governor.limited(now, class, *retry_after),
            Some(Kind::BillingLimit) => governor.over_limit(now, class),
            _ => {}
        }
    }

    /// Tells the owner why Tesla refuses to tell of the car, once, and that it no longer does.
    fn watch<T>(&mut self, ask: Ask, called: &Called<T>) {
        let news = match &called.outcome {
            Ok(_) => self.watch.succeeded(ask),
            // The account tells of its login.
            Err(_) if called.statuses.is_empty() => None,
            Err(error) => self.watch.failed(ask, error, clock::now().wall),
        };
        let trouble = match news {
            Some(News::Trouble(trouble)) => {
                tracing::warn!(?ask, "Tesla refuses to tell of this car: {trouble}");
                trouble
            }
            Some(News::Still(trouble)) => trouble,
            Some(News::Mended) => {
                tracing::info!(?ask, "Tesla tells of this car again");
                return;
            }
            None => return,
        };
        let vin = self.door.car.vin.clone();
        // Full means that others have trouble at the same time: one of them is the last.
        let _ = self
            .door
            .news
            .try_send(FromAccount::CarTrouble { vin, trouble });
    }

    fn take_listed(&mut self, listed: &ListedVehicle, now: Now) {
        self.vehicle.not_after(now);
        for seen in listed.observations(now.wall) {
            self.vehicle.apply(&seen);
        }
    }

    fn take_data(&mut self, body: &[u8], now: Now) -> Input {
        match decode::vehicle_data::vehicle_data(body, now) {
            Ok(data) => {
                for oddity in &data.oddities {
                    tracing::debug!(%oddity, "a field was not understood");
                }
                self.vehicle.not_after(now);
                for seen in &data.observations {
                    self.vehicle.apply(seen);
                }
                self.trips.not_after(now);
                self.found
                    .extend(self.trips.note(&self.vehicle, &self.tariff));
                self.vehicle.apply(&self.trips.observation(now.wall));
                self.voice.data_arrived(now);
                Input::Data(Box::new(CarRecord::of(&self.vehicle)))
            }
            Err(error) => {
                tracing::debug!(%error, "a data answer was not understood");
                Input::Failed {
                    ask: Ask::Data,
                    failure: Failure::Transport,
                }
            }
        }
    }

    async fn speak(&mut self, now: Now) -> Duration {
        let mut events = std::mem::take(&mut self.events);
        events.extend(self.policy.take_events());
        let found = std::mem::take(&mut self.found);
        let status = self.policy.status(now);
        self.voice
            .speak(&mut self.vehicle, &status, events, &found, now)
            .await
    }

    /// Whether there is something that a kill should not take back.
    fn wants_remembering(&mut self) -> bool {
        let has_announced = self.voice.wants_persisting();
        self.is_unwritten |= self.policy.wants_persisting() || has_announced;
        self.is_unwritten
    }

    /// At once: what follows stands on it.
    async fn remember_if_wanted(&mut self, now: Now) {
        self.door.ledger.write_if_changed(now).await;
        if self.wants_remembering() {
            self.remember(now).await;
        }
    }

    async fn remember(&mut self, now: Now) {
        self.is_unwritten = false;
        let memory = Memory {
            policy: Some(self.policy.snapshot(now)),
            vehicle: Some(self.vehicle.clone()),
            trips: self.trips.clone(),
            announced: self.voice.announced(),
            published: self.voice.published(),
            account: Some(self.door.account.name().to_owned()),
            login: Some(self.login),
            id: self.door.car.id,
            paths: Some(self.voice.paths().clone()),
            prefix: Some(self.voice.prefix().to_owned()),
            contact: Some(self.voice.last_contact(now)),
        };
        self.file.write(&memory).await;
    }
}

/// How a call that was attended to ended.
enum Attended<T> {
    Answered(T),
    Abandoned,
    Cancelled,
}

fn wants_look(word: &ToCar) -> bool {
    let input = match word {
        ToCar::Order(order) => order.verb.input(),
        ToCar::Input(input) => input.clone(),
        ToCar::Listed(_) | ToCar::Reconfigure(..) | ToCar::Tariff(_) | ToCar::Birth => {
            return false;
        }
    };
    matches!(input, Input::Hint | Input::User(User::Refresh))
}

fn seed() -> u64 {
    // Without randomness the cars of many bridges would ask in step, nothing worse.
    getrandom::u64().unwrap_or_default()
}

fn failed(ask: Ask, error: &ApiError) -> Input {
    tracing::debug!(?ask, %error, "a call failed");
    Input::Failed {
        ask,
        failure: error.failure(),
    }
}
