//! Ids that tie the log lines of one request together.

use std::{cell::Cell, fmt};

use kakera_shards::ShardId;

/// A request of this process: the shard that took it, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    shard: ShardId,
    number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.shard.0, self.number)
    }
}

/// A shard's source of request ids.
#[derive(Debug)]
pub struct RequestIds {
    shard: ShardId,
    next: Cell<u64>,
}

impl RequestIds {
    /// `start` sets runs of the server apart: the start time in seconds, for example.
    pub fn new(shard: ShardId, start: u64) -> Self {
        Self { shard, next: Cell::new(start << 20) }
    }

    pub fn next_id(&self) -> RequestId {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        RequestId { shard: self.shard, number }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_of_all_shards_and_of_the_next_run_differ() {
        let sources = [(0, 1_800_000_000), (1, 1_800_000_000), (0, 1_800_000_001)];
        let mut seen = HashSet::new();
        for (shard, start) in sources {
            let ids = RequestIds::new(ShardId(shard), start);
            for _ in 0..1000 {
                assert!(seen.insert(ids.next_id().to_string()));
            }
        }
    }
}
