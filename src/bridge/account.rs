//! One account's task: lists its products and says what is on the list.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::list::{ListWatch, News};
use crate::api::{Account, AccountStatus, ApiError, Kind};
use crate::clock;
use crate::decode::products::ListedVehicle;
use crate::model::Now;
use crate::policy::{CallClass, Governor};

/// The list is free and wakes nobody, but a changed list is rare.
const LIST_EVERY: Duration = Duration::from_hours(1);
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_mins(15);
/// After a list without a car, or one that is not whole; doubled up to the usual hour.
const FIRST_DOUBT: Duration = Duration::from_mins(5);

/// What an account's task tells the fleet.
#[derive(Debug)]
pub enum FromAccount {
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
    ledger: Ledger,
    fleet: mpsc::Sender<FromAccount>,
    mut relist: mpsc::Receiver<()>,
    cancel: CancellationToken,
) {
    let mut status = account.status();
    let mut retry = FIRST_RETRY;
    let mut doubt = FIRST_DOUBT;
    let mut has_failed = false;
    let mut watch = ListWatch::default();
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
                let error = listed.outcome.as_ref().err();
                settle(&mut ledger.governor(), clock::now(), &listed.statuses, error);
                // Without randomness the accounts of a bridge would ask in step.
                let dice = getrandom::u32().unwrap_or_default();
                has_failed = listed.outcome.is_err();
                let (news, wait) = match listed.outcome {
                    Ok(list) => {
                        retry = FIRST_RETRY;
                        let is_whole = list.is_whole();
                        let wait = if is_whole && !list.vehicles.is_empty() {
                            doubt = FIRST_DOUBT;
                            LIST_EVERY
                        } else {
                            wait_after(doubled(&mut doubt, LIST_EVERY), None, dice)
                        };
                        let news = watch.listed(&list);
                        let cars = list.vehicles;
                        let _ = fleet.send(FromAccount::Listed { account: index, cars, is_whole }).await;
                        (news, wait)
                    }
                    Err(error) => {
                        tracing::debug!(account = account.name(), %error, "list of cars not had");
                        let step = doubled(&mut retry, LAST_RETRY);
                        (watch.failed(&error), wait_after(step, error.retry_after(), dice))
                    }
                };
                next_list = clock::now().mono + wait;
                match news {
                    Some(News::Trouble(trouble)) => {
                        tracing::warn!("account {}: {trouble}", account.name());
                        let _ = fleet.send(FromAccount::Trouble { account: index, trouble }).await;
                    }
                    Some(News::Mended) => tracing::info!("account {}: its list of cars is there again", account.name()),
                    None => {}
                }
            }
        }
    }
}

/// Lists are not asked for at the governor, which has cars to think of, but they are on its account.
fn settle(governor: &mut Governor, now: Now, statuses: &[u16], error: Option<&ApiError>) {
    for status in statuses {
        governor.billed_in_addition(now, CallClass::Light, *status);
    }
    match error.map(|error| &error.kind) {
        Some(Kind::Limited { retry_after }) => {
            governor.limited(now, CallClass::Light, *retry_after);
        }
        Some(Kind::BillingLimit) => governor.over_limit(now, CallClass::Light),
        _ => {}
    }
}

/// The step, which is twice as long the next time.
fn doubled(step: &mut Duration, last: Duration) -> Duration {
    let this = *step;
    *step = (this * 2).min(last);
    this
}

/// The upper half of the step is spread; what Tesla asked for is a minimum.
fn wait_after(step: Duration, asked: Option<Duration>, dice: u32) -> Duration {
    let chance = f64::from(dice) / f64::from(u32::MAX);
    let own = step.mul_f64(0.5 + 0.5 * chance);
    asked.map_or(own, |asked| own.max(asked.mul_f64(1.0 + 0.1 * chance)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{GovernorConfig, Permit, Purpose};

    #[test]
    fn waits_for_a_list_are_spread_and_never_shorter_than_asked() {
        let hour = Duration::from_hours(1);
        for dice in [0, u32::MAX / 3, u32::MAX] {
            let wait = wait_after(FIRST_RETRY, None, dice);
            assert!(wait >= FIRST_RETRY / 2 && wait <= FIRST_RETRY, "{wait:?}");
            let wait = wait_after(FIRST_RETRY, Some(hour), dice);
            assert!(wait >= hour && wait <= hour.mul_f64(1.1), "{wait:?}");
        }
        assert_ne!(
            wait_after(LAST_RETRY, None, 1 << 30),
            wait_after(LAST_RETRY, None, 1 << 31)
        );
    }

    #[test]
    fn lists_are_on_the_account_and_their_limit_stops_light_calls() {
        let now = Now {
            mono: Duration::ZERO,
            wall: "2026-06-02T12:00:00Z".parse().expect("a time"),
        };
        let mut governor = Governor::new(GovernorConfig::metered(), now);
        settle(&mut governor, now, &[401, 200], None);
        settle(&mut governor, now, &[503], None);
        assert_eq!(governor.status(now).today.light, 2);
        let permit =
            |governor: &mut Governor| governor.permit(now, CallClass::Light, Purpose::Parked);
        assert_eq!(permit(&mut governor), Permit::Go);
        let retry_after = Some(Duration::from_mins(2));
        let limited = ApiError::new(Kind::Limited { retry_after }, "");
        settle(&mut governor, now, &[429], Some(&limited));
        assert!(matches!(permit(&mut governor), Permit::NotBefore { .. }));
    }
}
