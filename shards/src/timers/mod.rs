//! Timers of a shard: one wheel for all its sessions, calls and sleeping tasks.
//!
//! A thousand sessions with a heartbeat each cost one entry each, not a task; the executor sees a
//! single sleep, for the earliest deadline. In the simulator the same wheel runs on virtual time.

mod wheel;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

pub use wheel::{TimerKey, Wheel};

use crate::{clock::Clock, counters::Counters, runtime};

/// Timers fired in one go before other tasks get their turn.
const FIRED_PER_TURN_MAX: usize = 1024;

/// Coarse timers come due together, at multiples of this, so that heartbeats of many sessions wake
/// the shard a few times a second and not at each millisecond.
pub const COARSE_MS: u64 = 128;

/// What many timers share: one object that is told which of its timers fired. It spares an allocation
/// a timer.
pub trait Target {
    /// Called once for each timer, on the shard's thread, with what was given to [`Timers::notify_at`].
    fn fired(&self, token: u64);
}

enum Action {
    Wake(Waker),
    Run(Box<dyn FnOnce()>),
    Notify(Rc<dyn Target>, u64),
}

/// What the driver of the wheel does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// More is due; let others run first.
    Again,
    /// Nothing before this time, in ms.
    At(u64),
    /// No timer at all.
    Idle,
}

struct Shared {
    wheel: RefCell<Wheel<Action>>,
    clock: Clock,
    /// The earliest deadline that the driver knows of.
    armed_ms: Cell<u64>,
    driver: RefCell<Option<Waker>>,
    fired: crate::counters::Counter,
    pending: crate::counters::Counter,
}

/// A shard's timers. Clones share one wheel; precision is a millisecond, never early.
#[derive(Clone)]
pub struct Timers(Rc<Shared>);

impl Timers {
    pub(crate) fn new(clock: Clock, counters: &Counters) -> Self {
        Self(Rc::new(Shared {
            wheel: RefCell::new(Wheel::new(clock.monotonic_ms())),
            clock,
            armed_ms: Cell::new(u64::MAX),
            driver: RefCell::new(None),
            fired: counters.counter("timers_fired", "Timers that came due."),
            pending: counters.gauge("timers_pending", "Timers that wait."),
        }))
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Runs a callback at a time of [`Clock::monotonic_ms`]. A panic in it is caught and counted.
    pub fn run_at(&self, deadline_ms: u64, callback: impl FnOnce() + 'static) -> TimerKey {
        self.insert(deadline_ms, Action::Run(Box::new(callback)))
    }

    /// Runs a callback after a while.
    pub fn run_after(&self, delay: Duration, callback: impl FnOnce() + 'static) -> TimerKey {
        self.run_at(self.deadline_ms(delay), callback)
    }

    /// Tells `target` at a time of [`Clock::monotonic_ms`].
    pub fn notify_at(&self, deadline_ms: u64, target: Rc<dyn Target>, token: u64) -> TimerKey {
        self.insert(deadline_ms, Action::Notify(target, token))
    }

    /// Tells `target` at or up to [`COARSE_MS`] after a time: for what need not be punctual.
    pub fn notify_coarsely_at(
        &self,
        deadline_ms: u64,
        target: Rc<dyn Target>,
        token: u64,
    ) -> TimerKey {
        self.notify_at(deadline_ms.next_multiple_of(COARSE_MS), target, token)
    }

    /// Takes a timer back. False where it has fired.
    pub fn cancel(&self, key: TimerKey) -> bool {
        let cancelled = self.0.wheel.borrow_mut().cancel(key);
        // The action is dropped after the borrow ends: its destructor may use these timers.
        cancelled.is_some()
    }

    /// Timers that wait.
    pub fn len(&self) -> usize {
        self.0.wheel.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends after a while, rounded up to a millisecond.
    pub fn sleep(&self, delay: Duration) -> Sleep {
        self.sleep_until(self.deadline_ms(delay))
    }

    /// Ends at a time of [`Clock::monotonic_ms`].
    pub fn sleep_until(&self, deadline_ms: u64) -> Sleep {
        Sleep { timers: self.clone(), deadline_ms, key: None }
    }

    /// The first whole millisecond at which the delay has passed.
    fn deadline_ms(&self, delay: Duration) -> u64 {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.0.clock.monotonic_micros().saturating_add(micros).div_ceil(1000)
    }

    fn insert(&self, deadline_ms: u64, action: Action) -> TimerKey {
        let key = self.0.wheel.borrow_mut().insert(deadline_ms, action);
        if deadline_ms < self.0.armed_ms.get() {
            self.0.armed_ms.set(deadline_ms);
            if let Some(driver) = self.0.driver.borrow_mut().take() {
                driver.wake();
            }
        }
        key
    }

    /// Fires what is due, up to a bound.
    pub(crate) fn run_due(&self) -> Next {
        let now_ms = self.0.clock.monotonic_ms();
        for _ in 0..FIRED_PER_TURN_MAX {
            let due = self.0.wheel.borrow_mut().pop_due(now_ms);
            let Some(action) = due else {
                let next = self.0.wheel.borrow().next_wake_ms();
                self.0.pending.set(self.len() as u64);
                self.0.armed_ms.set(next.unwrap_or(u64::MAX));
                return next.map_or(Next::Idle, Next::At);
            };
            self.0.fired.increment();
            runtime::guard("timer", || match action {
                Action::Wake(waker) => waker.wake(),
                Action::Run(callback) => callback(),
                Action::Notify(target, token) => target.fired(token),
            });
        }
        Next::Again
    }

    /// When the next timer may come due.
    pub(crate) fn next_wake_ms(&self) -> Option<u64> {
        self.0.wheel.borrow().next_wake_ms()
    }

    /// Who to wake when a timer earlier than the known ones comes in.
    pub(crate) fn set_driver(&self, waker: &Waker) {
        let mut driver = self.0.driver.borrow_mut();
        match driver.as_mut() {
            Some(known) => known.clone_from(waker),
            None => *driver = Some(waker.clone()),
        }
    }

    pub(crate) fn armed_ms(&self) -> u64 {
        self.0.armed_ms.get()
    }
}

/// See [`Timers::sleep`]. Dropping it takes the timer back.
pub struct Sleep {
    timers: Timers,
    deadline_ms: u64,
    key: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(key) = self.key else {
            let waker = Action::Wake(cx.waker().clone());
            self.key = Some(self.timers.insert(self.deadline_ms, waker));
            return Poll::Pending;
        };
        match self.timers.0.wheel.borrow_mut().get_mut(key) {
            Some(Action::Wake(waker)) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            Some(Action::Run(_) | Action::Notify(..)) | None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timers.cancel(key);
        }
    }
}
