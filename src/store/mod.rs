//! The store: the only place that speaks SQL, over one of two databases.
//!
//! A [`Database`] is opened once per node, before the shards start; each shard attaches to it and owns
//! a [`Store`], which is cheap to clone and stays on its shard. What a statement is called and does
//! stands in one file per table; callers never see SQL.
//!
//! - Acknowledged means durable: a write returns after its commit is on disk.
//! - Every queue is bounded and refuses with `RESOURCE_EXHAUSTED`; a lost database is UNAVAILABLE at once,
//!   and the store recovers by itself when it is back.
//! - A caller that goes away (drops the future) may cancel a unit that has not started; one that has
//!   started finishes.

mod config;
pub mod console_users;
mod counters;
mod database;
mod dialect;
mod error;
pub mod friends;
mod gathered;
pub mod groups;
pub mod json_object;
pub mod leaderboards;
pub mod locks;
pub mod messages;
mod migrate;
pub mod notifications;
mod postgres;
pub mod relations;
mod row;
mod see_through;
pub mod size;
mod sqlite;
mod storable;
pub mod storage;
pub mod transfer;
mod tx;
pub mod users;
mod value;
pub mod wallet;

pub use config::{DriverConfig, PostgresConfig, SqliteConfig, StoreConfig};
pub use counters::{Counter, ShardCounters, WriterCounters};
pub use database::{Database, Store};
pub use error::StoreError;
pub use migrate::{MigrateCommand, MigrateReport, migrate};
pub use postgres::{PgDatabase, PgShard};
pub use row::{Column, Columns, FromColumn, FromRow, Row};
pub use see_through::see_through;
pub use sqlite::{SqliteDatabase, SqliteShard};
pub use tx::{ROW_COUNT_MAX, Reader, Tx};
pub use value::{Param, Timestamp};
