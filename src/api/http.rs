//! Requests over HTTP: the way to a call, and what browsers and old clients need around it.

use std::borrow::Cow;

use ::http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE, LOCATION, ORIGIN,
    },
};
use kakera_proto::routes::{Matched, Routed, Rpc, Service};

use super::{
    Api, Caller, Context,
    authorize::{Shown, authorize},
    call::Inbound,
    client_address::ClientAddress,
    path, reply, rpc,
};
use crate::{
    error::{Error, ErrorKind},
    metrics::Transport,
    net::{Request, Response},
};

const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

impl Api {
    /// Answers a request that is not gRPC.
    pub(super) async fn http(&self, request: Request) -> Response {
        let from_browser = request.headers.contains_key(ORIGIN);
        if request.method == Method::OPTIONS {
            // Who names no origin asks for nothing.
            return if from_browser { preflight() } else { reply::empty(StatusCode::OK) };
        }
        let mut response = self.plain(request).await;
        if from_browser {
            response.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
        }
        response
    }

    async fn plain(&self, request: Request) -> Response {
        let uri_path = request.uri.path();
        if let Some(clean) = path::cleaned(uri_path) {
            return moved(&clean, request.uri.query());
        }
        if uri_path == "/" && request.method == Method::GET {
            return reply::empty(StatusCode::OK);
        }
        if let Some(id) = rpc::requested(&request.method, uri_path) {
            return self.rpc_over_http(id, &request);
        }
        match self.routed(&request).await {
            Ok(response) => response,
            Err(error) => reply::error(&error),
        }
    }

    async fn routed(&self, request: &Request) -> Result<Response, Error> {
        let matched = match Rpc::route(request.method.as_str(), request.uri.path()) {
            Routed::Call(matched) => matched,
            Routed::WrongMethod => {
                return Err(Error::new(ErrorKind::Unimplemented, "Method Not Allowed"));
            }
            Routed::Unknown => return Err(Error::not_found("Not Found")),
            Routed::Malformed => return Err(Error::invalid("Bad Request")),
        };
        let rpc = matched.rpc;
        let call = async {
            let query = query(&matched, request)?;
            let query = query.as_ref();
            let caller = authorize(
                rpc.accepts(),
                Shown::of(&request.headers),
                || path::query_value(query, rpc::HTTP_KEY),
                &self.settings.keys,
                &self.services.sessions,
            )?;
            let context = self.context(caller, request);
            let inbound = Inbound::Http { matched: &matched, query, body: &request.body };
            self.dispatch(rpc, &context, inbound).await
        };
        let name = (Transport::Api, rpc.name());
        let deadline = self.settings.deadline;
        let body = self.counted(name, request.body.len(), deadline, call).await?;
        Ok(reply::json(StatusCode::OK, body))
    }

    /// What is known of a request's call once its caller was let in.
    pub(super) fn context(&self, caller: Caller, request: &Request) -> Context {
        let forwarded = ClientAddress::forwarded(&request.headers);
        let id = self.services.request_ids.next_id();
        Context::new(caller, id, request.peer, (forwarded, self.settings.proxy_count))
    }
}

/// The query, with the form that a browser sent in the body of a call that reads none.
fn query<'a>(matched: &Matched<'_, Rpc>, request: &'a Request) -> Result<Cow<'a, str>, Error> {
    let query = request.uri.query().unwrap_or_default();
    let is_form = || {
        let content = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = content.and_then(|content| content.split(';').next()).unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    };
    let posts = request.method == Method::POST || request.method == Method::PUT;
    if request.body.is_empty() || !posts || !matched.takes_form() || !is_form() {
        return Ok(query.into());
    }
    let form = std::str::from_utf8(&request.body).map_err(|_| Error::invalid("Bad Request"))?;
    Ok(format!("{form}&{query}").into())
}

/// Lets the page that asked, if it was one, read the answer.
pub(super) fn allow_origin(request: &HeaderMap, response: &mut Response) {
    if request.contains_key(ORIGIN) {
        response.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    }
}

/// What a browser asks before it sends a request to another origin: everything is allowed, because
/// nothing here rests on cookies.
fn preflight() -> Response {
    let mut response = reply::empty(StatusCode::OK);
    let headers = &mut response.headers;
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, User-Agent"),
    );
    // Browsers cap it at two hours or less.
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    response
}

fn moved(path: &str, query: Option<&str>) -> Response {
    let mut response = reply::empty(StatusCode::MOVED_PERMANENTLY);
    let location = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    // A path that came in a request line is a valid header.
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers.insert(LOCATION, location);
    }
    response
}
