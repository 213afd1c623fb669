//! What a request and its response are to the services above.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header};

use crate::error::Error;

/// Bounds of requests. Times count from where the server begins to wait.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Bytes of a request's head (HTTP/1.1) or of its header list (HTTP/2).
    pub head_bytes_max: usize,
    /// Header lines of an HTTP/1.1 request.
    pub headers_max: usize,
    /// Bytes of a body as it comes over the wire.
    pub body_bytes_max: usize,
    /// Bytes of a body that came compressed.
    pub decoded_body_bytes_max: usize,
    /// Requests of an HTTP/2 connection that run at once.
    pub streams_max: u32,
    /// From the first byte of a head to its last, and as long for the body after it; the TLS handshake
    /// belongs to the first head.
    pub read_timeout: Duration,
    /// Of the service.
    pub request_timeout: Duration,
    /// Between requests.
    pub idle_timeout: Duration,
    /// Response bodies from this length on are compressed for clients that accept it.
    pub compress_bytes_min: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            head_bytes_max: 8192,
            headers_max: 100,
            body_bytes_max: 256 << 10,
            decoded_body_bytes_max: 1 << 20,
            streams_max: 128,
            read_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_millis(59_500),
            idle_timeout: Duration::from_mins(1),
            compress_bytes_min: 1024,
        }
    }
}

/// A whole request.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    /// Decompressed.
    pub body: Bytes,
    /// The other end of the connection: a client or a proxy.
    pub peer: SocketAddr,
    pub tls: bool,
}

/// A whole response.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Sent after the body, as gRPC wants it.
    pub trailers: Option<HeaderMap>,
}

impl Response {
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), trailers: None }
    }

    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Self::empty(status);
        response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.body = body.into();
        response
    }
}

/// What answers requests. Panics are caught and answered 500; a response is dropped where the client
/// went away or the time was over.
pub trait HttpService: 'static {
    fn call(&self, request: Request) -> LocalBoxFuture<'_, Response>;

    /// The answer to a request that this layer refuses: too large, too slow, or not decodable. Its body
    /// is empty.
    fn refuse(&self, request: &Request, error: &Error) -> Response {
        let _ = request;
        let body = serde_json::json!({ "code": error.kind.grpc_code(), "message": error.message });
        Response::new(error.kind.http_status(), "application/json", body.to_string())
    }
}
