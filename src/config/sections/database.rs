//! `database`: where data is kept.

use super::section;
use crate::config::types::{DatabaseAddress, DatabaseDriver};

section! {
    /// Where data is kept.
    Database at "database." [database] {
        /// Addresses of PostgreSQL servers, as `user:password@host:port/name` or as URLs. Giving one selects that driver.
        address: Vec<DatabaseAddress> = vec!["root@localhost:26257".into()], required;
        /// Longest life of a connection, in milliseconds. 0 sets no bound.
        conn_max_lifetime_ms: u32 = 3_600_000;
        /// Most connections of the node, shared out among its shards. At least one each.
        max_open_conns: u32 = 100;
        /// Most idle connections.
        max_idle_conns: u32 = 100, ignored("each shard keeps the connections it has opened");
        /// Seconds between lookups of the database's address.
        dns_scan_interval_sec: u32 = 60, at_least(1), ignored("the address is looked up for every new connection");
        /// What keeps the data: a file in this process, or a PostgreSQL server.
        driver: DatabaseDriver = DatabaseDriver::Sqlite, ours;
        /// The embedded database's file. Empty means `kakera.db` in the data folder.
        path: String = String::new(), ours;
        /// Most calls that wait for the database; more are refused.
        queue_size: usize = 8192, at_least(1), ours;
        /// Reader threads of the embedded database.
        readers: u16 = 2, at_least(1), at_most(64), ours;
        /// Longest time to connect, in milliseconds.
        connect_timeout_ms: u32 = 5000, at_least(1), ours;
        /// Longest time for one call to the database, waiting included, in milliseconds.
        call_timeout_ms: u32 = 15_000, at_least(1), ours;
    }
}
