//! One text → one MQTT topic level, whatever the text holds.
//!
//! VINs and catalogue keys are legal levels by construction; an owner's name for a car and what a
//! cloud answer contains are not. A `/` there would add a level, a `+` or `#` makes brokers close
//! the connection, and so do control characters and noncharacters (MQTT 5, 1.5.4), which would
//! turn one bad name into an endless reconnect.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Longest level that [`encode`] gives, in bytes.
pub const LEVEL_MAX: usize = 128;

/// Longest topic that MQTT can carry, in bytes.
pub const TOPIC_MAX: usize = 65_535;

/// Encodes any text as exactly one legal topic level of at most [`LEVEL_MAX`] bytes.
///
/// What is legal stays as it is, emoji and spaces included. `/ + # %`, control characters and
/// noncharacters become `%` and two hexadecimal digits for each of their bytes, and so does a
/// leading `$`, which brokers keep for themselves. The empty text is `%`. What is too long is cut
/// and ends in `%~` and 16 digits of its hash. Different short texts give different levels.
pub fn encode(name: &str) -> Cow<'_, str> {
    if name.is_empty() {
        return Cow::Borrowed("%");
    }
    if name.len() <= LEVEL_MAX && !name.starts_with('$') && !name.chars().any(must_escape) {
        return Cow::Borrowed(name);
    }
    let mut level = String::with_capacity(name.len() + 8);
    for (at, c) in name.char_indices() {
        if must_escape(c) || (at == 0 && c == '$') {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(level, "%{byte:02X}");
            }
        } else {
            level.push(c);
        }
    }
    if level.len() > LEVEL_MAX {
        cut(&mut level, name);
    }
    Cow::Owned(level)
}

/// Whether a broker will take this as the topic of a message.
pub fn is_legal_topic(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() <= TOPIC_MAX
        && !topic.starts_with('$')
        && !topic
            .chars()
            .any(|c| matches!(c, '+' | '#') || is_forbidden_anywhere(c))
}

fn must_escape(c: char) -> bool {
    matches!(c, '/' | '+' | '#' | '%') || is_forbidden_anywhere(c)
}

/// Control characters and Unicode's noncharacters: brokers close the connection over them.
fn is_forbidden_anywhere(c: char) -> bool {
    let noncharacter = (c as u32 & 0xFFFE) == 0xFFFE || matches!(c, '\u{FDD0}'..='\u{FDEF}');
    c.is_control() || noncharacter
}

/// Shortens an encoded level, never inside a character or an escape.
fn cut(level: &mut String, name: &str) {
    const TAIL: usize = 2 + 16;
    let mut end = level.floor_char_boundary(LEVEL_MAX - TAIL);
    let last_escape = level[..end].rfind('%').filter(|at| end - at < 3);
    if let Some(at) = last_escape {
        end = at;
    }
    level.truncate(end);
    let _ = write!(level, "%~{:016x}", fnv1a(name.as_bytes()));
}

/// FNV-1a: the hash must be the same in every version of this program, which the standard
/// library's is not.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_becomes_one_readable_level() {
        let check = |name: &str, level: &str| assert_eq!(encode(name), level, "{name:?}");
        check("battery_level", "battery_level");
        check("My car 🚗", "My car 🚗");
        check("a/b", "a%2Fb");
        check("+", "%2B");
        check("#", "%23");
        check("100%", "100%25");
        check("\0", "%00");
        check("tab\there", "tab%09here");
        check("\u{85}", "%C2%85");
        check("\u{FFFF}", "%EF%BF%BF");
        check("$SYS", "%24SYS");
        check("US$", "US$");
        check("", "%");
        check("..", "..");
    }

    #[test]
    fn a_long_name_is_cut_and_stays_different_from_its_neighbor() {
        let a = encode(&"x".repeat(200)).into_owned();
        let b = encode(&"x".repeat(201)).into_owned();
        assert!(a.len() <= LEVEL_MAX && b.len() <= LEVEL_MAX);
        assert_ne!(a, b);
        assert!(a.contains("%~"));
    }

    #[test]
    fn topics_that_brokers_refuse_are_told_apart() {
        for good in ["a", "a/b", "/", "tesla2mqtt/x/🚗", "a b"] {
            assert!(is_legal_topic(good), "{good:?}");
        }
        let long = "x".repeat(TOPIC_MAX + 1);
        for bad in ["", "a/+", "#", "a\0b", "a\nb", "$SYS/x", "a\u{FFFE}", &long] {
            assert!(!is_legal_topic(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_out_of_its_level(name in any::<String>()) {
            let level = encode(&name);
            prop_assert!(!level.is_empty() && level.len() <= LEVEL_MAX);
            prop_assert!(!level.contains('/'));
            prop_assert!(is_legal_topic(&level));
        }

        #[test]
        fn different_names_give_different_levels(a in "[ab/+#%~$\\PC]{0,12}", b in "[ab/+#%~$\\PC]{0,12}") {
            prop_assume!(a != b);
            prop_assert_ne!(encode(&a), encode(&b));
        }
    }
}
