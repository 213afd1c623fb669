//! What is known of a call besides its request: who calls, from where, and how to find it in the logs.

use std::net::SocketAddr;

use http::HeaderValue;

use super::client_address::ClientAddress;
use crate::{auth::Session, error::Error, log::RequestId};

/// Who calls, as far as the call's rules asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Anybody: the call asks for nothing.
    Anybody,
    /// Somebody with the server key.
    Game,
    /// Somebody with the runtime's key: another server.
    Backend,
    /// A player with a session token.
    Player(Session),
}

/// The circumstances of one call.
pub struct Context {
    pub caller: Caller,
    /// Ties the log lines of this call together.
    pub request_id: RequestId,
    peer: SocketAddr,
    forwarded: Option<HeaderValue>,
    proxy_count: u32,
}

impl Context {
    /// `forwarded` is the `X-Forwarded-For` header, of which `proxy_count` entries are believed.
    pub fn new(
        caller: Caller,
        request_id: RequestId,
        peer: SocketAddr,
        (forwarded, proxy_count): (Option<HeaderValue>, u32),
    ) -> Self {
        Self { caller, request_id, peer, forwarded, proxy_count }
    }

    /// The session of the player who calls; an error for calls that do not ask for one.
    pub fn player(&self) -> Result<&Session, Error> {
        match &self.caller {
            Caller::Player(session) => Ok(session),
            Caller::Anybody | Caller::Game | Caller::Backend => {
                Err(Error::unauthenticated("Auth token required"))
            }
        }
    }

    /// Where the call comes from. Worked out only when somebody asks.
    pub fn client_address(&self) -> ClientAddress {
        let forwarded = self.forwarded.as_ref().and_then(|value| value.to_str().ok());
        ClientAddress::find(forwarded, self.peer, self.proxy_count)
    }
}
