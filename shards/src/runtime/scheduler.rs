//! The run queue of a shard: tasks in the order they became ready, polled for a bounded time.
//!
//! It is the same in production, where a glommio executor polls it as its only task, and in the
//! simulator, which keeps one for each shard. Waking a task of this shard is a push; waking one from
//! another thread goes through a queue that the shard looks at between tasks, and wakes the executor
//! only where that has gone to sleep.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use crossbeam::{queue::SegQueue, utils::CachePadded};
use futures_util::task::AtomicWaker;
use slab::Slab;

use super::local::{Local, guard};
use crate::clock::Stopwatch;

type BoxedTask = Pin<Box<dyn Future<Output = ()>>>;

/// The place of the future that the executor was started with; it is not in the slab.
const MAIN: usize = usize::MAX;
/// Tasks polled between two looks at the clock and at what other threads have woken.
const POLLS_PER_LOOK: u32 = 8;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing is ready.
    Idle,
    /// The time is up; more is ready.
    More,
}

/// The part of a run queue that other threads may touch.
struct Remote {
    /// Tells run queues apart, so that a waker knows whether it is at home.
    id: u64,
    woken: SegQueue<Arc<TaskWaker>>,
    asleep: CachePadded<AtomicBool>,
    /// The executor underneath.
    executor: AtomicWaker,
}

struct TaskWaker {
    remote: Arc<Remote>,
    index: usize,
    /// Whether it waits to be polled, so that it waits only once.
    queued: AtomicBool,
}

impl TaskWaker {
    fn new(remote: &Arc<Remote>, index: usize) -> Arc<Self> {
        Arc::new(Self { remote: Arc::clone(remote), index, queued: AtomicBool::new(false) })
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        Self::wake_by_ref(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        if !Local::push_if_home(self.remote.id, || Arc::clone(self)) {
            self.remote.woken.push(Arc::clone(self));
            self.remote.notify();
        }
    }
}

impl Remote {
    /// Has the executor look, if it sleeps.
    fn notify(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.executor.wake();
        }
    }
}

struct Slot {
    /// None while it is polled.
    task: Option<BoxedTask>,
    waker: Arc<TaskWaker>,
}

/// A reference to a task that is ready.
pub(crate) struct Ready(Arc<TaskWaker>);

pub(crate) struct Scheduler {
    remote: Arc<Remote>,
    slots: RefCell<Slab<Slot>>,
    ready: RefCell<VecDeque<Arc<TaskWaker>>>,
    main: Arc<TaskWaker>,
    /// Whether a turn is going on, which will see what is pushed.
    running: Cell<bool>,
    /// Wakes the executor from this thread.
    executor: RefCell<Option<Waker>>,
    turn_began: Cell<Option<Stopwatch>>,
    turn_max: Duration,
}

