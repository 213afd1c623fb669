//! The hash that finds a field by its name. `build.rs` uses it too, to look for a seed under which no two
//! names of a message meet: then one comparison decides.

/// Mixes a name's length, its first eight and its last eight bytes. The length keeps names apart that
/// padding makes equal; `build.rs` stops where that is not enough.
pub(crate) fn hash(name: &str, seed: u64) -> u64 {
    let bytes = name.as_bytes();
    let (head, tail) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
    };
    let mixed = head ^ tail.rotate_left(29) ^ bytes.len() as u64;
    // Both halves of the product: every bit that went in reaches the low bits.
    let product = u128::from(mixed) * u128::from(seed);
    product as u64 ^ (product >> 64) as u64
}
