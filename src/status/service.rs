//! Status calls, for sessions of this shard.

use std::sync::Arc;

use kakera_proto::realtime::{Status, StatusUnfollow};

use super::{
    StatusError,
    request::{STATUS_LEN_MAX, unfollowed},
};
use crate::{
    fanout::Slot,
    ids::{StreamId, UserId},
    presence::{Entry, JoinError, JoinOptions, Presences, wire},
};

/// See the module's description. Clones are the same.
#[derive(Clone)]
pub struct Statuses {
    presences: Presences,
}

impl Statuses {
    pub fn new(presences: Presences) -> Self {
        Self { presences }
    }

    /// Appears online with this text, or offline with none. `then` runs when followers can see it.
    pub fn update(
        &self,
        slot: Slot,
        status: Option<&str>,
        then: impl FnOnce(Result<(), StatusError>) + 'static,
    ) {
        let Some(member) = self.presences.member(slot) else {
            return then(Err(StatusError::Update(JoinError::Left)));
        };
        let stream = StreamId::status(member.user);
        let Some(text) = status else {
            return self.presences.leave(slot, &stream, move || then(Ok(())));
        };
        if text.len() > STATUS_LEN_MAX {
            return then(Err(StatusError::StatusLength));
        }
        let status = (!text.is_empty()).then(|| Arc::from(text));
        let options = JoinOptions { entry: Entry::Update, status, ..JoinOptions::default() };
        self.presences.join(slot, &stream, options, move |joined| {
            then(joined.map(|_| ()).map_err(StatusError::Update));
        });
    }

    /// Follows users who exist, and answers with those of them who are online. The reply has to be queued
    /// in `then`.
    pub fn follow(
        &self,
        slot: Slot,
        users: &[UserId],
        then: impl FnOnce(Result<Status, StatusError>) + 'static,
    ) {
        let me = self.presences.member(slot).map(|member| member.user);
        // Names may have led back to the one who asks, or to the system user; nobody follows those.
        let mut users: Vec<UserId> = users.to_vec();
        users.retain(|user| Some(*user) != me && *user != UserId::NIL);
        users.sort_unstable();
        users.dedup();
        self.presences.follow(slot, &users, move |followed| {
            then(followed.map_err(StatusError::Follow).map(|presences| Status {
                presences: presences.iter().map(|p| wire::status_presence(p)).collect(),
            }));
        });
    }

    /// Follows users no more.
    pub fn unfollow(&self, slot: Slot, unfollow: &StatusUnfollow) -> Result<(), StatusError> {
        let Some(member) = self.presences.member(slot) else { return Ok(()) };
        let users: Vec<_> = unfollowed(member.user, unfollow)?.into_iter().collect();
        self.presences.unfollow(slot, &users);
        Ok(())
    }
}
