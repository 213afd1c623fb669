//! What one of the databases refuses, or makes more of than was written: refused before either sees it,
//! so that a value is good on both or on none.
//!
//! PostgreSQL keeps no NUL in a text, no time before its first Julian day, nothing in a `jsonb` that is no
//! character, and its numbers written out: `1e100000` is a hundred thousand digits whenever it is read.

use super::{
    error::StoreError,
    value::{Param, Timestamp},
};

/// The first time that PostgreSQL keeps, at the midnight before 24 November 4714 BC. Its last one lies
/// behind the last [`Timestamp`].
const TIME_MIN: Timestamp = Timestamp(-210_866_803_200_000_000);

/// Digits that the exponents of any document may stand for.
const EXPONENT_DIGITS_FREE: usize = 4096;
/// And for each byte of it.
const EXPONENT_DIGITS_PER_BYTE: usize = 8;

/// [`StoreError::Check`] for the first parameter that cannot be kept.
pub(super) fn check(params: &[Param<'_>]) -> Result<(), StoreError> {
    let fault = params.iter().find_map(|param| match param {
        Param::Text(text) => text_fault(text),
        Param::Texts(texts) => texts.iter().find_map(|text| text_fault(text)),
        Param::Json(json) => json_fault(json),
        Param::Time(time) => (*time < TIME_MIN).then_some("a time before all times"),
        Param::Null
        | Param::Bool(_)
        | Param::I16(_)
        | Param::I32(_)
        | Param::I64(_)
        | Param::F64(_)
        | Param::Bytes(_)
        | Param::Uuid(_)
        | Param::Uuids(_)
        | Param::I64s(_) => None,
    });
    fault.map_or(Ok(()), |fault| Err(StoreError::Check(fault.into())))
}

fn text_fault(text: &str) -> Option<&'static str> {
    text.as_bytes().contains(&0).then_some("a NUL in a text")
}

/// Of a document that is known to be JSON; of anything else the answer means nothing.
fn json_fault(json: &str) -> Option<&'static str> {
    let mut rest = json.as_bytes();
    let mut last = 0_u8;
    let mut exponents = 0_usize;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => match string_end(after) {
                Ok(after) => after,
                Err(fault) => return Some(fault),
            },
            b'e' | b'E' if last.is_ascii_digit() => {
                exponents = exponents.saturating_add(exponent(after));
                after
            }
            _ => after,
        };
        last = byte;
    }
    let bound = EXPONENT_DIGITS_FREE + json.len().saturating_mul(EXPONENT_DIGITS_PER_BYTE);
    (exponents > bound).then_some("exponents beyond measure")
}

/// What follows a string that has begun.
fn string_end(mut rest: &[u8]) -> Result<&[u8], &'static str> {
    loop {
        let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
            return Ok(&[]);
        };
        let (found, after) = rest.get(at..).and_then(<[u8]>::split_first).unwrap_or((&b'"', &[]));
        if *found == b'"' {
            return Ok(after);
        }
        rest = match (after.first(), after.get(1..).and_then(code_unit)) {
            (Some(b'u'), Some((0, _))) => return Err("a NUL in a JSON text"),
            (Some(b'u'), Some((0xd800..=0xdbff, after))) => {
                let second = after.strip_prefix(b"\\u").and_then(code_unit);
                let Some((0xdc00..=0xdfff, after)) = second else { return Err(HALF) };
                after
            }
            (Some(b'u'), Some((0xdc00..=0xdfff, _))) => return Err(HALF),
            (_, _) => after.get(1..).unwrap_or_default(),
        };
    }
}

const HALF: &str = "half a character in a JSON text";

/// Four hexadecimal digits and what follows them.
fn code_unit(rest: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, after) = rest.split_first_chunk::<4>()?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok().map(|unit| (unit, after))
}

/// How far an exponent moves the point, either way.
fn exponent(rest: &[u8]) -> usize {
    let digits = rest.strip_prefix(b"-").or_else(|| rest.strip_prefix(b"+")).unwrap_or(rest);
    digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |sum: usize, digit| {
        sum.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_nul_is_no_text() {
        assert!(check(&[Param::from("a\0")]).is_err());
        assert!(check(&[Param::from(vec!["a".to_owned(), "\0".to_owned()])]).is_err());
        assert!(check(&[Param::from("\\u0000"), Param::from("e")]).is_ok());
    }

    #[test]
    fn a_time_lies_where_postgresql_has_times() {
        for good in [TIME_MIN, Timestamp::EPOCH, Timestamp::from_unix_sec(i64::MAX)] {
            assert!(check(&[good.into()]).is_ok(), "{good:?}");
        }
        for bad in [Timestamp(TIME_MIN.0 - 1), Timestamp::from_unix_sec(-300_000_000_000)] {
            assert!(check(&[bad.into()]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn escapes_are_whole_characters() {
        for good in [
            r#"{"a":"\u00e9 \ud83d\ude00 \\u0000 \\\\"}"#,
            r#"{"\ud83d\ude00":"\"\u0001"}"#,
            r#"["\\","\u0000"]"#.replace("\\u0000", "0").as_str(),
        ] {
            assert_eq!(json_fault(good), None, "{good}");
        }
        for bad in [
            r#"{"a":"\u0000"}"#,
            r#"{"\u0000":1}"#,
            r#"["\\\u0000"]"#,
            r#"["\ud800"]"#,
            r#"["\ud83d\u0041"]"#,
            r#"["\ud83dx"]"#,
            r#"["\udc00\ud800"]"#,
        ] {
            assert!(json_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_document_may_not_swell_by_its_exponents() {
        assert_eq!(json_fault(r#"{"a":1e308,"b":-2.5E-300,"c":"1e999999"}"#), None);
        let small: Vec<_> = (0..10_000).map(|n| format!("{n}e-7")).collect();
        assert_eq!(json_fault(&format!("[{}]", small.join(","))), None);
        for bad in ["[1e131000]", "[1.5E-99999]", "[1e99999999999999999999999999]"] {
            assert!(json_fault(bad).is_some(), "{bad}");
        }
        assert!(json_fault(&format!("[{}1]", "1e2000,".repeat(3))).is_some());
    }

    proptest! {
        #[test]
        fn what_the_parser_reads_whole_has_no_other_fault(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(json_fault(&json).is_some(), text.contains('\0'));
        }

        #[test]
        fn no_text_makes_it_panic(text in r#"[\\u"d8c0e1+-]{0,40}"#) {
            let _ = json_fault(&text);
        }
    }
}
