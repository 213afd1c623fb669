//! A hash that is the same on every node, of every version: what decides who owns a key.

const PRIME_A: u64 = 0x9e37_79b9_7f4a_7c15;
const PRIME_B: u64 = 0xd6e8_feb8_6659_fd93;

/// Hashes the parts of a key, fed in a fixed order. Not `std`'s `Hash`, whose output may differ between
/// compilers and machines; and no defence against chosen keys, which can only crowd one shard.
///
/// The domain keeps keys of different kinds apart: a user's sessions and a user's status stream are
/// different keys of the same id.
#[derive(Clone, Copy, Debug)]
pub struct StableHash {
    state: u64,
    parts: u64,
}

impl StableHash {
    /// Starts a key of a kind.
    pub fn new(domain: &str) -> Self {
        Self { state: PRIME_A, parts: 0 }.bytes(domain.as_bytes())
    }

    /// Feeds a number.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.parts += 1;
        self.state = fold(self.state ^ value, PRIME_A ^ self.parts);
        self
    }

    /// Feeds a UUID or another value of sixteen bytes.
    #[must_use]
    pub fn bytes_16(self, value: &[u8; 16]) -> Self {
        let value = u128::from_le_bytes(*value);
        self.u64(value as u64).u64((value >> 64) as u64)
    }

    /// Feeds bytes of any length; the length is part of it, so `("ab", "c")` differs from `("a", "bc")`.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self = self.u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.u64(u64::from_le_bytes(last)).u64(bytes.len() as u64)
    }

    /// The hash, all of whose bits depend on all that was fed.
    pub fn finish(self) -> u64 {
        mix(self.state)
    }
}

/// Multiplies to 128 bits and folds the halves, as wyhash does.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64) ^ a.rotate_left(32)
}

/// A bijection of 64 bits that spreads each of them over all (the finisher of splitmix64).
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (value ^ (value >> 31)).wrapping_mul(PRIME_B | 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Nodes of different versions must agree, so these values never change.
    #[test]
    fn the_hash_of_known_keys_never_changes() {
        assert_eq!(StableHash::new("stream").finish(), 0xf45d_ac6e_6fd9_0739);
        assert_eq!(StableHash::new("stream").u64(1).finish(), 0x38bd_bd9d_26b3_9898);
        assert_eq!(StableHash::new("user").bytes_16(&[7; 16]).finish(), 0xff41_3ad1_b0d0_720c);
        assert_eq!(
            StableHash::new("room").bytes(b"lobby of the north").finish(),
            0xb3f3_60fc_bde1_a0c8
        );
    }

    #[test]
    fn the_parts_of_a_key_do_not_run_together() {
        let keys = [
            StableHash::new("k").bytes(b"ab").bytes(b"c"),
            StableHash::new("k").bytes(b"a").bytes(b"bc"),
            StableHash::new("k").bytes(b"abc"),
            StableHash::new("k").bytes(b"abc\0"),
            StableHash::new("kabc"),
            StableHash::new("k").bytes(b"").bytes(b"abc"),
        ];
        let hashes: HashSet<u64> = keys.iter().map(|key| key.finish()).collect();
        assert_eq!(hashes.len(), keys.len());
    }

    #[test]
    fn consecutive_numbers_spread_over_the_high_bits() {
        let mut counts = [0u32; 64];
        for i in 0..64_000 {
            counts[(StableHash::new("user").u64(i).finish() >> 58) as usize] += 1;
        }
        // 1,000 each on average, standard deviation 31.
        assert!(counts.iter().all(|&n| (800..1200).contains(&n)), "{counts:?}");
    }
}
