//! What a shard can be told about revocation. Every shard gets every message.

use std::sync::Arc;

use crate::ids::UserId;

/// A token by the id and expiry in its claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    pub token_id: Arc<str>,
    /// Unix seconds.
    pub expires_at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// A logout that names its tokens.
    Tokens { user: UserId, session: Option<RevokedToken>, refresh: Option<RevokedToken> },
    /// All tokens of these users issued before this second: logout of everything, ban, deletion.
    Users { users: Arc<[UserId]>, before_sec: i64 },
}
