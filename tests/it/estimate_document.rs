//! What docs/sleep-policy.md tells to write can be played; its table: examples/other_tools.

use tesla2mqtt::estimate::parse_life;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sleep-policy.md");

fn document_text() -> String {
    std::fs::read_to_string(DOCUMENT).expect("docs/sleep-policy.md")
}

#[test]
fn the_life_file_of_the_document_can_be_played() {
    let text = document_text();
    let (_, rest) = text.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let life = parse_life("life.toml", example).expect("a life");
    assert_eq!(life.plan.segments.len(), 12);
}
