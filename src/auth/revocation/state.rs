//! The table of one shard: pure and synchronous.

use std::collections::VecDeque;

use hashbrown::{HashMap, hash_map::Entry};

use super::message::{Revoke, RevokedToken};
use crate::{auth::AuthError, ids::UserId};

/// Single tokens that a shard remembers.
pub const REVOKED_TOKENS_MAX: usize = 1 << 20;
/// Users that a shard remembers something about.
pub const REVOKED_USERS_MAX: usize = 1 << 20;
/// Single tokens of one user, so that nobody's comings and goings keep others from logging out.
pub const REVOKED_TOKENS_OF_USER_MAX: usize = 1024;
/// Users looked at by one sweep, so that it stays short.
const SWEEP_BATCH: usize = 512;

#[derive(Default)]
struct RevokedUser {
    /// Tokens issued before this second are revoked; 0 is none.
    before_sec: i64,
    sessions: Vec<RevokedToken>,
    refreshes: Vec<RevokedToken>,
}

impl RevokedUser {
    fn tokens(&self) -> usize {
        self.sessions.len() + self.refreshes.len()
    }

    fn forget_expired(&mut self, now_sec: i64) {
        self.sessions.retain(|token| token.expires_at > now_sec);
        self.refreshes.retain(|token| token.expires_at > now_sec);
    }
}

/// What this shard knows to be revoked.
pub struct Revocations {
    session_expiry_sec: i64,
    refresh_expiry_sec: i64,
    users: HashMap<UserId, RevokedUser>,
    tokens: usize,
    /// When to look at each user again, soonest first.
    sweeps: VecDeque<(i64, UserId)>,
}

impl Revocations {
    /// The lifetimes are those of newly issued tokens: a token's issue time is its expiry less these,
    /// because a refresh keeps the claim that tells when it was first issued.
    pub fn new(session_expiry_sec: i64, refresh_expiry_sec: i64) -> Self {
        Self {
            session_expiry_sec,
            refresh_expiry_sec,
            users: HashMap::new(),
            tokens: 0,
            sweeps: VecDeque::new(),
        }
    }

    /// Whether a session token with these claims still counts.
    pub fn allows_session(&self, user: UserId, expires_at: i64, token_id: &str) -> bool {
        self.users.get(&user).is_none_or(|revoked| {
            expires_at - self.session_expiry_sec >= revoked.before_sec
                && !names(&revoked.sessions, token_id)
        })
    }

    /// Whether a refresh token with these claims still counts.
    pub fn allows_refresh(&self, user: UserId, expires_at: i64, token_id: &str) -> bool {
        self.users.get(&user).is_none_or(|revoked| {
            expires_at - self.refresh_expiry_sec >= revoked.before_sec
                && !names(&revoked.refreshes, token_id)
        })
    }

    /// Applies one message. Applying it again changes nothing.
    ///
    /// # Errors
    /// [`AuthError::RevocationsFull`], with nothing applied of a message about tokens, and the users
    /// before the bound applied of one about users.
    pub fn apply(&mut self, revoke: &Revoke, now_sec: i64) -> Result<(), AuthError> {
        match revoke {
            Revoke::Tokens { user, session, refresh } => {
                if self.tokens + 2 > REVOKED_TOKENS_MAX {
                    return Err(AuthError::RevocationsFull);
                }
                let revoked = self.user(*user, now_sec)?;
                let before = revoked.tokens();
                revoked.forget_expired(now_sec);
                let full = revoked.tokens() + 2 > REVOKED_TOKENS_OF_USER_MAX;
                if !full {
                    add(&mut revoked.sessions, session.as_ref());
                    add(&mut revoked.refreshes, refresh.as_ref());
                }
                let after = revoked.tokens();
                self.tokens = self.tokens + after - before;
                if full {
                    return Err(AuthError::RevocationsFull);
                }
            }
            Revoke::Users { users, before_sec } => {
                for user in users.iter() {
                    let revoked = self.user(*user, now_sec)?;
                    revoked.before_sec = revoked.before_sec.max(*before_sec);
                }
            }
        }
        Ok(())
    }

