//! Values that cross between the server and either database.

use std::borrow::Cow;

use uuid::Uuid;

use crate::ids::{GroupId, MatchId, PartyId, SessionId, UserId};

/// A point in time: microseconds since the Unix epoch, UTC. It is what both databases keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// What a time column holds that was never set (`disable_time` of an account in good standing).
    pub const EPOCH: Self = Self(0);

    pub fn from_unix_sec(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn unix_sec(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whether the time was set at all. The reference compares whole seconds, and so do we.
    pub fn is_set(self) -> bool {
        self.unix_sec() != 0
    }
}

/// A parameter of a statement. Texts are borrowed where they can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Param<'a> {
    Null,
    Bool(bool),
    I16(i16),
    I32(i32),
    I64(i64),
    F64(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Uuid(Uuid),
    Time(Timestamp),
    /// A JSON document as text. The caller has made sure that it is one.
    Json(Cow<'a, str>),
    /// For `{in $n}`.
    Uuids(Cow<'a, [Uuid]>),
    /// For `{in $n}`.
    Texts(Cow<'a, [String]>),
    /// For `{in $n}`.
    I64s(Cow<'a, [i64]>),
}

impl<'a> Param<'a> {
    /// A JSON parameter.
    pub fn json(text: &'a str) -> Self {
        Self::Json(Cow::Borrowed(text))
    }

    /// The parameter without borrows, to be handed to another thread.
    pub fn into_owned(self) -> Param<'static> {
        match self {
            Self::Null => Param::Null,
            Self::Bool(v) => Param::Bool(v),
            Self::I16(v) => Param::I16(v),
            Self::I32(v) => Param::I32(v),
            Self::I64(v) => Param::I64(v),
            Self::F64(v) => Param::F64(v),
            Self::Uuid(v) => Param::Uuid(v),
            Self::Time(v) => Param::Time(v),
            Self::Text(v) => Param::Text(Cow::Owned(v.into_owned())),
            Self::Bytes(v) => Param::Bytes(Cow::Owned(v.into_owned())),
            Self::Json(v) => Param::Json(Cow::Owned(v.into_owned())),
            Self::Uuids(v) => Param::Uuids(Cow::Owned(v.into_owned())),
            Self::Texts(v) => Param::Texts(Cow::Owned(v.into_owned())),
            Self::I64s(v) => Param::I64s(Cow::Owned(v.into_owned())),
        }
    }

    /// The kind's name, for error messages. It never shows the value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::I16(_) => "i16",
            Self::I32(_) => "i32",
            Self::I64(_) => "i64",
            Self::F64(_) => "f64",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Uuid(_) => "uuid",
            Self::Time(_) => "time",
            Self::Json(_) => "json",
            Self::Uuids(_) => "uuid array",
            Self::Texts(_) => "text array",
            Self::I64s(_) => "i64 array",
        }
    }
}

macro_rules! param_from {
    ($($type:ty => $make:expr;)*) => {
        $(impl<'a> From<$type> for Param<'a> {
            fn from(value: $type) -> Self {
                ($make)(value)
            }
        })*
    };
}

param_from! {
    bool => Self::Bool;
    i16 => Self::I16;
    i32 => Self::I32;
    i64 => Self::I64;
    f64 => Self::F64;
    &'a str => |v| Self::Text(Cow::Borrowed(v));
    &'a String => |v: &'a String| Self::Text(Cow::Borrowed(v.as_str()));
    String => |v| Self::Text(Cow::Owned(v));
    &'a [u8] => |v| Self::Bytes(Cow::Borrowed(v));
    Vec<u8> => |v| Self::Bytes(Cow::Owned(v));
    Uuid => Self::Uuid;
    Timestamp => Self::Time;
    UserId => |v: UserId| Self::Uuid(v.0);
    GroupId => |v: GroupId| Self::Uuid(v.0);
    SessionId => |v: SessionId| Self::Uuid(v.0);
    MatchId => |v: MatchId| Self::Uuid(v.0);
    PartyId => |v: PartyId| Self::Uuid(v.0);
    &'a [Uuid] => |v| Self::Uuids(Cow::Borrowed(v));
    Vec<Uuid> => |v| Self::Uuids(Cow::Owned(v));
    &'a [UserId] => |v: &[UserId]| Self::Uuids(v.iter().map(|id| id.0).collect());
    &'a [GroupId] => |v: &[GroupId]| Self::Uuids(v.iter().map(|id| id.0).collect());
    &'a [String] => |v| Self::Texts(Cow::Borrowed(v));
    Vec<String> => |v| Self::Texts(Cow::Owned(v));
    &'a [i64] => |v| Self::I64s(Cow::Borrowed(v));
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters of one statement: `params![user_id, username.as_str(), Param::json(&metadata)]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::Param::from($value)),*]
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_the_epoch_rounds_down() {
        assert_eq!(Timestamp(-1).unix_sec(), -1);
        assert_eq!(Timestamp(1_999_999).unix_sec(), 1);
        assert!(!Timestamp::EPOCH.is_set());
    }

    #[test]
    fn an_absent_option_is_null() {
        let none: Option<&str> = None;
        assert_eq!(Param::from(none), Param::Null);
        assert_eq!(Param::from(Some(7_i64)), Param::I64(7));
    }
}
