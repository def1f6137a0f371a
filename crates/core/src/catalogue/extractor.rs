//! How a value is read from a car. Most rows need one signal and one of a dozen shapes; those that
//! join several signals name a function of [`super::derived`].

use jiff::Timestamp;

use super::entity::Entity;
use super::value::{EntityValue, snake_case};
use crate::model::{Value, Vehicle};

/// Tesla's words and ours.
pub(super) type Words = &'static [(&'static str, &'static str)];
/// Tesla's numbers and our words.
pub(super) type Codes = &'static [(u8, &'static str)];

/// The shape of a reading.
#[derive(Debug, Clone, Copy)]
pub enum Extractor {
    /// A number with so many decimals.
    Number(&'static str, u8),
    /// A number that is never 0 or less: tire pressures are 0 before the first drive.
    Positive(&'static str, u8),
    /// A number times a factor.
    Scaled(&'static str, f64, u8),
    /// `on` for true and for any number but 0.
    Truth(&'static str),
    /// One word for true and one for false.
    Either(&'static str, &'static str, &'static str),
    /// `on` for the words listed, in any case of their letters, `off` for any other.
    Is(&'static str, &'static [&'static str]),
    /// One of our words for each of Tesla's.
    Word(&'static str, Words),
    /// A word for each number.
    Code(&'static str, Codes),
    /// A word for each number; a number above the last is the last, between two the lower.
    Level(&'static str, Codes),
    /// Free text in lower snake_case.
    Snake(&'static str),
    /// Free text.
    Text(&'static str),
    /// Seconds (or milliseconds) since 1970 as a time.
    Time(&'static str),
    /// A function of several signals.
    Derived(&'static [&'static str], fn(&Vehicle) -> EntityValue),
    /// No state: buttons, free texts.
    Nothing,
}

impl Extractor {
    /// The signals that it looks at.
    pub fn signals(&self) -> &[&'static str] {
        match self {
            Self::Number(of, _)
            | Self::Positive(of, _)
            | Self::Scaled(of, _, _)
            | Self::Truth(of)
            | Self::Either(of, _, _)
            | Self::Is(of, _)
            | Self::Word(of, _)
            | Self::Code(of, _)
            | Self::Level(of, _)
            | Self::Snake(of)
            | Self::Text(of)
            | Self::Time(of) => std::slice::from_ref(of),
            Self::Derived(of, _) => of,
            Self::Nothing => &[],
        }
    }

    /// Our words, each once, if it is one that lists them.
    pub fn words(&self) -> Vec<&'static str> {
        let mut words = Vec::new();
        let all: Vec<&'static str> = match self {
            Self::Word(_, pairs) => pairs.iter().map(|(_, ours)| *ours).collect(),
            Self::Code(_, pairs) | Self::Level(_, pairs) => {
                pairs.iter().map(|(_, ours)| *ours).collect()
            }
            _ => Vec::new(),
        };
        for word in all {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }

    /// Whether any of its signals, or anything of their groups, was ever mentioned.
    pub fn is_heard(&self, car: &Vehicle) -> bool {
        self.signals().iter().any(|path| {
            car.known(path).is_some()
                || path
                    .split_once('.')
                    .is_some_and(|(group, _)| car.has_seen(group))
        })
    }
}

impl Entity {
    /// The value of this row for this car.
    pub fn read(&self, car: &Vehicle) -> EntityValue {
        if let Extractor::Derived(_, read) = self.extractor {
            return if self.extractor.is_heard(car) {
                read(car)
            } else {
                EntityValue::Silent
            };
        }
        let signal = self.extractor.signals().first();
        match signal.and_then(|path| car.known(path)) {
            Some(known) => {
                let value = known.value.as_ref();
                let said = value.and_then(|value| self.extractor.say(value));
                said.unwrap_or(EntityValue::Unknown)
            }
            None if self.extractor.is_heard(car) => EntityValue::Unknown,
            None => EntityValue::Silent,
        }
    }

    /// When this row's value was last seen.
    pub fn seen_at(&self, car: &Vehicle) -> Option<(Timestamp, crate::model::Source)> {
        self.extractor
            .signals()
            .iter()
            .filter_map(|path| car.known(path))
            .map(|known| (known.at, known.source))
            .max_by_key(|(at, _)| *at)
    }
}

impl Extractor {
    fn say(&self, value: &Value) -> Option<EntityValue> {
        Some(match self {
            Self::Number(_, digits) => EntityValue::number(value.number()?, *digits),
            Self::Positive(_, digits) => {
                EntityValue::number(value.number().filter(|n| *n > 0.0)?, *digits)
            }
            Self::Scaled(_, factor, digits) => {
                EntityValue::number(value.number()? * factor, *digits)
            }
            Self::Truth(_) => EntityValue::on(value.truth()?),
            Self::Either(_, yes, no) => EntityValue::Word(if value.truth()? { yes } else { no }),
            Self::Is(_, listed) => {
                let word = value.text()?;
                EntityValue::on(listed.iter().any(|of| of.eq_ignore_ascii_case(word)))
            }
            Self::Word(_, words) => word(value.text()?, words),
            Self::Code(_, codes) => {
                let number = value.number()?;
                let listed = codes
                    .iter()
                    .find(|(code, _)| f64::from(*code).total_cmp(&number).is_eq());
                listed.map_or_else(
                    || EntityValue::Unlisted(number.to_string()),
                    |(_, ours)| EntityValue::Word(ours),
                )
            }
            Self::Level(_, codes) => {
                let number = value.number()?;
                let reached = codes
                    .iter()
                    .rev()
                    .find(|(code, _)| number >= f64::from(*code));
                reached.map_or(EntityValue::Unknown, |(_, ours)| EntityValue::Word(ours))
            }
            Self::Snake(_) => EntityValue::text(&snake_case(value.text()?)),
            Self::Text(_) => match value {
                Value::Text(text) => EntityValue::text(text),
                other => EntityValue::text(&other.number()?.to_string()),
            },
            Self::Time(_) => EntityValue::Time(value.epoch()?),
            Self::Derived(..) | Self::Nothing => return None,
        })
    }
}

/// Our word for one of Tesla's; telemetry and firmware differ in capitals.
fn word(tesla: &str, words: Words) -> EntityValue {
    words
        .iter()
        .find(|(theirs, _)| theirs.eq_ignore_ascii_case(tesla))
        .map_or_else(
            || EntityValue::Unlisted(tesla.chars().take(60).collect()),
            |(_, ours)| EntityValue::Word(ours),
        )
}
