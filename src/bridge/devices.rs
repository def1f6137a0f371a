//! The devices that are followed: how their tasks are started, spoken to and ended.

use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{Id, JoinError};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::device_task::{CarClient, Channels, DeviceMessage, DeviceTask};
use super::fleet::FleetChange;
use super::troubles::Troubled;
use super::{Bridge, END_OF_TASKS, login, publishing};
use crate::api;
use crate::backoff::{Backoff, Jitter};
use crate::clock;
use crate::decode::products::ListedVehicle;
use crate::device::{ClockSpeed, Config, Input, Publishing, Saving};
use crate::discovery;
use crate::model::{DeviceId, Vin};
use crate::rng;

/// When a task that panicked starts again: ever later, if it does so each time.
const RESTART: Backoff = Backoff::fixed(Duration::from_secs(30), HOUR, Jitter::LONGER);
/// A task that ran for longer panicked for the first time.
const HOUR: Duration = Duration::from_hours(1);
/// Messages that may wait for one device while it waits for an answer: at most a minute's. They are
/// few, and the account's next list repeats what one beyond would have said.
const INBOX_MAX: usize = 64;

/// One device while it is followed.
pub(super) struct FollowedDevice {
    /// The account through which it is.
    pub account: usize,
    /// As the account last listed it.
    pub listed: Box<ListedVehicle>,
    /// To its task.
    pub inbox: mpsc::Sender<DeviceMessage>,
    cancel: CancellationToken,
    /// Its task.
    pub task: Id,
    /// Monotonic time of the task's start.
    started_at: Duration,
    /// How many of its tasks panicked in a row.
    n_panics: u32,
}

impl Bridge {
    /// Does what a list, or the loss of an account, means for the cars.
    pub(super) async fn follow(&mut self, changes: Vec<FleetChange>) {
        for change in changes {
            match change {
                FleetChange::Follow {
                    car,
                    account,
                    is_news,
                } => {
                    let id = car.device_id();
                    let before = self.devices.get(&id).map(|device| device.account);
                    self.leave(&id).await;
                    self.start_car(car.clone(), account).await;
                    if before.is_some_and(|before| before != account) {
                        let account = self.accounts.get(&account);
                        let account = account.map(|followed| followed.settings.name.as_str());
                        tracing::info!(%id, account, "car is followed through another account");
                    }
                    if is_news {
                        self.send(&id, DeviceMessage::Listed(car));
                    }
                }
                FleetChange::Seen { car } => {
                    let id = car.device_id();
                    if let Some(known) = self.devices.get_mut(&id) {
                        known.listed.clone_from(&car);
                    }
                    self.send(&id, DeviceMessage::Listed(car));
                }
                FleetChange::Gone { id } => {
                    tracing::warn!(%id, "car is on no account's list any more");
                    self.send(&id, DeviceMessage::Input(Input::Removed));
                }
            }
        }
    }

    /// Ends a device's task. One that vanished from the list keeps it (and its topics, unavailable)
    /// until another account takes the device over. Its trouble stands, too: a successor goes on with
    /// it, or ends it.
    pub(super) async fn leave(&mut self, id: &DeviceId) {
        let Some(device) = self.devices.remove(id) else {
            return;
        };
        self.views.remove(id);
        device.cancel.cancel();
        // Its last act is to write its memory, which the successor reads.
        let ended = tokio::time::timeout(END_OF_TASKS, device.inbox.closed()).await;
        if ended.is_err() {
            tracing::warn!(%id, "the device's task is slow to end");
        }
    }

