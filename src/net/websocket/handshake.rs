//! The opening handshake (RFC 6455, section 4.2).

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header, request::Parts};
use tungstenite::handshake::derive_accept_key;

use crate::net::http::Response;

/// The 101 that answers a good handshake, or what to answer a bad one.
pub(in crate::net) fn handshake(head: &Parts) -> Result<Response, Response> {
    let headers = &head.headers;
    if head.version != Version::HTTP_11 {
        return Err(bad("WebSocket needs HTTP/1.1."));
    }
    if !lists(headers, &header::UPGRADE, "websocket") {
        let mut response = Response::new(
            StatusCode::UPGRADE_REQUIRED,
            "text/plain; charset=utf-8",
            "This path speaks WebSocket.\n",
        );
        response.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        response.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        return Err(response);
    }
    if !lists(headers, &header::CONNECTION, "upgrade") {
        return Err(bad("The connection header must list upgrade."));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) != Some(b"13") {
        let mut response = bad("Only version 13 of WebSocket is spoken.");
        response.headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(response);
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(bad("One WebSocket key is needed."));
    };
    if !is_key(key.as_bytes()) {
        return Err(bad("The WebSocket key is not 16 bytes in base64."));
    }
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()))
        .map_err(|_| Response::empty(StatusCode::INTERNAL_SERVER_ERROR))?;
    let mut response = Response::empty(StatusCode::SWITCHING_PROTOCOLS);
    response.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

fn bad(message: &'static str) -> Response {
    Response::new(StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", format!("{message}\n"))
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

    fn answer(builder: http::request::Builder) -> Result<Response, Response> {
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
            assert_eq!(answer(builder).unwrap_err().status, 400);
        }
    }

    #[test]
    fn a_plain_request_is_told_to_upgrade() {
        let response = answer(http::Request::get("/ws")).unwrap_err();
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
        let response = answer(builder).unwrap_err();
        assert_eq!(
            (response.status.as_u16(), &response.headers["sec-websocket-version"]),
            (400, &HeaderValue::from_static("13"))
        );
    }
}
