//! A shard's connections.
//!
//! Two kinds, so that neither starves the other: **shared** ones carry independent statements of many
//! tasks at once, pipelined; **exclusive** ones carry one transaction at a time. Both are opened when
//! they are needed. While the database is away, calls fail at once, and one of them tries again when
//! the backoff has passed.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_channel::oneshot;
use futures_util::{FutureExt, future::Shared};
use kakera_shards::{
    runtime::{self, timeout},
    socket::Sockets,
};

use super::{
    PgDatabase,
    backoff::Backoff,
    connect::{ConnectError, Target},
    connection::PgConnection,
};
use crate::store::{counters::ShardCounters, error::StoreError};

/// Statements under way on a shared connection above which another one is opened.
const SPREAD_AT: usize = 16;
/// Shared connections of a shard at most; a single one already carries 100,000 reads a second.
const SHARED_MAX: usize = 8;

type Opened = Result<Rc<PgConnection>, StoreError>;

pub(super) struct Pool {
    targets: Vec<Target>,
    sockets: Sockets,
    /// The node's database was closed.
    closed: Arc<AtomicBool>,
    /// The shard is about to end.
    detached: Cell<bool>,
    limits: Limits,
    counters: Rc<ShardCounters>,
    shared: RefCell<Vec<Rc<PgConnection>>>,
    /// The shared connection that is being opened, and all who wait for it.
    opening: RefCell<Option<Shared<oneshot::Receiver<Opened>>>>,
    idle: RefCell<Vec<Rc<PgConnection>>>,
    /// Exclusive connections of any state, those included that are being opened or passed on.
    exclusive_count: Cell<usize>,
    /// Transactions that wait for a connection: the oldest gets the next.
    waiting: RefCell<VecDeque<oneshot::Sender<Passed>>>,
    backoff: RefCell<Backoff>,
    /// The target that answered last.
    preferred: Cell<usize>,
}

#[derive(Clone, Copy)]
struct Limits {
    shared_max: usize,
    exclusive_max: usize,
    waiting_max: usize,
    lifetime_ms: u64,
    connect_timeout: Duration,
    statement_timeout_ms: u64,
}

impl Pool {
    /// `shards` share the node's connections; each has at least one of either kind.
    pub(super) fn new(
        database: &PgDatabase,
        shards: usize,
        sockets: Sockets,
        counters: Rc<ShardCounters>,
    ) -> Rc<Self> {
        let config = database.config();
        let share = (config.connections_max / shards.max(1)).max(2);
        let shared_max = (share / 4).clamp(1, SHARED_MAX);
        Rc::new(Self {
            targets: database.targets().to_vec(),
            sockets,
            closed: database.closed(),
            detached: Cell::new(false),
            limits: Limits {
                shared_max,
                exclusive_max: share - shared_max,
                waiting_max: config.queue_len_max,
                lifetime_ms: config.connection_lifetime_ms,
                connect_timeout: Duration::from_millis(config.connect_timeout_ms),
                statement_timeout_ms: config.statement_timeout_ms,
            },
            counters,
            shared: RefCell::default(),
            opening: RefCell::default(),
            idle: RefCell::default(),
            exclusive_count: Cell::new(0),
            waiting: RefCell::default(),
            backoff: RefCell::new(Backoff::new()),
            preferred: Cell::new(0),
        })
    }

    /// A connection for independent statements: the least loaded one.
    pub(super) async fn shared(self: &Rc<Self>) -> Result<Rc<PgConnection>, StoreError> {
        self.refuse_if_closed()?;
        let now_ms = runtime::clock().monotonic_ms();
        let best = {
            let mut shared = self.shared.borrow_mut();
            shared.retain(|connection| connection.is_usable() && !self.is_old(connection, now_ms));
            let best = shared.iter().min_by_key(|connection| connection.in_flight()).cloned();
            let loaded = best.as_ref().is_none_or(|best| best.in_flight() >= SPREAD_AT);
            if loaded && shared.len() < self.limits.shared_max {
                drop(shared);
                self.open_shared();
            }
            best
        };
        if let Some(connection) = best {
            return Ok(connection);
        }
        let opening = self.opening.borrow().clone();
        match opening {
            Some(opening) => opening.await.unwrap_or(Err(StoreError::Closed)),
            None => Err(StoreError::Closed),
        }
    }

