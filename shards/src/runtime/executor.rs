//! glommio, and the pitfalls of it that nobody else has to know.
//!
//! - A signal that interrupts a parked executor panics it, so its thread blocks all signals.
//! - `spawn_local` runs the task inside the call; scheduling it into the default queue does not.
//! - A panic in a task ends the executor, so tasks arrive here guarded (see [`super::task`]).
//! - Its timers wake the executor once per deadline, so it is given a single one: the wheel's next.
//! - A task's waker may be held in at most 32,767 places.
#![allow(unsafe_code)]

use std::{
    future::{Future, poll_fn},
    io,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    task::Poll,
    time::Duration,
};

use futures_util::FutureExt;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, TaskQueueHandle, timer::Timer};

use crate::timers::{Next, Timers};

/// Memory for storage I/O through the executor, of which this server does none: glommio's minimum.
const IO_MEMORY: usize = 64 << 10;

/// How an executor runs.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// The name of its thread.
    pub name: String,
    /// The CPU it is pinned to; it floats where there is none.
    pub cpu: Option<usize>,
    /// How long an idle executor polls before it sleeps. Costs a core's idle time, saves the wake-up
    /// (tens of µs) of a message that arrives in time. Only for pinned executors.
    pub spin_before_park: Duration,
    /// How long tasks may run before sockets and timers get their turn.
    pub preempt_after: Duration,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            name: "shard".to_owned(),
            cpu: None,
            spin_before_park: Duration::ZERO,
            preempt_after: Duration::from_millis(1),
        }
    }
}

/// An executor of the calling thread.
pub(crate) struct Production(LocalExecutor);

impl Production {
    /// Sets up the rings, pins the thread, and blocks all signals on it.
    pub(crate) fn new(config: &ExecutorConfig) -> io::Result<Self> {
        block_signals()?;
        let placement = config.cpu.map_or(Placement::Unbound, Placement::Fixed);
        let executor = LocalExecutorBuilder::new(placement)
            .name(&config.name)
            .io_memory(IO_MEMORY)
            .preempt_timer(config.preempt_after)
            .spin_before_park(config.spin_before_park)
            .make()
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(executor))
    }

    /// Runs until the future ends; what is left of other tasks is dropped then.
    pub(crate) fn run<T>(&self, main: impl Future<Output = T>) -> T {
        self.0.run(main)
    }
}

fn block_signals() -> io::Result<()> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigfillset` initialises the set that it is given, and `pthread_sigmask` reads it; the
    // old mask is not asked for.
    let result = unsafe {
        libc::sigfillset(set.as_mut_ptr());
        // Faults of the thread itself must still end the process.
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT] {
            libc::sigdelset(set.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

pub(super) fn spawn(task: impl Future<Output = ()> + 'static) {
    match glommio::spawn_local_into(task, TaskQueueHandle::default()) {
        Ok(task) => drop(task.detach()),
        Err(error) => tracing::error!(%error, "The executor has lost its task queue."),
    }
}

pub(super) fn should_yield() -> bool {
    glommio::executor().need_preempt()
}

/// Fires the timers of a shard for as long as its executor runs.
pub(crate) async fn drive(timers: Timers) {
    loop {
        match timers.run_due() {
            Next::Again => super::yield_now().await,
            Next::At(at_ms) => {
                let now = timers.clock().monotonic_micros();
                let delay = Duration::from_micros((at_ms * 1000).saturating_sub(now));
                let mut sleep = Timer::new(delay);
                poll_fn(|cx| {
                    timers.set_driver(cx.waker());
                    if timers.armed_ms() < at_ms {
                        return Poll::Ready(());
                    }
                    sleep.poll_unpin(cx).map(|_| ())
                })
                .await;
            }
            Next::Idle => {
                poll_fn(|cx| {
                    timers.set_driver(cx.waker());
                    if timers.armed_ms() < u64::MAX { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
        }
    }
}

/// A file descriptor that the executor reads from, such as an eventfd.
pub(super) struct Readable(glommio::io::BufferedFile);

impl Readable {
    /// Must be called on an executor's thread; it closes the descriptor when dropped.
    pub(super) fn new(fd: OwnedFd) -> Self {
        // SAFETY: the descriptor is open and owned, and ownership passes to the file.
        Self(unsafe { glommio::io::BufferedFile::from_raw_fd(fd.into_raw_fd()) })
    }

    /// Waits for eight bytes.
    pub(super) async fn read_u64(&self) -> io::Result<u64> {
        let bytes =
            self.0.read_at(0, 8).await.map_err(|error| io::Error::other(error.to_string()))?;
        let bytes: [u8; 8] =
            bytes.as_ref().try_into().map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        Ok(u64::from_ne_bytes(bytes))
    }
}
