//! `[tariff]`: what energy costs, and when.

use crate::config::reader::SettingsReader;
use crate::trips::{Cheap, Hours, Tariff};

pub(super) fn tariff(reader: &mut SettingsReader<'_>) -> Tariff {
    let price = reader.number("tariff.price");
    let cheap_price = reader.number("tariff.cheap_price");
    let cheap_hours = reader.text("tariff.cheap_hours", |text| {
        text.split(',')
            .map(hours)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(String::new)
    });
    let (has_price, has_hours) = (
        reader.is_given("tariff.cheap_price"),
        reader.is_given("tariff.cheap_hours"),
    );
    if has_price && !has_hours {
        reader.missing("tariff.cheap_hours", "tariff.cheap_price is set: ");
    }
    if has_hours && !has_price {
        reader.missing("tariff.cheap_price", "tariff.cheap_hours is set: ");
    }
    if has_price && !reader.is_given("tariff.price") {
        reader.missing("tariff.price", "for the other hours: ");
    }
    let loss = reader.integer("tariff.ac_loss_percent", 0..=50);
    let loss = loss.and_then(|percent| u8::try_from(percent).ok());
    Tariff {
        currency: reader.text("tariff.currency", |text| {
            let is_plain = !text.chars().any(char::is_control);
            if is_plain && (1..=16).contains(&text.chars().count()) {
                Ok(text.to_owned())
            } else {
                Err(String::new())
            }
        }),
        price,
        cheap: cheap_price
            .zip(cheap_hours)
            .map(|(price, hours)| Cheap { price, hours }),
        fast_price: reader.number("tariff.fast_price"),
        ac_loss: f64::from(loss.unwrap_or(0)) / 100.0,
    }
}

/// `23:30-05:30`.
fn hours(text: &str) -> Option<Hours> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (minute_of_day(from)?, minute_of_day(until)?);
    (from != until).then_some(Hours { from, until })
}

/// `23:30`; `24:00` is the midnight at the end.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let is_plain = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| text.parse::<u16>().ok())?
    };
    match (number(hour)?, number(minute)?) {
        (24, 0) => Some(0),
        (hour @ 0..24, minute @ 0..60) => Some(hour * 60 + minute),
        _ => None,
    }
}
