//! Who uses the console: the administrator of the configuration, by token or by name and password.
//!
//! Tokens are JWTs with the claims of the protocol's console: `id`, `usn`, `ema`, `acl`, `exp`. The
//! access list is a bit map, in base64; the administrator's has every bit, and nobody else signs in yet.

use std::{net::IpAddr, rc::Rc};

use base64::{Engine, engine::general_purpose::STANDARD};
use kakera_proto::{
    console,
    routes::{ConsoleRpc, Service},
};
use kakera_shards::Clock;
use serde::{Deserialize, Serialize};

use super::Console;
use crate::{
    api::authorize::Shown,
    auth::{
        AuthError, Session, SharedKey, TokenKey,
        attempts::{AskAttempts, AttemptKey, AttemptRequest, Verdict},
        authorization,
        revocation::SessionCache,
    },
    config::Config,
    error::{Error, ErrorKind},
    ids::UserId,
    store::{Store, console_users},
};

/// Every bit of the access list: three for each of 30 resources, as version 3.40 counts them, in 12 bytes.
const ADMIN_ACL: &str = "________________";

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The call is open to everybody: signing in and out. From this address.
    Anybody(IpAddr),
    /// The administrator, by name.
    Admin(String),
}

#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(rename = "usn", default, skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(rename = "acl", default, skip_serializing_if = "String::is_empty")]
    access: String,
    #[serde(rename = "exp")]
    expires_at: i64,
}

/// Signing in to the console, on one shard.
pub struct SignIn {
    username: String,
    password: SharedKey,
    key: TokenKey,
    expiry_sec: i64,
    second_factor_required: bool,
    store: Store,
    clock: Clock,
    revoked: SessionCache,
    attempts: Rc<dyn AskAttempts>,
}

impl SignIn {
    /// # Errors
    /// Only where the JWT library cannot sign, to be reported while starting up.
    pub fn new(
        config: &Config,
        (store, clock): (Store, Clock),
        (revoked, attempts): (SessionCache, Rc<dyn AskAttempts>),
    ) -> Result<Self, AuthError> {
        let console = &config.console;
        Ok(Self {
            username: console.username.clone(),
            password: SharedKey::new(console.password.expose()),
            key: TokenKey::new(console.signing_key.expose())?,
            expiry_sec: i64::try_from(console.token_expiry_sec).unwrap_or(i64::MAX),
            second_factor_required: config.mfa.admin_account_enabled,
            store,
            clock,
            revoked,
            attempts,
        })
    }

    /// Whether the caller may make the call.
    pub(super) async fn authorize(
        &self,
        rpc: ConsoleRpc,
        shown: Shown<'_>,
        from: IpAddr,
    ) -> Result<Operator, Error> {
        if rpc.accepts().is_empty() {
            return Ok(Operator::Anybody(from));
        }
        let required = || Error::unauthenticated("Console authentication required.");
        let Shown::Header(header) = shown else { return Err(required()) };
        if let Some(token) = authorization::bearer(header) {
            return self.operator(token);
        }
        let Some(basic) = header.strip_prefix("Basic ") else { return Err(required()) };
        let invalid = || Error::unauthenticated("Console authentication invalid.");
        let (username, password) = name_and_password(basic).ok_or_else(invalid)?;
        if username != self.username || !self.may_try(&username, from).await {
            return Err(invalid());
        }
        if !self.password.accepts(&password) {
            self.failed(Some(&username), from).await;
            return Err(invalid());
        }
        self.refuse_second_factor().await?;
        Ok(Operator::Admin(username))
    }

