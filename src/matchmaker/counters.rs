//! What the matchmaker counts on one shard.

use kakera_shards::{Counter, Counters};

use crate::metrics::Timer;

/// Numbers of one shard, summed at a scrape.
pub(super) struct MatchmakerCounters {
    pub(super) tickets: Counter,
    pub(super) active: Counter,
    pub(super) matches: Counter,
    pub(super) matched: Counter,
    pub(super) refused: Counter,
    pub(super) unanswered: Counter,
    pub(super) round_time: Timer,
}

impl MatchmakerCounters {
    pub(super) fn new(counters: &Counters, round_time: Timer) -> Self {
        let counter = |name, help| counters.counter(name, help);
        Self {
            tickets: counters.gauge("matchmaker_tickets", "Tickets in the matchmaker's pool."),
            active: counters.gauge(
                "matchmaker_active_tickets",
                "Tickets that search in the matchmaker's next round.",
            ),
            matches: counter("matchmaker_made", "Matches that the matchmaker made."),
            matched: counter("matchmaker_matched", "Players that the matchmaker matched."),
            refused: counter("matchmaker_refused", "Tickets that the matchmaker refused."),
            unanswered: counter(
                "matchmaker_unanswered",
                "Questions that a busy shard left unanswered.",
            ),
            round_time,
        }
    }

    /// For a shard whose numbers nobody reads.
    pub(super) fn detached() -> Self {
        let counter = Counter::detached;
        Self {
            tickets: counter(),
            active: counter(),
            matches: counter(),
            matched: counter(),
            refused: counter(),
            unanswered: counter(),
            round_time: Timer::default(),
        }
    }
}
