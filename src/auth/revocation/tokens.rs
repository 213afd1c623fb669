//! The single tokens that are revoked.

use std::collections::VecDeque;

use hashbrown::{HashMap, hash_map::Entry};

use super::{
    message::{RevokedToken, TokenId},
    state::sweep_len,
};
use crate::{auth::AuthError, ids::UserId};

/// Single tokens that a shard remembers.
pub const REVOKED_TOKENS_MAX: usize = 1 << 20;
/// Single tokens of one user, so that nobody's comings and goings keep others from logging out.
pub const REVOKED_TOKENS_OF_USER_MAX: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Session,
    Refresh,
}

#[derive(Clone, Copy)]
struct Entered {
    id: TokenId,
    kind: Kind,
    until_sec: i64,
}

pub(super) struct RevokedTokens {
    session_expiry_sec: i64,
    refresh_expiry_sec: i64,
    users: HashMap<UserId, Vec<Entered>>,
    len: usize,
    /// When to look at each user again, soonest first.
    sweeps: VecDeque<(i64, UserId)>,
}

impl RevokedTokens {
    pub(super) fn new(session_expiry_sec: i64, refresh_expiry_sec: i64) -> Self {
        let (users, sweeps) = (HashMap::new(), VecDeque::new());
        Self { session_expiry_sec, refresh_expiry_sec, users, len: 0, sweeps }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn users_len(&self) -> usize {
        self.users.len()
    }

    pub(super) fn holds(&self, user: UserId, kind: Kind, token_id: &str) -> bool {
        self.users.get(&user).is_some_and(|entered| {
            let id = TokenId::of(token_id);
            entered.iter().any(|token| token.id == id && token.kind == kind)
        })
    }

    /// Adds tokens, or keeps them for longer that are there.
    ///
    /// # Errors
    /// [`AuthError::RevocationsFull`], with nothing added.
    pub(super) fn add(
        &mut self,
        user: UserId,
        (session, refresh): (Option<RevokedToken>, Option<RevokedToken>),
        now_sec: i64,
    ) -> Result<(), AuthError> {
        if self.len + 2 > REVOKED_TOKENS_MAX {
            return Err(AuthError::RevocationsFull);
        }
        let look_again = now_sec + self.lifetime_sec() + 1;
        let entered = match self.users.entry(user) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.sweeps.push_back((look_again, user));
                entry.insert(Vec::new())
            }
        };
        let before = entered.len();
        entered.retain(|token| token.until_sec > now_sec);
        let full = entered.len() + 2 > REVOKED_TOKENS_OF_USER_MAX;
        let kinds = [
            (session, Kind::Session, self.session_expiry_sec),
            (refresh, Kind::Refresh, self.refresh_expiry_sec),
        ];
        for (token, kind, lifetime_sec) in kinds {
            let Some(token) = token.filter(|_| !full) else { continue };
            // A token that was refreshed since has the same id, and lives as long as one issued now.
            let until_sec = token.expires_at.max(now_sec + lifetime_sec);
            let same = |known: &&mut Entered| known.id == token.id && known.kind == kind;
            match entered.iter_mut().find(same) {
                Some(known) => known.until_sec = known.until_sec.max(until_sec),
                None => entered.push(Entered { id: token.id, kind, until_sec }),
            }
        }
        self.len = self.len + entered.len() - before;
        if full { Err(AuthError::RevocationsFull) } else { Ok(()) }
    }

    /// Forgets tokens that have expired.
    pub(super) fn sweep(&mut self, now_sec: i64) {
        let look_again = now_sec + self.lifetime_sec() + 1;
        for _ in 0..sweep_len(self.users.len()) {
            let Some((_, user)) = self.sweeps.pop_front_if(|(due, _)| *due <= now_sec) else {
                return;
            };
            let Entry::Occupied(mut entry) = self.users.entry(user) else { continue };
            let entered = entry.get_mut();
            let before = entered.len();
            entered.retain(|token| token.until_sec > now_sec);
            self.len = self.len + entered.len() - before;
            if entered.is_empty() {
                entry.remove();
            } else {
                self.sweeps.push_back((look_again, user));
            }
        }
    }

    fn lifetime_sec(&self) -> i64 {
        self.session_expiry_sec.max(self.refresh_expiry_sec)
    }

    #[cfg(test)]
    pub(super) fn sweeps_len(&self) -> usize {
        self.sweeps.len()
    }
}
