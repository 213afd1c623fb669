//! Counters of the store. Each is written by one thread and read by the metrics scrape.

use std::sync::atomic::{AtomicU64, Ordering};

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
    /// What one shard asked of the store.
    ShardCounters {
        /// Reads that ran on the shard itself, or over the shard's pipelined connections.
        reads,
        /// Reads handed to a reader thread.
        reads_offloaded,
        /// Transactions and single writing statements.
        writes,
        /// Transactions run again after a serialization failure.
        retries,
        /// Calls refused because a queue was full.
        refused,
        /// Calls that ended because the database was away.
        unavailable,
        /// Calls that ran into their deadline.
        deadlines,
        /// PostgreSQL: open connections (gauge).
        connections,
        /// PostgreSQL: connections made.
        connects,
        /// PostgreSQL: connection attempts that failed.
        connect_failures,
        /// PostgreSQL: transactions waiting for a connection (gauge).
        waiting,
    }
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
