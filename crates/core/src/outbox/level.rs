//! What a broker takes as a topic.
//!
//! Levels are VINs, catalogue keys, and the owner's own names, which the configuration checks by
//! this rule. A `/` in one would add a level; over `+`, `#`, control characters and noncharacters
//! (MQTT 5, 1.5.4) brokers close the connection, which would turn one bad name into an endless
//! reconnect.

/// Longest topic that MQTT can carry, in bytes.
pub const TOPIC_MAX: usize = 65_535;

/// Whether a broker will take this as the topic of a message.
pub fn is_legal_topic(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() <= TOPIC_MAX
        && !topic.starts_with('$')
        && !topic
            .chars()
            .any(|c| matches!(c, '+' | '#') || is_forbidden_anywhere(c))
}

/// Whether this is one level of a legal topic, wherever it stands.
pub fn is_legal_level(level: &str) -> bool {
    is_legal_topic(level) && !level.contains('/')
}

/// Control characters and Unicode's noncharacters.
fn is_forbidden_anywhere(c: char) -> bool {
    let noncharacter = (c as u32 & 0xFFFE) == 0xFFFE || matches!(c, '\u{FDD0}'..='\u{FDEF}');
    c.is_control() || noncharacter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_brokers_refuse_are_told_apart() {
        for good in ["a", "a/b", "/", "tesla2mqtt/x/🚗", "a b"] {
            assert!(is_legal_topic(good), "{good:?}");
        }
        let long = "x".repeat(TOPIC_MAX + 1);
        for bad in [
            "",
            "a/+",
            "#",
            "a\0b",
            "a\nb",
            "$SYS/x",
            "a\u{FFFE}",
            "\u{FDD0}",
            &long,
        ] {
            assert!(!is_legal_topic(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_level_is_a_topic_without_a_slash() {
        for good in ["a", "model-3", "Møter 🚗", "..", "US$"] {
            assert!(is_legal_level(good), "{good:?}");
        }
        for bad in ["", "a/b", "/", "+", "#", "\0", "$SYS", "\u{85}"] {
            assert!(!is_legal_level(bad), "{bad:?}");
        }
    }
}
