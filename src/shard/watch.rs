//! Who keeps what belongs to the streams of this shard.

use crate::{
    ids::StreamId,
    matches::MatchIndex,
    parties::Parties,
    presence::{Moved, StreamEvent},
    session::StreamWatch,
};

/// The keepers of matches and parties, told of who comes and goes.
pub struct Keepers {
    parties: Parties,
    matches: MatchIndex,
}

impl Keepers {
    pub fn new(parties: Parties, matches: MatchIndex) -> Self {
        Self { parties, matches }
    }
}

impl StreamWatch for Keepers {
    fn changed(&self, event: &StreamEvent) {
        self.parties.changed(event);
    }

    fn moved(&self, stream: &StreamId, moved: &Moved, count: usize) {
        self.matches.moved(stream, count);
        self.parties.moved(stream, moved);
    }
}
