//! glommio, and the pitfalls of it that nobody else has to know.
//!
//! A pass through its loop costs about 12 µs (timers armed and cancelled in the kernel), so it polls a
//! single task, the shard's run queue, and is used for what it is needed for: to sleep, and to be woken
//! by timers, descriptors and other threads. What follows from its source, version 0.9:
//!
//! - When its preemption timer has fired before a pass polls anything, it takes the run queue for empty
//!   and sleeps over ready tasks: seconds of stall on a busy machine. So that timer never fires, and
//!   the run queue returns from the executor when its time is up, and is run again.
//! - A signal that interrupts its sleep panics it, so its thread blocks all signals.
//! - A panic in a task ends it, so the run queue's tasks are guarded (see [`super::task`]).
//! - Its timers wake it once per deadline, so it is given a single one: the wheel's next.
//! - A waker of its tasks may be held in at most 32,767 places; the run queue's own have no such bound.
#![allow(unsafe_code)]

use std::{
    future::{Future, poll_fn},
    io,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, timer::Timer};

use super::{
    local::Local,
    scheduler::{Scheduler, Turn},
};
use crate::{
    clock::Stopwatch,
    timers::{Next, Timers},
};

/// Memory for storage I/O through the executor, of which this server does none: glommio's minimum.
const IO_MEMORY: usize = 64 << 10;
/// Longer than any process runs, and short enough to be added to a time.
const NEVER: Duration = Duration::from_hours(100 * 365 * 24);

/// How an executor runs.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// The name of its thread.
    pub name: String,
    /// The CPU it is pinned to; it floats where there is none.
    pub cpu: Option<usize>,
    /// How long an idle shard looks for messages before it sleeps. Going to sleep and being woken costs
    /// more than 20 µs of CPU, so that looking for about as long wastes little and often saves it.
    pub spin_before_park: Duration,
    /// How long tasks may run before descriptors and glommio's timers get their turn.
    pub turn_max: Duration,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            name: "shard".to_owned(),
            cpu: None,
            spin_before_park: Duration::ZERO,
            turn_max: Duration::from_millis(1),
        }
    }
}

/// An executor of the calling thread.
pub(crate) struct Production {
    executor: LocalExecutor,
    spin: Duration,
    turn_max: Duration,
}

impl Production {
    /// Sets up the rings, pins the thread, and blocks all signals on it.
    pub(crate) fn new(config: &ExecutorConfig) -> io::Result<Self> {
        block_signals()?;
        let placement = config.cpu.map_or(Placement::Unbound, Placement::Fixed);
        let executor = LocalExecutorBuilder::new(placement)
            .name(&config.name)
            .io_memory(IO_MEMORY)
            .preempt_timer(NEVER)
            .make()
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { executor, spin: config.spin_before_park, turn_max: config.turn_max })
    }

    /// Makes `local` the thread's shard and runs until the future ends; other tasks are dropped then.
    pub(crate) fn run<T>(&self, local: &Rc<Local>, main: impl Future<Output = T>) -> T {
        let _entered = local.enter();
        super::spawn_essential("timers", drive(local.timers.clone()));
        let mut main = pin!(main);
        local.scheduler.main_waker().wake();
        let result = loop {
            // Each run begins with a pass through the executor's loop.
            let ended =
                self.executor.run(poll_fn(|cx| self.poll(cx, &local.scheduler, main.as_mut())));
            if let Some(result) = ended {
                break result;
            }
        };
        local.scheduler.clear();
        result
    }

    /// Runs tasks until the main future has ended, or it is the executor's turn (None), or nothing is
    /// left to do (pending).
    fn poll<T>(
        &self,
        cx: &Context<'_>,
        scheduler: &Scheduler,
        mut main: Pin<&mut impl Future<Output = T>>,
    ) -> Poll<Option<T>> {
        let began = Stopwatch::start();
        let mut result = None;
        loop {
            let turn = scheduler.turn(|waker| {
                if result.is_none()
                    && let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(waker))
                {
                    result = Some(value);
                }
            });
            if result.is_some() {
                return Poll::Ready(result);
            }
            match turn {
                Turn::More => return Poll::Ready(None),
                Turn::Idle if scheduler.spin(self.spin) => {
                    if began.elapsed() >= self.turn_max {
                        return Poll::Ready(None);
                    }
                }
                Turn::Idle => {
                    if scheduler.sleep(cx.waker()) {
                        return Poll::Pending;
                    }
                }
            }
        }
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

/// Fires the timers of a shard for as long as its executor runs.
async fn drive(timers: Timers) {
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
