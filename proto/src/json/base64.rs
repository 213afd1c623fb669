//! Base64 as protobuf's JSON reads it: both alphabets, with and without padding.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Appends the decoded bytes; on failure `out` is as it was.
pub(crate) fn decode(out: &mut Vec<u8>, text: &str) -> Result<(), base64::DecodeError> {
    let engine = if text.contains(['-', '_']) { &URL } else { &PLAIN };
    let at = out.len();
    engine.decode_vec(text, out).inspect_err(|_| out.truncate(at))
}

/// Appends the encoded text.
pub(super) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    let at = out.len();
    out.resize(at + bytes.len().div_ceil(3) * 4, 0);
    if let Some(room) = out.get_mut(at..) {
        // The room is exact, so this cannot fail.
        let _ = STANDARD.encode_slice(bytes, room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut out = b"kept".to_vec();
        let result = decode(&mut out, text);
        assert!(out.starts_with(b"kept"));
        result.ok().map(|()| out.split_off(4))
    }

    #[test]
    fn both_alphabets_are_read_with_and_without_padding() {
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(decoded(text).as_deref(), Some([0xfb, 0xff].as_slice()), "{text}");
        }
        assert_eq!(decoded("").as_deref(), Some([].as_slice()));
        assert_eq!(decoded("a*b="), None);
    }

    #[test]
    fn every_length_is_written_with_padding() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).collect();
            let mut out = Vec::new();
            encode(&mut out, &bytes);
            assert_eq!(out, STANDARD.encode(&bytes).into_bytes());
        }
    }
}
