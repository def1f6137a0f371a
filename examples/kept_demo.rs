//! The demo with a state directory that outlives it: started again, its cars have lived on
//! meanwhile. For tests/homeassistant, which restarts the bridge.
//!
//! `cargo run --example kept_demo -- --state DIRECTORY [what the demo takes]`

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;
use tesla2mqtt::cli::demo;
use tesla2mqtt::{api, clock};

#[derive(Parser)]
struct DemoArguments {
    /// The bridge's memory, and beside it when the cars' lives began
    #[arg(long)]
    state: PathBuf,
    #[command(flatten)]
    demo: demo::DemoOptions,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let DemoArguments { state, demo } = DemoArguments::parse();
    let since = since(&state)?;
    clock::run_at_speed_since(demo.speed(), since);
    api::install_provider();
    demo::run(demo, &state, since).await?;
    Ok(ExitCode::SUCCESS)
}

fn since(state: &PathBuf) -> anyhow::Result<Timestamp> {
    let file = state.join("cars-live-since");
    if let Ok(text) = fs::read_to_string(&file) {
        return text.parse().context("when the cars' lives began");
    }
    let since = clock::real_wall();
    fs::create_dir_all(state)?;
    fs::write(file, since.to_string())?;
    Ok(since)
}
