//! What the account can pay and what Tesla lets it ask (sleep policy, section 5.9): a ledger of
//! calls a UTC day, a budget a month with a reserve for commands, caps a minute, and the waits
//! that concern every car of the account.
//!
//! Tesla bills every answer below 500, so 408 and 429 cost as much as a success, and over the
//! limit it disables the whole app until the month ends. Therefore a call is counted before it is
//! made and given back if it turns out not to be billed: a call that was sent and never answered
//! may have been, and is not.

mod allowance;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::day_figures::day_of;
use super::interface::{Budget, Purpose, Why};
use super::memory::At;
use super::prices::{CallClass, GovernorConfig, MonthlyLimit, Prices};
use crate::backoff::{Backoff, Jitter};
use crate::model::Now;

const MINUTE: Duration = Duration::from_mins(1);
/// The factor is changed at most this often, so that intervals are not pulled about.
const FACTOR_RHYTHM: Duration = Duration::from_mins(10);
const KEPT_DAYS: usize = 70;
/// A ledger's first hours must not look like a rate without bounds.
const LEAST_DAYS_SEEN: f64 = 0.25;
/// A limit on one car stops the others of the account for this long at most: limits are per car
/// and class, and another car may be asked before one that was told to wait for a day.
const LONGEST_SHARED_WAIT: Duration = Duration::from_mins(5);
const OVER_LIMIT: Backoff = Backoff::fixed(
    Duration::from_hours(1),
    Duration::from_hours(6),
    Jitter::NONE,
);
/// How long a call that the budget forbids is put off; it may be allowed by then.
const BUDGET_WAIT: Duration = Duration::from_hours(1);

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

/// Calls of one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// Light calls billed.
    pub light: u64,
    /// Data calls billed.
    pub data: u64,
    /// Commands billed.
    pub command: u64,
    /// Wakes billed.
    pub wake: u64,
    /// Data calls that an unstretched policy would have made, of the kinds that are stretched.
    need: f64,
    /// Data calls of the kind that is not: the first after a wake, those that somebody asked for.
    #[serde(default)]
    fixed: f64,
}

impl Calls {
    fn add(&mut self, other: &Self) {
        self.light += other.light;
        self.data += other.data;
        self.command += other.command;
        self.wake += other.wake;
        self.need += other.need;
        self.fixed += other.fixed;
    }

