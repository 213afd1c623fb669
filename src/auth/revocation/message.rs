//! What a shard can be told about revocation. Every shard gets every message.

use std::sync::Arc;

use uuid::Uuid;

use crate::ids::UserId;

/// The id of a token as the tables keep it: the bytes of one of ours; of any other text, its digest. Ids
/// come out of signed tokens only, so nobody can choose two that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenId([u8; 16]);

impl TokenId {
    pub fn of(text: &str) -> Self {
        let ours = (text.len() == uuid::fmt::Hyphenated::LENGTH).then(|| Uuid::try_parse(text));
        match ours {
            Some(Ok(id)) => Self(id.into_bytes()),
            Some(Err(_)) | None => Self(md5::compute(text).0),
        }
    }
}

/// A token by the id and expiry in its claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    pub id: TokenId,
    /// Unix seconds.
    pub expires_at: i64,
}

/// Why all that a user has is revoked; the more it matters, the more room is kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A sign-in that leaves no older session. Where there is no room, the older ones live on.
    SignIn,
    Logout,
    /// A ban or a deletion.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// A logout that names its tokens.
    Tokens { user: UserId, session: Option<RevokedToken>, refresh: Option<RevokedToken> },
    /// All tokens of these users issued before this second.
    Users { users: Arc<[UserId]>, before_sec: i64, why: Why },
}
