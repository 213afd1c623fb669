//! From the configuration to the store's own.

use std::path::PathBuf;

use kakera::{
    config::{Config, DatabaseDriver},
    store::{DriverConfig, SqliteConfig, StoreConfig},
};

use super::Failure;

pub(super) fn store_config(config: &Config) -> Result<StoreConfig, Failure> {
    let database = &config.database;
    let driver = match database.driver {
        DatabaseDriver::Sqlite => DriverConfig::Sqlite(SqliteConfig {
            path: PathBuf::from(&database.path),
            write_queue_len_max: database.queue_size,
            read_queue_len_max: database.queue_size,
            reader_threads: usize::from(database.readers),
        }),
        DatabaseDriver::Postgres => return Err("the PostgreSQL driver is not built yet".to_owned()),
    };
    Ok(StoreConfig { driver, call_timeout_ms: u64::from(database.call_timeout_ms) })
}
