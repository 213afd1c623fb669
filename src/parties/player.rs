//! Who is in a party, or wants to be.

use std::sync::Arc;

use kakera_proto::realtime::UserPresence;

use crate::{
    ids::{SessionId, UserId},
    presence::{Member, Presence},
};

/// A session as a party knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    pub session: SessionId,
    pub user: UserId,
    pub username: Arc<str>,
}

impl Player {
    /// As others are shown it.
    pub fn shown(&self) -> UserPresence {
        UserPresence {
            user_id: self.user.to_string(),
            session_id: self.session.to_string(),
            username: self.username.to_string(),
            persistence: false,
            status: None,
        }
    }

    /// Whether a client that names `named` means this one.
    pub fn is(&self, named: &Named) -> bool {
        (self.session, self.user) == (named.session, named.user)
            && *self.username == *named.username
    }
}

impl From<&Member> for Player {
    fn from(member: &Member) -> Self {
        let Member { session, user, username, .. } = member;
        Self { session: *session, user: *user, username: Arc::clone(username) }
    }
}

impl From<&Presence> for Player {
    fn from(presence: &Presence) -> Self {
        let Presence { session, user, username, .. } = presence;
        Self { session: *session, user: *user, username: Arc::clone(username) }
    }
}

/// Whom a client names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    session: SessionId,
    user: UserId,
    username: String,
}

impl Named {
    /// Reads what a client sent; `None` if part of it is missing. An id that is none names nobody.
    pub fn read(presence: Option<UserPresence>) -> Option<Self> {
        let UserPresence { user_id, session_id, username, .. } = presence?;
        if user_id.is_empty() || session_id.is_empty() || username.is_empty() {
            return None;
        }
        let session = session_id.parse().unwrap_or(SessionId::NIL);
        let user = user_id.parse().unwrap_or(UserId::NIL);
        Some(Self { session, user, username })
    }
}
