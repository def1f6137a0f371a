//! The energy charged in all, from a counter that starts again with each session.
//!
//! Tesla's counter keeps the last session's value after unplugging and falls to 0 some time into
//! the next session (tesla-api.md, quirk 8). Meanwhile it flaps by its rounding, dips by a
//! kilowatt-hour and comes back, shows 0 for a look, and sinks with the car's own drain. So a fall
//! of the number begins no session: a cable that was out does, a drive, or a time so long that one
//! of them may have gone unseen. Energy counts while current flows, or may have flowed unseen;
//! whatever else the number does is followed and not counted.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::look::Look;
use crate::model::plausibility::{CHARGED_AT_MOST_KW, CHARGED_AT_ONCE_KWH, DRAIN_KW, WOBBLE_KWH};

/// A meter that only grows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct EnergyMeter {
    total_kwh: f64,
    /// Up to where the session is counted.
    counter_kwh: Option<f64>,
    /// Unplugged or driven since the counter last moved: what it shows next is a new session.
    is_stale: bool,
    /// The least that was shown since then while current flowed.
    least_kwh: Option<f64>,
    /// A value that is believed when the next look shows it too.
    doubted_kwh: Option<f64>,
    /// Looks in a row that showed far less than what is counted.
    n_low: u8,
    /// The last look showed 0 at the begin of a session.
    shows_zero: bool,
}

/// More than it wobbles from look to look.
const RISE_KWH: f64 = 0.1;
/// A session up to here may stay within the wobble of one of its size; of a larger one, more values
/// are shown than these.
const SMALL_KWH: f64 = 1.2;
/// A fall by less than this, while current flows, is a dip that comes back.
const DIP_KWH: f64 = 2.0;
/// So many looks in a row far below what is counted are no dip.
const LOW_LOOKS: u8 = 3;
/// A drive of this length needs the cable out.
const DRIVEN_MI: f64 = 0.2;
/// In so long a time without a look the cable may have been out and in again.
const UNSEEN: SignedDuration = SignedDuration::from_mins(15);
/// Percent by which only a charge fills the battery.
const CHARGED_PERCENT: f64 = 1.0;
/// Of the largest battery.
const PERCENT_A_KWH: f64 = 0.5;
/// Less than any session shows once it is under way.
const ZERO_KWH: f64 = 0.005;
/// No charge lasts for more; a broken counter does not spoil the sum.
const SESSION_AT_MOST_KWH: f64 = 400.0;

/// What the counter's new value is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum CounterChange {
    /// No energy; the session is counted up to here.
    Same(f64),
    /// More energy of the session.
    More,
    /// A new session, all of it.
    Session,
    /// Not to be believed before the next look shows it too.
    Doubtful,
}

/// What decides what a value means.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that vary independently of each other"
)]
struct Shown {
    counter: f64,
    /// More than what is counted; negative for less.
    more: f64,
    hours: f64,
    /// Current flows, or did at the look before.
    charging: bool,
    was_charging: bool,
    /// Nobody looked for long.
    unseen: bool,
    /// By how much the battery is fuller than at the look before, %.
    fuller_percent: f64,
    has_driven: bool,
    unplugged: bool,
    /// A small session's counter rises as current flows: it is not the last session's.
    has_risen: bool,
}

impl EnergyMeter {
    /// Takes in a look. What the counter of a car that was just unplugged has gained is still the
    /// session's; only after a drive is it another's.
    pub(super) fn note(&mut self, last: Option<&Look>, now: &Look) {
        let driven_mi = last.and_then(|last| now.miles_since(last));
        let has_driven = driven_mi.is_some_and(|miles| miles > DRIVEN_MI);
        self.is_stale |= has_driven;
        self.count(last, now, has_driven);
        self.is_stale |= now.unplugged;
    }

    fn count(&mut self, last: Option<&Look>, now: &Look, has_driven: bool) {
        let in_range = |kwh: &f64| (0.0..SESSION_AT_MOST_KWH).contains(kwh);
        let Some(counter) = now.session_kwh.filter(in_range) else {
            return;
        };
        let Some(before) = self.counter_kwh else {
            self.counter_kwh = Some(counter);
            return;
        };
        if counter < ZERO_KWH {
            self.shows_zero = self.is_stale && now.charging == Some(true);
            return;
        }
        self.shows_zero = false;
        let gap = last.map_or(SignedDuration::ZERO, |last| {
            now.at.duration_since(last.at).max(SignedDuration::ZERO)
        });
        let was_charging = last.is_some_and(|last| last.charging == Some(true));
        // A level that rises from 0 may have been none.
        let level = last
            .and_then(|last| last.level)
            .filter(|level| *level > 0.0);
        let levels = level.zip(now.level);
        let charging = was_charging || now.charging == Some(true);
        self.least_kwh = (self.is_stale && charging)
            .then(|| self.least_kwh.map_or(counter, |least| least.min(counter)));
        let has_risen = self
            .least_kwh
            .is_some_and(|least| counter - least > RISE_KWH);
        let meaning = self.meaning(&Shown {
            counter,
            more: counter - before,
            hours: gap.as_secs_f64() / 3600.0,
            charging,
            was_charging,
            unseen: gap > UNSEEN,
            fuller_percent: levels.map_or(0.0, |(before, now)| now - before),
            has_driven,
            unplugged: now.unplugged,
            has_risen: has_risen && counter < SMALL_KWH,
        });
        self.doubted_kwh = None;
        match meaning {
            CounterChange::Same(up_to) => self.counter_kwh = Some(up_to),
            CounterChange::More => {
                self.total_kwh += counter - before;
                self.counter_kwh = Some(counter);
            }
            CounterChange::Session => {
                self.total_kwh += counter;
                self.counter_kwh = Some(counter);
                self.is_stale = false;
            }
            CounterChange::Doubtful => self.doubted_kwh = Some(counter),
        }
    }

