//! Waiting to the microsecond. The executor's own timers go by the millisecond and round up, so that a
//! thing that is due by the clock would leave one to two milliseconds late, and its latency with it.

use std::{
    cell::RefCell,
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    io::{Errno, read},
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};
use tokio::io::unix::AsyncFd;

/// From here on the executor's timers do, and wake early enough for a timer of the kernel.
const COARSE: Duration = Duration::from_millis(5);

thread_local! {
    /// Timers that nobody waits for: as many as waited at once on this thread, a descriptor each.
    static IDLE: RefCell<Vec<AsyncFd<OwnedFd>>> = const { RefCell::new(Vec::new()) };
}

/// Waits until then. On a thread of the executor only.
pub async fn until(due: Instant) {
    let delay = due.saturating_duration_since(Instant::now());
    if delay > COARSE {
        tokio::time::sleep(delay.saturating_sub(COARSE / 2)).await;
    }
    if precisely(due).await.is_err() {
        // Without a descriptor to spare, late is better than never.
        tokio::time::sleep_until(due.into()).await;
    }
}

/// A kernel's timer in use; it goes back to the idle ones also where nobody waits to the end.
struct Timer(Option<AsyncFd<OwnedFd>>);

impl Timer {
    fn take() -> io::Result<Self> {
        if let Some(idle) = IDLE.with_borrow_mut(Vec::pop) {
            return Ok(Self(Some(idle)));
        }
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "what took its place is unsafe, for types other than this one"
        )]
        Ok(Self(Some(AsyncFd::new(timer)?)))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let timer = self.0.take();
        // At the thread's end there is nobody left to keep it for.
        let _ = IDLE.try_with(|idle| idle.borrow_mut().extend(timer));
    }
}

async fn precisely(due: Instant) -> io::Result<()> {
    let delay = due.saturating_duration_since(Instant::now());
    if delay.is_zero() {
        return Ok(());
    }
    let timer = Timer::take()?;
    let Some(fd) = &timer.0 else { return Ok(()) };
    let once = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec {
            tv_sec: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: delay.subsec_nanos().into(),
        },
    };
    // Setting it forgets what an earlier wait left behind; the readiness that tokio remembers of that
    // is found out by the read.
    timerfd_settime(fd, TimerfdTimerFlags::empty(), &once)?;
    loop {
        let mut ready = fd.readable().await?;
        match read(fd, &mut [0_u8; 8]) {
            Ok(_) => {
                ready.clear_ready();
                return Ok(());
            }
            Err(Errno::AGAIN) => ready.clear_ready(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Future, poll_fn},
        pin::pin,
        task::Poll,
    };

    use super::*;

    #[tokio::test]
    async fn nobody_is_woken_early_and_what_has_passed_is_not_waited_for() {
        let start = Instant::now();
        for micros in [0, 1, 300, 2000, 7000, 12_000] {
            let due = start + Duration::from_micros(micros);
            until(due).await;
            assert!(Instant::now() >= due);
        }
    }

    /// Begins to wait and gives up at once. False where there was nothing to wait for.
    async fn give_up(delay: Duration) -> bool {
        let mut wait = pin!(precisely(Instant::now() + delay));
        poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_pending())).await
    }

    #[tokio::test]
    async fn a_timer_that_was_given_up_serves_the_next_wait_on_time() {
        assert!(give_up(Duration::from_hours(1)).await);
        assert_eq!(IDLE.with_borrow(Vec::len), 1);
        let due = Instant::now() + Duration::from_millis(1);
        until(due).await;
        assert!(Instant::now() >= due);
        // One that ran out with nobody waiting.
        give_up(Duration::from_micros(500)).await;
        std::thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
        let due = Instant::now() + Duration::from_millis(3);
        until(due).await;
        assert!(Instant::now() >= due);
        assert_eq!(IDLE.with_borrow(Vec::len), 1);
    }
}
