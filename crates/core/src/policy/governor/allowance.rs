//! What the budget allows: whether a call is affordable, and what a day may have, by the need of
//! the days before against what is left of the month. It says how far intervals are stretched, and
//! where no stretch is enough it gives the calls out one by one.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Governor;
use crate::model::Now;
use crate::policy::interface::Purpose;
use crate::policy::memory::At;
use crate::policy::prices::{CallClass, MonthlyLimit, Prices};

/// How long a call that the budget forbids is put off; it may be allowed by then.
pub(super) const BUDGET_WAIT: Duration = Duration::from_hours(1);

const FACTOR: std::ops::RangeInclusive<f64> = 1.0..=10.0;
const MEAN_DAYS: usize = 7;
/// A rate is not drawn from less than this part of a day.
const LEAST_DAYS_SEEN: f64 = 0.5;
/// When no stretch is enough, calls saved up over this part of a day may come at once.
const SAVED_UP_DAYS: f64 = 0.5;
/// And so many always may, or a day's handful could not follow a wake with a drive's end.
const SAVED_UP_CALLS: f64 = 4.0;
/// Of the rate: with a need below it calls are given out freely again.
const SURELY_ENOUGH: f64 = 0.8;
const LEAST_PACE_WAIT: Duration = Duration::from_secs(10);

/// Data calls saved up while even the longest intervals cost more than there is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct CallCredit {
    pub(super) calls: f64,
    at: At,
}

impl Governor {
    /// Data has its own part of the budget, and the less a call tells, the earlier it stops.
    pub(super) fn is_affordable(&self, class: CallClass, purpose: Purpose) -> bool {
        let Some((limit, weights)) = self.limit() else {
            return true;
        };
        let month = self.ledger.month();
        let price = weights.of(class);
        let total = month.cost(&weights);
        if class != CallClass::Data {
            return price <= 0.0 || fits(total + price, limit);
        }
        let part = part_of(purpose);
        let spent = month.data_cost(&weights);
        fits(spent + price, self.data_budget(limit) * part) && fits(total + price, limit)
    }

    /// The limit, and what each call takes of it.
    fn limit(&self) -> Option<(f64, Prices)> {
        match self.config.limit? {
            MonthlyLimit::Dollars(dollars) => Some((dollars, self.config.prices)),
            MonthlyLimit::DataCalls(calls) => Some((
                f64::from(calls),
                Prices {
                    data: 1.0,
                    ..Prices::FREE
                },
            )),
        }
    }

    fn data_budget(&self, limit: f64) -> f64 {
        limit * (1.0 - self.config.reserve.clamp(0.0, 1.0))
    }

    /// Draws anew how far intervals are stretched, and whether that is enough.
    pub(super) fn renew_factor(&mut self, now: Now) {
        let Some(allowance) = self.daily_allowance() else {
            (self.ledger.factor, self.ledger.credit) = (1.0, None);
            return;
        };
        let need = self.daily_need(now.wall);
        let room = allowance - need.fixed;
        self.ledger.factor = if room <= 0.0 {
            *FACTOR.end()
        } else {
            (need.stretchable / room).clamp(*FACTOR.start(), *FACTOR.end())
        };
        let least = need.fixed + need.stretchable / FACTOR.end();
        let fresh = CallCredit {
            calls: SAVED_UP_CALLS,
            at: self.at(now),
        };
        self.ledger.credit = match self.ledger.credit {
            // Calls that are given out by the rate show no need beyond it.
            Some(credit) => (least > allowance * SURELY_ENOUGH).then_some(credit),
            None => (least > allowance).then_some(fresh),
        };
    }

    /// Data calls that a day may have until the month ends, today as a whole included: what today
    /// has spent is no reason to stretch its evening. `None` where they cost nothing. It aims at
    /// the part of the budget in which parked cars are still asked, so that a month that goes as
    /// foreseen leaves no car unasked at its end.
    fn daily_allowance(&self) -> Option<f64> {
        let (limit, weights) = self.limit()?;
        if weights.data <= 0.0 {
            return None;
        }
        let month = self.ledger.month();
        let spent = month.data_cost(&weights);
        let others = month.cost(&weights) - spent;
        let budget = self.data_budget(limit) * part_of(Purpose::Parked);
        let today = self.ledger.today;
        let spent_today = self.ledger.calls_today().data_cost(&weights);
        let rest = (budget.min(limit - others) - spent + spent_today).max(0.0);
        let days_left = f64::from(today.days_in_month() - today.day() + 1);
        Some(rest / days_left / weights.data)
    }

    /// Need a day, by the last full days and what there is of today.
    fn daily_need(&self, wall: Timestamp) -> Need {
        let today = self.ledger.today;
        let (gone, _) = self.ledger.days_of_month(wall);
        let mut seen_days = gone.fract();
        let mut sum = self.ledger.calls_today();
        for (_, calls) in self.ledger.days.range(..today).rev().take(MEAN_DAYS) {
            sum.add(calls);
            seen_days += 1.0;
        }
        if let Some(kept) = self.ledger.kept_days(wall) {
            seen_days = seen_days.min(kept);
        }
        let days = seen_days.max(LEAST_DAYS_SEEN);
        Need {
            stretchable: sum.need / days,
            fixed: sum.fixed / days,
        }
    }

    /// While no stretch is enough, calls are given out at the rate at which the month can pay
    /// them, so that with a budget far too small every day has fewer calls and none has no calls.
    pub(super) fn credit_wait(&mut self, now: Now, purpose: Purpose) -> Option<Duration> {
        let credit = self.ledger.credit?;
        let t = self.at(now);
        let rate = self.daily_allowance()? / 86_400.0;
        let most = (rate * 86_400.0 * SAVED_UP_DAYS).max(SAVED_UP_CALLS);
        let saved = rate * t.saturating_sub(credit.at).as_secs_f64();
        let calls = (credit.calls + saved).min(most);
        self.ledger.credit = Some(CallCredit { calls, at: t });
        let least = match purpose {
            // Owed to the calls that come after it.
            Purpose::Change => 1.0 - most,
            // Not so much that nothing is left for the next wake.
            Purpose::Driving => 1.0 - most * 0.75,
            Purpose::Charging => 2.0,
            Purpose::Parked => 3.0,
        };
        if calls >= least {
            self.ledger.credit = Some(CallCredit {
                calls: calls - 1.0,
                at: t,
            });
            return None;
        }
        let wait = Duration::try_from_secs_f64((least - calls) / rate).unwrap_or(BUDGET_WAIT);
        Some(wait.clamp(LEAST_PACE_WAIT, BUDGET_WAIT))
    }
}

/// Data calls a day.
struct Need {
    stretchable: f64,
    fixed: f64,
}

/// The part of the data budget at which a purpose's calls stop.
fn part_of(purpose: Purpose) -> f64 {
    match purpose {
        Purpose::Change => 1.0,
        Purpose::Driving => 0.99,
        Purpose::Charging => 0.97,
        Purpose::Parked => 0.95,
    }
}

fn fits(spent: f64, limit: f64) -> bool {
    // Sums of prices carry rounding far below a thousandth of a cent.
    spent <= limit + 1e-6
}
