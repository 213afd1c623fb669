//! The handles: [`Database`] for the node, [`Store`] for a shard.

use std::{borrow::Cow, rc::Rc};

use kakera_shards::socket::Sockets;

use super::{
    config::{DriverConfig, StoreConfig},
    counters::{ShardCounters, WriterCounters},
    error::StoreError,
    gathered::{RowLock, Statement},
    migrate,
    postgres::{PgDatabase, PgShard},
    row::FromRow,
    sqlite::{SqliteDatabase, SqliteShard},
    storable,
    tx::{Reader, Tx},
    value::Param,
};

/// The database of a node. `Send` and cheap to clone.
#[derive(Clone)]
pub enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PgDatabase),
}

impl Database {
    /// Opens the database. The embedded one is migrated and its threads started; of PostgreSQL only the
    /// addresses are read, see [`Store::check_schema`]. Blocks while it does.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        match &config.driver {
            DriverConfig::Sqlite(sqlite) => {
                SqliteDatabase::open(sqlite, migrate::bring_up).map(Self::Sqlite)
            }
            DriverConfig::Postgres(postgres) => {
                PgDatabase::open(postgres, config.call_timeout_ms).map(Self::Postgres)
            }
        }
    }

    /// A shard's handle, made on that shard. `shards` is how many of them share the database; what
    /// connections there are go over the shard's `sockets`.
    pub fn attach(&self, shards: usize, sockets: &Sockets) -> Result<Store, StoreError> {
        match self {
            Self::Postgres(database) => {
                Ok(Store::Postgres(Rc::new(PgShard::new(database, shards, sockets.clone()))))
            }
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
            Self::Postgres(_) => None,
        }
    }

    /// Answers what is queued, makes it durable and ends the store's threads. Blocks while it does;
    /// later calls are refused as closed.
    pub fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close(),
            Self::Postgres(database) => database.close(),
        }
    }
}

/// A shard's handle on the database.
#[derive(Clone)]
pub enum Store {
    Sqlite(Rc<SqliteShard>),
    Postgres(Rc<PgShard>),
}

impl Store {
    /// Ends the shard's part: on PostgreSQL further calls are refused as closed, so that none of those that
    /// are still under way connects again while the shard's sockets are shut down. The embedded database
    /// needs no sockets.
    pub fn detach(&self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(shard) => shard.detach(),
        }
    }

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
            Self::Sqlite(shard) => shard.read(&steps),
            Self::Postgres(shard) => shard.read(steps).await,
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
            Self::Postgres(shard) => shard.read(steps).await,
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
            Self::Postgres(shard) => shard.write(steps).await,
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
            Self::Postgres(shard) => shard.execute(&sql.into(), params).await,
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
            Self::Postgres(shard) => shard.returning(&sql.into(), params).await,
        }
    }

    /// Runs one writing statement that changes one row, named by `lock`; yields the rows that it returns.
    /// Others that come at the same time share its commit, and neither their failure nor their loss is
    /// its own.
    pub(super) async fn write_row<T: FromRow + Send + 'static>(
        &self,
        lock: RowLock,
        statement: Statement,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(shard) => {
                let Statement { sql, params, .. } = statement;
                shard.write(async move |tx: &mut Tx<'_>| tx.all(sql, &params).await, true).await
            }
            Self::Postgres(shard) => {
                storable::check(&statement.params)?;
                shard.write_row(lock, statement).await
            }
        }
    }

    /// Whether the database is there with the schema that this server needs; the error says what to
    /// do. To be asked by one shard before the server takes requests.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        match self {
            // It was brought up to date when it was opened.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(shard) => shard.check_schema().await,
        }
    }

    pub fn counters(&self) -> &Rc<ShardCounters> {
        match self {
            Self::Sqlite(shard) => shard.counters(),
            Self::Postgres(shard) => shard.counters(),
        }
    }
}

fn owned(params: &[Param<'_>]) -> Vec<Param<'static>> {
    params.iter().cloned().map(Param::into_owned).collect()
}
