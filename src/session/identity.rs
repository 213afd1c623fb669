//! Who is at the other end of a session.

use std::{collections::BTreeMap, sync::Arc};

use crate::ids::UserId;

/// What the session token and the handshake say of the client.
#[derive(Clone, Debug)]
pub struct Identity {
    pub user: UserId,
    pub username: Arc<str>,
    /// The variables of the session token.
    pub vars: BTreeMap<String, String>,
    pub token_id: Box<str>,
    /// Unix seconds at which the token was issued, and at which it expires.
    pub issued_at: i64,
    pub expires_at: i64,
    /// The `lang` parameter, `en` unless given.
    pub lang: Box<str>,
    /// The client's address and port, as the proxies in front of the server tell them.
    pub client_ip: Box<str>,
    pub client_port: Box<str>,
}
