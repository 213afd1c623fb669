//! A request's body: whole, within its bounds, decompressed.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kakera_shards::runtime;

use super::{
    compression::{self, DecodeError, Encoding},
    front::NetCounters,
    http::HttpLimits,
};
use crate::error::{Error, ErrorKind};

/// A flag and a length.
const GRPC_PREFIX_LEN: usize = 5;

/// Why a body was not taken, and the status where the error's own does not say it.
pub(super) struct Refused {
    pub(super) error: Error,
    pub(super) status: Option<StatusCode>,
    bound: Option<Bound>,
}

/// A bound that a body broke.
#[derive(Clone, Copy)]
enum Bound {
    Size,
    Time,
}

impl Refused {
    fn invalid(message: &'static str) -> Self {
        Self { error: Error::invalid(message), status: None, bound: None }
    }

    /// In gRPC's words, where they differ: a message that is too large exhausts a resource.
    pub(super) fn in_grpc(self) -> Self {
        if !matches!(self.bound, Some(Bound::Size)) {
            return self;
        }
        let error = Error::new(ErrorKind::ResourceExhausted, "The gRPC message is too large.");
        Self { error, ..self }
    }

    pub(super) fn count(&self, counters: &NetCounters) {
        match self.bound {
            None => {}
            Some(Bound::Size) => counters.bodies_too_large.increment(),
            Some(Bound::Time) => counters.bodies_too_slow.increment(),
        }
    }

    fn too_large() -> Self {
        // The reference's words and its 400.
        Self { bound: Some(Bound::Size), ..Self::invalid("http: request body too large") }
    }
}

/// Reads a body and decompresses it. A gRPC body has a prefix before its message, which the bound is not
/// for.
pub(super) async fn read(
    body: Incoming,
    headers: &mut HeaderMap,
    limits: &HttpLimits,
    is_grpc: bool,
) -> Result<Bytes, Refused> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let prefix_len = if is_grpc { GRPC_PREFIX_LEN } else { 0 };
    let bytes_max = limits.body_bytes_max.saturating_add(prefix_len);
    let collected = runtime::timeout(limits.read_timeout, collect(body, bytes_max));
    let body = collected.await.unwrap_or_else(|| {
        Err(Refused {
            error: Error::new(ErrorKind::DeadlineExceeded, "The request body came too slowly."),
            status: Some(StatusCode::REQUEST_TIMEOUT),
            bound: Some(Bound::Time),
        })
    })?;
    let Some(encoding) = Encoding::of_body(headers) else { return Ok(body) };
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    compression::decode(encoding, &body, limits.decoded_body_bytes_max).map_err(|error| match error
    {
        DecodeError::Corrupt => Refused::invalid("The compressed request body is corrupt."),
        DecodeError::TooLarge => Refused::too_large(),
    })
}

async fn collect(mut body: Incoming, max: usize) -> Result<Bytes, Refused> {
    if body.size_hint().lower() > max as u64 {
        return Err(Refused::too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refused::invalid("The request body is incomplete."))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > max {
            return Err(Refused::too_large());
        }
        // Most bodies come in one piece and are not copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
