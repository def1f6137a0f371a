//! The ledger of an account: the calls of each UTC day, of this month and of the days before it
//! that show what a day needs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::allowance::CallCredit;
use super::stops::Stop;
use crate::policy::interface::Purpose;
use crate::policy::memory::At;
use crate::policy::prices::{CallClass, Prices};

const KEPT_DAYS: usize = 70;

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
    pub(super) need: f64,
    /// Data calls of the kind that is not: the first after a wake, those that somebody asked for.
    #[serde(default)]
    pub(super) fixed: f64,
}

impl Calls {
    pub(super) fn add(&mut self, other: &Self) {
        self.light += other.light;
        self.data += other.data;
        self.command += other.command;
        self.wake += other.wake;
        self.need += other.need;
        self.fixed += other.fixed;
    }

    pub(super) fn count(&mut self, class: CallClass) -> &mut u64 {
        match class {
            CallClass::Light => &mut self.light,
            CallClass::Data => &mut self.data,
            CallClass::Command => &mut self.command,
            CallClass::Wake => &mut self.wake,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a month")]
    pub(super) fn cost(&self, prices: &Prices) -> f64 {
        self.light as f64 * prices.light
            + self.command as f64 * prices.command
            + self.wake as f64 * prices.wake
            + self.data_cost(prices)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a month")]
    pub(super) fn data_cost(&self, prices: &Prices) -> f64 {
        self.data as f64 * prices.data
    }
}

/// What an account has spent, and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct GovernorMemory {
    /// The newest day the calendar has shown; only goes forward, because a clock that falls back
    /// into the month before must not find its budget unspent.
    pub(super) today: Date,
    pub(super) days: BTreeMap<Date, Calls>,
    pub(super) data_stop: Option<Stop>,
    pub(super) light_stop: Option<Stop>,
    pub(super) command_stop: Option<Stop>,
    /// How far intervals are stretched, and when that was drawn.
    pub(super) factor: f64,
    pub(super) factor_at: Option<At>,
    /// Since when it is kept.
    #[serde(default)]
    begun: Option<Timestamp>,
    #[serde(default, rename = "pace")]
    pub(super) credit: Option<CallCredit>,
}

/// What the calendar shows for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewDate {
    Day,
    Month,
}

impl GovernorMemory {
    pub(super) fn new(wall: Timestamp) -> Self {
        Self {
            today: date_of(wall),
            days: BTreeMap::new(),
            data_stop: None,
            light_stop: None,
            command_stop: None,
            factor: 1.0,
            factor_at: None,
            begun: Some(wall),
            credit: None,
        }
    }

    /// The calls of today, to be counted up.
    pub(super) fn today_mut(&mut self) -> &mut Calls {
        self.days.entry(self.today).or_default()
    }

    pub(super) fn calls_today(&self) -> Calls {
        self.days.get(&self.today).copied().unwrap_or_default()
    }

    /// Counts a call that is about to be made.
    pub(super) fn count(&mut self, class: CallClass, purpose: Purpose) {
        let factor = self.factor;
        let day = self.today_mut();
        *day.count(class) += 1;
        match (class, purpose) {
            (CallClass::Data, Purpose::Change) => day.fixed += 1.0,
            (CallClass::Data, _) => day.need += factor,
            _ => {}
        }
    }

    /// Takes a call back that was counted and is not billed.
    pub(super) fn give_back(&mut self, class: CallClass) {
        let count = self.today_mut().count(class);
        *count = count.saturating_sub(1);
        if class == CallClass::Data
            && let Some(credit) = &mut self.credit
        {
            credit.calls += 1.0;
        }
    }

    /// The calls of this month.
    pub(super) fn month(&self) -> Calls {
        let today = self.today;
        let mut sum = Calls::default();
        for calls in self
            .days
            .range(today.first_of_month()..=today)
            .map(|(_, calls)| calls)
        {
            sum.add(calls);
        }
        sum
    }

    /// Days of the month gone and left, with their fractions.
    pub(super) fn days_of_month(&self, wall: Timestamp) -> (f64, f64) {
        let second = if date_of(wall) == self.today {
            wall.as_second().rem_euclid(86_400)
        } else {
            0
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
        let gone = f64::from(self.today.day() - 1) + second as f64 / 86_400.0;
        (gone, f64::from(self.today.days_in_month()) - gone)
    }

    /// How long the ledger has been kept; a calendar that was wrong tells nothing.
    pub(super) fn kept_days(&self, wall: Timestamp) -> Option<f64> {
        let begun = self.begun?;
        let days = wall.duration_since(begun).as_secs_f64() / 86_400.0;
        (days > 0.0).then_some(days)
    }

    /// Follows the calendar.
    pub(super) fn turn_to(&mut self, date: Date) -> Option<NewDate> {
        let today = self.today;
        // A clock that was far in the future once must not freeze the ledger for years.
        let was_wrong = date.year() >= 2026 && today > date.saturating_add(45.days());
        if date <= today && !was_wrong {
            return None;
        }
        let is_new_month = (date.year(), date.month()) != (today.year(), today.month());
        if was_wrong {
            let spent = self.month();
            self.days.clear();
            self.days.insert(date, spent);
        }
        self.today = date;
        while self.days.len() > KEPT_DAYS {
            self.days.pop_first();
        }
        if !is_new_month || was_wrong {
            return Some(NewDate::Day);
        }
        self.end_billing_stops();
        self.factor_at = None;
        Some(NewDate::Month)
    }
}

/// What the governor remembers; opaque.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GovernorSnapshot {
    saved_at: At,
    saved_wall: Timestamp,
    ledger: GovernorMemory,
}

impl GovernorSnapshot {
    pub(super) fn new(ledger: GovernorMemory, saved_at: At, saved_wall: Timestamp) -> Self {
        Self {
            saved_at,
            saved_wall,
            ledger,
        }
    }

    /// The ledger to go on with, and what the governor's clock shows now.
    pub(super) fn resume(self, wall: Timestamp) -> (GovernorMemory, At) {
        let gone = Duration::try_from(wall.duration_since(self.saved_wall)).unwrap_or_default();
        let gone = gone.min(Duration::from_hours(24));
        (self.ledger, self.saved_at.saturating_add(gone))
    }
}

pub(super) fn date_of(wall: Timestamp) -> Date {
    wall.to_zoned(TimeZone::UTC).date()
}
