//! Renews the generated table of docs/sleep-policy.md, with the date given:
//! `cargo run --release --example sleep_policy_doc -- 2026-11-23`.

use anyhow::{Context, ensure};
use tesla2mqtt::estimate::document;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sleep-policy.md");

fn main() -> anyhow::Result<()> {
    let date = std::env::args().nth(1).unwrap_or_default();
    ensure!(
        date.parse::<jiff::civil::Date>().is_ok(),
        "expected today's date such as 2026-11-23, found {date:?}"
    );
    let old = std::fs::read_to_string(PATH).context(PATH)?;
    let new = document::renewed(&old, &document::generated(&date))
        .context("docs/sleep-policy.md: has no generated part")?;
    std::fs::write(PATH, new).context(PATH)
}
