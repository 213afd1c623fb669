//! Unary gRPC over HTTP/2, on the requests and responses of the HTTP layer.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. A failure is answered without a
//! body, its status in the head ("trailers-only").

pub mod frame;
pub mod status;
pub mod timeout;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{ALLOW, CONTENT_TYPE},
};
use kakera_proto::{
    api,
    routes::{Credential, Rpc, Service},
};
use prost::Message;

use self::frame::Encoding;
use super::{
    Api,
    authorize::{Shown, authorize},
    call::Inbound,
    reply,
};
use crate::{
    error::{Error, ErrorKind},
    metrics::Transport,
    net::{Request, Response},
};

const CONTENT: &str = "application/grpc";
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const TIMEOUT: &str = "grpc-timeout";

/// Whether a request is gRPC, whichever port it came to.
pub fn is_grpc(request: &Request) -> bool {
    request.version == Version::HTTP_2
        && request
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.as_bytes().strip_prefix(CONTENT.as_bytes()))
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

impl Api {
    pub(super) async fn grpc(&self, request: Request) -> Response {
        if request.method != Method::POST {
            let mut response = reply::empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers.insert(ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        if !is_protobuf(&request.headers) {
            return reply::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        // The reply is packed as the request was, which is how clients ask for it.
        let encoding = Encoding::named(text(&request.headers, ENCODING.as_str()));
        let outcome = match encoding {
            Some(encoding) => self.grpc_call(&request, encoding).await,
            None => Err(Error::new(
                ErrorKind::Unimplemented,
                "The compression of the request is not known.",
            )),
        };
        match outcome {
            Ok(body) => success(body, encoding),
            Err(error) => failure(&error),
        }
    }

    async fn grpc_call(&self, request: &Request, encoding: Encoding) -> Result<Bytes, Error> {
        let path = request.uri.path();
        let rpc = Rpc::from_grpc_path(path).ok_or_else(|| {
            Error::new(ErrorKind::Unimplemented, format!("unknown method {path}"))
        })?;
        let asked = text(&request.headers, TIMEOUT)
            .map(|text| {
                timeout::parse(text).ok_or_else(|| Error::internal("malformed grpc-timeout"))
            })
            .transpose()?;
        let longest = self.settings.deadline;
        let deadline = asked.map_or(longest, |asked| asked.min(longest));
        let call = async {
            let len_max = self.settings.request_len_max;
            let message = frame::unary_message(&request.body, encoding, len_max)?;
            let accepted = rpc.accepts();
            // The key stands in the message, which is decoded for it only where nothing else is shown.
            let http_key = || {
                let of_function = accepted.contains(&Credential::HttpKey);
                let rpc = of_function.then(|| api::Rpc::decode(message.clone()).ok()).flatten()?;
                Some(rpc.http_key.into())
            };
            let shown = Shown::of(&request.headers);
            let Api { settings, services, .. } = self;
            let caller = authorize(accepted, shown, http_key, &settings.keys, &services.sessions)?;
            let context = self.context(caller, request);
            self.dispatch(rpc, &context, Inbound::Grpc { message, reply: encoding }).await
        };
        self.counted((Transport::Api, rpc.name()), request.body.len(), deadline, call).await
    }
}

fn is_protobuf(headers: &HeaderMap) -> bool {
    let content = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let format = content.strip_prefix(CONTENT.as_bytes()).unwrap_or_default();
    !format.starts_with(b"+") || format == b"+proto" || format.starts_with(b"+proto;")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn head() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
    headers
}

fn success(body: Bytes, encoding: Option<Encoding>) -> Response {
    let mut headers = head();
    if encoding == Some(Encoding::Gzip) {
        headers.insert(ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut trailers = HeaderMap::with_capacity(1);
    status::insert(&mut trailers, Ok(()));
    Response { status: StatusCode::OK, headers, body, trailers: Some(trailers) }
}

/// A response that is nothing but a status.
pub(super) fn failure(error: &Error) -> Response {
    let mut headers = head();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity,gzip"));
    status::insert(&mut headers, Err(error));
    Response { status: StatusCode::OK, headers, body: Bytes::new(), trailers: None }
}
