//! The same test on both stores.

#[path = "../store/support/cluster.rs"]
mod cluster;
#[path = "../store/support/folder.rs"]
mod folder;

use std::{process::Command, sync::Once, thread, time::Duration};

use uuid::Uuid;

use super::server::{DataDir, Server};

/// What a server keeps its data in.
pub enum Store {
    /// A file in the server's data directory.
    Sqlite,
    Postgres(PostgresDatabase),
}

/// A migrated database of a private cluster, dropped with this.
pub struct PostgresDatabase {
    name: String,
}

/// Runs a test on one store after the other, each time with an empty database.
pub fn on_both_stores(test: impl Fn(&Store)) {
    for store in [|| Store::Sqlite, || Store::Postgres(PostgresDatabase::new())] {
        let store = store();
        let _running = Running(store.name());
        test(&store);
    }
}

impl Store {
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// A server on this store, with these flags beside.
    pub fn server(&self, flags: &[&str]) -> Server {
        self.server_in(DataDir::new(), flags)
    }

    /// The same, on what `data_dir` holds where that is the store.
    pub fn server_in(&self, data_dir: DataDir, flags: &[&str]) -> Server {
        let address = match self {
            Self::Sqlite => None,
            Self::Postgres(database) => Some(cluster::shared().by_socket(&database.name)),
        };
        let mut flags = flags.to_vec();
        if let Some(address) = &address {
            flags.extend(["--database.address", address]);
        }
        Server::start_in(data_dir, &flags)
    }

    /// Runs statements on the database under a running server, as an operator would.
    pub fn execute(&self, server: &Server, sql: &str) {
        match self {
            Self::Sqlite => {
                let file = rusqlite::Connection::open(server.database());
                let file = file.expect("the file is there");
                file.busy_timeout(Duration::from_secs(5)).expect("a busy writer is waited for");
                file.execute_batch(sql).expect("the statements are right");
            }
            Self::Postgres(database) => {
                cluster::shared().psql(&database.name, sql);
            }
        }
    }

    /// An id as a literal of SQL.
    pub fn uuid(&self, id: Uuid) -> String {
        match self {
            Self::Sqlite => format!("x'{}'", id.simple()),
            Self::Postgres(_) => format!("'{id}'"),
        }
    }
}

impl PostgresDatabase {
    fn new() -> Self {
        static TEMPLATE: Once = Once::new();
        let cluster = cluster::shared();
        TEMPLATE.call_once(|| {
            let address = cluster.by_socket("migrated");
            let migrated = Command::new(env!("CARGO_BIN_EXE_kakera"))
                .args(["migrate", "up", "--database.address", &address])
                .output()
                .expect("the server's binary can be run");
            let errors = String::from_utf8_lossy(&migrated.stderr);
            assert!(migrated.status.success(), "migrate: {errors}");
        });
        Self { name: cluster.create_database("migrated") }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        cluster::shared().drop_database(&self.name);
    }
}

/// Tells which store a test failed on.
struct Running(&'static str);

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("it failed on {}", self.0);
        }
    }
}