    /// Starts to open a shared connection, unless one is being opened.
    fn open_shared(self: &Rc<Self>) {
        if self.opening.borrow().is_some() {
            return;
        }
        let (sender, receiver) = oneshot::channel();
        *self.opening.borrow_mut() = Some(receiver.shared());
        let pool = Rc::clone(self);
        runtime::spawn("store connect", async move {
            let opened = pool.open().await;
            if let Ok(connection) = &opened {
                pool.shared.borrow_mut().push(Rc::clone(connection));
            }
            *pool.opening.borrow_mut() = None;
            // Nobody waits where it was only to spread the load.
            let _ = sender.send(opened);
        });
    }

    /// A connection for a transaction, to be given back by dropping it.
    pub(super) async fn exclusive(self: &Rc<Self>) -> Result<Lease, StoreError> {
        self.refuse_if_closed()?;
        self.drop_idle();
        if let Some(connection) = self.idle.borrow_mut().pop() {
            return Ok(Lease::new(Slot(Rc::clone(self)), connection));
        }
        if self.exclusive_count.get() < self.limits.exclusive_max {
            return Slot::take(self).open().await;
        }
        match self.wait()?.await {
            Ok(Passed::Lease(mut lease)) => {
                lease.clean = false;
                Ok(lease)
            }
            Ok(Passed::Slot(slot)) => slot.open().await,
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Joins the queue, if it has room.
    fn wait(&self) -> Result<oneshot::Receiver<Passed>, StoreError> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= self.limits.waiting_max {
            waiting.retain(|waiter| !waiter.is_canceled());
        }
        if waiting.len() >= self.limits.waiting_max {
            self.counters.refused.increment();
            return Err(StoreError::Overloaded("the queue for database connections"));
        }
        let (sender, receiver) = oneshot::channel();
        waiting.push_back(sender);
        self.counters.waiting.set(waiting.len() as u64);
        Ok(receiver)
    }

    /// Who has waited longest and still does.
    fn next_waiting(&self) -> Option<oneshot::Sender<Passed>> {
        let mut waiting = self.waiting.borrow_mut();
        let next = std::iter::from_fn(|| waiting.pop_front()).find(|it| !it.is_canceled());
        self.counters.waiting.set(waiting.len() as u64);
        next
    }

    /// Passes a connection on, or the right to open one in the place of one that is of no more use.
    fn release(&self, slot: Slot, connection: Rc<PgConnection>) {
        self.drop_idle();
        if !self.is_good(&connection, runtime::clock().monotonic_ms()) {
            drop(connection);
            return drop(slot);
        }
        if let Some(waiter) = self.next_waiting() {
            let mut lease = Lease::new(slot, connection);
            lease.clean = true;
            // One that is not taken comes back here.
            drop(waiter.send(Passed::Lease(lease)));
        } else {
            slot.keep();
            self.idle.borrow_mut().push(connection);
        }
    }

    /// Closes what has grown old, or was lost, while nobody used it. Nobody waits where some are idle.
    fn drop_idle(&self) {
        let now_ms = runtime::clock().monotonic_ms();
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain(|connection| self.is_good(connection, now_ms));
        self.exclusive_count.set(self.exclusive_count.get() - (before - idle.len()));
    }

    fn is_good(&self, connection: &PgConnection, now_ms: u64) -> bool {
        connection.is_usable() && !self.is_old(connection, now_ms)
    }

    /// Refuses further calls, and opens no further connections.
    pub(super) fn detach(&self) {
        self.detached.set(true);
    }

    fn refuse_if_closed(&self) -> Result<(), StoreError> {
        let is_closed = self.detached.get() || self.closed.load(Ordering::Relaxed);
        if is_closed { Err(StoreError::Closed) } else { Ok(()) }
    }

    fn is_old(&self, connection: &PgConnection, now_ms: u64) -> bool {
        self.limits.lifetime_ms > 0
            && now_ms.saturating_sub(connection.opened_ms()) > self.limits.lifetime_ms
    }

    /// Opens a connection to the first target that answers, beginning with the one that did last.
    async fn open(&self) -> Result<Rc<PgConnection>, StoreError> {
        self.refuse_if_closed()?;
        let now_ms = runtime::clock().monotonic_ms();
        if let Some(error) = self.backoff.borrow_mut().refuse(now_ms) {
            self.counters.unavailable.increment();
            return Err(error);
        }
        let mut failure = StoreError::Open("there is no database address".into());
        for offset in 0..self.targets.len() {
            let index = (self.preferred.get() + offset) % self.targets.len();
            let Some(target) = self.targets.get(index) else { break };
            match self.open_target(target).await {
                Ok(connection) => {
                    self.preferred.set(index);
                    self.counters.connects.increment();
                    if self.backoff.borrow_mut().succeeded() {
                        tracing::info!(database = %target.address, "the database is back");
                    }
                    return Ok(connection);
                }
                Err(error) => failure = error.into(),
            }
        }
        self.counters.connect_failures.increment();
        let now_ms = runtime::clock().monotonic_ms();
        if self.backoff.borrow_mut().failed(now_ms, &failure) {
            tracing::error!(error = %failure, "the database is not available");
        }
        Err(failure)
    }

    async fn open_target(&self, target: &Target) -> Result<Rc<PgConnection>, ConnectError> {
        let limit = self.limits.connect_timeout;
        let client = target.connect(&self.sockets, limit).await?;
        let connection = PgConnection::new(client, runtime::clock().monotonic_ms());
        let connection = connection.counted(&self.counters.connections);
        // The server gives up a statement by itself, so that one whose caller is gone does not run on.
        let first = format!("set statement_timeout = {}", self.limits.statement_timeout_ms);
        match timeout(limit, connection.batch(&first)).await {
            Some(answer) => answer.map_err(ConnectError::Other)?,
            None => return Err(target.silent()),
        }
        Ok(Rc::new(connection))
    }

    #[cfg(test)]
    pub(super) fn exclusive_len(&self) -> usize {
        self.exclusive_count.get()
    }

    pub(super) fn counters(&self) -> &Rc<ShardCounters> {
        &self.counters
    }
}

/// What who waits is given.
enum Passed {
    Lease(Lease),
    Slot(Slot),
}

/// The right to one exclusive connection. It goes to who waits longest, or lapses, when it is dropped; the
/// count of connections never dips in between, so that no newcomer overtakes.
struct Slot(Rc<Pool>);

impl Slot {
    fn take(pool: &Rc<Pool>) -> Self {
        pool.exclusive_count.set(pool.exclusive_count.get() + 1);
        Self(Rc::clone(pool))
    }

