//! Group commit: single writes of many tasks that share a transaction.
//!
//! A commit waits for the disk, so writes that come while others are being made durable wait for those and
//! then go together: one flight to the server, one commit, and where there is one for many rows, one
//! statement. Whoever comes alone goes alone and at once.
//! Writes that share a transaction lock their rows in the order of [`RowLock`], so that two flights never
//! wait for each other in a circle. When one of them fails, all are undone and each runs by itself.
//!
//! *Bounds*: [`FLIGHTS_MAX`] connections and [`FLIGHT_LEN_MAX`] writes in each, for each lane; as many
//! writes wait as transactions may, more are refused with `RESOURCE_EXHAUSTED`.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use futures_channel::oneshot;
use futures_util::future::join_all;
use kakera_shards::runtime::{self, timeout};

use super::shard::Work;
use crate::store::{
    error::StoreError,
    gathered::{RowLock, Statement},
    row::Row,
    tx::Reader,
};

/// Flights that are under way as a matter of course: while the writes of one are made durable, those of
/// the other are carried out.
const FLIGHTS: usize = 2;
/// Flights at most, when those under way are full or slow.
const FLIGHTS_MAX: usize = 8;
/// Writes that share a transaction at most.
const FLIGHT_LEN_MAX: usize = 128;
/// After this wait one more flight is begun: those under way may be held up by somebody's lock.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) type Answer = Result<Vec<Row>, StoreError>;

/// The writes that wait, by table: those of several tables in one transaction would need an order of
/// tables, which other transactions do not keep to.
pub(super) struct Gathered {
    objects: Queue,
    scores: Queue,
    len_max: usize,
}

#[derive(Default)]
struct Queue {
    waiting: RefCell<VecDeque<Waiting>>,
    flights: Cell<usize>,
    /// A flight has been called and takes what waits when its turn comes: what this turn still adds too.
    called: Cell<bool>,
}

struct Waiting {
    since_ms: u64,
    lock: RowLock,
    statement: Statement,
    reply: oneshot::Sender<Answer>,
}

#[derive(Clone, Copy)]
enum Table {
    Objects,
    Scores,
}

impl Gathered {
    /// Of each table at most `len_max` writes wait.
    pub(super) fn new(len_max: usize) -> Self {
        Self { objects: Queue::default(), scores: Queue::default(), len_max }
    }

    fn queue(&self, table: Table) -> &Queue {
        match table {
            Table::Objects => &self.objects,
            Table::Scores => &self.scores,
        }
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Whether somebody has waited for so long that those under way cannot be relied on.
    fn is_late(&self) -> bool {
        let first = self.waiting.borrow().front().map(|first| first.since_ms);
        let now_ms = runtime::clock().monotonic_ms();
        first.is_some_and(|since_ms| {
            u128::from(now_ms.saturating_sub(since_ms)) >= PATIENCE.as_millis()
        })
    }

    /// What the next flight takes along: writes of one kind, in the order in which rows are locked. Those to
    /// one row keep theirs.
    fn board(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.borrow_mut();
        let mut boarded: Vec<Waiting> = Vec::with_capacity(waiting.len().min(FLIGHT_LEN_MAX));
        let mut left = Vec::new();
        while boarded.len() < FLIGHT_LEN_MAX
            && left.len() < FLIGHT_LEN_MAX
            && let Some(next) = waiting.pop_front()
        {
            let kind = |it: &Waiting| it.statement.many.map(|many| many.sql);
            if next.reply.is_canceled() {
                // Nobody waits for it any more, and nothing was begun.
            } else if boarded.first().is_none_or(|first| kind(first) == kind(&next)) {
                boarded.push(next);
            } else {
                left.push(next);
            }
        }
        for next in left.into_iter().rev() {
            waiting.push_front(next);
        }
        boarded.sort_by(|a, b| a.lock.cmp(&b.lock));
        boarded
    }
}

impl Work {
    /// Runs a write, together with others that come meanwhile; yields the rows that it returns.
    pub(super) async fn gather(self: &Rc<Self>, lock: RowLock, statement: Statement) -> Answer {
        let table = match &lock {
            RowLock::Object(_) => Table::Objects,
            RowLock::Score { .. } => Table::Scores,
        };
        let queue = self.gathered.queue(table);
        if queue.len() >= self.gathered.len_max {
            self.pool.counters().refused.increment();
            return Err(StoreError::Overloaded("the queue of writes"));
        }
        let (reply, mut answer) = oneshot::channel();
        let since_ms = runtime::clock().monotonic_ms();
        queue.waiting.borrow_mut().push_back(Waiting { since_ms, lock, statement, reply });
        let is_full = queue.len() >= FLIGHT_LEN_MAX;
        self.call_flight(table, if is_full { FLIGHTS_MAX } else { FLIGHTS });
        let mut answered = timeout(PATIENCE, &mut answer).await;
        if answered.is_none() {
            self.call_flight(table, FLIGHTS_MAX);
            answered = timeout(self.limit, answer).await;
        }
        match answered {
            Some(answer) => answer.unwrap_or(Err(StoreError::Closed)),
            None => self.count(Err(StoreError::Deadline)),
        }
    }

