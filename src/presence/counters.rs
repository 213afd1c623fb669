//! What presence counts on one shard.

use kakera_shards::{Counter, Counters};

use super::JoinError;

/// Numbers of one shard, summed at a scrape.
pub(super) struct PresenceCounters {
    pub(super) presences: Counter,
    pub(super) streams: Counter,
    pub(super) events: Counter,
    pub(super) joins_refused: Counter,
    pub(super) sends: Counter,
    pub(super) deliveries: Counter,
    pub(super) deliveries_dropped: Counter,
    pub(super) recipients: Counter,
    pub(super) recipients_slow: Counter,
    pub(super) leaves_owed: Counter,
    pub(super) misrouted: Counter,
}

impl PresenceCounters {
    pub(super) fn new(counters: &Counters) -> Self {
        let counter = |name, help| counters.counter(name, help);
        Self {
            presences: counters.gauge("presences", "Presences tracked now."),
            streams: counters.gauge("streams", "Streams with presences."),
            events: counter("presence_event_count", "Presence events worked off."),
            joins_refused: counter("stream_joins_refused", "Joins that a bound refused."),
            sends: counter("stream_sends", "Messages sent to streams."),
            deliveries: counter("stream_deliveries", "Messages sent on to shards with members."),
            deliveries_dropped: counter(
                "stream_deliveries_dropped",
                "Messages lost to a shard that does not keep up.",
            ),
            recipients: counter("stream_recipients", "Messages queued on sessions."),
            recipients_slow: counter("stream_recipients_slow", "Messages that found a full queue."),
            leaves_owed: counter("stream_leaves_owed", "Leaves that a full lane put off."),
            misrouted: counter("stream_misrouted", "Requests for streams of another shard."),
        }
    }

    /// Counts a join that the session's own bounds refused; the owner counts those of the stream.
    pub(super) fn refused_here(&self, error: JoinError) {
        if matches!(error, JoinError::SessionFull | JoinError::FollowsFull) {
            self.joins_refused.increment();
        }
    }

    /// For a shard whose numbers nobody reads.
    pub(super) fn detached() -> Self {
        Self {
            presences: Counter::detached(),
            streams: Counter::detached(),
            events: Counter::detached(),
            joins_refused: Counter::detached(),
            sends: Counter::detached(),
            deliveries: Counter::detached(),
            deliveries_dropped: Counter::detached(),
            recipients: Counter::detached(),
            recipients_slow: Counter::detached(),
            leaves_owed: Counter::detached(),
            misrouted: Counter::detached(),
        }
    }
}
