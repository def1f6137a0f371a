//! A second reading of JSON that the strict parser refused as a whole for one bad scalar: a number
//! beyond any float (`1e999`), half a surrogate pair, a byte that is no UTF-8. Each such scalar
//! becomes null; the rest is read as usual.

use std::collections::BTreeMap;

use serde_json::{Map, Value, value::RawValue};

/// Tesla nests four levels deep; what goes deeper is not for us.
const DEEPEST: usize = 12;

/// Reads what can be read; `None` if the text is not even the outline of JSON.
pub fn parse(body: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(body);
    let raw: &RawValue = serde_json::from_str(&text).ok()?;
    Some(read(raw, DEEPEST))
}

fn read(raw: &RawValue, deeper: usize) -> Value {
    if deeper == 0 {
        return Value::Null;
    }
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => members(text, deeper).unwrap_or(Value::Null),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text).map_or(Value::Null, |items| {
            items.into_iter().map(|raw| read(raw, deeper - 1)).collect()
        }),
        _ => serde_json::from_str(text).unwrap_or(Value::Null),
    }
}

fn members(text: &str, deeper: usize) -> Option<Value> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let read: Map<String, Value> = members
        .into_iter()
        .map(|(name, raw)| (name, read(raw, deeper - 1)))
        .collect();
    Some(Value::Object(read))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_bad_scalar_costs_only_itself() {
        let body = br#"{"a":{"huge":1e999,"lone":"\ud800","ok":[1,-1e999]},"b":2}"#;
        let expected = json!({"a": {"huge": null, "lone": null, "ok": [1, null]}, "b": 2});
        assert_eq!(parse(body), Some(expected));
        assert_eq!(parse(b"{\"a\":\"\xff\",\"b\":1}").unwrap()["b"], json!(1));
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for body in ["", "<html>", "{\"a\":", "nonsense"] {
            assert_eq!(parse(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_bottomless_nest_ends() {
        let body = "[".repeat(100) + &"]".repeat(100);
        assert!(parse(body.as_bytes()).is_some());
    }
}
