//! What an address hears that sends too many requests.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, ORIGIN, RETRY_AFTER},
};

use super::{client_address::ClientAddress, grpc, reply};
use crate::{
    config::Config,
    error::{Error, ErrorKind},
    flood::{AddressTable, Refusal},
    net::{Request, Response},
};

/// How gRPC clients are told when to come back (the protocol's retry design, A6).
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// Decides by its address whether a request is answered. Clones share one table.
#[derive(Clone)]
pub struct FloodGate {
    addresses: Rc<AddressTable>,
    /// How many proxies' entries are believed; `None` looks at no header.
    proxy_count: Option<u32>,
}

impl FloodGate {
    pub fn new(config: &Config, addresses: Rc<AddressTable>) -> Self {
        let proxy_count = config.flood.trust_forwarded.then_some(config.socket.proxy_count);
        Self { addresses, proxy_count }
    }

    /// The answer to a request that is not served.
    pub(super) fn refusal(&self, request: &Request) -> Option<Response> {
        let refusal = self.check(&request.headers, request.peer).err()?;
        let mut response = if grpc::is_grpc(request) {
            let mut response = grpc::failure(&error());
            let pushback = u64::try_from(refusal.retry_after.as_millis()).unwrap_or(u64::MAX);
            response.headers.insert(PUSHBACK, pushback.into());
            response
        } else {
            reply::error(&error())
        };
        if request.headers.contains_key(ORIGIN) {
            response.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Self::mark(&mut response, refusal);
        Some(response)
    }

    /// The same for the handshake of a socket, in the words of its refusals.
    pub fn refuse_socket(&self, headers: &HeaderMap, peer: SocketAddr) -> Option<Response> {
        let refusal = self.check(headers, peer).err()?;
        let error = error();
        let text = format!("{error}\n");
        let mut response =
            Response::new(error.kind.http_status(), "text/plain; charset=utf-8", text);
        Self::mark(&mut response, refusal);
        Some(response)
    }

    fn check(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Refusal> {
        self.addresses.request(self.address(headers, peer))
    }

    fn address(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        let Some(proxy_count) = self.proxy_count else { return peer.ip() };
        ClientAddress::of(headers, peer, proxy_count).ip
    }

    fn mark(response: &mut Response, Refusal { retry_after, close }: Refusal) {
        response.headers.insert(RETRY_AFTER, whole_seconds(retry_after).into());
        if close {
            response.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

fn error() -> Error {
    Error::new(ErrorKind::ResourceExhausted, "Too many requests, try again later.")
}

/// `Retry-After` knows no fractions.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_may_come_back_when_the_time_is_over_and_not_before() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
        assert_eq!(whole_seconds(Duration::from_millis(2001)), 3);
    }
}
