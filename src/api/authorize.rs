//! Letting a caller in, by what the call accepts.

use std::borrow::Cow;

use http::{HeaderMap, header::AUTHORIZATION};
use kakera_proto::routes::Credential;

use super::context::Caller;
use crate::{
    auth::{Sessions, SharedKey, authorization},
    error::Error,
};

/// Where the reference's gateway puts the header; clients of its gRPC port use it too.
const GATEWAY_AUTHORIZATION: &str = "grpcgateway-authorization";

/// The keys of this server.
pub struct Keys {
    /// What games sign in with.
    pub server: SharedKey,
    /// What other servers call script functions with.
    pub http: SharedKey,
}

/// What a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    Nothing,
    Header(&'a str),
    /// More than one header, or one that is not text: nothing to choose from.
    Unreadable,
}

impl<'a> Shown<'a> {
    pub fn of(headers: &'a HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).iter().peekable();
        if values.peek().is_some() {
            return Self::single(values);
        }
        Self::single(headers.get_all(GATEWAY_AUTHORIZATION).iter())
    }

    fn single(mut values: impl Iterator<Item = &'a http::HeaderValue>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Nothing,
            (Some(value), None) => value.to_str().map_or(Self::Unreadable, Self::Header),
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }
}

/// Whether the caller may make a call that accepts one of `accepted`; nothing accepted means everybody.
/// `http_key` is asked for only where nothing else is shown.
pub fn authorize<'k>(
    accepted: &[Credential],
    shown: Shown<'_>,
    http_key: impl FnOnce() -> Option<Cow<'k, str>>,
    keys: &Keys,
    sessions: &Sessions,
) -> Result<Caller, Error> {
    let refused = |message| Err(Error::unauthenticated(message));
    match accepted {
        [] => Ok(Caller::Anybody),
        [Credential::ServerKey] => match shown {
            Shown::Header(header) if keys.server.accepts_basic(header) => Ok(Caller::Game),
            Shown::Header(_) => refused("Server key invalid"),
            Shown::Nothing | Shown::Unreadable => refused("Server key required"),
        },
        [Credential::Bearer] => match shown {
            Shown::Nothing => refused("Auth token required"),
            Shown::Unreadable => refused("Auth token invalid"),
            Shown::Header(header) => player(header, sessions),
        },
        [Credential::Bearer, Credential::HttpKey] => match shown {
            Shown::Unreadable => refused("Auth token invalid"),
            Shown::Header(header) => player(header, sessions),
            Shown::Nothing => match http_key().filter(|key| !key.is_empty()) {
                None => refused("Auth token or HTTP key required"),
                Some(key) if keys.http.accepts(&key) => Ok(Caller::Backend),
                Some(_) => refused("HTTP key invalid"),
            },
        },
        // Nothing else stands in the table of the players' interface.
        _ => refused("Auth token invalid"),
    }
}

/// The player whose session token stands in the header.
pub fn player(header: &str, sessions: &Sessions) -> Result<Caller, Error> {
    authorization::bearer(header)
        .and_then(|token| sessions.verify(token))
        .map(Caller::Player)
        .ok_or_else(|| Error::unauthenticated("Auth token invalid"))
}