    fn count(&mut self, class: CallClass) -> &mut u64 {
        match class {
            CallClass::Light => &mut self.light,
            CallClass::Data => &mut self.data,
            CallClass::Command => &mut self.command,
            CallClass::Wake => &mut self.wake,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a month")]
    fn cost(&self, prices: &Prices) -> f64 {
        self.light as f64 * prices.light
            + self.command as f64 * prices.command
            + self.wake as f64 * prices.wake
            + self.data_cost(prices)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a month")]
    fn data_cost(&self, prices: &Prices) -> f64 {
        self.data as f64 * prices.data
    }
}

/// Data calls saved up while even the longest intervals cost more than there is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct CallCredit {
    calls: f64,
    at: At,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Stop {
    until: At,
    attempt: u32,
    billing: bool,
}

/// What the governor remembers; opaque.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GovernorSnapshot {
    saved_at: At,
    saved_wall: Timestamp,
    ledger: GovernorMemory,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct GovernorMemory {
    /// The newest day the calendar has shown; only goes forward, because a clock that falls back
    /// into the month before must not find its budget unspent.
    today: Date,
    days: BTreeMap<Date, Calls>,
    data_stop: Option<Stop>,
    light_stop: Option<Stop>,
    command_stop: Option<Stop>,
    factor: f64,
    factor_at: Option<At>,
    /// Since when it is kept.
    #[serde(default)]
    begun: Option<Timestamp>,
    #[serde(default, rename = "pace")]
    credit: Option<CallCredit>,
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
    recent_light: VecDeque<At>,
    recent_data: VecDeque<At>,
    /// The day of the calendar (since 1970) that was looked at last.
    looked_at: Option<i64>,
    month_rolled: bool,
    wants_persisting: bool,
}

impl Governor {
    /// An account with an empty ledger.
    pub fn new(config: GovernorConfig, now: Now) -> Self {
        let ledger = GovernorMemory {
            today: date_of(now.wall),
            days: BTreeMap::new(),
            data_stop: None,
            light_stop: None,
            command_stop: None,
            factor: 1.0,
            factor_at: None,
            begun: Some(now.wall),
            credit: None,
        };
        Self::start(config, ledger, Duration::ZERO)
    }

    /// Goes on where a snapshot ended.
    pub fn restore(config: GovernorConfig, snapshot: GovernorSnapshot, now: Now) -> Self {
        let gone =
            Duration::try_from(now.wall.duration_since(snapshot.saved_wall)).unwrap_or_default();
        let resumed_at = snapshot
            .saved_at
            .saturating_add(gone.min(Duration::from_hours(24)));
        Self::start(config, snapshot.ledger, resumed_at.saturating_sub(now.mono))
    }

    fn start(config: GovernorConfig, ledger: GovernorMemory, clock_ahead: Duration) -> Self {
        Self {
            config,
            ledger,
            clock_ahead,
            recent_light: VecDeque::new(),
            recent_data: VecDeque::new(),
            looked_at: None,
            month_rolled: false,
            wants_persisting: true,
        }
    }

    /// Whether a call may be made now. [`Permit::Go`] counts it; each one needs its
    /// [`Governor::billed`].
    pub fn permit(&mut self, now: Now, class: impl Into<CallClass>, purpose: Purpose) -> Permit {
        let class = class.into();
        self.turn(now);
        let t = self.at(now);
        if let Some(stop) = self.stop(class)
            && stop.until > t
        {
            return Permit::NotBefore {
                at: now.mono + stop.until.saturating_sub(t),
                why: Why::Backoff,
            };
        }
        if let Some(wait) = self.cap_wait(class, t) {
            return Permit::NotBefore {
                at: now.mono + wait,
                why: Why::MinGap,
            };
        }
        if !self.is_affordable(class, purpose) {
            return Permit::NotBefore {
                at: now.mono + BUDGET_WAIT,
                why: Why::Budget,
            };
        }
        if class == CallClass::Data
            && let Some(wait) = self.pace_wait(now, purpose)
        {
            return Permit::NotBefore {
                at: now.mono + wait,
                why: Why::Budget,
            };
        }
        match class {
            CallClass::Light => self.recent_light.push_back(t),
            CallClass::Data => self.recent_data.push_back(t),
            CallClass::Command | CallClass::Wake => {}
        }
        let factor = self.ledger.factor;
        let day = self.ledger.days.entry(self.ledger.today).or_default();
        *day.count(class) += 1;
        match (class, purpose) {
            (CallClass::Data, Purpose::Change) => day.fixed += 1.0,
            (CallClass::Data, _) => day.need += factor,
            _ => {}
        }
        self.wants_persisting = true;
        Permit::Go
    }

    /// How a permitted call went; `status` is `None` when it was never sent. Tesla bills every
    /// answer below 500; whether it bills one that was lost on its way nobody knows, so a call
    /// that went unanswered stays counted: of that one nothing is said here.
    pub fn billed(&mut self, now: Now, class: impl Into<CallClass>, status: Option<u16>) {
        let class = class.into();
        self.turn(now);
        if status.is_none_or(|status| status >= 500) {
            let day = self.ledger.days.entry(self.ledger.today).or_default();
            let count = day.count(class);
            *count = count.saturating_sub(1);
            if class == CallClass::Data
                && let Some(credit) = &mut self.ledger.credit
            {
                credit.calls += 1.0;
            }
        } else if status.is_some_and(|status| status < 300) {
            *self.stop_mut(class) = None;
        }
        self.wants_persisting = true;
    }

    /// One permitted call took an earlier request (with an old token, with one endpoint more), and
    /// this is how that was answered.
    pub fn billed_in_addition(&mut self, now: Now, class: impl Into<CallClass>, status: u16) {
        self.turn(now);
        if status < 500 {
            let day = self.ledger.days.entry(self.ledger.today).or_default();
            *day.count(class.into()) += 1;
            self.wants_persisting = true;
        }
    }

    /// A call was answered with 429: no car of the account makes such a call for a while.
    pub fn limited(
        &mut self,
        now: Now,
        class: impl Into<CallClass>,
        retry_after: Option<Duration>,
    ) {
        let wait = retry_after
            .unwrap_or(LONGEST_SHARED_WAIT)
            .clamp(MINUTE, LONGEST_SHARED_WAIT);
        let until = self.at(now) + wait;
        *self.stop_mut(class.into()) = Some(Stop {
            until,
            attempt: 0,
            billing: false,
        });
        self.wants_persisting = true;
    }

    /// A call was answered with 403 `EXCEEDED_LIMIT`: one try an hour, later one in six.
    pub fn over_limit(&mut self, now: Now, class: impl Into<CallClass>) {
        let class = class.into();
        let attempt = self
            .stop(class)
            .filter(|stop| stop.billing)
            .map_or(0, |stop| stop.attempt);
        let attempt = attempt.saturating_add(1);
        let until = self.at(now) + OVER_LIMIT.wait(attempt, 1.0);
        *self.stop_mut(class) = Some(Stop {
            until,
            attempt,
            billing: true,
        });
        self.wants_persisting = true;
    }

    /// What the cars' policies must know, as [`PolicyInput::Budget`](super::PolicyInput::Budget).
    pub fn budget(&mut self, now: Now) -> Budget {
        self.turn(now);
        let t = self.at(now);
        let due = self
            .ledger
            .factor_at
            .is_none_or(|at| t.saturating_sub(at) >= FACTOR_RHYTHM);
        if due {
            self.ledger.factor_at = Some(t);
            self.weigh(now);
        }
        Budget {
            factor: self.ledger.factor,
        }
    }

    /// True once after a new UTC month began; the cars' policies get
    /// [`PolicyInput::MonthRolled`](super::PolicyInput::MonthRolled).
    pub fn month_rolled(&mut self, now: Now) -> bool {
        self.turn(now);
        std::mem::take(&mut self.month_rolled)
    }

    /// True once after a change that should not be lost: at most the last call is.
    pub fn wants_persisting(&mut self) -> bool {
        std::mem::take(&mut self.wants_persisting)
    }

    /// Everything that must survive a restart.
    pub fn snapshot(&self, now: Now) -> GovernorSnapshot {
        GovernorSnapshot {
            saved_at: self.at(now),
            saved_wall: now.wall,
            ledger: self.ledger.clone(),
        }
    }

    /// New configuration; the ledger stays.
    pub fn reconfigure(&mut self, config: GovernorConfig) {
        self.config = config;
        self.ledger.factor_at = None;
    }

    /// What Tesla stopped is open again: it was another login's.
    pub fn forget_stops(&mut self) {
        let ledger = &mut self.ledger;
        for stop in [
            &mut ledger.data_stop,
            &mut ledger.light_stop,
            &mut ledger.command_stop,
        ] {
            *stop = None;
        }
    }

    /// Figures for the topics.
    pub fn status(&self, now: Now) -> GovernorStatus {
        let month = self.month();
        let dollars = month.cost(&self.config.prices);
        let (gone, left) = days_of_month(self.ledger.today, now.wall);
        let seen_days = self.kept_days(now.wall).map_or(gone, |kept| gone.min(kept));
        GovernorStatus {
            today: self
                .ledger
                .days
                .get(&self.ledger.today)
                .copied()
                .unwrap_or_default(),
            month,
            dollars,
            projected_dollars: dollars + dollars / seen_days.max(LEAST_DAYS_SEEN) * left,
            limit: self.config.limit,
            factor: self.ledger.factor,
            billing_limit: [
                &self.ledger.data_stop,
                &self.ledger.light_stop,
                &self.ledger.command_stop,
            ]
            .into_iter()
            .flatten()
            .any(|stop| stop.billing),
        }
    }

    /// How long the ledger has been kept; a calendar that was wrong tells nothing.
    fn kept_days(&self, wall: Timestamp) -> Option<f64> {
        let begun = self.ledger.begun?;
        let days = wall.duration_since(begun).as_secs_f64() / 86_400.0;
        (days > 0.0).then_some(days)
    }

    fn at(&self, now: Now) -> At {
        now.mono.saturating_add(self.clock_ahead)
    }

    /// Follows the calendar.
    fn turn(&mut self, now: Now) {
        let day = day_of(now.wall);
        if self.looked_at.replace(day) == Some(day) {
            return;
        }
        let date = date_of(now.wall);
        let today = self.ledger.today;
        // A clock that was far in the future once must not freeze the ledger for years.
        let was_wrong = date.year() >= 2026 && today > date.saturating_add(45.days());
        if date <= today && !was_wrong {
            return;
        }
        let rolled = (date.year(), date.month()) != (today.year(), today.month());
        if was_wrong {
            let spent = self.month();
            self.ledger.days.clear();
            self.ledger.days.insert(date, spent);
        }
        self.ledger.today = date;
        self.wants_persisting = true;
        while self.ledger.days.len() > KEPT_DAYS {
            self.ledger.days.pop_first();
        }
        if rolled && !was_wrong {
            self.month_rolled = true;
            for stop in [
                &mut self.ledger.data_stop,
                &mut self.ledger.light_stop,
                &mut self.ledger.command_stop,
            ] {
                stop.take_if(|stop| stop.billing);
            }
            self.ledger.factor_at = None;
        }
    }

    fn stop(&self, class: CallClass) -> Option<&Stop> {
        match class {
            CallClass::Light => self.ledger.light_stop.as_ref(),
            CallClass::Data => self.ledger.data_stop.as_ref(),
            CallClass::Command | CallClass::Wake => self.ledger.command_stop.as_ref(),
        }
    }

    fn stop_mut(&mut self, class: CallClass) -> &mut Option<Stop> {
        match class {
            CallClass::Light => &mut self.ledger.light_stop,
            CallClass::Data => &mut self.ledger.data_stop,
            CallClass::Command | CallClass::Wake => &mut self.ledger.command_stop,
        }
    }

    fn cap_wait(&mut self, class: CallClass, t: At) -> Option<Duration> {
        let (recent, cap) = match class {
            CallClass::Light => (&mut self.recent_light, self.config.light_per_minute),
            CallClass::Data => (&mut self.recent_data, self.config.data_per_minute),
            CallClass::Command | CallClass::Wake => return None,
        };
        while recent
            .front()
            .is_some_and(|at| t.saturating_sub(*at) >= MINUTE)
        {
            recent.pop_front();
        }
        let full = recent.len() >= usize::try_from(cap.max(1)).unwrap_or(usize::MAX);
        let oldest = recent.front().filter(|_| full)?;
        Some(
            (*oldest + MINUTE)
                .saturating_sub(t)
                .clamp(Duration::from_secs(1), MINUTE),
        )
    }

    /// Data has its own part of the budget, and the less a call tells, the earlier it stops.
    fn is_affordable(&self, class: CallClass, purpose: Purpose) -> bool {
        let Some((limit, weights)) = self.limit() else {
            return true;
        };
        let month = self.month();
        let price = weights.of(class);
        let total = month.cost(&weights);
        if class != CallClass::Data {
            return price <= 0.0 || fits(total + price, limit);
        }
        let part = allowance::part_of(purpose);
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

    fn month(&self) -> Calls {
        let today = self.ledger.today;
        let mut sum = Calls::default();
        for calls in self
            .ledger
            .days
            .range(today.first_of_month()..=today)
            .map(|(_, calls)| calls)
        {
            sum.add(calls);
        }
        sum
    }
}

fn fits(spent: f64, limit: f64) -> bool {
    // Sums of prices carry rounding far below a thousandth of a cent.
    spent <= limit + 1e-6
}

fn date_of(wall: Timestamp) -> Date {
    wall.to_zoned(TimeZone::UTC).date()
}

/// Days of the month gone and left, with their fractions.
fn days_of_month(today: Date, wall: Timestamp) -> (f64, f64) {
    let second = if date_of(wall) == today {
        wall.as_second().rem_euclid(86_400)
    } else {
        0
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
    let gone = f64::from(today.day() - 1) + second as f64 / 86_400.0;
    (gone, f64::from(today.days_in_month()) - gone)
}
