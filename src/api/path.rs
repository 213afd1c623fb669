//! Paths that are written another way than they are meant.

use std::borrow::Cow;

/// The path without empty, `.` and `..` segments; a slash at the end stays. `None` when it is so already,
/// which is the usual case and costs one look over it.
pub fn cleaned(path: &str) -> Option<String> {
    let odd = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.']);
    if path.starts_with('/') && !path.as_bytes().windows(2).any(odd) {
        return None;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let mut clean = String::with_capacity(path.len());
    for segment in &segments {
        clean.push('/');
        clean.push_str(segment);
    }
    if segments.is_empty() || path.ends_with('/') {
        clean.push('/');
    }
    (clean != path).then_some(clean)
}

/// The value of `key` in a query string, the first where it stands more than once.
pub fn query_value<'a>(query: &'a str, key: &str) -> Option<Cow<'a, str>> {
    query_pairs(query).find(|(name, _)| name == key).map(|(_, value)| value)
}

/// The decoded pairs of a query string. A pair that is not valid is left out.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((form_decoded(key)?, form_decoded(value)?))
    })
}

/// A percent-encoded part of a path. `None` when an escape is broken or the result is not text.
pub fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    decoded(text, false)
}

fn form_decoded(text: &str) -> Option<Cow<'_, str>> {
    decoded(text, true)
}

fn decoded(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| byte == b'%' || (plus_is_space && byte == b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                out.push((high * 16 + low) as u8);
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_path_stays_and_an_odd_one_is_put_straight() {
        for path in ["/", "/v2/account", "/v2/account/", "/v2/rpc/a.b"] {
            assert_eq!(cleaned(path), None, "{path}");
        }
        for (path, clean) in [
            ("//v2/account", "/v2/account"),
            ("/v2//account/", "/v2/account/"),
            ("/v2/./account", "/v2/account"),
            ("/v2/x/../account", "/v2/account"),
            ("/../../etc", "/etc"),
            ("//", "/"),
            ("", "/"),
            ("/v2/..", "/"),
        ] {
            assert_eq!(cleaned(path).as_deref(), Some(clean), "{path}");
        }
        assert_eq!(cleaned("/.well-known"), None, "a name may begin with a dot");
    }

    #[test]
    fn query_values_are_decoded_and_the_first_one_counts() {
        let query = "a=1&http_key=de%66ault+key&a=2&flag&bad=%zz&=empty";
        assert_eq!(query_value(query, "http_key").as_deref(), Some("default key"));
        assert_eq!(query_value(query, "a").as_deref(), Some("1"));
        assert_eq!(query_value(query, "flag").as_deref(), Some(""));
        assert_eq!(query_value(query, "bad"), None);
        assert_eq!(query_value(query, "none"), None);
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(percent_decoded("a+b%2Bc").as_deref(), Some("a+b+c"));
        assert_eq!(percent_decoded("%"), None);
        assert_eq!(percent_decoded("%ff"), None);
    }
}
