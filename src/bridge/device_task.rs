//! One device's task: it makes the calls that its [`Device`] wants, hands in what they bring, and
//! passes on what it publishes and saves. What to do and when is the device's decision.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::device_troubles::DeviceTroubles;
use super::ledger::Ledger;
use super::memory::{MemoryFile, SavedCar};
use super::retained::Retained;
use super::task_message::TaskMessage;
use super::troubles::TroubleChange;
use crate::api::{Account, ApiError, Called, CarRef};
use crate::clock;
use crate::decode::products::ListedVehicle;
use crate::decode::vehicle_data::VehicleData;
use crate::device::{self, Answers, Call, Device, Input, Note, Output, View};
use crate::model::{DeviceId, Now, Source};
use crate::mqtt::{Connection, Handle};
use crate::policy::{Ask, Event, Problem, Why};

/// The account of calls is written so long after a call: it must not compete with the broker and
/// its readers for the processor.
const BILL_AFTER: Duration = Duration::from_millis(100);

/// What the bridge sends to a device's task.
#[derive(Debug)]
pub(super) enum DeviceMessage {
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
    /// Stands for the account's login.
    pub login: u64,
    /// The account's calls this month.
    pub ledger: Ledger,
    /// Asks the account's task for an early list.
    pub relist: mpsc::Sender<()>,
    /// The car's names.
    pub car: CarRef,
}

/// What joins a device's task with the others.
pub(super) struct Channels {
    /// From the bridge.
    pub inbox: mpsc::Receiver<DeviceMessage>,
    /// To the bridge.
    pub bridge: mpsc::Sender<TaskMessage>,
    /// To the broker.
    pub mqtt: Handle,
    /// What is retained at the broker.
    pub retained: Retained,
    /// The end of the task.
    pub cancel: CancellationToken,
}

/// Everything that a device's task owns.
pub(super) struct DeviceTask {
    client: CarClient,
    device: Device,
    troubles: DeviceTroubles,
    file: MemoryFile,
    channels: Channels,
    connection: watch::Receiver<Connection>,
    view: watch::Sender<Arc<View>>,
    /// The reason for the last wait, as the log has it.
    waits_because: Option<Why>,
}

/// What a call brought.
enum CallAnswer {
    Light(Called<ListedVehicle>),
    Data(Called<VehicleData>),
}

/// A call under way.
struct CallUnderWay {
    call: Call,
    answer: Pin<Box<dyn Future<Output = CallAnswer> + Send>>,
}

impl DeviceTask {
    /// A task that goes on where the device's file ends.
    pub(super) fn new(
        config: device::Config,
        client: CarClient,
        channels: Channels,
        state_directory: &Path,
    ) -> Self {
        let now = clock::now();
        let vin = &client.car.vin;
        let file = MemoryFile::of(&DeviceId::from(vin), state_directory);
        let memory = file.read().unwrap_or_default();
        let is_anothers = memory.login.is_some_and(|before| before != client.login);
        let mut device = Device::car(vin, config, memory.device, random_seed(), now);
        let mut troubles = DeviceTroubles::restored(memory.troubles);
        // What the login before was refused says nothing of this one.
        if is_anothers {
            troubles.heard(&Input::SignedIn);
            device.handle(Input::SignedIn, now);
        }
        let mut connection = channels.mqtt.connection();
        connection.mark_changed();
        Self {
            client,
            view: watch::Sender::new(Arc::clone(device.view())),
            device,
            troubles,
            file,
            channels,
            connection,
            waits_because: None,
        }
    }

