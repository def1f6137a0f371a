//! The accounts: how they are opened, whose cars were whose, and what the state of a login means
//! to its cars.

use tokio::sync::mpsc;
use tokio::task::Id;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::device_task::DeviceMessage;
use super::ledger::Ledger;
use super::troubles::Troubled;
use super::{Bridge, StartError, list_task, memory};
use crate::api::{self, AccountStatus};
use crate::clock;
use crate::config;
use crate::decode::products::ListedVehicle;
use crate::device::Input;

/// One account while it is followed.
pub(super) struct FollowedAccount {
    /// Counted from the start of the process: an account that is opened anew is another.
    pub index: usize,
    /// The task that lists its cars.
    pub task: Id,
    /// As the owner configured it.
    pub settings: config::AccountSettings,
    /// Its login and its calls.
    pub account: api::Account,
    /// What its calls cost.
    pub ledger: Ledger,
    /// Asks for an early list.
    pub relist: mpsc::Sender<()>,
    /// The end of its tasks, and of those of its cars.
    pub cancel: CancellationToken,
    /// Whether the login has been tried: only news of a later sign-in are news to its cars.
    was_tried: bool,
}

impl Bridge {
    pub(super) async fn open_account(
        &mut self,
        settings: config::AccountSettings,
    ) -> Result<(), StartError> {
        let cancel = self.cancel.child_token();
        let directory = &self.settings.state.directory;
        let account = api::Account::open(&settings, directory, cancel.clone())
            .await
            .map_err(|error| StartError::Account {
                name: settings.name.clone(),
                text: error.to_string(),
            })?;
        let index = self.next_account;
        self.next_account += 1;
        let (relist, asked) = mpsc::channel(1);
        let ledger = Ledger::open(&settings, directory, &self.settings.budget, clock::now());
        let task = list_task::run(
            index,
            account.clone(),
            ledger.clone(),
            self.task_messages.clone(),
            asked,
            cancel.clone(),
        );
        let span = tracing::info_span!("account", name = %settings.name);
        let task = self.tasks.spawn(task.instrument(span)).id();
        let followed = FollowedAccount {
            task,
            index,
            settings,
            account,
            ledger,
            relist,
            cancel,
            was_tried: false,
        };
        self.accounts.insert(index, followed);
        self.remember_cars(index).await;
        Ok(())
    }

    /// The cars of an earlier run, before Tesla has said anything.
    async fn remember_cars(&mut self, index: usize) {
        let Some(followed) = self.accounts.get(&index) else {
            return;
        };
        let cars = memory::remembered(&self.settings.state.directory)
            .into_iter()
            .filter(|car| car.account == followed.settings.name)
            .map(|car| ListedVehicle::unseen(car.vin, car.id))
            .collect();
        let changes = self.fleet.remembered(index, cars);
        self.follow(changes).await;
    }

    pub(super) async fn account_status(&mut self, account: usize, status: &AccountStatus) {
        let Some(followed) = self.accounts.get_mut(&account) else {
            return;
        };
        let is_first = !std::mem::replace(&mut followed.was_tried, true);
        let login = Troubled::Login(followed.settings.name.clone());
        match status {
            AccountStatus::SigningIn => {}
            AccountStatus::SignedIn { .. } => self.troubles.set(login, None),
            AccountStatus::SignedOut { why } | AccountStatus::Unreachable { why } => {
                self.troubles.set(login, Some(why.clone()));
            }
        }
        let input = match status {
            AccountStatus::SignedIn { .. } if !is_first => Some(Input::SignedIn),
            AccountStatus::SignedOut { .. } => {
                let changes = self.fleet.unusable(account);
                self.follow(changes).await;
                Some(Input::SignedOut)
            }
            _ => None,
        };
        if let Some(input) = input {
            for id in self.fleet.followed_by(account) {
                self.send(id, DeviceMessage::Input(input.clone()));
            }
        }
    }
}
