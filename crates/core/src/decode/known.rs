//! Reads of an answer what somebody knows, and keeps nothing else, however much there is: what a
//! stranger to Tesla puts into a body must not become some eighty times as long in memory.
//!
//! Scalar by scalar: one that the strict parser refuses (a number beyond any float such as `1e999`,
//! half a surrogate pair) becomes null, and costs only itself.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

use crate::model::clip;

/// Whether anybody reads a member: the objects that it stands in, outermost first, and its name.
pub type IsKnown = fn(within: &[&str], name: &str) -> bool;

/// Tesla nests four levels deep; what goes deeper is not for us.
const DEEPEST: usize = 12;
/// So many unknown members of an object are kept as stubs, so that a log line can name them.
const STRANGERS_AT_MOST: usize = 20;
/// The longest name of a stub.
const NAME_AT_MOST: usize = 60;
/// The longest scalar that is read.
const SCALAR_AT_MOST: usize = 256 * 1024;
/// The longest scalar that is kept of an unknown member.
const STUB_AT_MOST: usize = 100;

/// The known members of the object in `text`, and a few stubs of others; `None` where it is no
/// object.
pub(super) fn members(text: &str, known: IsKnown) -> Option<Map<String, Value>> {
    let reader = MembersReader { within: &[], known };
    read_whole(text, reader)
}

/// Hands over each entry of the list in `text`, one after another, as [`members`] reads it; false
/// where it is no list.
pub(super) fn each_entry(
    text: &str,
    known: IsKnown,
    take: impl FnMut(Option<Map<String, Value>>),
) -> bool {
    read_whole(text, EntriesReader { known, take }).is_some()
}

/// The text of a member of the object in `text`, whatever it is.
pub(super) fn raw_member<'a>(text: &'a str, name: &'static str) -> Option<&'a str> {
    read_whole(text, MemberReader(name))?.map(RawValue::get)
}

fn read_whole<'de, T: DeserializeSeed<'de>>(text: &'de str, reader: T) -> Option<T::Value> {
    reader
        .deserialize(&mut serde_json::Deserializer::from_str(text))
        .ok()
}

struct MembersReader<'a> {
    within: &'a [&'a str],
    known: IsKnown,
}

impl<'de> DeserializeSeed<'de> for MembersReader<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MembersReader<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        let mut n_strangers = 0;
        while let Some(name) = access.next_key::<String>()? {
            if (self.known)(self.within, &name) {
                let raw: &RawValue = access.next_value()?;
                let within = [self.within, &[&name]].concat();
                let value = read(raw.get(), &within, self.known);
                members.insert(name, value);
            } else if n_strangers < STRANGERS_AT_MOST {
                n_strangers += 1;
                let raw: &RawValue = access.next_value()?;
                members.insert(clip(&name, NAME_AT_MOST), stub(raw.get()));
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}

struct MemberReader(&'static str);

impl<'de> DeserializeSeed<'de> for MemberReader {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MemberReader {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = access.next_key::<String>()? {
            if name == self.0 {
                found = Some(access.next_value()?);
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct EntriesReader<F> {
    known: IsKnown,
    take: F,
}

impl<'de, F: FnMut(Option<Map<String, Value>>)> DeserializeSeed<'de> for EntriesReader<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Option<Map<String, Value>>)> Visitor<'de> for EntriesReader<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<(), A::Error> {
        while let Some(raw) = access.next_element::<&RawValue>()? {
            (self.take)(members(raw.get(), self.known));
        }
        Ok(())
    }
}

/// A known value. Nobody reads lists: that there is one is all that is kept of it.
fn read(text: &str, within: &[&str], known: IsKnown) -> Value {
    match text.as_bytes().first() {
        Some(b'{') if within.len() < DEEPEST => {
            read_whole(text, MembersReader { within, known }).map_or(Value::Null, Value::Object)
        }
        Some(b'[') => Value::Array(Vec::new()),
        _ => scalar(text, SCALAR_AT_MOST),
    }
}

/// What is kept of an unknown value: its shape, and a short scalar.
fn stub(text: &str) -> Value {
    match text.as_bytes().first() {
        Some(b'{') => Value::Object(Map::new()),
        Some(b'[') => Value::Array(Vec::new()),
        _ => scalar(text, STUB_AT_MOST),
    }
}

fn scalar(text: &str, at_most: usize) -> Value {
    if text.len() > at_most || text.starts_with('{') {
        return Value::Null;
    }
    serde_json::from_str(text).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(_: &[&str], _: &str) -> bool {
        true
    }

    #[test]
    fn one_bad_scalar_costs_only_itself() {
        let body = r#"{"a":{"huge":1e999,"lone":"\ud800","ok":1},"b":2}"#;
        let expected = json!({"a": {"huge": null, "lone": null, "ok": 1}, "b": 2});
        assert_eq!(members(body, all).map(Value::Object), Some(expected));
    }

    #[test]
    fn a_bottomless_nest_ends() {
        let body = r#"{"a":"#.repeat(100) + "1" + &"}".repeat(100);
        assert!(members(&body, all).is_some());
    }

    #[test]
    fn of_unknown_members_a_few_stubs_stay_and_what_is_known_is_read_behind_them() {
        let known: IsKnown = |within, name| match within {
            [] => name == "group",
            _ => name == "read",
        };
        let many = (0..5_000)
            .map(|n| format!(r#""new_{n}":{{"x":{n}}},"#))
            .collect::<Vec<_>>()
            .concat();
        let body = format!(r#"{{{many}"group":{{{many}"list":[1,2],"read":7}}}}"#);
        let read = members(&body, known).unwrap();
        assert_eq!(read.len(), STRANGERS_AT_MOST + 1);
        assert_eq!(read["new_0"], json!({}));
        assert_eq!(read["group"]["read"], 7);
        let group = read["group"].as_object().unwrap();
        assert_eq!(group.len(), STRANGERS_AT_MOST + 1);
    }

    #[test]
    fn a_scalar_without_end_is_not_kept() {
        let long = "x".repeat(SCALAR_AT_MOST);
        let body = format!(r#"{{"known":"{long}","ok":"y"}}"#);
        let read = members(&body, all).unwrap();
        assert_eq!((&read["known"], &read["ok"]), (&Value::Null, &json!("y")));
    }

    #[test]
    fn a_list_is_handed_over_entry_by_entry() {
        let mut seen = Vec::new();
        assert!(each_entry(r#"[{"a":1}, 2, {}]"#, all, |entry| seen
            .push(entry.map(|e| e.len()))));
        assert_eq!(seen, [Some(1), None, Some(0)]);
        assert!(!each_entry("{}", all, |_| ()));
    }
}
