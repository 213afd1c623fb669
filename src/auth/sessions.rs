//! Sessions without a socket: issuing, checking, refreshing and ending them.

use std::rc::Rc;

use kakera_shards::{Clock, Rng};

use super::{
    AuthError, Session, SignedIn, TokenPair, Tokens,
    revocation::{SessionCache, Why},
    sign_in::token_id,
    token::Vars,
};
use crate::{
    ids::UserId,
    store::{Store, users},
};

/// The sessions of one shard. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    tokens: Rc<Tokens>,
    cache: SessionCache,
    store: Store,
    clock: Clock,
    rng: Rng,
    single_session: bool,
}

impl Sessions {
    /// With `single_session` a sign-in ends what the user had before.
    pub fn new(
        tokens: Rc<Tokens>,
        cache: SessionCache,
        (store, clock, rng): (Store, Clock, Rng),
        single_session: bool,
    ) -> Self {
        Self { tokens, cache, store, clock, rng, single_session }
    }

    pub fn cache(&self) -> &SessionCache {
        &self.cache
    }

    /// Tokens for somebody who has just signed in.
    pub async fn open(&self, who: &SignedIn, vars: Vars) -> Result<TokenPair, AuthError> {
        let now_sec = self.clock.unix_sec();
        if self.single_session && !who.created {
            self.cache.revoke_users([who.user], now_sec, Why::SignIn).await?;
        }
        let session = Session {
            user_id: who.user,
            username: who.username.clone(),
            vars,
            token_id: token_id(&self.rng),
            expires_at: 0,
            issued_at: now_sec,
        };
        Ok(self.tokens.issue(session, now_sec)?)
    }

    /// Whose session token this is, if it is signed, unexpired and not revoked.
    pub fn verify(&self, token: &str) -> Option<Session> {
        let session = self.tokens.verify_session(token, self.clock.unix_sec())?;
        self.cache.allows_session(&session).then_some(session)
    }

    /// New tokens for a refresh token, with the account's present name; `vars` replace those of the
    /// token unless they are empty. Id and issue time stay.
    pub async fn refresh(&self, token: &str, vars: Vars) -> Result<TokenPair, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Invalid("Refresh token is required."));
        }
        let mut session = self
            .tokens
            .verify_refresh(token, self.clock.unix_sec())
            .filter(|session| self.cache.allows_refresh(session))
            .ok_or(AuthError::RefreshTokenRefused)?;
        let known = users::sign_in::by_id(&self.store, session.user_id).await?;
        let known = known.ok_or(AuthError::AccountNotFound)?;
        if known.disable_time.is_set() {
            return Err(AuthError::Banned);
        }
        session.username = known.username;
        if !vars.is_empty() {
            session.vars = vars;
        }
        Ok(self.tokens.issue(session, self.clock.unix_sec())?)
    }

    /// Ends what the tokens name, or with neither of them everything that the user has. Empty is none.
    pub async fn logout(&self, user: UserId, token: &str, refresh: &str) -> Result<(), AuthError> {
        let now_sec = self.clock.unix_sec();
        let own = |session: &Session| session.user_id == user;
        let session = (!token.is_empty())
            .then(|| {
                let session = self.tokens.verify_session(token, now_sec).filter(own);
                session.ok_or(AuthError::SessionTokenInvalid)
            })
            .transpose()?;
        let refresh = (!refresh.is_empty())
            .then(|| {
                let refresh = self.tokens.verify_refresh(refresh, now_sec).filter(own);
                refresh.ok_or(AuthError::RefreshTokenInvalid)
            })
            .transpose()?;
        if session.is_none() && refresh.is_none() {
            return self.cache.revoke_users([user], now_sec, Why::Logout).await;
        }
        self.cache.revoke_tokens(user, session.as_ref(), refresh.as_ref()).await
    }

    /// Ends everything that these users have, who are banned or deleted.
    pub async fn end_all(&self, users: &[UserId]) -> Result<(), AuthError> {
        self.cache.revoke_users(users, self.clock.unix_sec(), Why::Ended).await
    }
}
