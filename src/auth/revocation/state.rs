//! The table of one shard: pure and synchronous.

use super::{
    cutoffs::{CUTOFFS_MAX, Cutoffs},
    message::{Revoke, Why},
    tokens::{Kind, RevokedTokens},
};
use crate::{auth::AuthError, ids::UserId};

/// A sweep looks at this many users, or at this part of them where that is more: in proportion to what
/// falls due, and short.
const SWEEP_LEN_MIN: usize = 512;
const SWEEP_PART: usize = 64;

pub(super) fn sweep_len(len: usize) -> usize {
    SWEEP_LEN_MIN.max(len / SWEEP_PART)
}

/// What this shard knows to be revoked.
pub struct Revocations {
    session_expiry_sec: i64,
    refresh_expiry_sec: i64,
    cutoffs: Cutoffs,
    tokens: RevokedTokens,
    /// Sign-ins that could not end what was before them.
    left_out: u64,
    left_out_told: u64,
}

impl Revocations {
    /// The lifetimes are those of newly issued tokens: a token's issue time is its expiry less these,
    /// because a refresh keeps the claim that tells when it was first issued.
    pub fn new(session_expiry_sec: i64, refresh_expiry_sec: i64) -> Self {
        Self::bounded(session_expiry_sec, refresh_expiry_sec, CUTOFFS_MAX)
    }

    fn bounded(session_expiry_sec: i64, refresh_expiry_sec: i64, cutoffs_max: usize) -> Self {
        Self {
            session_expiry_sec,
            refresh_expiry_sec,
            cutoffs: Cutoffs::new(session_expiry_sec.max(refresh_expiry_sec), cutoffs_max),
            tokens: RevokedTokens::new(session_expiry_sec, refresh_expiry_sec),
            left_out: 0,
            left_out_told: 0,
        }
    }

    /// Whether a session token with these claims still counts.
    pub fn allows_session(&self, user: UserId, expires_at: i64, token_id: &str) -> bool {
        expires_at.saturating_sub(self.session_expiry_sec) >= self.cutoffs.of(user)
            && !self.tokens.holds(user, Kind::Session, token_id)
    }

    /// Whether a refresh token with these claims still counts.
    pub fn allows_refresh(&self, user: UserId, expires_at: i64, token_id: &str) -> bool {
        expires_at.saturating_sub(self.refresh_expiry_sec) >= self.cutoffs.of(user)
            && !self.tokens.holds(user, Kind::Refresh, token_id)
    }

    /// Applies one message. Applying it again changes nothing.
    ///
    /// # Errors
    /// [`AuthError::RevocationsFull`], with nothing applied of a message about tokens, and only the users
    /// that there was room for applied of one about users. A sign-in is never refused.
    pub fn apply(&mut self, revoke: &Revoke, now_sec: i64) -> Result<(), AuthError> {
        match revoke {
            Revoke::Tokens { user, session, refresh } => {
                self.tokens.add(*user, (*session, *refresh), now_sec)
            }
            Revoke::Users { users, before_sec, why } => {
                let mut full = false;
                for user in users.iter() {
                    full |= !self.cutoffs.raise(*user, *before_sec, *why);
                }
                match why {
                    Why::SignIn => self.left_out += u64::from(full),
                    Why::Logout | Why::Ended if full => return Err(AuthError::RevocationsFull),
                    Why::Logout | Why::Ended => {}
                }
                Ok(())
            }
        }
    }

    /// Forgets what has expired, so much at a time that it keeps up with what comes. Call it about once a
    /// second.
    pub fn sweep(&mut self, now_sec: i64) {
        self.cutoffs.sweep(now_sec);
        self.tokens.sweep(now_sec);
        if self.left_out > self.left_out_told {
            let sign_ins = self.left_out - self.left_out_told;
            tracing::warn!(sign_ins, "Older sessions live on: too many users have signed in anew.");
            self.left_out_told = self.left_out;
        }
    }

    /// Users of whom something is remembered; who has left in both ways counts twice.
    pub fn users_len(&self) -> usize {
        self.cutoffs.len() + self.tokens.users_len()
    }

    /// Single tokens that are remembered.
    pub fn tokens_len(&self) -> usize {
        self.tokens.len()
    }

