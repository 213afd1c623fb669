//! Counters of the store. Each is written by one thread and read by the metrics scrape.

use std::sync::atomic::{AtomicU64, Ordering};

use kakera_shards::Counters;

/// What one shard asked of the store, on the shard's board.
pub struct ShardCounters {
    pub reads: kakera_shards::Counter,
    pub reads_offloaded: kakera_shards::Counter,
    pub writes: kakera_shards::Counter,
    pub gathered: kakera_shards::Counter,
    pub gathered_again: kakera_shards::Counter,
    pub retries: kakera_shards::Counter,
    pub refused: kakera_shards::Counter,
    pub unavailable: kakera_shards::Counter,
    pub deadlines: kakera_shards::Counter,
    pub connections: kakera_shards::Counter,
    pub connects: kakera_shards::Counter,
    pub connect_failures: kakera_shards::Counter,
    pub waiting: kakera_shards::Counter,
}

impl ShardCounters {
    pub fn register(board: &Counters) -> Self {
        Self {
            reads: board.counter("store_reads", "Reads on the shard or its shared connections."),
            reads_offloaded: board.counter("store_reads_offloaded", "Reads by a reader thread."),
            writes: board.counter("store_writes", "Transactions and single writing statements."),
            gathered: board
                .counter("store_writes_gathered", "Writes that shared a transaction with others."),
            gathered_again: board.counter(
                "store_gatherings_undone",
                "Shared transactions undone because of one of their writes.",
            ),
            retries: board.counter("store_retries", "Transactions run again after a conflict."),
            refused: board.counter("store_refused", "Calls refused because a queue was full."),
            unavailable: board.counter("store_unavailable", "Calls that met no database."),
            deadlines: board.counter("store_deadlines", "Calls that took too long."),
            connections: board.gauge("store_connections", "Open PostgreSQL connections."),
            connects: board.counter("store_connects", "PostgreSQL connections made."),
            connect_failures: board
                .counter("store_connect_failures", "Times that no PostgreSQL address answered."),
            waiting: board.gauge("store_waiting", "Transactions waiting for a connection."),
        }
    }
}

/// A counter or gauge with a single writer: no locked instruction, readable from anywhere.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    pub fn sub(&self, n: u64) {
        self.0.store(self.get().saturating_sub(n), Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Counter,)*
        }

        impl $name {
            /// Every counter with its name.
            pub fn each(&self, mut visit: impl FnMut(&'static str, u64)) {
                $(visit(stringify!($field), self.$field.get());)*
            }
        }
    };
}

counters! {
    /// What the SQLite writer thread did.
    WriterCounters {
        /// Units run, kept or not.
        units,
        /// Units rolled back.
        rolled_back,
        /// Units skipped because nobody waited for them any more.
        abandoned,
        /// Transactions committed; `units / commits` is the mean batch.
        commits,
        /// Commits that failed, with all of their units.
        commit_failures,
        /// Time spent in commits, in microseconds.
        commit_micros,
    }
}
