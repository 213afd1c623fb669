//! Rows that many tasks look up by their keys at the same time, found by one statement.
//!
//! PostgreSQL answers each statement with a packet of its own, and the shard is woken for each. Keys that
//! are asked for while others are on their way wait for those and then go together. Whoever comes alone goes
//! alone and at once.
//!
//! *Bounds*: [`FLIGHTS_MAX`] statements under way for each kind of row, with [`KEYS_MAX`] keys or one
//! request in each; as many requests wait as transactions may, more are refused with `RESOURCE_EXHAUSTED`.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use futures_channel::oneshot;
use kakera_shards::runtime::{self, timeout};

use super::shard::Work;
use crate::store::{
    error::StoreError,
    gathered::{Key, Wanted},
    row::Row,
};

/// Statements that are under way as a matter of course.
const FLIGHTS: usize = 2;
/// Statements at most, when those under way are slow.
const FLIGHTS_MAX: usize = 8;
/// Keys of one statement.
const KEYS_MAX: usize = 512;
/// After this wait one more statement is sent.
const PATIENCE: Duration = Duration::from_millis(10);

type Answer = Result<Vec<Row>, StoreError>;

/// The requests that wait, by what they want.
pub(super) struct Lookups {
    kinds: [Queue; Wanted::ALL.len()],
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
    keys: Vec<Key>,
    reply: oneshot::Sender<Answer>,
}

impl Lookups {
    pub(super) fn new(len_max: usize) -> Self {
        Self { kinds: Default::default(), len_max }
    }

    fn queue(&self, wanted: Wanted) -> &Queue {
        let [objects, readable, scores] = &self.kinds;
        match wanted {
            Wanted::Objects => objects,
            Wanted::ReadableObjects => readable,
            Wanted::Scores => scores,
        }
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Whether somebody has waited for so long that those under way cannot be relied on.
    fn is_late(&self) -> bool {
        let first = self.waiting.borrow().front().map(|first| first.since_ms);
        let now_ms = runtime::clock().monotonic_ms();
        first.is_some_and(|since_ms| {
            u128::from(now_ms.saturating_sub(since_ms)) >= PATIENCE.as_millis()
        })
    }

    /// What the next statement asks for.
    fn board(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.borrow_mut();
        let (mut boarded, mut keys) = (Vec::with_capacity(waiting.len()), 0);
        while let Some(next) = waiting.pop_front() {
            // Nobody waits for it any more.
            if next.reply.is_canceled() {
                continue;
            }
            keys += next.keys.len();
            if keys > KEYS_MAX && !boarded.is_empty() {
                waiting.push_front(next);
                break;
            }
            boarded.push(next);
        }
        boarded
    }
}

impl Work {
    /// Finds the rows of these keys, in any order; of a key that is there twice, twice.
    pub(super) async fn look_up(self: &Rc<Self>, wanted: Wanted, keys: Vec<Key>) -> Answer {
        let queue = self.lookups.queue(wanted);
        if queue.waiting.borrow().len() >= self.lookups.len_max {
            self.pool.counters().refused.increment();
            return Err(StoreError::Overloaded("the queue of reads"));
        }
        let (reply, mut answer) = oneshot::channel();
        let since_ms = runtime::clock().monotonic_ms();
        queue.waiting.borrow_mut().push_back(Waiting { since_ms, keys, reply });
        self.call_lookup(wanted, FLIGHTS);
        let mut answered = timeout(PATIENCE, &mut answer).await;
        if answered.is_none() {
            self.call_lookup(wanted, FLIGHTS_MAX);
            answered = timeout(self.limit, answer).await;
        }
        match answered {
            Some(answer) => answer.unwrap_or(Err(StoreError::Closed)),
            None => self.count(Err(StoreError::Deadline)),
        }
    }

    /// Sends one more statement for what waits, unless `flights_max` are under way.
    fn call_lookup(self: &Rc<Self>, wanted: Wanted, flights_max: usize) {
        let queue = self.lookups.queue(wanted);
        if queue.called.get() || queue.flights.get() >= flights_max || queue.is_empty() {
            return;
        }
        queue.called.set(true);
        queue.flights.set(queue.flights.get() + 1);
        let flight = Flight { work: Rc::clone(self), wanted };
        runtime::spawn("store lookup", async move {
            let queue = flight.work.lookups.queue(wanted);
            queue.called.set(false);
            loop {
                let boarded = queue.board();
                if boarded.is_empty() {
                    break;
                }
                flight.work.find(wanted, boarded).await;
                // One that was called because the others were slow, and are not any more.
                if queue.flights.get() > FLIGHTS && !queue.is_late() {
                    break;
                }
            }
        });
    }

    async fn find(&self, wanted: Wanted, boarded: Vec<Waiting>) {
        let mut ends = Vec::with_capacity(boarded.len());
        let mut replies = Vec::with_capacity(boarded.len());
        let mut keys = Vec::with_capacity(boarded.len());
        for waiting in boarded {
            keys.extend(waiting.keys);
            ends.push(keys.len());
            replies.push(waiting.reply);
        }
        let found = async {
            let connection = self.pool.shared().await?;
            let found = timeout(self.limit, connection.of_keys(wanted.sql(), &keys)).await;
            if found.is_none() {
                // The server's own limit is shorter: this connection leads nowhere.
                connection.retire();
            }
            let rows = found.unwrap_or(Err(StoreError::Deadline))?;
            share(&ends, rows)
        };
        // A caller that went away has no use for it.
        match self.count(found.await) {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _ = reply.send(Ok(answer));
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }
}

/// Gives each request its rows. The last column of a row counts, from 1, to the key that it was found by;
/// `ends` tells where the keys of each request end.
fn share(ends: &[usize], rows: Vec<Row>) -> Result<Vec<Vec<Row>>, StoreError> {
    let mut answers: Vec<Vec<Row>> = ends.iter().map(|_| Vec::new()).collect();
    for row in rows {
        let nth: i64 = row.get(row.len().saturating_sub(1))?;
        let at = ends.partition_point(|end| (*end as i64) < nth);
        let answer = answers.get_mut(at);
        answer.ok_or_else(|| StoreError::statement("a row was found by no key"))?.push(row);
    }
    Ok(answers)
}

/// Counts a statement for as long as it is under way, however that ends.
struct Flight {
    work: Rc<Work>,
    wanted: Wanted,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let queue = self.work.lookups.queue(self.wanted);
        queue.flights.set(queue.flights.get() - 1);
    }
}
