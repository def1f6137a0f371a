//! The figures as a report: for people as a list or a table, for machines as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::figures::{Delays, Figures, hundredths, span};
use super::{Case, PRICES_AS_OF, Played};
use crate::policy::Prices;

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
    #[expect(clippy::cast_precision_loss, reason = "so many cars are none")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_told_in_words() {
        let nothing = Delays::default();
        assert_eq!(sentence(&nothing), "- (there was none)");
        let missed = Delays {
            n: 2,
            n_missed: 2,
            ..nothing
        };
        assert_eq!(sentence(&missed), "never (2 missed)");
    }
}
