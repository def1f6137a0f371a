//! One account's task: lists its products and says what is on the list.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::api::{Account, AccountStatus, Kind};
use crate::clock;
use crate::decode::products::ListedVehicle;

/// The list is free and wakes nobody, but a changed list is rare.
const LIST_EVERY: Duration = Duration::from_hours(1);
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_mins(15);

/// What an account's task tells the fleet.
#[derive(Debug)]
pub enum FromAccount {
    /// The cars on its list.
    Listed {
        /// Whose list.
        account: usize,
        /// The cars.
        cars: Vec<ListedVehicle>,
    },
    /// Signed in, signed out, unreachable.
    Status {
        /// Whose status.
        account: usize,
        /// The news.
        status: AccountStatus,
    },
}

/// Runs until `cancel`. `relist` asks for an early listing.
pub async fn run(
    index: usize,
    account: Account,
    fleet: mpsc::Sender<FromAccount>,
    mut relist: mpsc::Receiver<()>,
    cancel: CancellationToken,
) {
    let mut status = account.status();
    let mut retry = FIRST_RETRY;
    let mut has_failed = false;
    let mut next_list = clock::now().mono;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            changed = status.changed() => {
                if changed.is_err() {
                    return;
                }
                let status = status.borrow_and_update().clone();
                if matches!(status, AccountStatus::SignedIn { .. }) {
                    retry = FIRST_RETRY;
                    // The owner who has just signed in looks for the cars.
                    if has_failed {
                        next_list = clock::now().mono;
                    }
                }
                let _ = fleet.send(FromAccount::Status { account: index, status }).await;
            }
            Some(()) = relist.recv() => next_list = clock::now().mono,
            () = clock::sleep_until(next_list) => {
                let listed = tokio::select! {
                    () = cancel.cancelled() => return,
                    listed = account.products() => listed,
                };
                match listed.outcome {
                    Ok(list) => {
                        retry = FIRST_RETRY;
                        has_failed = false;
                        next_list = clock::now().mono + LIST_EVERY;
                        let _ = fleet.send(FromAccount::Listed { account: index, cars: list.vehicles }).await;
                    }
                    Err(error) => {
                        tracing::debug!(account = account.name(), %error, "list of cars not had");
                        let asked = match error.kind {
                            Kind::Limited { retry_after } => retry_after,
                            _ => None,
                        };
                        let wait = asked.unwrap_or(retry).max(retry);
                        has_failed = true;
                        next_list = clock::now().mono + wait;
                        retry = (retry * 2).min(LAST_RETRY);
                    }
                }
            }
        }
    }
}
