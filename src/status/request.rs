//! What a client asks of status, checked.

use std::collections::BTreeSet;

use kakera_proto::realtime::{StatusFollow, StatusUnfollow};

use super::StatusError;
use crate::ids::UserId;

/// The longest status text, in bytes.
pub const STATUS_LEN_MAX: usize = 2048;

/// Whom a session wants to follow, each once, and not its own user. Whether they exist is for the store to
/// say; those who do not are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub users: BTreeSet<UserId>,
    pub usernames: BTreeSet<String>,
}

impl Wanted {
    /// Reads a follow by `me`, whose name is `my_name`.
    pub fn read(me: UserId, my_name: &str, follow: StatusFollow) -> Result<Self, StatusError> {
        let users = user_ids(me, &follow.user_ids)?;
        if follow.usernames.iter().any(String::is_empty) {
            return Err(StatusError::Username);
        }
        let usernames = follow.usernames.into_iter().filter(|name| name != my_name).collect();
        Ok(Self { users, usernames })
    }

    /// Nobody is left to be looked up: the answer is an empty status.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.usernames.is_empty()
    }
}

/// Reads an unfollow by `me`.
pub(super) fn unfollowed(
    me: UserId,
    unfollow: &StatusUnfollow,
) -> Result<BTreeSet<UserId>, StatusError> {
    user_ids(me, &unfollow.user_ids)
}

fn user_ids(me: UserId, texts: &[String]) -> Result<BTreeSet<UserId>, StatusError> {
    let ids = texts.iter().map(|text| text.parse().map_err(|_| StatusError::UserId));
    ids.filter(|id| *id != Ok(me)).collect()
}
