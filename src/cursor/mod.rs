//! Cursors: where a listing goes on, in a form that clients carry but do not read.
//!
//! A cursor is stateless, so it stays good on another shard, another node and after a restart. It
//! holds a place in the list and what the request must still equal; it never says what its bearer may
//! see, so a list applies its own permissions and filters on every page. The checksum tells a mangled
//! cursor, or one of another list, from a good one. It keeps no secret and is no signature.

pub mod reference;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kakera_shards::StableHash;
use serde::{Serialize, de::DeserializeOwned};

/// The longest cursor that is looked at, in bytes; ours are far shorter.
pub const CURSOR_LEN_MAX: usize = 8 * 1024;

const CHECKSUM_LEN: usize = 4;

/// The cursor is not one that a list of this kind gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this list")]
pub struct BadCursor;

/// A cursor of a kind of list, such as `"friends"`. The text is URL-safe and has no padding.
pub fn encode(kind: &'static str, place: &impl Serialize) -> String {
    // A place is a plain struct of ours, which JSON can always hold.
    let place = serde_json::to_vec(place).unwrap_or_default();
    let mut bytes = Vec::with_capacity(CHECKSUM_LEN + place.len());
    bytes.extend_from_slice(&checksum(kind, &place));
    bytes.extend_from_slice(&place);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that [`encode`] put into a cursor of the same kind.
pub fn decode<T: DeserializeOwned>(kind: &'static str, cursor: &str) -> Result<T, BadCursor> {
    if cursor.len() > CURSOR_LEN_MAX {
        return Err(BadCursor);
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
    let (sum, place) = bytes.split_first_chunk::<CHECKSUM_LEN>().ok_or(BadCursor)?;
    if *sum != checksum(kind, place) {
        return Err(BadCursor);
    }
    serde_json::from_slice(place).map_err(|_| BadCursor)
}

fn checksum(kind: &str, place: &[u8]) -> [u8; CHECKSUM_LEN] {
    let hash = StableHash::new("cursor").bytes(kind.as_bytes()).bytes(place).finish();
    (hash as u32).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Place {
        after: String,
        score: i64,
    }

    proptest! {
        #[test]
        fn a_cursor_gives_back_its_place(after: String, score: i64) {
            let place = Place { after, score };
            let cursor = encode("friends", &place);
            prop_assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            prop_assert_eq!(decode::<Place>("friends", &cursor), Ok(place));
        }

        #[test]
        fn what_is_no_cursor_is_refused(text: String) {
            prop_assert_eq!(decode::<Place>("friends", &text), Err(BadCursor));
        }

        #[test]
        fn a_mangled_cursor_is_refused(at in 0_usize..64, to in "[A-Za-z0-9_-]") {
            let cursor = encode("friends", &Place { after: "somebody".to_owned(), score: 7 });
            let mut mangled = cursor.clone();
            let at = at % mangled.len();
            mangled.replace_range(at..=at, &to);
            prop_assume!(mangled != cursor);
            prop_assert_eq!(decode::<Place>("friends", &mangled), Err(BadCursor));
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let cursor = encode("friends", &Place { after: String::new(), score: 0 });
        assert_eq!(decode::<Place>("groups", &cursor), Err(BadCursor));
    }

    #[test]
    fn a_cursor_of_endless_length_is_refused() {
        let cursor = "A".repeat(CURSOR_LEN_MAX + 1);
        assert_eq!(decode::<Place>("friends", &cursor), Err(BadCursor));
    }
}
