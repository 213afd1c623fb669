//! The task of a connection: which protocol it speaks, its requests, and the way out to WebSocket.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header, request::Parts};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use kakera_shards::{runtime, socket::Stream};

use super::{
    body,
    compression::{self, Encoding},
    front::Shared,
    http::{Request, Response},
    http_io::{HttpIo, ShardExecutor, WholeBody},
    link::Link,
    watch::Watch,
    websocket::{self, Accept, UpgradeRequest},
};
use crate::error::{Error, ErrorKind};

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Where WebSocket connections begin.
const SOCKET_PATH: &str = "/ws";
/// A connection's window for bodies that come in.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of an HTTP/2 response that wait for the client's window.
const SEND_BUFFER: usize = 256 << 10;
/// hyper's read buffer: what a pipelining client may be ahead.
const READ_BUFFER: usize = 64 << 10;

/// A connection as its requests see it.
struct Connection {
    shared: Rc<Shared>,
    watch: Rc<Watch>,
    peer: SocketAddr,
    tls: bool,
    /// The 101 is on its way: what comes after it.
    upgrade: RefCell<Option<Accept>>,
}

/// Serves a connection to its end.
pub(super) async fn run(
    shared: Rc<Shared>,
    watch: Rc<Watch>,
    stream: Stream<Link>,
    peer: SocketAddr,
) {
    let tls = stream.transport().is_tls();
    let Some(multiplexed) = speaks_http2(&stream, &watch).await else { return watch.end() };
    let upgrade = RefCell::new(None);
    let connection = Rc::new(Connection { shared, watch: watch.clone(), peer, tls, upgrade });
    let io = HttpIo { stream, watch: watch.clone() };
    if multiplexed {
        watch.multiplexed();
        connection.http2(io).await;
    } else {
        connection.http1(io).await;
    }
    watch.end();
}

/// Looks at the first bytes. None where the connection ended before it said anything of use.
async fn speaks_http2(stream: &Stream<Link>, watch: &Watch) -> Option<bool> {
    let mut wanted = 1;
    poll_fn(|cx| {
        watch.listen(cx);
        loop {
            if watch.is_expired() || watch.is_draining() {
                return Poll::Ready(None);
            }
            let looked = stream.poll_peek(cx, wanted, |bytes| {
                let seen = bytes.len().min(PREFACE.len());
                (bytes.get(..seen) == PREFACE.get(..seen), seen)
            });
            match looked {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_) | Ok((_, 0))) => return Poll::Ready(None),
                Poll::Ready(Ok((false, _))) => return Poll::Ready(Some(false)),
                Poll::Ready(Ok((true, seen))) if seen == PREFACE.len() => {
                    return Poll::Ready(Some(true));
                }
                // The stream ended within the preface.
                Poll::Ready(Ok((true, seen))) if seen < wanted => return Poll::Ready(None),
                Poll::Ready(Ok((true, seen))) => wanted = seen + 1,
            }
        }
    })
    .await
}