    /// Forgets what has expired, a bounded number of users at a time. Call it about once a second.
    pub fn sweep(&mut self, now_sec: i64) {
        for _ in 0..SWEEP_BATCH {
            match self.sweeps.front() {
                Some((due, _)) if *due <= now_sec => {}
                Some(_) | None => return,
            }
            let Some((_, user)) = self.sweeps.pop_front() else { return };
            let Entry::Occupied(mut entry) = self.users.entry(user) else { continue };
            let lifetime = self.session_expiry_sec.max(self.refresh_expiry_sec);
            let revoked = entry.get_mut();
            let before = revoked.tokens();
            revoked.forget_expired(now_sec);
            let after = revoked.tokens();
            self.tokens = self.tokens + after - before;
            if after == 0 && revoked.before_sec + lifetime <= now_sec {
                entry.remove();
            } else {
                self.sweeps.push_back((now_sec + lifetime + 1, user));
            }
        }
    }

    /// Users that something is remembered about.
    pub fn users_len(&self) -> usize {
        self.users.len()
    }

    /// Single tokens that are remembered.
    pub fn tokens_len(&self) -> usize {
        self.tokens
    }

    fn user(&mut self, user: UserId, now_sec: i64) -> Result<&mut RevokedUser, AuthError> {
        let full = self.users.len() >= REVOKED_USERS_MAX;
        match self.users.entry(user) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(_) if full => Err(AuthError::RevocationsFull),
            Entry::Vacant(entry) => {
                let lifetime = self.session_expiry_sec.max(self.refresh_expiry_sec);
                self.sweeps.push_back((now_sec + lifetime + 1, user));
                Ok(entry.insert(RevokedUser::default()))
            }
        }
    }
}

fn names(tokens: &[RevokedToken], token_id: &str) -> bool {
    tokens.iter().any(|token| &*token.token_id == token_id)
}

