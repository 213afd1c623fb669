//! One call from its bytes to its reply's bytes: decode, before hook, handler, after hook, encode.
//!
//! HTTP and gRPC differ only in how a request is read and how a reply is written; everything between is
//! the same for both.

use bytes::Bytes;
use kakera_proto::{
    json::{self, Unset},
    routes::{Call, Matched, Rpc, Service},
};
use prost::Message;

use super::{
    Api,
    context::Context,
    grpc::frame::{self, Encoding},
};
use crate::error::{Error, ErrorKind};

/// A request as it came in.
pub enum Inbound<'a> {
    Http {
        matched: &'a Matched<'a, Rpc>,
        query: &'a str,
        body: &'a [u8],
    },
    /// The message without its frame, and how the reply is to be packed.
    Grpc {
        message: Bytes,
        reply: Encoding,
    },
}

impl Inbound<'_> {
    /// Reads the request of this call, lets `handler` answer it, and writes the reply.
    pub async fn answer<C>(
        self,
        api: &Api,
        context: &Context,
        handler: impl AsyncFnOnce(&Api, &Context, &C::Request) -> Result<C::Response, Error>,
    ) -> Result<Bytes, Error>
    where
        C: Call<Service = Rpc>,
    {
        let request: C::Request = match &self {
            Self::Http { matched, query, body } => {
                matched.decode(query, body).map_err(|error| Error::invalid(error.to_string()))?
            }
            Self::Grpc { message, .. } => C::Request::decode(message.clone())
                .map_err(|error| Error::internal(format!("The request cannot be read: {error}")))?,
        };
        // Here the before hook may change or refuse the request, once scripts run.
        let response = handler(api, context, &request).await;
        let response = response.inspect_err(|error| report::<C>(context, error))?;
        // And here the after hook sees both.
        Ok(match &self {
            Self::Http { .. } => json::to_vec(&response, Unset::Omit).into(),
            Self::Grpc { reply, .. } => frame::framed(&response, *reply),
        })
    }
}

/// What a client can do nothing about, and the operator can.
fn report<C: Call<Service = Rpc>>(context: &Context, error: &Error) {
    if matches!(error.kind, ErrorKind::Internal | ErrorKind::Unknown | ErrorKind::DataLoss) {
        let user = context.player().map(|session| session.user_id).ok();
        tracing::error!(
            rpc = C::RPC.name(),
            trace_id = %context.request_id,
            uid = user.map(tracing::field::display),
            %error,
            "a call failed"
        );
    }
}
