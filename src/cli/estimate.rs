//! `tesla2mqtt estimate`: what following a car would cost, before it does. Asks Tesla nothing; the
//! figures come from [`crate::estimate`], the files from here.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};

use super::{WrongUsage, print};
use crate::config;
use crate::estimate::{self, Case, LIFE_FILE_FORM, LIVES, Life, NamedLife, Way};
use crate::policy::Preset;

/// Larger than any week that somebody writes down.
const MOST_BYTES: u64 = 1 << 20;
/// Every call is remembered for the figures; more would be a matter of gigabytes.
const MOST_CAR_DAYS: u32 = 1000;

/// What can be asked.
#[derive(Debug, Args)]
#[command(after_long_help = after_help())]
pub(super) struct EstimateOptions {
    /// Whose life to play: commuter, weekender, taxi, parked, model-day, or a file
    #[arg(long, default_value = "commuter", value_name = "LIFE|FILE")]
    life: String,
    /// How many days to play
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    /// How many cars the account has; they live the same life, not in step
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20))]
    cars: u32,
    /// Data calls keep the car awake (Model S and X before 2021)
    #[arg(long, conflicts_with = "not_held")]
    held: bool,
    /// The car sleeps although it is asked (the default)
    #[arg(long)]
    not_held: bool,
    /// Follow it with this preset and its budget [default: metered]
    #[arg(long, value_name = "PRESET")]
    preset: Option<PresetName>,
    /// Follow it with the polling, the budget and the prices of this configuration instead of a
    /// preset's. None is read unless it is named
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The account of the configuration, where it has several [default: the first]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw one day of the first car: what it did, what was believed, every call
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// The day to draw, counted from 1 [default: the busiest]
    #[arg(long, value_name = "N", requires = "plot", value_parser = clap::value_parser!(u32).range(1..=366))]
    plot_day: Option<u32>,
}

/// The presets by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PresetName {
    /// The Fleet API, where data calls cost money
    Metered,
    /// An API that bills nothing
    Unmetered,
    /// The car pushes by itself; polling reconciles
    Push,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Metered => Self::Metered,
            PresetName::Unmetered => Self::Unmetered,
            PresetName::Push => Self::Push,
        }
    }
}

fn after_help() -> String {
    let mut text = String::from("Lives:\n");
    for NamedLife { name, help, .. } in LIVES {
        let _ = writeln!(text, "  {name:<10} {help}");
    }
    text += "\nA life of your own is a file like this one:\n\n";
    for line in LIFE_FILE_FORM.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Answers on standard output. The configuration may have been named before the subcommand.
pub(super) fn main(options: &EstimateOptions, config: Option<&Path>) -> ExitCode {
    match run(options, options.config.as_deref().or(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failed(&error),
    }
}

fn run(options: &EstimateOptions, config: Option<&Path>) -> anyhow::Result<()> {
    let case = case(options, config).map_err(|error| WrongUsage(format!("{error:#}")))?;
    let (report, played) = estimate::report(&case);
    if let (Some(file), Some(car)) = (&options.plot, played.cars.first()) {
        let day = options
            .plot_day
            .map_or_else(|| estimate::busiest_day(&played), |day| day - 1);
        let title = format!(
            "{}, day {} of {}, {}",
            report.life,
            day + 1,
            case.days,
            report.policy
        );
        std::fs::write(file, estimate::plot(car, day, &title))
            .with_context(|| format!("--plot {}", file.display()))?;
    }
    if options.json {
        let json = serde_json::to_string_pretty(&report)?;
        print(&(json + "\n"));
    } else {
        print(&report.text());
    }
    Ok(())
}

fn case(options: &EstimateOptions, config: Option<&Path>) -> anyhow::Result<Case> {
    if options.plot_day.is_some_and(|day| day > options.days) {
        bail!(
            "--plot-day: expected 1 to {}, the days played",
            options.days
        );
    }
    if options.days * options.cars > MOST_CAR_DAYS {
        bail!("--days and --cars: expected at most {MOST_CAR_DAYS} days of all cars together");
    }
    let life = life(&options.life)?;
    let held = match (options.held, options.not_held) {
        (true, _) => true,
        (_, true) => false,
        _ => life.held.unwrap_or(false),
    };
    Ok(Case {
        held,
        life,
        days: options.days,
        n_cars: options.cars,
        way: way(options, config)?,
    })
}

fn life(asked: &str) -> anyhow::Result<Life> {
    if let Some(life) = Life::named(asked) {
        return Ok(life);
    }
    let names: Vec<&str> = LIVES.iter().map(|life| life.name).collect();
    let metadata = std::fs::metadata(asked).map_err(|error| {
        let names = names.join(", ");
        anyhow!("--life {asked}: neither a life ({names}) nor a file that can be read: {error}")
    })?;
    if metadata.len() > MOST_BYTES {
        bail!("--life {asked}: expected a life file, this one has more than a megabyte");
    }
    let text = std::fs::read_to_string(asked).with_context(|| format!("--life {asked}"))?;
    Ok(estimate::parse_life(asked, &text)?)
}

fn way(options: &EstimateOptions, config: Option<&Path>) -> anyhow::Result<Way> {
    let Some(file) = config else {
        if options.account.is_some() {
            bail!("--account: names an account of a configuration, which needs --config FILE");
        }
        let preset = options.preset.unwrap_or(PresetName::Metered);
        return Ok(Way::preset(preset.into()));
    };
    if options.preset.is_some() {
        bail!("--preset and --config: expected one of them, the configuration has its own preset");
    }
    let settings = config::load_from_disk(Some(file))?.settings;
    let account = match &options.account {
        None => settings.accounts.first(),
        Some(name) => settings
            .accounts
            .iter()
            .find(|account| account.name == *name),
    };
    let Some(account) = account else {
        let names: Vec<&str> = settings.accounts.iter().map(|a| a.name.as_str()).collect();
        bail!(
            "--account: expected one of the configuration's, {}",
            names.join(", ")
        );
    };
    Ok(Way::configured(
        &account.name,
        account.api,
        &settings.polling,
        &settings.budget,
    ))
}
