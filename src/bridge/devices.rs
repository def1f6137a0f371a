//! The devices that are followed: how their tasks are started, spoken to and ended.

use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{Id, JoinError};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::device_task::{CarClient, Channels, DeviceMessage, DeviceTask};
use super::fleet::Change;
use super::troubles::Troubled;
use super::{Bridge, END_OF_TASKS, login, publishing};
use crate::api;
use crate::clock;
use crate::decode::products::ListedVehicle;
use crate::device::{Config, Input, Pace, Publishing, Saving};
use crate::discovery;
use crate::model::{DeviceId, Vin};

/// A task that panicked starts again after this.
const RESTART_AFTER: Duration = Duration::from_secs(30);
/// Messages that may wait for one device while it waits for an answer: at most a minute's. They are
/// few, and the account's next list repeats what one beyond would have said.
const INBOX_MAX: usize = 64;

/// One car while it is followed.
pub struct FollowedCar {
    /// The account through which it is.
    pub account: usize,
    /// As the account last listed it.
    pub listed: Box<ListedVehicle>,
    /// To its task.
    pub inbox: mpsc::Sender<DeviceMessage>,
    cancel: CancellationToken,
    /// Its task.
    pub task: Id,
}

impl Bridge {
    /// Does what a list, or the loss of an account, means for the cars.
    pub(super) async fn follow(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Follow {
                    car,
                    account,
                    is_news,
                } => {
                    let vin = car.vin.clone();
                    let before = self.cars.get(&vin).map(|car| car.account);
                    self.leave(&vin).await;
                    self.start_car(car.clone(), account).await;
                    if before.is_some_and(|before| before != account) {
                        let account = self.accounts.get(&account);
                        let account = account.map(|followed| followed.settings.name.as_str());
                        tracing::info!(%vin, account, "car is followed through another account");
                    }
                    if is_news {
                        self.send(&vin, DeviceMessage::Listed(car));
                    }
                }
                Change::Seen { car } => {
                    let vin = car.vin.clone();
                    if let Some(known) = self.cars.get_mut(&vin) {
                        known.listed.clone_from(&car);
                    }
                    self.send(&vin, DeviceMessage::Listed(car));
                }
                Change::Gone { vin } => {
                    tracing::warn!(%vin, "car is on no account's list any more");
                    self.send(&vin, DeviceMessage::Input(Input::Removed));
                }
            }
        }
    }

    /// A car that vanished from the list keeps its task (and its topics, unavailable); it ends
    /// when another account takes the car over.
    pub(super) async fn leave(&mut self, vin: &Vin) {
        let Some(car) = self.cars.remove(vin) else {
            return;
        };
        self.views.remove(&DeviceId::from(vin));
        self.troubles.set(Troubled::Car(vin.clone()), None);
        car.cancel.cancel();
        // Its last act is to write its memory, which the successor reads.
        let ended = tokio::time::timeout(END_OF_TASKS, car.inbox.closed()).await;
        if ended.is_err() {
            tracing::warn!(%vin, "the car's task is slow to end");
        }
    }

    pub(super) async fn start_car(&mut self, listed: Box<ListedVehicle>, account: usize) {
        let vin = listed.vin.clone();
        let Some(followed) = self.accounts.get(&account) else {
            return;
        };
        let publishing = self.publishing(&vin).await;
        let settings = &self.settings;
        let config = Config {
            policy: settings.polling.policy(followed.settings.api),
            tariff: settings.tariff.clone(),
            unavailable_after: settings.polling.unavailable_after,
            saving: Saving::TO_DISK,
            publishing: Some(publishing),
            pace: Pace::times(clock::speed()),
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
        let span = tracing::info_span!("car", %vin);
        let task = self.tasks.spawn(task.run().instrument(span)).id();
        let car = FollowedCar {
            account,
            listed,
            inbox,
            cancel,
            task,
        };
        self.cars.insert(vin.clone(), car);
        if let Some(budget) = self.budgets.get(&account) {
            self.send(&vin, DeviceMessage::Input(Input::Budget(*budget)));
        }
    }

    /// Where a car is published, which it may be from now on.
    async fn publishing(&self, vin: &Vin) -> Publishing {
        let settings = &self.settings;
        let prefix = &settings.homeassistant.discovery_prefix;
        let announced = discovery::car_topic(prefix, vin.as_str());
        Publishing {
            paths: publishing::paths(settings, vin),
            setup: discovery::Setup {
                car_ids: self.car_ids.clone(),
                ..publishing::setup(settings)
            },
            homeassistant: settings.homeassistant.enabled,
            teslamate: self.teslamates_topics(vin).await,
            announced: self.retained.announced(&announced).await,
        }
    }

    /// Sends a message to a car's task.
    pub(super) fn send(&self, vin: &Vin, message: DeviceMessage) {
        // One whose task has just broken gets it anew when it starts again.
        if let Some(car) = self.cars.get(vin)
            && let Err(TrySendError::Full(_)) = car.inbox.try_send(message)
        {
            tracing::warn!(%vin, "the car's task has been busy for long, a message to it was dropped");
        }
    }

    /// A task ended. A car's that broke starts again; without an account's there is no going on,
    /// and the answer says what broke.
    pub(super) fn task_ended(
        &mut self,
        ended: Result<(Id, ()), JoinError>,
    ) -> Option<&'static str> {
        let (id, error) = match ended {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(error)),
        };
        let account = self.accounts.values().find(|followed| followed.task == id);
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
        let car = self.cars.iter().find(|(_, car)| car.task == id);
        if let Some((vin, _)) = car {
            tracing::error!(%vin, %error, "a car's task broke, it starts again in {RESTART_AFTER:?}; please report this");
            let vin = vin.clone();
            self.restarts.spawn(async move {
                tokio::time::sleep(RESTART_AFTER).await;
                (vin, id)
            });
        }
        None
    }

    /// Starts a car's task again, unless another has taken its place meanwhile.
    pub(super) async fn restart(&mut self, vin: &Vin, broken: Id) {
        if self.cars.get(vin).is_some_and(|car| car.task == broken)
            && let Some(car) = self.cars.remove(vin)
        {
            self.troubles.set(Troubled::Car(vin.clone()), None);
            self.start_car(car.listed, car.account).await;
        }
    }
}
