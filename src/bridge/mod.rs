//! The wiring: one task a car, two an account, one for the broker, joined by bounded channels and
//! ended by one cancellation token. Nothing is decided here but who talks to whom.

mod account;
mod accounts;
mod bridge_publisher;
mod car;
mod fleet;
mod incoming;
mod ledger;
mod list;
mod list_wait;
mod login;
mod memory;
mod orders;
mod publishing;
mod refusals;
mod reload;
mod retained;
mod scopes;
mod start_error;
mod state_directory_lock;
mod teslamate;
mod views;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::api;
use crate::clock;
use crate::config::{self, Settings};
use crate::decode::products::ListedVehicle;
use crate::device::Input;
use crate::discovery::{self, EntityPrefixes};
use crate::model::{DeviceId, Vin};
use crate::mqtt::{self, Connection, Handle};
use crate::policy::Budget;
use crate::retained::Manifest;
use crate::service::{self, ProcessSignal, Signals, heartbeat};

use account::FromAccount;
use bridge_publisher::BridgePublisher;
use car::{CarClient, CarMessage, CarTask};
use fleet::{Fleet, FleetChange};
use incoming::subscriptions;
use ledger::Ledger;
use orders::Orders;
use retained::Retained;
pub use scopes::{Scopes, scopes};
pub use start_error::StartError;
pub use state_directory_lock::StateDirectoryLock;
pub use views::Views;

/// How long cars and accounts may take to end; the rest of the contract's two seconds is the
/// broker's.
const END_OF_TASKS: Duration = Duration::from_millis(400);
/// How long the broker may take to acknowledge the last values and `offline`.
const END_OF_BROKER: Duration = Duration::from_millis(1300);
/// The supervisor's own beat: watchdog, heartbeat file, ledgers.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// systemd hears "ready" after this even if the broker is not there: the status says so, and the
/// cars are followed meanwhile.
const READY_AT_LATEST: Duration = Duration::from_secs(20);
/// A task that panicked starts again after this.
const RESTART_AFTER: Duration = Duration::from_secs(30);
/// Messages that may wait for one car while it waits for an answer: at most a minute's. They are few,
/// and the account's next list repeats what one beyond would have said.
const INBOX_MAX: usize = 64;

/// Reads the configuration anew at SIGHUP, and sets the log's level by it.
pub type Reload = Box<dyn Fn() -> Result<Settings, config::ConfigErrors> + Send + Sync>;

/// One account while it is followed.
struct FollowedAccount {
    index: usize,
    /// Its lister.
    task: Id,
    settings: config::AccountSettings,
    account: api::Account,
    ledger: Ledger,
    relist: mpsc::Sender<()>,
    cancel: CancellationToken,
    /// Whether the login has been tried: only news of a later sign-in are news to its cars.
    was_tried: bool,
}

/// One car while it is followed.
struct FollowedCar {
    account: usize,
    listed: Box<ListedVehicle>,
    inbox: mpsc::Sender<CarMessage>,
    cancel: CancellationToken,
    task: Id,
}

struct Bridge {
    settings: Settings,
    mqtt: Handle,
    own: BridgePublisher,
    retained: Retained,
    orders: Orders,
    accounts: BTreeMap<usize, FollowedAccount>,
    next_account: usize,
    news: mpsc::Sender<FromAccount>,
    fleet: Fleet,
    cars: BTreeMap<Vin, FollowedCar>,
    entity_prefixes: EntityPrefixes,
    views: Views,
    tasks: JoinSet<()>,
    restarts: JoinSet<(Vin, Id)>,
    birth: Option<AbortHandle>,
    budgets: BTreeMap<usize, Budget>,
    cancel: CancellationToken,
}

