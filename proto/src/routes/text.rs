//! Values of paths and queries: plain text, converted by the field's type as grpc-gateway does.

use crate::{
    Invalid, json,
    table::{Field, Kind, Scalar},
    wire::{self, FIXED64, LENGTH, VARINT},
};

/// Appends a field's value; one element of it where the field repeats.
pub(super) fn append(out: &mut Vec<u8>, field: &'static Field, text: &str) -> Result<(), Invalid> {
    append_kind(out, field.number, field.kind, text)
        .map_err(|expected| Invalid::new(Some(field.name), format!("{text:?} is not {expected}")))
}

/// Fails with what was expected.
pub(super) fn append_kind(
    out: &mut Vec<u8>,
    number: u32,
    kind: Kind,
    text: &str,
) -> Result<(), &'static str> {
    match kind {
        Kind::Scalar(scalar) => append_scalar(out, number, scalar, text),
        Kind::Wrapper(scalar) => {
            wire::put_tag(out, number, LENGTH);
            wire::put_nested(out, |out| append_scalar(out, 1, scalar, text))
        }
        Kind::Enum(values) => {
            let by_number = || text.parse().ok().filter(|number| values.name_of(*number).is_some());
            let value =
                values.number(text).or_else(by_number).ok_or("a value of the enumeration")?;
            wire::put_tag(out, number, VARINT);
            wire::put_varint(out, i64::from(value) as u64);
            Ok(())
        }
        Kind::Timestamp => {
            let timestamp = json::parse_timestamp(text).ok_or("an RFC 3339 timestamp")?;
            json::append_timestamp(out, number, timestamp);
            Ok(())
        }
        Kind::Message(_) | Kind::Struct => Err("allowed here: a message has no text form"),
    }
}

pub(super) fn append_scalar(
    out: &mut Vec<u8>,
    number: u32,
    scalar: Scalar,
    text: &str,
) -> Result<(), &'static str> {
    let bits = match scalar {
        Scalar::String => {
            wire::put_tag(out, number, LENGTH);
            wire::put_bytes(out, text.as_bytes());
            return Ok(());
        }
        Scalar::Bytes => {
            wire::put_tag(out, number, LENGTH);
            let decoded = wire::put_nested(out, |out| json::decode_base64(out, text));
            return decoded.map_err(|_| "base64");
        }
        Scalar::Double => {
            let value: f64 = text.parse().map_err(|_| "a number")?;
            wire::put_tag(out, number, FIXED64);
            out.extend_from_slice(&value.to_le_bytes());
            return Ok(());
        }
        // The spellings that Go's strconv.ParseBool knows.
        Scalar::Bool => match text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => 1,
            "0" | "f" | "F" | "FALSE" | "false" | "False" => 0,
            _ => return Err("a boolean"),
        },
        Scalar::Int32 => {
            let value: i32 = text.parse().map_err(|_| "a 32-bit integer")?;
            i64::from(value) as u64
        }
        Scalar::Int64 => {
            let value: i64 = text.parse().map_err(|_| "a 64-bit integer")?;
            value as u64
        }
        Scalar::Uint32 => {
            let value: u32 = unsigned(text).ok_or("an unsigned 32-bit integer")?;
            value.into()
        }
        Scalar::Uint64 => unsigned(text).ok_or("an unsigned 64-bit integer")?,
    };
    wire::put_tag(out, number, VARINT);
    wire::put_varint(out, bits);
    Ok(())
}

/// Go takes a sign for signed integers only; Rust takes a plus for both.
fn unsigned<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}
