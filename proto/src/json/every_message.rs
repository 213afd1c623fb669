//! Properties that every message has, whatever its fields.

use proptest::prelude::*;

use super::*;
use crate::table::{Field, Kind, MESSAGES, Scalar, Shape};

/// Messages contain themselves (a template's variants), so a sample ends somewhere.
const DEPTH_MAX: u32 = 3;

/// An object with every field set, each oneof by its member number `turn`.
fn sample(message: &Message, turn: usize, depth: u32) -> String {
    let mut members = Vec::new();
    for field in message.fields {
        if let Some(oneof) = field.oneof {
            let rivals: Vec<&Field> =
                message.fields.iter().filter(|rival| rival.oneof == Some(oneof)).collect();
            if !std::ptr::eq(rivals[turn % rivals.len()], field) {
                continue;
            }
        }
        if let Some(value) = sample_field(field, turn, depth) {
            members.push(format!("\"{}\":{value}", field.name));
        }
    }
    format!("{{{}}}", members.join(","))
}

fn sample_field(field: &Field, turn: usize, depth: u32) -> Option<String> {
    let value = match field.kind {
        Kind::Message(_) if depth == 0 => return None,
        Kind::Message(message) => sample(message, turn, depth - 1),
        Kind::Enum(values) => values.values.last()?.1.to_string(),
        Kind::Timestamp => "\"2023-11-14T22:13:20.250Z\"".to_owned(),
        Kind::Struct => r#"{"a":[null,true,{"b":"c"}]}"#.to_owned(),
        Kind::Scalar(scalar) | Kind::Wrapper(scalar) => sample_scalar(scalar).to_owned(),
    };
    Some(match field.shape {
        Shape::One => value,
        Shape::Many => format!("[{value},{value}]"),
        Shape::Map(key) => format!("{{\"{}\":{value}}}", sample_scalar(key).trim_matches('"')),
    })
}

fn sample_scalar(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "true",
        Scalar::Int32 => "-2147483648",
        Scalar::Int64 => "\"-9223372036854775808\"",
        Scalar::Uint32 => "4294967295",
        Scalar::Uint64 => "\"18446744073709551615\"",
        Scalar::Double => "-0.25",
        Scalar::String => "\"x\\\"é\"",
        Scalar::Bytes => "\"AP/+\"",
    }
}

#[test]
fn every_message_reads_back_what_it_writes() {
    for message in MESSAGES {
        let members = message.fields.iter().filter(|field| field.oneof.is_some()).count();
        for turn in 0..members.max(1) {
            let json = sample(message, turn, DEPTH_MAX);
            let mut wire = Vec::new();
            append_message(&mut wire, message, json.as_bytes(), Unknown::Refuse)
                .unwrap_or_else(|error| panic!("{} {json}: {error}", message.name));
            let mut again = Vec::new();
            append_encoded(&mut again, message, &wire, Unset::Omit).unwrap();
            assert_eq!(String::from_utf8(again).unwrap(), json, "{}", message.name);
        }
    }
}

#[test]
fn every_message_prints_all_its_fields_for_the_console() {
    for message in MESSAGES {
        let mut json = Vec::new();
        append_encoded(&mut json, message, &[], Unset::Print).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let printed = json.as_object().unwrap();
        for field in message.fields {
            assert_eq!(printed.contains_key(field.name), field.oneof.is_none(), "{}", field.name);
        }
        let json = json.to_string();
        append_message(&mut Vec::new(), message, json.as_bytes(), Unknown::Refuse).unwrap();
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(
        at in 0..MESSAGES.len(),
        text in prop_oneof!["\\PC{0,40}", "[\\[{\"a-c0-9:,.truefalsn\\]}\\\\ -]{0,60}"],
        cut in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let message = MESSAGES[at];
        let _ = append_message(&mut Vec::new(), message, text.as_bytes(), Unknown::Refuse);
        // A valid message, cut off and damaged.
        let mut json = sample(message, usize::from(byte), DEPTH_MAX).into_bytes();
        let cut = cut.index(json.len());
        json[cut] = byte;
        let _ = append_message(&mut Vec::new(), message, &json, Unknown::Ignore);
        json.truncate(cut);
        let _ = append_message(&mut Vec::new(), message, &json, Unknown::Refuse);
    }

    #[test]
    fn no_bytes_make_a_writer_panic(at in 0..MESSAGES.len(), wire in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = append_encoded(&mut Vec::new(), MESSAGES[at], &wire, Unset::Print);
    }

    #[test]
    fn any_text_and_bytes_survive_both_ways(content in "\\PC*|[\\x00-\\x7f]*", data: Vec<u8>, op_code: i64, rank: f64) {
        use crate::realtime::{Envelope, MatchmakerAdd, PartyData, envelope};
        let messages = [
            envelope::Message::PartyData(PartyData { party_id: content.clone(), op_code, data: data.into(), ..Default::default() }),
            envelope::Message::MatchmakerAdd(MatchmakerAdd {
                numeric_properties: [(content.clone(), rank)].into(),
                ..Default::default()
            }),
        ];
        for message in messages {
            let envelope = Envelope { cid: content.clone(), message: Some(message) };
            let json = to_vec(&envelope, Unset::Omit);
            prop_assert!(std::str::from_utf8(&json).is_ok());
            prop_assert_eq!(from_slice::<Envelope>(&json, Unknown::Refuse), Ok(envelope));
        }
    }
}
