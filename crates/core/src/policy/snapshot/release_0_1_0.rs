//! What release 0.1.0 wrote: the whole memory as one flat object, in which one field that did not
//! parse took all others with it. Its fields are handed to the parts that own them today.

use serde_json::{Map, Value};

/// Part, its field, and the field of 0.1.0. What is not listed has kept its name.
pub(super) const ROWS: &[(&str, &str, &str)] = &[
    ("machine", "entered_at", "entered_at"),
    ("machine", "rest", "resting"),
    ("phase", "state", "state"),
    ("phase", "guard_until", "guard_until"),
    ("phase", "wake_until", "wake_until"),
    ("phase", "on_the_hour", "woke_on_the_hour"),
    ("phase", "let_sleep", "let_sleep"),
    ("phase", "look_at", "look_at"),
    ("phase", "n_looks", "n_looks"),
    ("phase", "had_resisted", "had_resisted"),
    ("phase", "lost_at", "lost_at"),
    ("phase", "n_lost_lights", "n_lost_lights"),
    ("parked", "clear_since", "clear_since"),
    ("parked", "n_polls_since_clear", "n_polls_since_clear"),
    ("parked", "sleepless_until", "sleepless_until"),
    ("shown", "state", "announced"),
    ("shown", "since", "announced_wall"),
    ("standing", "paused", "paused"),
    ("standing", "signed_out", "signed_out"),
    ("standing", "listed", "listed"),
    ("standing", "relist", "relist"),
    ("standing", "n_not_found", "n_not_found"),
    ("starts", "times", "starts"),
    ("starts", "first_call_at", "first_call_at"),
    ("starts", "data_not_before", "data_not_before"),
    ("calls", "last_at", "last_ask_at"),
    ("calls", "light_at", "last_light_at"),
    ("calls", "data_at", "last_data_at"),
    ("calls", "light_jitter", "light_jitter"),
    ("calls", "data_jitter", "data_jitter"),
    ("calls", "light_limited_at", "light_limited_at"),
    ("wanted", "light_at", "light_wanted_at"),
    ("wanted", "data_at", "data_wanted_at"),
    ("wanted", "followups", "followups"),
    ("hints", "last_at", "last_nudge_at"),
    ("hints", "n_in_a_row", "n_nudges"),
    ("contact", "light", "light"),
    ("contact", "is_online", "is_online"),
    ("contact", "online_at", "online_at"),
    ("contact", "light_online_at", "light_online_at"),
    ("contact", "data_at", "last_data_ok_at"),
    ("contact", "unavailable_at", "unavailable_at"),
    ("push", "is_connected", "push_connected"),
    ("push", "last_at", "last_push_at"),
    ("push", "disconnected_at", "disconnected_at"),
    ("push", "is_lost", "push_source_lost"),
    ("push", "woke_unheard", "woke_unheard"),
    ("push", "user_present", "pushed_user_present"),
    ("push", "last_user_present", "last_pushed_present"),
    ("sessions", "last_gear_at", "last_gear_at"),
    ("sessions", "reading", "reading"),
    ("charging", "since", "charging_since"),
    ("charging", "last_at", "last_charging_at"),
    ("charging", "state", "charging_word"),
    ("charging", "power_kw", "charger_power_kw"),
    ("charging", "scheduled_at", "scheduled_charge"),
    ("parking", "last_use_at", "last_use_at"),
    ("parking", "last_command_at", "last_command_at"),
    ("parking", "holds", "holds"),
    ("self_checks", "asleep_at", "asleep_at"),
    ("self_checks", "n_brief_wakes", "n_brief_wakes"),
    ("day", "day", "day"),
    ("day", "counted_at", "counted_at"),
    ("day", "awake", "awake_today"),
    ("day", "light_calls", "light_calls_today"),
    ("day", "data_calls", "data_calls_today"),
];

/// What has no place: the position is asked for once more, and of what is under way the trips have
/// a record of their own.
pub(super) const GONE: &[&str] = &[
    "newest_timestamp_ms",
    "n_stale",
    "location_dropped",
    "drive",
    "charge",
    "next_reading_belongs",
];

/// What stands in another part: inner, outer.
const NESTED: &[(&str, &str)] = &[("parked", "phase"), ("phase", "machine")];

/// Whether the memory is of that release.
pub(super) fn wrote(memory: &Map<String, Value>) -> bool {
    memory.contains_key("state") && !memory.contains_key("machine")
}

/// The flat memory as parts. A state reads only the fields of its own from among all states'.
pub(super) fn parts_of(mut flat: Map<String, Value>) -> Map<String, Value> {
    let mut parts = Map::new();
    for (part, field, old) in ROWS {
        if let Some(value) = flat.remove(*old) {
            put(&mut parts, part, field, value);
        }
    }
    for (inner, outer) in NESTED {
        if let Some(value) = parts.remove(*inner) {
            put(&mut parts, outer, inner, value);
        }
    }
    for gone in GONE {
        flat.remove(*gone);
    }
    // Kept as they were: random, learning, habits, budget, backoffs.
    flat.append(&mut parts);
    flat
}

fn put(parts: &mut Map<String, Value>, part: &str, field: &str, value: Value) {
    let part = parts
        .entry(part)
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(part) = part {
        part.insert(field.to_owned(), value);
    }
}
