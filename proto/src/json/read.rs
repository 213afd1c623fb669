//! JSON text to the protobuf encoding, in one pass over the text.
//!
//! `serde_json` reads the text and calls these visitors; they look fields up in the table and append to
//! one buffer. Values that prost would leave out (zeros) are written too: they decode to the same.

use std::{cell::Cell, fmt};

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    Visitor,
};

use super::{Unknown, base64, free_form, numbers, numbers::Number, timestamp};
use crate::{
    Invalid,
    table::{Field, Kind, Message, Scalar, Shape},
    wire::{self, LENGTH, VARINT},
};

/// Appends the encoding of the object in `json`.
pub(crate) fn append_message(
    out: &mut Vec<u8>,
    message: &'static Message,
    json: &[u8],
    unknown: Unknown,
) -> Result<(), Invalid> {
    run(json, unknown, |context, deserializer| {
        deserializer.deserialize_any(Fields { context, out, message })
    })
}

/// Appends a field whose value is all of `json`.
pub(crate) fn append_field(
    out: &mut Vec<u8>,
    field: &'static Field,
    json: &[u8],
    unknown: Unknown,
) -> Result<(), Invalid> {
    run(json, unknown, |context, deserializer| {
        context.locate(field, Slot { context, out, field }.deserialize(deserializer)).map(|_| ())
    })
}

fn run(
    json: &[u8],
    unknown: Unknown,
    read: impl FnOnce(&Context, &mut Json<'_>) -> Result<(), serde_json::Error>,
) -> Result<(), Invalid> {
    let context = Context { unknown, failed: Cell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let result = read(&context, &mut deserializer).and_then(|()| match unknown {
        Unknown::Refuse => deserializer.end(),
        // The gateway reads one value and leaves the rest of the body alone.
        Unknown::Ignore => Ok(()),
    });
    result.map_err(|error| Invalid::new(context.failed.get(), error.to_string()))
}

type Json<'a> = serde_json::Deserializer<serde_json::de::SliceRead<'a>>;

#[derive(Debug)]
struct Context {
    unknown: Unknown,
    /// The innermost field that could not be read.
    failed: Cell<Option<&'static str>>,
}

impl Context {
    fn locate<R, E>(&self, field: &'static Field, result: Result<R, E>) -> Result<R, E> {
        if result.is_err() && self.failed.get().is_none() {
            self.failed.set(Some(field.name));
        }
        result
    }
}

/// The fields of an object, appended one after another.
struct Fields<'c> {
    context: &'c Context,
    out: &'c mut Vec<u8>,
    message: &'static Message,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { context, out, message } = self;
        // One bit for each field, and for each oneof.
        let (mut fields_seen, mut oneofs_seen) = (0_u64, 0_u64);
        while let Some(name) = map.next_key_seed(Name { context, message })? {
            let Some((index, field)) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = 1_u64 << (index & 63);
            if fields_seen & bit != 0 {
                let error = A::Error::custom(format_args!("duplicate field `{}`", field.name));
                return context.locate(field, Err(error));
            }
            fields_seen |= bit;
            let is_set =
                context.locate(field, map.next_value_seed(Slot { context, out, field }))?;
            if let Some(oneof) = field.oneof
                && is_set
            {
                let bit = 1_u64 << (oneof & 63);
                if oneofs_seen & bit != 0 {
                    let name = message.oneofs.get(usize::from(oneof)).unwrap_or(&"");
                    let error = A::Error::custom(format_args!("oneof `{name}` is already set"));
                    return context.locate(field, Err(error));
                }
                oneofs_seen |= bit;
            }
        }
        Ok(())
    }
}

/// A key of an object, as the field it names.
struct Name<'c> {
    context: &'c Context,
    message: &'static Message,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<(u8, &'static Field)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<(u8, &'static Field)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        match (self.message.field_named(name), self.context.unknown) {
            (None, Unknown::Refuse) => {
                Err(E::custom(format_args!("unknown field `{name}` of {}", self.message.name)))
            }
            (found, _) => Ok(found),
        }
    }
}

