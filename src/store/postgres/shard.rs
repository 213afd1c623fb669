//! A shard's handle on PostgreSQL.

use std::{cell::Cell, panic::AssertUnwindSafe, rc::Rc, time::Duration};

use futures_channel::oneshot;
use futures_util::FutureExt;
use kakera_shards::{
    runtime::{self, sleep, timeout},
    socket::Sockets,
};

use super::{PgDatabase, backoff::jitter, gather::Gathered, lookup::Lookups, pool::Pool};
use crate::store::{
    counters::ShardCounters,
    error::StoreError,
    gathered::{Key, RowLock, Statement, Wanted},
    migrate,
    row::FromRow,
    storable,
    tx::{Reader, Tx},
    value::Param,
};

/// How often a transaction is run again after a serialization failure.
const RETRIES_MAX: u32 = 8;
/// The longest pause before the first of them; each doubles it.
const RETRY_PAUSE: Duration = Duration::from_millis(2);

/// Statements over the shard's pool, with retries, and a deadline for each attempt.
pub struct PgShard {
    work: Rc<Work>,
}

pub(super) struct Work {
    pub(super) pool: Rc<Pool>,
    pub(super) gathered: Gathered,
    pub(super) lookups: Lookups,
    /// How many wait for a connection at most, and in each queue of [flights](super::flight).
    pub(super) queue_len_max: usize,
    pub(super) limit: Duration,
    seed: Cell<u64>,
}

/// How an attempt at a transaction ended.
enum Attempt<T, E> {
    Done(Result<T, E>),
    Again,
}

impl PgShard {
    pub(crate) fn new(database: &PgDatabase, shards: usize, sockets: Sockets) -> Self {
        let counters = Rc::new(ShardCounters::register(&runtime::counters()));
        let pool = Pool::new(database, shards, sockets, counters);
        let limit = Duration::from_millis(database.call_timeout_ms());
        let seed = Cell::new(runtime::clock().unix_micros() as u64);
        let (gathered, lookups) = (Gathered::new(), Lookups::new());
        let queue_len_max = database.queue_len_max();
        let work = Work { pool, gathered, lookups, queue_len_max, limit, seed };
        Self { work: Rc::new(work) }
    }

    pub(crate) fn counters(&self) -> &Rc<ShardCounters> {
        self.work.pool.counters()
    }

    /// See [`crate::store::Store::detach`].
    pub(crate) fn detach(&self) {
        self.work.pool.detach();
    }

