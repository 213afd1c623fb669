//! A shard's handle on the embedded database.

use std::sync::Arc;

use super::{
    connection::SqliteConnection,
    open::SqliteDatabase,
    unit::{Read, Unit, read_now},
};
use crate::store::{
    counters::ShardCounters,
    error::StoreError,
    tx::{Reader, Tx},
};

/// Reads on the shard's own connection, everything else through the queues.
pub struct SqliteShard {
    database: SqliteDatabase,
    connection: SqliteConnection,
    counters: Arc<ShardCounters>,
}

impl SqliteShard {
    pub(crate) fn new(database: SqliteDatabase) -> Result<Self, StoreError> {
        let connection = database.connect_reader()?;
        Ok(Self { database, connection, counters: Arc::default() })
    }

    pub(crate) fn counters(&self) -> &Arc<ShardCounters> {
        &self.counters
    }

    pub(crate) async fn read<T, E, F>(&self, steps: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Reader<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        self.counters.reads.add(1);
        read_now(&self.connection, &steps)
    }

    pub(crate) async fn scan<T, E, F>(&self, steps: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.counters.reads_offloaded.add(1);
        let (unit, answer) = Unit::new(steps, true);
        self.count(self.database.readers().push(Box::new(Read(unit))))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    pub(crate) async fn write<T, E, F>(&self, steps: F, one_statement: bool) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.counters.writes.add(1);
        let (unit, answer) = Unit::new(steps, one_statement);
        self.count(self.database.writer().push(Box::new(unit)))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    fn count(&self, pushed: Result<(), StoreError>) -> Result<(), StoreError> {
        if matches!(pushed, Err(StoreError::Overloaded(_))) {
            self.counters.refused.add(1);
        }
        pushed
    }
}
