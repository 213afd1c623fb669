//! The protobuf encoding, as far as the JSON translation reads and writes it.
//!
//! <https://protobuf.dev/programming-guides/encoding/>

use crate::table::Scalar;

/// Value follows as a varint.
pub(crate) const VARINT: u32 = 0;
/// Eight bytes follow.
pub(crate) const FIXED64: u32 = 1;
/// A length and that many bytes follow.
pub(crate) const LENGTH: u32 = 2;
/// Four bytes follow.
pub(crate) const FIXED32: u32 = 5;

pub(crate) fn wire_type(scalar: Scalar) -> u32 {
    match scalar {
        Scalar::Bool | Scalar::Int32 | Scalar::Int64 | Scalar::Uint32 | Scalar::Uint64 => VARINT,
        Scalar::Double => FIXED64,
        Scalar::String | Scalar::Bytes => LENGTH,
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    put_varint(out, u64::from(number << 3 | wire_type));
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends what `fill` appends, with its length before it.
pub(crate) fn put_nested<R>(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let at = out.len();
    // Nearly every nested message is shorter than 128 bytes, and then its length is this one byte.
    out.push(0);
    let result = fill(out);
    let length = out.len() - at - 1;
    if length < 0x80 {
        if let Some(byte) = out.get_mut(at) {
            *byte = length as u8;
        }
    } else {
        let mut prefix = Vec::with_capacity(10);
        put_varint(&mut prefix, length as u64);
        out.splice(at..=at, prefix);
    }
    result
}

/// What one field on the wire holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A varint or a fixed-width value, as its bits.
    Bits(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn bits(self) -> u64 {
        match self {
            Self::Bits(bits) => bits,
            Self::Bytes(_) => 0,
        }
    }

    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bits(_) => &[],
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// The bytes are no protobuf encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads an encoded message field by field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next field's number and value; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Malformed)?;
        let value = match tag as u32 & 7 {
            VARINT => Value::Bits(self.varint()?),
            FIXED64 => Value::Bits(self.fixed::<8>().map(u64::from_le_bytes)?),
            FIXED32 => Value::Bits(self.fixed::<4>().map(u32::from_le_bytes)?.into()),
            LENGTH => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            _ => return Err(Malformed),
        };
        Ok(Some((number, value)))
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (at, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = self.0.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_message_gets_its_length_whatever_its_size() {
        for size in [0, 1, 127, 128, 300, 20_000] {
            let mut out = vec![7];
            put_tag(&mut out, 3, LENGTH);
            put_nested(&mut out, |out| out.resize(out.len() + size, b'x'));
            let mut reader = Reader(&out[1..]);
            let (number, value) = reader.next().unwrap().unwrap();
            assert_eq!((number, value.bytes().len()), (3, size));
            assert!(reader.next().unwrap().is_none());
        }
    }

    #[test]
    fn cut_off_input_is_malformed() {
        assert!(Reader(&[0x0a, 5, 1]).next().is_err());
        assert!(Reader(&[0x80]).next().is_err());
        assert!(Reader(&[0xff; 11]).next().is_err());
    }
}
