//! Numbers: what JSON input may spell as which integer, and how numbers are written.

use std::io::Write as _;

/// A number of JSON input, before its field's width is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    /// The number in a string, as protobuf's JSON allows it for every numeric field.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(value) = text.parse() {
            return Some(Self::Signed(value));
        }
        if let Ok(value) = text.parse() {
            return Some(Self::Unsigned(value));
        }
        // Only what JSON calls a number, and the three names below; not `inf`, `nan` or `+1`.
        if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return None;
        }
        let value: f64 = text.parse().ok()?;
        value.is_finite().then_some(Self::Float(value))
    }

    /// The integer, if there is no fraction and it fits.
    pub(super) fn signed(self) -> Option<i64> {
        match self {
            Self::Signed(value) => Some(value),
            Self::Unsigned(value) => value.try_into().ok(),
            Self::Float(value) => {
                let fits =
                    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
                (fits && value.fract() == 0.0).then_some(value as i64)
            }
        }
    }

    pub(super) fn unsigned(self) -> Option<u64> {
        match self {
            Self::Signed(value) => value.try_into().ok(),
            Self::Unsigned(value) => Some(value),
            Self::Float(value) => {
                let fits = (0.0..18_446_744_073_709_551_616.0).contains(&value);
                (fits && value.fract() == 0.0).then_some(value as u64)
            }
        }
    }

    pub(super) fn double(self) -> f64 {
        match self {
            Self::Signed(value) => value as f64,
            Self::Unsigned(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// A double in a string, which may also be one of the three that JSON has no number for.
pub(super) fn parse_double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => Number::parse(text).map(Number::double),
    }
}

/// Writes the shortest text that reads back as the same double.
pub(super) fn write_double(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    let result = if value.is_nan() {
        out.write_all(b"\"NaN\"")
    } else if value.is_infinite() {
        out.write_all(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" })
    } else if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
    debug_assert!(result.is_ok(), "writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_json_numbers_that_read_back() {
        for value in [0.0, -0.0, 1.0, -1.5, 0.1, 1e20, 1e21, 1e300, 1e-6, 1e-7, f64::MIN_POSITIVE] {
            let mut out = Vec::new();
            write_double(&mut out, value);
            let text = String::from_utf8(out).unwrap();
            assert!(text.len() < 30, "{text}");
            let read: f64 = serde_json::from_str(&text).unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{text}");
        }
    }

    #[test]
    fn a_fraction_or_an_overflow_is_no_integer() {
        assert_eq!(Number::Float(1.5).signed(), None);
        assert_eq!(Number::Float(1e19).signed(), None);
        assert_eq!(Number::Float(1e19).unsigned(), Some(10_000_000_000_000_000_000));
        assert_eq!(Number::Float(1e2).signed(), Some(100));
        assert_eq!(Number::Signed(-1).unsigned(), None);
        assert_eq!(Number::Unsigned(u64::MAX).signed(), None);
    }

    #[test]
    fn only_json_numbers_are_read_from_strings() {
        assert_eq!(Number::parse("-5"), Some(Number::Signed(-5)));
        assert_eq!(Number::parse("1.0").and_then(Number::signed), Some(1));
        for text in ["", " 1", "1 ", "inf", "nan", "0x10", "1e999", "abc"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
