//! The wiring: one task a device, two an account, one for the broker, joined by bounded channels and
//! ended by one cancellation token. Nothing is decided here but who talks to whom.

mod accounts;
mod bridge_publisher;
mod commands;
mod device_task;
mod device_troubles;
mod devices;
mod fleet;
mod incoming;
mod ledger;
mod list_task;
mod list_troubles;
mod list_wait;
mod login;
mod memory;
mod publishing;
mod reload;
mod retained;
mod scopes;
mod start_error;
mod state_directory_lock;
mod task_message;
mod teslamate;
mod troubles;
mod unavailable;
mod views;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{self, Settings};
use crate::device::Input;
use crate::discovery::EntityPrefixes;
use crate::model::DeviceId;
use crate::mqtt::{self, Connection, Handle};
use crate::policy::Budget;
use crate::publisher::BridgePublisher;
use crate::retained::Manifest;
use crate::service::{self, ProcessSignal, Signals, heartbeat};

use accounts::FollowedAccount;
use commands::CommandReader;
use device_task::DeviceMessage;
use devices::FollowedDevice;
use fleet::Fleet;
use incoming::subscriptions;
use retained::Retained;
pub use scopes::{Scopes, scopes};
pub use start_error::StartError;
pub use state_directory_lock::StateDirectoryLock;
use task_message::TaskMessage;
use troubles::{Troubled, Troubles};
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
/// Reads the configuration anew at SIGHUP, and sets the log's level by it.
pub type Reload = Box<dyn Fn() -> Result<Settings, config::ConfigErrors> + Send + Sync>;

struct Bridge {
    settings: Settings,
    mqtt: Handle,
    publisher: BridgePublisher,
    retained: Retained,
    commands: CommandReader,
    accounts: BTreeMap<usize, FollowedAccount>,
    next_account: usize,
    task_messages: mpsc::Sender<TaskMessage>,
    fleet: Fleet,
    devices: BTreeMap<DeviceId, FollowedDevice>,
    troubles: Troubles,
    entity_prefixes: EntityPrefixes,
    views: Views,
    tasks: JoinSet<()>,
    restarts: JoinSet<(DeviceId, Id)>,
    birth: Option<AbortHandle>,
    budgets: BTreeMap<usize, Budget>,
    cancel: CancellationToken,
}

/// Runs the bridge until SIGTERM or SIGINT, then says `offline`, writes every state and returns,
/// all within two seconds. The state directory stays locked until then. `views` shows
/// every device meanwhile.
pub async fn run(
    settings: Settings,
    _lock: StateDirectoryLock,
    signals: Signals,
    reload: Reload,
    views: Views,
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
    let (task_messages, mut from_tasks) = mpsc::channel(16);
    let mut bridge = Bridge::new(settings, mqtt, manifest, task_messages, views).await;
    bridge.start().await?;
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
            Some(message) = from_tasks.recv() => bridge.receive_from_task(message).await,
            Some(message) = incoming.recv() => bridge.receive(&message).await,
            Ok(()) = connection.changed() => {
                let now = connection.borrow_and_update().clone();
                is_ready = tell_service(&now, &mut status, is_ready);
                bridge.publish_own().await;
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
            Some(Ok((id, task))) = bridge.restarts.join_next() => bridge.restart(&id, task).await,
            _ = &mut broker_task => break Some("the broker connection's task"),
            _ = beat.tick() => bridge.beat().await,
        }
    };
    service::stopping();
    tracing::info!("stopping");
    // A task that waits to send us something would not see that it is to end.
    drop(from_tasks);
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
    /// A bridge that follows nobody yet.
    async fn new(
        settings: Settings,
        mqtt: Handle,
        manifest: Manifest,
        task_messages: mpsc::Sender<TaskMessage>,
        views: Views,
    ) -> Self {
        let entity_prefixes = retained::entity_prefixes(&manifest);
        // Before anything else is said, which may stand at the same place once more.
        let retained = Retained::start(manifest, mqtt.clone(), &settings).await;
        Self {
            publisher: bridge_publisher::bridge_publisher(&settings, &retained).await,
            retained,
            commands: CommandReader::default(),
            settings,
            mqtt,
            accounts: BTreeMap::new(),
            next_account: 0,
            task_messages,
            fleet: Fleet::default(),
            devices: BTreeMap::new(),
            troubles: Troubles::default(),
            entity_prefixes,
            views,
            tasks: JoinSet::new(),
            restarts: JoinSet::new(),
            birth: None,
            budgets: BTreeMap::new(),
            cancel: CancellationToken::new(),
        }
    }

    /// Opens the accounts, and follows the cars that an earlier run followed.
    async fn start(&mut self) -> Result<(), StartError> {
        self.forget_what_is_removed();
        self.place_teslamates_topics().await;
        for account in self.settings.accounts.clone() {
            self.open_account(account).await?;
        }
        self.publish_unconfigured_unavailable().await;
        self.publish_bridge().await;
        Ok(())
    }

    fn forget_what_is_removed(&mut self) {
        let forgetting = self.retained.clone().forget_what_is_removed();
        let cancel = self.cancel.clone();
        self.tasks.spawn(async move {
            cancel.run_until_cancelled(forgetting).await;
        });
    }

    async fn receive_from_task(&mut self, message: TaskMessage) {
        match message {
            TaskMessage::Listed {
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
            TaskMessage::ListTrouble { account, change } => {
                if let Some(followed) = self.accounts.get(&account) {
                    let list = Troubled::List(followed.settings.name.clone());
                    self.troubles.change(list, change);
                }
            }
            TaskMessage::DeviceTrouble { id, task, change } => {
                if self
                    .devices
                    .get(&id)
                    .is_some_and(|device| device.task == task)
                {
                    self.troubles.change(Troubled::Device(id), change);
                }
            }
            TaskMessage::Refused { account } => {
                let changes = self.fleet.unusable(account);
                self.follow(changes).await;
            }
            TaskMessage::Status { account, status } => self.account_status(account, &status).await,
        }
        self.publish_bridge().await;
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
            for id in self.fleet.followed_by(index) {
                if is_news {
                    self.send(id, DeviceMessage::Input(Input::Budget(budget)));
                }
                if is_new_month {
                    self.send(id, DeviceMessage::Input(Input::MonthRolled));
                }
            }
        }
        self.publish_bridge().await;
        let is_followed = |id: &DeviceId| self.devices.contains_key(id);
        self.retained.withdraw_unfollowed(is_followed).await;
        if let Err(error) = heartbeat::beat(&self.settings.state.directory) {
            tracing::debug!(%error, "the heartbeat file cannot be touched");
        }
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
