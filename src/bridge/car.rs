//! One car's task: it makes the calls that its [`Device`] wants, hands in what they bring, and
//! passes on what it publishes and saves. What to do and when is the device's decision.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::account::FromAccount;
use super::ledger::Ledger;
use super::list::News;
use super::login;
use super::memory::{MemoryFile, SavedCar};
use super::publishing::{paths, setup};
use super::refusals::CarWatch;
use super::retained::Retained;
use crate::api::{Account, ApiError, Called, CarRef};
use crate::clock;
use crate::compat::teslamate::TeslaMateTopics;
use crate::config::{self, Settings};
use crate::decode;
use crate::decode::products::ListedVehicle;
use crate::device::{
    self, Answers, Call, ClockSpeed, Device, Input, Limit, Note, Output, Publishing, Saving, View,
};
use crate::discovery::{Announced, EntityPrefixes, Setup};
use crate::failure::ApiFailure;
use crate::model::{Now, Source};
use crate::mqtt::{Connection, Handle};
use crate::policy::{Ask, Event, Failure, Why};

/// The account of calls is written so long after a call: it must not compete with the broker and
/// its readers for the processor.
const BILL_AFTER: Duration = Duration::from_millis(100);

/// What the others tell a car's task.
#[derive(Debug)]
pub(super) enum CarMessage {
    /// The account's list shows the car.
    Listed(Box<ListedVehicle>),
    /// Anything for the device.
    Input(Input),
}

/// The way to one car through one account.
#[derive(Debug, Clone)]
pub(super) struct CarClient {
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
    /// What the entity ids of all cars begin with.
    pub entity_prefixes: EntityPrefixes,
}

/// Everything that a car's task owns.
pub(super) struct CarTask {
    client: CarClient,
    /// Stands for the account's login.
    login: u64,
    device: Device,
    watch: CarWatch,
    file: MemoryFile,
    mqtt: Handle,
    retained: Retained,
    inbox: mpsc::Receiver<CarMessage>,
    connection: watch::Receiver<Connection>,
    view: watch::Sender<Arc<View>>,
    /// The reason for the last wait, as the log has it.
    waits_because: Option<Why>,
    cancel: CancellationToken,
}

/// What a call brought.
enum Brought {
    Light(Called<ListedVehicle>),
    Data(Called<Vec<u8>>),
}

/// A call under way.
struct CallUnderWay {
    call: Call,
    answer: Pin<Box<dyn Future<Output = Brought> + Send>>,
}

impl CarTask {
    /// A task that goes on where the car's file ends; `announced` is what an earlier run told Home
    /// Assistant.
    #[expect(clippy::too_many_arguments, reason = "all that a task is made of")]
    pub(super) fn prepare(
        settings: &Settings,
        account: &config::AccountSettings,
        client: CarClient,
        mqtt: Handle,
        retained: Retained,
        announced: Announced,
        teslamate: Option<TeslaMateTopics>,
        inbox: mpsc::Receiver<CarMessage>,
        cancel: CancellationToken,
    ) -> Self {
        let now = clock::now();
        let vin = client.car.vin.clone();
        let file = MemoryFile::of(&vin, &settings.state.directory);
        let memory = file.read().unwrap_or_default();
        let login = login::fingerprint(account);
        let is_anothers = memory.login.is_some_and(|before| before != login);
        let config = device::Config {
            policy: settings.polling.policy(account.api),
            tariff: settings.tariff.clone(),
            unavailable_after: settings.polling.unavailable_after,
            saving: Saving::TO_DISK,
            publishing: Some(Publishing {
                paths: paths(settings, &vin),
                setup: Setup {
                    entity_prefixes: client.entity_prefixes.clone(),
                    ..setup(settings)
                },
                homeassistant: settings.homeassistant.enabled,
                announced,
                teslamate,
            }),
            clock_speed: ClockSpeed::times(clock::speed()),
        };
        let mut device = Device::car(&vin, config, memory.device, random_seed(), now);
        // What the login before was refused says nothing of this one.
        if is_anothers {
            device.handle(Input::SignedIn, now);
        }
        let mut connection = mqtt.connection();
        connection.mark_changed();
        Self {
            client,
            login,
            view: watch::Sender::new(Arc::clone(device.view())),
            device,
            watch: CarWatch::default(),
            file,
            connection,
            mqtt,
            retained,
            inbox,
            waits_because: None,
            cancel,
        }
    }

