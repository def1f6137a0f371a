//! What other tools' polling costs beside ours, on the same simulated car: their published intervals
//! as small models. Prints the comparison, or renews the table of docs/sleep-policy.md with it.
//!
//! `cargo run --release --example other_tools -- [--life NAME] [--days N] [--held] [--json]`
//! `cargo run --release --example other_tools -- --write 2026-11-29`

mod document;
#[cfg(test)]
mod tests;
mod tools;

use anyhow::{Context, ensure};
use clap::Parser;
use tesla2mqtt::estimate::{self, Case, Life, Report, Row, Way};
use tesla2mqtt::policy::Preset;

use self::tools::TOOLS;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sleep-policy.md");

#[derive(Parser)]
struct ComparisonArguments {
    /// The life that the car lives, see `tesla2mqtt estimate --help`
    #[arg(long, default_value = "model-day")]
    life: String,
    /// How many days are played
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    /// Data calls keep the car awake (Model S and X before 2021)
    #[arg(long)]
    held: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Renew docs/sleep-policy.md, with today's date
    #[arg(long, value_name = "DATE")]
    write: Option<jiff::civil::Date>,
}

fn main() -> anyhow::Result<()> {
    let arguments = ComparisonArguments::parse();
    if let Some(date) = arguments.write {
        let old = std::fs::read_to_string(DOCUMENT).context(DOCUMENT)?;
        let new = document::renewed(&old, &document::generated(&date.to_string()))
            .context("docs/sleep-policy.md: has no generated part")?;
        return std::fs::write(DOCUMENT, new).context(DOCUMENT);
    }
    let life = Life::named(&arguments.life);
    ensure!(life.is_some(), "--life: expected a life that has a name");
    let report = compared(&Case {
        life: life.context("a life")?,
        days: arguments.days,
        n_cars: 1,
        held: arguments.held,
        way: Way::preset(Preset::Metered),
    });
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(())
}

/// Our figures and those of all models.
fn compared(case: &Case) -> Report {
    let (mut report, _) = estimate::report(case);
    report.rows.extend(theirs(case));
    report
}

fn theirs(case: &Case) -> impl Iterator<Item = Row> {
    TOOLS.iter().map(|tool| {
        let played = estimate::played_by(case, |_| tool.follower(case.held));
        Row::new(tool.name(), true, &played, &case.way.prices)
    })
}
