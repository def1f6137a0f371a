//! What the account can pay and what Tesla lets it ask (sleep policy, section 5.9): a ledger of
//! calls a UTC day, a budget a month with a reserve for commands, caps a minute, and the waits
//! that concern every car of the account.
//!
//! Tesla bills every answer below 500, so 408 and 429 cost as much as a success, and over the
//! limit it disables the whole app until the month ends. Therefore a call is counted before it is
//! made and given back if it turns out not to be billed: a call that was sent and never answered
//! may have been, and is not.
//!
//! It waits for nothing itself: whoever asks it for a call is told from when on to ask again, and a
//! car's policy makes that a wait of its own ([`Failure::NotPermitted`](super::Failure)).

mod allowance;
mod caps;
mod ledger;
mod stops;

use std::time::Duration;

use super::day_figures::day_of;
use super::interface::{Budget, Purpose, Why};
use super::memory::At;
use super::prices::{CallClass, GovernorConfig, MonthlyLimit};
use crate::model::Now;
use allowance::BUDGET_WAIT;
use caps::RecentCalls;
use ledger::{GovernorMemory, NewDate, date_of};

pub use ledger::{Calls, GovernorSnapshot};

/// The factor is changed at most this often, so that intervals are not pulled about.
const FACTOR_RHYTHM: Duration = Duration::from_mins(10);
/// A ledger's first hours must not look like a rate without bounds.
const LEAST_DAYS_SEEN: f64 = 0.25;

/// The answer to a request for a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Permit {
    /// Make it, and tell [`Governor::billed`] how it went.
    Go,
    /// Not now.
    NotBefore {
        /// Monotonic time from which to ask for it again.
        at: Duration,
        /// The reason.
        why: Why,
    },
}

/// Figures for the topics.
#[derive(Debug, Clone, PartialEq)]
pub struct GovernorStatus {
    /// Calls billed today.
    pub today: Calls,
    /// Calls billed this UTC month.
    pub month: Calls,
    /// Dollars this month.
    pub dollars: f64,
    /// Dollars at the month's end if it goes on like this.
    pub projected_dollars: f64,
    /// The limit.
    pub limit: Option<MonthlyLimit>,
    /// The stretch of data intervals.
    pub factor: f64,
    /// Tesla says that the app's billing limit is reached.
    pub billing_limit: bool,
}

/// The governor of one account.
#[derive(Debug, Clone)]
pub struct Governor {
    config: GovernorConfig,
    ledger: GovernorMemory,
    clock_ahead: Duration,
    recent: RecentCalls,
    /// The day of the calendar (since 1970) that was looked at last.
    looked_at: Option<i64>,
    month_rolled: bool,
    wants_persisting: bool,
}

impl Governor {
    /// An account with an empty ledger.
    pub fn new(config: GovernorConfig, now: Now) -> Self {
        Self::start(config, GovernorMemory::new(now.wall), Duration::ZERO)
    }

    /// Goes on where a snapshot ended.
    pub fn restore(config: GovernorConfig, snapshot: GovernorSnapshot, now: Now) -> Self {
        let (ledger, resumed_at) = snapshot.resume(now.wall);
        Self::start(config, ledger, resumed_at.saturating_sub(now.mono))
    }

    fn start(config: GovernorConfig, ledger: GovernorMemory, clock_ahead: Duration) -> Self {
        Self {
            config,
            ledger,
            clock_ahead,
            recent: RecentCalls::default(),
            looked_at: None,
            month_rolled: false,
            wants_persisting: true,
        }
    }

    /// Whether a call may be made now. [`Permit::Go`] counts it; each one needs its
    /// [`Governor::billed`].
    pub fn permit(&mut self, now: Now, class: impl Into<CallClass>, purpose: Purpose) -> Permit {
        let class = class.into();
        self.follow_calendar(now);
        if let Some((wait, why)) = self.wait_before(class, purpose, now) {
            return Permit::NotBefore {
                at: now.mono + wait,
                why,
            };
        }
        self.recent.add(class, self.at(now));
        self.ledger.count(class, purpose);
        self.wants_persisting = true;
        Permit::Go
    }

