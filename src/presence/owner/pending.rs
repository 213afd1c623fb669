//! Joins and leaves of one turn that a stream has not been told of yet.

use std::sync::Arc;

use crate::presence::{Departure, Presence, Reason};

/// What the next event of a stream will say. Clients take away the leaves, then add the joins; the lists
/// are kept so that this yields the members, however often a session came and went in between.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) joins: Vec<Arc<Presence>>,
    pub(super) leaves: Vec<Departure>,
}

impl Pending {
    pub(super) fn join(&mut self, presence: Arc<Presence>) {
        self.joins.push(presence);
    }

    /// `announced`: whether others have been told of this presence. If not, nobody needs to hear of it.
    pub(super) fn leave(&mut self, presence: Arc<Presence>, announced: bool, reason: Reason) {
        if announced {
            self.leaves.push(Departure { presence, reason });
        } else {
            self.joins.retain(|joined| joined.session != presence.session);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.leaves.is_empty()
    }
}