    pub(super) async fn start_car(&mut self, listed: Box<ListedVehicle>, account: usize) {
        let id = listed.device_id();
        let Some(followed) = self.accounts.get(&account) else {
            self.troubles.set(Troubled::Device(id), None);
            return;
        };
        let publishing = self.publishing(&listed.vin).await;
        let settings = &self.settings;
        let config = Config {
            policy: settings.polling.policy(followed.settings.api),
            tariff: settings.tariff.clone(),
            unavailable_after: settings.polling.unavailable_after,
            saving: Saving::TO_DISK,
            publishing: Some(publishing),
            clock_speed: ClockSpeed::times(clock::speed()),
        };
        let client = CarClient {
            account: followed.account.clone(),
            login: login::fingerprint(&followed.settings),
            ledger: followed.ledger.clone(),
            relist: followed.relist.clone(),
            car: api::CarRef::of(&listed),
        };
        let cancel = followed.cancel.child_token();
        let (inbox, messages) = mpsc::channel(INBOX_MAX);
        let channels = Channels {
            inbox: messages,
            bridge: self.task_messages.clone(),
            mqtt: self.mqtt.clone(),
            retained: self.retained.clone(),
            cancel: cancel.clone(),
        };
        let task = DeviceTask::new(config, client, channels, &settings.state.directory);
        self.views.insert(task.view());
        let span = tracing::info_span!("device", %id);
        let task = self.tasks.spawn(task.run().instrument(span)).id();
        let device = FollowedDevice {
            account,
            listed,
            inbox,
            cancel,
            task,
            started_at: clock::now().mono,
            n_panics: 0,
        };
        self.devices.insert(id.clone(), device);
        if let Some(budget) = self.budgets.get(&account) {
            self.send(&id, DeviceMessage::Input(Input::Budget(*budget)));
        }
    }

    /// Where a car is published, which it may be from now on.
    async fn publishing(&self, vin: &Vin) -> Publishing {
        let settings = &self.settings;
        let id = DeviceId::from(vin);
        let prefix = &settings.homeassistant.discovery_prefix;
        let announced = discovery::device_topic(prefix, &id);
        Publishing {
            paths: publishing::paths(settings, &id),
            setup: discovery::Setup {
                entity_prefixes: self.entity_prefixes.clone(),
                ..publishing::setup(settings)
            },
            homeassistant: settings.homeassistant.enabled,
            teslamate: self.teslamates_topics(vin).await,
            announced: self.retained.announced(&announced).await,
        }
    }

    /// Sends a message to a device's task.
    pub(super) fn send(&self, id: &DeviceId, message: DeviceMessage) {
        // One whose task has just broken gets it anew when it starts again.
        if let Some(device) = self.devices.get(id)
            && let Err(TrySendError::Full(_)) = device.inbox.try_send(message)
        {
            tracing::warn!(%id, "the device's task has been busy for long, a message to it was dropped");
        }
    }

    /// A task ended. A device's that broke starts again; without an account's there is no going on,
    /// and the answer says what broke.
    pub(super) fn task_ended(
        &mut self,
        ended: Result<(Id, ()), JoinError>,
    ) -> Option<&'static str> {
        let (task, error) = match ended {
            Ok((task, ())) => (task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let mut accounts = self.accounts.values();
        let account = accounts.find(|followed| followed.task == task);
        if let Some(followed) = account {
            if followed.cancel.is_cancelled() {
                return None;
            }
            tracing::error!(
                account = followed.settings.name,
                ?error,
                "an account's task ended"
            );
            return Some("an account's task");
        }
        let error = error?;
        let mut devices = self.devices.iter_mut();
        if let Some((id, device)) = devices.find(|(_, device)| device.task == task) {
            let has_run_long = clock::now().mono.saturating_sub(device.started_at) > HOUR;
            device.n_panics = if has_run_long { 1 } else { device.n_panics + 1 };
            let wait = RESTART.wait(device.n_panics, rng::share());
            let seconds = wait.as_secs();
            tracing::error!(%id, %error, "a device's task broke, it starts again in {seconds} s; please report this");
            let id = id.clone();
            self.restarts.spawn(async move {
                tokio::time::sleep(wait).await;
                (id, task)
            });
        }
        None
    }

    /// Starts a device's task again, unless another has taken its place meanwhile.
    pub(super) async fn restart(&mut self, id: &DeviceId, broken: Id) {
        if self
            .devices
            .get(id)
            .is_some_and(|device| device.task == broken)
            && let Some(device) = self.devices.remove(id)
        {
            self.start_car(device.listed, device.account).await;
            if let Some(successor) = self.devices.get_mut(id) {
                successor.n_panics = device.n_panics;
            }
        }
    }
}
