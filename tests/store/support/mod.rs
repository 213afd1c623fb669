//! What the tests stand on.

pub mod boards;
pub mod cluster;
mod databases;
pub mod folder;

use kakera::{
    ids::UserId,
    store::{Database, Store, StoreConfig},
};
use kakera_shards::socket::{SocketConfig, Sockets};
use uuid::Uuid;

use databases::PostgresDatabase;
pub use databases::{on_shard, postgres_config, sqlite_config};
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
    sockets: Sockets,
}

impl Bench {
    pub fn run_sqlite<F: Future<Output = ()>>(body: impl FnOnce(Self) -> F) {
        let folder = Folder::new("sqlite");
        Self::run(&sqlite_config(&folder), body);
    }

    pub fn run_postgres<F: Future<Output = ()>>(body: impl FnOnce(Self) -> F) {
        let database = PostgresDatabase::new();
        Self::run(&database.config, body);
    }

    pub fn run<F: Future<Output = ()>>(config: &StoreConfig, body: impl FnOnce(Self) -> F) {
        on_shard(async {
            let sockets = Sockets::start(SocketConfig::default()).unwrap();
            let database = Database::open(config).unwrap();
            let store = database.attach(1, &sockets).unwrap();
            store.check_schema().await.unwrap();
            body(Self { database: database.clone(), store, sockets: sockets.clone() }).await;
            database.close();
            sockets.shut_down().await;
        });
    }

    /// The same database, by connections of its own.
    pub fn another_store(&self) -> Store {
        self.database.attach(1, &self.sockets).unwrap()
    }
}

pub fn new_id() -> UserId {
    UserId(Uuid::new_v4())
}
