//! The figures: what a played time cost in calls, dollars and sleep, and how late starts were seen.
//! For people as a table, for machines as JSON.
#![expect(
    clippy::cast_precision_loss,
    reason = "counts of calls and seconds of a year"
)]

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::{Case, PRICES_AS_OF, Played};
use crate::estimate::{CallOutcome, CarTrace};
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

/// One policy's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Whose.
    pub name: &'static str,
    /// A model of another tool, not the tool.
    pub is_modelled: bool,
    /// Figures.
    #[serde(flatten)]
    pub figures: Figures,
}

impl Row {
    /// Of what was played.
    pub fn new(name: &'static str, is_modelled: bool, played: &Played, prices: &Prices) -> Self {
        Self {
            name,
            is_modelled,
            figures: Figures::of(played, prices),
        }
    }
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Name of the life.
    pub life: String,
    /// Days played.
    pub days: u32,
    /// Cars on the account.
    pub n_cars: u32,
    /// Data calls keep the cars awake.
    pub held: bool,
    /// How our policy follows them.
    pub policy: String,
    /// Tesla bills this account.
    pub is_billed: bool,
    /// The cars push by themselves; what that costs is not in the figures.
    pub has_push: bool,
    /// Where the prices come from.
    pub prices: String,
    /// Dollars a data call.
    pub data_call_dollars: f64,
    /// What a car that nobody asks is awake, a day.
    pub unpolled_awake_hours_a_day: f64,
    /// The most that the budget stretched our intervals.
    pub worst_budget_factor: f64,
    /// Data calls of ours that budget or caps put off.
    pub n_data_calls_put_off: u64,
    /// Ours first.
    pub rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(case: &Case, rows: Vec<Row>, ours: &Played) -> Self {
        let unpolled: Duration = ours.cars.iter().map(|car| car.awake_unpolled).sum();
        let n_cars = ours.cars.len().max(1) as f64;
        let days = ours.length.as_secs_f64() / 86_400.0;
        Self {
            life: case.life.name.clone(),
            days: case.days,
            n_cars: case.n_cars,
            held: case.held,
            policy: case.way.name.clone(),
            is_billed: case.way.is_billed,
            has_push: case.way.has_push,
            prices: if case.way.prices == Prices::FLEET {
                format!("Tesla's published prices of {PRICES_AS_OF}")
            } else {
                "configured prices".to_owned()
            },
            data_call_dollars: case.way.prices.data,
            unpolled_awake_hours_a_day: hundredths(unpolled.as_secs_f64() / 3600.0 / days / n_cars),
            worst_budget_factor: hundredths(ours.worst_factor),
            n_data_calls_put_off: ours.n_not_permitted,
            rows,
        }
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = self.headline();
        match self.rows.as_slice() {
            [only] => self.write_list(&mut text, &only.figures),
            rows => self.write_table(&mut text, rows),
        }
        for note in self.notes() {
            let _ = writeln!(text, "{note}");
        }
        text
    }

    fn headline(&self) -> String {
        let cars = match self.n_cars {
            1 => "1 car".to_owned(),
            n => format!("{n} cars"),
        };
        let held = if self.held {
            "kept awake by data calls"
        } else {
            "not kept awake by data calls"
        };
        format!(
            "life {}, {} days, {cars} {held}; {}\n\n",
            self.life, self.days, self.policy
        )
    }

    fn write_list(&self, text: &mut String, figures: &Figures) {
        let all_cars = if self.n_cars > 1 { ", all cars" } else { "" };
        let rows = [
            (
                format!("light calls a day{all_cars}"),
                format!("{:.0}", figures.light_calls_a_day),
            ),
            (
                format!("data calls a day{all_cars}"),
                format!("{:.1}", figures.data_calls_a_day),
            ),
            (
                format!("408 answers in {} days", self.days),
                figures.n_408.to_string(),
            ),
            (
                "dollars a month".to_owned(),
                format!("{:.2}", figures.dollars_a_month),
            ),
            (
                "hours awake a day".to_owned(),
                format!(
                    "{:.2} (unpolled {:.2})",
                    figures.awake_hours_a_day, self.unpolled_awake_hours_a_day
                ),
            ),
            (
                "sleep prevented, hours a day".to_owned(),
                format!("{:.2}", figures.sleep_prevented_hours_a_day),
            ),
            (
                "a drive's start is seen after".to_owned(),
                sentence(&figures.drive_starts),
            ),
            (
                "a charge's start is seen after".to_owned(),
                sentence(&figures.charge_starts),
            ),
        ];
        for (name, value) in rows {
            let _ = writeln!(text, "{name:<32} {value}");
        }
        text.push('\n');
    }

