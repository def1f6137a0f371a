//! One account's task: lists its products and says what is on the list.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::list::{ListWatch, News};
use super::list_wait::{Ending, ListWait};
use crate::api::{Account, AccountStatus, ApiError, Called, ProductList};
use crate::clock;
use crate::decode::products::ListedVehicle;
use crate::failure::ApiFailure;
use crate::model::{Now, Vin};
use crate::policy::{CallClass, Governor};
use crate::rng;

/// An account that is refused for so long does not keep a car that another one lists, too.
const GIVE_UP_AFTER: Duration = Duration::from_mins(5);

/// What the tasks of an account and of its cars tell the bridge.
#[derive(Debug)]
pub(super) enum FromAccount {
    /// The cars on its list.
    Listed {
        /// Whose list.
        account: usize,
        /// The cars.
        cars: Vec<ListedVehicle>,
        /// Whether a car that is missing has gone.
        is_whole: bool,
    },
    /// Something is wrong with its list.
    Trouble {
        /// Whose list.
        account: usize,
        /// In one sentence.
        trouble: String,
    },
    /// Tesla refuses to tell of a car.
    CarTrouble {
        /// The car.
        vin: Vin,
        /// In one sentence.
        trouble: String,
    },
    /// Its login or its list has been refused for minutes, and waiting does not mend that.
    Refused {
        /// Whose.
        account: usize,
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
pub(super) async fn run(
    index: usize,
    account: Account,
    ledger: Ledger,
    fleet: mpsc::Sender<FromAccount>,
    mut relist: mpsc::Receiver<()>,
    cancel: CancellationToken,
) {
    let mut lister = Lister {
        index,
        status: account.status(),
        account,
        ledger,
        fleet,
        watch: ListWatch::default(),
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
                lister.tell(FromAccount::Refused { account: index }).await;
            }
            () = clock::sleep_until(next_at) => {
                let called = tokio::select! {
                    () = cancel.cancelled() => return,
                    called = lister.account.products() => called,
                };
                lister.take(called).await;
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
    fleet: mpsc::Sender<FromAccount>,
    watch: ListWatch,
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
        let news = self.watch.limited_before(later(now.wall, left));
        self.tell_news(news).await;
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
        self.tell(FromAccount::Status { account, status }).await;
    }

    async fn take(&mut self, called: Called<ProductList>) {
        let error = called.outcome.as_ref().err();
        let now = clock::now();
        bill(&mut self.ledger.governor(), now, &called.statuses, error);
        let ending = match &called.outcome {
            Ok(list) if list.is_cut => Ending::Endless,
            Ok(list) if list.is_whole() && !list.vehicles.is_empty() => Ending::Whole,
            Ok(_) => Ending::Doubtful,
            Err(error) => Ending::Failed {
                failure: error.kind,
                retry_after: error.retry_after,
            },
        };
        let wait = self.wait.after(ending, rng::share());
        self.next_at = now.mono + wait;
        self.not_before = if ending.is_imposed() {
            self.next_at
        } else {
            Duration::ZERO
        };
        let next_at = later(now.wall, wait);
        let is_limit_of_the_list = error
            .is_some_and(|error| error.kind == ApiFailure::Limited && !called.statuses.is_empty());
        let limited_until = is_limit_of_the_list.then_some(next_at);
        self.ledger.limit_list(limited_until, now).await;
        self.awaits_login =
            error.is_some() && !matches!(*self.status.borrow(), AccountStatus::SignedIn { .. });
        if error.is_none() {
            self.is_refused = false;
            self.give_up_at = None;
        } else if ending.is_refused() && !std::mem::replace(&mut self.is_refused, true) {
            self.give_up_at = Some(now.mono + GIVE_UP_AFTER);
        }
        let account = self.index;
        let news = match called.outcome {
            Ok(list) => {
                let news = self.watch.listed(&list);
                let is_whole = list.is_whole();
                let cars = list.vehicles;
                self.tell(FromAccount::Listed {
                    account,
                    cars,
                    is_whole,
                })
                .await;
                news
            }
            Err(error) => {
                let account = self.account.name();
                tracing::debug!(account, %error, "list of cars not had");
                self.watch.failed(&error, wait, next_at)
            }
        };
        self.tell_news(news).await;
    }

    async fn tell_news(&self, news: Option<News>) {
        let name = self.account.name();
        let trouble = match news {
            Some(News::Trouble(trouble)) => {
                tracing::warn!("account {name}: {trouble}");
                trouble
            }
            Some(News::Still(trouble)) => trouble,
            Some(News::Mended) => {
                tracing::info!("account {name}: its list of cars is there again");
                return;
            }
            None => return,
        };
        let account = self.index;
        self.tell(FromAccount::Trouble { account, trouble }).await;
    }

    async fn tell(&self, word: FromAccount) {
        // Nobody listens any more only while the bridge ends.
        let _ = self.fleet.send(word).await;
    }
}

fn later(wall: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    wall.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

/// Lists are not asked for at the governor, which has cars to think of, but they are on its account.
fn bill(governor: &mut Governor, now: Now, statuses: &[u16], error: Option<&ApiError>) {
    for status in statuses {
        governor.billed_in_addition(now, CallClass::Light, *status);
    }
    match error.map(|error| &error.kind) {
        Some(ApiFailure::Limited) => {
            let retry_after = error.and_then(|error| error.retry_after);
            governor.limited(now, CallClass::Light, retry_after);
        }
        Some(ApiFailure::BillingLimit) => governor.over_limit(now, CallClass::Light),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{GovernorConfig, Permit, Purpose};

    #[test]
    fn lists_are_on_the_account_and_their_limit_stops_light_calls() {
        let now = Now {
            mono: Duration::ZERO,
            wall: "2026-06-02T12:00:00Z".parse().expect("a time"),
        };
        let mut governor = Governor::new(GovernorConfig::metered(), now);
        bill(&mut governor, now, &[401, 200], None);
        bill(&mut governor, now, &[503], None);
        assert_eq!(governor.status(now).today.light, 2);
        let permit =
            |governor: &mut Governor| governor.permit(now, CallClass::Light, Purpose::Parked);
        assert_eq!(permit(&mut governor), Permit::Go);
        let retry_after = Some(Duration::from_mins(2));
        let limited = ApiError::limited(retry_after, "");
        bill(&mut governor, now, &[429], Some(&limited));
        assert!(matches!(permit(&mut governor), Permit::NotBefore { .. }));
    }
}
