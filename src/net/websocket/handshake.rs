//! The opening handshake (RFC 6455, section 4.2).

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header, request::Parts};
use tungstenite::handshake::derive_accept_key;

use crate::net::http::Response;

/// What is wrong with a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Bad {
    HttpVersion,
    NoUpgrade,
    NoConnectionUpgrade,
    Version,
    Key,
}

/// The 101 that answers a good handshake.
pub(in crate::net) fn handshake(head: &Parts) -> Result<Response, Bad> {
    let headers = &head.headers;
    if head.version != Version::HTTP_11 {
        return Err(Bad::HttpVersion);
    }
    if !lists(headers, &header::UPGRADE, "websocket") {
        return Err(Bad::NoUpgrade);
    }
    if !lists(headers, &header::CONNECTION, "upgrade") {
        return Err(Bad::NoConnectionUpgrade);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) != Some(b"13") {
        return Err(Bad::Version);
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else { return Err(Bad::Key) };
    if !is_key(key.as_bytes()) {
        return Err(Bad::Key);
    }
    let accept = derive_accept_key(key.as_bytes());
    let accept = HeaderValue::try_from(accept).map_err(|_| Bad::Key)?;
    let mut response = Response::empty(StatusCode::SWITCHING_PROTOCOLS);
    response.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

impl Bad {
    pub(in crate::net) fn response(self) -> Response {
        let (status, text) = match self {
            Self::HttpVersion => (StatusCode::BAD_REQUEST, "WebSocket needs HTTP/1.1.\n"),
            Self::NoUpgrade => (StatusCode::UPGRADE_REQUIRED, "This path speaks WebSocket.\n"),
            Self::NoConnectionUpgrade => {
                (StatusCode::BAD_REQUEST, "The connection header must list upgrade.\n")
            }
            Self::Version => (StatusCode::BAD_REQUEST, "Only version 13 of WebSocket is spoken.\n"),
            Self::Key => {
                (StatusCode::BAD_REQUEST, "One WebSocket key of 16 bytes in base64 is needed.\n")
            }
        };
        let mut response = Response::new(status, "text/plain; charset=utf-8", text);
        match self {
            Self::NoUpgrade => {
                let headers = &mut response.headers;
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            }
            Self::Version => {
                let version = HeaderValue::from_static("13");
                response.headers.insert(header::SEC_WEBSOCKET_VERSION, version);
            }
            Self::HttpVersion | Self::NoConnectionUpgrade | Self::Key => {}
        }
        response
    }
}

fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(wanted))
}

/// 16 bytes are 22 characters of base64 and two of padding; the last carries two bits.
fn is_key(key: &[u8]) -> bool {
    let Some((digits, b"==")) = key.split_last_chunk::<2>() else { return false };
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    digits.len() == 22 && digits.iter().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> http::request::Builder {
        http::Request::get("/ws")
            .header("Host", "localhost")
            .header("Upgrade", "websocket")
            .header("Connection", "keep-alive, Upgrade")
            .header("Sec-WebSocket-Version", "13")
    }

    fn answer(builder: http::request::Builder) -> Result<Response, Bad> {
        handshake(&builder.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_sample_of_the_rfc_is_accepted() {
        let response =
            answer(request().header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")).unwrap();
        assert_eq!(response.status, 101);
        assert_eq!(response.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers.contains_key("sec-websocket-extensions"));
    }

    #[test]
    fn a_missing_short_or_doubled_key_is_a_bad_request() {
        let key = "Sec-WebSocket-Key";
        let good = "dGhlIHNhbXBsZSBub25jZQ==";
        for builder in [
            request(),
            request().header(key, "c2hvcnQ="),
            request().header(key, "dGhlIHNhbXBsZSBub25jZQ!="),
            request().header(key, good).header(key, good),
        ] {
            assert_eq!(answer(builder).unwrap_err(), Bad::Key);
        }
    }

    #[test]
    fn a_plain_request_is_told_to_upgrade() {
        let response = answer(http::Request::get("/ws")).unwrap_err().response();
        assert_eq!(
            (response.status.as_u16(), &response.headers["upgrade"]),
            (426, &HeaderValue::from_static("websocket"))
        );
    }

    #[test]
    fn another_version_hears_which_is_spoken() {
        let builder = http::Request::get("/ws")
            .header("Upgrade", "WebSocket")
            .header("Connection", "upgrade")
            .header("Sec-WebSocket-Version", "8")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let response = answer(builder).unwrap_err().response();
        assert_eq!(
            (response.status.as_u16(), &response.headers["sec-websocket-version"]),
            (400, &HeaderValue::from_static("13"))
        );
    }
}
