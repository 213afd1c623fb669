//! The sessions of the users that this shard owns.

use std::collections::hash_map::RandomState;

use hashbrown::{HashMap, hash_map::Entry};

use super::message::Close;
use crate::{
    ids::{SessionId, UserId},
    session::CloseCause,
};

/// user -> sessions, oldest first. Users without a session are not in it, so it is as large as the
/// number of open sessions, which the listeners bound.
#[derive(Debug)]
pub struct State {
    users: HashMap<UserId, Vec<SessionId>, RandomState>,
    /// Sessions of one user.
    user_sessions_max: usize,
}

impl State {
    /// Without users. Of one, at most so many sessions stay open.
    pub fn new(user_sessions_max: usize) -> Self {
        Self { users: HashMap::default(), user_sessions_max: user_sessions_max.max(1) }
    }

    /// A session opened; with `alone`, the user's other sessions are to be closed, and the oldest ones where
    /// there are too many. They stay listed until their homes say that they are closed.
    pub fn opened(&mut self, user: UserId, session: SessionId, alone: bool) -> Vec<Close> {
        let sessions = self.users.entry(user).or_default();
        if !sessions.contains(&session) {
            sessions.reserve_exact(1);
            sessions.push(session);
        }
        let (many, cause) = if alone {
            (sessions.len(), CloseCause::SingleSocket)
        } else {
            (sessions.len().saturating_sub(self.user_sessions_max), CloseCause::UserFull)
        };
        let oldest = sessions.iter().take(many).filter(|older| **older != session);
        oldest.map(|older| Close { session: *older, cause }).collect()
    }

    /// A session closed.
    pub fn closed(&mut self, user: UserId, session: SessionId) {
        if let Entry::Occupied(mut entry) = self.users.entry(user) {
            entry.get_mut().retain(|known| *known != session);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }

    /// All sessions of the user are to be closed.
    pub fn disconnect(&self, user: UserId, cause: CloseCause) -> Vec<Close> {
        self.sessions(user).iter().map(|id| Close { session: *id, cause }).collect()
    }

    /// The user's sessions, oldest first.
    pub fn sessions(&self, user: UserId) -> &[SessionId] {
        self.users.get(&user).map_or(&[], Vec::as_slice)
    }

    /// How many users have a session.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether no user has a session.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn session(n: u128) -> SessionId {
        SessionId(Uuid::from_u128(n))
    }

    #[test]
    fn a_second_socket_closes_the_first_one_only_when_sockets_are_single() {
        let mut state = State::new(usize::MAX);
        assert_eq!(state.opened(user(1), session(1), true), []);
        assert_eq!(state.opened(user(2), session(2), true), []);
        assert_eq!(state.opened(user(1), session(3), false), []);
        let close = |n| Close { session: session(n), cause: CloseCause::SingleSocket };
        assert_eq!(state.opened(user(1), session(4), true), [close(1), close(3)]);
    }

    #[test]
    fn one_session_too_many_closes_the_oldest_of_that_user() {
        let mut state = State::new(2);
        assert_eq!(state.opened(user(1), session(1), false), []);
        assert_eq!(state.opened(user(2), session(2), false), []);
        assert_eq!(state.opened(user(1), session(3), false), []);
        let close = |n| Close { session: session(n), cause: CloseCause::UserFull };
        assert_eq!(state.opened(user(1), session(4), false), [close(1)]);
        state.closed(user(1), session(1));
        assert_eq!(state.opened(user(1), session(5), false), [close(3)]);
        assert_eq!(state.opened(user(1), session(6), false), [close(3), close(4)]);
    }

    #[test]
    fn nothing_is_kept_of_users_whose_sessions_are_closed() {
        let mut state = State::new(usize::MAX);
        state.opened(user(1), session(1), false);
        state.opened(user(1), session(2), false);
        state.closed(user(1), session(1));
        assert_eq!(state.sessions(user(1)), [session(2)]);
        state.closed(user(1), session(2));
        state.closed(user(1), session(2));
        assert!(state.is_empty());
    }

    #[test]
    fn a_ban_closes_every_session_of_that_user() {
        let mut state = State::new(usize::MAX);
        state.opened(user(1), session(1), false);
        state.opened(user(1), session(2), false);
        state.opened(user(2), session(3), false);
        assert_eq!(state.disconnect(user(1), CloseCause::Banned).len(), 2);
        assert_eq!(state.disconnect(user(3), CloseCause::Banned), []);
    }
}
