//! Migrated databases of either kind, empty but for the system user, each for one test.

use std::sync::Once;

use kakera::store::{
    DriverConfig, MigrateCommand, PostgresConfig, SqliteConfig, StoreConfig, migrate,
};
use kakera_shards::runtime::{self, ExecutorConfig};

use super::{cluster, folder::Folder};

/// A database of the shared cluster, dropped with this.
pub struct PostgresDatabase {
    name: String,
    pub config: StoreConfig,
}

impl PostgresDatabase {
    pub fn new() -> Self {
        static TEMPLATE: Once = Once::new();
        let cluster = cluster::shared();
        TEMPLATE.call_once(|| {
            let config = postgres_config(cluster.by_socket("migrated"));
            on_shard(migrate(&config, MigrateCommand::Up { limit: None })).unwrap();
        });
        let name = cluster.create_database("migrated");
        let config = postgres_config(cluster.by_socket(&name));
        Self { name, config }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        cluster::shared().drop_database(&self.name);
    }
}

pub fn postgres_config(address: String) -> StoreConfig {
    StoreConfig {
        driver: DriverConfig::Postgres(PostgresConfig {
            addresses: vec![address],
            connections_max: 8,
            ..PostgresConfig::default()
        }),
        ..StoreConfig::default()
    }
}

pub fn sqlite_config(folder: &Folder) -> StoreConfig {
    StoreConfig {
        driver: DriverConfig::Sqlite(SqliteConfig {
            path: folder.path().join("store.db"),
            ..SqliteConfig::default()
        }),
        ..StoreConfig::default()
    }
}

/// Runs a future on an executor of this thread, as a shard would.
pub fn on_shard<T>(main: impl Future<Output = T>) -> T {
    runtime::block_on(&ExecutorConfig::default(), main).unwrap()
}
