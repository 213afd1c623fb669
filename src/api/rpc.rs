//! Script functions: `/v2/rpc/{id}` over HTTP and `RpcFunc` over gRPC.
//!
//! The HTTP side stands apart from the other calls: it has its own rules for keys, its own error body,
//! and passes bodies through unread where the caller asks for it.

use std::convert::Infallible;

use ::http::Method;
use futures_util::future::{Ready, ready};
use kakera_proto::api;

use super::{
    Api, Caller, Context,
    authorize::{self, Shown},
    path, reply,
};
use crate::{
    auth::authorization,
    error::Error,
    net::{Request, Response},
};

pub(super) const HTTP_KEY: &str = "http_key";
const PREFIX: &str = "/v2/rpc/";

/// The id, still percent-encoded, when this is a call of a script function. Ids may hold slashes.
pub(super) fn requested<'p>(method: &Method, path: &'p str) -> Option<&'p str> {
    let id = path.strip_prefix(PREFIX)?;
    (method == Method::GET || method == Method::POST).then_some(id)
}

impl Api {
    pub(super) fn rpc_over_http(&self, id: &str, request: &Request) -> Response {
        let query = request.uri.query().unwrap_or_default();
        let answered = self.rpc_caller(request, query).and_then(|_| {
            let id = path::percent_decoded(id)
                .filter(|id| !id.is_empty())
                .ok_or_else(|| Error::invalid("RPC ID must be set"))?;
            run_function(&id)
        });
        match answered {
            Ok(never) => match never {},
            Err(error) => reply::rpc_error(&error),
        }
    }

    /// The key in the query wins over any header; basic authorization carries it too.
    fn rpc_caller(&self, request: &Request, query: &str) -> Result<Caller, Error> {
        let keys = &self.settings.keys;
        let wrong_key = || Error::unauthenticated("HTTP key invalid");
        if let Some(key) = path::query_value(query, HTTP_KEY).filter(|key| !key.is_empty()) {
            return if keys.http.accepts(&key) { Ok(Caller::Backend) } else { Err(wrong_key()) };
        }
        match Shown::of(&request.headers) {
            Shown::Nothing => Err(Error::unauthenticated("Auth token or HTTP key required")),
            Shown::Unreadable => Err(Error::unauthenticated("Auth token invalid")),
            Shown::Header(header) if keys.http.accepts_basic(header) => Ok(Caller::Backend),
            Shown::Header(header) if authorization::basic_user(header).is_some() => {
                Err(wrong_key())
            }
            Shown::Header(header) => authorize::player(header, &self.services.sessions),
        }
    }

    /// The call over gRPC.
    pub(super) fn rpc_func(
        _: &Self,
        _: &Context,
        request: &api::Rpc,
    ) -> Ready<Result<api::Rpc, Error>> {
        ready(if request.id.is_empty() {
            Err(Error::invalid("RPC ID must be set"))
        } else {
            run_function(&request.id).map(|never| match never {})
        })
    }
}

/// No script runtime yet, so no function is registered: every id is unknown.
fn run_function(_: &str) -> Result<Infallible, Error> {
    Err(Error::not_found("RPC function not found"))
}
