//! Cursors of the reference server, which clients have kept from before a game moved here.
//!
//! They are a struct in Go's self-describing encoding (<https://pkg.go.dev/encoding/gob>), in base64:
//! messages with their length in front, first the description of the type under a negative id, then the
//! value: each field with its distance from the one before, fields of no value left out, and a zero at the
//! end.

use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::CURSOR_LEN_MAX;

/// Reads the fields of such a cursor: their numbers count from 1 in the order of the struct, and those that
/// are not given have no value (zero, or empty). `None` where it is not one.
pub fn read_fields(
    cursor: &str,
    mut field: impl FnMut(u64, &mut Value<'_>) -> Option<()>,
) -> Option<()> {
    if cursor.len() > CURSOR_LEN_MAX {
        return None;
    }
    let decode = |alphabet: &Alphabet| {
        let padding = DecodePaddingMode::Indifferent;
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
        GeneralPurpose::new(alphabet, config).decode(cursor).ok()
    };
    let bytes = decode(&URL_SAFE).or_else(|| decode(&STANDARD))?;
    let mut messages = Value(&bytes);
    let mut value = loop {
        let mut message = Value(messages.bytes()?);
        if message.int()? > 0 {
            break message;
        }
    };
    let mut number = 0_u64;
    loop {
        match value.uint()? {
            0 => return Some(()),
            distance => number = number.checked_add(distance)?,
        }
        field(number, &mut value)?;
    }
}

/// What is left of a value. Each call takes what it reads.
pub struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    /// Below 128 in one byte; else the number of bytes, negated, and they, the highest first.
    pub fn uint(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        if *first < 128 {
            self.0 = rest;
            return Some((*first).into());
        }
        let (number, rest) = rest.split_at_checked(usize::from(first.wrapping_neg()))?;
        if number.len() > size_of::<u64>() {
            return None;
        }
        self.0 = rest;
        Some(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The lowest bit says whether the others are complemented.
    pub fn int(&mut self) -> Option<i64> {
        let uint = self.uint()?;
        let magnitude = (uint >> 1).cast_signed();
        Some(if uint & 1 == 1 { !magnitude } else { magnitude })
    }

    pub fn bool(&mut self) -> Option<bool> {
        Some(self.uint()? != 0)
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.uint()?).ok()?;
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }
}

/// Cursors as the reference writes them, for tests: fields in the order of their numbers.
#[cfg(test)]
pub(crate) mod written {
    use base64::{Engine, engine::general_purpose::URL_SAFE};

    /// The description of a type with id 65: what is in it is passed over.
    const TYPE: &[u8] = b"\x05\xff\x81\x03\x01\x00";
    /// That id.
    const ID: &[u8] = b"\xff\x82";

    #[derive(Default)]
    pub(crate) struct Fields {
        bytes: Vec<u8>,
        last: u8,
    }

    impl Fields {
        pub(crate) fn int(self, number: u8, value: i64) -> Self {
            let folded = (value << 1 ^ value >> 63).cast_unsigned();
            self.field(number, &uint(folded))
        }

        pub(crate) fn uint(self, number: u8, value: u64) -> Self {
            self.field(number, &uint(value))
        }

        pub(crate) fn bytes(self, number: u8, value: &[u8]) -> Self {
            let mut bytes = uint(value.len() as u64);
            bytes.extend_from_slice(value);
            self.field(number, &bytes)
        }

        fn field(mut self, number: u8, value: &[u8]) -> Self {
            self.bytes.push(number - self.last);
            self.last = number;
            self.bytes.extend_from_slice(value);
            self
        }

        /// The value's bytes, whole.
        pub(crate) fn end(self) -> Vec<u8> {
            [ID, &self.bytes, &[0]].concat()
        }

        pub(crate) fn cursor(self) -> String {
            cursor(&self.end())
        }
    }

    pub(crate) fn cursor(value: &[u8]) -> String {
        URL_SAFE.encode([TYPE, &uint(value.len() as u64), value].concat())
    }

    fn uint(value: u64) -> Vec<u8> {
        if value < 128 {
            return vec![value as u8];
        }
        let bytes = value.to_be_bytes();
        let bytes = &bytes[value.leading_zeros() as usize / 8..];
        [&[(bytes.len() as u8).wrapping_neg()], bytes].concat()
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::{
        written::{Fields, cursor},
        *,
    };

    fn numbers(cursor: &str) -> Option<Vec<(u64, u64)>> {
        let mut read = Vec::new();
        read_fields(cursor, |number, value| {
            read.push((number, value.uint()?));
            Some(())
        })?;
        Some(read)
    }

    #[test]
    fn numbers_are_read_as_the_encoding_defines_them() {
        let uint = |bytes: &[u8]| Value(bytes).uint();
        assert_eq!(uint(b"\x07"), Some(7));
        assert_eq!(uint(b"\xfe\x01\x00"), Some(256));
        assert_eq!(uint(b"\xfe\x01"), None);
        assert_eq!(uint(b"\xf7\x01\x00\x00\x00\x00\x00\x00\x00\x00"), None, "nine bytes");
        let int = |bytes: &[u8]| Value(bytes).int();
        assert_eq!(int(b"\x2c"), Some(22));
        assert_eq!(int(b"\xff\x81"), Some(-65));
        assert_eq!(int(b"\xff\x82"), Some(65));
    }

    #[test]
    fn fields_are_told_by_their_numbers_in_any_base64() {
        let value = Fields::default().uint(2, 255).uint(5, 70_000).end();
        let expected = Some(vec![(2, 255), (5, 70_000)]);
        let text = cursor(&value);
        let bytes = URL_SAFE.decode(&text).unwrap();
        for text in [text, URL_SAFE_NO_PAD.encode(&bytes), STANDARD.encode(&bytes)] {
            assert_eq!(numbers(&text), expected, "{text}");
        }
        for len in 0..value.len() {
            assert_eq!(numbers(&cursor(&value[..len])), None, "cut at {len}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(bytes: Vec<u8>) {
            let read = |cursor: &str| {
                read_fields(cursor, |number, value| match number % 3 {
                    0 => value.int().map(drop),
                    1 => value.text().map(drop),
                    _ => value.bool().map(drop),
                })
            };
            let _ = read(&URL_SAFE.encode(&bytes));
            let _ = read(&cursor(&bytes));
        }
    }
}
