//! One account's task: lists its products and says what is on the list.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::list_troubles::ListTroubles;
use super::list_wait::{Ending, ListWait};
use super::task_message::TaskMessage;
use super::troubles::TroubleChange;
use crate::api::{Account, AccountStatus, Called, ProductList};
use crate::clock;
use crate::failure::ApiFailure;
use crate::model::Now;
use crate::rng;

/// An account that is refused for so long does not keep a car that another one lists, too.
const GIVE_UP_AFTER: Duration = Duration::from_mins(5);

/// Runs until `cancel`. `relist` asks for an early listing.
pub(super) async fn run(
    index: usize,
    account: Account,
    ledger: Ledger,
    bridge: mpsc::Sender<TaskMessage>,
    mut relist: mpsc::Receiver<()>,
    cancel: CancellationToken,
) {
    let mut lister = Lister {
        index,
        status: account.status(),
        account,
        ledger,
        bridge,
        troubles: ListTroubles::default(),
        wait: ListWait::default(),
        next_at: clock::now().mono,
        not_before: Duration::ZERO,
        awaits_login: false,
        is_refused: false,
        give_up_at: None,
    };
    lister.wait_out_earlier_limit().await;
    loop {
        let (next_at, give_up_at) = (lister.next_at, lister.give_up_at);
        tokio::select! {
            () = cancel.cancelled() => return,
            changed = lister.status.changed() => {
                if changed.is_err() {
                    return;
                }
                lister.status_changed().await;
            }
            Some(()) = relist.recv() => {
                lister.next_at = next_at.min(clock::now().mono.max(lister.not_before));
            }
            () = clock::sleep_until(give_up_at.unwrap_or_default()), if give_up_at.is_some() => {
                lister.give_up_at = None;
                lister.send(TaskMessage::Refused { account: index }).await;
            }
            () = clock::sleep_until(next_at) => {
                let called = tokio::select! {
                    () = cancel.cancelled() => return,
                    called = lister.account.products() => called,
                };
                lister.take_in(called).await;
            }
        }
    }
}

/// What an account's task owns.
struct Lister {
    index: usize,
    account: Account,
    status: watch::Receiver<AccountStatus>,
    ledger: Ledger,
    bridge: mpsc::Sender<TaskMessage>,
    troubles: ListTroubles,
    wait: ListWait,
    /// Monotonic time of the next list.
    next_at: Duration,
    /// No wish for a list brings it forward to before this.
    not_before: Duration,
    /// It was the login that failed: the list is due as soon as there is another.
    awaits_login: bool,
    is_refused: bool,
    /// Monotonic time from which the cars may go to other accounts.
    give_up_at: Option<Duration>,
}

impl Lister {
    /// An earlier run may have been told to leave the list alone for hours.
    async fn wait_out_earlier_limit(&mut self) {
        let now = clock::now();
        let Some(left) = self.ledger.list_limited_for(now.wall) else {
            return;
        };
        self.next_at = now.mono + left;
        self.not_before = self.next_at;
        let change = self.troubles.limited_before(later(now.wall, left));
        self.tell_owner(change).await;
    }

    async fn status_changed(&mut self) {
        let status = self.status.borrow_and_update().clone();
        let is_signed_in = matches!(status, AccountStatus::SignedIn { .. });
        // The owner who has just signed in looks for the cars. Any other failure is not mended by
        // a login, least of all by the one with which the list was asked for.
        if is_signed_in && std::mem::take(&mut self.awaits_login) {
            self.next_at = clock::now().mono;
        }
        let account = self.index;
        self.send(TaskMessage::Status { account, status }).await;
    }

    async fn take_in(&mut self, called: Called<ProductList>) {
        let now = clock::now();
        called.answers().bill_list(&mut self.ledger.governor(), now);
        let ending = ending(&called);
        let wait = self.wait.after(ending, rng::share());
        self.wait_for_next(ending, wait, now);
        let next_at = later(now.wall, wait);
        let error = called.outcome.as_ref().err();
        let is_limit_of_the_list = error
            .is_some_and(|error| error.kind == ApiFailure::Limited && !called.statuses.is_empty());
        let limited_until = is_limit_of_the_list.then_some(next_at);
        self.ledger.limit_list(limited_until, now).await;
        self.awaits_login =
            error.is_some() && !matches!(*self.status.borrow(), AccountStatus::SignedIn { .. });
        let change = match called.outcome {
            Ok(list) => {
                let change = self.troubles.listed(&list);
                self.send(TaskMessage::Listed {
                    account: self.index,
                    is_whole: list.is_whole(),
                    cars: list.vehicles,
                })
                .await;
                change
            }
            Err(error) => {
                let account = self.account.name();
                tracing::debug!(account, %error, "list of cars not had");
                self.troubles.failed(&error, wait, next_at)
            }
        };
        self.tell_owner(change).await;
    }

    /// When the next list is due, and whether the cars may go to other accounts before.
    fn wait_for_next(&mut self, ending: Ending, wait: Duration, now: Now) {
        self.next_at = now.mono + wait;
        self.not_before = if ending.is_imposed() {
            self.next_at
        } else {
            Duration::ZERO
        };
        if !matches!(ending, Ending::Failed { .. }) {
            self.is_refused = false;
            self.give_up_at = None;
        } else if ending.is_refused() && !std::mem::replace(&mut self.is_refused, true) {
            self.give_up_at = Some(now.mono + GIVE_UP_AFTER);
        }
    }

    async fn tell_owner(&self, change: Option<TroubleChange>) {
        let Some(change) = change else {
            return;
        };
        let name = self.account.name();
        match &change {
            TroubleChange::Begun(trouble) => tracing::warn!("account {name}: {trouble}"),
            TroubleChange::Changed(_) => {}
            TroubleChange::Ended => {
                tracing::info!("account {name}: its list of cars is there again");
            }
        }
        self.send(TaskMessage::ListTrouble {
            account: self.index,
            change,
        })
        .await;
    }

    async fn send(&self, message: TaskMessage) {
        // Nobody receives any more only while the bridge ends.
        let _ = self.bridge.send(message).await;
    }
}

fn ending(called: &Called<ProductList>) -> Ending {
    match &called.outcome {
        Ok(list) if list.is_cut => Ending::Endless,
        Ok(list) if list.is_whole() && !list.vehicles.is_empty() => Ending::Whole,
        Ok(_) => Ending::Doubtful,
        Err(error) => Ending::Failed {
            failure: error.kind,
            retry_after: error.retry_after,
        },
    }
}

fn later(wall: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    wall.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
