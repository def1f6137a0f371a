//! How long Tesla asks us to stay away: `Retry-After` in both its forms, or the number in a body
//! such as `Retry in 37829 seconds` (tesla-api.md, 8.3).

use std::time::Duration;

use jiff::Timestamp;

pub(super) use crate::backoff::LONGEST_ASKED as LONGEST;

/// The wait that an answer asks for, at most [`LONGEST`]; the header outranks the body.
pub(super) fn asked_wait(header: Option<&str>, body: &[u8], now: Timestamp) -> Option<Duration> {
    header
        .and_then(|value| of_header(value, now))
        .or_else(|| of_text(body))
        .map(|wait| wait.min(LONGEST))
}

fn of_header(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Some(seconds) = seconds(value) {
        return Some(seconds);
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

fn of_text(body: &[u8]) -> Option<Duration> {
    let start = &body[..body.len().min(400)];
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let (_, after) = text.split_once("retry in ")?;
    let number: String = after.chars().take_while(char::is_ascii_digit).collect();
    let unit = after[number.len()..].trim_start();
    unit.starts_with('s').then(|| seconds(&number)).flatten()
}

/// Whole or broken seconds; a number too large for the clock is still a number.
fn seconds(text: &str) -> Option<Duration> {
    let digits = text.split_once('.').map_or(text, |(whole, _)| whole);
    if digits.is_empty() || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    Some(digits.parse().map_or(LONGEST, Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_understood_and_garbage_is_none() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let check = |header: Option<&str>, body: &str, expected: Option<u64>| {
            let seen = asked_wait(header, body.as_bytes(), now);
            assert_eq!(
                seen,
                expected.map(Duration::from_secs),
                "{header:?} {body:?}"
            );
        };
        check(Some("120"), "", Some(120));
        check(Some(" 7 "), "", Some(7));
        check(Some("0"), "", Some(0));
        check(Some("1.5"), "", Some(1));
        check(Some("37829"), "", Some(37829));
        check(Some("146092"), "", Some(86400));
        check(Some("99999999999999999999999999"), "", Some(86400));
        check(Some("Fri, 02 Jan 2026 03:14:05 GMT"), "", Some(600));
        check(Some("Fri, 02 Jan 2026 03:04:00 GMT"), "", Some(0));
        check(Some("Sun, 06 Nov 1994 08:49:37 GMT"), "", Some(0));
        check(Some("Thu, 31 Dec 2099 00:00:00 GMT"), "", Some(86400));
        check(Some("-5"), "", None);
        check(Some("soon"), "", None);
        check(Some(""), "", None);
        check(Some("."), "", None);
        check(None, "", None);
        check(None, "Retry in 37829 seconds", Some(37829));
        check(None, r#"{"error":"rate limited. retry in 30 s"}"#, Some(30));
        check(Some("soon"), "Retry in 9 seconds", Some(9));
        check(Some("5"), "Retry in 9 seconds", Some(5));
        check(None, "Retry in a while", None);
        check(None, "Retry in 5 minutes", None);
        check(None, "Retry in ", None);
    }
}
