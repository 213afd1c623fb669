//! Rows that many tasks look up by their keys at the same time, found by one statement.
//!
//! PostgreSQL answers each statement with a packet of its own, and the shard is woken for each. Keys that
//! are asked for while others are on their way wait for those and then go together, in one
//! [flight](super::flight).
//!
//! *Bounds*: [`KEYS_MAX`] keys, or one request, in a flight, besides those of flights.

use std::{array, collections::VecDeque, rc::Rc, time::Duration};

use futures_util::future::join_all;
use kakera_shards::runtime::timeout;

use super::{
    flight::{Answer, Freight, Queue, Waiting},
    shard::Work,
};
use crate::store::{
    error::StoreError,
    gathered::{Key, Wanted},
    row::Row,
};

/// Keys of one statement.
const KEYS_MAX: usize = 512;

/// The requests that wait, by what they want.
pub(super) struct Lookups([Rc<Queue<Lookup>>; Wanted::ALL.len()]);

impl Lookups {
    pub(super) fn new() -> Self {
        Self(array::from_fn(|_| Queue::new()))
    }

    fn queue(&self, wanted: Wanted) -> &Rc<Queue<Lookup>> {
        let [objects, readable, scores] = &self.0;
        match wanted {
            Wanted::Objects => objects,
            Wanted::ReadableObjects => readable,
            Wanted::Scores => scores,
        }
    }
}

/// One request. All of a queue want the same.
pub(super) struct Lookup {
    wanted: Wanted,
    keys: Vec<Key>,
}

impl Freight for Lookup {
    /// A statement costs the server little: none is begun only because many wait.
    const FULL_LEN: usize = usize::MAX;
    const PATIENCE: Duration = Duration::from_millis(10);
    const QUEUE: &'static str = "the queue of reads";
    const TASK: &'static str = "store lookup";

    fn board(waiting: &mut VecDeque<Waiting<Self>>) -> Vec<Waiting<Self>> {
        let (mut boarded, mut keys) = (Vec::with_capacity(waiting.len()), 0);
        while let Some(next) = waiting.pop_front() {
            if next.is_given_up() {
                continue;
            }
            keys += next.freight.keys.len();
            if keys > KEYS_MAX && !boarded.is_empty() {
                waiting.push_front(next);
                break;
            }
            boarded.push(next);
        }
        boarded
    }

    async fn fly(work: &Work, boarded: Vec<Self>) -> Result<Vec<Answer>, StoreError> {
        let Some(Self { wanted, .. }) = boarded.first() else { return Ok(Vec::new()) };
        let wanted = *wanted;
        let (mut ends, mut keys) = (Vec::with_capacity(boarded.len()), Vec::new());
        for lookup in boarded {
            keys.extend(lookup.keys);
            ends.push(keys.len());
        }
        match work.find(wanted, &keys).await {
            Ok(rows) => share(&ends, rows),
            // A value of one request may be what the server refused, and is nobody else's concern.
            Err(StoreError::Check(_) | StoreError::Statement(_)) if ends.len() > 1 => {
                let starts = [0].into_iter().chain(ends.iter().copied());
                let each = starts.zip(&ends).map(|(start, end)| {
                    work.find(wanted, keys.get(start..*end).unwrap_or_default())
                });
                Ok(join_all(each).await)
            }
            Err(error) => Err(error),
        }
    }
}

impl Work {
    /// Finds the rows of these keys, in any order; of a key that is there twice, twice.
    pub(super) async fn look_up(self: &Rc<Self>, wanted: Wanted, keys: Vec<Key>) -> Answer {
        self.lookups.queue(wanted).send(self, Lookup { wanted, keys }).await
    }

    async fn find(&self, wanted: Wanted, keys: &[Key]) -> Answer {
        let mut used = None;
        let found = timeout(self.limit, async {
            used.insert(self.pool.shared().await?).of_keys(wanted.sql(), keys).await
        });
        let Some(found) = found.await else {
            if let Some(connection) = used {
                // The server's own limit is shorter: this connection leads nowhere.
                connection.retire();
            }
            return Err(StoreError::Deadline);
        };
        found
    }
}

/// Gives each request its rows. The last column of a row counts, from 1, to the key that it was found by;
/// `ends` tells where the keys of each request end.
fn share(ends: &[usize], rows: Vec<Row>) -> Result<Vec<Answer>, StoreError> {
    let mut answers: Vec<Vec<Row>> = ends.iter().map(|_| Vec::new()).collect();
    for row in rows {
        let nth: i64 = row.get(row.len().saturating_sub(1))?;
        let at = ends.partition_point(|end| (*end as i64) < nth);
        let answer = answers.get_mut(at);
        answer.ok_or_else(|| StoreError::statement("a row was found by no key"))?.push(row);
    }
    Ok(answers.into_iter().map(Ok).collect())
}
