//! HTTP responses: heads that most replies share, and the error body.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::{
    error::{Error, ErrorKind},
    net::Response,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NEVER_CACHED: HeaderValue = HeaderValue::from_static("no-store, no-cache, must-revalidate");

/// The error body of calls.
#[derive(Serialize)]
struct Body<'a> {
    code: u8,
    message: &'a str,
}

/// The error body of script functions, which names the sentence twice.
#[derive(Serialize)]
struct RpcBody<'a> {
    error: &'a str,
    message: &'a str,
    code: u8,
}

/// A response without a body.
pub fn empty(status: StatusCode) -> Response {
    Response { status, headers: HeaderMap::new(), body: Bytes::new(), trailers: None }
}

/// A JSON response that nobody may cache.
pub fn json(status: StatusCode, body: Bytes) -> Response {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NEVER_CACHED);
    Response { status, headers, body, trailers: None }
}

/// The failure of a call.
pub fn error(error: &Error) -> Response {
    let body = Body { code: error.kind.grpc_code(), message: &error.message };
    let mut response = json(error.kind.http_status(), to_json(&body));
    if error.kind == ErrorKind::Unauthenticated
        && let Ok(message) = HeaderValue::try_from(error.message.as_ref())
    {
        response.headers.insert(WWW_AUTHENTICATE, message);
    }
    response
}

/// The failure of a script function.
pub fn rpc_error(error: &Error) -> Response {
    let body =
        RpcBody { error: &error.message, message: &error.message, code: error.kind.grpc_code() };
    json(error.kind.http_status(), to_json(&body))
}

fn to_json(body: &impl Serialize) -> Bytes {
    // Texts and small numbers always have a JSON form.
    serde_json::to_vec(body).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_status_code_and_sentence() {
        let response = error(&Error::not_found("User \"x\" not found."));
        assert_eq!(response.status, StatusCode::NOT_FOUND);
        assert_eq!(response.headers[CONTENT_TYPE], "application/json");
        assert_eq!(response.body, r#"{"code":5,"message":"User \"x\" not found."}"#);
        assert!(!response.headers.contains_key(WWW_AUTHENTICATE));
    }

    #[test]
    fn who_is_not_let_in_is_told_so_in_the_head_too() {
        let response = error(&Error::unauthenticated("Server key required"));
        assert_eq!(response.status, StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers[WWW_AUTHENTICATE], "Server key required");
    }

    #[test]
    fn the_error_of_a_script_function_names_the_sentence_twice() {
        let response = rpc_error(&Error::not_found("RPC function not found"));
        let body =
            r#"{"error":"RPC function not found","message":"RPC function not found","code":5}"#;
        assert_eq!(response.body, body);
    }
}
