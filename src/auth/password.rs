//! Password hashes: bcrypt, as the `users.password` column has held them all along.
//!
//! Both functions take about half a second of CPU: call them off the shards' cores.

use super::AuthError;

/// 2^13 rounds: what the column's hashes were made with so far.
const COST: u32 = 13;

/// bcrypt looks at no more than this many bytes; a longer password would be cut without a word.
const PASSWORD_LEN_MAX: usize = 72;

/// Hashes a new password.
pub fn hash(password: &str) -> Result<String, AuthError> {
    hash_with_cost(password, COST)
}

fn hash_with_cost(password: &str, cost: u32) -> Result<String, AuthError> {
    if password.len() > PASSWORD_LEN_MAX {
        return Err(AuthError::Invalid("Password must be at most 72 bytes long."));
    }
    bcrypt::hash_with_result(password, cost)
        .map(|parts| parts.format_for_version(bcrypt::Version::TwoA))
        .map_err(|_| AuthError::Crypto)
}

/// Whether `password` is the one that `stored` was made from. A hash that cannot be read matches nothing.
pub fn matches(password: &str, stored: &[u8]) -> bool {
    // Older hashes may stem from longer passwords, cut at the bound: they must go on to match.
    std::str::from_utf8(stored)
        .is_ok_and(|stored| bcrypt::verify(password, stored).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest cost that bcrypt allows, so that the tests are quick.
    const QUICK: u32 = 4;

    #[test]
    fn a_hash_matches_its_password_and_no_other() {
        let stored = hash_with_cost("correct horse", QUICK).unwrap();
        assert!(stored.starts_with("$2a$04$"));
        assert!(matches("correct horse", stored.as_bytes()));
        assert!(!matches("correct hors", stored.as_bytes()));
        assert!(!matches("correct horse", b""));
        assert!(!matches("correct horse", b"$2a$04$short"));
        assert!(!matches("correct horse", &[0xff, 0xfe]));
    }

    #[test]
    fn a_hash_that_another_implementation_made_matches() {
        // Published test vectors of OpenBSD's bcrypt and of jBCrypt.
        assert!(matches("U*U", b"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
        assert!(matches(
            "abcdefghijklmnopqrstuvwxyz",
            b"$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"
        ));
    }

    #[test]
    fn a_new_password_that_bcrypt_would_cut_is_refused_but_an_old_one_still_matches() {
        let long = "x".repeat(73);
        assert!(matches!(hash_with_cost(&long, QUICK), Err(AuthError::Invalid(_))));
        let stored = hash_with_cost(&long[..72], QUICK).unwrap();
        assert!(matches(&long, stored.as_bytes()));
    }
}