/// Runs the bridge until SIGTERM or SIGINT, then says `offline`, writes every state and returns,
/// all within two seconds. The state directory stays locked until then.
pub async fn run(
    settings: Settings,
    _lock: StateDirectoryLock,
    signals: Signals,
    reload: Reload,
) -> Result<(), StartError> {
    let directory = settings.state.directory.clone();
    #[cfg(feature = "broker")]
    let _embedded = if settings.broker.enabled {
        Some(crate::broker::start(&settings.broker).await?)
    } else {
        None
    };
    let client_id = client_id(&settings).map_err(|source| StartError::StateDirectory {
        path: directory.clone(),
        source,
    })?;
    let manifest = open_manifest(settings.clone()).await;
    let broker_cancel = CancellationToken::new();
    let (mqtt, mut incoming, mut broker_task) = mqtt::start(
        &settings.mqtt,
        client_id,
        subscriptions(&settings),
        broker_cancel.clone(),
    )?;
    let mut connection = mqtt.connection();
    let (news, mut from_accounts) = mpsc::channel(16);
    let entity_prefixes = retained::entity_prefixes(&manifest);
    // Before anything else is said, which may stand at the same place once more.
    let retained = Retained::start(manifest, mqtt.clone(), &settings).await;
    let mut bridge = Bridge {
        own: BridgePublisher::new(mqtt.clone(), retained.clone(), &settings).await,
        retained,
        orders: Orders::default(),
        settings,
        mqtt,
        accounts: BTreeMap::new(),
        next_account: 0,
        news,
        fleet: Fleet::default(),
        cars: BTreeMap::new(),
        entity_prefixes,
        views: Views::default(),
        tasks: JoinSet::new(),
        restarts: JoinSet::new(),
        birth: None,
        budgets: BTreeMap::new(),
        cancel: CancellationToken::new(),
    };
    bridge.forget_what_is_removed();
    bridge.place_teslamates_topics().await;
    for account in bridge.settings.accounts.clone() {
        bridge.open_account(account).await?;
    }
    bridge.say_unconfigured_unavailable().await;
    bridge.say_own().await;
    let beat_every = service::watchdog_interval().map_or(BEAT_EVERY, |half| half.min(BEAT_EVERY));
    let mut beat = tokio::time::interval(beat_every);
    let ready_at_latest = tokio::time::sleep(READY_AT_LATEST);
    tokio::pin!(ready_at_latest);
    let mut is_ready = false;
    let mut status = service::StatusLine::default();
    let broken = loop {
        tokio::select! {
            signal = signals.next() => match signal {
                ProcessSignal::Stop => break None,
                ProcessSignal::Reload => signals.unless_stopped(Box::pin(bridge.reload(&reload))).await,
            },
            Some(message) = from_accounts.recv() => bridge.receive_from_account(message).await,
            Some(message) = incoming.recv() => bridge.receive(&message).await,
            Ok(()) = connection.changed() => {
                let now = connection.borrow_and_update().clone();
                is_ready = tell_service(&now, &mut status, is_ready);
                bridge.own.announce(&bridge.settings).await;
            }
            () = &mut ready_at_latest, if !is_ready => {
                service::ready();
                is_ready = true;
            }
            Some(ended) = bridge.tasks.join_next_with_id() => {
                if let Some(what) = bridge.task_ended(ended) {
                    break Some(what);
                }
            }
            Some(Ok((vin, task))) = bridge.restarts.join_next() => bridge.restart(&vin, task).await,
            _ = &mut broker_task => break Some("the broker connection's task"),
            _ = beat.tick() => bridge.beat().await,
        }
    };
    service::stopping();
    tracing::info!("stopping");
    // A task that waits to tell us something would not see that it is to end.
    drop(from_accounts);
    bridge.end().await;
    broker_cancel.cancel();
    let is_slow = !broker_task.is_finished()
        && tokio::time::timeout(END_OF_BROKER, broker_task)
            .await
            .is_err();
    if is_slow {
        tracing::warn!("the broker did not take the last values in time");
    }
    if let Err(error) = heartbeat::end(&directory) {
        tracing::debug!(%error, "the heartbeat file cannot be removed");
    }
    broken.map_or(Ok(()), |what| Err(StartError::Broke(what)))
}