    /// Begins one more flight of what waits, unless `flights_max` are under way.
    fn call_flight(self: &Rc<Self>, table: Table, flights_max: usize) {
        let queue = self.gathered.queue(table);
        if queue.called.get() || queue.flights.get() >= flights_max || queue.len() == 0 {
            return;
        }
        queue.called.set(true);
        queue.flights.set(queue.flights.get() + 1);
        let flight = Flight { work: Rc::clone(self), table };
        runtime::spawn("store flight", async move {
            let queue = flight.work.gathered.queue(table);
            queue.called.set(false);
            loop {
                let boarded = queue.board();
                if boarded.is_empty() {
                    break;
                }
                flight.work.fly(boarded).await;
                // One that was called because the others were slow or full, and are not any more.
                let is_needed = queue.len() >= FLIGHT_LEN_MAX || queue.is_late();
                if queue.flights.get() > FLIGHTS && !is_needed {
                    break;
                }
            }
        });
    }

    async fn fly(&self, boarded: Vec<Waiting>) {
        let mut replies = Vec::with_capacity(boarded.len());
        let mut locks = Vec::with_capacity(boarded.len());
        let mut statements = Vec::with_capacity(boarded.len());
        for Waiting { lock, statement, reply, .. } in boarded {
            replies.push(reply);
            locks.push(lock);
            statements.push(statement);
        }
        let answers = timeout(self.limit, self.carry_out(&locks, &statements)).await;
        // A caller that went away has no use for it.
        match self.count(answers.unwrap_or(Err(StoreError::Deadline))) {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _ = reply.send(answer);
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Together if that goes, else each by itself.
    async fn carry_out(
        &self,
        locks: &[RowLock],
        statements: &[Statement],
    ) -> Result<Vec<Answer>, StoreError> {
        let lease = self.pool.exclusive().await?;
        let connection = lease.connection();
        if let [first, _, ..] = statements {
            // One statement can change a row but once.
            let has_twins = locks.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
            let together = match first.many.filter(|_| !has_twins) {
                Some(many) => connection.as_one(many, locks, statements).await?,
                None => connection.together(statements).await?,
            };
            if let Some(answers) = together {
                lease.clean();
                self.pool.counters().gathered.add(statements.len() as u64);
                return Ok(answers);
            }
            self.pool.counters().gathered_again.increment();
        }
        let alone = statements.iter().map(|it| connection.rows(it.sql, &it.params, false));
        let mut answers = join_all(alone).await;
        lease.clean();
        for (answer, it) in answers.iter_mut().zip(statements) {
            if matches!(answer, Err(StoreError::Contended)) {
                let again = async |reader: &mut Reader<'_>| reader.rows(it.sql, &it.params).await;
                *answer = self.statement(again).await;
            }
        }
        Ok(answers)
    }
}

/// Counts a flight for as long as it is under way, however it ends.
struct Flight {
    work: Rc<Work>,
    table: Table,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let queue = self.work.gathered.queue(self.table);
        queue.flights.set(queue.flights.get() - 1);
    }
}
