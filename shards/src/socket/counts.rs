//! What a shard counts about its sockets.

use crate::counters::{Counter, Counters};

pub(super) struct Counts {
    pub(super) open: Counter,
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    pub(super) accept_errors: Counter,
    pub(super) closed: Counter,
    pub(super) stalled: Counter,
    pub(super) panics: Counter,
    pub(super) received_bytes: Counter,
    pub(super) sent_bytes: Counter,
    pub(super) receives: Counter,
    pub(super) sends: Counter,
    pub(super) writes: Counter,
    pub(super) buffers_short: Counter,
    pub(super) turns: Counter,
    pub(super) sleeps: Counter,
    pub(super) load: Counter,
    pub(super) window: Counter,
}

impl Counts {
    pub(super) fn new(counters: &Counters) -> Self {
        Self {
            open: counters.gauge("sockets_open", "Sockets of any state."),
            accepted: counters.counter("sockets_accepted", "Connections accepted."),
            refused: counters
                .counter("sockets_refused", "Connections closed at once because of a limit."),
            accept_errors: counters.counter("socket_accept_errors", "Failures to accept."),
            closed: counters.counter("sockets_closed", "Sockets closed."),
            stalled: counters
                .counter("sockets_stalled", "Sockets cut because the peer took no bytes in time."),
            panics: counters.counter("socket_panics", "Panics of a socket's handler."),
            received_bytes: counters.counter("socket_received_bytes", "Bytes received."),
            sent_bytes: counters.counter("socket_sent_bytes", "Bytes sent."),
            receives: counters.counter("socket_receives", "Pieces received."),
            sends: counters.counter("socket_sends", "Sends finished by the kernel."),
            writes: counters.counter("socket_writes", "Writes queued; many leave in one send."),
            buffers_short: counters
                .counter("socket_buffers_short", "Receives that found no free buffer."),
            turns: counters.counter("socket_turns", "Turns of the pump."),
            sleeps: counters.counter("socket_sleeps", "Times the pump slept."),
            load: counters.gauge("shard_load_permille", "Busy share of the core."),
            window: counters.gauge("socket_flush_window_micros", "How long paced writes wait."),
        }
    }
}