/// Adds a token, or raises the expiry of one that is there: a refreshed token keeps its id.
fn add(tokens: &mut Vec<RevokedToken>, token: Option<&RevokedToken>) {
    let Some(token) = token else { return };
    match tokens.iter_mut().find(|other| other.token_id == token.token_id) {
        Some(known) => known.expires_at = known.expires_at.max(token.expires_at),
        None => tokens.push(token.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const SESSION_SEC: i64 = 60;
    const REFRESH_SEC: i64 = 3600;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    /// As a message holds it.
    #[allow(clippy::unnecessary_wraps)]
    fn token(id: &str, expires_at: i64) -> Option<RevokedToken> {
        Some(RevokedToken { token_id: Arc::from(id), expires_at })
    }

    #[test]
    fn one_who_comes_and_goes_without_end_keeps_nobody_else_from_leaving() {
        let mut table = Revocations::new(SESSION_SEC, REFRESH_SEC);
        let leave = |n: usize| Revoke::Tokens {
            user: user(1),
            session: token(&n.to_string(), 160),
            refresh: token(&n.to_string(), 3700),
        };
        let times = REVOKED_TOKENS_OF_USER_MAX / 2;
        for n in 0..times {
            table.apply(&leave(n), 100).unwrap();
        }
        assert!(table.apply(&leave(times), 100).is_err());
        assert!(!table.allows_session(user(1), 160, "0"), "what was revoked stays so");
        let other = Revoke::Tokens { user: user(2), session: token("a", 160), refresh: None };
        table.apply(&other, 100).unwrap();
        assert_eq!(table.tokens_len(), REVOKED_TOKENS_OF_USER_MAX + 1);
        table.apply(&leave(times), 160).unwrap();
        assert_eq!(table.tokens_len(), times + 3, "the sessions have expired");
    }

    fn everything(n: u128, before_sec: i64) -> Revoke {
        Revoke::Users { users: Arc::from([user(n)]), before_sec }
    }

    #[test]
    fn a_logged_out_session_token_leaves_the_refresh_token_and_other_users_alone() {
        let mut table = Revocations::new(SESSION_SEC, REFRESH_SEC);
        let revoke = Revoke::Tokens { user: user(1), session: token("a", 160), refresh: None };
        table.apply(&revoke, 100).unwrap();
        assert!(!table.allows_session(user(1), 160, "a"));
        assert!(table.allows_refresh(user(1), 3700, "a"));
        assert!(table.allows_session(user(1), 160, "b"));
        assert!(table.allows_session(user(2), 160, "a"));
    }

    #[test]
    fn a_session_token_refreshed_under_the_same_id_stays_revoked() {
        let mut table = Revocations::new(SESSION_SEC, REFRESH_SEC);
        let revoke =
            Revoke::Tokens { user: user(1), session: token("a", 160), refresh: token("a", 3700) };
        table.apply(&revoke, 100).unwrap();
        assert!(!table.allows_refresh(user(1), 3700, "a"));
        assert!(!table.allows_refresh(user(1), 3800, "a"));
        assert_eq!(table.tokens_len(), 2);
        table.apply(&revoke, 100).unwrap();
        assert_eq!(table.tokens_len(), 2, "the same again adds nothing");
    }

    #[test]
    fn logging_out_everywhere_spares_tokens_of_the_same_second_and_later() {
        let mut table = Revocations::new(SESSION_SEC, REFRESH_SEC);
        table.apply(&everything(1, 100), 100).unwrap();
        assert!(!table.allows_session(user(1), 99 + SESSION_SEC, "a"));
        assert!(table.allows_session(user(1), 100 + SESSION_SEC, "b"));
        assert!(!table.allows_refresh(user(1), 99 + REFRESH_SEC, "a"));
        assert!(table.allows_refresh(user(1), 100 + REFRESH_SEC, "b"));
        table.apply(&everything(1, 90), 101).unwrap();
        assert!(!table.allows_session(user(1), 99 + SESSION_SEC, "a"), "time does not go back");
    }

    #[test]
    fn entries_go_when_their_tokens_would_have_expired_and_not_before() {
        let mut table = Revocations::new(SESSION_SEC, REFRESH_SEC);
        let revoke =
            Revoke::Tokens { user: user(1), session: None, refresh: token("a", 100 + REFRESH_SEC) };
        table.apply(&revoke, 100).unwrap();
        table.apply(&everything(2, 100), 100).unwrap();
        table.sweep(100 + REFRESH_SEC);
        assert_eq!((table.users_len(), table.tokens_len()), (2, 1));
        table.sweep(100 + REFRESH_SEC + 1);
        assert_eq!((table.users_len(), table.tokens_len()), (0, 0));
        assert!(table.sweeps.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_remembered_matches_a_list_of_all_revocations(
            steps in proptest::collection::vec((0u128..4, 0u8..3, 0u8..4, 0i64..40), 1..60)
        ) {
            let mut table = Revocations::new(SESSION_SEC, REFRESH_SEC);
            type Entry = (u128, Option<i64>, Option<(String, i64)>);
            let mut log: Vec<Entry> = Vec::new();
            let mut now = 1_000;
            for (who, what, id, pause) in steps {
                now += pause;
                table.sweep(now);
                if what == 0 {
                    table.apply(&everything(who, now), now).unwrap();
                    log.push((who, Some(now), None));
                } else {
                    let expires_at = now + SESSION_SEC;
                    let revoke = Revoke::Tokens {
                        user: user(who), session: token(&id.to_string(), expires_at), refresh: None,
                    };
                    table.apply(&revoke, now).unwrap();
                    log.push((who, None, Some((id.to_string(), expires_at))));
                }
                // A token that is still unexpired is refused exactly when the log says so.
                for id in 0u8..4 {
                    for expires_at in [now + 1, now + SESSION_SEC / 2, now + SESSION_SEC] {
                        let revoked = log.iter().any(|(other, all, one)| {
                            *other == who
                                && (all.is_some_and(|at| expires_at - SESSION_SEC < at)
                                    || one.as_ref().is_some_and(|(o, e)| *o == id.to_string() && *e > now))
                        });
                        let allowed = table.allows_session(user(who), expires_at, &id.to_string());
                        // An expired revocation may be remembered a while longer; never shorter.
                        if revoked { prop_assert!(!allowed); }
                        if allowed { prop_assert!(!revoked); }
                    }
                }
                prop_assert!(table.sweeps.len() >= table.users_len());
            }
        }
    }
}
