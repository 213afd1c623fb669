//! What the tests stand on.

pub mod folder;

use std::sync::Arc;

use kakera::{
    ids::UserId,
    store::{Database, DriverConfig, SqliteConfig, Store, StoreConfig},
};
use kakera_shards::runtime::{self, ExecutorConfig};
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
        })*
    };
}

/// A migrated database with nothing but the system user in it.
#[derive(Clone)]
pub struct Bench {
    pub config: StoreConfig,
    pub database: Database,
    /// Removed at the end.
    _folder: Arc<Folder>,
}

impl Bench {
    pub fn run_sqlite<F: Future<Output = ()>>(body: impl FnOnce(Self) -> F) {
        let folder = Arc::new(Folder::new("sqlite"));
        let config = sqlite_config(&folder);
        on_shard(async {
            let database = Database::open(&config).unwrap();
            body(Self { config, database: database.clone(), _folder: folder }).await;
            database.close();
        });
    }

    /// A shard's handle.
    pub fn store(&self) -> Store {
        self.database.attach(1).unwrap()
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
