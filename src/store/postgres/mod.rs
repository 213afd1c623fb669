//! The PostgreSQL driver.
//!
//! Connections belong to a shard and run on its executor. Independent statements are pipelined over a
//! few shared connections, transactions have one to themselves. What many tasks do at the same time to rows
//! of one kind goes as one statement: single writes ([`gather`]), and lookups by key ([`lookup`]). A lost
//! database makes calls fail at once; connections come back with a growing pause between the tries.

mod address;
mod backoff;
mod connect;
mod connection;
mod convert;
mod error;
mod flight;
mod gather;
mod lookup;
mod migrations;
mod pool;
mod shard;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub(super) use connection::PgConnection;
pub(super) use convert::column;
pub(super) use migrations::{applied_migrations, run_migrations};
pub use shard::PgShard;

use self::connect::Target;
use super::{config::PostgresConfig, error::StoreError};

/// The database of a node: addresses and bounds. Cheap to clone.
#[derive(Clone)]
pub struct PgDatabase(Arc<Inner>);

struct Inner {
    config: PostgresConfig,
    targets: Vec<Target>,
    call_timeout_ms: u64,
    closed: Arc<AtomicBool>,
}

impl PgDatabase {
    /// Reads the addresses and the certificates they name; connects to nothing.
    pub(crate) fn open(config: &PostgresConfig, call_timeout_ms: u64) -> Result<Self, StoreError> {
        if config.addresses.is_empty() {
            return Err(StoreError::open("no database address is configured"));
        }
        let targets = config
            .addresses
            .iter()
            .map(|address| Target::prepare(address))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Arc::new(Inner {
            config: config.clone(),
            targets,
            call_timeout_ms,
            closed: Arc::default(),
        })))
    }

    fn config(&self) -> &PostgresConfig {
        &self.0.config
    }

    fn targets(&self) -> &[Target] {
        &self.0.targets
    }

    fn queue_len_max(&self) -> usize {
        self.0.config.queue_len_max
    }

    fn call_timeout_ms(&self) -> u64 {
        self.0.call_timeout_ms
    }

    fn closed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.closed)
    }

    /// Refuses new calls on all shards. Connections close with their shards.
    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::Relaxed);
    }
}
