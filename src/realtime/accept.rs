//! The handshake: who may open a session, and in which format.

use std::{future::ready, rc::Rc};

use futures_util::future::{FutureExt, LocalBoxFuture};
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};

use super::{
    Realtime,
    connection::{Events, WsLine},
    open::{Query, announce, identity},
};
use crate::{
    api::ClientAddress,
    net::{Accept, Response, SocketEvents, SocketService, UpgradeRequest, WsSocket},
};

const TEXT: &str = "text/plain; charset=utf-8";

impl SocketService for Realtime {
    fn open(&self, request: UpgradeRequest) -> LocalBoxFuture<'_, Result<Accept, Response>> {
        // Everything is decided on the spot: a token is checked against this shard's own table.
        ready(self.admit(&request)).boxed_local()
    }
}

impl Realtime {
    #[allow(clippy::result_large_err, reason = "a refusal is a whole response, and rare")]
    fn admit(&self, request: &UpgradeRequest) -> Result<Accept, Response> {
        if let Some(gate) = &self.flood
            && let Some(refused) = gate.refuse_socket(&request.headers, request.peer)
        {
            return Err(refused);
        }
        let query = Query::parse(request.uri.query().unwrap_or_default())
            .map_err(|_| refusal(StatusCode::BAD_REQUEST, "Invalid format parameter\n"))?;
        let unauthorized = || refusal(StatusCode::UNAUTHORIZED, "Missing or invalid token\n");
        let token = match request.headers.get(AUTHORIZATION) {
            // A header wins over the query, also where it is no use.
            Some(value) => {
                value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).unwrap_or("")
            }
            None => &query.token,
        };
        let claims = self.auth.verify(token).ok_or_else(unauthorized)?;
        self.sessions
            .may_open()
            .map_err(|refused| refusal(StatusCode::SERVICE_UNAVAILABLE, refused.to_string()))?;

        let client = ClientAddress::of(&request.headers, request.peer, self.proxy_count);
        let port = client.port.map(|port| port.to_string()).unwrap_or_default();
        let identity = identity(claims, query.lang, (client.ip.to_string(), port));
        let (this, format, status) = (self.clone(), query.format, query.status);
        let start = move |socket: WsSocket| {
            let session = this.sessions.open(format, identity, Box::new(WsLine(socket)));
            announce(&this.presences, &session, status);
            Rc::new(Events(session)) as Rc<dyn SocketEvents>
        };
        Ok(Accept { headers: HeaderMap::new(), start: Box::new(start) })
    }
}

fn refusal(status: StatusCode, why: impl Into<String>) -> Response {
    Response::new(status, TEXT, why.into())
}
