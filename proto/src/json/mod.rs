//! The JSON of protobuf messages, as the reference's gateway reads and writes it.
//!
//! It follows <https://protobuf.dev/programming-guides/json/>, with two of that mapping's options set
//! as Nakama clients expect: fields are named as in the `.proto` file, enumerations are numbers.
//! 64-bit integers are strings, bytes are base64, timestamps are RFC 3339 and wrappers are bare.
//!
//! Both directions go through the protobuf encoding: JSON text is translated to it in one pass, by the
//! message's [table](crate::table), and prost decodes the result. No tree of values is built.

mod base64;
#[cfg(test)]
mod every_message;
mod free_form;
mod numbers;
mod read;
mod timestamp;
mod write;

#[cfg(test)]
mod tests;

use std::cell::Cell;

use bytes::Bytes;

pub(crate) use self::{
    base64::decode as decode_base64,
    read::{append_field, append_message, append_timestamp},
    timestamp::parse as parse_timestamp,
};
pub use crate::wire::Malformed;
use crate::{
    Invalid,
    table::{Described, Message},
};

/// What a reader does with a field, or a named value of an enumeration, that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Sockets: the whole message is refused, and so is anything after its end.
    Refuse,
    /// HTTP: it is passed over.
    Ignore,
}

/// What a writer does with a field that has its default value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// Players' interfaces: it is left out.
    Omit,
    /// The console: it is written, with `null` for an absent message.
    Print,
}

/// Reads a message. Nesting deeper than 128 levels is refused.
pub fn from_slice<T: Described>(json: &[u8], unknown: Unknown) -> Result<T, Invalid> {
    let mut wire = Vec::with_capacity(json.len());
    append_message(&mut wire, T::MESSAGE, json, unknown)?;
    // The message's byte fields become slices of this buffer.
    decode(Bytes::from(wire))
}

pub(crate) fn decode<T: Described>(wire: Bytes) -> Result<T, Invalid> {
    T::decode(wire).map_err(|error| Invalid::new(None, error.to_string()))
}

/// Writes a message.
pub fn to_vec<T: Described>(message: &T, unset: Unset) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, message, unset);
    out
}

/// Writes a message after what `out` already holds.
pub fn append<T: Described>(out: &mut Vec<u8>, message: &T, unset: Unset) {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    /// A buffer that grew beyond this is given back instead of kept for the next message.
    const SCRATCH_KEPT_MAX: usize = 64 * 1024;

    let mut wire = SCRATCH.take();
    wire.clear();
    let length = message.encoded_len();
    wire.reserve(length);
    message.encode_raw(&mut wire);
    out.reserve(length + length / 2 + 32);
    let written = append_encoded(out, T::MESSAGE, &wire, unset);
    assert!(written.is_ok(), "prost wrote a {} that cannot be read", T::MESSAGE.name);
    if wire.capacity() <= SCRATCH_KEPT_MAX {
        SCRATCH.set(wire);
    }
}

/// Writes a message that is already encoded, without decoding it: how one encoding serves both formats.
///
/// The bytes must be as prost writes them, the values of a repeated field next to each other. Strings
/// are taken for UTF-8, which prost guarantees. After an error `out` holds a part of the message.
pub fn append_encoded(
    out: &mut Vec<u8>,
    message: &'static Message,
    wire: &[u8],
    unset: Unset,
) -> Result<(), Malformed> {
    write::message(out, message, wire, unset)
}