fn tell_service(connection: &Connection, status: &mut service::StatusLine, is_ready: bool) -> bool {
    match connection {
        Connection::Up(_) => {
            if !is_ready {
                service::ready();
            }
            status.set("connected to the broker");
            true
        }
        Connection::Down(why) => {
            status.set(&format!(
                "no broker: {why}; the cars are followed meanwhile"
            ));
            is_ready
        }
    }
}

/// What is at the broker, and what will be said there first; before there is a connection.
async fn open_manifest(settings: Settings) -> Manifest {
    let opened = tokio::task::spawn_blocking(move || {
        retained::open(&settings, |manifest| {
            bridge_publisher::first_declaration(&settings, manifest)
        })
    });
    opened.await.unwrap_or_default()
}

fn client_id(settings: &Settings) -> std::io::Result<String> {
    match &settings.mqtt.client_id {
        Some(id) => Ok(id.clone()),
        None => mqtt::client_id(&settings.state.directory),
    }
}

impl Bridge {
    fn forget_what_is_removed(&mut self) {
        let forgetting = self.retained.clone().forget_what_is_removed();
        let cancel = self.cancel.clone();
        self.tasks.spawn(async move {
            cancel.run_until_cancelled(forgetting).await;
        });
    }

    async fn receive_from_account(&mut self, message: FromAccount) {
        match message {
            FromAccount::Listed {
                account,
                cars,
                is_whole,
            } => {
                if !self.accounts.contains_key(&account) {
                    return;
                }
                let changes = self.fleet.listed(account, cars, is_whole);
                self.follow(changes).await;
            }
            FromAccount::Trouble { account, trouble } => {
                if let Some(followed) = self.accounts.get(&account) {
                    self.own.trouble(&followed.settings.name, &trouble);
                }
            }
            FromAccount::CarTrouble { vin, trouble } => self.own.trouble_of_car(&vin, &trouble),
            FromAccount::Refused { account } => {
                let changes = self.fleet.unusable(account);
                self.follow(changes).await;
            }
            FromAccount::Status { account, status } => self.account_status(account, &status).await,
        }
        self.say_own().await;
    }