    fn operator(&self, token: &str) -> Result<Operator, Error> {
        let invalid = || Error::unauthenticated("Token invalid.");
        let claims = self.claims(token).ok_or_else(invalid)?;
        let admin: UserId = claims.id.parse().map_err(|_| invalid())?;
        if !self.revoked.allows_session(&as_session(admin, token, claims.expires_at)) {
            return Err(invalid());
        }
        // The same key may have signed the token of somebody who may do less.
        if admin != UserId::NIL || claims.access != ADMIN_ACL {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                "Unauthorized: you do not have permissions to access this resource.",
            ));
        }
        Ok(Operator::Admin(claims.username))
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        let claims: Claims = serde_json::from_slice(&self.key.verify_claims(token)?).ok()?;
        (self.clock.unix_sec() < claims.expires_at).then_some(claims)
    }

    async fn sign_in(
        &self,
        request: &console::AuthenticateRequest,
        from: IpAddr,
    ) -> Result<console::ConsoleSession, Error> {
        if !self.may_try(&request.username, from).await {
            return Err(Error::new(ErrorKind::ResourceExhausted, "Try again later."));
        }
        let known = request.username == self.username;
        if !known || !self.password.accepts(&request.password) {
            // Names that do not exist are not remembered: anybody can invent them.
            self.failed(known.then_some(self.username.as_str()), from).await;
            return Err(Error::unauthenticated("Invalid credentials."));
        }
        self.refuse_second_factor().await?;
        self.attempts.attempt(AttemptRequest::Succeeded(account(&self.username))).await;
        let claims = Claims {
            id: UserId::NIL.to_string(),
            username: self.username.clone(),
            access: ADMIN_ACL.to_owned(),
            expires_at: self.clock.unix_sec().saturating_add(self.expiry_sec),
        };
        let token = self.key.sign_claims(&claims).map_err(AuthError::from)?;
        Ok(console::ConsoleSession { token, mfa_code: None })
    }

    async fn sign_out(&self, token: &str) -> Result<(), Error> {
        // A token that is none has nothing to end, and nobody is told which ones are good.
        let Some(claims) = self.claims(token) else { return Ok(()) };
        let Ok(user) = claims.id.parse() else { return Ok(()) };
        let session = as_session(user, token, claims.expires_at);
        Ok(self.revoked.revoke_tokens(user, Some(&session), None).await?)
    }

    /// A second factor is not built: whoever asks for one is better kept out than let in without.
    async fn refuse_second_factor(&self) -> Result<(), Error> {
        if self.second_factor_required
            || console_users::admin_has_second_factor(&self.store).await?
        {
            return Err(Error::unimplemented("The console's second factor"));
        }
        Ok(())
    }

    async fn may_try(&self, username: &str, from: IpAddr) -> bool {
        for key in [account(username), AttemptKey::Address(from)] {
            if self.attempts.attempt(AttemptRequest::Check(key)).await != Some(Verdict::Allowed) {
                return false;
            }
        }
        true
    }

    async fn failed(&self, username: Option<&str>, from: IpAddr) {
        let keys = username.map(account).into_iter().chain([AttemptKey::Address(from)]);
        for key in keys {
            let verdict = self.attempts.attempt(AttemptRequest::Failed(key.clone())).await;
            if let Some(Verdict::LockedUntil(until_ms)) = verdict {
                tracing::info!(?key, until_ms, "too many failed sign-ins to the console");
            }
        }
    }
}

impl Console {
    pub(super) async fn authenticate(
        &self,
        operator: &Operator,
        request: &console::AuthenticateRequest,
    ) -> Result<console::ConsoleSession, Error> {
        match operator {
            Operator::Anybody(from) => self.services.sign_in.sign_in(request, *from).await,
            Operator::Admin(_) => Err(Error::internal("the call is open to everybody")),
        }
    }

    pub(super) async fn authenticate_logout(
        &self,
        _: &Operator,
        request: &console::AuthenticateLogoutRequest,
    ) -> Result<(), Error> {
        self.services.sign_in.sign_out(&request.token).await
    }
}

fn account(username: &str) -> AttemptKey {
    AttemptKey::Account(username.into())
}

/// The token as the table of revoked ones knows it: console tokens have no id but themselves.
fn as_session(user: UserId, token: &str, expires_at: i64) -> Session {
    Session {
        user_id: user,
        username: String::new(),
        vars: std::collections::BTreeMap::new(),
        token_id: token.to_owned(),
        expires_at,
        issued_at: 0,
    }
}

fn name_and_password(basic: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn the_administrators_access_list_has_every_bit_of_every_resource() {
        let bits = URL_SAFE_NO_PAD.decode(ADMIN_ACL).unwrap();
        assert!(bits.iter().all(|byte| *byte == 0xff));
        let resources = console::AclResources::HiroEnergy as usize + 1;
        assert_eq!(bits.len(), (resources * 3).div_ceil(8));
    }

    #[test]
    fn a_password_may_hold_a_colon() {
        let basic = STANDARD.encode("admin:pass:word");
        assert_eq!(name_and_password(&basic), Some(("admin".into(), "pass:word".into())));
        assert_eq!(name_and_password("?"), None);
    }
}