/// Polls a connection until it ends (true) or its time is over or it fails (false).
async fn serve<C>(
    watch: &Watch,
    connection: &mut C,
    mut poll: impl FnMut(&mut C, &mut Context<'_>) -> Poll<hyper::Result<()>>,
    finish: impl Fn(&mut C),
) -> bool {
    let mut told = false;
    poll_fn(|cx| {
        watch.listen(cx);
        if watch.is_expired() {
            return Poll::Ready(false);
        }
        if watch.is_draining() && !told {
            told = true;
            finish(connection);
        }
        poll(connection, cx).map(|result| {
            if let Err(error) = &result {
                tracing::debug!(%error, "an HTTP connection ended early");
            }
            result.is_ok()
        })
    })
    .await
}

impl Connection {
    async fn http1(self: Rc<Self>, io: HttpIo) {
        let limits = &self.shared.config.http;
        let connection = self.clone();
        let service = service_fn(move |request| connection.clone().answer(request).boxed_local());
        let mut http = http1::Builder::new()
            .half_close(true)
            .header_read_timeout(None)
            .max_headers(limits.headers_max)
            .max_header_size(limits.head_bytes_max)
            .max_buf_size(READ_BUFFER.max(limits.head_bytes_max))
            .serve_connection(io, service);
        let ended =
            serve(&self.watch, &mut http, http1::Connection::poll_without_shutdown, |http| {
                Pin::new(http).graceful_shutdown();
            })
            .await;
        let upgrade = self.upgrade.take();
        if let (true, Some(accept)) = (ended, upgrade) {
            let parts = http.into_parts();
            let (link, unread) = parts.io.stream.into_parts();
            let mut first = BytesMut::from(parts.read_buf);
            first.extend_from_slice(&unread);
            self.watch.end();
            websocket::begin(&link, self.peer, &self.shared.config.websocket, accept, first);
        }
    }

    async fn http2(self: Rc<Self>, io: HttpIo) {
        let limits = &self.shared.config.http;
        let connection = self.clone();
        let service = service_fn(move |request| connection.clone().answer(request).boxed_local());
        let mut http = pin!(
            http2::Builder::new(ShardExecutor)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_send_buf_size(SEND_BUFFER)
                .max_concurrent_streams(limits.streams_max)
                .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
                .serve_connection(io, service)
        );
        serve(
            &self.watch,
            &mut http,
            |http, cx| http.as_mut().poll(cx),
            |http| http.as_mut().graceful_shutdown(),
        )
        .await;
    }

    /// Answers one request, whatever happens.
    async fn answer(
        self: Rc<Self>,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<WholeBody>, Infallible> {
        let _running = Running::new(self.watch.clone());
        let (head, body) = request.into_parts();
        if !names_its_host(&head) {
            let request = self.request(head);
            let mut response = self.refuse(&request, &Error::invalid("Bad Request"));
            response.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            return Ok(self.sent(response));
        }
        let sockets = self.shared.services.sockets.clone();
        if let Some(sockets) = sockets
            && head.method == Method::GET
            && head.uri.path() == SOCKET_PATH
        {
            let version = head.version;
            let kept = Kept::of(&head.method, &head.uri, version, &head.headers);
            let opened = AssertUnwindSafe(self.open_socket(&*sockets, head)).catch_unwind().await;
            let mut response =
                opened.unwrap_or_else(|panic| self.refuse(&self.kept(kept), &panicked(&*panic)));
            self.close_if_asked(version, &mut response);
            return Ok(self.sent(response));
        }
        let limits = &self.shared.config.http;
        let grpc = is_grpc(&head.headers);
        let encoding = if grpc { None } else { Encoding::accepted(&head.headers) };
        let version = head.version;
        let (mut request, body) = self.whole(head, body, grpc).await;
        let response = match body {
            Ok(body) => {
                request.body = body;
                self.call(request).await
            }
            Err(refused) => {
                refused.count(&self.shared.counters);
                let refused = if grpc { refused.in_grpc() } else { refused };
                let mut response = self.refuse(&request, &refused.error);
                if let (Some(status), false) = (refused.status, grpc) {
                    response.status = status;
                }
                // The rest of the body stays unread, so this connection can carry no other request.
                if request.version < Version::HTTP_2 {
                    response.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        };
        let mut response = response;
        self.close_if_asked(version, &mut response);
        if !grpc {
            compress(&mut response, encoding, limits.compress_bytes_min);
        }
        Ok(self.sent(response))
    }

    fn sent(&self, response: Response) -> hyper::Response<WholeBody> {
        let body = WholeBody::new(response.body, response.trailers, &self.watch);
        let mut http = hyper::Response::new(body);
        *http.status_mut() = response.status;
        *http.headers_mut() = response.headers;
        http
    }

    /// HTTP/1.1 closes after a response whose head says so. HTTP/2 has no such header: it takes no new
    /// requests, and ends with those at hand.
    fn close_if_asked(&self, version: Version, response: &mut Response) {
        if version == Version::HTTP_2 && response.headers.remove(header::CONNECTION).is_some() {
            self.watch.drain();
        }
    }

    /// A request without its body.
    fn request(&self, head: Parts) -> Request {
        Request {
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            body: Bytes::new(),
            peer: self.peer,
            tls: self.tls,
        }
    }

    fn kept(&self, kept: Kept) -> Request {
        let Kept { method, uri, version, headers } = kept;
        let named = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let (body, peer, tls) = (Bytes::new(), self.peer, self.tls);
        Request { method, uri, version, headers: named.collect(), body, peer, tls }
    }

    async fn whole(
        &self,
        head: Parts,
        body: Incoming,
        is_grpc: bool,
    ) -> (Request, Result<Bytes, body::Refused>) {
        let mut request = self.request(head);
        let body = body::read(body, &mut request.headers, &self.shared.config.http, is_grpc).await;
        (request, body)
    }

    async fn call(&self, request: Request) -> Response {
        let service = &self.shared.services.http;
        let kept = Kept::of(&request.method, &request.uri, request.version, &request.headers);
        let call = AssertUnwindSafe(async { service.call(request).await }).catch_unwind();
        match runtime::timeout(self.shared.config.http.request_timeout, call).await {
            Some(Ok(response)) => response,
            Some(Err(panic)) => self.refuse(&self.kept(kept), &panicked(&*panic)),
            None => {
                let error = Error::new(ErrorKind::DeadlineExceeded, "The request took too long.");
                self.refuse(&self.kept(kept), &error)
            }
        }
    }

    fn refuse(&self, request: &Request, error: &Error) -> Response {
        self.shared.services.http.refuse(request, error)
    }

    /// Asks the service, then checks the handshake, in the reference's order: who may not come in
    /// hears that first.
    async fn open_socket(&self, sockets: &dyn websocket::SocketService, head: Parts) -> Response {
        let handshake = websocket::handshake(&head);
        let request =
            UpgradeRequest { uri: head.uri, headers: head.headers, peer: self.peer, tls: self.tls };
        let opened =
            runtime::timeout(self.shared.config.http.request_timeout, sockets.open(request)).await;
        match (opened, handshake) {
            (None, _) => Response::empty(StatusCode::GATEWAY_TIMEOUT),
            (Some(Err(response)), _) => response,
            (Some(Ok(_)), Err(bad)) => bad.response(),
            (Some(Ok(accept)), Ok(mut response)) => {
                response.headers.extend(accept.headers.clone());
                self.upgrade.replace(Some(accept));
                response
            }
        }
    }
}

/// What a refusal needs to know of a request that went to its service.
struct Kept {
    method: Method,
    uri: http::Uri,
    version: Version,
    /// Those by which the answer is told: its protocol, and whether a browser asks.
    headers: [(HeaderName, Option<HeaderValue>); 2],
}

impl Kept {
    fn of(method: &Method, uri: &http::Uri, version: Version, headers: &http::HeaderMap) -> Self {
        let headers = [header::CONTENT_TYPE, header::ORIGIN].map(|name| {
            let value = headers.get(&name).cloned();
            (name, value)
        });
        Self { method: method.clone(), uri: uri.clone(), version, headers }
    }
}

/// Counts a request while it runs: until its response is ready to be sent, or its connection is over. Taking
/// the response counts as idle time; on HTTP/2 see also [`Watch::owe`].
struct Running(Rc<Watch>);

impl Running {
    fn new(watch: Rc<Watch>) -> Self {
        watch.request_begins();
        Self(watch)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

/// HTTP/1.1 wants one host named (RFC 9112, section 3.2): where there are none or two, those on the way
/// may each have read another.
fn names_its_host(head: &Parts) -> bool {
    head.version != Version::HTTP_11 || head.headers.get_all(header::HOST).iter().count() == 1
}

fn is_grpc(headers: &http::HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|value| value.starts_with(b"application/grpc"))
}

fn compress(response: &mut Response, encoding: Option<Encoding>, bytes_min: usize) {
    response.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(encoding) = encoding else { return };
    if response.body.len() < bytes_min || response.headers.contains_key(header::CONTENT_ENCODING) {
        return;
    }
    if let Some(body) = compression::encode(encoding, &response.body) {
        response.body = body;
        response.headers.remove(header::CONTENT_LENGTH);
        let name = HeaderValue::from_static(encoding.name());
        response.headers.insert(header::CONTENT_ENCODING, name);
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    runtime::report_panic("request", panic);
    Error::internal("The request failed.")
}
