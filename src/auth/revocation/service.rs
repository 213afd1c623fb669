//! The shard's handle on its table, and the broadcast that keeps the tables alike.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use futures_util::future::LocalBoxFuture;

use super::{Revocations, Revoke, RevokedToken, TokenId, Why};
use crate::{
    auth::{AuthError, token::Session},
    ids::UserId,
};

/// Tells every shard, this one too, and resolves when all of them have applied it.
///
/// # Errors
/// [`AuthError::NotRevoked`] when a shard did not acknowledge in time: it may or may not have applied it.
/// [`AuthError::RevocationsFull`] when a shard refused.
pub trait Broadcast {
    fn revoke(&self, revoke: Revoke) -> LocalBoxFuture<'static, Result<(), AuthError>>;
}

/// Cheap to clone; one table per shard.
#[derive(Clone)]
pub struct SessionCache {
    table: Rc<RefCell<Revocations>>,
    peers: Rc<dyn Broadcast>,
}

impl SessionCache {
    pub fn new(table: Rc<RefCell<Revocations>>, peers: Rc<dyn Broadcast>) -> Self {
        Self { table, peers }
    }

    /// Whether a session token with these claims still counts.
    pub fn allows_session(&self, claims: &Session) -> bool {
        self.table.borrow().allows_session(claims.user_id, claims.expires_at, &claims.token_id)
    }

    /// Whether a refresh token with these claims still counts.
    pub fn allows_refresh(&self, claims: &Session) -> bool {
        self.table.borrow().allows_refresh(claims.user_id, claims.expires_at, &claims.token_id)
    }

    /// Revokes the tokens that a logout names; resolves when every shard knows.
    pub async fn revoke_tokens(
        &self,
        user: UserId,
        session: Option<&Session>,
        refresh: Option<&Session>,
    ) -> Result<(), AuthError> {
        let revoked = |claims: &Session| RevokedToken {
            id: TokenId::of(&claims.token_id),
            expires_at: claims.expires_at,
        };
        self.peers
            .revoke(Revoke::Tokens {
                user,
                session: session.map(revoked),
                refresh: refresh.map(revoked),
            })
            .await
    }

    /// Revokes everything issued to these users before `now_sec`; resolves when every shard knows.
    pub async fn revoke_users(
        &self,
        users: impl Into<Arc<[UserId]>>,
        now_sec: i64,
        why: Why,
    ) -> Result<(), AuthError> {
        let users = users.into();
        self.peers.revoke(Revoke::Users { users, before_sec: now_sec, why }).await
    }
}
