//! The presences of one stream, found by session.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{ids::SessionId, presence::Presence};

/// Up to this many members, walking the list is as fast as an index and costs no memory.
const INDEX_FROM: usize = 24;

/// One presence and whether the stream has been told of it.
pub(super) struct Member {
    pub(super) presence: Arc<Presence>,
    /// False until the event that announces it has left the owner: snapshots leave it out until then, so
    /// that an observer sees each join once.
    pub(super) announced: bool,
}

/// The members of a stream, in no promised order.
#[derive(Default)]
pub(super) struct Members {
    list: Vec<Member>,
    /// Where in `list` a session stands; only for long lists.
    index: Option<Box<HashMap<SessionId, usize>>>,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.list.iter()
    }

    pub(super) fn get_mut(&mut self, session: SessionId) -> Option<&mut Member> {
        let position = self.position(session)?;
        self.list.get_mut(position)
    }

    /// Adds a session that is not there yet.
    pub(super) fn add(&mut self, member: Member) {
        let session = member.presence.session;
        if self.list.is_empty() {
            self.list.reserve_exact(1);
        }
        self.list.push(member);
        if let Some(index) = &mut self.index {
            index.insert(session, self.list.len() - 1);
        } else if self.list.len() > INDEX_FROM {
            let places = self.list.iter().enumerate().map(|(i, m)| (m.presence.session, i));
            self.index = Some(Box::new(places.collect()));
        }
    }

    pub(super) fn remove(&mut self, session: SessionId) -> Option<Member> {
        let position = self.position(session)?;
        let member = self.list.swap_remove(position);
        if let Some(index) = &mut self.index {
            index.remove(&session);
            if let Some(moved) = self.list.get(position) {
                index.insert(moved.presence.session, position);
            }
            // Half the threshold, so that a stream at the threshold does not build an index at each join.
            if self.list.len() <= INDEX_FROM / 2 {
                self.index = None;
                self.list.shrink_to_fit();
            }
        }
        Some(member)
    }

    fn position(&self, session: SessionId) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&session).copied(),
            None => self.list.iter().position(|member| member.presence.session == session),
        }
    }
}
