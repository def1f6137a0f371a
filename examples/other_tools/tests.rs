//! What the models and the document say is held against the reference.

use pretty_assertions::assert_eq;
use tesla2mqtt::estimate::{Case, Figures, Life, Row, Way, played_by};
use tesla2mqtt::policy::Preset;

use super::tools::Tool;
use super::{DOCUMENT, compared, document};

fn case(held: bool, days: u32) -> Case {
    Case {
        life: Life::named("model-day").expect("a life"),
        days,
        n_cars: 1,
        held,
        way: Way::preset(Preset::Metered),
    }
}

fn figures(case: &Case, tool: Tool) -> Figures {
    let played = played_by(case, |_| tool.follower(case.held));
    Row::new(tool.name(), true, &played, &case.way.prices).figures
}

/// The date that a document says it was generated on.
fn date_of(document: &str) -> Option<&str> {
    let (_, rest) = document.split_once(document::DATED)?;
    rest.split(':').next()
}

/// The reference's simulated day: data calls of a car that is not held.
#[test]
fn the_models_cost_what_their_tools_cost_on_the_reference_day() {
    let measured = [
        (Tool::TeslaMateStream, 725.0),
        (Tool::TeslaMate, 2242.0),
        (Tool::TeslaLogger, 512.0),
        (Tool::TeslaFleet, 31.0),
        (Tool::Alandtse, 101.0),
        (Tool::Evcc, 9.0),
    ];
    for (tool, calls) in measured {
        let figures = figures(&case(false, 30), tool);
        let modelled = figures.data_calls_a_day;
        let tolerance = (calls * 0.05_f64).max(3.0);
        assert!(
            (modelled - calls).abs() <= tolerance,
            "{}: {modelled} data calls, expected about {calls}",
            tool.name()
        );
        assert!(figures.sleep_prevented_hours_a_day < 0.05);
    }
}

#[test]
fn a_held_car_never_sleeps_under_the_two_integrations_and_late_under_the_loggers() {
    let check = |tool: Tool, hours: std::ops::Range<f64>| {
        let awake = figures(&case(true, 7), tool).awake_hours_a_day;
        assert!(hours.contains(&awake), "{}: {awake} h", tool.name());
    };
    check(Tool::TeslaFleet, 23.9..24.1);
    check(Tool::Alandtse, 23.9..24.1);
    // The reference has 4.86 h.
    check(Tool::TeslaMateStream, 4.75..4.95);
    check(Tool::TeslaMate, 5.5..6.5);
    check(Tool::TeslaLogger, 5.5..6.5);
    check(Tool::Evcc, 4.5..4.6);
}

#[test]
fn evcc_sees_no_drive_and_every_charge() {
    let figures = figures(&case(false, 3), Tool::Evcc);
    assert_eq!(figures.drive_starts.n_missed, 12);
    assert_eq!(figures.drive_starts.median_seconds, None);
    assert_eq!(figures.charge_starts.n_missed, 0);
}

#[test]
fn machines_get_json_with_every_tool_marked() {
    let report = serde_json::to_value(compared(&case(true, 3))).expect("JSON");
    assert_eq!(report["life"], "model-day");
    assert_eq!(report["held"], true);
    let rows = report["rows"].as_array().expect("rows");
    let marks: Vec<_> = rows
        .iter()
        .map(|row| row["is_modelled"].as_bool())
        .collect();
    assert_eq!(marks[0], Some(false));
    assert_eq!(marks[1..], [Some(true); 6]);
    for row in rows {
        assert!(row["data_calls_a_day"].is_number(), "{row}");
        assert!(row["drive_starts"]["n"].is_number(), "{row}");
    }
}

#[test]
fn people_see_what_is_modelled() {
    let text = compared(&case(false, 2)).text();
    let n = |word: &str| text.lines().filter(|line| line.contains(word)).count();
    assert_eq!(n(" (modelled) "), 6, "{text}");
    assert_eq!(n("modelled: the published intervals"), 1);
    assert_eq!(n("nobody asks"), 1);
}

#[test]
fn the_table_of_the_document_is_what_the_policy_does() {
    let text = std::fs::read_to_string(DOCUMENT).expect("docs/sleep-policy.md");
    let date = date_of(&text).expect("the table has a date");
    assert!(date.parse::<jiff::civil::Date>().is_ok(), "{date:?}");
    let renewed = document::renewed(&text, &document::generated(date))
        .expect("the document has a generated part");
    assert_eq!(
        text, renewed,
        "docs/sleep-policy.md is stale: cargo run --release --example other_tools -- --write DATE"
    );
}

#[test]
fn only_the_generated_part_is_renewed() {
    let text = format!(
        "before\n{}\nold\n{}\n\nafter\n",
        document::BEGIN,
        document::END
    );
    let renewed = document::renewed(&text, "new\n");
    assert_eq!(renewed.as_deref(), Some("before\nnew\n\nafter\n"));
    assert_eq!(document::renewed("no markers", "new\n"), None);
}
