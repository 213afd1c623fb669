//! `google.protobuf.Struct`: any JSON object inside a message.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{numbers, write::string};
use crate::wire::{self, FIXED64, LENGTH, Malformed, Reader, VARINT};

// Field numbers of google.protobuf.Value's oneof.
const NULL: u32 = 1;
const NUMBER: u32 = 2;
const STRING: u32 = 3;
const BOOL: u32 = 4;
const OBJECT: u32 = 5;
const LIST: u32 = 6;

/// Appends the body of a `Struct`.
pub(super) fn read_object<'de, A: MapAccess<'de>>(
    out: &mut Vec<u8>,
    mut map: A,
) -> Result<(), A::Error> {
    loop {
        let at = out.len();
        wire::put_tag(out, 1, LENGTH);
        let more = wire::put_nested(out, |out| -> Result<bool, A::Error> {
            if map.next_key_seed(Key(&mut *out))?.is_none() {
                return Ok(false);
            }
            wire::put_tag(out, 2, LENGTH);
            wire::put_nested(out, |out| map.next_value_seed(Any(out)))?;
            Ok(true)
        })?;
        if !more {
            out.truncate(at);
            return Ok(());
        }
    }
}

struct Key<'o>(&'o mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        wire::put_tag(self.0, 1, LENGTH);
        wire::put_bytes(self.0, text.as_bytes());
        Ok(())
    }
}

/// The body of a `Value`.
struct Any<'o>(&'o mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        wire::put_tag(self.0, NULL, VARINT);
        self.0.push(0);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        wire::put_tag(self.0, BOOL, VARINT);
        self.0.push(value.into());
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        wire::put_tag(self.0, NUMBER, FIXED64);
        self.0.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        wire::put_tag(self.0, STRING, LENGTH);
        wire::put_bytes(self.0, text.as_bytes());
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        wire::put_tag(self.0, OBJECT, LENGTH);
        wire::put_nested(self.0, |out| read_object(out, map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        wire::put_tag(self.0, LIST, LENGTH);
        wire::put_nested(self.0, |out| {
            loop {
                let at = out.len();
                wire::put_tag(out, 1, LENGTH);
                if wire::put_nested(out, |out| seq.next_element_seed(Any(out)))?.is_none() {
                    out.truncate(at);
                    return Ok(());
                }
            }
        })
    }
}

/// Writes the object that the body of a `Struct` holds.
pub(super) fn write_object(out: &mut Vec<u8>, body: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader(body);
    out.push(b'{');
    let mut first = true;
    while let Some((_, entry)) = reader.next()? {
        let (mut key, mut value) = ([].as_slice(), [].as_slice());
        let mut entry = Reader(entry.bytes());
        while let Some((number, part)) = entry.next()? {
            if number == 1 {
                key = part.bytes();
            } else {
                value = part.bytes();
            }
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        string(out, key);
        out.push(b':');
        write_any(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_any(out: &mut Vec<u8>, body: &[u8]) -> Result<(), Malformed> {
    let Some((number, value)) = Reader(body).next()? else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    match number {
        NUMBER => numbers::write_double(out, f64::from_bits(value.bits())),
        STRING => string(out, value.bytes()),
        BOOL => out.extend_from_slice(if value.bits() == 0 { b"false" } else { b"true" }),
        OBJECT => write_object(out, value.bytes())?,
        LIST => {
            let mut items = Reader(value.bytes());
            out.push(b'[');
            let mut first = true;
            while let Some((_, item)) = items.next()? {
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                write_any(out, item.bytes())?;
            }
            out.push(b']');
        }
        _ => out.extend_from_slice(b"null"),
    }
    Ok(())
}