    /// What stands against a call now, and for how long.
    fn wait_before(
        &mut self,
        class: CallClass,
        purpose: Purpose,
        now: Now,
    ) -> Option<(Duration, Why)> {
        let t = self.at(now);
        if let Some(until) = self.ledger.stopped_until(class, t) {
            return Some((until.saturating_sub(t), Why::Backoff));
        }
        if let Some(wait) = self.recent.wait(class, &self.config, t) {
            return Some((wait, Why::RateCap));
        }
        if !self.is_affordable(class, purpose) {
            return Some((BUDGET_WAIT, Why::Budget));
        }
        if class != CallClass::Data {
            return None;
        }
        let wait = self.credit_wait(now, purpose)?;
        Some((wait, Why::Budget))
    }

    /// How a permitted call went; `status` is `None` when it was never sent. Tesla bills every
    /// answer below 500; whether it bills one that was lost on its way nobody knows, so a call
    /// that went unanswered stays counted: of that one nothing is said here.
    pub fn billed(&mut self, now: Now, class: impl Into<CallClass>, status: Option<u16>) {
        let class = class.into();
        self.follow_calendar(now);
        if status.is_none_or(|status| status >= 500) {
            self.ledger.give_back(class);
        } else if status.is_some_and(|status| status < 300) {
            self.ledger.end_stop(class);
        }
        self.wants_persisting = true;
    }

    /// One permitted call took an earlier request (with an old token, with one endpoint more), and
    /// this is how that was answered.
    pub fn billed_in_addition(&mut self, now: Now, class: impl Into<CallClass>, status: u16) {
        self.follow_calendar(now);
        if status < 500 {
            *self.ledger.today_mut().count(class.into()) += 1;
            self.wants_persisting = true;
        }
    }

    /// What the cars' policies must know, as [`PolicyInput::Budget`](super::PolicyInput::Budget).
    pub fn budget(&mut self, now: Now) -> Budget {
        self.follow_calendar(now);
        let t = self.at(now);
        let due = self
            .ledger
            .factor_at
            .is_none_or(|at| t.saturating_sub(at) >= FACTOR_RHYTHM);
        if due {
            self.ledger.factor_at = Some(t);
            self.renew_factor(now);
        }
        Budget {
            factor: self.ledger.factor,
        }
    }

    /// True once after a new UTC month began; the cars' policies get
    /// [`PolicyInput::MonthRolled`](super::PolicyInput::MonthRolled).
    pub fn month_rolled(&mut self, now: Now) -> bool {
        self.follow_calendar(now);
        std::mem::take(&mut self.month_rolled)
    }

    /// True once after a change that should not be lost: at most the last call is.
    pub fn wants_persisting(&mut self) -> bool {
        std::mem::take(&mut self.wants_persisting)
    }

    /// Everything that must survive a restart.
    pub fn snapshot(&self, now: Now) -> GovernorSnapshot {
        GovernorSnapshot::new(self.ledger.clone(), self.at(now), now.wall)
    }

    /// New configuration; the ledger stays.
    pub fn reconfigure(&mut self, config: GovernorConfig) {
        self.config = config;
        self.ledger.factor_at = None;
    }

    /// Figures for the topics.
    pub fn status(&self, now: Now) -> GovernorStatus {
        let ledger = &self.ledger;
        let month = ledger.month();
        let dollars = month.cost(&self.config.prices);
        let (gone, left) = ledger.days_of_month(now.wall);
        let seen_days = ledger
            .kept_days(now.wall)
            .map_or(gone, |kept| gone.min(kept));
        GovernorStatus {
            today: ledger.calls_today(),
            month,
            dollars,
            projected_dollars: dollars + dollars / seen_days.max(LEAST_DAYS_SEEN) * left,
            limit: self.config.limit,
            factor: ledger.factor,
            billing_limit: ledger.is_over_limit(),
        }
    }

    fn at(&self, now: Now) -> At {
        now.mono.saturating_add(self.clock_ahead)
    }

    /// Follows the calendar.
    fn follow_calendar(&mut self, now: Now) {
        let day = day_of(now.wall);
        if self.looked_at.replace(day) == Some(day) {
            return;
        }
        let Some(new) = self.ledger.turn_to(date_of(now.wall)) else {
            return;
        };
        self.month_rolled |= new == NewDate::Month;
        self.wants_persisting = true;
    }
}
