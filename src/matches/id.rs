//! Which stream a match is.

use kakera_shards::Address;
use uuid::Uuid;

use super::MatchError;
use crate::ids::{MatchId, StreamId, StreamMode};

/// A match as the wire names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchRef {
    pub stream: StreamId,
}

impl MatchRef {
    /// Reads a match's id: a UUID, a dot, and the name of its node if it is authoritative.
    pub fn read(text: &str) -> Result<Self, MatchError> {
        let (id, node) = text.split_once('.').ok_or(MatchError::Id)?;
        let id = Uuid::parse_str(id).map_err(|_| MatchError::Id)?;
        let stream = if node.is_empty() {
            StreamId::relayed_match(id)
        } else {
            StreamId::authoritative_match(id, node)
        };
        Ok(Self { stream })
    }

    pub fn is_relayed(&self) -> bool {
        self.stream.mode == StreamMode::MATCH_RELAYED
    }
}

/// The match of a name, the same for everybody who creates it.
pub fn named(name: &str) -> StreamId {
    StreamId::relayed_match(Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes()))
}

/// A new match that lives at `home`; `random` comes from the shard's own generator.
pub fn unnamed(home: Address, random: u128) -> StreamId {
    StreamId::relayed_match(MatchId::at(home, random).0)
}
