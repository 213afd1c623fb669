//! From the configuration to the store's own.

use std::path::PathBuf;

use kakera::{
    config::{Config, DatabaseDriver},
    store::{DriverConfig, PostgresConfig, SqliteConfig, StoreConfig},
};

pub(super) fn store_config(config: &Config) -> StoreConfig {
    let database = &config.database;
    let driver = match database.driver {
        DatabaseDriver::Sqlite => DriverConfig::Sqlite(SqliteConfig {
            path: PathBuf::from(&database.path),
            write_queue_len_max: database.queue_size,
            read_queue_len_max: database.queue_size,
            reader_threads: usize::from(database.readers),
        }),
        DatabaseDriver::Postgres => DriverConfig::Postgres(PostgresConfig {
            addresses: database.address.iter().map(|a| a.expose().to_owned()).collect(),
            connections_max: database.max_open_conns as usize,
            connection_lifetime_ms: u64::from(database.conn_max_lifetime_ms),
            connect_timeout_ms: u64::from(database.connect_timeout_ms),
            // The server gives a statement up before we give the connection up.
            statement_timeout_ms: (u64::from(database.call_timeout_ms) * 2 / 3).max(1),
            queue_len_max: database.queue_size,
        }),
    };
    StoreConfig { driver, call_timeout_ms: u64::from(database.call_timeout_ms) }
}
