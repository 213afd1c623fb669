//! What identifiers, usernames, email addresses and passwords must look like.
//!
//! Lengths are in bytes. The sentences are what clients of the protocol already know.

use super::AuthError;

const DEVICE_ID_LEN: std::ops::RangeInclusive<usize> = 10..=128;
const CUSTOM_ID_LEN: std::ops::RangeInclusive<usize> = 6..=128;
const EMAIL_LEN: std::ops::RangeInclusive<usize> = 10..=255;
const USERNAME_LEN: std::ops::RangeInclusive<usize> = 1..=128;
const PASSWORD_LEN_MIN: usize = 8;
const GENERATED_USERNAME_LEN: usize = 10;
const USERNAME_ALPHABET: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Whether `text` has an ASCII control character.
fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_control())
}

/// Whether `text` has an ASCII control character or blank.
fn has_control_or_space(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ')
}

pub fn device_id(id: &str) -> Result<(), AuthError> {
    if id.is_empty() {
        Err(AuthError::Invalid("Device ID is required."))
    } else if has_control_or_space(id) {
        Err(AuthError::Invalid("Device ID invalid, no spaces or control characters allowed."))
    } else if !DEVICE_ID_LEN.contains(&id.len()) {
        Err(AuthError::Invalid("Device ID invalid, must be 10-128 bytes."))
    } else {
        Ok(())
    }
}

pub fn custom_id(id: &str) -> Result<(), AuthError> {
    custom_id_or(
        id,
        "Custom ID invalid, no spaces or control characters allowed.",
        "Custom ID invalid, must be 6-128 bytes.",
    )
}

/// The same rules, which links put in other words.
pub fn linked_custom_id(id: &str) -> Result<(), AuthError> {
    custom_id_or(
        id,
        "Invalid custom ID, no spaces or control characters allowed.",
        "Invalid custom ID, must be 6-128 bytes.",
    )
}

fn custom_id_or(id: &str, blank: &'static str, length: &'static str) -> Result<(), AuthError> {
    if id.is_empty() {
        Err(AuthError::Invalid("Custom ID is required."))
    } else if has_control_or_space(id) {
        Err(AuthError::Invalid(blank))
    } else if !CUSTOM_ID_LEN.contains(&id.len()) {
        Err(AuthError::Invalid(length))
    } else {
        Ok(())
    }
}

/// A username that a caller chose; blanks inside are allowed, control characters are not.
pub fn username(name: &str) -> Result<(), AuthError> {
    if has_control(name) {
        Err(AuthError::Invalid("Username invalid, no spaces or control characters allowed."))
    } else if !USERNAME_LEN.contains(&name.len()) {
        Err(AuthError::Invalid("Username invalid, must be 1-128 bytes."))
    } else {
        Ok(())
    }
}

pub fn email(address: &str) -> Result<(), AuthError> {
    email_characters(address)?;
    email_shape(address)
}

/// An address and its password, in the order in which links look at them.
pub fn linked_email(address: &str, password: &str) -> Result<(), AuthError> {
    email_characters(address)?;
    self::password(password)?;
    email_shape(address)
}

fn email_characters(address: &str) -> Result<(), AuthError> {
    if has_control_or_space(address) {
        Err(AuthError::Invalid("Invalid email address, no spaces or control characters allowed."))
    } else {
        Ok(())
    }
}

fn email_shape(address: &str) -> Result<(), AuthError> {
    if !looks_like_email(address) {
        Err(AuthError::Invalid("Invalid email address format."))
    } else if !EMAIL_LEN.contains(&address.len()) {
        Err(AuthError::Invalid("Invalid email address, must be 10-255 bytes."))
    } else {
        Ok(())
    }
}

/// Something, an at sign, something, a dot, something: only a confirmation mail could tell more.
fn looks_like_email(address: &str) -> bool {
    let Some((dot, _)) = address.char_indices().rev().skip(1).find(|(_, c)| *c == '.') else {
        return false;
    };
    let mut name = address.get(..dot).unwrap_or_default().chars();
    // One character stands before the at sign, and one between it and the dot.
    name.next_back().is_some() && name.next().is_some() && name.any(|c| c == '@')
}

