//! Cursors of the reference server, which clients have kept from before a game moved here.
//!
//! They are a struct in Go's self-describing encoding (<https://pkg.go.dev/encoding/gob>): messages with
//! their length in front, first the description of the type under a negative id, then the value: each
//! field with its distance from the one before, fields of no value left out, and a zero at the end.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::page::Place;
use crate::cursor::CURSOR_LEN_MAX;

/// Fields of the struct, in its order.
const NOTIFICATION_ID: u64 = 1;
const CREATE_TIME_NANOS: u64 = 2;

/// The place that such a cursor names, if it is one.
pub(super) fn decode(cursor: &str) -> Option<Place> {
    if cursor.len() > CURSOR_LEN_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let mut bytes = bytes.as_slice();
    loop {
        let mut message = take_bytes(&mut bytes)?;
        if take_int(&mut message)? > 0 {
            return place(message);
        }
    }
}

fn place(mut value: &[u8]) -> Option<Place> {
    let (mut id, mut nanos, mut field) = (None, 0, 0_u64);
    loop {
        match take_uint(&mut value)? {
            0 => break,
            distance => field = field.checked_add(distance)?,
        }
        match field {
            NOTIFICATION_ID => id = Some(Uuid::from_slice(take_bytes(&mut value)?).ok()?),
            CREATE_TIME_NANOS => nanos = take_int(&mut value)?,
            _ => return None,
        }
    }
    Some(Place::after(id.map(|id| (nanos.div_euclid(1000), id))))
}

/// Below 128 in one byte; else the number of bytes, negated, and they, the highest first.
fn take_uint(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    if *first < 128 {
        *bytes = rest;
        return Some((*first).into());
    }
    let (number, rest) = rest.split_at_checked(usize::from(first.wrapping_neg()))?;
    if number.len() > size_of::<u64>() {
        return None;
    }
    *bytes = rest;
    Some(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The lowest bit says whether the others are complemented.
fn take_int(bytes: &mut &[u8]) -> Option<i64> {
    let uint = take_uint(bytes)?;
    let magnitude = (uint >> 1).cast_signed();
    Some(if uint & 1 == 1 { !magnitude } else { magnitude })
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_uint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The description of a type with id 65: what is in it is passed over.
    const TYPE: &[u8] = b"\x05\xff\x81\x03\x01\x00";

    fn cursor(value: &[u8]) -> String {
        let mut bytes = TYPE.to_vec();
        bytes.push(value.len() as u8);
        bytes.extend_from_slice(value);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn numbers_are_read_as_the_encoding_defines_them() {
        let uint = |mut bytes: &[u8]| take_uint(&mut bytes);
        assert_eq!(uint(b"\x07"), Some(7));
        assert_eq!(uint(b"\xfe\x01\x00"), Some(256));
        assert_eq!(uint(b"\xfe\x01"), None);
        assert_eq!(uint(b"\xf7\x01\x00\x00\x00\x00\x00\x00\x00\x00"), None, "nine bytes");
        let int = |mut bytes: &[u8]| take_int(&mut bytes);
        assert_eq!(int(b"\x2c"), Some(22));
        assert_eq!(int(b"\xff\x81"), Some(-65));
        assert_eq!(int(b"\xff\x82"), Some(65));
    }

    #[test]
    fn a_cursor_of_the_reference_names_the_same_place() {
        let id = Uuid::from_u128(0x0102_0304_0506_4708_890a_0b0c_0d0e_0f10);
        let nanos = 1_700_000_000_123_456_000_i64;
        let mut value = b"\xff\x82\x01\x10".to_vec();
        value.extend_from_slice(id.as_bytes());
        value.extend_from_slice(b"\x01\xf8");
        value.extend_from_slice(&(nanos << 1).to_be_bytes());
        value.push(0);
        let expected = Place::after(Some((1_700_000_000_123_456, id)));
        assert_eq!(decode(&cursor(&value)), Some(expected));
        for len in 0..value.len() {
            assert_eq!(decode(&cursor(&value[..len])), None, "cut at {len}");
        }
    }

    #[test]
    fn the_cursor_of_an_empty_list_names_the_start() {
        assert_eq!(decode(&cursor(b"\xff\x82\x00")), Some(Place::after(None)));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(bytes: Vec<u8>) {
            let _ = decode(&URL_SAFE_NO_PAD.encode(&bytes));
            let _ = decode(&cursor(bytes.get(..100).unwrap_or(&bytes)));
        }
    }
}