impl Scheduler {
    /// `turn_max` bounds how long tasks run before the executor underneath gets its turn.
    pub(crate) fn new(turn_max: Duration) -> Self {
        let remote = Arc::new(Remote {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            woken: SegQueue::new(),
            asleep: CachePadded::new(AtomicBool::new(false)),
            executor: AtomicWaker::new(),
        });
        let main = TaskWaker::new(&remote, MAIN);
        Self {
            main,
            remote,
            slots: RefCell::new(Slab::new()),
            ready: RefCell::default(),
            running: Cell::new(false),
            executor: RefCell::default(),
            turn_began: Cell::new(None),
            turn_max,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.remote.id
    }

    /// Adds a task that cannot panic; it is polled at a later turn.
    pub(crate) fn spawn(&self, task: BoxedTask) {
        let waker = {
            let mut slots = self.slots.borrow_mut();
            let entry = slots.vacant_entry();
            let waker = TaskWaker::new(&self.remote, entry.key());
            waker.queued.store(true, Ordering::Relaxed);
            entry.insert(Slot { task: Some(task), waker: Arc::clone(&waker) });
            waker
        };
        self.push(waker);
    }

    /// Tasks that have not ended.
    pub(crate) fn tasks_len(&self) -> usize {
        self.slots.borrow().len()
    }

    /// The waker of the future that the executor was started with.
    pub(crate) fn main_waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.main))
    }

    /// Puts in a task of this thread that became ready.
    fn push(&self, task: Arc<TaskWaker>) {
        self.ready.borrow_mut().push_back(task);
        if !self.running.get()
            && let Some(executor) = self.executor.borrow().as_ref()
        {
            executor.wake_by_ref();
        }
    }

    pub(crate) fn push_ready(&self, task: Ready) {
        self.push(task.0);
    }

    /// Polls ready tasks until none is left or the time is up. `poll_main` is called when the main
    /// future was woken.
    pub(crate) fn turn(&self, poll_main: impl FnMut(&Waker)) -> Turn {
        self.turn_of(u32::MAX, poll_main)
    }

    /// As [`Scheduler::turn`], but of at most so many polls.
    pub(crate) fn turn_of(&self, polls_max: u32, mut poll_main: impl FnMut(&Waker)) -> Turn {
        self.running.set(true);
        self.turn_began.set(Some(Stopwatch::start()));
        let mut polls = 0u32;
        let outcome = loop {
            if polls.is_multiple_of(POLLS_PER_LOOK) {
                if polls > 0 && self.should_yield() {
                    break Turn::More;
                }
                self.take_woken();
            }
            if polls >= polls_max {
                break Turn::More;
            }
            let next = self.ready.borrow_mut().pop_front();
            let Some(task) = next else {
                if self.take_woken() {
                    continue;
                }
                break Turn::Idle;
            };
            polls += 1;
            task.queued.store(false, Ordering::Release);
            if task.index == MAIN {
                poll_main(&Waker::from(task));
            } else {
                self.poll(&task);
            }
        };
        self.turn_began.set(None);
        self.running.set(false);
        outcome
    }

    /// Moves what other threads woke to the ready tasks.
    fn take_woken(&self) -> bool {
        let mut any = false;
        while let Some(task) = self.remote.woken.pop() {
            self.ready.borrow_mut().push_back(task);
            any = true;
        }
        any
    }

    fn poll(&self, ready: &Arc<TaskWaker>) {
        let taken = {
            let mut slots = self.slots.borrow_mut();
            // The place may hold another task by now.
            let slot = slots.get_mut(ready.index).filter(|slot| Arc::ptr_eq(&slot.waker, ready));
            slot.and_then(|slot| slot.task.take())
        };
        let Some(mut task) = taken else { return };
        let waker = Waker::from(Arc::clone(ready));
        match task.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => {
                if let Some(slot) = self.slots.borrow_mut().get_mut(ready.index) {
                    slot.task = Some(task);
                }
            }
            Poll::Ready(()) => {
                let slot = self.slots.borrow_mut().try_remove(ready.index);
                drop((slot, task));
            }
        }
    }

    /// Whether the tasks of this turn have had their time.
    pub(crate) fn should_yield(&self) -> bool {
        self.turn_began.get().is_some_and(|began| began.elapsed() >= self.turn_max)
    }

    /// Looks for work for up to `spin`. True where there is some.
    pub(crate) fn spin(&self, spin: Duration) -> bool {
        if spin.is_zero() {
            return self.has_work();
        }
        let began = Stopwatch::start();
        loop {
            for _ in 0..16 {
                if self.has_work() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if began.elapsed() >= spin {
                return false;
            }
        }
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.ready.borrow().is_empty() || !self.remote.woken.is_empty()
    }

    /// Prepares to be woken through the executor. False where there is work already.
    pub(crate) fn sleep(&self, executor: &Waker) -> bool {
        {
            let mut known = self.executor.borrow_mut();
            match known.as_mut() {
                Some(known) => known.clone_from(executor),
                None => *known = Some(executor.clone()),
            }
        }
        self.remote.executor.register(executor);
        self.remote.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let nothing = self.remote.woken.is_empty() && self.ready.borrow().is_empty();
        if !nothing {
            self.remote.asleep.store(false, Ordering::SeqCst);
        }
        nothing
    }

    /// Drops all tasks, and what their destructors start.
    pub(crate) fn clear(&self) {
        // Destructors that start tasks whose destructors start tasks are cut off at some point.
        for _ in 0..8 {
            let slots = std::mem::take(&mut *self.slots.borrow_mut());
            if slots.is_empty() {
                break;
            }
            for (_, slot) in slots {
                guard("drop of a task", || drop(slot));
            }
        }
        self.ready.borrow_mut().clear();
    }
}

impl Local {
    /// Pushes a ready task where the current shard's run queue has that id.
    fn push_if_home(id: u64, task: impl FnOnce() -> Arc<TaskWaker>) -> bool {
        Self::with_current(|local| {
            let home = local.scheduler.id() == id;
            if home {
                local.scheduler.push_ready(Ready(task()));
            }
            home
        })
        .unwrap_or(false)
    }
}