    fn write_table(&self, text: &mut String, rows: &[Row]) {
        const HEAD: [&str; 9] = [
            "a day",
            "light",
            "data",
            "408 in all",
            "$ a month",
            "h awake",
            "h sleep prevented",
            "drive seen, median / worst",
            "charge seen, median / worst",
        ];
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(rows.iter().map(|row| {
            let figures = &row.figures;
            let modelled = if row.is_modelled { " (modelled)" } else { "" };
            [
                format!("{}{modelled}", row.name),
                format!("{:.0}", figures.light_calls_a_day),
                format!("{:.1}", figures.data_calls_a_day),
                figures.n_408.to_string(),
                format!("{:.2}", figures.dollars_a_month),
                format!("{:.2}", figures.awake_hours_a_day),
                format!("{:.2}", figures.sleep_prevented_hours_a_day),
                figures.drive_starts.to_string(),
                figures.charge_starts.to_string(),
            ]
        }));
        let unpolled = format!("{:.2}", self.unpolled_awake_hours_a_day);
        let nobody = [
            "nobody asks",
            "0",
            "0",
            "0",
            "0.00",
            &unpolled,
            "0.00",
            "never",
            "never",
        ];
        lines.push(nobody.map(str::to_owned));
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
        let widths: Vec<usize> = (0..HEAD.len()).map(|c| width(c).unwrap_or(0)).collect();
        for line in &lines {
            let mut row = String::new();
            for (nth, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Words to the left, numbers to the right.
                let _ = match nth {
                    0 | 7 | 8 => write!(row, "{cell:<width$}  "),
                    _ => write!(row, "{cell:>width$}  "),
                };
            }
            let _ = writeln!(text, "{}", row.trim_end());
        }
        text.push('\n');
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "dollars: {}, {} a data call; a 408 is billed like an answer",
            self.prices, self.data_call_dollars
        )];
        if !self.is_billed {
            notes.push(
                "this account is not billed: they are what the Fleet API would ask".to_owned(),
            );
        }
        if self.has_push {
            notes.push(
                "what the cars push costs extra: streamed signals are not counted".to_owned(),
            );
        }
        if self.worst_budget_factor > 1.0 {
            notes.push(format!(
                "the budget stretched the intervals of data calls up to {} times",
                self.worst_budget_factor
            ));
        }
        if self.n_data_calls_put_off > 0 {
            notes.push(format!(
                "the budget put data calls off {} times: they had no room in it",
                self.n_data_calls_put_off
            ));
        }
        if self.rows.len() > 1 {
            notes.push(
                "modelled: the published intervals of other tools, played on the same car; \
                 not the tools themselves"
                    .to_owned(),
            );
        }
        notes
    }
}

fn sentence(delays: &Delays) -> String {
    let (Some(median), Some(worst)) = (delays.median_seconds, delays.worst_seconds) else {
        return match delays.n {
            0 => "- (there was none)".to_owned(),
            n => format!("never ({n} missed)"),
        };
    };
    let mut text = format!(
        "{} (median), {} (worst of {})",
        span(median),
        span(worst),
        delays.n
    );
    if delays.n_missed > 0 {
        let _ = write!(text, "; {} missed", delays.n_missed);
    }
    text
}

fn span(seconds: f64) -> String {
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

fn hundredths(value: f64) -> f64 {
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
        let nothing = Delays::of(Vec::new());
        assert_eq!(nothing.to_string(), "-");
        assert_eq!(sentence(&nothing), "- (there was none)");
        let missed = Delays::of(vec![None, None]);
        assert_eq!(missed.to_string(), "never");
        assert_eq!(sentence(&missed), "never (2 missed)");
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
