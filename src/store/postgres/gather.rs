//! Group commit: single writes of many tasks that share a transaction.
//!
//! A commit waits for the disk, so writes that come while others are being made durable wait for those and
//! then go together: one [flight](super::flight) to the server, one commit, and where there is one for many
//! rows, one statement.
//! Writes that share a transaction lock their rows in the order of [`RowLock`], so that two flights never
//! wait for each other in a circle. When one of them fails, all are undone and each runs by itself.
//!
//! *Bounds*: [`FLIGHT_LEN_MAX`] writes in a flight, besides those of flights.

use std::{collections::VecDeque, rc::Rc, time::Duration};

use futures_util::future::join_all;
use kakera_shards::runtime::timeout;

use super::{
    flight::{Answer, Freight, Queue, Waiting},
    shard::Work,
};
use crate::store::{
    error::StoreError,
    gathered::{RowLock, Statement},
    tx::Reader,
};

/// Writes that share a transaction at most.
const FLIGHT_LEN_MAX: usize = 128;

/// The writes that wait, by table: those of several tables in one transaction would need an order of
/// tables, which other transactions do not keep to.
pub(super) struct Gathered {
    objects: Rc<Queue<Write>>,
    scores: Rc<Queue<Write>>,
}

impl Gathered {
    pub(super) fn new() -> Self {
        Self { objects: Queue::new(), scores: Queue::new() }
    }
}

/// One write, which locks one row.
pub(super) struct Write {
    lock: RowLock,
    statement: Statement,
}

impl Freight for Write {
    const FULL_LEN: usize = FLIGHT_LEN_MAX;
    /// Somebody's lock may hold a flight up.
    const PATIENCE: Duration = Duration::from_millis(50);
    const QUEUE: &'static str = "the queue of writes";
    const TASK: &'static str = "store flight";

    /// Writes of one kind, in the order in which rows are locked. Those to one row keep theirs.
    fn board(waiting: &mut VecDeque<Waiting<Self>>) -> Vec<Waiting<Self>> {
        let mut boarded: Vec<Waiting<Self>> = Vec::with_capacity(waiting.len().min(FLIGHT_LEN_MAX));
        let mut left = Vec::new();
        while boarded.len() < FLIGHT_LEN_MAX
            && left.len() < FLIGHT_LEN_MAX
            && let Some(next) = waiting.pop_front()
        {
            if next.is_given_up() {
                continue;
            }
            let kind = |it: &Waiting<Self>| it.freight.statement.many.map(|many| many.sql);
            if boarded.first().is_none_or(|first| kind(first) == kind(&next)) {
                boarded.push(next);
            } else {
                left.push(next);
            }
        }
        for next in left.into_iter().rev() {
            waiting.push_front(next);
        }
        boarded.sort_by(|a, b| a.freight.lock.cmp(&b.freight.lock));
        boarded
    }

    async fn fly(work: &Work, boarded: Vec<Self>) -> Result<Vec<Answer>, StoreError> {
        let (locks, statements): (Vec<_>, Vec<_>) =
            boarded.into_iter().map(|write| (write.lock, write.statement)).unzip();
        let answers = timeout(work.limit, work.carry_out(&locks, &statements)).await;
        answers.unwrap_or(Err(StoreError::Deadline))
    }
}

impl Work {
    /// Runs a write, together with others that come meanwhile; yields the rows that it returns.
    pub(super) async fn gather(self: &Rc<Self>, lock: RowLock, statement: Statement) -> Answer {
        let queue = match &lock {
            RowLock::Object(_) => &self.gathered.objects,
            RowLock::Score { .. } => &self.gathered.scores,
        };
        queue.send(self, Write { lock, statement }).await
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