/// An address as it is kept: each character in lower case by itself, so that it is the same on every server
/// of this protocol.
pub fn in_lower_case(address: &str) -> String {
    address.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

pub fn password(password: &str) -> Result<(), AuthError> {
    if password.len() < PASSWORD_LEN_MIN {
        Err(AuthError::Invalid("Password must be at least 8 characters long."))
    } else {
        Ok(())
    }
}

/// Ten letters out of one random number; 57 of its bits decide.
pub fn generated_username(mut random: u64) -> String {
    let letters = USERNAME_ALPHABET.len() as u64;
    (0..GENERATED_USERNAME_LEN)
        .filter_map(|_| {
            let letter = USERNAME_ALPHABET.get((random % letters) as usize);
            random /= letters;
            letter.map(|byte| char::from(*byte))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(result: Result<(), AuthError>) -> String {
        result.expect_err("must be refused").to_string()
    }

    #[test]
    fn an_address_is_lowered_character_by_character() {
        assert_eq!(in_lower_case("Ann@EXAMPLE.com"), "ann@example.com");
        assert_eq!(in_lower_case("İΣ@Σ"), "iσ@σ");
    }

    #[test]
    fn a_device_id_has_10_to_128_bytes_without_blanks() {
        assert!(device_id("0123456789").is_ok());
        assert!(device_id(&"x".repeat(128)).is_ok());
        assert!(refusal(device_id("")).contains("required"));
        assert!(refusal(device_id("012345678")).contains("10-128"));
        assert!(refusal(device_id(&"x".repeat(129))).contains("10-128"));
        for blank in [' ', '\t', '\n', '\r', '\u{b}', '\u{c}', '\0', '\u{7f}'] {
            assert!(refusal(device_id(&format!("01234{blank}6789"))).contains("no spaces"));
        }
    }

    #[test]
    fn a_custom_id_has_6_to_128_bytes_without_blanks() {
        assert!(custom_id("123456").is_ok());
        assert!(refusal(custom_id("")).contains("required"));
        assert!(refusal(custom_id("12345")).contains("6-128"));
        assert!(refusal(custom_id(&"é".repeat(65))).contains("6-128"), "bytes count, not letters");
        assert!(refusal(custom_id("12 456")).contains("no spaces"));
    }

    #[test]
    fn a_username_may_have_blanks_but_no_control_characters() {
        assert!(username("two words").is_ok());
        assert!(username("日本語").is_ok());
        assert!(username(&"x".repeat(128)).is_ok());
        assert!(refusal(username(&"x".repeat(129))).contains("1-128"));
        assert!(refusal(username("")).contains("1-128"));
        assert!(refusal(username("tab\there")).contains("control"));
    }

    #[test]
    fn an_email_address_needs_its_parts_and_10_to_255_bytes() {
        assert!(email("someone@example.com").is_ok());
        assert!(refusal(email("a@b.c")).contains("10-255"));
        assert!(refusal(email(&format!("{}@example.com", "x".repeat(250)))).contains("10-255"));
        for bad in ["someone.example.com", "@example.com", "someone@.", "someone@com", "some@.c"] {
            assert!(refusal(email(bad)).contains("format"), "{bad}");
        }
        assert!(refusal(email("some one@example.com")).contains("no spaces"));
        assert!(email("x@dotted.example.").is_ok(), "an earlier dot does");
    }

    #[test]
    fn a_password_has_at_least_8_bytes() {
        assert!(password("12345678").is_ok());
        assert!(refusal(password("1234567")).contains("at least 8"));
    }

    #[test]
    fn generated_usernames_are_ten_letters_and_follow_the_random_number() {
        let one = generated_username(0x0123_4567_89ab_cdef);
        assert_eq!(one.len(), GENERATED_USERNAME_LEN);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphabetic()));
        assert_ne!(one, generated_username(0x0123_4567_89ab_cdf0));
    }
}