    async fn follow(&mut self, changes: Vec<FleetChange>) {
        for change in changes {
            match change {
                FleetChange::Follow {
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
                        self.tell(&vin, CarMessage::Listed(car));
                    }
                }
                FleetChange::Seen { car } => {
                    let vin = car.vin.clone();
                    if let Some(known) = self.cars.get_mut(&vin) {
                        known.listed.clone_from(&car);
                    }
                    self.tell(&vin, CarMessage::Listed(car));
                }
                FleetChange::Gone { vin } => {
                    tracing::warn!(%vin, "car is on no account's list any more");
                    self.tell(&vin, CarMessage::Input(Input::Removed));
                }
            }
        }
    }

    /// A car that vanished from the list keeps its task (and its topics, unavailable); it ends
    /// when another account takes the car over.
    async fn leave(&mut self, vin: &Vin) {
        let Some(car) = self.cars.remove(vin) else {
            return;
        };
        self.views.remove(&DeviceId::from(vin));
        car.cancel.cancel();
        // Its last act is to write its memory, which the successor reads.
        let ended = tokio::time::timeout(END_OF_TASKS, car.inbox.closed()).await;
        if ended.is_err() {
            tracing::warn!(%vin, "the car's task is slow to end");
        }
    }

    async fn start_car(&mut self, listed: Box<ListedVehicle>, account: usize) {
        let vin = listed.vin.clone();
        let teslamate = self.teslamates_topics(&vin).await;
        let Some(followed) = self.accounts.get(&account) else {
            return;
        };
        let cancel = followed.cancel.child_token();
        let (inbox, messages) = mpsc::channel(INBOX_MAX);
        let client = CarClient {
            account: followed.account.clone(),
            ledger: followed.ledger.clone(),
            relist: followed.relist.clone(),
            news: self.news.clone(),
            car: api::CarRef::of(&listed),
            entity_prefixes: self.entity_prefixes.clone(),
        };
        let prefix = &self.settings.homeassistant.discovery_prefix;
        let announced = discovery::device_topic(prefix, &DeviceId::from(&vin));
        let announced = self.retained.announced(&announced).await;
        let task = CarTask::prepare(
            &self.settings,
            &followed.settings,
            client,
            self.mqtt.clone(),
            self.retained.clone(),
            announced,
            teslamate,
            messages,
            cancel.clone(),
        );
        self.views.insert(task.view());
        let span = tracing::info_span!("car", %vin);
        let task = self.tasks.spawn(task.run().instrument(span)).id();
        let told = vin.clone();
        self.cars.insert(
            vin,
            FollowedCar {
                account,
                listed,
                inbox,
                cancel,
                task,
            },
        );
        if let Some(budget) = self.budgets.get(&account) {
            self.tell(&told, CarMessage::Input(Input::Budget(*budget)));
        }
    }

    fn tell(&self, vin: &Vin, message: CarMessage) {
        // One whose task has just broken is told anew when it starts again.
        if let Some(car) = self.cars.get(vin)
            && let Err(TrySendError::Full(_)) = car.inbox.try_send(message)
        {
            tracing::warn!(%vin, "the car's task has been busy for long, a message to it was dropped");
        }
    }

    /// A task ended. A car's that broke starts again; without an account's there is no going on,
    /// and the answer says what broke.
    fn task_ended(&mut self, ended: Result<(Id, ()), JoinError>) -> Option<&'static str> {
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
    async fn restart(&mut self, vin: &Vin, broken: Id) {
        if self.cars.get(vin).is_some_and(|car| car.task == broken)
            && let Some(car) = self.cars.remove(vin)
        {
            self.start_car(car.listed, car.account).await;
        }
    }

    async fn beat(&mut self) {
        service::watchdog();
        let now = clock::now();
        for followed in self.accounts.values() {
            followed.ledger.write_if_changed(now).await;
            let (budget, is_new_month) = {
                let mut governor = followed.ledger.governor();
                (governor.budget(now), governor.month_rolled(now))
            };
            let index = followed.index;
            let is_news = self.budgets.insert(index, budget) != Some(budget);
            for vin in self.fleet.followed_by(index) {
                if is_news {
                    self.tell(vin, CarMessage::Input(Input::Budget(budget)));
                }
                if is_new_month {
                    self.tell(vin, CarMessage::Input(Input::MonthRolled));
                }
            }
        }
        self.say_accounts().await;
        let is_followed = |id: &DeviceId| self.cars.keys().any(|vin| DeviceId::from(vin) == *id);
        self.retained.withdraw_orphans(is_followed).await;
        if let Err(error) = heartbeat::beat(&self.settings.state.directory) {
            tracing::debug!(%error, "the heartbeat file cannot be touched");
        }
    }

    async fn say_accounts(&mut self) {
        let now = clock::now();
        let accounts = self.accounts.values().map(|followed| {
            let status = followed.ledger.governor().status(now);
            (followed.settings.name.as_str(), status)
        });
        let accounts = accounts.collect();
        self.own.say_accounts(&self.settings, accounts, now).await;
        self.own.announce(&self.settings).await;
    }

    async fn say_own(&mut self) {
        self.say_accounts().await;
        let accounts = self.accounts.values().map(|followed| &followed.account);
        self.own
            .say(&self.settings, accounts, self.fleet.followed())
            .await;
    }

    async fn end(mut self) {
        self.cancel.cancel();
        let accounts: Vec<_> = self.accounts.values().map(|f| f.account.clone()).collect();
        let all = async {
            while self.tasks.join_next().await.is_some() {}
            // A token that is being spent is worth the wait for the new one.
            for account in accounts {
                account.closed().await;
            }
        };
        if tokio::time::timeout(END_OF_TASKS, all).await.is_err() {
            tracing::warn!("a task did not end in time");
        }
        for followed in self.accounts.values() {
            followed.ledger.write_if_changed(clock::now()).await;
        }
    }
}
