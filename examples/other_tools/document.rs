//! The table of docs/sleep-policy.md: our figures beside the modelled ones, for a car that data
//! calls keep awake and one that they do not.

use std::fmt::Write as _;

use tesla2mqtt::estimate::{Case, Life, PRICES_AS_OF, Row, Way, ours};
use tesla2mqtt::policy::{Preset, Prices};

use crate::theirs;

/// The table stands between these lines.
pub(crate) const BEGIN: &str =
    "<!-- generated: cargo run --release --example other_tools -- --write DATE -->";
/// See [`BEGIN`].
pub(crate) const END: &str = "<!-- end of the generated part -->";
pub(crate) const DATED: &str = "Generated on ";
/// A whole month, so that the budget has its say.
const DAYS: u32 = 30;

/// The generated part, with the date of its making as given.
pub(crate) fn generated(date: &str) -> String {
    let mut text = format!(
        "{BEGIN}\n{DATED}{date}: {DAYS} model days each; dollars by Tesla's published prices of \
         {PRICES_AS_OF}, without the monthly credit.\n"
    );
    for held in [false, true] {
        let title = if held {
            "A car that data calls keep awake (Model S and X before 2021)"
        } else {
            "A car that sleeps although it is asked (most others)"
        };
        let _ = write!(
            text,
            "\n### {title}\n\n\
             | | light calls a day | data calls a day | 408 a day | $ a month | hours awake a day \
             | sleep prevented, h | drive seen after, median / worst | charge seen after |\n\
             |---|--:|--:|--:|--:|--:|--:|---|---|\n"
        );
        let mut unpolled = 0.0;
        for row in rows(held, &mut unpolled) {
            line(&mut text, &row);
        }
        let _ = writeln!(
            text,
            "| nobody asks | 0 | 0 | 0 | 0.00 | {unpolled:.2} | 0.00 | never | never |"
        );
    }
    text.push_str(END);
    text.push('\n');
    text
}

/// A document with its generated part replaced by another; `None`: it has none.
pub(crate) fn renewed(document: &str, generated: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let after = after.strip_prefix('\n').unwrap_or(after);
    Some(format!("{before}{generated}{after}"))
}

fn rows(held: bool, unpolled: &mut f64) -> Vec<Row> {
    let case = |preset| Case {
        life: Life::named("model-day").expect("a named life"),
        days: DAYS,
        n_cars: 1,
        held,
        way: Way::preset(preset),
    };
    let mut rows = Vec::new();
    for (name, preset) in [
        ("**tesla2mqtt**, metered", Preset::Metered),
        ("**tesla2mqtt**, unmetered", Preset::Unmetered),
    ] {
        let played = ours(&case(preset));
        let row = Row::new(name, false, &played, &Prices::FLEET);
        let figures = &row.figures;
        *unpolled = figures.awake_hours_a_day - figures.sleep_prevented_hours_a_day;
        rows.push(row);
    }
    rows.extend(theirs(&case(Preset::Metered)));
    rows
}

fn line(text: &mut String, row: &Row) {
    let figures = &row.figures;
    let name = if row.is_modelled {
        format!("{} (modelled)", row.name)
    } else {
        row.name.to_owned()
    };
    let _ = writeln!(
        text,
        "| {name} | {:.0} | {:.0} | {:.1} | {:.2} | {:.2} | {:.2} | {} | {} |",
        figures.light_calls_a_day,
        figures.data_calls_a_day,
        f64::from(u32::try_from(figures.n_408).unwrap_or(u32::MAX)) / f64::from(DAYS),
        figures.dollars_a_month,
        figures.awake_hours_a_day,
        figures.sleep_prevented_hours_a_day,
        figures.drive_starts,
        figures.charge_starts,
    );
}
