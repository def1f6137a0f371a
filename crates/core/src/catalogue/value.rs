//! What a topic says. Plain values: numbers without noise, `on`/`off`, lower snake_case words,
//! RFC 3339 times in UTC, and `None` (Home Assistant's word) for unknown. Never an empty text,
//! which would delete the retained message.

use jiff::Timestamp;
use serde_json::{Map, Number, Value as Json};

/// The value of one row at one time.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityValue {
    /// Nothing was ever heard about it: the topic is left as it is.
    Silent,
    /// Known to be unknown.
    Unknown,
    /// A word that is not in the row's list; said as unknown, and worth a line in the log.
    Unlisted(String),
    /// A word of a closed set.
    Word(&'static str),
    /// Free text.
    Text(String),
    /// A number, rounded.
    Number(f64),
    /// A time.
    Time(Timestamp),
    /// An object.
    Json(Map<String, Json>),
}

/// Home Assistant's longest state.
const TEXT_AT_MOST: usize = 255;
/// No fact of a car is larger; what is, is a broken counter.
const NUMBER_AT_MOST: f64 = 1e12;

impl EntityValue {
    /// A number rounded to so many decimals, without a negative zero; unknown if absurd.
    pub fn number(value: f64, digits: u8) -> Self {
        if value.is_nan() || value.abs() > NUMBER_AT_MOST {
            return Self::Unknown;
        }
        let scale = 10_f64.powi(i32::from(digits));
        Self::Number((value * scale).round() / scale + 0.0)
    }

    /// `on` or `off`.
    pub const fn on(truth: bool) -> Self {
        Self::Word(if truth { "on" } else { "off" })
    }

    /// Text, cut to what Home Assistant keeps. Tesla's word "None" is a word, not "unknown".
    pub fn text(text: &str) -> Self {
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(TEXT_AT_MOST)
            .collect();
        match line.trim() {
            "" => Self::Unknown,
            "None" => Self::Word("none"),
            text => Self::Text(text.to_owned()),
        }
    }

    /// What goes on the topic; `None` for silence.
    pub fn payload(&self) -> Option<String> {
        Some(match self {
            Self::Silent => return None,
            Self::Unknown | Self::Unlisted(_) => "None".to_owned(),
            Self::Word(word) => (*word).to_owned(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Time(time) => seconds(*time).to_string(),
            Self::Json(members) => Json::from(members.clone()).to_string(),
        })
    }

    /// The same for a JSON reader: numbers as numbers, objects as objects, unknown as null.
    pub fn json(&self) -> Json {
        match self {
            Self::Silent | Self::Unknown | Self::Unlisted(_) => Json::Null,
            Self::Number(value) => number(*value),
            Self::Json(members) => Json::from(members.clone()),
            other => other.payload().map_or(Json::Null, Json::from),
        }
    }
}

/// A JSON number, written as an integer where it is one; null for what is no number.
pub fn number(value: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return Json::from(value as i64);
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

/// Whole seconds: fractions are noise to a reader.
pub fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Tesla's CamelCase and other words in lower snake_case: `ACSingleWireCAN` is
/// `ac_single_wire_can`, `GB_AC` is `gb_ac`.
pub fn snake_case(word: &str) -> String {
    if word == "CHAdeMO" {
        return "chademo".to_owned();
    }
    let letters: Vec<char> = word.chars().take(TEXT_AT_MOST).collect();
    let mut snake = String::with_capacity(word.len() + 4);
    for (i, letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            if !snake.is_empty() && !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        let before = i.checked_sub(1).map(|i| letters[i]);
        let starts_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                let ends_capitals = before.is_uppercase()
                    && letters.get(i + 1).is_some_and(|after| after.is_lowercase());
                before.is_lowercase() || before.is_numeric() || ends_capitals
            });
        if starts_word && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_no_noise() {
        let check = |value: f64, digits: u8, payload: &str| {
            assert_eq!(
                EntityValue::number(value, digits).payload().unwrap(),
                payload,
                "{value}"
            );
        };
        check(72.0, 0, "72");
        check(72.0, 1, "72");
        check(2.775, 2, "2.78");
        check(0.1 + 0.2, 2, "0.3");
        check(-0.0, 1, "0");
        check(-0.04, 1, "0");
        check(-7.0, 0, "-7");
        check(66_347.902_989, 2, "66347.9");
        check(52.092_876, 6, "52.092876");
        for absurd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            check(absurd, 1, "None");
        }
    }

    #[test]
    fn text_is_never_empty_nor_beyond_what_home_assistant_keeps() {
        let check = |text: &str, payload: &str| {
            assert_eq!(
                EntityValue::text(text).payload().unwrap(),
                payload,
                "{text:?}"
            );
        };
        check("Rakete 🚀/+#", "Rakete 🚀/+#");
        check("", "None");
        check(" \u{0}\n ", "None");
        check("a\u{0}b", "a b");
        check("None", "none");
        check(&"ü".repeat(400), &"ü".repeat(255));
    }

    #[test]
    fn teslas_words_become_snake_case() {
        let check = |word: &str, snake: &str| assert_eq!(snake_case(word), snake, "{word}");
        check("Supercharger", "supercharger");
        check("ACSingleWireCAN", "ac_single_wire_can");
        check("CHAdeMO", "chademo");
        check("GB_AC", "gb_ac");
        check("NoPower", "no_power");
        check("downloading_wifi_wait", "downloading_wifi_wait");
        check("Free space", "free_space");
        check("--", "");
        check("Ü/+#x", "ü_x");
    }

    #[test]
    fn a_time_is_written_in_utc_with_whole_seconds() {
        let time = EntityValue::Time("2026-11-23T12:00:00.75+01:00".parse().unwrap());
        assert_eq!(time.payload().unwrap(), "2026-11-23T11:00:00Z");
    }
}