    /// The car as it is now, for readers.
    pub(super) fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    /// Runs until cancelled, then writes the car's memory.
    pub(super) async fn run(mut self) {
        let cancel = self.cancel.clone();
        let mut flight: Option<CallUnderWay> = None;
        let mut bill_at = Duration::MAX;
        loop {
            let is_news = self.connection.has_changed().unwrap_or(false);
            let now = clock::now();
            if is_news {
                let is_up = matches!(*self.connection.borrow_and_update(), Connection::Up(_));
                self.device.handle(Input::Broker { is_up }, now);
            }
            let output = self.device.poll(now);
            self.log();
            match output {
                Output::Call(call) => flight = self.make(call, now).await,
                Output::Abandon(call) => {
                    flight = None;
                    call.bill(&mut self.client.ledger.governor(), now, &Answers::NONE);
                }
                Output::Declare(declaration) => self.retained.declare(declaration).await,
                Output::Publish(messages) => {
                    self.mqtt.publish_all(messages).await;
                    // The connection's tasks take them to the socket before more is drawn up.
                    tokio::task::yield_now().await;
                }
                Output::Save => {
                    self.client.ledger.write_if_changed(now).await;
                    self.save(now).await;
                }
                Output::Relist => {
                    // Full means that a listing is due anyway.
                    let _ = self.client.relist.try_send(());
                }
                Output::Wait { until, why } => {
                    self.waits(until, why, now);
                    if now.mono >= bill_at {
                        self.client.ledger.write_if_changed(now).await;
                        bill_at = Duration::MAX;
                    }
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = clock::sleep_until(until.min(bill_at)) => {}
                        // What waited for the broker is due.
                        Ok(()) = self.connection.changed() => self.connection.mark_changed(),
                        (call, brought) = answered(&mut flight) => {
                            self.take(&call, brought);
                            bill_at = clock::now().mono + BILL_AFTER;
                        }
                        message = self.inbox.recv() => match message {
                            Some(message) => self.receive(message),
                            None => break,
                        },
                    }
                }
            }
        }
        self.save(clock::now()).await;
    }

    fn receive(&mut self, message: CarMessage) {
        let now = clock::now();
        match message {
            CarMessage::Listed(listed) => {
                self.client.car = CarRef::of(&listed);
                self.device.handle(Input::Listed, now);
                let seen = listed.observations(Source::List, now.wall);
                self.device.observe(&seen, now);
            }
            CarMessage::Input(input) => self.device.handle(input, now),
        }
    }

    /// Makes a call, if the account allows it.
    async fn make(&mut self, call: Call, now: Now) -> Option<CallUnderWay> {
        let (class, purpose) = (call.class, call.purpose);
        let ledger = &self.client.ledger;
        ledger.write_if_changed(now).await;
        let permit = call.permit(&mut ledger.governor(), now);
        if let Err(denied) = permit {
            tracing::debug!(?class, ?purpose, why = ?denied.why, "the account cannot spare this call now");
            self.device.handle(denied.into(), now);
            return None;
        }
        tracing::debug!(?class, ?purpose, "a call");
        if class == Ask::Data {
            // A kill must not make a billed call unknown: it is on the disk before it is made.
            ledger.write(now).await;
        }
        let (account, car) = (self.client.account.clone(), self.client.car.clone());
        let endpoints = call.endpoints.clone();
        let answer: Pin<Box<dyn Future<Output = Brought> + Send>> = match class {
            Ask::Light => Box::pin(async move { Brought::Light(account.vehicle(&car).await) }),
            Ask::Data => {
                Box::pin(async move { Brought::Data(account.vehicle_data(&car, &endpoints).await) })
            }
        };
        Some(CallUnderWay { call, answer })
    }

    /// Takes in what a call brought.
    fn take(&mut self, call: &Call, brought: Brought) {
        let now = clock::now();
        match brought {
            Brought::Light(called) => {
                self.settle(call, &called, now);
                match called.outcome {
                    Ok(listed) => {
                        let seen = listed.observations(Source::Light, now.wall);
                        self.device.observe(&seen, now);
                    }
                    Err(error) => self.failed(call, &error, &called.statuses, now),
                }
            }
            Brought::Data(called) => {
                self.settle(call, &called, now);
                match called.outcome {
                    Ok(body) => self.take_data(&body, now),
                    Err(error) => self.failed(call, &error, &called.statuses, now),
                }
            }
        }
    }

    fn take_data(&mut self, body: &[u8], now: Now) {
        match decode::vehicle_data::vehicle_data(body, now) {
            Ok(data) => {
                for oddity in &data.oddities {
                    tracing::debug!(%oddity, "a field was not understood");
                }
                self.device.observe(&data.observations, now);
            }
            Err(error) => {
                tracing::debug!(%error, "a data answer was not understood");
                let failed = Input::Failed {
                    class: Ask::Data,
                    failure: Failure::Transport,
                    is_contact: true,
                };
                self.device.handle(failed, now);
            }
        }
    }

    fn failed(&mut self, call: &Call, error: &ApiError, statuses: &[u16], now: Now) {
        tracing::debug!(class = ?call.class, %error, "a call failed");
        let failed = Input::Failed {
            class: call.class,
            failure: error.failure(),
            is_contact: !statuses.is_empty() && error.kind.meaning().car.tells_of_it,
        };
        self.device.handle(failed, now);
    }

    /// Puts a call on the account's bill, and tells the owner why Tesla refuses to tell of the car,
    /// once, and that it no longer does.
    fn settle<T>(&mut self, call: &Call, called: &Called<T>, now: Now) {
        let error = called.outcome.as_ref().err();
        let answers = Answers {
            statuses: &called.statuses,
            is_lost: error.is_some_and(|error| error.unanswered),
            limit: error.and_then(|error| match error.kind {
                ApiFailure::Limited => Some(Limit::Rate(error.retry_after)),
                ApiFailure::BillingLimit => Some(Limit::Billing),
                _ => None,
            }),
        };
        call.bill(&mut self.client.ledger.governor(), now, &answers);

        let class = call.class;
        let news = match &called.outcome {
            Ok(_) => self.watch.succeeded(class),
            // The account tells of its login.
            Err(_) if called.statuses.is_empty() => None,
            Err(error) => self.watch.failed(class, error, now.wall),
        };
        let trouble = match news {
            Some(News::Trouble(trouble)) => {
                tracing::warn!(?class, "Tesla refuses to tell of this car: {trouble}");
                trouble
            }
            Some(News::Still(trouble)) => trouble,
            Some(News::Mended) => {
                tracing::info!(?class, "Tesla tells of this car again");
                return;
            }
            None => return,
        };
        let vin = self.client.car.vin.clone();
        let trouble = FromAccount::CarTrouble { vin, trouble };
        // Full means that others have trouble at the same time: one of them is the last.
        let _ = self.client.news.try_send(trouble);
    }

    /// Everything is said: readers see it, and the log hears why nothing is asked for a while.
    fn waits(&mut self, until: Duration, why: Why, now: Now) {
        let view = self.device.view();
        self.view.send_if_modified(|shown| {
            let is_new = !Arc::ptr_eq(shown, view);
            if is_new {
                *shown = Arc::clone(view);
            }
            is_new
        });
        if self.waits_because.replace(why) != Some(why) {
            let wait = until.saturating_sub(now.mono);
            tracing::debug!(why = why.word(), ?wait, "waits");
        }
    }

    fn log(&mut self) {
        for note in self.device.take_notes() {
            match note {
                Note::Event(event) => log_event(&event),
                Note::Found(finding) => {
                    if let Some((event, _)) = finding.event() {
                        tracing::debug!(event, "the car's values tell of it");
                    }
                }
                Note::UnlistedWord(word) => {
                    tracing::debug!(?word, "Tesla used a word that the catalogue does not list");
                }
            }
        }
    }

    async fn save(&mut self, now: Now) {
        let memory = SavedCar {
            device: self.device.saved(now),
            account: Some(self.client.account.name().to_owned()),
            login: Some(self.login),
            id: self.client.car.id,
        };
        self.file.write(&memory).await;
    }
}

/// The call under way, when it is answered.
async fn answered(flight: &mut Option<CallUnderWay>) -> (Call, Brought) {
    let Some(under_way) = flight else {
        return std::future::pending().await;
    };
    let brought = under_way.answer.as_mut().await;
    match flight.take() {
        Some(CallUnderWay { call, .. }) => (call, brought),
        None => std::future::pending().await,
    }
}

fn random_seed() -> u64 {
    // Without randomness the cars of many bridges would ask in step, nothing worse.
    getrandom::u64().unwrap_or_default()
}

fn log_event(event: &Event) {
    if let Event::StateChanged { from, to, because } = event {
        let (from, to) = (from.published(), to.published());
        if from == to {
            tracing::debug!(state = to, because, "car state confirmed");
        } else {
            tracing::info!(from, to, because, "car state changed");
        }
    }
}
