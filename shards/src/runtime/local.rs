//! What the current thread runs: a shard of the node, or of a simulation.

use std::{
    any::Any,
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{offload::Pool, scheduler::Scheduler};
use crate::{
    ShardId,
    clock::Clock,
    counters::{Counter, Counters},
    timers::Timers,
};

/// The services of a shard that its tasks reach from anywhere.
pub(crate) struct Local {
    pub(crate) shard: ShardId,
    pub(crate) clock: Clock,
    pub(crate) timers: Timers,
    pub(crate) counters: Counters,
    pub(crate) scheduler: Scheduler,
    /// None in the simulator, where blocking work runs in place.
    pool: Option<Arc<Pool>>,
    panics: Counter,
    tasks: Counter,
    tasks_live: Counter,
    offload_refused: Counter,
    /// Learns that an essential task ended, and how. None where there is no node around the shard.
    on_essential_end: RefCell<Option<OnEssentialEnd>>,
}

type OnEssentialEnd = Box<dyn Fn(&'static str, End)>;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ended,
    Panicked,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

impl Local {
    pub(crate) fn new(
        shard: ShardId,
        clock: Clock,
        counters: Counters,
        turn_max: Duration,
        pool: Option<Arc<Pool>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            shard,
            timers: Timers::new(clock.clone(), &counters),
            clock,
            panics: counters.counter("task_panics", "Panics caught at the edge of a task."),
            tasks: counters.counter("tasks_spawned", "Tasks started."),
            tasks_live: counters.gauge("tasks_live", "Tasks, as of the last one that was started."),
            offload_refused: counters
                .counter("offload_refused", "Blocking jobs refused because the queue was full."),
            counters,
            scheduler: Scheduler::new(turn_max),
            pool,
            on_essential_end: RefCell::default(),
        })
    }

    /// Makes this the current shard of the thread until the guard goes.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        Entered { previous: CURRENT.replace(Some(Rc::clone(self))) }
    }

    /// The shard that the calling code runs on.
    ///
    /// # Panics
    /// Outside of a shard: a bug of the caller that no input can cause.
    pub(crate) fn current() -> Rc<Self> {
        Self::try_current().expect("this is called on a shard's thread only")
    }

    pub(crate) fn try_current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Calls back with the current shard, if there is one, without counting a reference.
    pub(super) fn with_current<T>(use_it: impl FnOnce(&Self) -> T) -> Option<T> {
        CURRENT.with_borrow(|current| current.as_deref().map(use_it))
    }

    /// Adds a task that cannot panic.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.increment();
        self.scheduler.spawn(Box::pin(task));
        self.tasks_live.set(self.scheduler.tasks_len() as u64);
    }

    /// Calls back with the name of an essential task that has ended.
    pub(crate) fn on_essential_end(&self, tell: impl Fn(&'static str, End) + 'static) {
        *self.on_essential_end.borrow_mut() = Some(Box::new(tell));
    }

    pub(super) fn essential_ended(&self, task: &'static str, how: End) {
        tracing::debug!(task, ?how, "An essential task is over.");
        if let Some(tell) = self.on_essential_end.borrow().as_ref() {
            tell(task, how);
        }
    }

    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        self.pool.as_ref()
    }

    pub(crate) fn count_refused_offload(&self) {
        self.offload_refused.increment();
    }
}

/// Runs something that must not take down what runs it.
pub(crate) fn guard(what: &'static str, run: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        report_panic(what, panic.as_ref());
    }
}

/// Panics caught on threads that are no shard's.
static PANICS_ELSEWHERE: AtomicU64 = AtomicU64::new(0);

/// Panics caught and reported on threads of the process that are no shard's, which count their own as
/// `task_panics`.
pub fn panics_elsewhere() -> u64 {
    PANICS_ELSEWHERE.load(Ordering::Relaxed)
}

/// Counts and logs a caught panic of what `task` names: as `task_panics` on a shard, else as
/// [`panics_elsewhere`]. Whoever catches one tells it here.
pub fn report_panic(task: &str, panic: &(dyn Any + Send)) {
    let message = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    let local = Local::try_current();
    let shard = local.as_ref().map(|local| local.shard.0);
    tracing::error!(task, shard, panic = message, "A task panicked.");
    match local {
        Some(local) => local.panics.increment(),
        None => {
            PANICS_ELSEWHERE.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Restores what was current before.
pub(crate) struct Entered {
    previous: Option<Rc<Local>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // The old value is dropped outside of the thread-local's borrow.
        let left = CURRENT.replace(self.previous.take());
        drop(left);
    }
}
