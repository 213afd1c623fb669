//! A unit of work on a database thread: a closure whose every step is ready at once, and its answer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
};

use futures_channel::oneshot;
use kakera_shards::runtime::report_panic;

use super::connection::SqliteConnection;
use crate::store::{
    error::StoreError,
    tx::{Reader, Tx},
};

/// What the writer thread sees of a transaction.
pub(super) trait WriteUnit: Send {
    /// Whether somebody still waits for the answer.
    fn is_wanted(&self) -> bool;
    /// Whether the unit is a single statement, which undoes itself when it fails.
    fn is_one_statement(&self) -> bool;
    /// Runs the steps. Whether they are to be kept.
    fn run(&mut self, connection: &SqliteConnection) -> bool;
    /// Replaces the result: the steps cannot be run or kept.
    fn fail(&mut self, error: StoreError);
    /// Answers, after the batch was committed or lost.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What a reader thread sees of a read.
pub(super) trait ReadUnit: Send {
    fn run(self: Box<Self>, connection: &SqliteConnection);
}

pub(super) struct Unit<F, T, E> {
    steps: F,
    one_statement: bool,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Unit<F, T, E> {
    pub(super) fn new(steps: F, one_statement: bool) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { steps, one_statement, result: None, reply }, answer)
    }
}

impl<F, T, E> WriteUnit for Unit<F, T, E>
where
    F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_canceled()
    }

    fn is_one_statement(&self) -> bool {
        self.one_statement
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Some(Err(error.into()));
    }

    fn run(&mut self, connection: &SqliteConnection) -> bool {
        let result = write_now(connection, &self.steps);
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.into()),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // Nobody waits any more: what is done is done.
        let _ = self.reply.send(result);
    }
}

/// The same for reads, so that the two traits do not meet on one type.
pub(super) struct Read<F, T, E>(pub(super) Unit<F, T, E>);

impl<F, T, E> ReadUnit for Read<F, T, E>
where
    F: AsyncFn(&mut Reader<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(self: Box<Self>, connection: &SqliteConnection) {
        if !self.0.reply.is_canceled() {
            let _ = self.0.reply.send(read_now(connection, &self.0.steps));
        }
    }
}

/// Runs a read's steps on this thread.
pub(super) fn read_now<F, T, E>(connection: &SqliteConnection, steps: &F) -> Result<T, E>
where
    F: AsyncFn(&mut Reader<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    connection.tick();
    let mut reader = Reader::sqlite(connection);
    at_once(steps(&mut reader))
}

fn write_now<F, T, E>(connection: &SqliteConnection, steps: &F) -> Result<T, E>
where
    F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    connection.tick();
    let mut tx = Tx::sqlite(connection);
    let result = at_once(steps(&mut tx));
    match tx.into_failure() {
        // The steps went on as if nothing had happened; PostgreSQL would refuse the commit.
        Some(failure) if result.is_ok() => Err(failure.into()),
        _ => result,
    }
}

/// Runs a future that never waits. One that does, or panics, is that unit's error.
fn at_once<T, E: From<StoreError>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let run = AssertUnwindSafe(|| {
        let mut context = Context::from_waker(Waker::noop());
        pin!(future).poll(&mut context)
    });
    match catch_unwind(run) {
        Ok(Poll::Ready(result)) => result,
        Ok(Poll::Pending) => {
            Err(StoreError::statement("a unit waited for something other than its statements")
                .into())
        }
        Err(panic) => {
            report_panic("store unit", &*panic);
            Err(StoreError::statement("a unit panicked").into())
        }
    }
}
