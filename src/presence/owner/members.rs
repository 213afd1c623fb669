//! The presences of one stream, found by session.

use std::sync::Arc;

use hashbrown::HashMap;

use super::shown::Snapshot;
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

impl Member {
    pub(super) fn is_shown(&self) -> bool {
        self.announced && !self.presence.hidden
    }
}

/// The members of a stream, in no promised order.
#[derive(Default)]
pub(super) struct Members {
    list: Vec<Member>,
    /// Where in `list` a session stands; only for long lists.
    index: Option<Box<HashMap<SessionId, usize>>>,
    /// Who is announced and not hidden; only for long lists, once somebody has asked.
    shown: Option<Box<Snapshot>>,
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

    pub(super) fn get(&self, session: SessionId) -> Option<&Member> {
        self.list.get(self.position(session)?)
    }

    /// Who joined is shown from here on; it is not hidden.
    pub(super) fn announce(&mut self, session: SessionId) {
        let Some(position) = self.position(session) else { return };
        let Some(member) = self.list.get_mut(position) else { return };
        if !std::mem::replace(&mut member.announced, true)
            && let Some(shown) = &mut self.shown
        {
            shown.add(Arc::clone(&member.presence));
        }
    }

    /// Who is announced and not hidden, without a copy of each where there are many.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let shown = || self.list.iter().filter(|member| member.is_shown());
        let collect = || shown().map(|member| Arc::clone(&member.presence)).collect();
        if self.list.len() <= INDEX_FROM {
            return collect();
        }
        self.shown.get_or_insert_with(|| Box::new(collect())).as_ref().clone()
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
        if let Some(shown) = self.shown.as_mut().filter(|_| member.is_shown()) {
            shown.remove(&member.presence);
        }
        if let Some(index) = &mut self.index {
            index.remove(&session);
            if let Some(moved) = self.list.get(position) {
                index.insert(moved.presence.session, position);
            }
            // Half the threshold, so that a stream at the threshold does not build an index at each join.
            if self.list.len() <= INDEX_FROM / 2 {
                self.index = None;
                self.shown = None;
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