    /// Sign-ins that did not end older sessions because there was no room, since the start.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::auth::revocation::{RevokedToken, TokenId, tokens::REVOKED_TOKENS_OF_USER_MAX};

    const SESSION_SEC: i64 = 60;
    const REFRESH_SEC: i64 = 3600;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    /// As a message holds it.
    #[allow(clippy::unnecessary_wraps)]
    fn token(id: &str, expires_at: i64) -> Option<RevokedToken> {
        Some(RevokedToken { id: TokenId::of(id), expires_at })
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
        Revoke::Users { users: Arc::from([user(n)]), before_sec, why: Why::Logout }
    }

    #[test]
    fn a_full_table_lets_everybody_sign_in_and_still_ends_what_is_banned() {
        let mut table = Revocations::bounded(SESSION_SEC, REFRESH_SEC, 2);
        let all =
            |n: u128, why| Revoke::Users { users: Arc::from([user(n)]), before_sec: 100, why };
        let allows = |table: &Revocations, n| table.allows_session(user(n), 99 + SESSION_SEC, "a");
        for n in 0..9 {
            table.apply(&all(n, Why::SignIn), 100).unwrap();
        }
        assert_eq!((table.users_len(), table.left_out()), (2, 7));
        assert!(!allows(&table, 1) && allows(&table, 2));
        table.apply(&all(1, Why::SignIn), 100).unwrap();
        assert_eq!(table.left_out(), 7, "who is known needs no room");
        table.apply(&all(2, Why::Logout), 100).unwrap_err();
        table.apply(&all(2, Why::Ended), 100).unwrap();
        assert!(!allows(&table, 2));
        let token = Revoke::Tokens { user: user(3), session: token("a", 160), refresh: None };
        table.apply(&token, 100).unwrap();
        assert!(!allows(&table, 3));
        table.sweep(101 + REFRESH_SEC);
        assert_eq!((table.users_len(), table.tokens_len()), (0, 0));
    }

    #[test]
    fn a_sweep_keeps_up_with_what_falls_due() {
        let (lifetime, rate) = (60, 2_000);
        let mut table = Revocations::new(10, lifetime);
        let mut longest = 0;
        for now in 0..5 * lifetime {
            for n in 0..rate {
                let users = Arc::from([user(n + rate * now as u128)]);
                let revoke = Revoke::Users { users, before_sec: now, why: Why::SignIn };
                table.apply(&revoke, now).unwrap();
            }
            table.sweep(now);
            longest = longest.max(table.users_len());
        }
        assert!(longest as i64 <= rate as i64 * (lifetime + 10), "{longest}");
        assert_eq!(table.left_out(), 0);
    }

    #[test]
    fn a_revoked_id_is_kept_for_as_long_as_a_token_refreshed_meanwhile_lives() {
        let mut table = Revocations::new(SESSION_SEC, REFRESH_SEC);
        // It has a second left; the other token of the same id was issued just now.
        let revoke = Revoke::Tokens { user: user(1), session: token("a", 101), refresh: None };
        table.apply(&revoke, 100).unwrap();
        let other = Revoke::Tokens { user: user(1), session: token("b", 170), refresh: None };
        table.apply(&other, 110).unwrap();
        assert!(!table.allows_session(user(1), 100 + SESSION_SEC, "a"));
        table.apply(&other, 100 + SESSION_SEC).unwrap();
        assert_eq!(table.tokens_len(), 1);
    }

    #[test]
    fn ids_of_other_servers_are_told_apart_too() {
        let (one, other) = (TokenId::of("x"), TokenId::of("y"));
        assert!(one != other && one == TokenId::of("x"));
        let ours = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
        assert_eq!(TokenId::of(ours), TokenId::of(&ours.to_uppercase()));
        assert_ne!(TokenId::of(ours), TokenId::of(&ours.replace('-', "")));
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
        assert_eq!(table.cutoffs.sweeps_len() + table.tokens.sweeps_len(), 0);
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
                let sweeps = table.cutoffs.sweeps_len() + table.tokens.sweeps_len();
                prop_assert!(sweeps >= table.users_len());
            }
        }
    }
}
