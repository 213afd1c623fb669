//! Which sessions of this shard look for others.

use std::collections::hash_map::RandomState;

use hashbrown::HashMap;

use crate::ids::{SessionId, TicketId};

/// As large as the tickets of this shard's sessions, those on their way to the pool included.
#[derive(Debug, Default)]
pub(super) struct Home {
    looking: HashMap<SessionId, Vec<TicketId>, RandomState>,
}

impl Home {
    pub(super) fn begin(&mut self, session: SessionId, ticket: TicketId) {
        self.looking.entry(session).or_default().push(ticket);
    }

    /// A ticket is in the pool no more.
    pub(super) fn end(&mut self, session: SessionId, ticket: TicketId) {
        let Some(tickets) = self.looking.get_mut(&session) else { return };
        tickets.retain(|other| *other != ticket);
        if tickets.is_empty() {
            self.looking.remove(&session);
        }
    }

    /// A session ends. Whether it had tickets.
    pub(super) fn leave(&mut self, session: SessionId) -> bool {
        self.looking.remove(&session).is_some()
    }

    pub(super) fn has(&self, session: SessionId, ticket: TicketId) -> bool {
        self.looking.get(&session).is_some_and(|tickets| tickets.contains(&ticket))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.looking.is_empty()
    }
}
