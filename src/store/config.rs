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
}

/// The embedded database.
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// The file; its folder is made if it is missing.
    pub path: PathBuf,
    /// Units that may wait for the writer thread, all shards together. More are refused with
    /// RESOURCE_EXHAUSTED.
    pub write_queue_len_max: usize,
    /// Reads that may wait for the reader threads. More are refused with RESOURCE_EXHAUSTED.
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
