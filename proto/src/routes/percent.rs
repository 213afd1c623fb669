//! Percent-decoding (RFC 3986, section 2.1).

use std::borrow::Cow;

/// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a `+` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plus {
    /// In paths.
    Itself,
    /// In queries.
    Space,
}

/// The decoded text; borrowed if there was nothing to decode.
pub(super) fn decode(text: &str, plus: Plus) -> Result<Cow<'_, str>, Malformed> {
    let coded = |byte: &u8| *byte == b'%' || (*byte == b'+' && plus == Plus::Space);
    if !text.as_bytes().iter().any(coded) {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, rest @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(Malformed);
                out.push((digit(*high)? << 4 | digit(*low)?) as u8);
                rest
            }
            [b'%', ..] => return Err(Malformed),
            [b'+', rest @ ..] if plus == Plus::Space => {
                out.push(b' ');
                rest
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
        };
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_plus_is_a_space_in_queries_only() {
        assert_eq!(decode("a%2Fb%c3%A9+", Plus::Itself).as_deref(), Ok("a/bé+"));
        assert_eq!(decode("a+b%2B", Plus::Space).as_deref(), Ok("a b+"));
        assert!(matches!(decode("plain", Plus::Space), Ok(Cow::Borrowed("plain"))));
    }

    #[test]
    fn broken_escapes_and_broken_utf8_are_malformed() {
        for text in ["%", "a%2", "%zz", "%+1", "%ff", "%c3"] {
            assert_eq!(decode(text, Plus::Itself), Err(Malformed), "{text}");
        }
    }
}