    pub(crate) async fn read<T, E, F>(&self, steps: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Reader<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        self.counters().reads.increment();
        let run = async |reader: &mut Reader<'_>| Ok(steps(reader).await);
        match self.work.shared(run).await {
            Ok(result) => result,
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        self.counters().writes.increment();
        self.work.statement(async |reader: &mut Reader<'_>| reader.execute(sql, params).await).await
    }

    pub(crate) async fn returning<T: FromRow>(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<T>, StoreError> {
        self.counters().writes.increment();
        self.work.statement(async |reader: &mut Reader<'_>| reader.all(sql, params).await).await
    }

    /// The rows of these keys, in any order; those of others who ask at the same time are found with them.
    pub(crate) async fn look_up<T: FromRow>(
        &self,
        wanted: Wanted,
        keys: Vec<Key>,
    ) -> Result<Vec<T>, StoreError> {
        self.counters().reads.increment();
        for key in &keys {
            storable::check(key)?;
        }
        let rows = self.work.look_up(wanted, keys).await?;
        rows.iter().map(|row| T::from_row(&mut row.columns())).collect()
    }

    /// See [`crate::store::Store::write_row`].
    pub(crate) async fn write_row<T: FromRow>(
        &self,
        lock: RowLock,
        statement: Statement,
    ) -> Result<Vec<T>, StoreError> {
        self.counters().writes.increment();
        let rows = self.work.gather(lock, statement).await?;
        rows.iter().map(|row| T::from_row(&mut row.columns())).collect()
    }

    /// The transaction is a task of its own, so that it ends even if the caller goes away.
    pub(crate) async fn write<T, E, F>(&self, steps: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + 'static,
        T: 'static,
        E: From<StoreError> + 'static,
    {
        self.counters().writes.increment();
        let work = Rc::clone(&self.work);
        let (sender, receiver) = oneshot::channel();
        runtime::spawn("store write", async move {
            let run = AssertUnwindSafe(work.transaction(&steps)).catch_unwind();
            let result = run.await.unwrap_or_else(|panic| {
                runtime::report_panic("store write", &*panic);
                Err(StoreError::statement("a unit panicked").into())
            });
            // A caller that went away has no use for it.
            let _ = sender.send(result);
        });
        receiver.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// See [`crate::store::Store::check_schema`].
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let lease = self.work.pool.exclusive().await?;
        let applied = super::applied_migrations(lease.connection()).await?;
        lease.clean();
        migrate::require_complete_postgres(&applied)
    }
}

impl Work {
    /// Runs steps over a shared connection within the deadline.
    async fn shared<T>(
        &self,
        steps: impl AsyncFn(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut used = None;
        let run = async {
            let connection = self.pool.shared().await?;
            let mut reader = Reader::postgres(used.insert(connection));
            steps(&mut reader).await
        };
        let result = timeout(self.limit, run).await;
        if result.is_none()
            && let Some(connection) = used
        {
            // The server's own limit is shorter: this connection leads nowhere.
            connection.retire();
        }
        self.count(result.unwrap_or(Err(StoreError::Deadline)))
    }

    /// A single writing statement, run again after a serialization failure.
    pub(super) async fn statement<T>(
        &self,
        steps: impl AsyncFn(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        for attempt in 0..RETRIES_MAX {
            match self.shared(&steps).await {
                Err(StoreError::Contended) => self.pause(attempt).await,
                other => return other,
            }
        }
        self.shared(&steps).await
    }

    async fn transaction<T, E, F>(&self, steps: &F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        for attempt in 0..=RETRIES_MAX {
            if attempt > 0 {
                self.pause(attempt - 1).await;
            }
            match timeout(self.limit, self.attempt(steps)).await {
                Some(Ok(Attempt::Done(result))) => return result,
                Some(Ok(Attempt::Again)) => {}
                Some(Err(error)) => {
                    return Err(self
                        .count::<T>(Err(error))
                        .err()
                        .map_or_else(|| StoreError::Closed.into(), Into::into));
                }
                None => {
                    self.pool.counters().deadlines.increment();
                    return Err(StoreError::Deadline.into());
                }
            }
        }
        Err(StoreError::Contended.into())
    }

    /// Runs a transaction once. A dropped or failed one closes its connection, which rolls it back.
    async fn attempt<T, E, F>(&self, steps: &F) -> Result<Attempt<T, E>, StoreError>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        let lease = self.pool.exclusive().await?;
        let mut tx = Tx::postgres(lease.connection());
        let result = steps(&mut tx).await;
        let begun = tx.has_begun();
        let failure = tx.into_failure();
        if failure.is_none()
            && let Ok(value) = result
        {
            if begun {
                match lease.connection().batch("commit").await {
                    Ok(()) => {}
                    Err(StoreError::Contended) => {
                        lease.clean();
                        return Ok(Attempt::Again);
                    }
                    Err(error) => return Err(error),
                }
            }
            lease.clean();
            return Ok(Attempt::Done(Ok(value)));
        }
        if !begun || lease.connection().batch("rollback").await.is_ok() {
            lease.clean();
        }
        match (failure, result) {
            (Some(StoreError::Contended), _) => Ok(Attempt::Again),
            (Some(failure), Ok(_)) => Err(failure),
            (failure, Err(error)) => {
                if let Some(failure) = failure {
                    let _ = self.count::<()>(Err(failure));
                }
                Ok(Attempt::Done(Err(error)))
            }
            (None, Ok(_)) => Err(StoreError::Failed),
        }
    }

    async fn pause(&self, attempt: u32) {
        self.pool.counters().retries.increment();
        self.seed.set(jitter(self.seed.get()));
        let longest = (RETRY_PAUSE * (1 << attempt)).as_micros() as u64;
        sleep(Duration::from_micros(self.seed.get() % longest)).await;
    }

    pub(super) fn count<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match &result {
            Err(StoreError::Unavailable(_)) => self.pool.counters().unavailable.increment(),
            Err(StoreError::Deadline) => self.pool.counters().deadlines.increment(),
            _ => {}
        }
        result
    }
}