/// Where a field's value goes; yields whether there was one (`null` is none).
struct Slot<'c> {
    context: &'c Context,
    out: &'c mut Vec<u8>,
    field: &'static Field,
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let Self { context, out, field: &Field { number, kind, shape, .. } } = self;
        match shape {
            Shape::One => deserializer.deserialize_any(Value {
                context,
                out,
                number,
                kind,
                null: Null::Unset,
            }),
            Shape::Many => deserializer.deserialize_any(List { context, out, number, kind }),
            Shape::Map(key) => {
                deserializer.deserialize_any(Entries { context, out, number, key, kind })
            }
        }
    }
}

struct List<'c> {
    context: &'c Context,
    out: &'c mut Vec<u8>,
    number: u32,
    kind: Kind,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let Self { context, out, number, kind } = self;
        while seq
            .next_element_seed(Value { context, out, number, kind, null: Null::Refused })?
            .is_some()
        {}
        Ok(true)
    }
}

struct Entries<'c> {
    context: &'c Context,
    out: &'c mut Vec<u8>,
    number: u32,
    key: Scalar,
    kind: Kind,
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { context, out, number, key, kind } = self;
        loop {
            let at = out.len();
            wire::put_tag(out, number, LENGTH);
            let more = wire::put_nested(out, |out| -> Result<bool, A::Error> {
                if map.next_key_seed(Key { out: &mut *out, kind: key })?.is_none() {
                    return Ok(false);
                }
                map.next_value_seed(Value { context, out, number: 2, kind, null: Null::Refused })?;
                Ok(true)
            })?;
            if !more {
                out.truncate(at);
                return Ok(true);
            }
        }
    }
}

/// A key of a map: always a string in JSON.
struct Key<'c> {
    out: &'c mut Vec<u8>,
    kind: Scalar,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key that is {}", expected(Kind::Scalar(self.kind)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let value = match (self.kind, text) {
            (Scalar::Bool, "true") => Some(Scalars::Bool(true)),
            (Scalar::Bool, "false") => Some(Scalars::Bool(false)),
            (Scalar::Bool, _) => None,
            _ => Some(Scalars::Text(text)),
        };
        match value.and_then(|value| append_scalar(self.out, 1, self.kind, value)) {
            Some(()) => Ok(()),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// What `null` means where a value may stand.
#[derive(Clone, Copy)]
enum Null {
    Unset,
    Refused,
}

/// One value, appended with its tag; yields whether there was one.
struct Value<'c> {
    context: &'c Context,
    out: &'c mut Vec<u8>,
    number: u32,
    kind: Kind,
    null: Null,
}

/// A JSON scalar on its way into the encoding.
#[derive(Clone, Copy)]
enum Scalars<'a> {
    Bool(bool),
    Number(Number),
    Text(&'a str),
}

impl Scalars<'_> {
    fn unexpected(&self) -> Unexpected<'_> {
        match *self {
            Self::Bool(value) => Unexpected::Bool(value),
            Self::Number(Number::Signed(value)) => Unexpected::Signed(value),
            Self::Number(Number::Unsigned(value)) => Unexpected::Unsigned(value),
            Self::Number(Number::Float(value)) => Unexpected::Float(value),
            Self::Text(text) => Unexpected::Str(text),
        }
    }
}

