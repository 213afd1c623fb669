//! What the store needs to know to open.

use std::path::PathBuf;

/// Which database, and its bounds. The configuration fills it in.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    pub driver: DriverConfig,
    /// How long one call may take, waiting included.
    pub call_timeout_ms: u64,
}

#[derive(Clone, Debug)]
pub enum DriverConfig {
    Sqlite(SqliteConfig),
    Postgres(PostgresConfig),
}

/// A `PostgreSQL` server, or one that speaks its protocol.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `user:password@host:port/database?sslmode=..` or `postgres://` URLs, tried in order.
    pub addresses: Vec<String>,
    /// Connections of the node, divided among its shards; a shard has at least two.
    pub connections_max: usize,
    /// Age after which a connection is replaced; 0 for never.
    pub connection_lifetime_ms: u64,
    /// How long making a connection may take, for each address.
    pub connect_timeout_ms: u64,
    /// After this the server gives up a statement.
    pub statement_timeout_ms: u64,
    /// Transactions of a shard that may wait for a connection. More are refused with
    /// `RESOURCE_EXHAUSTED`.
    pub queue_len_max: usize,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            connections_max: 100,
            connection_lifetime_ms: 3_600_000,
            connect_timeout_ms: 5_000,
            statement_timeout_ms: 10_000,
            queue_len_max: 8192,
        }
    }
}

impl std::fmt::Debug for PostgresConfig {
    /// Without the addresses, which hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}

/// The embedded database.
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// The file; its folder is made if it is missing.
    pub path: PathBuf,
    /// Units that may wait for the writer thread, all shards together. More are refused with
    /// `RESOURCE_EXHAUSTED`.
    pub write_queue_len_max: usize,
    /// Reads that may wait for the reader threads. More are refused with `RESOURCE_EXHAUSTED`.
    pub read_queue_len_max: usize,
    /// Threads for reads that may be long.
    pub reader_threads: usize,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("./data/kakera.db"),
            write_queue_len_max: 8192,
            read_queue_len_max: 4096,
            reader_threads: 2,
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { driver: DriverConfig::Sqlite(SqliteConfig::default()), call_timeout_ms: 15_000 }
    }
}
