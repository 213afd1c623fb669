//! What a connection's task is told from outside: that its time is over, or that the shard drains.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    task::{Context, Waker},
    time::Duration,
};

use kakera_shards::{
    Timers,
    timers::{Target, TimerKey},
};

/// What the time of a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The handshake and the first bytes of a request.
    Opening,
    /// Between requests.
    Idle,
    /// A request's head began.
    Head,
    /// Requests run; they have times of their own.
    Busy,
}

pub(super) struct Times {
    pub(super) read: Duration,
    pub(super) idle: Duration,
}

/// One connection's clock. A timer is armed for the earliest deadline it had and looks again when that
/// has passed, so that moving the deadline is a store.
pub(super) struct Watch {
    phase: Cell<Phase>,
    requests: Cell<u32>,
    /// HTTP/2 speaks between requests; only silence ends it.
    multiplexed: Cell<bool>,
    /// Of the phase.
    deadline_ms: Cell<u64>,
    /// Responses of an HTTP/2 connection that the client has not taken whole, and since when: as many
    /// as it may have streams.
    owed: RefCell<BTreeMap<u64, u64>>,
    timer: Cell<Option<(u64, TimerKey)>>,
    expired: Cell<bool>,
    draining: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    timers: Timers,
    times: Rc<Times>,
    myself: Weak<Watch>,
}

impl Watch {
    pub(super) fn new(times: Rc<Times>) -> Rc<Self> {
        let watch = Rc::new_cyclic(|myself| Self {
            phase: Cell::new(Phase::Opening),
            requests: Cell::new(0),
            multiplexed: Cell::new(false),
            deadline_ms: Cell::new(u64::MAX),
            owed: RefCell::default(),
            timer: Cell::new(None),
            expired: Cell::new(false),
            draining: Cell::new(false),
            waker: RefCell::new(None),
            timers: kakera_shards::runtime::timers(),
            times,
            myself: myself.clone(),
        });
        watch.expect_within(watch.times.read);
        watch
    }

    fn expect_within(&self, limit: Duration) {
        let deadline = self.timers.clock().monotonic_ms() + limit.as_millis() as u64;
        self.deadline_ms.set(deadline);
        self.arm(deadline);
    }

    fn arm(&self, deadline_ms: u64) {
        if let Some((armed_ms, key)) = self.timer.get() {
            if armed_ms <= deadline_ms {
                return;
            }
            self.timers.cancel(key);
        }
        if let Some(target) = self.myself.upgrade() {
            let key = self.timers.notify_at(deadline_ms, target, 0);
            self.timer.set(Some((deadline_ms, key)));
        }
    }

    pub(super) fn multiplexed(&self) {
        self.multiplexed.set(true);
    }

    /// Notes that a client has a response to take, until what is returned is dropped. On HTTP/2 it could
    /// let it lie for as long as it keeps talking of something else; then the connection ends as if it
    /// had been silent. HTTP/1.1 has nothing else to talk of.
    pub(super) fn owe(&self) -> Option<Owed> {
        let watch = self.myself.upgrade().filter(|watch| watch.multiplexed.get())?;
        let now_ms = self.timers.clock().monotonic_ms();
        let mut owed = self.owed.borrow_mut();
        let place = owed.last_key_value().map_or(0, |(last, _)| last + 1);
        let is_first = owed.is_empty();
        owed.insert(place, now_ms);
        drop(owed);
        if is_first {
            self.arm(now_ms + self.times.idle.as_millis() as u64);
        }
        Some(Owed { watch, place })
    }

    /// When the connection's time is over, as far as is known now.
    fn deadline_ms(&self) -> u64 {
        let oldest = self.owed.borrow().first_key_value().map(|(_, since_ms)| *since_ms);
        let taken_by =
            oldest.map_or(u64::MAX, |since_ms| since_ms + self.times.idle.as_millis() as u64);
        self.deadline_ms.get().min(taken_by)
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        if self.phase.get() == Phase::Idle {
            if self.multiplexed.get() {
                self.expect_within(self.times.idle);
            } else {
                self.phase.set(Phase::Head);
                self.expect_within(self.times.read);
            }
        }
    }

    pub(super) fn request_begins(&self) {
        self.requests.set(self.requests.get() + 1);
        self.phase.set(Phase::Busy);
        self.deadline_ms.set(u64::MAX);
    }

    pub(super) fn request_ends(&self) {
        let left = self.requests.get().saturating_sub(1);
        self.requests.set(left);
        if left == 0 {
            self.phase.set(Phase::Idle);
            self.expect_within(self.times.idle);
        }
    }

    pub(super) fn drain(&self) {
        self.draining.set(true);
        self.wake();
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expired.get()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    pub(super) fn listen(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_mut() {
            Some(known) => known.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }

    /// The connection is over or on its own.
    pub(super) fn end(&self) {
        self.deadline_ms.set(u64::MAX);
        if let Some((_, key)) = self.timer.take() {
            self.timers.cancel(key);
        }
    }

    fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A response that a client has to take.
pub(super) struct Owed {
    watch: Rc<Watch>,
    place: u64,
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.watch.owed.borrow_mut().remove(&self.place);
    }
}

impl Target for Watch {
    fn fired(&self, _: u64) {
        self.timer.set(None);
        let deadline = self.deadline_ms();
        if deadline == u64::MAX {
            return;
        }
        if self.timers.clock().monotonic_ms() < deadline {
            return self.arm(deadline);
        }
        self.expired.set(true);
        self.wake();
    }
}
