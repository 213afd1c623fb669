//! One connection: its statements, and queries over it.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::Poll,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{LocalBoxFuture, Shared, join, join_all, join3, maybe_done},
    pin_mut,
};
use hashbrown::HashMap;
use kakera_shards::Counter;
use tokio_postgres::{Client, Statement as Prepared, types::ToSql};

use super::{
    convert::{Bound, BoundColumn},
    error::store_error,
};
use crate::store::{
    dialect::Dialect,
    error::StoreError,
    gathered::{Key, Many, RowLock, Statement},
    row::{Repr, Row},
    tx::ROW_COUNT_MAX,
    value::Param,
};

/// Statements prepared per connection. Past it the cache starts over.
const STATEMENTS_MAX: usize = 512;

/// Futures that `join_all` polls in their order.
const IN_ORDER_MAX: usize = 30;

type Preparing = Shared<LocalBoxFuture<'static, Result<Prepared, StoreError>>>;

enum Cached {
    Ready(Prepared),
    /// Several tasks may want a new statement at once; it is prepared for all of them.
    Preparing(Preparing),
}

pub(crate) struct PgConnection {
    client: Rc<Client>,
    statements: RefCell<HashMap<Box<str>, Cached>>,
    in_flight: Cell<usize>,
    /// No new work: it is too old, or a call over it took too long.
    retired: Cell<bool>,
    opened_ms: u64,
    /// Counts it, if it is one of a shard's.
    gauge: Option<Counter>,
}

impl Drop for PgConnection {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.sub(1);
        }
    }
}

impl PgConnection {
    pub(super) fn new(client: Client, opened_ms: u64) -> Self {
        Self {
            client: Rc::new(client),
            statements: RefCell::default(),
            in_flight: Cell::new(0),
            retired: Cell::new(false),
            opened_ms,
            gauge: None,
        }
    }

    /// Is part of what the gauge tells for as long as it lives.
    pub(super) fn counted(mut self, gauge: &Counter) -> Self {
        gauge.add(1);
        self.gauge = Some(gauge.clone());
        self
    }

    /// Whether new work may go over it.
    pub(super) fn is_usable(&self) -> bool {
        !self.retired.get() && !self.client.is_closed()
    }

    pub(super) fn opened_ms(&self) -> u64 {
        self.opened_ms
    }

