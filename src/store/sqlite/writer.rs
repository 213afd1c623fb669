//! The writer thread: group commit.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};

use super::{connection::SqliteConnection, unit::WriteUnit};
use crate::store::{counters::WriterCounters, error::StoreError};

/// Units one commit may carry.
const BATCH_LEN_MAX: usize = 512;
/// How long a batch may gather before it commits, so that the first unit's wait stays bounded.
const BATCH_TIME_MAX: Duration = Duration::from_millis(10);

type Job = Box<dyn WriteUnit>;

enum Message {
    Run(Job),
    Close,
}

/// The shards' end of the queue.
#[derive(Clone)]
pub(super) struct WriterQueue(Sender<Message>);

impl WriterQueue {
    /// Queues a unit. Never waits: a full queue is the caller's to report.
    pub(super) fn push(&self, job: Job) -> Result<(), StoreError> {
        self.0.try_send(Message::Run(job)).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded("the write queue"),
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Ends the thread once what is queued so far is committed. What comes later is refused.
    pub(super) fn close(&self) {
        // Waits for room; a thread that is gone already needs no telling.
        let _ = self.0.send(Message::Close);
    }
}

/// Starts the thread. It ends when it is told to close or all queue handles are gone.
pub(super) fn start(
    connection: SqliteConnection,
    queue_len_max: usize,
    counters: Arc<WriterCounters>,
) -> std::io::Result<(WriterQueue, JoinHandle<()>)> {
    let (sender, receiver) = bounded(queue_len_max);
    let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || {
        let writer = Writer { connection, counters };
        writer.serve(&receiver);
        writer.finish();
    })?;
    Ok((WriterQueue(sender), thread))
}

struct Writer {
    connection: SqliteConnection,
    counters: Arc<WriterCounters>,
}

impl Writer {
    fn serve(&self, queue: &Receiver<Message>) {
        let mut batch = Vec::with_capacity(BATCH_LEN_MAX);
        let mut open = true;
        while open && let Ok(Message::Run(first)) = queue.recv() {
            let committed = match self.begin() {
                Ok(()) => {
                    open = self.fill(first, queue, &mut batch);
                    self.commit()
                }
                Err(error) => {
                    batch.push(first);
                    Err(error)
                }
            };
            for unit in batch.drain(..) {
                unit.answer(committed.clone());
            }
        }
    }

    /// Runs `first` and what waits behind it, within the batch's bounds. Whether the queue stays open.
    fn fill(&self, first: Job, queue: &Receiver<Message>, batch: &mut Vec<Job>) -> bool {
        let started = Instant::now();
        let mut next = first;
        loop {
            if next.is_wanted() {
                self.run(&mut *next);
                batch.push(next);
            } else {
                self.counters.abandoned.add(1);
            }
            // SQLite may have dropped the transaction (disk full, I/O): nothing may run outside of it.
            let lost = self.connection.raw().is_autocommit();
            if lost || batch.len() >= BATCH_LEN_MAX || started.elapsed() >= BATCH_TIME_MAX {
                return true;
            }
            next = match queue.try_recv() {
                Ok(Message::Run(unit)) => unit,
                Ok(Message::Close) => return false,
                Err(_) => return true,
            };
        }
    }

    fn run(&self, unit: &mut dyn WriteUnit) {
        self.counters.units.add(1);
        // A single statement that fails undoes itself.
        if unit.is_one_statement() {
            if !unit.run(&self.connection) {
                self.counters.rolled_back.add(1);
            }
            return;
        }
        let kept = match self.sql("savepoint unit") {
            Ok(()) => unit.run(&self.connection),
            Err(error) => {
                unit.fail(error);
                return;
            }
        };
        if !kept {
            self.counters.rolled_back.add(1);
        }
        let ended = if kept {
            self.sql("release unit")
        } else {
            self.sql("rollback to unit").and_then(|()| self.sql("release unit"))
        };
        if let Err(error) = ended {
            // A failure so deep (disk full, I/O) that SQLite dropped the transaction or will.
            unit.fail(error);
        }
    }

    fn begin(&self) -> Result<(), StoreError> {
        self.sql("begin immediate")
    }

    fn commit(&self) -> Result<(), StoreError> {
        let started = Instant::now();
        let result = if self.connection.raw().is_autocommit() {
            Err(StoreError::Commit("the transaction was lost to an earlier failure".into()))
        } else {
            self.sql("commit").map_err(|error| StoreError::Commit(error.to_string().into()))
        };
        self.counters.commit_micros.add(started.elapsed().as_micros() as u64);
        match &result {
            Ok(()) => self.counters.commits.add(1),
            Err(error) => {
                self.counters.commit_failures.add(1);
                tracing::error!(%error, "a batch of writes was lost");
                if !self.connection.raw().is_autocommit() {
                    // What stays open would swallow the next batch.
                    let _ = self.sql("rollback");
                }
            }
        }
        result
    }

    fn sql(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.execute(sql, &[]).map(|_| ())
    }

    /// Moves the log into the file, so that what is left behind is one file.
    fn finish(self) {
        if let Err(error) = self.connection.raw().execute_batch("pragma wal_checkpoint(truncate)") {
            tracing::warn!(%error, "the store's log could not be folded into its file");
        }
    }
}
