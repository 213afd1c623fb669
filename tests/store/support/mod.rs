//! What the tests stand on.

pub mod boards;
pub mod cluster;
pub mod folder;

use std::sync::Once;

use kakera::{
    ids::UserId,
    store::{
        Database, DriverConfig, MigrateCommand, PostgresConfig, SqliteConfig, Store, StoreConfig,
        migrate,
    },
};
use kakera_shards::{
    runtime::{self, ExecutorConfig},
    socket::{SocketConfig, Sockets},
};
use uuid::Uuid;

use folder::Folder;

/// Runs one test body on a migrated database.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($bench:ident: Bench) $body:block)*) => {
        $($(#[$attribute])* mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn body($bench: $crate::support::Bench) $body

            #[test]
            fn on_sqlite() {
                $crate::support::Bench::run_sqlite(body);
            }

            #[test]
            fn on_postgres() {
                $crate::support::Bench::run_postgres(body);
            }
        })*
    };
}

/// A migrated database with nothing but the system user in it, and a shard that uses it.
pub struct Bench {
    pub database: Database,
    pub store: Store,
}

impl Bench {
    pub fn run_sqlite<F: Future<Output = ()>>(body: impl FnOnce(Self) -> F) {
        let folder = Folder::new("sqlite");
        Self::run(&sqlite_config(&folder), body);
    }

    pub fn run_postgres<F: Future<Output = ()>>(body: impl FnOnce(Self) -> F) {
        static TEMPLATE: Once = Once::new();
        let cluster = cluster::shared();
        TEMPLATE.call_once(|| {
            let config = postgres_config(cluster.by_socket("migrated"));
            on_shard(migrate(&config, MigrateCommand::Up { limit: None })).unwrap();
        });
        let name = cluster.create_database("migrated");
        Self::run(&postgres_config(cluster.by_socket(&name)), body);
    }

    pub fn run<F: Future<Output = ()>>(config: &StoreConfig, body: impl FnOnce(Self) -> F) {
        on_shard(async {
            let sockets = Sockets::start(SocketConfig::default()).unwrap();
            let database = Database::open(config).unwrap();
            let store = database.attach(1, &sockets).unwrap();
            store.check_schema().await.unwrap();
            body(Self { database: database.clone(), store }).await;
            database.close();
            sockets.shut_down().await;
        });
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

pub fn new_id() -> UserId {
    UserId(Uuid::new_v4())
}
