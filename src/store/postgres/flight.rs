//! Flights: requests to the server that wait for those under way, and then go together.
//!
//! Whoever comes alone goes alone and at once. While as many flights as usual are under way, what comes
//! waits, and the next flight takes along as much of it as goes together. When those under way are full or
//! slow, more are begun.
//!
//! *Bounds*: those that a [`Freight`] names; as many requests wait as transactions may, more are refused
//! with `RESOURCE_EXHAUSTED`.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use futures_channel::oneshot;
use kakera_shards::runtime::{self, timeout};

use super::shard::Work;
use crate::store::{error::StoreError, row::Row};

pub(super) type Answer = Result<Vec<Row>, StoreError>;

/// Flights that are under way as a matter of course: while the server is busy with one, the next is read.
const FLIGHTS: usize = 2;
/// Flights at most, when those under way are full or slow.
const FLIGHTS_MAX: usize = 8;

/// One request, of a kind that goes together.
pub(super) trait Freight: Sized + 'static {
    /// So many that wait are a flight of their own.
    const FULL_LEN: usize;
    /// After this wait one more flight is begun: those under way may be held up.
    const PATIENCE: Duration;
    /// The queue, as the one who is refused is told.
    const QUEUE: &'static str;
    /// The task of a flight.
    const TASK: &'static str;

    /// Takes what goes together next out of those that wait, the longest first.
    fn board(waiting: &mut VecDeque<Waiting<Self>>) -> Vec<Waiting<Self>>;

    /// Carries them out; yields an answer for each, in their order.
    async fn fly(work: &Work, boarded: Vec<Self>) -> Result<Vec<Answer>, StoreError>;
}

/// A request, and who waits for its answer.
pub(super) struct Waiting<F> {
    since_ms: u64,
    pub(super) freight: F,
    reply: oneshot::Sender<Answer>,
}

impl<F> Waiting<F> {
    /// Nobody waits for it any more, and nothing was begun.
    pub(super) fn is_given_up(&self) -> bool {
        self.reply.is_canceled()
    }
}

/// The requests of one kind that wait.
pub(super) struct Queue<F> {
    waiting: RefCell<VecDeque<Waiting<F>>>,
    flights: Cell<usize>,
    /// A flight has been called and takes what waits when its turn comes: what this turn still adds too.
    called: Cell<bool>,
}

impl<F: Freight> Queue<F> {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            waiting: RefCell::default(),
            flights: Cell::default(),
            called: Cell::default(),
        })
    }

    /// Sends a request, together with others that come meanwhile; yields the rows that it returns.
    pub(super) async fn send(self: &Rc<Self>, work: &Rc<Work>, freight: F) -> Answer {
        if self.len() >= work.queue_len_max {
            work.pool.counters().refused.increment();
            return Err(StoreError::Overloaded(F::QUEUE));
        }
        let (reply, mut answer) = oneshot::channel();
        let since_ms = runtime::clock().monotonic_ms();
        self.waiting.borrow_mut().push_back(Waiting { since_ms, freight, reply });
        self.call(work, if self.is_full() { FLIGHTS_MAX } else { FLIGHTS });
        let mut answered = timeout(F::PATIENCE, &mut answer).await;
        if answered.is_none() {
            self.call(work, FLIGHTS_MAX);
            answered = timeout(work.limit, answer).await;
        }
        match answered {
            Some(answer) => answer.unwrap_or(Err(StoreError::Closed)),
            None => work.count(Err(StoreError::Deadline)),
        }
    }

    /// Begins one more flight of what waits, unless `flights_max` are under way.
    fn call(self: &Rc<Self>, work: &Rc<Work>, flights_max: usize) {
        if self.called.get() || self.flights.get() >= flights_max || self.len() == 0 {
            return;
        }
        self.called.set(true);
        let flight = Flight::of(self);
        let work = Rc::clone(work);
        runtime::spawn(F::TASK, async move {
            let queue = &flight.0;
            queue.called.set(false);
            loop {
                let boarded = F::board(&mut queue.waiting.borrow_mut());
                if boarded.is_empty() {
                    break;
                }
                fly(&work, boarded).await;
                // One that was called because the others were full or slow, and are not any more.
                let is_needed = queue.is_full() || queue.is_late();
                if queue.flights.get() > FLIGHTS && !is_needed {
                    break;
                }
            }
        });
    }

    fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    fn is_full(&self) -> bool {
        self.len() >= F::FULL_LEN
    }

    /// Whether somebody has waited for so long that those under way cannot be relied on.
    fn is_late(&self) -> bool {
        let first = self.waiting.borrow().front().map(|first| first.since_ms);
        let now_ms = runtime::clock().monotonic_ms();
        first.is_some_and(|since_ms| {
            u128::from(now_ms.saturating_sub(since_ms)) >= F::PATIENCE.as_millis()
        })
    }
}

async fn fly<F: Freight>(work: &Work, boarded: Vec<Waiting<F>>) {
    let (replies, freight): (Vec<_>, Vec<_>) =
        boarded.into_iter().map(|waiting| (waiting.reply, waiting.freight)).unzip();
    // A caller that went away has no use for its answer.
    match work.count(F::fly(work, freight).await) {
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

/// Counts a flight for as long as it is under way, however it ends.
struct Flight<F>(Rc<Queue<F>>);

impl<F> Flight<F> {
    fn of(queue: &Rc<Queue<F>>) -> Self {
        queue.flights.set(queue.flights.get() + 1);
        Self(Rc::clone(queue))
    }
}

impl<F> Drop for Flight<F> {
    fn drop(&mut self) {
        self.0.flights.set(self.0.flights.get() - 1);
    }
}
