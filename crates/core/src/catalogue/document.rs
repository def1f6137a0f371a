//! `docs/entities.md`, from the table.

use std::fmt::Write as _;

use super::entity::{Category, Entity, Platform};
use super::extractor::Extractor;
use super::{ACCOUNT_ENTITIES, AccountEntity, BRIDGE_ENTITIES, LEFT_OUT, TABLES, entities};

const INTRODUCTION: &str = "\
# Entities

This page is generated from the catalogue (`UPDATE_DOCS=1 cargo test entities`).

Every fact is one retained topic, `<base>/<VIN>/<key>`, with one plain value; `None` means unknown.
Numbers are in the unit of the table, which is the car's own: Home Assistant converts them. Times are
RFC 3339 in UTC. *Kind* is what the fact is in Home Assistant in a version that can command the car; in
this one a control shows a read-only face, and buttons are not shown. *(off)* is not loaded by Home
Assistant unless you enable it. *Cars* says which cars have it; empty means all.

*Source* is the path in Tesla's `vehicle_data`; `bridge.*` is what the bridge knows itself, `derived.*`
what it works out over time, and `telemetry.*` comes from streaming cars only and is not shown until
such a source exists. *Stream* is the field of Fleet Telemetry that says the same.
";

/// Facts that the yardstick lists: what owners are offered by other integrations, each row of which
/// is here or left out with a reason.
pub const YARDSTICK_ENTITIES: usize = 265;

/// The page.
pub fn document() -> String {
    let mut page = INTRODUCTION.to_owned();
    let n_all = entities().count();
    let n_streamed = entities().filter(|entity| is_streamed(entity)).count();
    let n_buttons = entities().filter(|entity| !entity.has_state()).count();
    line(
        &mut page,
        &format!(
            "\n{n_all} facts and controls: {} from polling, {n_buttons} controls without a state, \
             {n_streamed} from streaming only.",
            n_all - n_streamed - n_buttons
        ),
    );
    let n_done = YARDSTICK_ENTITIES - LEFT_OUT.len();
    line(
        &mut page,
        &format!(
            "\nOf the {YARDSTICK_ENTITIES} that other integrations offer together, {n_done} are here and {} are \
             [left out](#left-out) with a reason; {} are our own.",
            LEFT_OUT.len(),
            n_all - n_done
        ),
    );
    let ages: Vec<&str> = entities()
        .filter(|entity| entity.is_age)
        .map(|entity| entity.key)
        .collect();
    line(
        &mut page,
        &format!(
            "\nA topic is published when its value changes. A look at the car that found nothing new publishes\n\
             nothing but what tells of the look itself: {},\n\
             and the counters of its [account](#each-account).\n\
             \n\
             `<base>/<VIN>/snapshot` holds every known value but these, with the time `at` which it had last been\n\
             seen when the snapshot was drawn up: when any of its values changed. How fresh all of them are says\n\
             `last_update`.",
            code_list(&ages)
        ),
    );
    for table in TABLES {
        line(&mut page, &format!("\n## {}\n", table.heading));
        line(
            &mut page,
            "| key | name | kind | unit | values | source | stream | cars | command |",
        );
        line(&mut page, "|---|---|---|---|---|---|---|---|---|");
        for entity in table.entities {
            line(&mut page, &of(entity));
        }
    }
    line(&mut page, "\n## The bridge itself\n");
    line(
        &mut page,
        "Topics `<base>/bridge/<key>`; `state` is `online` or `offline`.\n",
    );
    line(&mut page, "| key | name |");
    line(&mut page, "|---|---|");
    for of in BRIDGE_ENTITIES {
        line(
            &mut page,
            &format!("| `{}` | {} |", of.entity.key, of.entity.name),
        );
    }
    line(&mut page, "\n## Each account\n");
    line(
        &mut page,
        "Topics `<base>/bridge/accounts/<name>/<key>`, of the UTC month; what an account has not, as a\n\
         limit, is `None`.\n",
    );
    line(&mut page, "| key | name | unit |");
    line(&mut page, "|---|---|---|");
    for AccountEntity { entity, .. } in ACCOUNT_ENTITIES {
        let off = if entity.enabled { "" } else { " *(off)*" };
        line(
            &mut page,
            &format!(
                "| `{}` | {}{off} | {} |",
                entity.key, entity.name, entity.unit
            ),
        );
    }
    line(&mut page, "\n## Left out\n");
    line(
        &mut page,
        "What other integrations have and this one does not:\n",
    );
    line(&mut page, "| key | reason |");
    line(&mut page, "|---|---|");
    for (key, reason) in LEFT_OUT {
        line(&mut page, &format!("| `{key}` | {reason} |"));
    }
    page
}

fn line(page: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

fn is_streamed(entity: &Entity) -> bool {
    entity.has_state()
        && entity
            .extractor
            .signals()
            .iter()
            .all(|path| path.starts_with("telemetry."))
}

fn of(entity: &Entity) -> String {
    let class = match entity.class {
        "" | "enum" | "switch" => String::new(),
        class => format!(", {class}"),
    };
    let category = match entity.category {
        Category::Main => "",
        Category::Diagnostic => ", diagnostic",
        Category::Config => ", config",
    };
    let off = if entity.enabled { "" } else { " *(off)*" };
    format!(
        "| `{}` | {} | {}{class}{category}{off} | {} | {} | {} | {} | {} | {} |",
        entity.key,
        entity.name,
        entity.platform.word(),
        entity.unit,
        values(entity),
        code_list(entity.extractor.signals()),
        code_list(&entity.stream.split(", ").collect::<Vec<_>>()),
        entity.capability.words(),
        code_list(&entity.command.split(", ").collect::<Vec<_>>()),
    )
}

/// The words that the topic holds, and what the name does not say.
fn values(entity: &Entity) -> String {
    let words: Vec<&str> = match (entity.extractor, entity.platform) {
        (Extractor::Either(_, yes, no), _) => vec![yes, no],
        (_, Platform::Cover) => vec!["open", "closed"],
        (_, Platform::Lock) => vec!["locked", "unlocked"],
        (_, Platform::BinarySensor | Platform::Switch) if entity.has_state() => vec!["on", "off"],
        _ => entity.words(),
    };
    match (words.is_empty(), entity.note) {
        (true, note) => note.to_owned(),
        (false, "") => code_list(&words),
        (false, note) => format!("{}; {note}", code_list(&words)),
    }
}

fn code_list(items: &[&str]) -> String {
    items
        .iter()
        .filter(|item| !item.is_empty())
        .map(|item| format!("`{item}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
