//! The protobuf encoding to JSON text, in one pass over the encoding.

use super::{Unset, base64, free_form, numbers, timestamp};
use crate::{
    table::{Field, Kind, Message, Scalar, Shape},
    wire::{self, LENGTH, Malformed, Reader, Value},
};

/// Writes the object of a message.
pub(super) fn message(
    out: &mut Vec<u8>,
    message: &'static Message,
    body: &[u8],
    unset: Unset,
) -> Result<(), Malformed> {
    let mut reader = Reader(body);
    let mut seen = 0_u64;
    out.push(b'{');
    while let Some((number, value)) = reader.next()? {
        // A newer peer may know more fields.
        let Some((index, field)) = message.field_numbered(number) else { continue };
        seen |= 1 << (index & 63);
        key(out, field);
        match field.shape {
            Shape::One => self::value(out, field.kind, value, unset)?,
            Shape::Many => list(out, field, value, &mut reader, unset)?,
            Shape::Map(key) => map(out, field, key, value, &mut reader, unset)?,
        }
        out.push(b',');
    }
    if unset == Unset::Print {
        let absent = message
            .fields
            .iter()
            .enumerate()
            .filter(|(index, field)| seen & (1 << (index & 63)) == 0 && field.oneof.is_none());
        for (_, field) in absent {
            key(out, field);
            out.extend_from_slice(default(field));
            out.push(b',');
        }
    }
    close(out, b'}');
    Ok(())
}

/// Ends an object or array: the comma after the last entry becomes the bracket.
fn close(out: &mut Vec<u8>, bracket: u8) {
    match out.last_mut() {
        Some(last @ b',') => *last = bracket,
        _ => out.push(bracket),
    }
}

fn key(out: &mut Vec<u8>, field: &Field) {
    out.push(b'"');
    out.extend_from_slice(field.name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn default(field: &Field) -> &'static [u8] {
    match (field.shape, field.kind) {
        (Shape::Many, _) => b"[]",
        (Shape::Map(_), _) => b"{}",
        (Shape::One, Kind::Message(_) | Kind::Wrapper(_) | Kind::Timestamp | Kind::Struct) => {
            b"null"
        }
        (Shape::One, Kind::Enum(_)) => b"0",
        (Shape::One, Kind::Scalar(scalar)) => match scalar {
            Scalar::Bool => b"false",
            Scalar::Int32 | Scalar::Uint32 | Scalar::Double => b"0",
            Scalar::Int64 | Scalar::Uint64 => b"\"0\"",
            Scalar::String | Scalar::Bytes => b"\"\"",
        },
    }
}

/// All elements of a repeated field: packed in one value, or in the values that follow.
fn list<'a>(
    out: &mut Vec<u8>,
    field: &'static Field,
    first: Value<'a>,
    reader: &mut Reader<'a>,
    unset: Unset,
) -> Result<(), Malformed> {
    let wire_type = match field.kind {
        Kind::Scalar(scalar) => wire::wire_type(scalar),
        Kind::Enum(_) => wire::VARINT,
        Kind::Message(_) | Kind::Wrapper(_) | Kind::Timestamp | Kind::Struct => LENGTH,
    };
    out.push(b'[');
    each(field, first, reader, |element| {
        match element {
            Value::Bytes(packed) if wire_type != LENGTH => {
                let mut packed = Reader(packed);
                while !packed.0.is_empty() {
                    let bits = if wire_type == wire::VARINT {
                        packed.varint()?
                    } else {
                        u64::from_le_bytes(packed.fixed()?)
                    };
                    value(out, field.kind, Value::Bits(bits), unset)?;
                    out.push(b',');
                }
            }
            element => {
                value(out, field.kind, element, unset)?;
                out.push(b',');
            }
        }
        Ok(())
    })?;
    close(out, b']');
    Ok(())
}

