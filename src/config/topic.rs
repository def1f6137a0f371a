//! What the owner may write where a topic, or one level of one, is expected.

use super::reader::SettingsReader;
use super::settings::HomeAssistantSettings;
use crate::model::Vin;
use crate::outbox::level;

/// Below the base topic everything is ours to write: Home Assistant's topics, and with them every
/// other program's discovery messages, must not stand there.
pub(super) fn refuse_overlap(
    reader: &mut SettingsReader<'_>,
    base: &str,
    theirs: &HomeAssistantSettings,
) {
    let of_theirs = [
        ("homeassistant.discovery_prefix", &theirs.discovery_prefix),
        ("homeassistant.status_topic", &theirs.status_topic),
    ];
    let holds = |topic: &str| {
        let rest = topic.strip_prefix(base);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let Some((key, topic)) = of_theirs.into_iter().find(|(_, topic)| holds(topic)) else {
        return;
    };
    if reader.is_given("mqtt.base_topic") || !reader.is_given(key) {
        let complaint = format!(
            "{key} = \"{topic}\" is not ours to write below: expected a base topic of the \
             bridge's own, as in \"tesla2mqtt\" or \"home/tesla\""
        );
        reader.refuse("mqtt.base_topic", &complaint);
    } else {
        let complaint = format!(
            "mqtt.base_topic = \"{base}\" is there: expected Home Assistant's own topic outside \
             of it, or another mqtt.base_topic"
        );
        reader.refuse(key, &complaint);
    }
}

/// A base of topics: one or more levels, none of them empty.
pub(super) fn topic(text: &str) -> Result<String, String> {
    let complaint = if text.is_empty() {
        "expected at least one level"
    } else if text.contains(['+', '#']) {
        "expected no wildcard (+ or #)"
    } else if text.split('/').any(str::is_empty) {
        "expected no slash at either end and no empty level"
    } else if text.trim() != text {
        "expected no blank at either end"
    } else if text.starts_with('$') {
        "expected a topic outside of the broker's own ($…)"
    } else if text.len() > 128 {
        "expected at most 128 bytes"
    } else if !level::is_legal_topic(text) {
        "expected no control character"
    } else {
        return Ok(text.to_owned());
    };
    Err(format!(
        "{complaint}, as in \"tesla2mqtt\" or \"home/tesla\""
    ))
}

/// A level instead of the VIN.
pub(super) fn alias(text: &str) -> Result<String, String> {
    let checked = if text == "bridge" {
        Err("this level is the bridge's own: expected another name")
    } else if Vin::new(text).is_ok() {
        Err("expected a name that cannot be taken for a VIN")
    } else {
        topic_level(text)
    };
    checked.map_err(|complaint| format!("{complaint}: one topic level, such as \"model-3\""))
}

/// One level of a topic.
pub(super) fn topic_level(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.len() > 64 {
        Err("expected 1 to 64 bytes")
    } else if text.starts_with('$') {
        Err("expected no $ at the start")
    } else if text.trim() != text {
        Err("expected no blank at either end")
    } else if !level::is_legal_level(text) {
        Err("expected no /, +, # and no control character")
    } else {
        Ok(text.to_owned())
    }
}
