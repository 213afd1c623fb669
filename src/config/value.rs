//! Values on their way from a source into the tree: untyped first, then the type of their key.

use std::fmt;

/// What kind of value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Bool,
    /// A whole number of up to 32 bits, `int` in the reference's help.
    Int,
    /// A whole number of up to 63 bits.
    Int64,
    TextList,
    NumberList,
}

impl Kind {
    /// The name that help, errors and the reference's documentation use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::TextList => "string list",
            Self::NumberList => "int list",
        }
    }

    pub fn is_list(self) -> bool {
        matches!(self, Self::TextList | Self::NumberList)
    }

    /// Reads one value as flags and environment variables write it: plain text, no YAML.
    pub(super) fn parse(self, text: &str) -> Result<Value, Misfit> {
        match self {
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Bool => {
                parse_bool(text).map(Value::Bool).ok_or_else(|| Misfit::new("a bool", text))
            }
            Self::Int | Self::Int64 => {
                parse_int(text).map(Value::Int).ok_or_else(|| Misfit::new("a whole number", text))
            }
            Self::TextList | Self::NumberList => Ok(Value::List(vec![text.to_owned()])),
        }
    }
}

/// A value without its key's type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::List(values) => write!(f, "{values:?}"),
        }
    }
}

/// Why a value does not fit its key. `got` is left out of messages about secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) wanted: String,
    pub(super) got: String,
}

impl Misfit {
    pub(super) fn new(wanted: impl Into<String>, got: impl fmt::Display) -> Self {
        Self { wanted: wanted.into(), got: got.to_string() }
    }
}

/// The type of a key's field in the tree.
pub(super) trait Setting: Sized {
    const KIND: Kind;
    /// The words a key of this type takes, where it takes only some.
    const CHOICES: &'static [&'static str] = &[];
    /// Whether its values stay out of messages.
    const SECRET: bool = false;

    /// Takes the value of a source that wins over all sources before it.
    fn take(&mut self, value: Value) -> Result<(), Misfit>;

    /// The value as it is, secrets too.
    fn value(&self) -> Value;

    /// The value as people may see it.
    fn shown(&self) -> Value {
        self.value()
    }
}

impl Setting for String {
    const KIND: Kind = Kind::Text;

    fn take(&mut self, value: Value) -> Result<(), Misfit> {
        *self = text(value)?;
        Ok(())
    }

    fn value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl Setting for bool {
    const KIND: Kind = Kind::Bool;

    fn take(&mut self, value: Value) -> Result<(), Misfit> {
        match value {
            Value::Bool(value) => *self = value,
            other => return Err(Misfit::new("a bool", other)),
        }
        Ok(())
    }

    fn value(&self) -> Value {
        Value::Bool(*self)
    }
}

macro_rules! number {
    ($($ty:ty => $kind:ident),*) => {$(
        impl Setting for $ty {
            const KIND: Kind = Kind::$kind;

            fn take(&mut self, value: Value) -> Result<(), Misfit> {
                *self = match value {
                    Value::Int(number) => <$ty>::try_from(number)
                        .map_err(|_| Misfit::new(format!("a whole number from 0 to {}", <$ty>::MAX), number))?,
                    other => return Err(Misfit::new("a whole number", other)),
                };
                Ok(())
            }

            fn value(&self) -> Value {
                Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}

number!(u16 => Int, u32 => Int, usize => Int, u64 => Int64);

impl Setting for Vec<String> {
    const KIND: Kind = Kind::TextList;

    fn take(&mut self, value: Value) -> Result<(), Misfit> {
        *self = list(value)?;
        Ok(())
    }

    fn value(&self) -> Value {
        Value::List(self.clone())
    }
}

impl Setting for Vec<u16> {
    const KIND: Kind = Kind::NumberList;

    fn take(&mut self, value: Value) -> Result<(), Misfit> {
        let wanted = format!("whole numbers from 0 to {}", u16::MAX);
        *self = list(value)?
            .iter()
            .map(|entry| {
                parse_int(entry)
                    .and_then(|number| u16::try_from(number).ok())
                    .ok_or_else(|| Misfit::new(&*wanted, entry))
            })
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn value(&self) -> Value {
        Value::List(self.iter().map(ToString::to_string).collect())
    }
}

pub(super) fn text(value: Value) -> Result<String, Misfit> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(Misfit::new("a string", other)),
    }
}

pub(super) fn list(value: Value) -> Result<Vec<String>, Misfit> {
    match value {
        Value::List(entries) => Ok(entries),
        other => Err(Misfit::new("a list", other)),
    }
}

/// Decimal, `0x`, `0o` and `0b` numbers, with `_` between digits.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let digits = text.trim().replace('_', "");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.strip_prefix('+').unwrap_or(&digits)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        _ => (10, digits),
    };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// The words for a bool that the reference takes in YAML and in flags.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" | "on" => Some(true),
        "false" | "f" | "0" | "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_base_and_nothing_else_is_a_number() {
        for (text, number) in [
            ("7350", 7350),
            ("0x10", 16),
            ("0b11", 3),
            ("0o17", 15),
            ("1_000", 1000),
            ("-1", -1),
            ("+5", 5),
        ] {
            assert_eq!(parse_int(text), Some(number), "{text}");
        }
        for text in ["", "-", "1.5", "ten", "0x", "--1", "+-1", "é1", "_", "9223372036854775808"] {
            assert_eq!(parse_int(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_that_its_type_cannot_hold_is_refused_and_leaves_the_old_value() {
        let mut port = 7350u16;
        assert!(port.take(Value::Int(65_536)).is_err());
        assert!(port.take(Value::Int(-1)).is_err());
        assert_eq!(port, 7350);
    }
}
