//! What the keeper of a match or a party learns at once of who is there.
//!
//! Presence events gather until the turn ends, and a session that came and went within a turn is in none.
//! Whoever keeps a thing by its members hears of each of them here, in order.

use std::sync::Arc;

use super::{Join, Presence, Presences};
use crate::ids::{SessionId, StreamId, StreamMode};

/// What happened to a stream that belongs to a match or a party of this shard.
#[derive(Clone, Debug)]
pub enum Moved {
    /// A session is on the stream.
    Entered(Arc<Presence>),
    /// A session is on the stream no more.
    Left(SessionId),
    /// The stream was closed, and nobody is on it.
    Closed,
}

/// Whether somebody keeps a thing by the members of such a stream.
pub(super) fn is_kept(mode: StreamMode) -> bool {
    matches!(mode, StreamMode::MATCH_RELAYED | StreamMode::MATCH_AUTHORITATIVE | StreamMode::PARTY)
}

impl Presences {
    /// A join was answered, so that whatever the keeper sends now comes after it.
    pub(super) fn tell_entered(&self, join: &Join) {
        if is_kept(join.stream.mode) {
            self.tell_moved(&join.stream, &Moved::Entered(Arc::clone(&join.presence)));
        }
    }

    pub(super) fn tell_left(&self, left: Vec<(StreamId, SessionId)>) {
        for (stream, session) in left {
            self.tell_moved(&stream, &Moved::Left(session));
        }
    }

    pub(super) fn tell_moved(&self, stream: &StreamId, moved: &Moved) {
        let count = self.0.owner.borrow().count(stream);
        self.0.sessions.moved(stream, moved, count);
    }
}
