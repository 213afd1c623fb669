//! One call from its bytes to its reply's bytes: decode, handler, encode.

use bytes::Bytes;
use kakera_proto::{
    json,
    routes::{Call, ConsoleRpc, Matched, Service},
};

use super::{Console, Operator};
use crate::{
    error::{Error, ErrorKind},
    net::Request,
};

/// A request as it came in.
pub struct Inbound<'a> {
    pub matched: &'a Matched<'a, ConsoleRpc>,
    pub request: &'a Request,
}

impl Inbound<'_> {
    /// Reads the request of this call, lets `handler` answer it, and writes the reply.
    pub async fn answer<C>(
        self,
        console: &Console,
        operator: &Operator,
        handler: impl AsyncFnOnce(&Console, &Operator, &C::Request) -> Result<C::Response, Error>,
    ) -> Result<Bytes, Error>
    where
        C: Call<Service = ConsoleRpc>,
    {
        let query = self.request.uri.query().unwrap_or_default();
        let request: C::Request = self
            .matched
            .decode(query, &self.request.body)
            .map_err(|error| Error::invalid(error.to_string()))?;
        let response = handler(console, operator, &request).await;
        let response = response.inspect_err(|error| {
            if matches!(error.kind, ErrorKind::Internal | ErrorKind::Unknown) {
                tracing::error!(rpc = C::RPC.name(), %error, "a call of the console failed");
            }
        })?;
        Ok(json::to_vec(&response, ConsoleRpc::UNSET).into())
    }
}