    /// Statements under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    pub(super) fn retire(&self) {
        self.retired.set(true);
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a statement for its rows. With `begin`, a transaction begins before it, in the same flight.
    pub(crate) async fn rows(
        &self,
        sql: &str,
        params: &[Param<'_>],
        begin: bool,
    ) -> Result<Vec<Row>, StoreError> {
        let run = async {
            let statement = self.statement(sql).await?;
            let rows = self.rows_of(&statement, params).await;
            rows.map_err(|error| self.explain(sql, &error))
        };
        self.after_begin(begin, run).await
    }

    async fn rows_of(
        &self,
        statement: &Prepared,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.rows_with(statement, params.iter().map(Bound)).await
    }

    async fn rows_with<P: ToSql>(
        &self,
        statement: &Prepared,
        params: impl ExactSizeIterator<Item = P>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let rows = self.client.query_raw(statement, params).await?;
        pin_mut!(rows);
        let mut found = Vec::new();
        while let Some(row) = rows.next().await {
            found.push(Row(Repr::Postgres(row?)));
            if found.len() > ROW_COUNT_MAX {
                break;
            }
        }
        Ok(found)
    }

    /// Runs a statement whose parameters are arrays of the columns of keys.
    pub(super) async fn of_keys(&self, sql: &str, keys: &[Key]) -> Result<Vec<Row>, StoreError> {
        let prepared = self.statement(sql).await?;
        let _flight = Flight::start(&self.in_flight);
        let columns = (0..prepared.params().len()).map(|index| BoundColumn { of: keys, index });
        let rows = self.rows_with(&prepared, columns).await;
        rows.map_err(|error| self.explain(sql, &error))
    }

    /// Runs writes as one statement; yields the rows of each. `None` when all were undone because of what
    /// one of them met.
    pub(super) async fn as_one(
        &self,
        many: Many,
        locks: &[RowLock],
        statements: &[Statement],
    ) -> Result<Option<Vec<Result<Vec<Row>, StoreError>>>, StoreError> {
        let prepared = self.statement(many.sql).await?;
        let _flight = Flight::start(&self.in_flight);
        let columns =
            (0..prepared.params().len()).map(|index| BoundColumn { of: statements, index });
        let rows = match self.rows_with(&prepared, columns).await {
            Ok(rows) => rows,
            Err(error) => {
                let is_refused = error.as_db_error().is_some();
                return match self.explain(many.sql, &error) {
                    lost @ StoreError::Unavailable(_) => Err(lost),
                    _ if is_refused => Ok(None),
                    other => Err(other),
                };
            }
        };
        let mut changed = HashMap::with_capacity(rows.len());
        for row in rows {
            changed.insert((many.row)(&row)?, row);
        }
        let answers = locks.iter().map(|lock| Ok(changed.remove(lock).into_iter().collect()));
        Ok(Some(answers.collect()))
    }

    /// Runs writes as one transaction in one flight; yields the rows of each. `None` when all were undone
    /// because of what one of them, or the commit, met.
    pub(super) async fn together(
        &self,
        statements: &[Statement],
    ) -> Result<Option<Vec<Result<Vec<Row>, StoreError>>>, StoreError> {
        let mut prepared = Vec::with_capacity(statements.len());
        for Statement { sql, .. } in statements {
            prepared.push(self.statement(sql).await?);
        }
        let _flight = Flight::start(&self.in_flight);
        // The order of polling is the order of sending. What is sent from here on is not awaited before the
        // commit behind it is sent too.
        let run = statements.iter().zip(&prepared);
        let run = in_order(run.map(|(it, prepared)| self.rows_of(prepared, &it.params)));
        let commit = self.client.batch_execute("commit");
        let (begun, results, committed) =
            join3(self.client.batch_execute("begin"), run, commit).await;
        begun.map_err(|error| store_error(&error))?;
        let refused = results.iter().filter_map(|result| result.as_ref().err());
        let refused =
            refused.chain(committed.as_ref().err()).filter(|it| it.as_db_error().is_some());
        let refused: Vec<StoreError> = refused.map(store_error).collect();
        let is_undone = !refused.is_empty();
        // The server goes away, or does not know itself what became of them.
        if let Some(lost) = refused.into_iter().find(|it| matches!(it, StoreError::Unavailable(_)))
        {
            return Err(lost);
        }
        let answers = results.into_iter().zip(statements);
        let answers =
            answers.map(|(result, it)| result.map_err(|error| self.explain(it.sql, &error)));
        let answers: Vec<_> = answers.collect();
        if is_undone {
            return Ok(None);
        }
        // What could not even be sent, as a value that is none of its column's, has kept nothing else from
        // being committed.
        committed.map_err(|error| store_error(&error))?;
        Ok(Some(answers))
    }

    /// Runs a statement; yields how many rows it changed.
    pub(crate) async fn execute(
        &self,
        sql: &str,
        params: &[Param<'_>],
        begin: bool,
    ) -> Result<u64, StoreError> {
        let run = async {
            let statement = self.statement(sql).await?;
            let changed = self.client.execute_raw(&statement, params.iter().map(Bound)).await;
            changed.map_err(|error| self.explain(sql, &error))
        };
        self.after_begin(begin, run).await
    }

    /// Runs statements one behind the other in one flight; yields the rows of each.
    pub(crate) async fn pipeline(
        &self,
        statements: &[(&str, Vec<Param<'_>>)],
        begin: bool,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        // A statement that is not prepared yet would be sent behind those that are.
        for (at, (sql, _)) in statements.iter().enumerate() {
            if !statements.iter().take(at).any(|(earlier, _)| earlier == sql) {
                self.statement(sql).await?;
            }
        }
        // The order of polling is the order of sending, and every answer is awaited: a flight that is left
        // behind would be rolled back under its own statements.
        let rows = statements.iter().map(|(sql, params)| self.rows(sql, params, false));
        let all = async { join_all(rows).await.into_iter().collect() };
        self.after_begin(begin, all).await
    }

    async fn after_begin<T>(
        &self,
        begin: bool,
        run: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _flight = Flight::start(&self.in_flight);
        if !begin {
            return run.await;
        }
        // The order of polling is the order of sending. The server refuses `begin` only by ending the
        // session, so that nothing behind it can run outside of the transaction.
        let (begun, result) = join(self.client.batch_execute("begin"), run).await;
        begun.map_err(|error| store_error(&error))?;
        result
    }

    /// Runs statements without parameters, as they stand.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let _flight = Flight::start(&self.in_flight);
        self.client.batch_execute(sql).await.map_err(|error| store_error(&error))
    }

    async fn statement(&self, sql: &str) -> Result<Prepared, StoreError> {
        let preparing = match self.statements.borrow().get(sql) {
            Some(Cached::Ready(statement)) => return Ok(statement.clone()),
            Some(Cached::Preparing(preparing)) => Some(preparing.clone()),
            None => None,
        };
        let preparing = match preparing {
            Some(preparing) => preparing,
            None => self.prepare(sql)?,
        };
        let result = preparing.await;
        let mut statements = self.statements.borrow_mut();
        match &result {
            Ok(statement) => {
                statements.insert(sql.into(), Cached::Ready(statement.clone()));
            }
            Err(_) => {
                statements.remove(sql);
            }
        }
        result
    }

    fn prepare(&self, sql: &str) -> Result<Preparing, StoreError> {
        let text = Dialect::Postgres.translate(sql)?;
        let client = Rc::clone(&self.client);
        let prepare =
            async move { client.prepare(&text).await.map_err(|error| store_error(&error)) };
        let preparing = prepare.boxed_local().shared();
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(sql.into(), Cached::Preparing(preparing.clone()));
        Ok(preparing)
    }

    fn explain(&self, sql: &str, error: &tokio_postgres::Error) -> StoreError {
        // The schema changed underneath, or a proxy handed us another server connection: the next call
        // prepares anew.
        if matches!(
            error.code().map(tokio_postgres::error::SqlState::code),
            Some("0A000" | "26000")
        ) {
            self.statements.borrow_mut().remove(sql);
        }
        store_error(error)
    }
}

/// Polls all of them, in their order, at once and whenever one may go on.
async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    // Up to thirty are polled one after the other by `join_all`; of more it does not promise that.
    let mut futures = futures.peekable();
    let mut groups = Vec::new();
    while futures.peek().is_some() {
        groups.push(join_all(futures.by_ref().take(IN_ORDER_MAX).collect::<Vec<_>>()));
    }
    let mut groups: Vec<_> = groups.into_iter().map(maybe_done).map(Box::pin).collect();
    poll_fn(|cx| {
        let mut is_waiting = false;
        for group in &mut groups {
            is_waiting |= group.as_mut().poll(cx).is_pending();
        }
        if is_waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    groups.iter_mut().filter_map(|group| group.as_mut().take_output()).flatten().collect()
}

/// Counts a statement for as long as it is under way.
struct Flight<'a>(&'a Cell<usize>);

impl<'a> Flight<'a> {
    fn start(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
