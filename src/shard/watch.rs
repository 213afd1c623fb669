//! Who keeps what belongs to the streams of this shard, and to its sessions.

use crate::{
    ids::{SessionId, StreamId},
    matches::MatchIndex,
    matchmaker::Matchmaker,
    parties::Parties,
    presence::{Moved, StreamEvent},
    session::Watch,
};

/// The keepers of matches, parties and tickets, told of who comes and goes.
pub struct Keepers {
    parties: Parties,
    matches: MatchIndex,
    matchmaker: Matchmaker,
}

impl Keepers {
    pub fn new(parties: Parties, matches: MatchIndex, matchmaker: Matchmaker) -> Self {
        Self { parties, matches, matchmaker }
    }
}

impl Watch for Keepers {
    fn changed(&self, event: &StreamEvent) {
        self.parties.changed(event);
    }

    fn moved(&self, stream: &StreamId, moved: &Moved, count: usize) {
        self.matches.moved(stream, count);
        self.parties.moved(stream, moved);
    }

    fn ended(&self, session: SessionId) {
        self.matchmaker.ended(session);
    }
}