    /// The device as it is now, for readers.
    pub(super) fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    /// Runs until cancelled, then writes the device's memory.
    pub(super) async fn run(mut self) {
        let cancel = self.channels.cancel.clone();
        let mut under_way: Option<CallUnderWay> = None;
        let mut bill_at = Duration::MAX;
        self.tell_bridge(Some(self.troubles.at_start())).await;
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
                Output::Call(call) => under_way = self.make(call, now).await,
                Output::Abandon(call) => {
                    under_way = None;
                    call.bill(&mut self.client.ledger.governor(), now, &Answers::NONE);
                }
                Output::Declare(declaration) => self.channels.retained.declare(declaration).await,
                Output::Publish(messages) => {
                    self.channels.mqtt.publish_all(messages).await;
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
                    self.end_limit(why, now).await;
                    if now.mono >= bill_at {
                        self.client.ledger.write_if_changed(now).await;
                        bill_at = Duration::MAX;
                    }
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = clock::sleep_until(until.min(bill_at)) => {}
                        // What waited for the broker is due.
                        Ok(()) = self.connection.changed() => self.connection.mark_changed(),
                        (call, answer) = answered(&mut under_way) => {
                            self.take_in(&call, answer).await;
                            bill_at = clock::now().mono + BILL_AFTER;
                        }
                        message = self.channels.inbox.recv() => match message {
                            Some(message) => self.receive(message).await,
                            None => break,
                        },
                    }
                }
            }
        }
        self.save(clock::now()).await;
    }

    async fn receive(&mut self, message: DeviceMessage) {
        let now = clock::now();
        match message {
            DeviceMessage::Listed(listed) => {
                self.client.car = CarRef::of(&listed);
                self.device.handle(Input::Listed, now);
                let seen = listed.observations(Source::List, now.wall);
                self.device.observe(&seen, now);
            }
            DeviceMessage::Input(input) => {
                let change = self.troubles.heard(&input);
                self.device.handle(input, now);
                self.tell_bridge(change).await;
            }
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
        let answer: Pin<Box<dyn Future<Output = CallAnswer> + Send>> = match class {
            Ask::Light => Box::pin(async move { CallAnswer::Light(account.vehicle(&car).await) }),
            Ask::Data => {
                Box::pin(
                    async move { CallAnswer::Data(account.vehicle_data(&car, &endpoints).await) },
                )
            }
        };
        Some(CallUnderWay { call, answer })
    }

    async fn take_in(&mut self, call: &Call, answer: CallAnswer) {
        let now = clock::now();
        match answer {
            CallAnswer::Light(called) => {
                if let Some(listed) = self.outcome(call, called, now).await {
                    let seen = listed.observations(Source::Light, now.wall);
                    self.device.observe(&seen, now);
                }
            }
            CallAnswer::Data(called) => {
                if let Some(data) = self.outcome(call, called, now).await {
                    for oddity in &data.oddities {
                        tracing::debug!(%oddity, "a field was not understood");
                    }
                    self.device.observe(&data.observations, now);
                }
            }
        }
    }

    /// Puts a call on the account's bill. What it was made for, if it brought that: else the device
    /// hears how it failed.
    async fn outcome<T>(&mut self, call: &Call, called: Called<T>, now: Now) -> Option<T> {
        call.bill(&mut self.client.ledger.governor(), now, &called.answers());
        self.tell_owner(call.class, &called, now).await;
        match called.outcome {
            Ok(wanted) => Some(wanted),
            Err(error) => {
                self.failed(call, &error, &called.statuses, now);
                None
            }
        }
    }

    /// Tells the owner why Tesla refuses to tell of the car, once, and that it no longer does.
    async fn tell_owner<T>(&mut self, class: Ask, called: &Called<T>, now: Now) {
        let change = match &called.outcome {
            Ok(_) => self.troubles.succeeded(class),
            // The account tells of its login.
            Err(_) if called.statuses.is_empty() => None,
            // A late answer about a car that is gone is no news.
            Err(_) if self.device.status(now).problem == Some(Problem::Removed) => None,
            Err(error) => self.troubles.failed(class, error, now.wall),
        };
        match &change {
            Some(TroubleChange::Begun(trouble)) => {
                tracing::warn!(?class, "Tesla refuses to tell of this car: {trouble}");
            }
            Some(TroubleChange::Ended) => tracing::info!(?class, "Tesla tells of this car again"),
            Some(TroubleChange::Changed(_)) | None => {}
        }
        self.tell_bridge(change).await;
    }

    /// A limit whose time has passed is over, even if nothing is asked for long: the car may sleep.
    /// While a call is under way, its answer says whether it is.
    async fn end_limit(&mut self, why: Why, now: Now) {
        if why != Why::InFlight && !self.device.is_limited(now) {
            let change = self.troubles.limit_is_over();
            self.tell_bridge(change).await;
        }
    }

    async fn tell_bridge(&self, change: Option<TroubleChange>) {
        let Some(change) = change else {
            return;
        };
        let Channels { bridge, cancel, .. } = &self.channels;
        let message = bridge.send(TaskMessage::DeviceTrouble {
            id: self.device.view().id.clone(),
            task: tokio::task::id(),
            change,
        });
        // The bridge waits for the end of a task that it cancels, and receives nothing meanwhile.
        let _ = cancel.run_until_cancelled(message).await;
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
            troubles: self.troubles.standing().to_vec(),
            account: Some(self.client.account.name().to_owned()),
            login: Some(self.client.login),
            id: self.client.car.id,
        };
        self.file.write(&memory).await;
    }
}

/// The call under way, when it is answered.
async fn answered(under_way: &mut Option<CallUnderWay>) -> (Call, CallAnswer) {
    let Some(waiting) = under_way else {
        return std::future::pending().await;
    };
    let answer = waiting.answer.as_mut().await;
    match under_way.take() {
        Some(CallUnderWay { call, .. }) => (call, answer),
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