    fn meaning(&mut self, shown: &Shown) -> CounterChange {
        let is_low = shown.more < -DIP_KWH && shown.counter < (shown.counter - shown.more) / 2.0;
        self.n_low = if is_low {
            self.n_low.saturating_add(1)
        } else {
            0
        };
        let leap_kwh = CHARGED_AT_ONCE_KWH + CHARGED_AT_MOST_KW * shown.hours;
        let is_shown_again = self.doubted_kwh.is_some_and(|doubted| {
            let more = shown.counter - doubted;
            more.abs() <= WOBBLE_KWH || (shown.charging && (0.0..leap_kwh).contains(&more))
        });
        if self.is_stale {
            Self::of_next_session(shown, is_shown_again, leap_kwh)
        } else if shown.charging {
            self.of_charging(shown, is_shown_again, leap_kwh)
        } else {
            Self::of_resting(shown, is_shown_again, leap_kwh)
        }
    }

    /// The cable was out: what is not the last session's value is another session's.
    fn of_next_session(shown: &Shown, is_shown_again: bool, leap_kwh: f64) -> CounterChange {
        let Shown { counter, more, .. } = *shown;
        // Two sessions may be of one size; then the battery tells.
        let is_as_much_fuller = shown.fuller_percent >= (counter * PERCENT_A_KWH).max(2.0);
        if more.abs() <= WOBBLE_KWH && !is_as_much_fuller && !shown.has_risen {
            let counted = if shown.charging {
                counter - more
            } else {
                counter
            };
            return CounterChange::Same(counted);
        }
        let has_drained = !shown.charging
            && !shown.has_driven
            && shown.fuller_percent < CHARGED_PERCENT
            && (0.0..=WOBBLE_KWH + DRAIN_KW * shown.hours).contains(&-more);
        if has_drained {
            return CounterChange::Same(counter);
        }
        let may_be_a_dip = (-DIP_KWH..0.0).contains(&more) && counter > (counter - more) / 2.0;
        let has_flowed = shown.charging && !may_be_a_dip;
        let is_fuller = shown.fuller_percent >= CHARGED_PERCENT;
        let is_sure = has_flowed || is_fuller || (shown.has_driven && shown.unseen);
        match (is_shown_again, shown.unplugged && !shown.charging) {
            _ if is_sure && (is_shown_again || counter <= leap_kwh) => CounterChange::Session,
            // Nothing flows into a car without a cable.
            (true, true) => CounterChange::Same(counter),
            (true, false) => CounterChange::Session,
            (false, _) => CounterChange::Doubtful,
        }
    }

    fn of_charging(&self, shown: &Shown, is_shown_again: bool, leap_kwh: f64) -> CounterChange {
        let Shown { counter, more, .. } = *shown;
        let counted = counter - more;
        if more > 0.0 {
            return if more <= leap_kwh || is_shown_again {
                CounterChange::More
            } else {
                CounterChange::Doubtful
            };
        }
        let has_drained = shown.unseen && !shown.was_charging && -more <= DRAIN_KW * shown.hours;
        if has_drained {
            CounterChange::Same(counter)
        } else if (shown.unseen && more < -DIP_KWH) || self.n_low >= LOW_LOOKS {
            CounterChange::Session
        } else {
            CounterChange::Same(counted)
        }
    }

    /// Plugged in, or just unplugged, and no current at either look.
    fn of_resting(shown: &Shown, is_shown_again: bool, leap_kwh: f64) -> CounterChange {
        let Shown { counter, more, .. } = *shown;
        let is_drain = -more <= WOBBLE_KWH + DRAIN_KW * shown.hours;
        if more > WOBBLE_KWH {
            // It charged unseen.
            let is_fuller = shown.fuller_percent >= CHARGED_PERCENT;
            let may_be = more <= leap_kwh && shown.fuller_percent >= 0.0;
            let is_sure = is_shown_again || (may_be && (shown.unseen || is_fuller));
            return if is_sure {
                CounterChange::More
            } else {
                CounterChange::Doubtful
            };
        }
        if is_drain || is_shown_again {
            CounterChange::Same(counter)
        } else {
            CounterChange::Doubtful
        }
    }

    /// Since the bridge first saw the car; `None` until it has seen the counter.
    pub(super) fn total_kwh(&self) -> Option<f64> {
        self.counter_kwh.map(|_| self.total_kwh)
    }

    /// Whether the counter still shows an earlier session.
    pub(super) fn is_stale(&self) -> bool {
        self.is_stale && !self.shows_zero
    }
}