impl Value<'_> {
    fn scalar<E: serde::de::Error>(mut self, value: Scalars<'_>) -> Result<bool, E> {
        match self.append(value) {
            Some(is_set) => Ok(is_set),
            None => Err(E::invalid_value(value.unexpected(), &self)),
        }
    }

    /// `None` if the value does not suit the field.
    fn append(&mut self, value: Scalars<'_>) -> Option<bool> {
        let number = self.number;
        match (self.kind, value) {
            (Kind::Scalar(scalar), value) => append_scalar(self.out, number, scalar, value)?,
            (Kind::Wrapper(scalar), value) => {
                wire::put_tag(self.out, number, LENGTH);
                wire::put_nested(self.out, |out| append_scalar(out, 1, scalar, value))?;
            }
            (Kind::Enum(values), Scalars::Text(name)) => match values.number(name) {
                Some(value) => self.append_enum(value),
                None if self.context.unknown == Unknown::Ignore => return Some(false),
                None => return None,
            },
            (Kind::Enum(_), Scalars::Number(value)) => {
                self.append_enum(value.signed()?.try_into().ok()?);
            }
            (Kind::Timestamp, Scalars::Text(text)) => {
                append_timestamp(self.out, number, timestamp::parse(text)?);
            }
            (Kind::Enum(_) | Kind::Timestamp | Kind::Message(_) | Kind::Struct, _) => return None,
        }
        Some(true)
    }

    fn append_enum(&mut self, value: i32) {
        wire::put_tag(self.out, self.number, VARINT);
        wire::put_varint(self.out, i64::from(value) as u64);
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(expected(self.kind))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<bool, E> {
        match self.null {
            Null::Unset => Ok(false),
            Null::Refused => Err(E::invalid_type(Unexpected::Unit, &self)),
        }
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<bool, E> {
        self.scalar(Scalars::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<bool, E> {
        self.scalar(Scalars::Number(Number::Signed(value)))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<bool, E> {
        self.scalar(Scalars::Number(Number::Unsigned(value)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<bool, E> {
        self.scalar(Scalars::Number(Number::Float(value)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<bool, E> {
        self.scalar(Scalars::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        let Self { context, out, number, kind, .. } = self;
        match kind {
            Kind::Message(message) => {
                wire::put_tag(out, number, LENGTH);
                wire::put_nested(out, |out| Fields { context, out, message }.visit_map(map))?;
            }
            Kind::Struct => {
                wire::put_tag(out, number, LENGTH);
                wire::put_nested(out, |out| free_form::read_object(out, map))?;
            }
            _ => return Err(A::Error::invalid_type(Unexpected::Map, &expected(kind))),
        }
        Ok(true)
    }
}

pub(crate) fn append_timestamp(out: &mut Vec<u8>, number: u32, (seconds, nanos): (i64, i32)) {
    wire::put_tag(out, number, LENGTH);
    wire::put_nested(out, |out| {
        wire::put_tag(out, 1, VARINT);
        wire::put_varint(out, seconds as u64);
        wire::put_tag(out, 2, VARINT);
        wire::put_varint(out, i64::from(nanos) as u64);
    });
}

/// Appends a scalar with its tag; `None` if the value does not suit the type.
fn append_scalar(out: &mut Vec<u8>, number: u32, scalar: Scalar, value: Scalars<'_>) -> Option<()> {
    let numeric = || match value {
        Scalars::Number(value) => Some(value),
        Scalars::Text(text) => Number::parse(text),
        Scalars::Bool(_) => None,
    };
    let bits = match scalar {
        Scalar::String | Scalar::Bytes => {
            let Scalars::Text(text) = value else { return None };
            wire::put_tag(out, number, LENGTH);
            if scalar == Scalar::String {
                wire::put_bytes(out, text.as_bytes());
            } else {
                wire::put_nested(out, |out| base64::decode(out, text)).ok()?;
            }
            return Some(());
        }
        Scalar::Double => {
            let value = match value {
                Scalars::Number(value) => value.double(),
                Scalars::Text(text) => numbers::parse_double(text)?,
                Scalars::Bool(_) => return None,
            };
            wire::put_tag(out, number, wire::FIXED64);
            out.extend_from_slice(&value.to_le_bytes());
            return Some(());
        }
        Scalar::Bool => {
            let Scalars::Bool(value) = value else { return None };
            u64::from(value)
        }
        Scalar::Int32 => i64::from(i32::try_from(numeric()?.signed()?).ok()?) as u64,
        Scalar::Int64 => numeric()?.signed()? as u64,
        Scalar::Uint32 => u32::try_from(numeric()?.unsigned()?).ok()?.into(),
        Scalar::Uint64 => numeric()?.unsigned()?,
    };
    wire::put_tag(out, number, VARINT);
    wire::put_varint(out, bits);
    Some(())
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Scalar(scalar) | Kind::Wrapper(scalar) => match scalar {
            Scalar::Bool => "a boolean",
            Scalar::Int32 => "a 32-bit integer",
            Scalar::Int64 => "a 64-bit integer",
            Scalar::Uint32 => "an unsigned 32-bit integer",
            Scalar::Uint64 => "an unsigned 64-bit integer",
            Scalar::Double => "a number",
            Scalar::String => "a string",
            Scalar::Bytes => "a base64 string",
        },
        Kind::Enum(_) => "a value of the enumeration",
        Kind::Message(_) | Kind::Struct => "an object",
        Kind::Timestamp => "an RFC 3339 timestamp",
    }
}
