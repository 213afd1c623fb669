//! Blocking work, off the shards: password hashes, files, big builds.

use std::{
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle},
};

use crossbeam::channel::{Receiver, Sender, bounded};

use super::local::{Local, report_panic};

type Job = Box<dyn FnOnce() + Send>;

/// How much blocking work may be going on.
#[derive(Clone, Copy, Debug)]
pub struct OffloadConfig {
    /// Threads that work.
    pub threads: usize,
    /// Jobs that wait for one, over all shards; a job more is refused.
    pub queue_len_max: usize,
}

impl Default for OffloadConfig {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { threads: cores.max(2), queue_len_max: 256 }
    }
}

/// Why a job has no result. State unchanged where it was overloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OffloadError {
    #[error("too much blocking work is waiting")]
    Overloaded,
    #[error("the blocking work panicked")]
    Panicked,
}

/// The threads that block so that shards do not.
pub(crate) struct Pool {
    jobs: Sender<Job>,
    done: AtomicU64,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    pub(crate) fn start(config: OffloadConfig) -> io::Result<Arc<Self>> {
        let (jobs, queue) = bounded::<Job>(config.queue_len_max.max(1));
        let pool =
            Arc::new(Self { jobs, done: AtomicU64::new(0), threads: Mutex::new(Vec::new()) });
        for index in 0..config.threads.max(1) {
            let queue = queue.clone();
            let thread = thread::Builder::new()
                .name(format!("offload-{index}"))
                .spawn(move || work(&queue))?;
            pool.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(pool)
    }

    /// Jobs that were finished.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Jobs that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.len()
    }
}

fn work(queue: &Receiver<Job>) {
    // Ends when the pool and with it the last sender is dropped.
    while let Ok(job) = queue.recv() {
        job();
    }
}

/// Runs `work` on a thread that may block and yields its result.
///
/// Refused when [`OffloadConfig::queue_len_max`] jobs wait. A job whose future was dropped before a
/// thread took it is skipped.
pub async fn offload<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OffloadError> {
    let local = Local::current();
    let Some(pool) = local.pool() else {
        // The simulator has no other threads, and is not deterministic with them.
        return catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
            report_panic("offload", panic.as_ref());
            OffloadError::Panicked
        });
    };
    let slot = Arc::new(Mutex::new(Slot::Waiting(None)));
    let (outcome, counted) = (Arc::downgrade(&slot), Arc::clone(pool));
    let job = Box::new(move || {
        if outcome.strong_count() == 0 {
            return;
        }
        let result = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
            report_panic("offload", panic.as_ref());
            OffloadError::Panicked
        });
        counted.done.fetch_add(1, Relaxed);
        drop(counted);
        let Some(slot) = outcome.upgrade() else { return };
        let previous = {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *slot, Slot::Done(result))
        };
        if let Slot::Waiting(Some(waker)) = previous {
            waker.wake();
        }
    });
    if pool.jobs.try_send(job).is_err() {
        local.count_refused_offload();
        return Err(OffloadError::Overloaded);
    }
    drop(local);
    Outcome(slot).await
}

enum Slot<T> {
    Waiting(Option<Waker>),
    Done(Result<T, OffloadError>),
}

struct Outcome<T>(Arc<Mutex<Slot<T>>>);

impl<T> Future for Outcome<T> {
    type Output = Result<T, OffloadError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *slot, Slot::Waiting(None)) {
            Slot::Waiting(_) => {
                *slot = Slot::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
            Slot::Done(result) => Poll::Ready(result),
        }
    }
}