fn map<'a>(
    out: &mut Vec<u8>,
    field: &'static Field,
    key_kind: Scalar,
    first: Value<'a>,
    reader: &mut Reader<'a>,
    unset: Unset,
) -> Result<(), Malformed> {
    out.push(b'{');
    each(field, first, reader, |entry| {
        // What an entry leaves out is zero or empty.
        let (mut key, mut entry_value) = (None, None);
        let mut entry = Reader(entry.bytes());
        while let Some((number, part)) = entry.next()? {
            match number {
                1 => key = Some(part),
                2 => entry_value = Some(part),
                _ => {}
            }
        }
        let empty =
            |wire_type| if wire_type == LENGTH { Value::Bytes(&[]) } else { Value::Bits(0) };
        let key = key.unwrap_or(empty(wire::wire_type(key_kind)));
        match key_kind {
            Scalar::String | Scalar::Int64 | Scalar::Uint64 => scalar(out, key_kind, key),
            _ => {
                out.push(b'"');
                scalar(out, key_kind, key);
                out.push(b'"');
            }
        }
        out.push(b':');
        let entry_value = entry_value.unwrap_or(match field.kind {
            Kind::Scalar(scalar) => empty(wire::wire_type(scalar)),
            Kind::Enum(_) => Value::Bits(0),
            Kind::Message(_) | Kind::Wrapper(_) | Kind::Timestamp | Kind::Struct => empty(LENGTH),
        });
        value(out, field.kind, entry_value, unset)?;
        out.push(b',');
        Ok(())
    })?;
    close(out, b'}');
    Ok(())
}

/// Runs `write` on this value and on those of the same field that follow it.
fn each<'a>(
    field: &Field,
    first: Value<'a>,
    reader: &mut Reader<'a>,
    mut write: impl FnMut(Value<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    write(first)?;
    loop {
        let mut ahead = *reader;
        match ahead.next()? {
            Some((number, next)) if number == field.number => write(next)?,
            _ => return Ok(()),
        }
        *reader = ahead;
    }
}

fn value(out: &mut Vec<u8>, kind: Kind, value: Value<'_>, unset: Unset) -> Result<(), Malformed> {
    match kind {
        Kind::Scalar(kind) => scalar(out, kind, value),
        Kind::Enum(_) => scalar(out, Scalar::Int32, value),
        Kind::Message(nested) => message(out, nested, value.bytes(), unset)?,
        Kind::Struct => free_form::write_object(out, value.bytes())?,
        Kind::Wrapper(kind) => {
            let wrapped = Reader(value.bytes()).next()?.map(|(_, wrapped)| wrapped);
            let zero =
                if wire::wire_type(kind) == LENGTH { Value::Bytes(&[]) } else { Value::Bits(0) };
            scalar(out, kind, wrapped.unwrap_or(zero));
        }
        Kind::Timestamp => {
            let (mut seconds, mut nanos) = (0, 0);
            let mut parts = Reader(value.bytes());
            while let Some((number, part)) = parts.next()? {
                match number {
                    1 => seconds = part.bits() as i64,
                    2 => nanos = part.bits() as i32,
                    _ => {}
                }
            }
            timestamp::write(out, seconds, nanos);
        }
    }
    Ok(())
}

fn scalar(out: &mut Vec<u8>, scalar: Scalar, value: Value<'_>) {
    let bits = value.bits();
    let mut buffer = itoa::Buffer::new();
    match scalar {
        Scalar::Bool => out.extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
        Scalar::Int32 => out.extend_from_slice(buffer.format(bits as i32).as_bytes()),
        Scalar::Uint32 => out.extend_from_slice(buffer.format(bits as u32).as_bytes()),
        Scalar::Int64 => quoted(out, buffer.format(bits as i64)),
        Scalar::Uint64 => quoted(out, buffer.format(bits)),
        Scalar::Double => numbers::write_double(out, f64::from_bits(bits)),
        Scalar::String => string(out, value.bytes()),
        Scalar::Bytes => {
            out.push(b'"');
            base64::encode(out, value.bytes());
            out.push(b'"');
        }
    }
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Writes a string; only what JSON does not allow in one is escaped.
pub(super) fn string(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        let Some((plain, [byte, after @ ..])) = rest.split_at_checked(at) else { break };
        out.extend_from_slice(plain);
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => {
                out.extend_from_slice(b"\\u00");
                let [high, low] = [byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]);
                out.extend_from_slice(&[high, low]);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
