//! What a message looks like, as data: the table that JSON and request decoding are driven by.
//!
//! `build.rs` writes one [`Message`] for each message of the `.proto` files.

mod hash;

use hash::hash;

/// A prost type that has a table.
pub trait Described: prost::Message + Default {
    /// The type's table.
    const MESSAGE: &'static Message;
}

/// A static, as all tables are: they are compared by identity, and a constant has no one place.
static NOTHING: Message = Message {
    name: "google.protobuf.Empty",
    fields: &[],
    names: Names { seed: 1, slots: &[], entries: &[] },
    oneofs: &[],
};

/// `google.protobuf.Empty`.
impl Described for () {
    const MESSAGE: &'static Message = &NOTHING;
}

/// A message.
#[derive(Debug)]
pub struct Message {
    /// With its package, as in `nakama.api.Account`.
    pub name: &'static str,
    /// In the order of their numbers; at most 64, so that a set of them is one word.
    pub fields: &'static [Field],
    names: Names,
    pub oneofs: &'static [&'static str],
}

/// A perfect hash table of field names.
#[derive(Clone, Copy, Debug)]
struct Names {
    seed: u64,
    /// A power of two of them; each is the place of a name, or [`EMPTY`].
    slots: &'static [u8],
    /// Both spellings of every field's name, with the field's index.
    entries: &'static [(&'static str, u8)],
}

/// No name has this slot's hash.
const EMPTY: u8 = u8::MAX;

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    pub number: u32,
    /// As the `.proto` file spells it: `owner_id`. This is what JSON output uses.
    pub name: &'static str,
    /// The other spelling that JSON input may use: `ownerId`.
    pub json_name: &'static str,
    /// Of the value; of one element where the field repeats; of the value side of a map.
    pub kind: Kind,
    pub shape: Shape,
    /// Index into [`Message::oneofs`].
    pub oneof: Option<u8>,
}

/// How often a field may stand in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    One,
    Many,
    /// A map with this kind of key.
    Map(Scalar),
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Scalar(Scalar),
    Enum(&'static Enum),
    Message(&'static Message),
    /// A `google.protobuf` wrapper: in JSON the bare value, and absent is not the same as zero.
    Wrapper(Scalar),
    /// `google.protobuf.Timestamp`: in JSON an RFC 3339 string.
    Timestamp,
    /// `google.protobuf.Struct`: in JSON any object.
    Struct,
}

/// The scalar types in use. `build.rs` refuses a `.proto` file that needs another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Double,
    String,
    Bytes,
}

/// An enumeration.
#[derive(Debug)]
pub struct Enum {
    pub name: &'static str,
    pub values: &'static [(&'static str, i32)],
}

impl Message {
    /// The field of either spelling, with its index.
    pub fn field_named(&self, name: &str) -> Option<(u8, &'static Field)> {
        let Names { seed, slots, entries } = self.names;
        let slot = hash(name, seed) as usize & slots.len().wrapping_sub(1);
        let at = slots.get(slot).filter(|at| **at != EMPTY)?;
        let (candidate, index) = *entries.get(usize::from(*at))?;
        if candidate != name {
            return None;
        }
        Some((index, self.fields.get(usize::from(index))?))
    }

    /// The field of this number, with its index.
    pub fn field_numbered(&self, number: u32) -> Option<(u8, &'static Field)> {
        // Most messages number their fields from 1 without a gap.
        let guess = (number as usize).wrapping_sub(1);
        if let Some(field) = self.fields.get(guess)
            && field.number == number
        {
            return Some((guess as u8, field));
        }
        let at = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
        Some((at as u8, self.fields.get(at)?))
    }
}

impl Enum {
    /// The number of a value's name.
    pub fn number(&self, name: &str) -> Option<i32> {
        self.values.iter().find(|(candidate, _)| *candidate == name).map(|(_, number)| *number)
    }

    /// The name of a value's number.
    pub fn name_of(&self, number: i32) -> Option<&'static str> {
        self.values.iter().find(|(_, candidate)| *candidate == number).map(|(name, _)| *name)
    }
}

pub use generated::{ENUMS, MESSAGES};

#[allow(clippy::all, clippy::pedantic)]
mod generated {
    use super::{Described, Enum, Field, Kind, Message, Names, Scalar, Shape};

    include!(concat!(env!("OUT_DIR"), "/tables.rs"));
}
