//! A shard's handle on the embedded database.

use std::rc::Rc;

use kakera_shards::runtime;

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
    counters: Rc<ShardCounters>,
}

impl SqliteShard {
    pub(crate) fn new(database: SqliteDatabase) -> Result<Self, StoreError> {
        let connection = database.connect_reader()?;
        let counters = Rc::new(ShardCounters::register(&runtime::counters()));
        Ok(Self { database, connection, counters })
    }

    pub(crate) fn counters(&self) -> &Rc<ShardCounters> {
        &self.counters
    }

    pub(crate) fn read<T, E, F>(&self, steps: &F) -> Result<T, E>
    where
        F: AsyncFn(&mut Reader<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        self.counters.reads.increment();
        read_now(&self.connection, steps)
    }

    pub(crate) async fn scan<T, E, F>(&self, steps: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.counters.reads_offloaded.increment();
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
        self.counters.writes.increment();
        let (unit, answer) = Unit::new(steps, one_statement);
        self.count(self.database.writer().push(Box::new(unit)))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    fn count(&self, pushed: Result<(), StoreError>) -> Result<(), StoreError> {
        if matches!(pushed, Err(StoreError::Overloaded(_))) {
            self.counters.refused.increment();
        }
        pushed
    }
}
