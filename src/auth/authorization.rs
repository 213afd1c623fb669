//! The `Authorization` header's two schemes, and the comparison of the keys in it.

use base64::{Engine, engine::general_purpose::STANDARD};

/// The token of `Bearer <token>`.
pub fn bearer(header: &str) -> Option<&str> {
    header.strip_prefix("Bearer ")
}

/// The user part of `Basic base64(user:password)`.
pub fn basic_user(header: &str) -> Option<String> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    String::from_utf8(decoded.get(..colon)?.to_vec()).ok()
}

/// One configured key that callers present as the user part of basic authorization, or bare.
///
/// The header that clients send for it is known beforehand, so the usual request is one comparison of
/// bytes, without decoding.
pub struct SharedKey {
    key: String,
    header: String,
}

impl SharedKey {
    pub fn new(key: impl Into<String>) -> Self {
        let key = key.into();
        let header = format!("Basic {}", STANDARD.encode(format!("{key}:")));
        Self { key, header }
    }

    /// Whether `header` is basic authorization with this key as its user; the password is not looked at.
    pub fn accepts_basic(&self, header: &str) -> bool {
        same(header, &self.header) || basic_user(header).is_some_and(|user| same(&user, &self.key))
    }

    /// Whether `presented` is the key itself.
    pub fn accepts(&self, presented: &str) -> bool {
        same(presented, &self.key)
    }
}

/// Equality that takes the same time wherever the first difference stands.
fn same(left: &str, right: &str) -> bool {
    left.len() == right.len()
        && left.bytes().zip(right.bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_accepted_with_any_password_and_refused_when_it_differs() {
        let key = SharedKey::new("defaultkey");
        let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(key.accepts_basic(&header("defaultkey:")));
        assert!(key.accepts_basic(&header("defaultkey:anything")));
        assert!(!key.accepts_basic(&header("defaultkey")), "without a colon it is no basic pair");
        assert!(!key.accepts_basic(&header("Defaultkey:")));
        assert!(!key.accepts_basic(&header("default:")));
        assert!(!key.accepts_basic("Basic !!!"));
        assert!(!key.accepts_basic("Bearer x"));
        assert!(!key.accepts_basic(""));
        assert!(key.accepts("defaultkey"));
        assert!(!key.accepts("defaultkey:"));
    }

    #[test]
    fn schemes_are_told_apart_by_their_exact_prefix() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer abc"), None);
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(basic_user("Basic Zm9vOmJhcg==").as_deref(), Some("foo"));
    }
}
