//! What a shard counts about clients, under the reference's names.

use std::{cell::RefCell, sync::Arc, time::Duration};

use kakera_shards::{Counter, Counters, ShardId, counters::Board};

use super::{
    Kind,
    calls::{Bytes, CallMap, Calls, Transport},
    family::Families,
};
use crate::error::ErrorKind;

/// Names that the reference has too: they are summed over the shards instead of labelled with them.
pub(super) const SUMMED: [&str; 13] = [
    MESSAGES,
    MESSAGE_BYTES_IN,
    MESSAGE_BYTES_OUT,
    MESSAGE_ERRORS,
    "socket_ws_opened",
    "socket_ws_closed",
    "sessions",
    "presences",
    "presence_event_count",
    "authoritative_matches",
    "parties",
    "matchmaker_tickets",
    "matchmaker_active_tickets",
];

const MESSAGES: &str = "overall_message_count";
const MESSAGE_BYTES_IN: &str = "overall_message_recv_bytes";
const MESSAGE_BYTES_OUT: &str = "overall_message_sent_bytes";
const MESSAGE_ERRORS: &str = "overall_message_errors";

/// What of the shards' own numbers the reference calls dropped events.
const DROPPED: [&str; 2] = ["mesh_events_dropped", "stream_deliveries_dropped"];

/// A shard's way to count. It stays on its shard; counting costs a few nanoseconds and never waits.
pub struct ShardMetrics {
    /// WebSockets opened.
    pub websockets_opened: Counter,
    /// WebSockets closed.
    pub websockets_closed: Counter,
    /// Sessions open now.
    pub sessions: Counter,
    messages: Counter,
    message_bytes_in: Counter,
    message_bytes_out: Counter,
    message_errors: Counter,
    shard: ShardId,
    calls: RefCell<CallMap>,
}

impl std::fmt::Debug for ShardMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardMetrics").field("shard", &self.shard).finish_non_exhaustive()
    }
}

impl ShardMetrics {
    pub(super) fn new(counters: &Counters, calls: Arc<Calls>) -> Self {
        Self {
            websockets_opened: counters.counter("socket_ws_opened", "WebSockets opened."),
            websockets_closed: counters.counter("socket_ws_closed", "WebSockets closed."),
            sessions: counters.gauge("sessions", "Sessions open now."),
            messages: counters.counter(MESSAGES, "Messages from sockets."),
            message_bytes_in: counters.counter(MESSAGE_BYTES_IN, "Bytes of messages from sockets."),
            message_bytes_out: counters.counter(MESSAGE_BYTES_OUT, "Bytes of messages to sockets."),
            message_errors: counters
                .counter(MESSAGE_ERRORS, "Messages from sockets that ended with an error."),
            shard: calls.shard(),
            calls: RefCell::new(CallMap::new(calls)),
        }
    }

    /// Counts an answered call. `rpc` is the method's bare name (`GetAccount`), or the id of a script's
    /// function.
    pub fn call(
        &self,
        transport: Transport,
        rpc: &str,
        error: Option<ErrorKind>,
        elapsed: Duration,
        bytes: Bytes,
    ) {
        self.calls.borrow_mut().count(transport, rpc, error, elapsed, bytes);
    }

    /// Counts a message that a socket sent us.
    pub fn message_in(&self, bytes: usize, is_error: bool) {
        self.messages.increment();
        self.message_bytes_in.add(bytes as u64);
        if is_error {
            self.message_errors.increment();
        }
    }

    /// Counts what a socket was sent.
    pub fn message_out(&self, bytes: usize) {
        self.message_bytes_out.add(bytes as u64);
    }
}

/// Requests and socket messages together, and dropped events, as the reference counts them.
pub(super) fn render_overall(
    board: &Board,
    requests: u64,
    errors: u64,
    bytes: Bytes,
    families: &mut Families<'_>,
) {
    let totals = [
        ("overall_count", "Requests and messages from sockets.", requests, MESSAGES),
        ("overall_recv_bytes", "Bytes of requests and messages.", bytes.received, MESSAGE_BYTES_IN),
        ("overall_sent_bytes", "Bytes of responses and messages.", bytes.sent, MESSAGE_BYTES_OUT),
        (
            "overall_errors",
            "Requests and messages that ended with an error.",
            errors,
            MESSAGE_ERRORS,
        ),
    ];
    for (name, help, of_requests, messages) in totals {
        families.number(name, help, Kind::Counter, &[], (of_requests + board.sum(messages)) as f64);
    }
    let dropped: u64 = DROPPED.iter().map(|name| board.sum(name)).sum();
    let help = "Events dropped because a queue was full.";
    families.number("dropped_events", help, Kind::Counter, &[], dropped as f64);
}
