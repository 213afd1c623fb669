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
    exclusive_count: Cell<usize>,
    /// Transactions that wait for a connection: the oldest gets the next. `None` means that it may open
    /// one.
    waiting: RefCell<VecDeque<oneshot::Sender<Option<Rc<PgConnection>>>>>,
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
        let now_ms = runtime::clock().monotonic_ms();
        loop {
            let Some(connection) = self.idle.borrow_mut().pop() else { break };
            if connection.is_usable() && !self.is_old(&connection, now_ms) {
                return Ok(Lease::new(self, connection));
            }
            self.exclusive_count.set(self.exclusive_count.get() - 1);
        }
        if self.exclusive_count.get() < self.limits.exclusive_max {
            return self.open_exclusive().await;
        }
        if self.waiting.borrow().len() >= self.limits.waiting_max {
            self.counters.refused.increment();
            return Err(StoreError::Overloaded("the queue for database connections"));
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        self.counters.waiting.set(self.waiting.borrow().len() as u64);
        match receiver.await {
            Ok(Some(connection)) => Ok(Lease::new(self, connection)),
            Ok(None) => self.open_exclusive().await,
            Err(_) => Err(StoreError::Closed),
        }
    }

    async fn open_exclusive(self: &Rc<Self>) -> Result<Lease, StoreError> {
        let slot = Slot::take(self);
        let connection = self.open().await?;
        slot.keep();
        Ok(Lease::new(self, connection))
    }

    /// Passes a connection on, or the right to open one.
    fn release(&self, connection: Rc<PgConnection>) {
        let mut connection = Some(connection);
        if !connection.as_ref().is_some_and(|connection| connection.is_usable()) {
            connection = None;
            self.exclusive_count.set(self.exclusive_count.get() - 1);
        }
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            self.counters.waiting.set(self.waiting.borrow().len() as u64);
            let Some(waiter) = next else { break };
            match waiter.send(connection.take()) {
                Ok(()) => return,
                // It went away while it waited.
                Err(returned) => connection = returned,
            }
        }
        if let Some(connection) = connection {
            self.idle.borrow_mut().push(connection);
        }
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
        self.refuse_if_closed()?;
        if self.backoff.borrow_mut().failed(now_ms, &failure) {
            tracing::error!(error = %failure, "the database is not available");
        }
        Err(failure)
    }

    async fn open_target(&self, target: &Target) -> Result<Rc<PgConnection>, ConnectError> {
        let limit = self.limits.connect_timeout;
        let client = target.connect(&self.sockets, limit).await?;
        let connection = PgConnection::new(client, runtime::clock().monotonic_ms());
        // The server gives up a statement by itself, so that one whose caller is gone does not run on.
        let first = format!("set statement_timeout = {}", self.limits.statement_timeout_ms);
        match timeout(limit, connection.batch(&first)).await {
            Some(answer) => answer.map_err(ConnectError::Other)?,
            None => return Err(target.silent()),
        }
        Ok(Rc::new(connection))
    }

    pub(super) fn counters(&self) -> &Rc<ShardCounters> {
        &self.counters
    }
}

/// The right to one exclusive connection, given back unless a connection came of it.
struct Slot<'a>(Option<&'a Rc<Pool>>);

impl<'a> Slot<'a> {
    fn take(pool: &'a Rc<Pool>) -> Self {
        pool.exclusive_count.set(pool.exclusive_count.get() + 1);
        Self(Some(pool))
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let Some(pool) = self.0 else { return };
        pool.exclusive_count.set(pool.exclusive_count.get() - 1);
        // Somebody else may try; while the database is away that fails at once, and so on down the queue.
        loop {
            let next = pool.waiting.borrow_mut().pop_front();
            let Some(waiter) = next else { break };
            if waiter.send(None).is_ok() {
                break;
            }
        }
    }
}

/// An exclusive connection. Given back when dropped: to the pool if [`clean`](Self::clean) was called,
/// else it is closed, which rolls back what was open on it.
pub(super) struct Lease {
    pool: Rc<Pool>,
    connection: Rc<PgConnection>,
    clean: bool,
}

impl Lease {
    fn new(pool: &Rc<Pool>, connection: Rc<PgConnection>) -> Self {
        Self { pool: Rc::clone(pool), connection, clean: false }
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
        self.pool.release(Rc::clone(&self.connection));
    }
}
