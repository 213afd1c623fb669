//! The handles: [`Database`] for the node, [`Store`] for a shard.

use std::{borrow::Cow, rc::Rc, sync::Arc};

use super::{
    config::{DriverConfig, StoreConfig},
    counters::{ShardCounters, WriterCounters},
    error::StoreError,
    migrate,
    row::FromRow,
    sqlite::{SqliteDatabase, SqliteShard},
    tx::{Reader, Tx},
    value::Param,
};

/// The database of a node. `Send` and cheap to clone.
#[derive(Clone)]
pub enum Database {
    Sqlite(SqliteDatabase),
}

impl Database {
    /// Opens the database. The embedded one is migrated and its threads started; blocks while it does.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        match &config.driver {
            DriverConfig::Sqlite(sqlite) => {
                SqliteDatabase::open(sqlite, migrate::bring_up).map(Self::Sqlite)
            }
        }
    }

    /// A shard's handle, made on that shard. `shards` is how many of them share the database.
    pub fn attach(&self, _shards: usize) -> Result<Store, StoreError> {
        match self {
            Self::Sqlite(database) => {
                SqliteShard::new(database.clone()).map(|shard| Store::Sqlite(Rc::new(shard)))
            }
        }
    }

    /// The embedded writer's counters and how many units wait for it; nothing on PostgreSQL, where the
    /// shards' counters say it all.
    pub fn writer_counters(&self) -> Option<(&WriterCounters, usize)> {
        match self {
            Self::Sqlite(database) => Some((database.counters(), database.write_queue_len())),
        }
    }

    /// Answers what is queued, makes it durable and ends the store's threads. Blocks while it does;
    /// later calls are refused as closed.
    pub fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close(),
        }
    }
}

/// A shard's handle on the database.
#[derive(Clone)]
pub enum Store {
    Sqlite(Rc<SqliteShard>),
}

impl Store {
    /// Runs short, indexed reads. On SQLite they run on the shard itself.
    ///
    /// The steps may await nothing but their own statements.
    pub async fn read<T, E, F>(&self, steps: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self {
            Self::Sqlite(shard) => shard.read(steps).await,
        }
    }

    /// Runs reads that may be long (listings, exports, counts). On SQLite they run on a reader thread.
    pub async fn scan<T, E, F>(&self, steps: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self {
            Self::Sqlite(shard) => shard.scan(steps).await,
        }
    }

    /// Runs a transaction: commits if the steps return `Ok` and no statement failed, else rolls back.
    ///
    /// The steps run again from the start after a serialization failure, so they must not change
    /// anything but the database; they may await nothing but their own statements. On SQLite they run
    /// on the writer thread.
    pub async fn write<T, E, F>(&self, steps: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self {
            Self::Sqlite(shard) => shard.write(steps, false).await,
        }
    }

    /// Runs one writing statement by itself; yields how many rows it changed. Cheaper than a
    /// transaction of one.
    pub async fn execute(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(shard) => {
                let (sql, params) = (sql.into(), owned(params));
                shard
                    .write(async move |tx: &mut Tx<'_>| tx.execute(&sql, &params).await, true)
                    .await
            }
        }
    }

    /// Runs one writing statement by itself; yields the rows that it returns.
    pub async fn returning<T: FromRow + Send + 'static>(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: &[Param<'_>],
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(shard) => {
                let (sql, params) = (sql.into(), owned(params));
                shard.write(async move |tx: &mut Tx<'_>| tx.all(&sql, &params).await, true).await
            }
        }
    }

    pub fn counters(&self) -> &Arc<ShardCounters> {
        match self {
            Self::Sqlite(shard) => shard.counters(),
        }
    }
}

fn owned(params: &[Param<'_>]) -> Vec<Param<'static>> {
    params.iter().cloned().map(Param::into_owned).collect()
}
