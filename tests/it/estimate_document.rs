//! docs/sleep-policy.md says what the policy does at present.

use pretty_assertions::assert_eq;
use tesla2mqtt::estimate::{document, parse_life};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sleep-policy.md");

fn document_text() -> String {
    std::fs::read_to_string(DOCUMENT).expect("docs/sleep-policy.md")
}

#[test]
fn the_table_of_the_document_is_what_the_policy_does() {
    let text = document_text();
    let date = document::date_of(&text).expect("the table has a date");
    assert!(date.parse::<jiff::civil::Date>().is_ok(), "{date:?}");
    let renewed = document::renewed(&text, &document::generated(date))
        .expect("the document has a generated part");
    assert_eq!(
        text, renewed,
        "docs/sleep-policy.md is stale: cargo run --release --example sleep_policy_doc -- DATE"
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

#[test]
fn the_life_file_of_the_document_can_be_played() {
    let text = document_text();
    let (_, rest) = text.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let life = parse_life("life.toml", example).expect("a life");
    assert_eq!(life.plan.segments.len(), 12);
}
