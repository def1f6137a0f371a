//! The wrapping of every answer: `{"response": …}` (tesla-api.md, section 2).
//!
//! Tesla can say 200 and mean no: `response` is null or an `error` member is present. Some
//! third-party front-ends drop the wrapping and send the bare object.

use std::borrow::Cow;

use serde_json::{Map, Value, value::RawValue};

use super::DecodeError;
use super::known::{self, IsKnown};
use crate::model::clip;

/// What was inside, unread, and what stood beside it (`pagination`, `count`).
#[derive(Debug, Clone, PartialEq)]
pub struct OpenAnswer<'a> {
    /// The text of `response`, or the whole body where there is no envelope; never null.
    response: &'a str,
    /// The known members of the envelope; empty where there is none.
    pub beside: Map<String, Value>,
}

impl OpenAnswer<'_> {
    /// The members of the answer that somebody knows; `None` where it is no object.
    pub fn object(&self, known: IsKnown) -> Option<Map<String, Value>> {
        known::members(self.response, known)
    }

    /// Hands over each entry of a list, one after another, `None` for one that is no object. False
    /// where the answer is no list.
    pub fn each(&self, known: IsKnown, take: impl FnMut(Option<Map<String, Value>>)) -> bool {
        known::each_entry(self.response, known, take)
    }
}

/// A body as text; bytes that are no UTF-8 cost only the text that they stand in.
pub fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body)
}

/// Opens the envelope of a body that came with status 200.
pub fn open(text: &str) -> Result<OpenAnswer<'_>, DecodeError> {
    let whole: &RawValue = serde_json::from_str(text)
        .map_err(|e| DecodeError::Malformed(not_json(text.as_bytes(), &e)))?;
    let whole = whole.get();
    match whole {
        "null" => return Err(DecodeError::Refused("null".into())),
        _ if !whole.starts_with('{') => {
            return Ok(OpenAnswer {
                response: whole,
                beside: Map::new(),
            });
        }
        _ => {}
    }
    let beside = known::members(whole, |within, name| match within {
        [] => matches!(name, "count" | "error" | "error_description" | "pagination"),
        _ => matches!((within, name), (["pagination"], "current" | "next")),
    })
    .unwrap_or_default();
    if let Some(words) = error_words(&beside) {
        return Err(DecodeError::Refused(words));
    }
    match known::raw_member(whole, "response") {
        Some("null") => Err(DecodeError::Refused("response is null".into())),
        Some(response) => Ok(OpenAnswer { response, beside }),
        None => Ok(OpenAnswer {
            response: whole,
            beside: Map::new(),
        }),
    }
}

/// The server's own words in `error` and `error_description`, if it says that it failed.
pub(super) fn error_words(members: &Map<String, Value>) -> Option<String> {
    let error = match members.get("error")? {
        Value::Null | Value::Bool(false) => return None,
        Value::String(text) if text.trim().is_empty() => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let description = members.get("error_description").and_then(Value::as_str);
    let words = match description.map(str::trim) {
        Some(more) if !more.is_empty() => format!("{error}: {more}"),
        _ => error,
    };
    Some(clip(&words, 300))
}

fn not_json(body: &[u8], error: &serde_json::Error) -> String {
    let text = body.trim_ascii_start();
    if text.is_empty() {
        "an empty body".into()
    } else if text.starts_with(b"<") {
        "a web page instead of JSON".into()
    } else if error.is_eof() {
        format!("JSON cut short after {} bytes", body.len())
    } else {
        format!(
            "not JSON (line {}, column {})",
            error.line(),
            error.column()
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_envelope_is_opened_and_its_neighbours_kept() {
        let answer = open(r#"{"response":[1],"count":1}"#).unwrap();
        assert_eq!(answer.response, "[1]");
        assert_eq!(answer.beside["count"], json!(1));
    }

    #[test]
    fn an_answer_without_envelope_is_taken_whole() {
        let vin_in = |body: &str| {
            let members = open(body).unwrap().object(|_, name| name == "vin");
            members.map(|members| members["vin"].clone())
        };
        assert_eq!(vin_in(r#"{"vin":"X"}"#), Some(json!("X")));
        assert_eq!(vin_in("[]"), None);
        assert_eq!(vin_in(r#"{"error":null,"vin":"X"}"#), Some(json!("X")));
    }

    #[test]
    fn quirk_21_a_200_that_means_no_is_an_error() {
        let check = |body: &str, words: &str| {
            assert_eq!(
                open(body),
                Err(DecodeError::Refused(words.into())),
                "{body}"
            );
        };
        check("null", "null");
        check(r#"{"response":null}"#, "response is null");
        check(r#"{"response":{},"error":"timeout"}"#, "timeout");
        check(
            r#"{"response":null,"error":"a","error_description":"b\nc"}"#,
            "a: b c",
        );
        check(r#"{"error":{"code":7}}"#, r#"{"code":7}"#);
    }

    #[test]
    fn a_body_that_is_no_json_says_what_it_is() {
        let check = |body: &str, words: &str| {
            assert_eq!(
                open(body),
                Err(DecodeError::Malformed(words.into())),
                "{body}"
            );
        };
        check("", "an empty body");
        check(" \r\n", "an empty body");
        check("<HTML></HTML>", "a web page instead of JSON");
        check(r#"{"response":{"vin""#, "JSON cut short after 18 bytes");
        check("upstream", "not JSON (line 1, column 1)");
    }
}