    /// An idle connection has the right from here on.
    fn keep(self) {
        let count = &self.0.exclusive_count;
        count.set(count.get() + 1);
        // Dropping it takes that back: nobody waits.
    }

    async fn open(self) -> Result<Lease, StoreError> {
        let connection = self.0.open().await?;
        Ok(Lease::new(self, connection))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match self.0.next_waiting() {
            // While the database is away opening fails at once, and so on down the queue.
            Some(waiter) => drop(waiter.send(Passed::Slot(Slot(Rc::clone(&self.0))))),
            None => self.0.exclusive_count.set(self.0.exclusive_count.get() - 1),
        }
    }
}

/// An exclusive connection. Given back when dropped: to the pool if [`clean`](Self::clean) was called,
/// else it is closed, which rolls back what was open on it.
pub(super) struct Lease {
    slot: Option<Slot>,
    connection: Rc<PgConnection>,
    clean: bool,
}

impl Lease {
    fn new(slot: Slot, connection: Rc<PgConnection>) -> Self {
        Self { slot: Some(slot), connection, clean: false }
    }

    pub(super) fn connection(&self) -> &PgConnection {
        &self.connection
    }

    /// No transaction is open on it any more.
    pub(super) fn clean(mut self) {
        self.clean = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.clean {
            self.connection.retire();
        }
        if let Some(slot) = self.slot.take() {
            let pool = Rc::clone(&slot.0);
            pool.release(slot, Rc::clone(&self.connection));
        }
    }
}
