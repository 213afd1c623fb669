//! The console's port: every call of the console's service is routed, none is built yet.
//!
//! An unbuilt call answers 501 with gRPC code 12; its error body is that of calls with an empty list of
//! details, as console clients expect it.

use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use kakera_proto::routes::{ConsoleRpc, Routed, Service};
use serde::Serialize;

use crate::{
    error::{Error, ErrorKind},
    net::{HttpService, Request, Response},
};

/// What answers at the console's port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Console;

#[derive(Serialize)]
struct Body<'a> {
    code: u8,
    message: &'a str,
    details: [(); 0],
}

impl HttpService for Console {
    fn call(&self, request: Request) -> LocalBoxFuture<'_, Response> {
        ready(respond(&answer(&request))).boxed_local()
    }

    fn refuse(&self, _: &Request, error: &Error) -> Response {
        respond(error)
    }
}

fn answer(request: &Request) -> Error {
    let path = request.uri.path();
    match ConsoleRpc::route(request.method.as_str(), path) {
        Routed::Call(matched) => Error::unimplemented(matched.rpc.name()),
        Routed::WrongMethod => Error::new(ErrorKind::Unimplemented, "Method Not Allowed"),
        Routed::Malformed => Error::invalid("Bad Request"),
        Routed::Unknown if path == "/" => Error::unimplemented("The console"),
        Routed::Unknown => Error::not_found("Not Found"),
    }
}

fn respond(error: &Error) -> Response {
    let body = Body { code: error.kind.grpc_code(), message: &error.message, details: [] };
    // Texts and small numbers always have a JSON form.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = Response {
        status: error.kind.http_status(),
        headers: http::HeaderMap::new(),
        body: body.into(),
        trailers: None,
    };
    let headers = &mut response.headers;
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if response.status == StatusCode::UNAUTHORIZED
        && let Ok(message) = HeaderValue::try_from(error.message.as_ref())
    {
        headers.insert(WWW_AUTHENTICATE, message);
    }
    response
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, Version};
    use serde_json::{Value, json};

    use super::*;

    fn ask(method: &str, path: &str) -> (u16, Value) {
        let request = Request {
            method: method.parse::<Method>().unwrap(),
            uri: path.parse().unwrap(),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
            peer: ([127, 0, 0, 1], 1).into(),
            tls: false,
        };
        let response = Console.call(request).now_or_never().unwrap();
        (response.status.as_u16(), serde_json::from_slice(&response.body).unwrap())
    }

    #[test]
    fn every_call_is_routed_and_says_that_it_is_not_built() {
        for rpc in ConsoleRpc::ALL {
            for binding in rpc.definition().bindings {
                let path: Vec<&str> = binding
                    .path
                    .split('/')
                    .map(|part| if part.starts_with('{') { "x" } else { part })
                    .collect();
                let (status, body) = ask(binding.method.as_str(), &path.join("/"));
                assert_eq!((status, &body["code"]), (501, &json!(12)), "{}", binding.path);
                assert_eq!(body["details"], json!([]));
            }
        }
    }

    #[test]
    fn unknown_paths_are_not_found() {
        assert_eq!(ask("GET", "/v2/console/nothing").0, 404);
        assert_eq!(ask("GET", "/").0, 501);
    }
}
