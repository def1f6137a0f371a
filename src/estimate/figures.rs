//! The figures: what a played time cost in calls, dollars and sleep, and how late starts were seen.
#![expect(
    clippy::cast_precision_loss,
    reason = "counts of calls and seconds of a year"
)]

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::play::{CallOutcome, CarTrace, Played};
use crate::policy::{Ask, Prices, State};
use crate::sim::LifeEvent;

const DAYS_A_MONTH: f64 = 30.0;

/// How late something was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Delays {
    /// How often it happened.
    pub n: usize,
    /// How often it was over before anybody looked.
    pub n_missed: usize,
    /// Of those seen, seconds.
    pub median_seconds: Option<f64>,
    /// Of those seen, seconds.
    pub worst_seconds: Option<f64>,
}

impl Delays {
    /// `missed` is counted apart: it has no delay.
    fn of(delays: Vec<Option<Duration>>) -> Self {
        let n = delays.len();
        let mut seen: Vec<Duration> = delays.into_iter().flatten().collect();
        seen.sort_unstable();
        let at = |nth: usize| seen.get(nth).map(|delay| tenths(delay.as_secs_f64()));
        Self {
            n,
            n_missed: n - seen.len(),
            median_seconds: at(seen.len() / 2),
            worst_seconds: at(seen.len().saturating_sub(1)),
        }
    }
}

/// `58 s / 2 m 5 s, 1 of 4 missed`
impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((median, worst)) = self.median_seconds.zip(self.worst_seconds) else {
            return f.write_str(if self.n == 0 { "-" } else { "never" });
        };
        write!(f, "{} / {}", span(median), span(worst))?;
        match self.n_missed {
            0 => Ok(()),
            n_missed => write!(f, ", {n_missed} of {} missed", self.n),
        }
    }
}

/// What following cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// All cars together.
    pub light_calls_a_day: f64,
    /// All cars together, refused ones too.
    pub data_calls_a_day: f64,
    /// Data calls that were answered 408, in the whole time.
    pub n_408: u64,
    /// All cars together, for 30 days.
    pub dollars_a_month: f64,
    /// A car's mean.
    pub awake_hours_a_day: f64,
    /// What of that an unpolled car would have slept.
    pub sleep_prevented_hours_a_day: f64,
    /// From a drive's start to its being seen.
    pub drive_starts: Delays,
    /// From a charge's start to its being seen.
    pub charge_starts: Delays,
}

impl Figures {
    /// Of what was played.
    pub fn of(played: &Played, prices: &Prices) -> Self {
        let days = played.length.as_secs_f64() / 86_400.0;
        let n_cars = played.cars.len().max(1) as f64;
        let count = |ask| {
            let calls = played.cars.iter().flat_map(|car| &car.calls);
            calls.filter(|call| call.ask == ask).count() as f64
        };
        let (light, data) = (count(Ask::Light), count(Ask::Data));
        let refused = played.cars.iter().flat_map(|car| &car.calls);
        let refused = refused.filter(|call| call.outcome == CallOutcome::Unavailable);
        let hours = |awake: fn(&CarTrace) -> Duration| {
            let sum: Duration = played.cars.iter().map(awake).sum();
            sum.as_secs_f64() / 3600.0 / days / n_cars
        };
        let awake = hours(|car| car.awake);
        let dollars = light * prices.light + data * prices.data;
        let delays = |start, end, state| {
            let cars = played.cars.iter();
            Delays::of(cars.flat_map(|car| car.delays(start, end, state)).collect())
        };
        Self {
            light_calls_a_day: tenths(light / days),
            data_calls_a_day: tenths(data / days),
            n_408: refused.count() as u64,
            dollars_a_month: hundredths(dollars / days * DAYS_A_MONTH),
            awake_hours_a_day: hundredths(awake),
            sleep_prevented_hours_a_day: hundredths(
                (awake - hours(|car| car.awake_unpolled)).max(0.0),
            ),
            drive_starts: delays(
                LifeEvent::DriveStarted,
                LifeEvent::DriveEnded,
                State::Driving,
            ),
            charge_starts: delays(
                LifeEvent::ChargeStarted,
                LifeEvent::ChargeEnded,
                State::Charging,
            ),
        }
    }
}

impl CarTrace {
    /// From each start to its being believed; `None`: it was over by then.
    fn delays(&self, start: LifeEvent, end: LifeEvent, state: State) -> Vec<Option<Duration>> {
        let times = |of| {
            let events = self.events.iter();
            events
                .filter(move |(_, event)| *event == of)
                .map(|(at, _)| *at)
        };
        let ends: Vec<Duration> = times(end).collect();
        times(start)
            .map(|at| {
                let over = ends.iter().find(|end| **end > at);
                let over = over.copied().unwrap_or(Duration::MAX);
                let later = self.beliefs.partition_point(|(since, _)| *since <= at);
                if later > 0 && self.beliefs[later - 1].1 == state {
                    return Some(Duration::ZERO);
                }
                let seen = self.beliefs[later..]
                    .iter()
                    .find(|(_, seen)| *seen == state);
                seen.filter(|(since, _)| *since <= over)
                    .map(|(since, _)| since.saturating_sub(at))
            })
            .collect()
    }
}

pub(super) fn span(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of a delay, not negative"
    )]
    let seconds = seconds.round() as u64;
    match (seconds / 60, seconds % 60) {
        (0 | 1, _) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

pub(super) fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::CarActivity;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_start_is_seen_at_once_later_or_never() {
        let trace = CarTrace {
            calls: Vec::new(),
            beliefs: vec![
                (at(0), State::Idle),
                (at(130), State::Driving),
                (at(220), State::Idle),
                (at(900), State::Driving),
            ],
            begins_as: CarActivity::Idle,
            events: vec![
                (at(100), LifeEvent::DriveStarted),
                (at(190), LifeEvent::DriveEnded),
                (at(200), LifeEvent::DriveStarted),
                (at(300), LifeEvent::DriveEnded),
                (at(400), LifeEvent::DriveStarted),
                (at(500), LifeEvent::DriveEnded),
                (at(850), LifeEvent::DriveStarted),
            ],
            awake: Duration::ZERO,
            awake_unpolled: Duration::ZERO,
        };
        let delays = trace.delays(
            LifeEvent::DriveStarted,
            LifeEvent::DriveEnded,
            State::Driving,
        );
        let expected = [Some(at(30)), Some(at(0)), None, Some(at(50))];
        assert_eq!(delays, expected);
        let figures = Delays::of(delays);
        assert_eq!((figures.n, figures.n_missed), (4, 1));
        assert_eq!(figures.median_seconds, Some(30.0));
        assert_eq!(figures.worst_seconds, Some(50.0));
        assert_eq!(figures.to_string(), "30 s / 50 s, 1 of 4 missed");
    }

    #[test]
    fn what_never_happened_has_no_delay() {
        assert_eq!(Delays::of(Vec::new()).to_string(), "-");
        let missed = Delays::of(vec![None, None]);
        assert_eq!(missed.to_string(), "never");
    }

    #[test]
    fn spans_are_words() {
        for (seconds, words) in [
            (0.0, "0 s"),
            (119.4, "119 s"),
            (120.0, "2 min"),
            (200.6, "3 min 21 s"),
        ] {
            assert_eq!(span(seconds), words);
        }
    }
}
