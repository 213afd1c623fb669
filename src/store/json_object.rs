//! JSON objects that are merged at their top level, as `jsonb || jsonb` does: each value stays as it was
//! written, with all digits of its numbers.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

/// Both objects in one; what is named anew replaces what was there by that name. `None` where one of them
/// is no object.
pub fn merged(before: &str, added: &str) -> Option<String> {
    let mut all = fields(before)?;
    all.extend(fields(added)?);
    let mut out = String::with_capacity(before.len() + added.len());
    for (name, value) in all {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(&serde_json::to_string(&name).ok()?);
        out.push(':');
        out.push_str(value);
    }
    out.push_str(if out.is_empty() { "{}" } else { "}" });
    Some(out)
}

/// Whether a text is a JSON object.
pub fn is_object(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The names and the texts of the values of an object.
fn fields(text: &str) -> Option<BTreeMap<String, &str>> {
    if !is_object(text) {
        return None;
    }
    // It is JSON from here on.
    let mut fields = BTreeMap::new();
    let mut rest = text.trim_ascii().strip_prefix('{')?.strip_suffix('}')?.trim_ascii_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_at_checked(string_len(rest)?)?;
        let after = after.trim_ascii_start().strip_prefix(':')?;
        let (value, after) = after.split_at_checked(value_len(after)?)?;
        fields.insert(serde_json::from_str(name).ok()?, value.trim_ascii());
        rest = after.strip_prefix(',').unwrap_or(after).trim_ascii_start();
    }
    Some(fields)
}

/// The bytes of a string, its quotes among them.
fn string_len(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return Some(at + 1),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// The bytes up to the comma behind a value, or to the end.
fn value_len(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at += string_len(text.get(at..)?)?,
            b',' if depth == 0 => break,
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' => (at, depth) = (at + 1, depth.checked_sub(1)?),
            _ => at += 1,
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn values_stay_as_they_were_written() {
        let before = r#" { "a" : 1.10000000000000000001, "b":{"x":[1,"},\""]},"c":"é" } "#;
        let added = r#"{"b":123456789012345678901234567890,"\u0064":null}"#;
        let both =
            r#"{"a":1.10000000000000000001,"b":123456789012345678901234567890,"c":"é","d":null}"#;
        assert_eq!(merged(before, added).unwrap(), both);
        assert_eq!(merged("{}", " {} ").unwrap(), "{}");
        for none in ["", "[]", "null", "{", "{}{}"] {
            assert_eq!(merged(none, "{}"), None, "{none}");
            assert_eq!(merged("{}", none), None, "{none}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            r#"[a\\"{},\[\]: ]{0,6}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                objects_of(inner).prop_map(Value::Object),
            ]
        })
    }

    fn objects_of(
        value: impl Strategy<Value = Value>,
    ) -> impl Strategy<Value = Map<String, Value>> {
        let names = r#"[ab\\":,]{0,2}"#;
        proptest::collection::vec((names, value), 0..4)
            .prop_map(|fields| fields.into_iter().collect())
    }

    proptest! {
        #[test]
        fn it_is_what_the_parsed_objects_make(
            before in objects_of(values()),
            added in objects_of(values()),
            pretty in any::<bool>(),
        ) {
            let text = |object: &Map<String, Value>| {
                if pretty { serde_json::to_string_pretty(object) } else { serde_json::to_string(object) }
            };
            let made = merged(&text(&before).unwrap(), &text(&added).unwrap()).unwrap();
            let mut expected = before;
            expected.extend(added);
            prop_assert_eq!(serde_json::from_str::<Map<String, Value>>(&made).unwrap(), expected);
        }
    }
}
