//! The wrapping of every answer: `{"response": …}` (tesla-api.md, section 2).
//!
//! Tesla can say 200 and mean no: `response` is null or an `error` member is present. Some
//! third-party front-ends drop the wrapping and send the bare object.

use serde_json::{Map, Value};

use super::{DecodeError, lenient};
use crate::model::clip;

/// What was inside, and what stood beside it (`pagination`, `count`).
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The value of `response`, or the whole body where there is no envelope; never null.
    pub response: Value,
    /// The other members of the envelope; empty where there is none.
    pub beside: Map<String, Value>,
}

/// Opens the envelope of a body that came with status 200.
pub fn open(body: &[u8]) -> Result<Answer, DecodeError> {
    let whole: Value = serde_json::from_slice(body)
        .or_else(|e| lenient::parse(body).ok_or(e))
        .map_err(|e| DecodeError::Malformed(not_json(body, &e)))?;
    let mut beside = match whole {
        Value::Object(members) => members,
        Value::Null => return Err(DecodeError::Refused("null".into())),
        bare => {
            let beside = Map::new();
            return Ok(Answer {
                response: bare,
                beside,
            });
        }
    };
    if let Some(words) = error_words(&beside) {
        return Err(DecodeError::Refused(words));
    }
    match beside.remove("response") {
        Some(Value::Null) => Err(DecodeError::Refused("response is null".into())),
        Some(response) => Ok(Answer { response, beside }),
        None => Ok(Answer {
            response: Value::Object(beside),
            beside: Map::new(),
        }),
    }
}

/// The server's own words in `error` and `error_description`, if it says that it failed.
pub fn error_words(members: &Map<String, Value>) -> Option<String> {
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
        let answer = open(br#"{"response":[1],"count":1}"#).unwrap();
        assert_eq!(answer.response, json!([1]));
        assert_eq!(answer.beside["count"], json!(1));
    }

    #[test]
    fn an_answer_without_envelope_is_taken_whole() {
        assert_eq!(
            open(br#"{"vin":"X"}"#).unwrap().response,
            json!({"vin": "X"})
        );
        assert_eq!(open(b"[]").unwrap().response, json!([]));
        assert_eq!(
            open(br#"{"error":null,"vin":"X"}"#).unwrap().response["vin"],
            json!("X")
        );
    }

    #[test]
    fn quirk_21_a_200_that_means_no_is_an_error() {
        let check = |body: &str, words: &str| {
            assert_eq!(
                open(body.as_bytes()),
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
                open(body.as_bytes()),
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
