//! What parties count on one shard.

use kakera_shards::{Counter, Counters};

/// Numbers of one shard, summed at a scrape.
pub(super) struct PartyCounters {
    pub(super) parties: Counter,
    pub(super) refused: Counter,
    pub(super) unanswered: Counter,
    pub(super) expired: Counter,
}

impl PartyCounters {
    pub(super) fn new(counters: &Counters) -> Self {
        let counter = |name, help| counters.counter(name, help);
        Self {
            parties: counters.gauge("parties", "Parties that the shard keeps."),
            refused: counter("parties_refused", "Questions that a party refused."),
            unanswered: counter(
                "parties_unanswered",
                "Questions that a busy shard left unanswered.",
            ),
            expired: counter("party_places_expired", "Parties swept for places that nobody took."),
        }
    }

    /// For a shard whose numbers nobody reads.
    pub(super) fn detached() -> Self {
        Self {
            parties: Counter::detached(),
            refused: Counter::detached(),
            unanswered: Counter::detached(),
            expired: Counter::detached(),
        }
    }
}
